"""Acceptance: whole or not at all, at the prices and for the names of the moment."""

import asyncio
from typing import Any

import pytest
from conftest import NOW, open_account

from hopwire import admission
from hopwire.admission import Admission
from hopwire.errors import ApiError, NotEnoughMoney, SenderNotRegistered, ViberSenderNotRegistered
from hopwire.model import Account, SendRequest, SmsText, Status, ViberText
from hopwire.routing import Carrier, Times
from hopwire.store import Store
from hopwire.store.directory import Directory, Price

CARRIERS = {"sms": {"380": Carrier("smsc")}, "viber": {"380": Carrier("viber")}}
TO = "380671234567"


@pytest.fixture
async def door(store: Store, directory: Directory) -> Admission:
    await directory.put_prices([Price("sms", "", 500), Price("viber", "", 300)])
    made = Admission(store, directory, CARRIERS, Times(3600, 15, 15))
    await made.refresh()
    return made


def request(sender: str = "Shop", viber_sender: str = "", **changes: Any) -> SendRequest:
    viber = ViberText(text="hello") if viber_sender else None
    fields: dict[str, Any] = {"recipient": TO, "sms": SmsText(text="hello"), "sms_sender": sender}
    return SendRequest(**(fields | {"viber": viber, "viber_sender": viber_sender} | changes))


async def refused(door: Admission, account: Account, asked: SendRequest) -> type[ApiError]:
    with pytest.raises(ApiError) as error:
        await door.admit(account, asked, NOW)
    return error.type


async def test_what_it_may_cost_at_most_is_reserved(door: Admission, directory: Directory) -> None:
    account = await open_account(directory, 2000)
    message_id, parts = await door.admit(
        account, request(viber_sender="Shop", sms=SmsText(text="a" * 161)), NOW
    )
    assert (message_id > 0, parts) == (True, 2)
    assert await door.spendable(account) == 2000 - 300 - 2 * 500
    assert await refused(door, account, request(viber_sender="Shop")) is NotEnoughMoney
    assert await door.spendable(account) == 700


async def test_money_for_some_accepts_exactly_those(door: Admission, directory: Directory) -> None:
    account = await open_account(directory, 7 * 500)
    asked = [door.admit(account, request(), NOW) for _ in range(70)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    ids = {answer[0] for answer in answers if isinstance(answer, tuple)}
    assert len(ids) == 7
    assert sum(isinstance(answer, NotEnoughMoney) for answer in answers) == 63
    assert await door.spendable(account) == 0
    assert not any((await directory.fsck()).values())


async def test_an_account_uses_only_its_own_names(door: Admission, directory: Directory) -> None:
    await directory.create_account(
        "own", "", NOW, any_sender=False, sender_names=["Own"], credit_limit=10_000
    )
    await directory.create_account("other", "", NOW, any_sender=False, sender_names=["Shop"])
    await door.refresh()
    account = next(one for one in await directory.accounts() if one.login == "own")
    assert await refused(door, account, request("Shop")) is SenderNotRegistered
    assert await refused(door, account, request("own")) is SenderNotRegistered
    assert await refused(door, account, request("Own", "Shop")) is ViberSenderNotRegistered
    await door.admit(account, request("Own", "Own"), NOW)
    await door.admit(account, request("", "Own", sms=None), NOW)


async def test_a_new_price_counts_when_it_has_been_read(door: Admission, directory: Directory) -> None:
    account = await open_account(directory, 10_000)
    assert door.price(TO) == 500
    await directory.put_prices([Price("sms", "38067", 900)])
    assert door.price(TO) == 500
    await door.refresh()
    assert (door.price(TO), door.price("380501234567"), door.price("48501234567")) == (900, 500, 0)
    await door.admit(account, request(), NOW)
    assert await door.spendable(account) == 10_000 - 900


async def test_the_generation_rises_with_the_directory_alone(door: Admission, directory: Directory) -> None:
    before = door.generation
    await door.refresh()
    assert door.generation == before
    await directory.create_account("more", "", NOW)
    await door.refresh()
    assert door.generation == before + 1


async def test_the_directory_is_watched(
    door: Admission, directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "WATCH_S", 0.001)
    watch = asyncio.create_task(door.watch())
    await directory.put_prices([Price("sms", "380", 1)])
    async with asyncio.timeout(10):
        while door.price(TO) != 1:  # noqa: ASYNC110 - what the watch sees has no event
            await asyncio.sleep(0.001)
    watch.cancel()


class FailingOnce(Directory):
    """A directory that cannot be read the first time it is asked, for a reason nobody thought of."""

    failed = False

    async def version(self) -> int:
        if not self.failed:
            self.failed = True
            raise RuntimeError
        return await super().version()


async def test_the_watch_survives_a_bug(
    store: Store, directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "WATCH_S", 0.001)
    await directory.put_prices([Price("sms", "", 500)])
    door = Admission(store, FailingOnce(directory._engine), CARRIERS, Times(3600, 15, 15))
    watch = asyncio.create_task(door.watch())
    async with asyncio.timeout(10):
        while door.price(TO) != 500:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    watch.cancel()


async def test_a_message_of_another_account_is_nobody_s(door: Admission, directory: Directory) -> None:
    own = await open_account(directory, 1000)
    other = await open_account(directory, 1000, login="other")
    message_id, _ = await door.admit(own, request(send_at=NOW + 60_000), NOW)
    assert await door.standing(other, message_id) is None
    assert await door.delete(other, message_id, NOW) is None
    standing = await door.standing(own, message_id)
    assert standing is not None
    assert standing.status is Status.PENDING


async def test_deleting_gives_the_money_back_once(door: Admission, directory: Directory) -> None:
    account = await open_account(directory, 1000)
    message_id, _ = await door.admit(account, request(send_at=NOW + 60_000), NOW)
    for _ in range(2):
        standing = await door.delete(account, message_id, NOW)
        assert standing is not None
        assert standing.status is Status.DELETED
        assert await door.spendable(account) == 1000
