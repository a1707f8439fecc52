"""GMS."""

import json

from hopwire.config import GmsConnector
from hopwire.config.gms import StatusWord
from hopwire.model import Fault, Later, Never, Outcome, Taken, Unknown
from provider_cases import Cases

KEY = "17-0-0"
TO = "380501234567"
ID = "9f60ac8f-e721-5027-b838-e6fcb95fcd7a"
LINK, PICTURE = "https://b.example/", "https://a.example/a.png"
STATUSES: dict[str, StatusWord] = {  # as an operator may have been told
    "24": "seen",
    "35021": "no account",
    "35022": "blocked",
    "35023": "recipient",
    "401": "configuration",
    "402": "sender",
    "403": "number",
    "404": "later",
    "405": "content",
}


def make(url: str) -> GmsConnector:
    secret = "callback-secret-1234567"
    return GmsConnector(
        url=f"{url}/1234", login="login", password="password", statuses=STATUSES, callback_secret=secret
    )


def asks(channel: str, ttl: int, **fields: object) -> dict[str, object]:
    told = {"alpha_name": "Shop", "ttl": ttl, **fields}
    inside = {f"channel_options.{channel}.{name}": value for name, value in told.items()}
    return {"phone_number": int(TO), "extra_id": KEY, "channels": [channel], **inside}


def refused(code: int) -> bytes:
    return json.dumps({"error_code": code, "error_text": "Refused", "accepted": False}).encode()


def report(status: int, substatus: int, hyber_status: int) -> bytes:
    codes = {"status": status, "substatus": substatus, "hyber_status": hyber_status}
    where = {"number": int(TO), "message_id": ID, "extra_id": KEY, "sent_via": "viber"}
    return json.dumps({**where, **codes, "time": 1477417294667}).encode()


REPLY = {
    "phone": "+" + TO,
    "time": "2016-12-07 20:55:09",
    "channel": "viber",
    "message_id": ID,
    "extra_id": KEY,
    "text_to_subscriber": "Hi",
    "text_from_subscriber": "Дякую",
}
BY_REPORT = "It is taken, and the report says so."

CASES = Cases(
    make=make,
    asks={
        "text": asks("viber", 60, text="Hi"),
        "image": asks("viber", 60, img=PICTURE),
        "image with link": "The image goes without its link.",
        "button": asks("viber", 60, text="Hi", caption="Open", action=LINK),
        "button with image": asks("viber", 60, text="Hi", caption="Open", action=LINK, img=PICTURE),
        "template": asks("viber", 60, text="Hi"),
        "SMS": asks("sms", 300, text="Hi"),
        "flash SMS": "GMS has no flash messages.",
        "WAP push": asks("sms", 300, text=f"Hi {LINK}"),
    },
    answers={
        "taken": (200, json.dumps({"message_id": ID}).encode(), Taken(ID)),
        "not on Viber": BY_REPORT,
        "blocked": BY_REPORT,
        "no device": BY_REPORT,
        "bad number": (200, refused(403), Never("403", Fault.NUMBER)),
        "content refused": (400, refused(405), Never("405", Fault.CONTENT)),
        "sender refused": (200, refused(402), Never("402", Fault.SENDER)),
        "configuration refused": (200, refused(401), Never("401", Fault.CONFIGURATION)),
        "no credit": "GMS's table of codes is not public.",
        "busy": (200, refused(404), Later(5.0, "404")),
        "too many requests": (429, b"", Later(1.0, "http 429", throttled=True)),
        "not authorised": (401, b"", Never("http 401", Fault.CONFIGURATION)),
        "server error": (500, b"", Unknown("http 500")),
        "garbage": (200, b"<html>", Unknown("http 200")),
        "duplicate": "Nothing says that GMS knows a message again.",
    },
    reports={
        "delivered": (report(2, 23, 23033), Outcome.DELIVERED, None),
        "seen": (report(2, 24, 24033), Outcome.SEEN, None),
        "expired": (report(3, 35, 35015), Outcome.EXPIRED, None),
        "failed": (report(3, 36, 36001), Outcome.FAILED, Fault.RECIPIENT),
        "not on Viber": (report(3, 35, 35021), Outcome.FAILED, Fault.NO_ACCOUNT),
        "blocked": (report(3, 35, 35022), Outcome.FAILED, Fault.BLOCKED),
        "on its way": (report(1, 12, 12011), Outcome.PROGRESS, None),
        "rejected": (report(3, 36, 402), Outcome.FAILED, Fault.SENDER),
        "user reply": (json.dumps(REPLY).encode(), None, None),
        "unsubscribed": "It does not tell.",
        "unknown event": (b'{"event":"other"}', None, None),
    },
)
