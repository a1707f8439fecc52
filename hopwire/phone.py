"""A number as typed -> E.164 digits, country, type.

Rule 1: `+` and a leading `00` say that the number is international; a leading zero, that it is national.
Rule 2: where neither says so and both readings are possible, the one that can better take a message wins:
mobile before fixed before a number in no known range. On a tie it is the international one, but for
the bare subscriber numbers of Ukraine, nine digits, that the protocol names.
"""

import re
from functools import lru_cache
from typing import NamedTuple

import phonenumbers
from phonenumbers import PhoneMetadata, PhoneNumber, PhoneNumberFormat, PhoneNumberType, ValidationResult

from hopwire.model import Fact

_DROPPED = re.compile(r"[\s()\[\]\-\u2010-\u2015+]")
_DIGITS = re.compile(r"[0-9]{7,15}")  # the shortest subscriber numbers, and E.164's longest
_LENGTHS = frozenset(range(7, 16))

_TYPES = {
    PhoneNumberType.MOBILE: "mobile",
    PhoneNumberType.FIXED_LINE_OR_MOBILE: "fixed_or_mobile",
    PhoneNumberType.FIXED_LINE: "fixed",
    PhoneNumberType.UNKNOWN: "unknown",
}
_PREFERENCE = {"mobile": 2, "fixed_or_mobile": 2, "fixed": 1, "other": 1, "unknown": 0}
_COSTLY = (
    PhoneNumberType.PREMIUM_RATE,
    PhoneNumberType.SHARED_COST,
    PhoneNumberType.PAGER,
    PhoneNumberType.UAN,
)
# Numbers of no country: shared cost; satellites and networks of ships and planes; premium rate (ITU-T E.164)
_COSTLY_CODES = ("808", "870", "881", "882", "883", "979")
CODES = {  # the first digits of a number -> whose they are, the best known first
    str(code): found for code, found in phonenumbers.COUNTRY_CODE_TO_REGION_CODE.items()
}
_BARE = {"UA": 9}  # digits of a number that is commonly typed without any prefix


class Number(Fact, frozen=True):
    """A possible number; whether it is assigned nobody says."""

    digits: str  # E.164 without the plus
    country: str  # ISO 3166 alpha-2; 001 for networks of no country


def parse(typed: str, home_country: str) -> Number | None:
    """Read one number; None when it is not a possible one.

    `home_country` (ISO 3166 alpha-2) is for numbers typed without a country.
    """
    if typed.isascii() and typed.isdigit():  # as most are written, and each is another one
        number = _plain(typed)
        if number is not None and number.country == home_country:
            return number
    return _parse(typed, home_country) if len(typed) <= 64 else None


def kind(number: Number) -> str:
    """ "mobile", "fixed_or_mobile", "fixed" or "other"; "unknown" when it is in no range that is in use."""
    return _TYPES.get(phonenumbers.number_type(phonenumbers.parse("+" + number.digits)), "other")


@lru_cache(maxsize=4096)
def written(digits: str) -> str:
    """A number as people write it: +380 50 123 4567; what is no number stays as it is."""
    try:
        number = phonenumbers.parse("+" + digits)
    except phonenumbers.NumberParseException:
        return digits
    whole = phonenumbers.format_number(number, PhoneNumberFormat.E164) == "+" + digits
    return phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL) if whole else digits


@lru_cache(maxsize=512)
def example(country: str) -> Number | None:
    """A mobile number as the country has them; None for what is no country."""
    found = phonenumbers.example_number_for_type(country, PhoneNumberType.MOBILE)
    return _described(found) if found else None


def costly(digits: str, country: str) -> bool:
    """Whether who is called earns by it, or what is called is a pager or a satellite's phone.

    `country` as in Number. A number in no known range is none of these.
    """
    if digits.startswith(_COSTLY_CODES):
        return True
    patterns = _costly_patterns(country)
    if patterns is None or not patterns[1].fullmatch(digits, patterns[0]):
        return False
    return phonenumbers.number_type(phonenumbers.parse("+" + digits)) in _COSTLY


def calling_code(country: str) -> str:
    """The first digits of a country's numbers; empty where there is no such country (ISO 3166 alpha-2)."""
    return str(phonenumbers.country_code_for_region(country) or "")


def countries(prefix: str) -> tuple[str, ...]:
    """Whose numbers begin so, the best known first (001: of no country); none where too few digits say it."""
    code = next((prefix[:n] for n in (1, 2, 3) if prefix[:n] in CODES), "")
    return CODES.get(code, ())


@lru_cache(maxsize=512)
def _costly_patterns(country: str) -> tuple[int, re.Pattern[str]] | None:
    """Where a country's national numbers begin, and what those look like that may be costly."""
    metadata = PhoneMetadata.metadata_for_region(country, None)
    if metadata is None:
        return None
    kinds = (metadata.premium_rate, metadata.shared_cost, metadata.pager, metadata.uan)
    patterns = [one.national_number_pattern for one in kinds if one and one.national_number_pattern]
    return (len(str(metadata.country_code)), re.compile("|".join(patterns))) if patterns else None


@lru_cache(maxsize=32_768)
def _parse(typed: str, home_country: str) -> Number | None:
    digits = _DROPPED.sub("", typed)
    if digits.startswith("00"):
        return _international(digits[2:])
    if typed.lstrip(" (").startswith("+"):
        return _international(digits)
    abroad = _international(digits)
    if abroad and abroad.country == home_country:
        return abroad
    home = _national(digits, home_country)
    readings = (home, abroad) if len(digits) == _BARE.get(home_country) else (abroad, home)
    return max(filter(None, readings), key=_preference, default=None)  # the first of equals


def _preference(number: Number) -> int:
    return _PREFERENCE[kind(number)]


def _international(digits: str) -> Number | None:
    if not _DIGITS.fullmatch(digits):
        return None
    return _plain(digits) or _read("+" + digits, None)


def _national(digits: str, country: str) -> Number | None:
    if country == "UA" and len(digits) == 11 and digits.startswith("80"):
        digits = digits[1:]  # 8 was the way out of town, and is still written
    return _read(digits, country) if _DIGITS.fullmatch(digits) else None


class _Plan(NamedTuple):
    """What the library knows of the numbers behind a calling code."""

    begins: int  # where the national number does
    trunk: str  # the digits that it may be dialled with in front; "": none
    lengths: frozenset[int]  # of a possible number, all its digits
    country: str  # "": several countries share the code


def _plain(digits: str) -> Number | None:
    """A number that needs no reading: calling code, national number without trunk prefix; None: any other.

    Digits only. It costs a tenth of what the library's reader does.
    """
    plan = _plan(digits[:3])
    if plan is None or len(digits) not in plan.lengths:
        return None
    rest = digits[plan.begins :]
    if rest[0] == "0" or (plan.trunk and rest.startswith(plan.trunk)):
        return None
    country = plan.country or _country_of(
        PhoneNumber(country_code=int(digits[: plan.begins]), national_number=int(rest))
    )
    return Number(digits, country)


@lru_cache(maxsize=1000)  # by three digits
def _plan(begin: str) -> _Plan | None:
    """None where no code begins so, or where a trunk prefix is more than some digits."""
    codes = (int(begin[:length]) for length in (1, 2, 3))
    code = next((one for one in codes if one in phonenumbers.COUNTRY_CODE_TO_REGION_CODE), None)
    if code is None or begin.startswith("0"):
        return None
    countries = phonenumbers.COUNTRY_CODE_TO_REGION_CODE[code]
    metadata = PhoneMetadata.metadata_for_region_or_calling_code(code, countries[0])
    trunk = (metadata and metadata.national_prefix_for_parsing) or ""
    if metadata is None or metadata.general_desc is None or (trunk and not trunk.isdigit()):
        return None
    begins = len(str(code))
    lengths = {begins + length for length in metadata.general_desc.possible_length}
    return _Plan(begins, trunk, frozenset(lengths & _LENGTHS), countries[0] if len(countries) == 1 else "")


def _country_of(number: PhoneNumber) -> str:
    """Of a number that is in no range of a country, the one that its calling code is known for."""
    country = phonenumbers.region_code_for_number(number)
    return country or phonenumbers.region_code_for_country_code(number.country_code or 0)


def _read(text: str, country: str | None) -> Number | None:
    try:
        return _described(phonenumbers.parse(text, country))
    except phonenumbers.NumberParseException:
        return None


def _described(number: PhoneNumber) -> Number | None:
    if phonenumbers.is_possible_number_with_reason(number) != ValidationResult.IS_POSSIBLE:
        return None  # also what can only be dialled from the same town
    digits = phonenumbers.format_number(number, PhoneNumberFormat.E164).removeprefix("+")
    return Number(digits, _country_of(number)) if len(digits) in _LENGTHS else None
