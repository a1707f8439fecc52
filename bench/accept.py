"""How many messages a second the gateway accepts: request, checks, commit on disk, reply.

Without `--deliver` the connector finds nobody to talk to: what was accepted waits, and delivering it does not
share the machine with accepting.
"""

import argparse
import sys

from bench.figures import Report, database, main, options, report
from bench.rig import rig

START_S = 60  # for everything around the measurement


async def accept(args: argparse.Namespace) -> Report:
    """One measurement."""
    async with rig(database(args), far_end=args.deliver) as gateway:
        before = gateway.usage()
        replies = await gateway.send(args.connections, seconds=args.seconds)
        after = gateway.usage()
        figures = report(gateway, args, replies, replies.ended_at - replies.began_at, before, after)
    return {"bench": "accept", **figures, "delivering": args.deliver}


def _options() -> argparse.Namespace:
    parser = options("Accepted messages per second.")
    parser.add_argument("--seconds", type=float, default=5.0, help="how long to ask (5)")
    parser.add_argument("--deliver", action="store_true", help="with an SMSC that takes them meanwhile")
    return parser.parse_args()


if __name__ == "__main__":
    args = _options()
    sys.exit(main(lambda: accept(args), limit_s=START_S + args.seconds, as_json=args.json))
