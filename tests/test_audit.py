"""The audit: what is written, in one transaction with the change, and what is found out."""

import asyncio
import json

import pytest
from conftest import NOW, run_sql

from hopwire.model import Actor, Price
from hopwire.store import Store
from hopwire.store.audit import Audit
from hopwire.store.connectors import Connectors
from hopwire.store.directory import Directory
from hopwire.store.migrate import open_store
from hopwire.store.prices import PriceBook
from hopwire.store.senders import SenderName, Senders
from hopwire.store.templates import TemplateBook
from hopwire.templates import Registered

WHO = Actor("olena", "10.0.0.7")


@pytest.fixture
def directory(store: Store) -> Directory:
    return Directory(store.engine, WHO)


async def newest(store: Store) -> tuple[str, str, dict[str, object], dict[str, object]]:
    (entry,) = await Audit(store.engine).entries(1)
    assert (entry.actor, entry.origin) == WHO
    return entry.action, entry.object, json.loads(entry.before), json.loads(entry.after)


async def test_a_change_is_told_by_what_it_was_and_what_it_is(store: Store, directory: Directory) -> None:
    account = await directory.create_account("shop", "a hash", NOW, credit_limit=5)
    assert account
    action, which, before, after = await newest(store)
    assert (action, which, before) == ("create account", f"account {account}", {})
    assert (after["login"], after["credit_limit"], after["any_sender"]) == ("shop", 5, True)
    await directory.set_account(account, {"credit_limit": 7, "plan": "gold", "time_zone": "Europe/Kyiv"})
    changed = ({"credit_limit": 5, "plan": ""}, {"credit_limit": 7, "plan": "gold"})
    assert await newest(store) == ("change account", f"account {account}", *changed)


async def test_no_secret_is_in_it(store: Store, store_url: str, directory: Directory) -> None:
    account = await directory.create_account("shop", "canary-hash", NOW)
    assert account
    await directory.set_password(account, "canary-password-hash")
    await directory.set_api_password(account, "canary-api-hash")
    await directory.create_key(account, "canary-digest", "hw_live_abcd", "web", NOW)
    rows = run_sql(store_url, "SELECT * FROM audit")
    assert len(rows) == 4
    assert "canary" not in str(rows)
    assert "hw_live_abcd" in str(rows)


async def test_prices_are_told_by_list(store: Store) -> None:
    book = PriceBook(store.engine, WHO)
    await book.put([Price("sms", "380", 500_000), Price("viber", "", 300_000, "transactional", "plan:gold")])
    told = await newest(store)
    assert told == ("change prices", "price list plan:gold", {}, {"viber transactional *": "0.3"})
    await book.put([Price("sms", "380", 600_000)])
    changed = ({"sms 380": "0.5"}, {"sms 380": "0.6"})
    assert await newest(store) == ("change prices", "price list of everyone", *changed)


async def test_names_connectors_and_templates_are_told(store: Store) -> None:
    await Senders(store.engine, WHO).put([SenderName(1, "Shop", "sms", state="refused", note="no papers")])
    refused = {"state": "refused", "note": "no papers"}
    assert await newest(store) == ("sender", "account 1 sender Shop sms", {}, refused)
    await Connectors(store.engine, WHO).pause("smsc", NOW)
    assert await newest(store) == ("pause", "connector smsc", {}, {})
    book = TemplateBook(store.engine, WHO)
    await book.put([Registered(id="7", sender="Shop", language="uk", kind="promotion", text="Sale {{what}}")])
    assert await newest(store) == ("register templates", "templates", {}, {"7 Shop uk": "promotion"})
    await book.pause("7")
    assert await newest(store) == ("pause template", "template 7", {}, {})


async def test_what_did_not_happen_is_not_told(store: Store, directory: Directory) -> None:
    await directory.create_account("shop", "", NOW)
    assert await directory.create_account("shop", "", NOW) is None
    assert not await directory.revoke_key(9, NOW)
    assert await directory.set_account(9, {"plan": "gold"}) is None
    assert not await Senders(store.engine).remove(SenderName(1, "Shop"))
    assert await TemplateBook(store.engine).remove("7") == 0
    assert len(await Audit(store.engine).entries(10)) == 1


# ---- the chain


async def chained(directory: Directory) -> Audit:
    for n in range(5):
        await directory.create_account(f"shop{n}", "", NOW)
    return Audit(directory.engine)


async def test_a_chain_that_is_whole_is_right(directory: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    audit = await chained(directory)
    (last,) = await audit.entries(1)
    assert await audit.verify() == (5, last.digest, None)
    assert len({entry.digest for entry in await audit.entries(9)}) == 5


@pytest.mark.parametrize(
    ("tampering", "right"),
    [
        pytest.param("UPDATE audit SET after = '{}' WHERE object = 'account 3'", 2, id="altered"),
        pytest.param("UPDATE audit SET actor = 'nobody' WHERE object = 'account 3'", 2, id="somebody else"),
        pytest.param("UPDATE audit SET at = at + 1 WHERE object = 'account 3'", 2, id="another time"),
        pytest.param("DELETE FROM audit WHERE object = 'account 3'", 2, id="taken out"),
        pytest.param("DELETE FROM audit WHERE object = 'account 1'", 0, id="the first one taken out"),
    ],
)
async def test_tampering_is_found_out(
    directory: Directory, store_url: str, tampering: str, right: int
) -> None:
    audit = await chained(directory)
    run_sql(store_url, tampering)
    found = await audit.verify()
    assert (found[0], found[2] is not None) == (right, True)


async def test_an_end_that_is_cut_off_has_another_digest(directory: Directory, store_url: str) -> None:
    audit = await chained(directory)
    whole = await audit.verify()
    run_sql(store_url, "DELETE FROM audit WHERE object = 'account 5'")
    cut = await audit.verify()
    assert (cut[0], cut[2]) == (4, None)
    assert cut[1] != whole[1]


async def test_several_processes_write_one_chain(postgres_url: str) -> None:
    stores = [await open_store(postgres_url) for _ in range(3)]
    directories = [Directory(store.engine) for store in stores]
    await asyncio.gather(*(d.create_account(f"shop{n}", "", NOW) for n in range(8) for d in directories))
    right, _, wrong = await Audit(stores[0].engine).verify()
    assert (right, wrong) == (8, None)
    for store in stores:
        await store.close()
