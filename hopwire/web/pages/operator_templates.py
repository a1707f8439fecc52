"""The texts that Viber has approved: listed, registered, paused and forgotten."""

from starlette.datastructures import UploadFile
from starlette.responses import Response

from hopwire.store.templates import TemplateBook
from hopwire.tables import Mistake
from hopwire.templates import COLUMNS, KINDS, STATES, Registered, check, read
from hopwire.web.pages.forms import Form
from hopwire.web.pages.marks import csv_lines
from hopwire.web.pages.operator_approvals import PATH as ABOVE
from hopwire.web.pages.site import Page
from hopwire.web.pages.visit import NotThere, Visit, Who
from hopwire.web.pages.words import marked as _

PATH = f"{ABOVE}/templates"
MOST_BYTES = 4_194_304  # of a file
NAMES = {active: name for name, active in STATES.items()}
FIELDS = ("id", "sender", "language", "kind", "text")
SAID = {
    "pause": _("The template is paused: no text goes as it."),
    "resume": _("Texts go as the template again."),
    "remove": _("The template is forgotten."),
}


async def templates(visit: Visit) -> Response:
    return await _page(visit, Form({"language": "uk", "kind": KINDS[0]}))


async def _page(visit: Visit, form: Form, status: int = 200) -> Response:
    """All of them, or those with something in their id, sender or text."""
    typed = visit.query.get("q", "").strip().casefold()
    found = [one for one in await TemplateBook(visit.parts.engine).all() if _has(one, typed)]
    return visit.render(
        "operator_templates.html", status=status, form=form, search=Form(visit.query), found=found
    )


def _has(one: Registered, typed: str) -> bool:
    return any(typed in part.casefold() for part in (one.id, one.sender, one.text))


async def add(visit: Visit) -> Response:
    """Register a template, in place of the one with its id, sender and language."""
    form = Form(await visit.form(), visit.words)
    id, sender, language, kind, text = (form.value(name).strip() for name in FIELDS)
    text = text.replace("\r\n", "\n")
    template = Registered(id=id, sender=sender, language=language, kind=kind, text=text)
    try:
        check(template)
    except ValueError as error:
        said = str(error)
        form.wrong(next((name for name in FIELDS if said.startswith(f"the {name} ")), "text"), said)
        return await _page(visit, form, 422)
    await TemplateBook(visit.parts.engine, visit.actor).put([template])
    return visit.to(PATH, visit.words("The template is registered."))


async def read_file(visit: Visit) -> Response:
    """Register all templates of a CSV, or none when a row is wrong; others stay as they are."""
    fields, form = await visit.fields(MOST_BYTES), Form(words=visit.words)
    file = fields.get("file")
    data = await file.read() if isinstance(file, UploadFile) else b""
    try:
        new = read(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        form.wrong("file", _("This is no text in UTF-8. Save the table as CSV in UTF-8."))
    except Mistake as mistake:
        why = visit.words(mistake.sentence, **mistake.values)
        form.wrong("file", _("Line %(line)s: %(why)s"), line=mistake.line, why=why)
    if form.errors:
        return await _page(visit, form, 422)
    book = TemplateBook(visit.parts.engine, visit.actor)
    old = await book.all()
    changed = [one for one in new if one not in old]
    if changed:
        await book.put(changed)
    told = visit.words.several("%(n)s template has changed.", "%(n)s templates have changed.", len(changed))
    return visit.to(PATH, told)


async def export(visit: Visit) -> Response:
    """All templates, as `read_file` takes them."""
    found = await TemplateBook(visit.parts.engine).all()
    rows = [(one.id, one.sender, one.language, one.kind, NAMES[one.active], one.text) for one in found]
    return visit.file_of("templates.csv", iter([csv_lines([COLUMNS, *rows])]))


async def change(visit: Visit) -> Response:
    """Pause it, let it go again, or forget it."""
    form = await visit.form()
    book = TemplateBook(visit.parts.engine, visit.actor)
    verbs = {"pause": book.pause, "resume": book.resume, "remove": book.remove}
    which = form.get("id", ""), form.get("sender", ""), form.get("language", "")
    do = form.get("do", "")
    if do not in verbs or not all(which) or not await verbs[do](*which):
        raise NotThere
    return visit.to(PATH, visit.words(SAID[do]))


PAGES = [
    Page(PATH, templates, Who.OPERATOR),
    Page(PATH, add, Who.OPERATOR, posts=True),
    Page(PATH + "/file", export, Who.OPERATOR),
    Page(PATH + "/file", read_file, Who.OPERATOR, posts=True),
    Page(PATH + "/change", change, Who.OPERATOR, posts=True),
]
