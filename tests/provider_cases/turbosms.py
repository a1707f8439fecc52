"""TurboSMS."""

import hashlib
import json

from hopwire.config import TurboSmsConnector
from hopwire.model import Fault, Later, Never, Outcome, Taken, Unknown
from provider_cases import Cases

KEY = "17-0-0"
TO = "380501234567"
ID = "f83f8868-5e46-c6cf-e4fb-615e5a293754"
SIGNED = "signature-secret"
LINK, PICTURE = "https://b.example/", "https://a.example/a.png"


def make(url: str) -> TurboSmsConnector:
    return TurboSmsConnector(
        url=url, token="token", signature_secret=SIGNED, callback_secret="callback-secret-1234567"
    )


def asks(block: str, **fields: object) -> dict[str, object]:
    inside = {f"{block}.{name}": value for name, value in {"sender": "Shop", **fields}.items()}
    return {"sequence_id": KEY, "recipients": [TO], **inside}


def answered(code: int, message_id: str | None = None, of_request: int | None = None) -> bytes:
    item = {"phone": TO, "response_code": code, "message_id": message_id, "response_status": "STATUS"}
    whole = code if of_request is None else of_request
    return json.dumps({"response_code": whole, "response_status": "S", "response_result": [item]}).encode()


def event(kind: str, data: object, event_id: str = "e1", secret: str = SIGNED) -> bytes:
    signature = hashlib.sha1(f"{secret}{event_id}".encode()).hexdigest()  # noqa: S324 - as there
    told = {"id": event_id, "signature": signature, "type": kind, "date": "x", "try": 1, "data": data}
    return json.dumps(told).encode()


def report(status: str, rejected: str = "", kind: str = "DLR_VIBER_API") -> bytes:
    return event(kind, {"message_id": ID, "recipient": TO, "status": status, "rejected_status": rejected})


BY_REPORT = "It is taken, and the report says so."

CASES = Cases(
    make=make,
    asks={
        "text": asks("viber", text="Hi", ttl=60),
        "image": asks("viber", image_url=PICTURE),
        "image with link": asks("viber", image_url=PICTURE),  # a link would need a text and a button
        "button": asks("viber", text="Hi", caption="Open", action=LINK),
        "button with image": asks("viber", text="Hi", caption="Open", action=LINK, image_url=PICTURE),
        "template": asks("viber", text="Hi"),
        "SMS": asks("sms", text="Hi"),
        "flash SMS": asks("sms", text="Hi", is_flash=1),
        "WAP push": asks("sms", text=f"Hi {LINK}"),
    },
    answers={
        "taken": (200, answered(0, ID, 800), Taken(ID)),
        "not on Viber": BY_REPORT,
        "blocked": (200, answered(404), Never("404", Fault.BLOCKED)),
        "no device": BY_REPORT,
        "bad number": (200, answered(305), Never("305", Fault.NUMBER)),
        "content refused": (200, answered(412), Never("412", Fault.CONTENT)),
        "sender refused": (200, answered(400), Never("400", Fault.SENDER)),
        "configuration refused": (200, answered(421), Never("421", Fault.CONFIGURATION)),
        "no credit": (
            200,
            b'{"response_code":203,"response_status":"REQUIRED_BALANCE","response_result":null}',
            Never("203", Fault.CONFIGURATION),
        ),
        "busy": (200, answered(504), Later(5.0, "504", tries=3)),
        "too many requests": (429, b"", Later(1.0, "http 429", throttled=True)),
        "not authorised": (
            200,
            b'{"response_code":301,"response_status":"INVALID_TOKEN","response_result":null}',
            Never("301", Fault.CONFIGURATION),
        ),
        "server error": (500, b"", Unknown("http 500")),
        "garbage": (200, b"<html>", Unknown("http 200")),
        "duplicate": (200, answered(0, ID, 507), Taken(ID)),
    },
    reports={
        "delivered": (report("Delivered"), Outcome.DELIVERED, None),
        "seen": (report("Read"), Outcome.SEEN, None),
        "expired": (report("Expired"), Outcome.EXPIRED, None),
        "failed": (report("Undelivered"), Outcome.FAILED, Fault.RECIPIENT),
        "not on Viber": (report("Rejected", "SRVC_NOT_VIBER_USER"), Outcome.FAILED, Fault.NO_ACCOUNT),
        "blocked": (report("Rejected", "SRVC_USER_BLOCKED"), Outcome.FAILED, Fault.BLOCKED),
        "on its way": (report("Sent"), Outcome.PROGRESS, None),
        "rejected": (report("Rejected"), Outcome.FAILED, Fault.RECIPIENT),
        "user reply": (
            event("INBOX_VIBER_SESSION", {"phone": TO, "text": "Hi", "sender": "Shop", "message_id": ID}),
            None,
            None,
        ),
        "unsubscribed": "TurboSMS does not tell.",
        "unknown event": (event("VIBER_BUTTON_CLICK", {"message_id": ID}), None, None),
    },
)
