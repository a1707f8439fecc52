"""Sending by hand: one message, or a mailing to a list; before either, the message to oneself.

Rule 1: nothing is sent from the page where a message is written, but from the next one, with the price.
Rule 2: a form that sends has a key of its own: pressed twice, or sent again by the browser, it sends once.
"""

import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from urllib.parse import quote

from starlette.datastructures import UploadFile
from starlette.responses import Response

from hopwire import access, lists, phone
from hopwire.contents import Draft, compose, draft_of
from hopwire.errors import ApiError, AskDateTooFar, BadAskDate, BadRecipient
from hopwire.lists import BadListError, Row
from hopwire.mailing import NoValueError, asked, fill, gaps, told
from hopwire.mailings import read_in
from hopwire.model import Caller, SendRequest
from hopwire.privacy import forgotten
from hopwire.store import Accepted
from hopwire.store.mailings import Mailings, Texts
from hopwire.store.senders import Senders
from hopwire.web.pages import drafts
from hopwire.web.pages.forms import Form
from hopwire.web.pages.site import Page
from hopwire.web.pages.visit import NotThere, Visit
from hopwire.web.pages.words import marked as _

FILE_BYTES = 52_428_800
PIECE = 65_536  # bytes of a file that are read at a time
YEAR_MS = 366 * 86_400_000
WITH_VALUES = (
    "text_too_long",
    "viber_text_too_long",
    "viber_button_too_long",
    "bad_viber_image",
    "bad_viber_url",
)
KEY = re.compile(r"[A-Za-z0-9_-]{16,64}")


# ---- writing


async def write(visit: Visit) -> Response:
    """An empty form, or one with a saved text, or with a message that was sent before."""
    form = Form(await _begin(visit), visit.words)
    return await _page(visit, form)


async def _begin(visit: Visit) -> dict[str, str]:
    if again := visit.cursor("from", 0):
        return await _again(visit, again)
    name = visit.query.get("text", "")
    if name:
        found = await Texts(visit.parts.engine).named(visit.account.id, [name])
        if not found:
            raise NotThere
        return drafts.fields(found[0].draft)
    allowed = await Senders(visit.parts.engine).usable(visit.account.id)
    first = {"sender": next(iter(allowed["sms"]), ""), "viber_from": next(iter(allowed["viber"]), "")}
    return {**drafts.fields(drafts.EMPTY), **first}


async def _again(visit: Visit, message_id: int) -> dict[str, str]:
    """A message of the account, as somebody writes it who sends it once more."""
    story = await visit.parts.store.story(message_id)
    if story is None or story.account_id != visit.account.id:
        raise NotThere
    draft = draft_of(story.sms, story.sms_sender, story.viber, story.viber_sender)
    to = "" if forgotten(story.recipient) else f"+{story.recipient}"
    return {**drafts.fields(draft), "to": to}


async def look(visit: Visit) -> Response:
    """The form again, with the message as it will look."""
    return await _page(visit, await _form(visit))


async def _form(visit: Visit) -> Form:
    return Form(await visit.form(FILE_BYTES), visit.words)


async def _page(visit: Visit, form: Form, status: int = 200) -> Response:
    draft = drafts.read(form)
    first = next(iter(_typed(form)), None)
    number = phone.parse(first.number, visit.account.home_country) if first else None
    return visit.render(
        "send.html",
        status=status,
        form=form,
        preview=await drafts.preview(visit, draft, number, {}),
        **await drafts.choices(visit),
    )


def _typed(form: Form) -> Iterator[Row]:
    """The numbers in the form; none where nothing is typed."""
    return lists.pasted(form.value("to")) if form.value("to").strip() else iter(())


# ---- what comes of it


async def check(visit: Visit) -> Response:
    """One number goes on to the page that sends, a list becomes a mailing that is checked."""
    access.permit(Caller(visit.account), "send")
    form = await _form(visit)
    draft = drafts.read(form)
    file = await visit.file("file", FILE_BYTES)
    numbers = [] if file else list(islice(_typed(form), 2))
    if not file and not numbers:
        form.wrong("to", "Type a number, paste a list, or choose a file.")
    at = moment_of(visit, form)
    if not form.errors and not file and len(numbers) == 1:
        return await _confirm(visit, form, draft, at)
    if not file and any(gaps(draft).values()):
        sentence = _("Numbers that are typed have no columns from which gaps could be filled in.")
        form.wrong(drafts.gap_field(draft), sentence)
    if not form.errors:
        await _check_draft(visit, form, draft)
    if form.errors:
        return await _page(visit, form, 422)
    return await _list(visit, form, draft, file)


async def _confirm(visit: Visit, form: Form, draft: Draft, at: int | None) -> Response:
    request = _request(visit, form, draft, at)
    if request is None:
        return await _page(visit, form, 422)
    try:
        await visit.parts.admission.quote(visit.account, request, visit.now)
    except ApiError as error:
        form.wrong(drafts.field_of(error), error.text)
        return await _page(visit, form, 422)
    return await _before_sending(visit, form, request, new_key())


async def _before_sending(
    visit: Visit, form: Form, request: SendRequest, key: str, tried: Accepted | None = None
) -> Response:
    """The page that sends the message; `tried`: what its writer has got of it just now."""
    number = phone.parse(f"+{request.recipient}", visit.account.home_country)
    return visit.render(
        "send_confirm.html",
        status=422 if form.errors else 200,
        form=form,
        request=request,
        key=key,
        tried=tried,
        trial=new_key(),
        preview=await drafts.preview(visit, drafts.read(form), number, {}),
    )


def _request(visit: Visit, form: Form, draft: Draft, at: int | None) -> SendRequest | None:
    """The message of the form; None: the form says what is wrong."""
    found = next(iter(_typed(form)), None)
    number = phone.parse(found.number, visit.account.home_country) if found else None
    if number is None:
        form.wrong("to", BadRecipient.text)
        return None
    try:
        fits = visit.parts.admission.fits(visit.parts.config.sms.max_parts)
        return compose(fill(draft, {}), number, fits, at)
    except NoValueError as missing:
        gap = f"{{{{{missing.name}}}}}"
        sentence = _("One message has no list from which %(gap)s could be filled in.")
        form.wrong(drafts.gap_field(draft), sentence, gap=gap)
    except ApiError as error:
        form.wrong(drafts.field_of(error), error.text)
    return None


def moment_of(visit: Visit, form: Form) -> int | None:
    """When it is to leave; None: at once."""
    typed = form.value("at").strip()
    if not typed:
        return None
    at = visit.words.moment_of(typed)
    if at is None:
        form.wrong("at", BadAskDate.text)
        return None
    if at > visit.now + YEAR_MS:
        form.wrong("at", AskDateTooFar.text)
    return at if at > visit.now else None


async def send(visit: Visit) -> Response:
    """Send what the page before has shown."""
    access.permit(Caller(visit.account), "send")
    form = await _form(visit)
    key = form.value("key")
    request = _request(visit, form, drafts.read(form), moment_of(visit, form))
    if request is None or not KEY.fullmatch(key):
        return await _page(visit, form, 422)
    try:
        sent = await visit.parts.admission.admit(visit.account, request, visit.now, client_key=f"page:{key}")
    except ApiError as error:
        form.wrong(drafts.field_of(error), error.text)
        return await _page(visit, form, 422)
    said = _("The message is scheduled.") if request.send_at else _("The message is on its way.")
    return visit.to(f"/messages/{sent.id}", visit.words(said))


# ---- to oneself


def new_key() -> str:
    """Of a form that sends."""
    return secrets.token_urlsafe(24)


async def try_it(visit: Visit) -> Response:
    """Send the message to its writer, and ask again whether it is to be sent."""
    access.permit(Caller(visit.account), "send")
    form = await _form(visit)
    draft, key = drafts.read(form), form.value("key")
    request = _request(visit, form, draft, moment_of(visit, form))
    if request is None or not KEY.fullmatch(key):
        return await _page(visit, form, 422)
    return await _before_sending(visit, form, request, key, await to_myself(visit, form, draft, {}))


async def to_myself(visit: Visit, form: Form, draft: Draft, values: Mapping[str, str]) -> Accepted | None:
    """Send a message at once to the number in the form; None: the form says what is wrong."""
    admission, key = visit.parts.admission, form.value("trial")
    if not KEY.fullmatch(key):
        raise NotThere
    fits = admission.fits(visit.parts.config.sms.max_parts)
    request = asked(draft, form.value("me").strip(), values, visit.account.home_country, fits)
    if isinstance(request, str):
        form.wrong("me", told(request)[0])
        return None
    try:
        return await admission.admit(visit.account, request, visit.now, client_key=f"page:{key}")
    except ApiError as error:
        form.wrong("me", error.text)
        return None


# ---- a list


async def _check_draft(visit: Visit, form: Form, draft: Draft) -> None:
    """What is wrong with the message itself; of what values decide, the rows will tell."""
    found = await drafts.preview(visit, draft, None, {})
    error = found.error
    if error and drafts.field_of(error) not in ("", "to") and not (gaps(draft) and error.code in WITH_VALUES):
        form.wrong(drafts.field_of(error), error.text)


async def _list(visit: Visit, form: Form, draft: Draft, file: UploadFile | None) -> Response:
    rows: Iterable[Row] = lists.table(_pieces(file), gaps(draft)) if file else _typed(form)
    name = form.text("name", 100) or (file.filename if file else "") or ""
    mailings, where = Mailings(visit.parts.engine), "file" if file else "to"
    try:
        mailing_id = await read_in(mailings, visit.account.id, name, draft, rows, visit.now)
    except BadListError as bad:
        reason = visit.words(lists.FAULTS[bad.code])
        form.wrong(where, "Line %(line)s: %(reason)s", line=bad.line, reason=reason)
        return await _page(visit, form, 422)
    at = form.value("at")
    return visit.to(f"/mailings/{mailing_id}{f'?at={quote(at)}' if at else ''}")


def _pieces(file: UploadFile) -> Iterator[bytes]:
    while piece := file.file.read(PIECE):
        yield piece


PAGES = [
    Page("/send", write),
    Page("/send/preview", look, posts=True),
    Page("/send/check", check, posts=True),
    Page("/send/try", try_it, posts=True),
    Page("/send", send, posts=True),
]
