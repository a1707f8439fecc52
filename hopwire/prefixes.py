"""Tables that are asked for the longest prefix of a number."""

from collections.abc import Iterable, Mapping
from typing import Generic, TypeVar

T = TypeVar("T")

CALLING_CODE = 3  # digits of the longest country calling code (E.164)


class Prefixes(Generic[T]):
    """Values by prefixes of E.164 digits, and by countries (ISO 3166 alpha-2).

    A country stands between the prefixes of four digits and more, and those of three and less: countries that
    share a calling code are told apart by it.
    """

    __slots__ = ("_countries", "_long", "_short", "_values")

    def __init__(self, values: Mapping[str, T] = {}) -> None:
        self._values = dict(values)
        digits = {len(prefix) for prefix in values if not prefix.isalpha()}
        self._long = sorted((n for n in digits if n > CALLING_CODE), reverse=True)
        self._short = sorted((n for n in digits if n <= CALLING_CODE), reverse=True)
        self._countries = any(prefix.isalpha() for prefix in values)

    def longest(self, digits: str, country: str = "") -> T | None:
        """The value of the longest prefix of these digits, or of the country of the number."""
        values = self._values
        for length in self._long:
            if (value := values.get(digits[:length])) is not None:
                return value
        if self._countries and (value := values.get(country)) is not None:
            return value
        for length in self._short:
            if (value := values.get(digits[:length])) is not None:
                return value
        return None

    def items(self) -> Iterable[tuple[str, T]]:
        return self._values.items()
