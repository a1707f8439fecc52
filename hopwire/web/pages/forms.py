"""A form as it was filled in, and what is not right in it."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from hopwire.tables import Mistake
from hopwire.web.pages.words import Words

T = TypeVar("T")


class Form:
    """Values by name, and the errors found while they were read, in the reader's language."""

    def __init__(self, values: Mapping[str, str] | None = None, words: Words | None = None) -> None:
        self.values = dict(values or {})
        self.errors: dict[str, str] = {}
        self._words = words or Words("en", "UTC")

    def value(self, name: str) -> str:
        return self.values.get(name, "")

    def has(self, name: str, value: str = "on") -> bool:
        """Whether a box is ticked; a name with several boxes has their values separated by commas."""
        return value in self.values.get(name, "").split(",")

    def error(self, name: str) -> str:
        return self.errors.get(name, "")

    def wrong(self, name: str, sentence: str, **values: object) -> None:
        """Say what is not right with a field; "" is the form as a whole. The first thing counts."""
        said = self._words(sentence, **values)
        self.errors.setdefault(name, said[:1].upper() + said[1:])

    def text(self, name: str, most: int, *, required: bool = False) -> str:
        """A line or more of text without the blanks around it."""
        typed = self.value(name).strip()
        if required and not typed:
            self.wrong(name, "Please fill this in.")
        if len(typed) > most:
            self.wrong(name, "At most %(most)s characters, please.", most=most)
        return typed

    def read(self, name: str, reader: Callable[[str], T], otherwise: T) -> T:
        """What a reader makes of a field; what it complains of (ValueError) is told at the field."""
        try:
            return reader(self.value(name).strip())
        except Mistake as mistake:
            self.wrong(name, mistake.sentence, **mistake.values)
            return otherwise
        except ValueError as error:
            self.wrong(name, str(error))
            return otherwise
