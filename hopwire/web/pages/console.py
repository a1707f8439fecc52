"""The console: a request is tried, and what the API would answer is explained. Nothing is sent."""

from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import urlencode

from starlette.responses import Response

from hopwire import access, sms
from hopwire.access import From
from hopwire.admission import Quote
from hopwire.errors import ApiError, TooLarge
from hopwire.model import Caller, SendRequest, Step, Writing
from hopwire.web.http_php import refused, written
from hopwire.web.http_php_request import read
from hopwire.web.pages import samples
from hopwire.web.pages.forms import Form
from hopwire.web.pages.marks import name_of
from hopwire.web.pages.site import Page
from hopwire.web.pages.visit import Visit, choices
from hopwire.web.pages.words import marked as _
from hopwire.web.rehearsal import Rehearsal

MOST = 65_536  # bytes of a request
KEY = "<your key>"
COMMANDS = {
    "send": _("send a message"),
    "receive": _("ask how a message stands"),
    "price": _("ask for the price of an SMS part"),
    "balance": _("ask for the balance"),
}


class Parameter(NamedTuple):
    """A parameter of the protocol, as it is typed here."""

    name: str
    about: str
    kind: str = "text"  # of the input; "area", "tick", "choice"
    most: int = 1000  # characters that the field takes; the API may take fewer
    options: tuple[str, ...] = ()


GROUPS: tuple[tuple[str, tuple[Parameter, ...]], ...] = (
    (
        _("To whom and when"),
        (
            Parameter("to", _("Number")),
            Parameter("ask_date", _("When it is sent; empty: at once")),
            Parameter("client_id", _("Your own id, so that it is sent once")),
        ),
    ),
    (
        _("SMS"),
        (
            Parameter("from", _("Sender name")),
            Parameter("message", _("Text"), "area", 10_000),
            Parameter("flash", _("Shown at once, not kept (flash)"), "tick"),
            Parameter("wap", _("Link for a WAP push")),
        ),
    ),
    (
        "Viber",
        (
            Parameter("viber", _("Viber first"), "tick"),
            Parameter("viber_sms", _("An SMS when Viber does not deliver"), "tick"),
            Parameter("viber_lifetime", _("Seconds for Viber; empty: a day")),
            Parameter("viber_type", _("Kind"), "choice", 10, ("", "text", "image", "button")),
            Parameter("viber_from", _("Sender name on Viber; empty: as the SMS")),
            Parameter("viber_message", _("Text on Viber; empty: as the SMS"), "area", 10_000),
            Parameter("viber_image", _("Link to a picture")),
            Parameter("viber_button", _("Caption of the button")),
            Parameter("viber_url", _("Link that a tap opens")),
        ),
    ),
    (_("How a message stands"), (Parameter("id", _("Id that was answered")),)),
)
NAMES = tuple(one.name for _title, group in GROUPS for one in group)


class Tried(NamedTuple):
    """A request, and what came of it."""

    fields: dict[str, str]
    status: int  # of HTTP
    reply: str
    error: ApiError | None
    message: SendRequest | None
    quote: Quote | None


# ---- the page


async def console(visit: Visit) -> Response:
    return _page(visit, Form({"command": "send", **visit.query}, visit.words))


async def try_it(visit: Visit) -> Response:
    form = Form(await visit.form(), visit.words)
    tried = await _try(visit, _fields(form))
    if tried.error is not None:
        form.wrong(tried.error.parameter or "", tried.error.text)
    return _page(visit, form, tried)


def _page(visit: Visit, form: Form, tried: Tried | None = None) -> Response:
    return visit.render(
        "console.html",
        form=form,
        groups=GROUPS,
        commands=COMMANDS,
        tried=tried,
        address=_address(visit, tried) if tried else "",
        code=samples.curl(_api(visit), {"key": KEY, **tried.fields}) if tried else "",
        steps=list(_steps(tried)) if tried else [],
        texts=_explained(tried) if tried else None,
        name_of=name_of,
        names=NAMES,
    )


def _fields(form: Form) -> dict[str, str]:
    """What the request carries: what was filled in."""
    command = choices(COMMANDS, form.value("command"), "send")
    typed = {name: form.value(name).replace("\r\n", "\n") for name in NAMES}
    return {"command": command, **{name: value for name, value in typed.items() if value}}


def _api(visit: Visit) -> str:
    return f"{visit.own_address}/api/http.php"


def _address(visit: Visit, tried: Tried) -> str:
    return f"{_api(visit)}?{urlencode({'key': KEY, **tried.fields}, safe='<>')}"


# ---- trying


async def _try(visit: Visit, fields: dict[str, str]) -> Tried:
    """As a key of the account would be answered that may do everything."""
    parts, caller = visit.parts, Caller(visit.account)
    api = Rehearsal(parts.admission, parts.credentials, parts.config.sms)
    body = urlencode(fields).encode()
    try:
        if len(body) > MOST:
            raise TooLarge
        access.admit(caller, From(), visit.now)
        answer = await api.answer(read(b"", b"", body), caller)
    except ApiError as error:
        reply = refused("plain", error).decode()
        return Tried(fields, error.status, reply, error, api.message, api.quote)
    return Tried(fields, 200, written("plain", answer).decode(), None, api.message, api.quote)


# ---- explaining


class Leg(NamedTuple):
    """One step of the plan, in the eyes of who pays."""

    channel: str
    step: Step
    parts: int
    part_price: int


def _steps(tried: Tried) -> Iterator[Leg]:
    if tried.quote is None:
        return
    for step in tried.quote.steps:
        parts = tried.quote.parts if step.channel == "sms" else 1
        yield Leg(step.channel, step, parts, step.price // parts)


def _explained(tried: Tried) -> sms.Explained | None:
    """How the SMS is written."""
    content = tried.message.sms if tried.message else None
    if content is None or tried.quote is None:
        return None
    writing = next((one.writing for one in tried.quote.steps if one.channel == "sms"), None)
    return sms.explain(content, writing or Writing())


PAGES = [Page("/console", console), Page("/console", try_it, posts=True)]
