"""Money as people write it, and as we keep it: an int in millionths of a currency."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

UNIT = 1_000_000
MOST = 10**9  # in whole units; sums of it stay far inside 64 bits

# The ledger's books, in double entry: the one that an entry of a kind takes from, and the one that it adds
# to. Two are the account's: what it can spend, and what is set aside for its messages; both are its balance.
AVAILABLE, RESERVED = "available", "reserved"
BOOKS = {
    "topup": ("cash", AVAILABLE),
    "adjustment": ("corrections", AVAILABLE),
    "transfer": ("transfers", AVAILABLE),  # of one account with a minus, of the other with a plus
    "reserve": (AVAILABLE, RESERVED),
    "charge": (RESERVED, "revenue"),
    "release": (RESERVED, AVAILABLE),
    "refund": ("revenue", AVAILABLE),
    "commission": ("revenue", AVAILABLE),  # the reseller's part of what his sub-account pays
    "cost": ("expenses", "suppliers"),
}


def trial_balance(sums: Mapping[str, int]) -> dict[str, int]:
    """What is in each book, out of the sums of the entries by kind; all of it together is nothing."""
    books: dict[str, int] = {}
    for kind, amount in sums.items():
        giver, taker = BOOKS[kind]
        books[giver] = books.get(giver, 0) - amount
        books[taker] = books.get(taker, 0) + amount
    return books


def text(millionths: int) -> str:
    """The shortest decimal form, without an exponent: 31168300 is 31.1683."""
    whole, rest = divmod(abs(millionths), UNIT)
    digits = f"{whole}.{rest:06}".rstrip("0").rstrip(".")
    return f"-{digits}" if millionths < 0 else digits


def parse(typed: str) -> int:
    """A decimal number in millionths; raises ValueError beyond 6 decimals or a thousand million."""
    try:
        amount = Decimal(typed)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or abs(amount) > MOST or amount * UNIT != int(amount * UNIT):
        raise ValueError("an amount is a decimal number such as 12.5, of at most 6 decimals, up to 10^9")
    return int(amount * UNIT)
