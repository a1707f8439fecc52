"""What a page says, as its reader reads it: sentences in his language, numbers, money and moments.

The sentences are in English in the code. `locales/uk/*.po` has them in Ukrainian, a file for
each group of pages.
"""

from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from importlib import resources
from io import BytesIO
from zoneinfo import ZoneInfo

from babel import Locale, dates, numbers
from babel.messages import mofile, pofile
from babel.support import NullTranslations, Translations

from hopwire.errors import ApiError
from hopwire.model import STATUS_MEANING, Status

LANGUAGES = {"uk": "Українська", "en": "English"}
MILLION = 1_000_000


def marked(sentence: str) -> str:
    """The same sentence: whoever translates finds it where it stands in this."""
    return sentence


@lru_cache
def translations(language: str) -> NullTranslations:
    """All sentences in a language."""
    found = Translations()
    folder = resources.files(__package__) / "locales" / language
    for file in sorted(folder.iterdir(), key=lambda one: one.name) if folder.is_dir() else ():
        with file.open("rb") as opened:
            catalog = pofile.read_po(opened, locale=language)
        compiled = BytesIO()
        mofile.write_mo(compiled, catalog)
        compiled.seek(0)
        some = Translations(compiled)
        found.merge(some)
        found.plural = some.plural  # merging forgets it
    return found


def language_of(accepted: str) -> str:
    """The first language of an Accept-Language header that we speak; English where there is none."""
    asked = [one.partition(";")[0].strip().lower().partition("-")[0] for one in accepted.split(",")]
    return next((one for one in asked if one in LANGUAGES), "en")


class Words:
    """A reader's language and clock."""

    def __init__(self, language: str, time_zone: str) -> None:
        self.language = language
        self.time_zone = time_zone
        self._locale = Locale.parse(language)
        self._zone = ZoneInfo(time_zone)
        self._sentences = translations(language)

    def __call__(self, sentence: str, **values: object) -> str:
        """A sentence; its gaps are `%(name)s`."""
        said: str = self._sentences.gettext(sentence)
        return said % values if values else said

    def several(self, one: str, many: str, n: int, **values: object) -> str:
        """A sentence about `%(n)s` things."""
        said: str = self._sentences.ngettext(one, many, n)
        return said % {"n": self.number(n), **values}

    def error(self, error: ApiError | type[ApiError]) -> str:
        return self(error.text)

    def status(self, status: Status) -> str:
        return self(status.text)

    def meaning(self, status: Status) -> str:
        return self(STATUS_MEANING[status])

    def country(self, code: str) -> str:
        """A country (ISO 3166 alpha-2) by its name."""
        return str(self._locale.territories.get(code, code))

    # ---- numbers

    def number(self, n: float) -> str:
        return numbers.format_decimal(n, locale=self._locale)

    def percent(self, share: float) -> str:
        """0.123 -> 12.3 %"""
        return numbers.format_percent(share, "#,##0.# %", locale=self._locale)

    def money(self, millionths: int, currency: str = "") -> str:
        """At least two digits behind the point, and as many as there are."""
        text = numbers.format_decimal(millionths / MILLION, "#,##0.00####", locale=self._locale)
        return f"{text} {currency}" if currency else text

    # ---- moments, in milliseconds since 1970

    def local(self, at: int) -> datetime:
        return datetime.fromtimestamp(at / 1000, UTC).astimezone(self._zone)

    def moment(self, at: int | None, *, seconds: bool = False) -> str:
        """A date and a time; nothing for None."""
        if at is None:
            return ""
        pattern = "d MMM y, HH:mm:ss" if seconds else "d MMM y, HH:mm"
        return dates.format_datetime(self.local(at), pattern, locale=self._locale)

    def day(self, at: int) -> str:
        return dates.format_date(self.local(at), "d MMM y", locale=self._locale)

    def month(self, at: int) -> str:
        """The month and its year: November 2026."""
        return dates.format_date(self.local(at), "LLLL y", locale=self._locale)

    def date(self, at: int) -> str:
        """A day as <input type="date"> has it: 2026-11-28."""
        return self.local(at).date().isoformat()

    def day_after(self, typed: str) -> int | None:
        """When a day ends that was typed so; None where it is no day."""
        try:
            day = datetime.fromisoformat(typed).date() + timedelta(days=1)
        except (ValueError, OverflowError):
            return None
        return int(datetime.combine(day, time(), self._zone).timestamp() * 1000)

    def plain(self, at: int) -> str:
        """A moment as tables of numbers have it, by his clock: 2026-11-28 17:05:30."""
        return self.local(at).strftime("%Y-%m-%d %H:%M:%S")

    def moment_of(self, typed: str) -> int | None:
        """A moment as <input type="datetime-local"> has it: 2026-11-28T17:05; None where it is none."""
        try:
            at = datetime.fromisoformat(typed).replace(tzinfo=self._zone).timestamp()
        except (ValueError, OverflowError):
            return None
        return int(at * 1000)

    def iso(self, at: int) -> str:
        """For machines, and for the attribute of <time>."""
        return self.local(at).isoformat(timespec="seconds")

    def ago(self, at: int, now: int) -> str:
        """How long ago, or in how long."""
        delta = timedelta(milliseconds=at - now)
        return dates.format_timedelta(delta, add_direction=True, locale=self._locale)

    def lasting(self, seconds: float) -> str:
        """How long."""
        return dates.format_timedelta(timedelta(seconds=seconds), threshold=1.5, locale=self._locale)
