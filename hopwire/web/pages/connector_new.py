"""A connector for the settings file: asked for field by field, checked as the file is, shown to be pasted.

Rule: nothing is written, and no secret is kept; the page that answers is all there is.
"""

import re

from starlette.responses import Response

from hopwire.config import KINDS, ConfigError, blocks
from hopwire.vault import SealError
from hopwire.web.pages.forms import Form
from hopwire.web.pages.site import Page
from hopwire.web.pages.visit import Visit, Who, choices
from hopwire.web.pages.words import marked as _

ABOUT = {
    "smpp": _("An account at an SMSC: SMS"),
    "viber": _("Viber itself, by its REST API"),
    "infobip": _("Infobip: SMS and Viber"),
    "turbosms": _("TurboSMS: SMS and Viber"),
    "http_php": _("Another gateway of this protocol: SMS and Viber"),
    "gms": _("GMS: SMS and Viber"),
    "vonage": _("Vonage: SMS and Viber"),
    "http": _("Any other provider that speaks HTTP"),
}
_PLACE = re.compile(r"connectors\.[^.\s:]+\.(\w+)")


async def new_form(visit: Visit) -> Response:
    """The choice of a kind, and then its settings."""
    kind = choices(KINDS, visit.query.get("kind", ""), "")
    return _render(visit, Form({"kind": kind}, visit.words))


def _render(visit: Visit, form: Form, status: int = 200, wrong: str = "") -> Response:
    kind = form.value("kind")
    fields = list(blocks.form(KINDS[kind])) if kind in KINDS else []
    return visit.render(
        "connector_new.html",
        status=status,
        form=form,
        kinds=ABOUT,
        needed=[one for one in fields if one.required],
        others=[one for one in fields if not one.required],
        filled={one.key for one in fields if form.value(one.key) or form.error(one.key)},
        wrong=wrong,
    )


async def new(visit: Visit) -> Response:
    """Check what was typed, and show the block."""
    form = Form(await visit.form(), visit.words)
    form.values["kind"] = kind = choices(KINDS, form.value("kind"), "smpp")
    name = form.text("connector-name", 64, required=True)
    try:
        values = blocks.read(KINDS[kind], form.values)
        if name:
            blocks.check(name, kind, values, visit.parts.config)
        shown = blocks.sealed(KINDS[kind], values, visit.parts.config.store.vault)
    except ConfigError as error:
        found = _PLACE.match(str(error))
        form.wrong(found[1] if found else "connector-name", "The check of the settings does not take this.")
        return _render(visit, form, 422, str(error))
    except SealError:
        shown = values
    if form.errors:
        return _render(visit, form, 422)
    secret = values.get(blocks.CALLBACK)
    base = visit.parts.config.cabinet.url.rstrip("/")
    return visit.render(
        "connector_made.html",
        name=name,
        block=blocks.block(name, kind, shown),
        is_sealed=shown != values,
        callback=f"{base}/callbacks/{name}/{secret}" if secret else "",
        is_smpp=kind == "smpp",
    )


PAGES = [
    Page("/operator/new-connector", new_form, Who.OPERATOR, proof=True),
    Page("/operator/new-connector", new, Who.OPERATOR, posts=True, proof=True),
]
