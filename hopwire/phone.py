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

_DROPPED = re.compile(r"[\s()\[\]\-\u2010-\u2015+]")
_DIGITS = re.compile(r"[0-9]{7,15}")  # the shortest subscriber numbers, and E.164's longest

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
_BARE = {"UA": 9}  # digits of a number that is commonly typed without any prefix


class Number(NamedTuple):
    """A possible number; whether it is assigned nobody says."""

    digits: str  # E.164 without the plus
    country: str  # ISO 3166 alpha-2; 001 for networks of no country


def parse(typed: str, home_country: str) -> Number | None:
    """Read one number; None when it is not a possible one.

    `home_country` (ISO 3166 alpha-2) is for numbers typed without a country.
    """
    return _parse(typed, home_country) if len(typed) <= 64 else None


def kind(number: Number) -> str:
    """ "mobile", "fixed_or_mobile", "fixed" or "other"; "unknown" when it is in no range that is in use."""
    return _TYPES.get(phonenumbers.number_type(phonenumbers.parse("+" + number.digits)), "other")


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
    plain = _plain(digits)
    return _described(plain) if plain else _read("+" + digits, None)


def _national(digits: str, country: str) -> Number | None:
    if country == "UA" and len(digits) == 11 and digits.startswith("80"):
        digits = digits[1:]  # 8 was the way out of town, and is still written
    return _read(digits, country) if _DIGITS.fullmatch(digits) else None


def _plain(digits: str) -> PhoneNumber | None:
    """What needs no reading: country code and number without trunk prefix. It costs a tenth of `parse`."""
    for length in (1, 2, 3):
        code, rest = digits[:length], digits[length:]
        if int(code) in phonenumbers.COUNTRY_CODE_TO_REGION_CODE:
            trunk = _trunk(int(code))
            plain = trunk is not None and rest[0] != "0" and not (trunk and rest.startswith(trunk))
            return PhoneNumber(country_code=int(code), national_number=int(rest)) if plain else None
    return None


@lru_cache
def _trunk(code: int) -> str | None:
    """The digits that a national number may be dialled with in front; None: they are no plain digits."""
    region = phonenumbers.region_code_for_country_code(code)
    metadata = PhoneMetadata.metadata_for_region_or_calling_code(code, region)
    trunk = metadata.national_prefix_for_parsing if metadata else None
    return "" if trunk is None else trunk if trunk.isdigit() else None


def _read(text: str, country: str | None) -> Number | None:
    try:
        return _described(phonenumbers.parse(text, country))
    except phonenumbers.NumberParseException:
        return None


def _described(number: PhoneNumber) -> Number | None:
    if phonenumbers.is_possible_number_with_reason(number) != ValidationResult.IS_POSSIBLE:
        return None  # also what can only be dialled from the same town
    digits = phonenumbers.format_number(number, PhoneNumberFormat.E164).removeprefix("+")
    country = phonenumbers.region_code_for_number(number)
    if country is None:
        country = phonenumbers.region_code_for_country_code(number.country_code or 0)
    return Number(digits, country)
