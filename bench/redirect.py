"""How many messages a second go to Viber, hear that nobody has it there, and go on by SMS: all final.

The time is from the first request until every message is final in the database.
"""

import argparse
import sys
import time

from bench.figures import Report, database, main, options, report
from bench.rig import rig

START_S = 60  # for everything around the measurement
SLOWEST = 50  # messages a second, below which it is given up


async def redirect(args: argparse.Namespace) -> Report:
    """One measurement."""
    async with rig(database(args), far_end=True, viber=True) as gateway:
        before = gateway.usage()
        replies = await gateway.send(args.connections, messages=args.messages)
        finals = await gateway.finals(replies.ids)
        ended_at = time.monotonic()
        after = gateway.usage()
        figures = report(gateway, args, replies, ended_at - replies.began_at, before, after)
        ways = await gateway.ways(replies.accepted)
    return {"bench": "redirect", **figures, "finals": finals, "ways": ways}


def _options() -> argparse.Namespace:
    parser = options("Messages per second that go from Viber to SMS.")
    parser.add_argument("--messages", type=int, default=10_000, help="how many to send (10000)")
    return parser.parse_args()


if __name__ == "__main__":
    args = _options()
    limit_s = START_S + args.messages / SLOWEST
    sys.exit(main(lambda: redirect(args), limit_s=limit_s, as_json=args.json))
