"""Templates are kept as they were registered, and every change is told to those who remember them."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from msgspec.structs import replace
from test_templates import registered

from hopwire.store import Store
from hopwire.store.directory import Directory
from hopwire.store.templates import TemplateBook

UK, EN = registered(), registered("Code {{pin}} 'n' ; -- :id", language="en", kind="promotion", active=False)
BANK = registered(sender="Bank")


@pytest.fixture
def book(store: Store) -> TemplateBook:
    return TemplateBook(store.engine)


async def test_templates_come_back_as_they_were_registered(book: TemplateBook) -> None:
    assert await book.all() == []
    await book.put([UK, EN, BANK])
    assert await book.all() == [BANK, EN, UK]


async def test_one_with_the_same_id_sender_and_language_takes_the_place_of_another(
    book: TemplateBook,
) -> None:
    await book.put([UK, EN])
    new = replace(UK, text="New {{pin}}", kind="promotion", active=False)
    await book.put([new])
    assert await book.all() == [EN, new]


@pytest.mark.parametrize(
    ("chosen", "left"),
    [
        pytest.param(("t1",), [], id="by id alone"),
        pytest.param(("t1", "Shop"), [BANK], id="of one sender"),
        pytest.param(("t1", "", "uk"), [EN], id="in one language"),
        pytest.param(("t1", "Shop", "en"), [BANK, UK], id="the one"),
        pytest.param(("t2",), [BANK, EN, UK], id="another id"),
        pytest.param(("t1", "Nobody"), [BANK, EN, UK], id="another sender"),
    ],
)
async def test_templates_are_removed_as_they_are_chosen(
    book: TemplateBook, chosen: tuple[str, ...], left: list[Any]
) -> None:
    await book.put([UK, EN, BANK])
    assert await book.remove(*chosen) == 3 - len(left)
    assert await book.all() == left


async def test_a_template_is_paused_and_resumed(book: TemplateBook) -> None:
    await book.put([UK, BANK])
    assert await book.pause("t1", "Shop") == 1
    assert await book.all() == [BANK, replace(UK, active=False)]
    assert await book.resume("t1") == 2
    assert await book.all() == [BANK, UK]
    assert await book.pause("t2") == await book.resume("t2") == 0


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda book: book.put([UK]), id="one more"),
        pytest.param(lambda book: book.remove("t1"), id="one less"),
        pytest.param(lambda book: book.pause("t1"), id="a pause"),
        pytest.param(lambda book: book.resume("t1"), id="its end"),
    ],
)
async def test_a_change_raises_the_version_by_which_processes_know_of_it(
    book: TemplateBook, directory: Directory, change: Callable[[TemplateBook], Awaitable[Any]]
) -> None:
    await book.put([replace(UK, id="t1")])
    before = await directory.version()
    await change(book)
    assert await directory.version() == before + 1
    await book.all()
    assert await directory.version() == before + 1
