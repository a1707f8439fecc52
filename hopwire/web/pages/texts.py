"""Saved texts: messages that a customer keeps to send them again."""

from starlette.responses import Response

from hopwire.store.mailings import NAME, TEXTS, Texts
from hopwire.web.pages import drafts
from hopwire.web.pages.forms import Form
from hopwire.web.pages.site import Page
from hopwire.web.pages.visit import NotThere, Visit


async def texts(visit: Visit) -> Response:
    return visit.render("texts.html", texts=await Texts(visit.parts.engine).all(visit.account.id))


async def edit(visit: Visit) -> Response:
    """A saved text in a form; without a name, an empty one."""
    name = visit.query.get("name", "")
    draft = drafts.EMPTY
    if name:
        found = await Texts(visit.parts.engine).named(visit.account.id, [name])
        if not found:
            raise NotThere
        draft = found[0].draft
    return await _page(visit, Form({**drafts.fields(draft), "name": name, "was": name}, visit.words))


async def save(visit: Visit) -> Response:
    """Keep it; under another name than before, it is only there."""
    form = Form(await visit.form(), visit.words)
    name, was = form.text("name", NAME, required=True), form.value("was")
    draft, kept = drafts.read(form), Texts(visit.parts.engine)
    if not form.errors and name != was and await kept.named(visit.account.id, [name]):
        form.wrong("name", "There is a text of this name already.")
    if not form.errors and not await kept.put(visit.account.id, {name: draft}, visit.now):
        form.wrong("", "At most %(most)s texts are kept. Delete one first.", most=TEXTS)
    if form.errors:
        return await _page(visit, form, 422)
    if was and was != name:
        await kept.remove(visit.account.id, [was])
    return visit.to("/texts", visit.words("The text is kept."))


async def remove(visit: Visit) -> Response:
    name = (await visit.form()).get("name", "")
    if not await Texts(visit.parts.engine).remove(visit.account.id, [name]):
        raise NotThere
    return visit.to("/texts", visit.words("The text is deleted."))


async def _page(visit: Visit, form: Form, status: int = 200) -> Response:
    return visit.render("text.html", status=status, form=form, **await drafts.choices(visit))


PAGES = [
    Page("/texts", texts),
    Page("/texts/edit", edit),
    Page("/texts/edit", save, posts=True),
    Page("/texts/delete", remove, posts=True),
]
