"""Which way a message to a number goes now: the route, its connectors in their order, and why."""

from starlette.responses import Response

from hopwire import phone, routes
from hopwire.prices import CHANNELS, TYPES
from hopwire.store.directory import NOBODY
from hopwire.web.pages.forms import Form
from hopwire.web.pages.named import account_named
from hopwire.web.pages.operator_routes import name_of
from hopwire.web.pages.overview import STATES
from hopwire.web.pages.site import Page
from hopwire.web.pages.visit import Visit, Who, choices
from hopwire.web.pages.words import marked as _

REASONS = (  # what `choice` gives
    _("the sender's name is not approved there"),
    _("outside %(hours)s"),
    _("is down: only when no other is up"),
    _("is paused by the operator: only when no other is up"),
    _("refuses our account: only when no other is up"),
    _("has asked us to slow down"),
    _("%(rate)s of its answers of the last minute were errors"),
    _("is slow: %(ms)s ms to an answer, and another one %(other)s ms"),
    _("the only one that may"),
    _("is well"),
    _("has priority %(priority)s"),
    _("costs us less"),
    _("its cost is higher, or not known"),
    _("has weight %(weight)s"),
    _("the number is of its share"),
    _("the number is of another's share"),
)


async def explain(visit: Visit) -> Response:
    """The question, and where a number is given, its answer."""
    form = Form(visit.query, visit.words)
    if not form.value("number").strip():
        return visit.render("routes_number.html", form=form, found=None)
    payer = await account_named(visit, form, "account") or NOBODY  # whom everyone's prices are for
    read = phone.parse(form.value("number").strip(), payer.home_country)
    if read is None:
        form.wrong("number", "This is no phone number.")
    if form.errors or read is None:
        return visit.render("routes_number.html", status=422, form=form, found=None)
    channel = choices(CHANNELS, form.value("channel"), "sms")
    type = choices(TYPES, form.value("type"), "")
    asked = routes.Asked(payer, read, channel, type, form.value("sender").strip()[:64])
    found = await routes.explain(visit.parts.config, visit.parts.engine, asked, visit.now)
    first = next((one for one in found.places if one.usable), None)
    rows = list(zip(found.places, found.why, strict=True))
    country = name_of(read.country, visit.words)
    return visit.render(
        "routes_number.html",
        form=form,
        found=found,
        payer=payer,
        first=first,
        rows=rows,
        country=country,
        states=STATES,
    )


PAGES = [Page("/operator/routes/explain", explain, Who.OPERATOR)]
