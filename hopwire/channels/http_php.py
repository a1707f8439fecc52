"""Another gateway of the `/api/http.php` family as an upstream: Hopwire itself, or what it stands in for.

Sources: the documented page of the protocol for parameters, replies and numbers of statuses; our own
catalogue (hopwire/errors.py) for the sentences after `errors:`; client programs in use for how replies are
laid out: a line for each pair, or all in one line with spaces or commas between.

Rule 1: a redirect to SMS stays ours; the gateway is asked for one channel at a time.
Rule 2: there are no callbacks in this protocol and no key that makes a repeated request known: the gateway is
asked what became of a message, and one in doubt is not sent again. A status that is pushed all the same, as
the family's XML and JSON interfaces do, is understood.
Rule 3: another Hopwire is told which gateways a message has come through; one that finds itself among them
refuses it.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlencode

import msgspec

from hopwire import via
from hopwire.channels.http import Callback, Reply, Request, Said, http_answer, registered
from hopwire.config import HttpPhpConnector
from hopwire.errors import CATALOGUE
from hopwire.model import (
    STATUS_TEXT,
    Answer,
    Fault,
    FlashSms,
    Handover,
    Later,
    Never,
    Outcome,
    Receipt,
    SmsText,
    Status,
    Taken,
    Unknown,
    ViberButton,
    ViberImage,
    ViberText,
    WapPush,
)

LIFETIME_S = range(60, 86_400 + 1)
FORM = {"content-type": "application/x-www-form-urlencoded"}

# ---- what its errors mean

LATER, THROTTLED = "later", "throttled"

ERRORS: dict[str, Fault | str] = {  # by the name of the sentence in our catalogue
    "wrong_credentials": Fault.CONFIGURATION,
    "unknown_command": Fault.CONFIGURATION,
    "not_enough_money": Fault.CONFIGURATION,
    "account_paused": Fault.CONFIGURATION,
    "key_not_allowed": Fault.CONFIGURATION,
    "limit_reached": Fault.CONFIGURATION,
    "spend_limit_reached": Fault.CONFIGURATION,
    "bad_recipient": Fault.NUMBER,
    "destination_not_allowed": Fault.ROUTE,
    "premium_not_allowed": Fault.ROUTE,
    "price_too_high": Fault.ROUTE,
    "number_limit_reached": Fault.ROUTE,
    "block_limit_reached": Fault.ROUTE,
    "loop": Fault.ROUTE,
    "recipient_opted_out": Fault.BLOCKED,
    "bad_sender": Fault.SENDER,
    "sender_not_registered": Fault.SENDER,
    "viber_sender_not_registered": Fault.SENDER,
    "no_viber_sender": Fault.SENDER,
    "unavailable": LATER,
    "too_many_requests": THROTTLED,
}  # every other one is about what the message is made of
ACCOUNT_FAULTS = {code for code, fault in ERRORS.items() if fault is Fault.CONFIGURATION}
ACCOUNT_FAULTS |= {"http 401", "http 403", "url"}
NOT_FOUND = "not_found"
OTHER = "errors"  # a sentence that nobody here knows; it may repeat what was sent, so it is not kept

CODES = {error.text.casefold(): code for code, error in CATALOGUE.items()}
SENDER = "sender"  # how sentences about the sender's name begin, with those who word them otherwise

# ---- what its statuses mean

PROGRESS = None  # not an ending; not worth a receipt

STATUSES: dict[int, tuple[Outcome, Fault] | None] = {
    Status.PENDING: PROGRESS,
    Status.SENDING: PROGRESS,
    Status.SENT: PROGRESS,
    Status.DELIVERED: (Outcome.DELIVERED, Fault.RECIPIENT),
    Status.EXPIRED: (Outcome.EXPIRED, Fault.RECIPIENT),
    Status.DELETED: (Outcome.FAILED, Fault.RECIPIENT),
    Status.PARTIAL: (Outcome.FAILED, Fault.RECIPIENT),  # a phone does not show what is not whole
    Status.NO_ROUTE: (Outcome.FAILED, Fault.RECIPIENT),
    Status.FAILED: (Outcome.FAILED, Fault.RECIPIENT),
    Status.BAD_NUMBER: (Outcome.FAILED, Fault.NUMBER),
    Status.READ: (Outcome.SEEN, Fault.RECIPIENT),
    # of the XML interface
    100: PROGRESS,  # SCHEDULED
    101: PROGRESS,  # ENROUTE
    102: (Outcome.DELIVERED, Fault.RECIPIENT),
    103: (Outcome.EXPIRED, Fault.RECIPIENT),
    104: (Outcome.FAILED, Fault.RECIPIENT),  # DELETED
    105: (Outcome.FAILED, Fault.RECIPIENT),  # UNDELIVERABLE
    106: PROGRESS,  # ACCEPTED
    107: PROGRESS,  # UNKNOWN
    108: (Outcome.FAILED, Fault.RECIPIENT),  # REJECTED
    109: (Outcome.FAILED, Fault.RECIPIENT),  # DISCARDED
    110: PROGRESS,  # SENDING
    111: (Outcome.FAILED, Fault.RECIPIENT),  # NOT_SUPPORTED
    112: (Outcome.FAILED, Fault.SENDER),  # WRONG_ALPHANAME
    113: (Outcome.FAILED, Fault.SENDER),
}

WORDS: dict[str, int] = {  # of the JSON interface, and the texts of `receive`
    **{text.upper(): status for status, text in STATUS_TEXT.items()},
    "ACCEPTED": 106,
    "DELETED": 104,
    "DELIVERED": 102,
    "EXPIRED": 103,
    "FILTERED": 108,
    "INVALID DESTINATION ADDRESS": Status.BAD_NUMBER,
    "INVALID SOURCE ADDRESS": 112,
    "NO ROUTE": 111,
    "PARTIALLY DELIVERED": Status.PARTIAL,
    "QUEUED": 100,
    "READ": Status.READ,
    "REJECTED": 108,
    "REPLIED": Status.READ,
    "ROUTING": 110,
    "SIM FULL": 105,
    "UNDELIVERABLE": 105,
    "UNKNOWN": 107,
}


# ---- what is asked


def parameters(handover: Handover, sender: str) -> dict[str, str]:
    """What a `send` says of the message.

    A text with a template goes as it reads: the gateway knows its own templates.
    """
    common = {"from": sender, "to": f"+{handover.recipient}"}
    match handover.content:
        case SmsText(text=text):
            return common | {"message": text}
        case FlashSms(text=text):
            return common | {"message": text, "flash": "1"}
        case WapPush(url=url, text=text):
            return common | {"message": text, "wap": url}
        case content:
            return common | _viber(handover, sender) | _viber_content(content)


def _viber(handover: Handover, sender: str) -> dict[str, str]:
    lifetime_s = min(max(handover.lifetime_s, LIFETIME_S[0]), LIFETIME_S[-1])
    return {"viber": "1", "viber_sms": "0", "viber_from": sender, "viber_lifetime": str(lifetime_s)}


def _viber_content(content: ViberText | ViberImage | ViberButton) -> dict[str, str]:
    """`message`, which the documented page requires of every request, says the same where there is text."""
    match content:
        case ViberText(text=text):
            said = {"viber_type": "text", "viber_message": text, "message": text}
        case ViberImage(image=image, url=url):
            said = {"viber_type": "image", "viber_image": image, "viber_url": url or ""}
        case ViberButton(text=text, caption=caption, url=url, image=image):
            said = {
                "viber_type": "button",
                "viber_message": text,
                "message": text,
                "viber_button": caption,
                "viber_url": url,
                "viber_image": image or "",
            }
    return {name: value for name, value in said.items() if value}


# ---- what is answered

_ID = re.compile(r"(?:^|[\s,;])id:\s*([1-9][0-9]{0,19})(?![0-9])")
_CODE = re.compile(r"(?:^|[\s,;])code:\s*([0-9]{1,3})(?![0-9])")
_TEXTS = "|".join(sorted(STATUS_TEXT.values(), key=len, reverse=True))
_STATUS = re.compile(rf"(?:^|[\s,;])status:\s*({_TEXTS})\b", re.IGNORECASE)
_ERROR = re.compile(r"(?:^|[\s,;])errors?:[ \t]*([^\r\n]*[^\s,;])")


def answer(reply: Reply) -> Answer:
    """What the reply to a `send` means. A sentence of the protocol's is one whatever the HTTP status."""
    text = reply.body.decode("utf-8", "replace")
    error = _error(text)
    if error and (reply.status == 200 or error in CATALOGUE):
        return _refusal(error)
    if reply.status != 200:
        return http_answer(reply.status, reply.headers)
    found = _ID.search(text)
    return Taken(found[1]) if found else Unknown("http 200")


def _error(text: str) -> str:
    """The name of the sentence after `errors:`; empty where there is none."""
    found = _ERROR.search(text)
    if found is None:
        return ""
    sentence = found[1].strip().rstrip(".").casefold()
    return CODES.get(sentence) or ("bad_sender" if sentence.startswith(SENDER) else OTHER)


def _refusal(error: str) -> Answer:
    match ERRORS.get(error, Fault.CONTENT):
        case Fault() as fault:
            return Never(error, fault)
        case kind:
            return Later(1.0, error, throttled=kind == THROTTLED)


# ---- what became of it


def receipts(connector: str, provider_id: str, reply: Reply) -> list[Receipt]:
    """What the reply to a `receive` says; nothing while the message is on its way, or is not known there.

    Raises ValueError for a refusal and for what is no reply.
    """
    text = reply.body.decode("utf-8", "replace")
    error, status = _error(text), _told(text)
    if error == NOT_FOUND:
        return []
    if error or status is None or reply.status != 200:
        raise ValueError(f"no status: {error or f'http {reply.status}'}")
    return _receipts(connector, provider_id, status, text)


def _told(text: str) -> int | None:
    """The code in a reply, or the one that its status text has; old gateways say no code."""
    if found := _CODE.search(text):
        return int(found[1])
    return WORDS[found[1].upper()] if (found := _STATUS.search(text)) else None


def _receipts(connector: str, provider_id: str, status: int, raw: str, recipient: str = "") -> list[Receipt]:
    meaning = STATUSES.get(status)
    if meaning is None:
        return []
    outcome, fault = meaning
    return [
        Receipt(
            connector=connector,
            provider_id=provider_id,
            recipient=recipient,
            outcome=outcome,
            code=str(int(status)),
            fault=fault,
            raw=raw,
        )
    ]


def parse_callback(connector: str, body: bytes) -> Said:
    """What a pushed status says, in JSON or as a form. Raises ValueError for garbage.

    `msg_id` is the gateway's id of the message; where there is none, `id` is. The status is a word of the
    JSON interface, a number of the XML one or of `receive`.
    """
    raw = body.decode()
    fields = _fields(raw)
    provider_id = _text(fields.get("msg_id")) or _text(fields.get("id"))
    status = _status(_text(fields.get("status")))
    if not provider_id or status is None:
        return Said()
    number = _text(fields.get("phone")).lstrip("+ ")
    return Said(receipts=_receipts(connector, provider_id, status, raw, number if number.isdecimal() else ""))


def _fields(raw: str) -> Mapping[str, Any]:
    if "{" not in raw and "=" in raw:
        return dict(parse_qsl(raw))
    try:
        return msgspec.json.decode(raw, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError):  # the latter: nested too deeply
        raise ValueError("the callback is neither a JSON object nor a form") from None


def _text(value: object) -> str:
    return str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _status(said: str) -> int | None:
    if said.isdecimal() and len(said) < 4:
        return int(said)
    return WORDS.get(said.upper().replace("_", " "))


# ---- the provider


class HttpPhp:
    """One account at the gateway."""

    account_faults = ACCOUNT_FAULTS
    poll_most = 1  # `receive` tells of one message

    def __init__(self, settings: HttpPhpConnector) -> None:
        self._settings = settings
        self.poll_s = float(settings.poll_s)

    def request(self, handover: Handover) -> Request | Never:
        sender = registered(handover.sender, self._settings.senders)
        headers = FORM | via.written(handover.via, handover.installation)
        form = parameters(handover, sender)
        if self._settings.on_unknown == "resend":
            form["client_id"] = handover.key
        return self._ask("send", form)._replace(scope=sender, headers=headers)

    def answer(self, reply: Reply) -> Answer:
        return answer(reply)

    def callback(self, connector: str, callback: Callback) -> Said:
        return parse_callback(connector, callback.body)

    def question(self, provider_ids: Sequence[str]) -> Request:
        return self._ask("receive", {"id": provider_ids[0]})

    def receipts(self, connector: str, provider_ids: Sequence[str], reply: Reply) -> list[Receipt]:
        return receipts(connector, provider_ids[0], reply)

    def _ask(self, command: str, asked: Mapping[str, str]) -> Request:
        who = self._settings
        named = {"key": who.key} if who.key else {"login": who.login, "pass": who.password}
        form = urlencode({"version": "http", **named, "command": command, **asked})
        return Request(who.url, form.encode(), FORM)
