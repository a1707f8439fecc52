"""Which new passwords are refused: each row is one that would be guessed soon, or one that would not."""

import pytest

from hopwire.credentials.strength import Weakness, weakness

KNOWN = ("anna@flowers.example", "Квіти Анни")


@pytest.mark.parametrize(
    ("password", "wrong"),
    [
        ("", Weakness.SHORT),
        ("k7#mQ2!zR", Weakness.SHORT),
        ("я" * 129 + "абв", Weakness.LONG),
        ("aaaaaaaaaaaa", Weakness.REPEATED),
        ("abababababab", Weakness.REPEATED),
        ("k7mQk7mQk7mQ", Weakness.REPEATED),
        ("1111111111", Weakness.REPEATED),
        ("1234567890", Weakness.ROW),
        ("0987654321", Weakness.ROW),
        ("qwertyuiop", Weakness.ROW),
        ("Qwerty12345", Weakness.ROW),
        ("йцукенгшщз", Weakness.ROW),
        ("1qaz2wsx3edc", Weakness.ROW),
        ("zaq1qwertyui", Weakness.ROW),
        ("asdfghjkl123", Weakness.ROW),
        ("abcdefghij", Weakness.ROW),
        ("anna@flowers.example", Weakness.OWN),
        ("Flowers2026", Weakness.OWN),
        ("annaflowers", Weakness.OWN),
        ("квітиАнни1", Weakness.OWN),
        ("password123", Weakness.COMMON),
        ("P@ssw0rd!2026", Weakness.COMMON),
        ("iloveyou2024", Weakness.COMMON),
        ("letmein!!!!1", Weakness.COMMON),
        ("Пароль2026!", Weakness.COMMON),
        ("adminadmin1", Weakness.COMMON),
        ("welcomehome", None),
        ("dragonmaster", Weakness.COMMON),
        ("19850412_07", Weakness.COMMON),
        ("correct horse battery", None),
        ("k7#mQ2!zRt", None),
        ("зелений чай уранці", None),
        ("anna likes green tea", None),
        ("Xk2qwertyLp9v", None),
    ],
)
def test_what_would_be_guessed_is_refused(password: str, wrong: Weakness | None) -> None:
    assert weakness(password, *KNOWN) is wrong
