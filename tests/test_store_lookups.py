"""What an operator looks for: accounts, keys, names, stop lists, entries of the audit, the database."""

from conftest import NOW, open_account

from hopwire.model import AccountStatus, Actor
from hopwire.store import Store
from hopwire.store.about import about, migrations
from hopwire.store.audit import Audit
from hopwire.store.directory import Directory
from hopwire.store.inbox import EVERYONE, Inbox
from hopwire.store.ledger import Ledger
from hopwire.store.senders import APPROVED, REQUESTED, SenderName, Senders
from hopwire.store.sessions import GUEST_MS, Sessions


async def made(directory: Directory, login: str, **traits: object) -> int:
    account_id = await directory.create_account(login, "", NOW, **traits)  # type: ignore[arg-type]
    assert account_id is not None
    return account_id


async def found(directory: Directory, typed: str = "", **which: object) -> list[str]:
    return [one.login for one in await directory.find_accounts(typed, **which)]  # type: ignore[arg-type]


async def test_accounts_are_found_by_login_customer_address_and_id(directory: Directory) -> None:
    first = await made(directory, "First", customer="ТОВ Ромашка", email="a_b@example.com")
    await made(directory, "second", customer="Acme 100%", parent_id=first)
    third = await made(directory, "third", status=AccountStatus.PAUSED)
    assert await found(directory) == ["third", "second", "First"]
    assert await found(directory, "FIRST") == ["First"]
    assert await found(directory, "ромашка") == ["First"]
    assert await found(directory, "acme") == ["second"]
    assert await found(directory, "%") == ["second"], "a sign that LIKE knows stands for itself"
    assert await found(directory, "a_b@") == ["First"]
    assert await found(directory, "a!b") == []
    assert await found(directory, str(third)) == ["third"]
    assert await found(directory, "9" * 40) == []
    assert await found(directory, "\0") == []
    assert await found(directory, status=AccountStatus.PAUSED) == ["third"]
    assert [one.login for one in await directory.sub_accounts(first, 10)] == ["second"]
    assert await directory.sub_accounts(first, 10, before=first) == []
    assert await directory.sub_accounts(third, 10) == []


async def test_accounts_come_page_by_page(directory: Directory) -> None:
    ids = [await made(directory, f"a{n}") for n in range(5)]
    assert await found(directory, n=2) == ["a4", "a3"]
    assert await found(directory, n=2, before=ids[3]) == ["a2", "a1"]
    assert await found(directory, n=2, before=ids[0]) == []


async def test_an_account_is_found_by_its_id_and_its_login_told(directory: Directory) -> None:
    one = await made(directory, "one")
    account = await directory.account(one)
    assert account is not None and account.login == "one"
    assert await directory.account(one + 1) is None
    assert await directory.logins([one, one, 999]) == {one: "one"}
    assert await directory.set_account(999, {"customer": "x"}) is None


async def test_keys_and_names_of_one_account(directory: Directory) -> None:
    one, other = await made(directory, "one"), await made(directory, "other")
    key = await directory.create_key(one, "d1", "hw_live_aaaa", "", NOW)
    await directory.create_key(other, "d2", "hw_live_bbbb", "", NOW)
    assert [k.id for k in await directory.keys_of(one)] == [key]
    senders = Senders(directory.engine)
    asked = SenderName(one, "B", state=REQUESTED, changed_at=NOW + 1)
    earlier = SenderName(other, "A", state=REQUESTED, changed_at=NOW)
    approved = SenderName(one, "C", state=APPROVED)
    await senders.put([asked, earlier, approved])
    assert await senders.of(one) == [asked, approved]
    assert await senders.requested(10) == [earlier, asked], "who has waited longest comes first"
    assert await senders.requested(1) == [earlier]


async def test_money_is_moved_once_by_what_was_sent_twice(directory: Directory) -> None:
    account, ledger = await open_account(directory), Ledger(directory.engine)
    shown = NOW + 1000
    assert await ledger.move_once("topup", account.id, 5, "a", shown, shown + 10) == 5
    assert await ledger.move_once("topup", account.id, 5, "a", shown, shown + 10) is None
    assert await ledger.move_once("adjustment", account.id, 5, "b", shown, shown + 20) is None
    assert await ledger.move_once("adjustment", account.id, -2, "b", shown + 11, shown + 20) == 3
    assert not any((await directory.fsck()).values())


async def test_a_clock_that_is_behind_does_not_let_money_move_twice(directory: Directory) -> None:
    account, ledger = await open_account(directory), Ledger(directory.engine)
    assert await ledger.move_once("topup", account.id, 5, "a", NOW + 5000, NOW) == 5
    assert await ledger.move_once("topup", account.id, 5, "a", NOW + 5000, NOW + 1) is None


async def test_stop_lists_are_gone_through_in_the_order_of_numbers(store: Store) -> None:
    inbox = Inbox(store.engine)
    for account_id, number in ((2, "380501"), (1, "380502"), (EVERYONE, "380501"), (1, "380503")):
        await inbox.stop(account_id, number, NOW, "said so")

    def seen(stops: list[object]) -> list[tuple[int, str]]:
        return [(one.account_id, one.number) for one in stops]  # type: ignore[attr-defined]

    assert seen(list(await inbox.stops(("", 0), 3))) == [(0, "380501"), (2, "380501"), (1, "380502")]
    assert seen(list(await inbox.stops(("380501", 0), 10))) == [(2, "380501"), (1, "380502"), (1, "380503")]
    assert seen(list(await inbox.stops_with("+380501", 10))) == [(0, "380501"), (2, "380501")]


async def test_entries_of_the_audit_are_found_by_object_and_actor(store: Store) -> None:
    audit = Audit(store.engine)
    await audit.write(Actor("boss", "10.0.0.1"), "sign in as", "account 1", {"why": "help"})
    await audit.write(Actor("operator 2 as shop"), "leave", "account 1 sender A_B")
    await audit.write(Actor("boss"), "sign in as", "account 11")

    async def objects(**which: str) -> list[str]:
        return [one.object for one in await audit.entries(10, **which)]  # type: ignore[arg-type]

    assert await objects(object="account 1") == ["account 1 sender A_B", "account 1"]
    assert await objects(object="account %") == []
    assert await objects(actor="shop") == ["account 1 sender A_B"]
    assert await objects(actor="boss", object="account 11") == ["account 11"]
    assert (await audit.verify())[0] == 3


async def test_an_operator_in_the_cabinet_of_another_stays_an_hour_at_most(directory: Directory) -> None:
    boss, shop = await made(directory, "boss", operator=True), await made(directory, "shop")
    sessions = Sessions(directory.engine)
    cookie = await sessions.begin(shop, "", "", NOW, boss)
    assert await sessions.find(cookie, NOW + GUEST_MS - 1) is not None
    assert await sessions.find(cookie, NOW + GUEST_MS) is None
    cookie = await sessions.begin(shop, "", "", NOW, boss)
    await directory.set_account(boss, {"status": AccountStatus.PAUSED})
    assert await sessions.find(cookie, NOW) is None, "who is no operator any more is no guest, either"


async def test_a_session_may_begin_without_a_password(directory: Directory) -> None:
    shop = await made(directory, "shop")
    sessions = Sessions(directory.engine)
    found = await sessions.find(await sessions.begin(shop, "", "", NOW, proved=False), NOW)
    assert found is not None and found.session.proved_at == 0


async def test_the_database_tells_what_it_is(store: Store) -> None:
    told = await about(store.engine, NOW)
    assert told.engine.partition(" ")[0] in ("SQLite", "PostgreSQL")
    assert told.engine.partition(" ")[2][0].isdigit()
    assert told.schema == max(migrations())
    assert told.bytes > 10_000
    assert (told.waiting, told.oldest_at) == (0, None)
