"""How many questions a second the gateway answers about how a message stands, of messages that have ended."""

import argparse
import sys

from bench.figures import Report, database, main, options, report
from bench.rig import fill_s, rig

START_S = 60  # for everything around the measurement


async def receive(args: argparse.Namespace) -> Report:
    """One measurement."""
    async with rig(database(args), far_end=False, stored=args.stored) as gateway:
        before = gateway.usage()
        replies = await gateway.query(args.connections, args.seconds, gateway.stored)
        after = gateway.usage()
        figures = report(gateway, args, replies, replies.ended_at - replies.began_at, before, after)
    return {"bench": "receive", **figures}


def _options() -> argparse.Namespace:
    parser = options("Status queries per second.")
    parser.add_argument("--seconds", type=float, default=5.0, help="how long to ask (5)")
    parser.add_argument("--stored", type=int, default=10_000, help="messages that are there (10000)")
    return parser.parse_args()


if __name__ == "__main__":
    args = _options()
    limit_s = START_S + args.seconds + fill_s(args.stored)
    sys.exit(main(lambda: receive(args), limit_s=limit_s, as_json=args.json))
