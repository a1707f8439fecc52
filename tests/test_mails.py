"""Mail that waits: who is given it, how often it is tried, what is left of it."""

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from command_line import CommandLine
from conftest import NOW, open_account, run_sql
from post import Box, Security, boxed
from system import PATIENCE_S

from hopwire import mail
from hopwire.cli.console import Ending
from hopwire.config import Config
from hopwire.config import Mail as MailSettings
from hopwire.model import Account
from hopwire.postman import Postman, at_work
from hopwire.store import Store
from hopwire.store.directory import Directory
from hopwire.store.mails import DAY_MS, SETTLED_MS, Letter, Mails, pause_ms
from hopwire.store.notices import Notice, give

LETTER = Letter("anna@shop.example", "Ваш код — 1", "https://sms.example/reset/secret-link\n\nПривіт.\n")
NOBODY = Letter("", "s", "b")
LEASE_MS = 1000


@pytest.fixture
async def box() -> AsyncIterator[Box]:
    async with boxed() as made:
        yield made


@pytest.fixture
def mails(store: Store) -> Mails:
    return Mails(store.engine)


# ---- the store


async def test_a_letter_is_given_to_one_until_his_lease_ends(mails: Mails) -> None:
    await mails.put([LETTER, NOBODY], NOW)
    first, second = await mails.take(10, LEASE_MS, NOW)
    assert (first.letter, first.tries, second.letter) == (LETTER, 1, NOBODY)
    assert await mails.take(10, LEASE_MS, NOW + LEASE_MS - 1) == []
    assert [one.tries for one in await mails.take(10, LEASE_MS, NOW + LEASE_MS)] == [2, 2]


async def test_of_many_who_take_at_once_each_letter_is_given_to_one(mails: Mails) -> None:
    await mails.put([LETTER] * 6, NOW)
    taken = await asyncio.gather(*(mails.take(2, LEASE_MS, NOW) for _ in range(5)))
    ids = [one.id for some in taken for one in some]
    assert len(set(ids)) == len(ids)


async def test_what_was_sent_is_not_there_any_more(store_url: str, mails: Mails) -> None:
    await mails.put([LETTER], NOW)
    (one,) = await mails.take(1, LEASE_MS, NOW)
    await mails.sent([one.id])
    assert run_sql(store_url, "SELECT count(*) FROM mails") == [(0,)]


async def test_it_is_tried_again_after_pauses_that_grow_and_given_up_after_a_day(
    store_url: str, mails: Mails
) -> None:
    await mails.put([LETTER], NOW)
    now, tries = NOW, 0
    while taken := await mails.take(1, LEASE_MS, now):
        tries += 1
        assert taken[0].tries == tries
        given_up = await mails.later(taken, now)
        assert bool(given_up) == (now >= NOW + DAY_MS)
        assert await mails.take(1, LEASE_MS, now + pause_ms(tries) - 1) == []
        now += pause_ms(tries)
    assert 24 < tries < 40
    assert run_sql(store_url, "SELECT count(*) FROM mails") == [(0,)]


# ---- notices


def about(account: Account, notice: Notice) -> Letter:
    return Letter(account.email, notice.kind, notice.detail)


async def given(store: Store, *notices: Notice) -> None:
    await store.engine.write(lambda tx: give(tx, notices))


async def test_a_notice_is_mailed_once_to_who_wants_it(
    store: Store, mails: Mails, directory: Directory
) -> None:
    wants = await open_account(directory, login="wants")
    silent = await open_account(directory, login="silent")
    await directory.set_account(wants.id, {"email": "a@b.example", "mailed": "held,low_balance"})
    await directory.set_account(silent.id, {"email": "c@d.example"})
    await given(
        store,
        Notice(NOW, wants.id, "low_balance", "d1", "5.00"),
        Notice(NOW, wants.id, "spend_day_50", "d1"),
        Notice(NOW, silent.id, "low_balance", "d1"),
        Notice(NOW - 2 * DAY_MS, wants.id, "held", "long ago"),
    )
    assert await mails.waits(NOW)
    assert await mails.put_notices(about, NOW + SETTLED_MS - 1) == 0
    both = [mails.put_notices(about, NOW + SETTLED_MS) for _ in range(3)]
    assert sum(await asyncio.gather(*both)) == 1
    (put,) = await mails.take(10, LEASE_MS, NOW + SETTLED_MS)
    assert not await mails.waits(NOW + SETTLED_MS)
    assert await mails.waits(NOW + SETTLED_MS + LEASE_MS)
    assert put.letter == Letter("a@b.example", "low_balance", "5.00")
    await given(store, Notice(NOW + 10_000, wants.id, "held", "d2"))
    assert await mails.put_notices(about, NOW + 20_000) == 1


# ---- a mail server


async def test_a_letter_arrives_as_it_was_written(box: Box) -> None:
    await mail.send(box.settings(), "Шлюз", *LETTER)
    (came,) = box.letters
    assert (came["To"], came["Subject"]) == (LETTER.recipient, LETTER.subject)
    assert came["From"] == "Шлюз <hopwire@example.net>"
    assert came.get_content().replace("\r\n", "\n") == LETTER.body
    assert came["Auto-Submitted"] == "auto-generated"


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_nothing_is_told_to_a_server_without_tls_where_that_is_wanted(
    box: Box, security: Security
) -> None:
    with pytest.raises(mail.MailError):
        await mail.send(box.settings(security=security), "Hopwire", *LETTER)
    assert box.letters == []


@pytest.mark.parametrize(
    ("rcpt", "data", "final"),
    [
        pytest.param("550 no such user", "250 OK", True, id="nobody is there"),
        pytest.param("450 later", "250 OK", False, id="not now"),
        pytest.param("250 OK", "554 spam", False, id="the letter is not liked"),
    ],
)
async def test_what_a_server_does_not_like_is_told_without_the_letter(
    box: Box, rcpt: str, data: str, final: bool
) -> None:
    box.rcpt, box.data = rcpt, data
    with pytest.raises(mail.MailError) as told:
        await mail.send(box.settings(), "Hopwire", *LETTER)
    assert told.value.final is final
    assert "example" not in str(told.value)
    assert "secret" not in str(told.value)


# ---- the postman


def postman(store: Store, settings: MailSettings, now: int = NOW) -> Postman:
    return Postman(store.engine, Config(mail=settings), about, lambda: now)


async def test_what_waits_is_sent_and_then_forgotten(
    store: Store, store_url: str, mails: Mails, box: Box, caplog: pytest.LogCaptureFixture
) -> None:
    await mails.put([LETTER, NOBODY], NOW)
    with caplog.at_level(logging.DEBUG):
        assert await postman(store, box.settings()).turn() == 2
        assert await postman(store, box.settings()).turn() == 0
    assert [came["To"] for came in box.letters] == [LETTER.recipient]
    assert run_sql(store_url, "SELECT count(*) FROM mails") == [(0,)]
    ours = [one.getMessage() for one in caplog.records if one.name != "mail.log"]  # the server's own
    assert any(line.startswith("mail id=1") for line in ours)
    assert not [line for line in ours if "secret" in line or "anna" in line]


async def test_a_server_that_is_away_gets_it_later(store: Store, mails: Mails, box: Box) -> None:
    await mails.put([LETTER], NOW)
    away = MailSettings(host="127.0.0.1", port=1, security="none", sender="h@example.net")
    assert await postman(store, away).turn() == 1
    assert await postman(store, box.settings(), NOW + pause_ms(1) - 1).turn() == 0
    assert await postman(store, box.settings(), NOW + pause_ms(1)).turn() == 1
    assert len(box.letters) == 1


async def test_nobody_is_asked_twice_who_is_not_there(
    store: Store, store_url: str, mails: Mails, box: Box
) -> None:
    box.rcpt = "550 no such user"
    await mails.put([LETTER], NOW)
    await postman(store, box.settings()).turn()
    assert run_sql(store_url, "SELECT count(*) FROM mails") == [(0,)]


async def test_of_two_postmen_one_sends(store: Store, mails: Mails, box: Box) -> None:
    await mails.put([LETTER] * 4, NOW)
    await asyncio.gather(*(postman(store, box.settings()).turn() for _ in range(4)))
    assert len(box.letters) == 4


async def test_he_goes_round_until_he_is_stopped(store: Store, mails: Mails, box: Box) -> None:
    async with at_work(postman(store, box.settings())):
        await mails.put([LETTER], NOW)
        async with asyncio.timeout(PATIENCE_S):
            await box.arrival.wait()


# ---- the command


def test_the_command_says_why_a_letter_does_not_leave(tmp_path: Path) -> None:
    settings = "[mail]\nhost = '127.0.0.1'\nport = 1\nsender = 'h@example.net'\n"
    line = CommandLine(f"sqlite:{tmp_path}/hopwire.db", tmp_path, settings)
    ending, told = line.fails("mail", "test", "anna@shop.example")
    assert (ending, told) == (
        Ending.FAILURE,
        "127.0.0.1:1 did not take the letter: SMTPConnectError",
    )
    assert line.fails("mail", "test", "nobody")[0] is Ending.USAGE
    none = CommandLine(f"sqlite:{tmp_path}/hopwire.db", tmp_path)
    assert none.fails("mail", "test", "a@b.example") == (Ending.CONFIG, "mail.host: is missing")


async def test_the_command_hands_a_letter_over(tmp_path: Path, box: Box) -> None:
    settings = "[mail]\n" + "".join(f"{name} = {value!r}\n" for name, value in box.section.items())
    line = CommandLine(f"sqlite:{tmp_path}/hopwire.db", tmp_path, settings)
    (told,) = await asyncio.to_thread(line.does, "mail", "test", "Anna@shop.example")
    assert told == {"recipient": "anna@shop.example", "result": "taken"}
    assert (await box.letter())["To"] == "anna@shop.example"
