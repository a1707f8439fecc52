"""Every channel, case by case, over a socket: what it asks, what it takes for which answer, what reports say.

The cases are in provider_cases/, one file a provider; the manual prints from them what is held here.
"""

import re
from pathlib import Path
from typing import Any

import pytest
from answers import answer_to
from channel_table import (
    ANSWERS,
    CONTENTS,
    REPORTS,
    SMPP_ANSWERS,
    SMPP_CONTENTS,
    SMPP_REPORTS,
    TEMPLATE,
    Held,
    providers,
    table,
)
from http_ends import Far, handover, line, listening
from provider_cases import Cases

from hopwire.channels.http import Callback, HttpChannel, Said, makes_no_sense
from hopwire.channels.providers import PROVIDERS, provider
from hopwire.config import KINDS, HttpConnector
from hopwire.model import Outcome, Taken

NO_SENSE = {"server error", "garbage"}


def cells(which: str) -> list[Any]:
    """Each case there is in one table of the providers', with the provider's cases and its name."""
    return [
        pytest.param(cases, name, case, id=f"{kind}: {name}")
        for kind, cases in providers().items()
        for name, case in getattr(cases, which).items()
        if not isinstance(case, str)
    ]


def found(tree: Any, path: str) -> Any:
    """What is at a dotted path; a number counts the items of a list."""
    for step in path.split("."):
        tree = tree[int(step)] if isinstance(tree, list) else tree[step]
    return tree


async def submitted(channel: HttpChannel, name: str) -> Any:
    template = TEMPLATE if name == "template" else None
    return await answer_to(channel, handover(CONTENTS[name], template=template))


def first(cases: Cases) -> str:
    """A content that this provider carries."""
    return next(name for name, case in cases.asks.items() if not isinstance(case, str))


# ---- the cases


@pytest.mark.parametrize(("cases", "name", "expected"), cells("asks"))
async def test_what_is_asked_has_what_the_case_names(
    cases: Cases, name: str, expected: dict[str, object]
) -> None:
    far = Far()
    async with listening(far) as url, line(cases.make(url)) as channel:
        await submitted(channel, name)
    [asked] = far.asked
    assert {path: found(asked.fields, path) for path in expected} == expected


@pytest.mark.parametrize(("cases", "name", "case"), cells("answers"))
async def test_what_is_answered_means_what_the_case_says(cases: Cases, name: str, case: Any) -> None:
    status, body, answer = case
    far = Far()
    far.says(body, status)
    async with listening(far) as url, line(cases.make(url)) as channel:
        assert await submitted(channel, first(cases)) == answer
        assert channel.state.taken == int(name in ("taken", "duplicate") and isinstance(answer, Taken))
    if not isinstance(answer, Taken):
        assert makes_no_sense(answer) == (name in NO_SENSE), "an answer of its own is a sign of life"


@pytest.mark.parametrize(("cases", "name", "case"), cells("reports"))
def test_what_is_reported_says_what_the_case_says(cases: Cases, name: str, case: Any) -> None:
    body, outcome, fault = case
    reader = provider(cases.make("https://provider.example"))
    said = reader.callback("up", Callback(dict(cases.signed(body)), "", body))
    if outcome is None:
        assert kinds(said) == {"user reply": "incoming", "unsubscribed": "unsubscribed"}.get(name, "")
    else:
        assert kinds(said) == "receipts"
        told = {(one.outcome, one.fault if outcome is Outcome.FAILED else None) for one in said.receipts}
        assert told == {(outcome, fault)}


def kinds(said: Said) -> str:
    """Which kinds of things were said."""
    return " ".join(name for name, value in zip(Said._fields, said, strict=True) if value)


# ---- the table is whole


def test_every_provider_has_its_cases() -> None:
    tags = {kind.__struct_config__.tag for kind in PROVIDERS}
    assert providers().keys() == tags
    assert tags == {tag for tag, kind in KINDS.items() if issubclass(kind, HttpConnector)}


@pytest.mark.parametrize("kind", list(providers()))
def test_a_provider_has_a_case_or_a_reason_for_everything(kind: str) -> None:
    cases = providers()[kind]
    assert [*cases.asks] == [*CONTENTS]
    assert [*cases.answers] == [*ANSWERS]
    assert [*cases.reports] == [*REPORTS]
    reasons = [case for part in cases[1:4] for case in part.values() if isinstance(case, str)]
    assert all(re.fullmatch(r"[A-Z].*\.", reason) for reason in reasons)


@pytest.mark.parametrize("kind", list(providers()))
def test_what_a_provider_carries_has_a_case(kind: str) -> None:
    cases = providers()[kind]
    channel = {name: "sms" if name in ("SMS", "flash SMS", "WAP push") else "viber" for name in CONTENTS}
    carried = {channel[name] for name, case in cases.asks.items() if not isinstance(case, str)}
    assert carried == cases.make("https://provider.example").carries


def test_smpp_has_a_test_or_a_reason_for_everything() -> None:
    tables = (SMPP_CONTENTS, SMPP_ANSWERS, SMPP_REPORTS)
    assert [[*one] for one in tables] == [[*one] for one in (CONTENTS, ANSWERS, REPORTS)]
    for held in (held for one in tables for held in one.values() if isinstance(held, Held)):
        file, _, test = held.by.partition("::")
        text = (Path(__file__).parent / file).read_text("utf-8")
        assert re.search(rf"^(async )?def {test}\(", text, re.MULTILINE), held.by


def test_a_failure_is_told_with_its_fault() -> None:
    for cases in providers().values():
        for case in cases.reports.values():
            assert isinstance(case, str) or (case[1] is Outcome.FAILED) == (case[2] is not None)


def test_the_table_shows_every_cell_and_every_reason() -> None:
    lines = table().splitlines()
    columns = 2 + len(providers())
    rows = [text for text in lines if text.startswith("| ") and not text.startswith(("| | ", "| ---"))]
    assert len(rows) == len(CONTENTS) + len(ANSWERS) + len(REPORTS)
    assert {text.count("|") - 1 for text in lines if text.startswith("|")} == {columns}
    for cases in providers().values():
        for case in (case for part in cases[1:4] for case in part.values() if isinstance(case, str)):
            assert any(text.endswith(f". {case}") for text in lines)
