"""Any text -> the same text in the GSM alphabet, as far as it goes.

Rule 1: what the GSM alphabet has (3GPP TS 23.038) stays; so does what nothing in it is like.
Rule 2: Ukrainian is written by resolution No. 55 of the Cabinet of Ministers of 27 January 2010, the further
letters of Russian in its spirit.
"""

import re
import unicodedata


def to_gsm(text: str) -> str:
    """Transliterate; a character becomes four at most."""
    text = _MARKS.sub("", unicodedata.normalize("NFC", text)).translate(_SIGNS)
    return _OTHER.sub(_plain, _WORD.sub(_word, _APOSTROPHE.sub("", text)))


# ---- Cyrillic

_LETTERS = dict(zip("абвгґдезиіїйклмнопрстуфыэ", "abvhgdezyiiiklmnoprstufye", strict=True)) | {
    "є": "ie",
    "ж": "zh",
    "х": "kh",
    "ц": "ts",
    "ч": "ch",
    "ш": "sh",
    "щ": "shch",
    "ю": "iu",
    "я": "ia",
    "ё": "yo",
    "ь": "",
    "ъ": "",
}
_INITIALS = {"є": "ye", "ї": "yi", "й": "y", "ю": "yu", "я": "ya"}  # at the beginning of a word
_WORD = re.compile(r"[^\W\d_]+")
_APOSTROPHE = re.compile(r"(?<=[а-яёєіїґ])'(?=[а-яёєіїґ])", re.IGNORECASE)


def _word(match: re.Match[str]) -> str:
    word = match[0]
    return "".join(_letter(word, at) for at in range(len(word)))


def _letter(word: str, at: int) -> str:
    """A capital becomes capitals where the next letter is one, or, at the end of a word, the one before."""
    letter = word[at]
    latin = _latin(letter.lower(), word[at - 1 : at].lower())
    if latin is None:
        return letter
    if not letter.isupper():
        return latin
    beside = word[at + 1 : at + 2] or word[at - 1 : at]
    return latin.upper() if beside.isupper() else latin.capitalize()


def _latin(letter: str, before: str) -> str | None:
    """`before` is the letter before it, empty at the beginning of a word."""
    if before + letter == "зг":
        return "gh"  # because "zh" is another letter
    return _LETTERS.get(letter) if before else _INITIALS.get(letter, _LETTERS.get(letter))


# ---- signs, and letters with marks

_LIKE = {
    '"': "«»„“”‟″❝❞〝〞",
    "'": "`´‘’‚‛ʼʻʹ′‹›",
    "-": "‐‑‒–—―−⁃•‣▪●◦·∙",
    " ": "\t\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000",
    "\n": "\u2028\u2029",
    "": "\xad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff",  # no width: hyphens that may be, joiners, marks
    "...": "…",
    "x": "×",
    "/": "⁄∕",
    "N": "№",
    "(TM)": "™",
    "(R)": "®",
    "(C)": "©",
    "UAH": "₴",
    "l": "ł",
    "L": "Ł",
    "d": "đ",
    "D": "Đ",
    "i": "ı",
    "oe": "œ",
    "OE": "Œ",
}
_SIGNS = str.maketrans({sign: plain for plain, signs in _LIKE.items() for sign in signs})
_MARKS = re.compile("[\u0300-\u0333\u0339-\u036f]")  # a stress, say; but no stroke, which makes = of it ≠
_OTHER = re.compile("[^\x00-\x7fàäåæèéìñòöøùüßÄÅÆÇÉÑÖØÜΔΦΓΛΩΠΨΣΘΞ]")  # than letters that the GSM alphabet has


def _plain(match: re.Match[str]) -> str:
    """A letter without its marks, where that is one of the alphabet or of Cyrillic; else the character."""
    character = match[0]
    if not character.isalpha():
        return character
    base = _MARKS.sub("", unicodedata.normalize("NFKD", character))
    plain = _WORD.sub(_word, base)
    return character if _OTHER.search(plain) else plain
