"""A sentence that others may say in another language: with its gaps, and what fills them."""

from typing import Self


class Sentence(str):
    """The sentence as it is read in English; `said` has gaps as %(name)s."""

    said: str
    values: dict[str, object]

    def __new__(cls, said: str, **values: object) -> Self:
        made = super().__new__(cls, said % values if values else said)
        made.said, made.values = said, values
        return made
