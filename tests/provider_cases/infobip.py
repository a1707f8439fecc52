"""Infobip."""

import json

from hopwire.config import InfobipConnector
from hopwire.model import Fault, Later, Never, Outcome, Taken, Unknown
from provider_cases import Cases

KEY = "17-0-0"
TO = "380501234567"
LINK, PICTURE = "https://b.example/", "https://a.example/a.png"


def make(url: str) -> InfobipConnector:
    return InfobipConnector(url=url, api_key="key", callback_secret="callback-secret-1234567")


def asks(**content: object) -> dict[str, object]:
    told = {
        "sender": "Shop",
        "destinations": [{"to": TO, "messageId": KEY}],
        "options.validityPeriod": {"amount": 60, "timeUnit": "SECONDS"},
    }
    inside = {f"content.{name}": value for name, value in content.items()}
    return {f"messages.0.{path}": value for path, value in (told | inside).items()}


def answered(group: int, code: int, name: str) -> bytes:
    status = {"groupId": group, "groupName": "GROUP", "id": code, "name": name, "description": ""}
    message = {"messageId": KEY, "status": status, "destination": TO}
    return json.dumps({"bulkId": "b", "messages": [message]}).encode()


def problem(status: int) -> bytes:
    told = {"errorCode": f"E{status}", "description": "", "action": "", "violations": [], "resources": []}
    return json.dumps(told).encode()


def report(group: int, status: int, error: int = 0, permanent: bool = True) -> bytes:
    result = {
        "messageId": KEY,
        "to": TO,
        "sender": "Shop",
        "status": {"groupId": group, "id": status, "name": "NAME"},
        "error": {"groupId": 2, "id": error, "name": "NAME", "permanent": permanent},
    }
    return json.dumps({"results": [result]}).encode()


SEEN = {"results": [{"messageId": KEY, "from": TO, "to": "Shop", "sentAt": "x", "seenAt": "y"}]}
REPLY = {
    "results": [{"messageId": "r", "sender": TO, "to": "Shop", "message": {"type": "TEXT", "text": "Hi"}}],
    "messageCount": 1,
}
BUTTON = {"title": "Open", "action": LINK}
BY_REPORT = "It is taken, and the report says so."

CASES = Cases(
    make=make,
    asks={
        "text": asks(type="TEXT", text="Hi"),
        "image": asks(type="IMAGE", mediaUrl=PICTURE),
        "image with link": asks(type="IMAGE", mediaUrl=PICTURE, imageAction=LINK, text=LINK),
        "button": asks(type="TEXT", text="Hi", button=BUTTON),
        "button with image": asks(type="IMAGE", text="Hi", mediaUrl=PICTURE, button=BUTTON),
        "template": asks(type="TEMPLATE"),
        "SMS": asks(text="Hi"),
        "flash SMS": asks(text="Hi") | {"messages.0.options.flash": True},
        "WAP push": asks(text=f"Hi {LINK}"),
    },
    answers={
        "taken": (200, answered(1, 26, "PENDING_ACCEPTED"), Taken(KEY)),
        "not on Viber": BY_REPORT,
        "blocked": BY_REPORT,
        "no device": BY_REPORT,
        "bad number": (
            200,
            answered(5, 52, "REJECTED_INVALID_DESTINATION"),
            Never("52", Fault.NUMBER),
        ),
        "content refused": (400, problem(400), Never("E400", Fault.CONTENT)),
        "sender refused": (200, answered(5, 13, "REJECTED_SENDER"), Never("13", Fault.SENDER)),
        "configuration refused": (
            200,
            answered(5, 19, "REJECTED_ROUTE_NOT_AVAILABLE"),
            Never("19", Fault.CONFIGURATION),
        ),
        "no credit": (
            200,
            answered(5, 12, "REJECTED_NOT_ENOUGH_CREDITS"),
            Never("12", Fault.CONFIGURATION),
        ),
        "busy": (200, answered(5, 21, "REJECTED_SYSTEM_ERROR"), Later(5.0, "21")),
        "too many requests": (429, problem(429), Later(1.0, "http 429", throttled=True)),
        "not authorised": (401, problem(401), Never("http 401", Fault.CONFIGURATION)),
        "server error": (500, problem(500), Unknown("http 500")),
        "garbage": (200, b"<html>", Unknown("http 200")),
        "duplicate": (200, answered(5, 23, "REJECTED_DUPLICATE_MESSAGE_ID"), Taken(KEY)),
    },
    reports={
        "delivered": (report(3, 5), Outcome.DELIVERED, None),
        "seen": (json.dumps(SEEN).encode(), Outcome.SEEN, None),
        "expired": (report(4, 15), Outcome.EXPIRED, None),
        "failed": (report(2, 9, 11), Outcome.FAILED, Fault.RECIPIENT),
        "not on Viber": (report(2, 9, 7002), Outcome.FAILED, Fault.NO_ACCOUNT),
        "blocked": (report(2, 9, 7003), Outcome.FAILED, Fault.BLOCKED),
        "on its way": (report(3, 2), Outcome.PROGRESS, None),
        "rejected": (report(5, 11), Outcome.FAILED, Fault.SENDER),
        "user reply": (json.dumps(REPLY).encode(), None, None),
        "unsubscribed": "Infobip does not tell.",
        "unknown event": (b'{"results":[{"other":1}]}', None, None),
    },
)
