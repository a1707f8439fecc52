"""Prices out of a file: what it would change is shown first, and then that is done and nothing else.

Rule: the file's text comes back with the form that applies it, and with it the digest of the changes that
were shown. What would be done now must have the same digest.
"""

from typing import NamedTuple

from starlette.datastructures import UploadFile
from starlette.responses import Response

from hopwire import tariffs
from hopwire.prices import Change, changes
from hopwire.tables import Mistake
from hopwire.web.pages.forms import Form
from hopwire.web.pages.prices import book, country_of, logins
from hopwire.web.pages.site import Page
from hopwire.web.pages.visit import Visit, Who

MOST_BYTES = 4_194_304  # of a file
MOST_SHOWN = 1000  # rows of the preview, and mistakes


class Preview(NamedTuple):
    """What a file would do."""

    changes: list[Change]
    mistakes: list[Mistake]

    def counts(self) -> tuple[int, int, int]:
        """How many rows are new, get another price, and go."""
        new = sum(one.before is None for one in self.changes)
        gone = sum(one.after is None for one in self.changes)
        return new, len(self.changes) - new - gone, gone


async def import_form(visit: Visit) -> Response:
    return visit.render("prices_import.html", form=Form())


async def check(visit: Visit) -> Response:
    """Show what the file would do; nothing is done."""
    form = await _form(visit)
    if form.errors:
        return visit.render("prices_import.html", status=422, form=form)
    return await _show(visit, form, await _preview(visit, form))


async def apply(visit: Visit) -> Response:
    """Do what was shown, or show again what has become another meanwhile."""
    form = await _form(visit)
    found = await _preview(visit, form)
    same = not found.mistakes and form.value("digest") == tariffs.digest(found.changes)
    if not same or not await book(visit).apply(found.changes):
        told = visit.words("The prices have changed meanwhile. This is what would be done now.")
        return await _show(visit, form, await _preview(visit, form), told)
    n = len(found.changes)
    told = visit.words.several("%(n)s price has changed.", "%(n)s prices have changed.", n)
    return visit.to("/operator/prices", told)


async def _show(visit: Visit, form: Form, found: Preview, told: str = "") -> Response:
    names = await logins(visit)
    rows = [
        (one, tariffs.named(one.row.list, names), country_of(one.row.prefix, visit.words))
        for one in found.changes[:MOST_SHOWN]
    ]
    return visit.render(
        "prices_preview.html",
        status=422 if found.mistakes or told else 200,
        form=form,
        found=found,
        rows=rows,
        mistakes=found.mistakes[:MOST_SHOWN],
        digest=tariffs.digest(found.changes),
        told=told,
    )


async def _preview(visit: Visit, form: Form) -> Preview:
    ids = {login: number for number, login in (await logins(visit)).items()}
    new, mistakes = tariffs.read(form.value("text"), ids, visit.words.time_zone)
    replaced = {one.list for one in new} if form.has("replace") else set()
    return Preview(changes(await book(visit).all(), new, replace=replaced), mistakes)


async def _form(visit: Visit) -> Form:
    """The form, with the text of the file in it."""
    fields = await visit.fields(MOST_BYTES)
    values = {name: value for name, value in fields.multi_items() if isinstance(value, str)}
    form = Form(values, visit.words)
    file = fields.get("file")
    if isinstance(file, UploadFile) and file.filename:
        form.values["text"] = _decoded(await file.read(), form)
    if not form.value("text").strip():
        form.wrong("file", "Choose a file, or paste its rows.")
    return form


def _decoded(data: bytes, form: Form) -> str:
    """A spreadsheet's text: UTF-8, or UTF-16 where it says so."""
    try:
        return data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError:
        form.wrong("file", "This is no text in UTF-8. Save the table as CSV in UTF-8.")
        return ""


PAGES = [
    Page("/operator/prices/import", import_form, Who.OPERATOR, proof=True),
    Page("/operator/prices/import", check, Who.OPERATOR, posts=True, proof=True),
    Page("/operator/prices/apply", apply, Who.OPERATOR, posts=True, proof=True),
]
