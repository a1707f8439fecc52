"""What the pages say, as it stands in the code, for the test that every sentence is translated."""

from collections.abc import Iterator
from pathlib import Path

from babel.messages import pofile
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir

from hopwire.errors import CATALOGUE
from hopwire.lists import FAULTS
from hopwire.mailing import REASONS
from hopwire.model import STATUS_MEANING, STATUS_TEXT

PAGES = Path(__file__).parent.parent / "hopwire/web/pages"
# what takes a sentence, and where it stands among the arguments
KEYWORDS = {
    "_": None,
    "marked": None,
    "gettext": None,
    "ngettext": (1, 2),
    "words": None,
    "_words": None,
    "several": (1, 2),
    "wrong": (2,),
    "Problem": (2,),
}
METHODS = [("**.py", "python"), ("templates/**.html", "jinja2.ext:babel_extract")]
OPTIONS = {
    "templates/**.html": {"trim_blocks": "true", "lstrip_blocks": "true", "extensions": "jinja2.ext.do"}
}

Sentence = str | tuple[str, ...]


def said() -> dict[Sentence, str]:
    """Every sentence, and where it stands first; what the API answers is shown in pages, too."""
    found: dict[Sentence, str] = {error.text: "errors.py" for error in CATALOGUE.values()}
    found |= {text: "model.py" for texts in (STATUS_TEXT, STATUS_MEANING) for text in texts.values()}
    found |= {text: "mailing.py" for texts in (REASONS, FAULTS) for text in texts.values()}
    for file, line, sentence, *_ in extract_from_dir(PAGES, METHODS, OPTIONS, keywords=KEYWORDS):
        found.setdefault(sentence, f"{file}:{line}")
    return found


def catalogs(language: str) -> Iterator[tuple[Path, Catalog]]:
    for path in sorted((PAGES / "locales" / language).glob("*.po")):
        with path.open("rb") as file:
            yield path, pofile.read_po(file, locale=language, abort_invalid=True)


def translated(language: str) -> dict[Sentence, Message]:
    """Every sentence that is translated; of one with a plural the two forms."""
    found = (message for _, catalog in catalogs(language) for message in catalog if message.id)
    return {one.id if isinstance(one.id, str) else tuple(one.id): one for one in found}
