"""A provider without a file of its own: its requests, replies and callbacks are told by the settings.

Rule 1: what a client writes is put into a request as a value and never as a part of its form: a string of
JSON, or percent-encoded (RFC 3986, 2.1); and it is not looked at again for places to fill in.
Rule 2: a code that the settings do not know leaves the message in doubt; one in doubt is not sent again.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import msgspec

from hopwire.channels.http import UNREADABLE, Callback, Reply, Request, Said, basic, http_answer, registered
from hopwire.config import GenericConnector
from hopwire.config.generic import NUMBERS, PLACEHOLDER, Content
from hopwire.model import (
    Answer,
    Fault,
    FlashSms,
    Handover,
    Later,
    Never,
    Outcome,
    Receipt,
    SmsContent,
    SmsText,
    Taken,
    Unknown,
    ViberButton,
    ViberContent,
    ViberImage,
    ViberText,
    WapPush,
)

OTHERWISE = "*"  # every other code
LONGEST_CODE = 100  # characters that are kept of a code

TYPES = {"json": "application/json", "form": "application/x-www-form-urlencoded"}

ANSWERS: dict[str, Callable[[str], Answer]] = {  # every other word is whose fault it is
    "later": lambda code: Later(5.0, code),
    "throttled": lambda code: Later(1.0, code, throttled=True),
}
OUTCOMES = {one.name.lower(): one for one in Outcome}  # likewise

Words = Mapping[str, str]  # what stands in the places


# ---- what is said


def _content(content: SmsContent | ViberContent) -> tuple[Content, dict[str, str]]:
    """The name of a content, and the words it has."""
    match content:
        case SmsText(text=text):
            return "sms", {"text": text}
        case FlashSms(text=text):
            return "flash", {"text": text}
        case WapPush(text=text, url=url):
            return "wap", {"text": f"{text} {url}".strip()}
        case ViberText(text=text):
            return "text", {"text": text}
        case ViberImage(image=image, url=url):
            return "image", {"image": image, "url": url or ""}
        case ViberButton(text=text, caption=caption, url=url, image=image):
            return "button", {"text": text, "button": caption, "url": url, "image": image or ""}


def _filled(template: object, words: Words) -> Any:
    """A template with its places filled in; None for one of which nothing is left."""
    match template:
        case str() if template[1:-1] in NUMBERS:
            return int(words[template[1:-1]])
        case str():
            return _put(template, words) or (None if template else "")
        case dict():
            fields = {name: _filled(value, words) for name, value in template.items()}
            return {name: value for name, value in fields.items() if value is not None} or None
        case list():
            return [one for one in (_filled(value, words) for value in template) if one is not None]
    return template


def _put(template: str, words: Words, write: Callable[[str], str] = str) -> str:
    return PLACEHOLDER.sub(lambda place: write(words.get(place[1], "")), template)


def _percent(text: str) -> str:
    return quote(text, safe="", errors="replace")


def _flat(fields: Mapping[str, Any]) -> str:
    """Fields as a form or a query has them; what is no text is written as JSON writes it."""
    written = {n: v if isinstance(v, str) else msgspec.json.encode(v).decode() for n, v in fields.items()}
    return urlencode(written, quote_via=quote, errors="replace")


# ---- what is answered


def _found(value: object, path: str) -> object:
    """What stands at a path of names and numbers; None: nothing."""
    for step in path.split("."):
        match value:
            case dict():
                value = value.get(step)
            case list() if step.isdecimal() and int(step) < len(value):
                value = value[int(step)]
            case _:
                return None
    return value


def _text(value: object) -> str:
    """A code or an id as text; what cannot be one is none."""
    match value:
        case bool():
            return str(value).lower()
        case str() | int() | float():
            return str(value)
    return ""


def _reader(settings: GenericConnector) -> Callable[[bytes], Callable[[str], str]]:
    """What reads a reply: the body -> a path or an expression -> what is there."""
    return _read_json if settings.reply == "json" else _read_text


def _read_json(body: bytes) -> Callable[[str], str]:
    try:
        tree = msgspec.json.decode(body)
    except UNREADABLE:
        tree = None
    return lambda path: _text(_found(tree, path)) if path else ""


def _read_text(body: bytes) -> Callable[[str], str]:
    text = body.decode(errors="replace")

    def read(expression: str) -> str:
        found = re.search(expression, text) if expression else None
        return (found[1 if found.re.groups else 0] or "") if found else ""

    return read


# ---- what is reported later


def _reports(settings: GenericConnector, callback: Callback) -> Iterator[object]:
    """Each report of a callback, as a tree. Raises ValueError for garbage."""
    if settings.callback != "json":
        text = callback.query if settings.callback == "query" else callback.body.decode()
        yield dict(parse_qsl(text, keep_blank_values=True))
        return
    try:
        tree = msgspec.json.decode(callback.body)
    except UNREADABLE:
        raise ValueError("the callback is no JSON") from None
    if settings.callback_list:
        tree = _found(tree, settings.callback_list)
    yield from tree if isinstance(tree, list) else [tree]


# ---- the provider


class Generic:
    """One account at whatever provider."""

    account_faults = frozenset({"http 401", "http 403", "url"})

    def __init__(self, settings: GenericConnector) -> None:
        self._settings = settings
        self._read = _reader(settings)
        self._own = {"password": settings.password}
        self._headers = {name.lower(): value for name, value in settings.headers.items()}
        if settings.encoding in TYPES:
            self._headers.setdefault("content-type", TYPES[settings.encoding])
        if settings.login:
            self._headers["authorization"] = basic(settings.login, settings.password)

    def request(self, handover: Handover) -> Request | Never:
        settings = self._settings
        name, words = _content(handover.content)
        own = settings.messages.get(name)
        if own is None:
            return Never("content not carried", Fault.CONTENT)
        words |= self._words(handover)
        said = _filled({**settings.body, **own}, words) or {}
        url, body = _put(settings.url, words, _percent), b""
        match settings.encoding:
            case "json":
                body = msgspec.json.encode(said)
            case "form":
                body = _flat(said).encode()
            case "query" if said:
                url += ("&" if "?" in url else "?") + _flat(said)
        headers = {name: _put(value, words) for name, value in self._headers.items()}
        return Request(url, body, headers, settings.method, scope=words["from"])

    def _words(self, handover: Handover) -> dict[str, str]:
        settings = self._settings
        ttl = str(min(max(handover.lifetime_s, settings.ttl_least_s), settings.ttl_most_s))
        return {
            "to": handover.recipient,
            "to:number": handover.recipient,
            "from": registered(handover.sender, settings.senders),
            "id": handover.key,
            "ttl": ttl,
            "ttl:number": ttl,
            **self._own,
        }

    def answer(self, reply: Reply) -> Answer:
        """What the reply to a message means: its code, where the settings know it, before what HTTP says."""
        settings, read = self._settings, self._read(reply.body)
        code = read(settings.reply_code)[:LONGEST_CODE]
        good = 200 <= reply.status < 300
        word = settings.answers.get(code) if code else None
        if word is None and not good:
            return http_answer(reply.status, reply.headers)
        if settings.reply_code and word is None:
            word = settings.answers.get(OTHERWISE) if code else None
            if word is None:
                return Unknown(code or f"http {reply.status}")
        return self._meant(word or "taken", code, read(settings.reply_id), reply.status)

    def _meant(self, word: str, code: str, provider_id: str, status: int) -> Answer:
        if word == "taken":
            wanted = self._settings.reply_id and not provider_id
            return Unknown(code or f"http {status}") if wanted else Taken(provider_id)
        return ANSWERS[word](code) if word in ANSWERS else Never(code, Fault(word))

    def callback(self, connector: str, callback: Callback) -> Said:
        receipts = [
            receipt
            for report in _reports(self._settings, callback)
            for receipt in self._receipt(connector, report)
        ]
        return Said(receipts=receipts)

    def _receipt(self, connector: str, report: object) -> list[Receipt]:
        """What one report says; nothing, where the settings do not know its code, or it is of no message."""
        settings = self._settings
        found = _named if settings.callback != "json" else _found
        code = _text(found(report, settings.callback_code))[:LONGEST_CODE]
        provider_id = _text(found(report, settings.callback_id)) if settings.callback_id else ""
        number = _text(found(report, settings.callback_number)) if settings.callback_number else ""
        word = settings.outcomes.get(code, settings.outcomes.get(OTHERWISE, "")) if code else ""
        if not word or not (provider_id or number):
            return []
        return [
            Receipt(
                connector=connector,
                provider_id=provider_id,
                recipient=number.removeprefix("+"),
                outcome=OUTCOMES.get(word, Outcome.FAILED),
                code=code,
                fault=Fault.RECIPIENT if word in OUTCOMES else Fault(word),
                raw=msgspec.json.encode(report).decode(),
            )
        ]


def _named(fields: object, name: str) -> object:
    """A field of a form, whose name may have dots."""
    return fields.get(name) if isinstance(fields, dict) else None
