"""Tries an account at an SMSC beside the gateway, step by step, as `hopwire connector test` does.

Rule: a text that is sent so is not kept and not charged by the gateway, but it is by the SMSC's owner.
"""

import asyncio

from starlette.responses import Response

from hopwire import phone
from hopwire.channels.smpp import probe
from hopwire.config import SmppConnector
from hopwire.model import Handover
from hopwire.sentence import Sentence
from hopwire.web.pages.forms import Form
from hopwire.web.pages.operator_connectors import named
from hopwire.web.pages.site import Page
from hopwire.web.pages.visit import NotThere, Visit, Who
from hopwire.web.pages.words import marked as _

MOST_S = 45  # for all steps
RECEIPTS_S = 10
MOST_PARTS = 3
STEPS = {
    "connect": _("Connect"),
    "tls": _("TLS"),
    "bind": _("Bind"),
    "enquire_link": _("Does the link live?"),
    "submit": _("Submit"),
    "receipt": _("Receipt"),
    "unbind": _("Unbind"),
}
DETAILS = (  # what `probe` says
    _("no answer in time"),
    _("the connection has ended"),
    _("the SMSC calls itself %(name)s%(spoken)s"),
    _("taken as %(id)s"),
    _("it answers"),
    _("none in %(seconds)s s; it may come to the gateway later"),
    _("%(version)s, certificate valid until %(until)s"),
)


async def try_form(visit: Visit) -> Response:
    found = await named(visit)
    form = Form({"sender": "Test", "text": "Test"}, visit.words)
    return visit.render("connector_test.html", one=found, form=form, rows=None, steps=STEPS)


async def try_now(visit: Visit) -> Response:
    """Try it now, and with a number send a text, too."""
    found = await named(visit)
    settings = found.settings
    if not isinstance(settings, SmppConnector):
        raise NotThere
    form = Form(await visit.form(), visit.words)
    handovers = _handovers(form, settings, visit.account.home_country)
    if form.errors:
        return visit.render("connector_test.html", status=422, one=found, form=form, rows=None, steps=STEPS)
    rows: list[probe.Step] = []
    try:
        async with asyncio.timeout(MOST_S):
            async for step in probe.probe(settings, handovers, RECEIPTS_S):
                rows.append(step)
    except TimeoutError:
        rows.append(probe.Step("unbind", False, 1000 * MOST_S, Sentence("no answer in time")))
    return visit.render("connector_test.html", one=found, form=form, rows=rows, steps=STEPS)


def _handovers(form: Form, settings: SmppConnector, home: str) -> list[Handover]:
    if not form.value("number").strip():
        return []
    number = phone.parse(form.value("number").strip(), home)
    if number is None:
        form.wrong("number", "This is no phone number.")
    sender, text = form.text("sender", 21, required=True), form.text("text", 400, required=True)
    if form.errors or number is None:
        return []
    found = probe.handovers(settings, number.digits, sender, text)
    if len(found) > MOST_PARTS:
        form.wrong("text", "At most three parts, please.")
    return found


PAGES = [
    Page("/operator/connectors/{name}/test", try_form, Who.OPERATOR, proof=True),
    Page("/operator/connectors/{name}/test", try_now, Who.OPERATOR, posts=True, proof=True),
]
