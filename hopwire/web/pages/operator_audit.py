"""The audit: who has changed what, from where; whether the book of it is whole; and the book as a file."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterable
from typing import NamedTuple

from starlette.responses import Response

from hopwire.store.audit import Audit, Entry
from hopwire.web.pages.forms import Form
from hopwire.web.pages.marks import csv_lines
from hopwire.web.pages.site import Page
from hopwire.web.pages.visit import Visit, Who

SHOWN = 50
CHUNK = 500
PATH = "/operator/audit"
AT_A_LOOK = 6  # facts; the others unfold
COLUMNS = ("id", "time", "who", "from", "action", "object", "before", "after", "digest")
NOTHING: tuple[object, ...] = ("", None, [], {})  # of what is new, this is not told
_ACCOUNT = re.compile(r"account (\d{1,18})\b", re.ASCII)


class Change(NamedTuple):
    """A fact, as it was and as it is; "": it was not there."""

    name: str
    before: str
    after: str


class Told(NamedTuple):
    """An entry as a person reads it."""

    entry: Entry
    account: int | None  # whom it concerns
    changes: list[Change]


async def entries(visit: Visit) -> Response:
    """The newest first: of all, or of one object and by one actor."""
    found = await _some(visit, visit.cursor("before"), SHOWN + 1)
    told = [told_of(one) for one in found[:SHOWN]]
    return visit.render(
        "operator_audit.html",
        form=Form(visit.query),
        told=told,
        few=AT_A_LOOK,
        logins=await visit.directory.logins(one.account for one in told if one.account is not None),
        filtered=bool(visit.query.get("object") or visit.query.get("actor")),
        file=visit.address_with(before=None).replace(PATH, f"{PATH}/file", 1),
        older=visit.address_with(before=found[SHOWN - 1].id) if len(found) > SHOWN else "",
        newest=visit.address_with(before=None) if "before" in visit.query else "",
    )


async def _some(visit: Visit, before: int, n: int) -> list[Entry]:
    object, actor = (visit.query.get(name, "").strip()[:200] for name in ("object", "actor"))
    return await Audit(visit.parts.engine).entries(n, object, before, actor)


def told_of(entry: Entry) -> Told:
    """What an entry says, fact by fact."""
    before, after = json.loads(entry.before), json.loads(entry.after)
    names = [name for name in {**before, **after} if name in before or after[name] not in NOTHING]
    changes = [Change(name, _text(before, name), _text(after, name)) for name in names]
    concerns = _ACCOUNT.match(entry.object)
    return Told(entry, int(concerns[1]) if concerns else None, changes)


def _text(facts: dict[str, object], name: str) -> str:
    """A fact in words: text as it is, anything else as JSON has it."""
    if name not in facts:
        return ""
    value = facts[name]
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


async def verify(visit: Visit) -> Response:
    """Go through the whole book."""
    right, digest, wrong = await Audit(visit.parts.engine).verify()
    return visit.render("operator_audit_verify.html", right=right, digest=digest, wrong=wrong)


async def file(visit: Visit) -> Response:
    """All entries that the filter lets through, as CSV."""
    return visit.file_of("audit.csv", _lines(visit))


async def _lines(visit: Visit) -> AsyncIterator[str]:
    yield csv_lines([COLUMNS])
    before = 2**62
    while found := await _some(visit, before, CHUNK):
        yield csv_lines(_rows(visit, found))
        before = found[-1].id
        await asyncio.sleep(0)  # SQLite's reads do not wait


def _rows(visit: Visit, found: Iterable[Entry]) -> Iterable[tuple[object, ...]]:
    return ((one.id, visit.words.iso(one.at), *one[2:]) for one in found)


PAGES = [
    Page(PATH, entries, Who.OPERATOR),
    Page(PATH + "/verify", verify, Who.OPERATOR),
    Page(PATH + "/file", file, Who.OPERATOR),
]
