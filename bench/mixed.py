"""How long requests take at a given rate: messages and status queries at planned times, deliveries beside.

Latency counts from the planned time, so that a gateway that stands still is not asked less while it does.
"""

import argparse
import sys

from bench.figures import BenchError, Report, database, figures, main, options
from bench.rig import rig

QUERIES = 0.3  # of all requests
START_S = 60  # for everything around the measurement
SLOWEST = 100  # messages a second, below which it is given up


async def mixed(args: argparse.Namespace) -> Report:
    """One measurement."""
    async with rig(database(args), far_end=True) as gateway:
        before = gateway.usage()
        replies = await gateway.mix(args.connections, args.rate, QUERIES, args.seconds)
        after = gateway.usage()
        if not replies.accepted:
            raise BenchError(f"nothing was accepted: {replies.refusal}")
        finals = await gateway.finals(replies.ids)
        measured = figures(gateway, args, replies, replies.ended_at - replies.began_at, before, after)
    return {
        "bench": "mixed",
        **measured,
        "offered": args.rate,
        "p999_ms": round(replies.p999_ms, 2),
        "sent": replies.accepted,
        "asked": replies.told,
        "errors": replies.refused,
        "refusal": replies.refusal,
        "finals": finals,
    }


def _options() -> argparse.Namespace:
    parser = options("How long requests take at a given rate, 70 % of them messages and 30 % status queries.")
    parser.add_argument("--rate", type=float, default=1000.0, help="requests a second (1000)")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long to ask (10)")
    return parser.parse_args()


if __name__ == "__main__":
    args = _options()
    limit_s = START_S + args.seconds + args.rate * args.seconds / SLOWEST
    sys.exit(main(lambda: mixed(args), limit_s=limit_s, as_json=args.json))
