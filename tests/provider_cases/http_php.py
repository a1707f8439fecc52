"""Another gateway of the `/api/http.php` family."""

import json

from hopwire.config import HttpPhpConnector
from hopwire.model import Answer, Fault, Later, Never, Outcome, Taken, Unknown
from provider_cases import Cases

LINK, PICTURE = "https://b.example/", "https://a.example/a.png"


def make(url: str) -> HttpPhpConnector:
    return HttpPhpConnector(url=f"{url}/api/http.php", key="key", callback_secret="callback-secret-1234567")


def asks(**parameters: str) -> dict[str, object]:
    return {"command": "send", "key": "key", "from": "Shop", "to": "+380501234567", **parameters}


def viber(kind: str, **parameters: str) -> dict[str, object]:
    inside = {f"viber_{name}": value for name, value in parameters.items()}
    return asks(viber="1", viber_sms="0", viber_from="Shop", viber_lifetime="60", viber_type=kind, **inside)


def refused(sentence: str, answer: Answer) -> tuple[int, bytes, Answer]:
    return 200, f"errors:{sentence}\n".encode(), answer


def report(status: str) -> bytes:
    return json.dumps({"msg_id": 17, "status": status, "phone": "380501234567"}).encode()


BY_STATUS = "It is taken, and its status says that it failed."
NO_REASON = "The status does not say why it failed."
NOT_PUSHED = "The protocol tells of statuses alone."

CASES = Cases(
    make=make,
    asks={
        "text": viber("text", message="Hi"),
        "image": viber("image", image=PICTURE),
        "image with link": viber("image", image=PICTURE, url=LINK),
        "button": viber("button", message="Hi", button="Open", url=LINK),
        "button with image": viber("button", message="Hi", button="Open", url=LINK, image=PICTURE),
        "template": viber("text", message="Hi"),
        "SMS": asks(message="Hi"),
        "flash SMS": asks(message="Hi", flash="1"),
        "WAP push": asks(message="Hi", wap=LINK),
    },
    answers={
        "taken": (200, b"id:17\nsms_count:1\n", Taken("17")),
        "not on Viber": BY_STATUS,
        "blocked": refused(
            "Parameter to: this recipient has asked for no more messages",
            Never("recipient_opted_out", Fault.BLOCKED),
        ),
        "no device": BY_STATUS,
        "bad number": refused(
            "Please enter valid receiver phone number", Never("bad_recipient", Fault.NUMBER)
        ),
        "content refused": refused("Please enter SMS text", Never("no_text", Fault.CONTENT)),
        "sender refused": refused(
            "Sender phone should contains only english letters, digits, dot, underscore, dash",
            Never("bad_sender", Fault.SENDER),
        ),
        "configuration refused": refused("Unknown command", Never("unknown_command", Fault.CONFIGURATION)),
        "no credit": refused("Not enough money", Never("not_enough_money", Fault.CONFIGURATION)),
        "busy": refused("Temporarily unavailable", Later(1.0, "unavailable")),
        "too many requests": refused(
            "Too many requests, slow down", Later(1.0, "too_many_requests", throttled=True)
        ),
        "not authorised": refused("Wrong login/password", Never("wrong_credentials", Fault.CONFIGURATION)),
        "server error": (500, b"<html>", Unknown("http 500")),
        "garbage": (200, b"<html>", Unknown("http 200")),
        "duplicate": "The protocol has no key that makes a repeated request known.",
    },
    reports={
        "delivered": (report("DELIVERED"), Outcome.DELIVERED, None),
        "seen": (report("READ"), Outcome.SEEN, None),
        "expired": (report("EXPIRED"), Outcome.EXPIRED, None),
        "failed": (report("UNDELIVERABLE"), Outcome.FAILED, Fault.RECIPIENT),
        "not on Viber": NO_REASON,
        "blocked": NO_REASON,
        "on its way": (report("ROUTING"), None, None),
        "rejected": (report("REJECTED"), Outcome.FAILED, Fault.RECIPIENT),
        "user reply": NOT_PUSHED,
        "unsubscribed": NOT_PUSHED,
        "unknown event": (report("NEW"), None, None),
    },
)
