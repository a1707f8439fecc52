"""GMS (Hyber): Viber and SMS by the JSON protocol, version 2.

Sources: gms-hyber-api.readthedocs.io, chapters 2, 4, 5, 6 and 8, for requests, reports, replies and limits.
Its chapter of codes is not public: what a code means goes by the simple status, by the few codes that are
seen in examples, and before them by what the operator has set.

Rule 1: a redirect to SMS stays ours; GMS is asked for one channel at a time.
Rule 2: nothing says that a request with a known extra_id is the same, so one in doubt is not made again.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import msgspec

from hopwire.channels.http import (
    UNREADABLE,
    Callback,
    Reply,
    Request,
    Said,
    basic,
    http_answer,
    incoming_text,
    registered,
)
from hopwire.config import GmsConnector
from hopwire.model import (
    Answer,
    Fault,
    Handover,
    Incoming,
    Later,
    Never,
    Outcome,
    Receipt,
    SmsText,
    Taken,
    Unknown,
    ViberButton,
    ViberImage,
    ViberText,
    WapPush,
)

TTL_S = {"viber": range(40, 86_400 + 1), "sms": range(300, 259_200 + 1)}

# ---- what its codes mean

LATER = "later"  # a temporary refusal; of a message that had been taken: not delivered in time

SIMPLE = {1: "progress", 2: "delivered", 3: "recipient"}  # `status`; another one is no ending
STATUSES = {  # substatus and hyber_status, as examples show them and programs in use name them
    "11": "progress",  # sending begun
    "12": "progress",  # accepted
    "23": "delivered",
    "26": "expired",  # not delivered within its TTL
    "36": "recipient",  # could not be sent
    "35015": "expired",  # "SMS expired"
}
OUTCOMES = {one.name.lower(): one for one in Outcome} | {LATER: Outcome.EXPIRED}


# ---- what is said


def _content(content: object) -> tuple[str, dict[str, Any]] | None:
    """The channel and its options; None for what neither carries."""
    match content:
        case ViberText(text=text):
            return "viber", {"text": text}
        case ViberImage(image=image):  # a link would need a text and a button
            return "viber", {"img": image}
        case ViberButton(text=text, caption=caption, url=url, image=image):
            picture = {} if image is None else {"img": image}
            return "viber", {"text": text, "caption": caption, "action": url, **picture}
        case SmsText(text=text):
            return "sms", {"text": text}
        case WapPush(text=text, url=url):
            return "sms", {"text": f"{text} {url}".strip()}
    return None


# ---- what is answered


class _Reply(msgspec.Struct):
    message_id: str = ""
    accepted: bool = True
    error_code: int | str | None = None


_decode_reply = msgspec.json.Decoder(_Reply).decode


def answer(reply: Reply, statuses: Mapping[str, str]) -> Answer:
    """What the reply to a message means; its own code, where it has one, whatever HTTP says.

    `statuses`: what codes mean, as the operator knows it.
    """
    try:
        said = _decode_reply(reply.body)
    except UNREADABLE:
        said = _Reply()
    if said.error_code is not None:
        return _refusal(str(said.error_code), statuses)
    if reply.status != 200:
        return http_answer(reply.status, reply.headers)
    if not said.accepted:
        return _refusal("not accepted", statuses)
    return Taken(said.message_id) if said.message_id else Unknown("http 200")


def _refusal(code: str, statuses: Mapping[str, str]) -> Answer:
    word = statuses.get(code, "content")
    if word == LATER:
        return Later(5.0, code)
    return Unknown(code) if word.upper() in Outcome.__members__ else Never(code, Fault(word))


# ---- what is reported later


class _Report(msgspec.Struct):
    """A report, or what a reader wrote: which fields are there says what it is."""

    message_id: str | None = ""
    status: int | None = None
    substatus: int | str = ""
    hyber_status: int | str = ""
    number: int | str = ""
    phone_number: int | str = ""  # of a report that was asked for
    phone: int | str = ""  # of a reply
    text_from_subscriber: str | None = None
    media: str | None = None  # a link to what he sent


_decode_report = msgspec.json.Decoder(_Report).decode
_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode


def parse_callback(connector: str, text: bytes, statuses: Mapping[str, str]) -> Said:
    """What a callback says, one report or a list of them; an item that cannot be read is passed over.

    Raises ValueError for what is neither an object nor a list.
    """
    receipts, incoming = [], []
    for item in _items(text):
        try:
            said, raw = _decode_report(item), item.decode()
        except UNREADABLE:
            continue
        receipts += _receipt(connector, said, raw, statuses)
        incoming += _incoming(connector, said)
    return Said(receipts=receipts, incoming=incoming)


def _items(text: bytes) -> list[bytes]:
    try:
        if text.lstrip().startswith(b"["):
            return [bytes(item) for item in _decode_list(text)]
        msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    except UNREADABLE:
        raise ValueError("the callback is no report of GMS") from None
    return [text]


def _receipt(connector: str, said: _Report, raw: str, statuses: Mapping[str, str]) -> list[Receipt]:
    if said.status is None or not said.message_id:
        return []
    code = str(said.hyber_status or said.substatus or said.status)
    word = _word(said, statuses)
    return [
        Receipt(
            connector=connector,
            provider_id=said.message_id,
            recipient=str(said.number or said.phone_number).removeprefix("+"),
            outcome=OUTCOMES.get(word, Outcome.FAILED),
            code=code,
            fault=Fault.RECIPIENT if word in OUTCOMES else Fault(word),
            raw=raw,
        )
    ]


def _word(said: _Report, statuses: Mapping[str, str]) -> str:
    """What the most precise code means that somebody knows: the operator first, then we."""
    codes = (str(said.hyber_status), str(said.substatus))
    known = [table[code] for table in (statuses, STATUSES) for code in codes if code in table]
    return known[0] if known else SIMPLE.get(said.status or 0, "progress")


def _incoming(connector: str, said: _Report) -> list[Incoming]:
    text = said.text_from_subscriber or said.media
    if said.status is not None or not (said.phone and text):
        return []
    return [incoming_text(connector, str(said.phone), "", text, said.message_id or "")]


# ---- the provider


class Gms:
    """One account."""

    account_faults = frozenset({"http 401", "http 403", "url"})
    poll_most = 1  # the address names the message

    def __init__(self, settings: GmsConnector) -> None:
        self._settings = settings
        self.poll_s = 30.0 if settings.reports_url else 0.0
        authorization = basic(settings.login, settings.password)
        self._headers = {"authorization": authorization, "content-type": "application/json"}

    def request(self, handover: Handover) -> Request | Never:
        settings, said = self._settings, _content(handover.content)
        if said is None:
            return Never("content not carried", Fault.CONTENT)
        channel, options = said
        sender = registered(handover.sender, settings.senders)
        limits = TTL_S[channel]
        options |= {"alpha_name": sender, "ttl": min(max(handover.lifetime_s, limits[0]), limits[-1])}
        asked = {
            "phone_number": int(handover.recipient),
            "extra_id": handover.key,
            **({"callback_url": settings.callback_url} if settings.callback_url else {}),
            "channels": [channel],
            "channel_options": {channel: options},
        }
        # a name is registered for Viber and for SMS by itself
        return Request(settings.url, msgspec.json.encode(asked), self._headers, scope=f"{channel} {sender}")

    def answer(self, reply: Reply) -> Answer:
        return answer(reply, self._settings.statuses)

    def callback(self, connector: str, callback: Callback) -> Said:
        return parse_callback(connector, callback.body, self._settings.statuses)

    def question(self, provider_ids: Sequence[str]) -> Request:
        (one,) = provider_ids
        url = f"{self._settings.reports_url.rstrip('/')}/api/dr/{quote(one, safe='')}/simple"
        return Request(url, b"", self._headers, "GET")

    def receipts(self, connector: str, provider_ids: Sequence[str], reply: Reply) -> list[Receipt]:
        if reply.status != 200:
            raise ValueError(f"http {reply.status}")
        said = parse_callback(connector, reply.body, self._settings.statuses).receipts
        return [
            one for one in said if one.provider_id in provider_ids and one.outcome is not Outcome.PROGRESS
        ]
