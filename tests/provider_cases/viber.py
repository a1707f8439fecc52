"""Viber's partner API."""

import json

from hopwire.config import ViberConnector
from hopwire.model import Answer, Fault, Later, Never, Outcome, Taken, Unknown
from provider_cases import Cases

TO = "380501234567"
LINK, PICTURE = "https://b.example/", "https://a.example/a.png"


def make(url: str) -> ViberConnector:
    return ViberConnector(url=url, service_ids={"*": 3100}, callback_secret="callback-secret-1234567")


def asks(kind: int, **message: str) -> dict[str, object]:
    told: dict[str, object] = {"service_id": 3100, "dest": TO, "seq": 17, "ttl": 60, "type": kind}
    inside = {f"message.#{name}": value for name, value in message.items()}
    return told | inside | {"message.#tracking_data": "m:17"}


def answered(status: int, answer: Answer) -> tuple[int, bytes, Answer]:
    return 200, json.dumps({"status": status, "seq": 17, "message_token": "53796"}).encode(), answer


def report(**fields: object) -> bytes:
    return json.dumps({"message_token": "53796", "phone_number": TO, "service_id": 3100, **fields}).encode()


NO_SMS = "It is Viber alone."
AT_ONCE = "It is said at once."
ENDINGS = "It reports endings alone."

CASES = Cases(
    make=make,
    asks={
        "text": asks(225, txt="Hi"),
        "image": asks(207, img=PICTURE),
        "image with link": "The image goes without its link.",
        "button": asks(209, txt="Hi", caption="Open", action=LINK),
        "button with image": asks(208, txt="Hi", caption="Open", action=LINK, img=PICTURE),
        "template": {"type": 1702, "templateId": "2c01", "templateLang": "uk", "templateParams.pin": "1234"},
        "SMS": NO_SMS,
        "flash SMS": NO_SMS,
        "WAP push": NO_SMS,
    },
    answers={
        "taken": answered(0, Taken("53796")),
        "not on Viber": answered(9, Never("9", Fault.NO_ACCOUNT)),
        "blocked": answered(8, Never("8", Fault.BLOCKED)),
        "no device": answered(10, Never("10", Fault.RECIPIENT)),
        "bad number": answered(27, Never("27", Fault.NUMBER)),
        "content refused": answered(39, Never("39", Fault.CONTENT)),
        "sender refused": "A service that is refused is our configuration.",
        "configuration refused": answered(2, Never("2", Fault.CONFIGURATION)),
        "no credit": answered(14, Never("14", Fault.CONFIGURATION)),
        "busy": answered(1, Later(1.0, "1")),
        "too many requests": (429, b"", Later(1.0, "http 429", throttled=True)),
        "not authorised": answered(11, Never("11", Fault.CONFIGURATION)),
        "server error": (500, b"<html>", Unknown("http 500")),
        "garbage": (200, b"<html>", Unknown("http 200")),
        "duplicate": answered(12, Unknown("12")),
    },
    reports={
        "delivered": (report(message_status=0), Outcome.DELIVERED, None),
        "seen": (report(message_status=1), Outcome.SEEN, None),
        "expired": (report(message_status=2), Outcome.EXPIRED, None),
        "failed": AT_ONCE,
        "not on Viber": AT_ONCE,
        "blocked": AT_ONCE,
        "on its way": ENDINGS,
        "rejected": AT_ONCE,
        "user reply": (report(message={"text": "Yes", "tracking_data": "m:17"}), None, None),
        "unsubscribed": (report(message_status=5), None, None),
        "unknown event": (report(message_status=1000), None, None),
    },
)
