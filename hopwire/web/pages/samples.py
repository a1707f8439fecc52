"""Ready code for the API, in the languages that customers write.

Rule: whatever stands in a sample is quoted as its language has it; a sample does what its title says.
"""

import json
import shlex
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from hopwire.model import ApiKey
from hopwire.web.pages.words import marked as _

Fields = Mapping[str, str]

TO = "380501234567"  # a number to be replaced by the reader's own
SENDER = "Shop"  # the same, of who has no name yet
ID = "84523377"  # what `send` has answered
REST = "<the rest of the key>"


class Task(NamedTuple):
    title: str
    scope: str  # that a key must have for it
    fields: Fields


class Sample(NamedTuple):
    title: str
    text: str


def tasks(sms_sender: str, viber_sender: str) -> tuple[Task, ...]:
    """What programs do, under these names."""
    text = {"to": TO, "message": "Your order is ready"}
    viber = {"viber": "1", "viber_from": viber_sender, "viber_lifetime": "600", "viber_sms": "1"}
    return (
        Task(_("Send an SMS"), "send", {"command": "send", "from": sms_sender, **text}),
        Task(
            _("Viber first, and an SMS after ten minutes if it was not delivered"),
            "send",
            {"command": "send", "from": sms_sender, **text, **viber},
        ),
        Task(_("Ask how a message stands"), "read", {"command": "receive", "id": ID}),
        Task(_("Ask for the balance"), "balance", {"command": "balance"}),
    )


def written(key: ApiKey) -> str:
    """A key as it stands in code where nobody knows the rest of it."""
    return key.prefix + REST


def samples(language: str, url: str, key: str, some: tuple[Task, ...]) -> Iterator[Sample]:
    """The code of tasks; `language` is one of `LANGUAGES`."""
    write = LANGUAGES[language]
    for task in some:
        yield Sample(task.title, write(url, {"key": key, **task.fields}))


def curl(url: str, fields: Fields) -> str:
    lines = [f"  --data-urlencode {shlex.quote(f'{name}={value}')}" for name, value in fields.items()]
    return " \\\n".join([f"curl {shlex.quote(url)}", *lines])


def python(url: str, fields: Fields) -> str:
    return f"""\
from urllib.parse import urlencode
from urllib.request import urlopen

fields = {{
{_table(fields, ": ", json.dumps)}
}}
with urlopen({json.dumps(url)}, urlencode(fields).encode()) as reply:
    print(reply.read().decode())"""


def php(url: str, fields: Fields) -> str:
    return f"""\
<?php
$fields = [
{_table(fields, " => ", _php)}
];
$options = ['http' => [
    'method' => 'POST',
    'header' => 'Content-Type: application/x-www-form-urlencoded',
    'content' => http_build_query($fields),
]];
echo file_get_contents({_php(url)}, false, stream_context_create($options));"""


def javascript(url: str, fields: Fields) -> str:
    return f"""\
const fields = {{
{_table(fields, ": ", json.dumps)}
}};
fetch({json.dumps(url)}, {{ method: "POST", body: new URLSearchParams(fields) }})
  .then((reply) => reply.text())
  .then((text) => console.log(text));"""


LANGUAGES: Mapping[str, Callable[[str, Fields], str]] = {
    "curl": curl,
    "Python": python,
    "PHP": php,
    "JavaScript": javascript,
}


def _table(fields: Fields, between: str, quoted: Callable[[str], str]) -> str:
    return "\n".join(f"    {quoted(name)}{between}{quoted(value)}," for name, value in fields.items())


def _php(text: str) -> str:
    """In single quotes, where only these two signs mean anything."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
