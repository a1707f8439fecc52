import phonenumbers
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from phonenumbers import PhoneNumberFormat, PhoneNumberType, ValidationResult

from hopwire import phone
from hopwire.phone import Number

COSTLY_KINDS = (
    PhoneNumberType.PREMIUM_RATE,
    PhoneNumberType.SHARED_COST,
    PhoneNumberType.PAGER,
    PhoneNumberType.UAN,
)


@pytest.mark.parametrize(
    "typed",
    [
        "380501234567",
        "+380501234567",
        " 380501234567",
        "+380 (50) 123-45-67",
        "[380] 50–123–45–67",
        "00380501234567",
        "+3800501234567",
        "0501234567",
        "050 123 45 67",
        "80501234567",
        "8 (050) 123-45-67",
        "501234567",
    ],
)
def test_every_way_to_type_a_number_of_the_home_country(typed: str) -> None:
    assert phone.parse(typed, "UA") == Number("380501234567", "UA")


@pytest.mark.parametrize("ending", range(13))
def test_the_numbers_of_the_simulators_are_possible(ending: int) -> None:
    digits = f"3805012345{ending:02}"
    assert phone.parse(digits, "UA") == Number(digits, "UA")


@pytest.mark.parametrize(
    ("typed", "home_country", "digits", "country", "kind"),
    [
        pytest.param("447700900000", "UA", "447700900000", "GB", "unknown", id="possible, not in use"),
        pytest.param("79161234567", "UA", "79161234567", "RU", "mobile", id="abroad"),
        pytest.param("4915112345678", "UA", "4915112345678", "DE", "mobile", id="abroad, 13 digits"),
        pytest.param("376312345", "UA", "376312345", "AD", "mobile", id="nine digits that are only abroad"),
        pytest.param("951201234", "UA", "380951201234", "UA", "mobile", id="mobile at home, fixed abroad"),
        pytest.param("687751234", "UA", "380687751234", "UA", "mobile", id="nine digits, mobile in both"),
        pytest.param("+687751234", "UA", "687751234", "NC", "mobile", id="a plus is international"),
        pytest.param("00687751234", "UA", "687751234", "NC", "mobile", id="00 is international"),
        pytest.param("441234567", "UA", "380441234567", "UA", "fixed", id="fixed at home, impossible abroad"),
        pytest.param("2025550123", "US", "12025550123", "US", "fixed_or_mobile", id="ten digits at home"),
        pytest.param("380501234567", "DE", "380501234567", "UA", "mobile", id="long national numbers"),
        pytest.param(
            "12025550123", "DE", "12025550123", "US", "fixed_or_mobile", id="a tie is international"
        ),
        pytest.param("89161234567", "RU", "79161234567", "RU", "mobile", id="another trunk prefix"),
        pytest.param("0151 12345678", "DE", "4915112345678", "DE", "mobile", id="another home"),
        pytest.param("380501234567", "", "380501234567", "UA", "mobile", id="no home"),
        pytest.param("80012345678", "UA", "80012345678", "001", "other", id="no country"),
    ],
)
def test_which_reading_wins(typed: str, home_country: str, digits: str, country: str, kind: str) -> None:
    number = phone.parse(typed, home_country)
    assert number == Number(digits, country)
    assert phone.kind(number) == kind


@pytest.mark.parametrize(
    ("digits", "country", "costly"),
    [
        pytest.param("380501234567", "UA", False, id="mobile"),
        pytest.param("380900212345", "UA", True, id="premium rate"),
        pytest.param("380800212345", "UA", False, id="toll-free"),
        pytest.param("19005550123", "US", True, id="premium rate in a plan of many countries"),
        pytest.param("12025550123", "US", False, id="fixed or mobile"),
        pytest.param("49180512345", "DE", True, id="shared cost"),
        pytest.param("447600123456", "GB", True, id="a pager"),
        pytest.param("447624123456", "IM", False, id="mobile where others have pagers"),
        pytest.param("39061234567", "IT", False, id="a national number that begins with a zero"),
        pytest.param("49700123456", "DE", False, id="a personal number"),
        pytest.param("4950112345", "DE", False, id="in no known range"),
        pytest.param("870773111632", "001", True, id="Inmarsat"),
        pytest.param("881612345678", "001", True, id="Iridium"),
        pytest.param("88213123456", "001", True, id="a network of no country"),
        pytest.param("883510012345", "001", True, id="another one"),
        pytest.param("979123456789", "001", True, id="international premium rate"),
        pytest.param("80812345678", "001", True, id="international shared cost"),
        pytest.param("80012345678", "001", False, id="international toll-free"),
        pytest.param("380501234567", "", False, id="of a country that is not told"),
    ],
)
def test_who_is_called_may_earn_by_it(digits: str, country: str, costly: bool) -> None:
    assert phone.costly(digits, country) is costly


@pytest.mark.parametrize("kind", COSTLY_KINDS)
def test_what_is_costly_is_what_the_library_says(kind: int) -> None:
    """An example of the kind in each country that has one."""
    for region in phonenumbers.SUPPORTED_REGIONS:
        example = phonenumbers.example_number_for_type(region, kind)
        if example is not None:
            digits = phonenumbers.format_number(example, PhoneNumberFormat.E164)[1:]
            number = phonenumbers.parse("+" + digits)
            country = phonenumbers.region_code_for_number(number) or region
            assert phone.costly(digits, country) is (phonenumbers.number_type(number) in COSTLY_KINDS), digits


@pytest.mark.parametrize(
    "typed",
    [
        pytest.param("", id="nothing"),
        pytest.param("+", id="a plus"),
        pytest.param("0000", id="zeros"),
        pytest.param("102", id="a short number"),
        pytest.param("123456", id="six digits"),
        pytest.param("12345678", id="a number of one town"),
        pytest.param("38050123456", id="a digit is missing"),
        pytest.param("1234567890123456", id="16 digits"),
        pytest.param("0380501234567", id="a zero before the country"),
        pytest.param("079161234567", id="a zero before another country"),
        pytest.param("+0501234567", id="national with a plus"),
        pytest.param("380501234567,380501234568", id="two numbers"),
        pytest.param("380501234567;", id="a semicolon"),
        pytest.param("38050123456a", id="a letter"),
        pytest.param("1-800-FLOWERS", id="a vanity number"),
        pytest.param("٣٨٠٥٠١٢٣٤٥٦٧", id="other digits"),
        pytest.param("380501234567\0", id="a control character"),
        pytest.param(" " * 100 + "380501234567", id="too long to be read"),
    ],
)
def test_what_is_not_a_number(typed: str) -> None:
    assert phone.parse(typed, "UA") is None


@pytest.mark.parametrize("region", sorted(phonenumbers.SUPPORTED_REGIONS - {"TA"}))  # has no mobile numbers
def test_an_international_mobile_number_of_any_country_is_read_as_it_is(region: str) -> None:
    example = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE)
    assert example is not None
    typed = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
    number = phone.parse(typed, "UA")
    assert number is not None
    assert number.digits == typed.removeprefix("+")
    if len(number.digits) != 9:  # the length of a Ukrainian number without a prefix
        assert phone.parse(number.digits, "UA") == number


@example("10000000000000", "DE")  # a possible national number, and too long for an international one
@given(st.text(st.sampled_from("+ -()0123456789a,"), max_size=20), st.sampled_from(["UA", "US", "DE", "XX"]))
def test_what_is_read_is_possible(typed: str, home_country: str) -> None:
    number = phone.parse(typed, home_country)
    if number is not None:
        assert phonenumbers.is_possible_number(phonenumbers.parse("+" + number.digits))
        assert 7 <= len(number.digits) <= 15
        assert phone.parse("+" + number.digits, home_country) == number


@given(st.from_regex(r"[1-9][0-9]{6,14}", fullmatch=True))
def test_digits_with_a_plus_are_read_as_the_library_reads_them(digits: str) -> None:
    assert phone.parse("+" + digits, "UA") == library(digits)


def test_numbers_of_every_calling_code_are_read_as_the_library_reads_them() -> None:
    """Each length, behind each first digit, as it would be dialled in a town and abroad."""
    for code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE:
        for first in ("0", "1", "23", "4", "55", "6", "7", "89"):
            for length in range(4, 15):
                digits = f"{code}{first}{'4567890123456'[: length - len(first)]}"
                assert phone.parse(f"+{digits}", "UA") == library(digits), digits


def library(digits: str) -> Number | None:
    """The library's reading of an international number that we would take."""
    try:
        full = phonenumbers.parse("+" + digits)
    except phonenumbers.NumberParseException:
        return None
    possible = phonenumbers.is_possible_number_with_reason(full) == ValidationResult.IS_POSSIBLE
    read = phonenumbers.format_number(full, PhoneNumberFormat.E164)[1:]
    if not possible or not all(7 <= len(one) <= 15 for one in (digits, read)):
        return None
    country = phonenumbers.region_code_for_number(full)
    main = phonenumbers.region_code_for_country_code(full.country_code or 0)
    return Number(read, country or main)
