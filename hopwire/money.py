"""Money as people write it, and as we keep it: an int in millionths of a currency."""

from decimal import Decimal, InvalidOperation

UNIT = 1_000_000
MOST = 10**9  # in whole units; sums of it stay far inside 64 bits


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
