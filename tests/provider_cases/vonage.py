"""Vonage. A report must be signed, so it comes as `signed` makes it."""

import hashlib
import json
import time
from typing import Any

import jwt

from hopwire.channels.http import Callback
from hopwire.config import VonageConnector
from hopwire.model import Fault, Later, Never, Outcome, Taken, Unknown
from provider_cases import Cases

KEY = "17-0-0"
TO = "380501234567"
ID = "aaaaaaaa-bbbb-4ccc-8ddd-0123456789ab"
SIGNED = "signature-secret-of-the-account-1234567"
LINK, PICTURE = "https://b.example/", "https://a.example/a.png"
ERRORS = "https://developer.vonage.com/api-errors/messages#"


def make(url: str) -> VonageConnector:
    return VonageConnector(
        url=url,
        api_key="key",
        api_secret="secret",
        signature_secret=SIGNED,
        callback_secret="callback-secret-1234567",
    )


def asks(kind: str, **fields: object) -> dict[str, object]:
    return {
        "channel": "viber_service",
        "message_type": kind,
        "to": TO,
        "from": "Shop",
        "client_ref": KEY,
        "viber_service.ttl": 60,
        "viber_service.category": "promotion",
        **{name.replace("__", "."): value for name, value in fields.items()},
    }


def sms(text: str) -> dict[str, object]:
    return {"channel": "sms", "message_type": "text", "to": TO, "from": "Shop", "text": text, "ttl": 60}


def problem(code: int | str, title: str = "Refused") -> bytes:
    return json.dumps({"type": f"{ERRORS}{code}", "title": title, "detail": "", "instance": "i"}).encode()


def report(status: str, code: int | None = None) -> bytes:
    told: dict[str, Any] = {"message_uuid": ID, "to": TO, "from": "Shop", "status": status}
    if code is not None:
        told["error"] = {"type": f"{ERRORS}{code}", "title": code, "detail": "", "instance": "i"}
    return json.dumps(told | {"client_ref": KEY, "channel": "viber_service"}).encode()


def signed(body: bytes, secret: str = SIGNED, **claims: Any) -> Callback:
    """The callback as Vonage signs it; a claim that is None is left out."""
    usual = {"iat": int(time.time()), "jti": "j", "payload_hash": hashlib.sha256(body).hexdigest()}
    said = {name: value for name, value in (usual | claims).items() if value is not None}
    token = jwt.encode(said, secret, algorithm="HS256")
    return Callback({"authorization": f"Bearer {token}"}, "", body)


REPLY = {
    "channel": "viber_service",
    "message_uuid": "in-1",
    "to": "16273",
    "from": TO,
    "timestamp": "2026-01-01T14:00:00.000Z",
    "message_type": "text",
    "text": "Дякую",
    "context": {"message_uuid": ID},
}
ACTION = {"url": LINK, "text": "Open"}
BY_REPORT = "It is taken, and the report says so."

CASES = Cases(
    make=make,
    asks={
        "text": asks("text", text="Hi"),
        "image": asks("image", image={"url": PICTURE}),
        "image with link": "The image goes without its link.",
        "button": asks("text", text="Hi", viber_service__action=ACTION),
        "button with image": asks(
            "image", image={"url": PICTURE, "caption": "Hi"}, viber_service__action=ACTION
        ),
        "template": asks("text", text="Hi", viber_service__type="template")
        | {"viber_service.category": "transaction"},
        "SMS": sms("Hi"),
        "flash SMS": "The Messages API has no flash messages.",
        "WAP push": sms(f"Hi {LINK}"),
    },
    answers={
        "taken": (202, json.dumps({"message_uuid": ID}).encode(), Taken(ID)),
        "not on Viber": BY_REPORT,
        "blocked": BY_REPORT,
        "no device": BY_REPORT,
        "bad number": (422, problem(1430), Never("1430", Fault.NUMBER)),
        "content refused": (422, problem(1022), Never("1022", Fault.CONTENT)),
        "sender refused": (422, problem(1420), Never("1420", Fault.SENDER)),
        "configuration refused": (422, problem(1140), Never("1140", Fault.CONFIGURATION)),
        "no credit": (402, problem("low-balance"), Never("low-balance", Fault.CONFIGURATION)),
        "busy": (422, problem(1030), Later(5.0, "1030")),
        "too many requests": (429, problem(1000), Later(1.0, "http 429", throttled=True)),
        "not authorised": (401, problem("unauthorized"), Never("http 401", Fault.CONFIGURATION)),
        "server error": (500, problem(1030), Unknown("http 500")),
        "garbage": (202, b"<html>", Unknown("http 202")),
        "duplicate": (422, problem(1320), Unknown("1320")),
    },
    reports={
        "delivered": (report("delivered"), Outcome.DELIVERED, None),
        "seen": (report("read"), Outcome.SEEN, None),
        "expired": (report("rejected", 1360), Outcome.EXPIRED, None),
        "failed": (report("undeliverable", 1260), Outcome.FAILED, Fault.RECIPIENT),
        "not on Viber": (report("rejected", 1300), Outcome.FAILED, Fault.NO_ACCOUNT),
        "blocked": (report("rejected", 1240), Outcome.FAILED, Fault.BLOCKED),
        "on its way": (report("submitted"), Outcome.PROGRESS, None),
        "rejected": (report("rejected", 1120), Outcome.FAILED, Fault.SENDER),
        "user reply": (json.dumps(REPLY).encode(), None, None),
        "unsubscribed": "It does not tell.",
        "unknown event": (report("other"), None, None),
    },
    signed=lambda body: signed(body).headers,
)
