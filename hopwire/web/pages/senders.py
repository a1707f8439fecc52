"""Sender names: under which ones the account may send, and asking for another."""

from collections.abc import Callable, Mapping

from starlette.responses import Response

from hopwire import contents
from hopwire.errors import ApiError
from hopwire.store.senders import APPROVED, REFUSED, REQUESTED, SenderName, Senders
from hopwire.web.pages.forms import Form
from hopwire.web.pages.site import Page
from hopwire.web.pages.visit import NotThere, Visit, choices
from hopwire.web.pages.words import marked as _

ASKED = 20  # names that may wait for an answer
NOTE = 200  # characters
CHANNELS = {"sms": _("SMS"), "viber": "Viber", "both": _("SMS and Viber")}
STATES = {  # state -> tone, words, icon
    REQUESTED: ("waiting", _("requested"), "clock"),
    APPROVED: ("good", _("approved"), "check"),
    REFUSED: ("bad", _("refused"), "cross"),
}


async def senders(visit: Visit) -> Response:
    return await _page(visit, Form({"channel": "sms"}, visit.words))


async def ask(visit: Visit) -> Response:
    form = Form(await visit.form(), visit.words)
    wanted = _wanted(visit, form)
    if visit.account.any_sender:
        form.wrong("", "Your account may use every sender name; none has to be asked for.")
    elif not form.errors and await _waiting(visit) >= ASKED:
        form.wrong("", "%(most)s names are waiting for an answer already.", most=ASKED)
    elif not form.errors and not await _registry(visit).ask(wanted):
        form.wrong("name", "This name is on the list already.")
    if form.errors:
        return await _page(visit, form, 422)
    return visit.to("/senders", visit.words("The name is asked for. You see here what the operator answers."))


async def withdraw(visit: Visit) -> Response:
    """Take a name off the list that is not approved."""
    form = await visit.form()
    which = SenderName(visit.account.id, form.get("name", ""), form.get("channel", ""))
    if not await _registry(visit).withdraw(which):
        raise NotThere
    return visit.to("/senders", visit.words("The name is off the list."))


def _registry(visit: Visit) -> Senders:
    return Senders(visit.parts.engine, visit.actor)


async def _page(visit: Visit, form: Form, status: int = 200) -> Response:
    names = await _registry(visit).of(visit.account.id)
    return visit.render(
        "senders.html", status=status, form=form, names=names, states=STATES, channels=CHANNELS
    )


async def _waiting(visit: Visit) -> int:
    return sum(one.state == REQUESTED for one in await _registry(visit).of(visit.account.id))


def _wanted(visit: Visit, form: Form) -> SenderName:
    """A name as its channels take it."""
    channel = choices(CHANNELS, form.value("channel"), "sms")
    name = form.text("name", 28, required=True)
    for one in ("sms", "viber") if channel == "both" else (channel,):
        _check(form, one, name)
    note = form.text("note", NOTE)
    return SenderName(
        visit.account.id, name, "" if channel == "both" else channel, "", REQUESTED, note, visit.now
    )


_READERS: Mapping[str, Callable[[str], str]] = {"sms": contents.sms_sender, "viber": contents.viber_sender}
_RULES = {
    "sms": _(
        "For SMS a name is up to 11 Latin letters, digits, spaces, dots, dashes and underscores, or a phone"
        " number."
    ),
    "viber": _("For Viber a name is 1 to 28 printable characters."),
}


def _check(form: Form, channel: str, name: str) -> None:
    try:
        _READERS[channel](name)
    except ApiError:
        form.wrong("name", _RULES[channel])


PAGES = [
    Page("/senders", senders),
    Page("/senders", ask, posts=True),
    Page("/senders/withdraw", withdraw, posts=True),
]
