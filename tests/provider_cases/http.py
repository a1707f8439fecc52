"""Any other provider: the invented one of docs/providers/http.md, by the settings that the page has."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

from hopwire.config import GenericConnector, parse
from hopwire.model import Fault, Later, Never, Outcome, Taken, Unknown
from provider_cases import Cases

PAGE = Path(__file__).parent.parent.parent / "docs" / "providers" / "http.md"
TO = "380501234567"
LINK, PICTURE = "https://b.example/", "https://a.example/a.png"


def example(name: str) -> dict[str, Any]:
    """The settings of this connector on the page, with its routes."""
    blocks = re.findall(r"```toml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    return next(tree for tree in map(tomllib.loads, blocks) if name in tree["connectors"])


def settings(name: str, **changes: Any) -> GenericConnector:
    """The connector of the page, with other settings here and there."""
    tree = example(name)
    tree["connectors"][name] |= changes
    connector = parse(tree).connectors[name]
    assert isinstance(connector, GenericConnector)
    return connector


def make(url: str) -> GenericConnector:
    return settings("plain", url=f"{url}/v1/messages")


def asks(channel: str, **fields: object) -> dict[str, object]:
    told = {"phone": TO, "from": "Shop", "reference": "17-0-0", "lifetime": 60, "channel": channel}
    return told | fields


def answered(code: int) -> bytes:
    return json.dumps({"error": code, "message": {"id": "p-1"}}).encode()


def report(event: str) -> bytes:
    return json.dumps({"events": [{"message": {"id": "p-1"}, "phone": TO, "event": event}]}).encode()


BUTTON = {"caption": "Open", "link": LINK}

CASES = Cases(
    make=make,
    asks={
        "text": asks("viber", text="Hi"),
        "image": asks("viber", picture=PICTURE),
        "image with link": asks("viber", picture=PICTURE, button={"link": LINK}),
        "button": asks("viber", text="Hi", button=BUTTON),
        "button with image": asks("viber", text="Hi", picture=PICTURE, button=BUTTON),
        "template": asks("viber", text="Hi"),
        "SMS": asks("sms", text="Hi"),
        "flash SMS": asks("sms", text="Hi", flash=True),
        "WAP push": asks("sms", text=f"Hi {LINK}"),
    },
    answers={
        "taken": (200, answered(0), Taken("p-1")),
        "not on Viber": (200, answered(7), Never("7", Fault.NO_ACCOUNT)),
        "blocked": (200, answered(8), Never("8", Fault.BLOCKED)),
        "no device": "The settings name whatever codes the provider has.",
        "bad number": (400, answered(1), Never("1", Fault.NUMBER)),
        "content refused": (200, answered(3), Never("3", Fault.CONTENT)),
        "sender refused": (200, answered(2), Never("2", Fault.SENDER)),
        "configuration refused": "The settings name whatever codes the provider has.",
        "no credit": (200, answered(5), Never("5", Fault.CONFIGURATION)),
        "busy": (200, answered(6), Later(5.0, "6")),
        "too many requests": (200, answered(4), Later(1.0, "4", throttled=True)),
        "not authorised": (401, b"", Never("http 401", Fault.CONFIGURATION)),
        "server error": (500, b"", Unknown("http 500")),
        "garbage": (200, b"<html>", Unknown("http 200")),
        "duplicate": "Nothing says that a provider knows a message again.",
    },
    reports={
        "delivered": (report("DELIVRD"), Outcome.DELIVERED, None),
        "seen": (report("READ"), Outcome.SEEN, None),
        "expired": (report("EXPIRED"), Outcome.EXPIRED, None),
        "failed": (report("UNDELIV"), Outcome.FAILED, Fault.RECIPIENT),
        "not on Viber": (report("NOTUSER"), Outcome.FAILED, Fault.NO_ACCOUNT),
        "blocked": (report("BLOCKED"), Outcome.FAILED, Fault.BLOCKED),
        "on its way": (report("ENROUTE"), Outcome.PROGRESS, None),
        "rejected": (report("REJECTD"), Outcome.FAILED, Fault.CONTENT),
        "user reply": "Replies are not understood.",
        "unsubscribed": "Replies are not understood.",
        "unknown event": (report("OTHER"), None, None),
    },
)
