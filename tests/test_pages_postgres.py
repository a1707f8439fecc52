"""Every page over PostgreSQL, with something of every kind to show; the other tests of pages use SQLite."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from cabinet import Cabinet, filled, opened
from gateway import TO
from test_pages_messages import came, hold, redirected, report, send_both
from test_pages_operator_approvals import RIGHT
from test_pages_send import later
from test_store_connectors import UP

from hopwire.admission import now_ms
from hopwire.contents import Draft
from hopwire.lists import pasted
from hopwire.mailings import read_in
from hopwire.minutes import MINUTE_MS, Minute
from hopwire.model import Fault, Never, Outcome, Price, Route, Taken, Way
from hopwire.store.connectors import Connectors
from hopwire.store.inbox import EVERYONE, Inbox
from hopwire.store.ledger import Ledger
from hopwire.store.mailings import Mailings, Texts
from hopwire.store.mails import Letter
from hopwire.store.prices import PriceBook
from hopwire.store.registrations import Registration, Registrations
from hopwire.store.requests import Asked
from hopwire.store.routes import Routes
from hopwire.store.senders import REQUESTED, SenderName, Senders
from hopwire.store.templates import TemplateBook
from hopwire.templates import Registered
from hopwire.web.pages import PAGES
from hopwire.web.pages.visit import Who

pytestmark = pytest.mark.asyncio(loop_scope="session")

SEARCH = (
    "number=%2B380501234567", "number=4567", "text=parcel", "status=3,116", "status=0", "channel=viber",
    "channel=sms", "sender=test", "message=1", "since=2020-01-01T00:00&until=2100-01-01T00:00", "before=3",
)  # fmt: skip
FILTERS = {  # of pages, beside what they show by themselves
    "/console": ("command=price",),
    "/inbox": ("before=2",),
    "/mailings": ("before=2",),
    "/messages": SEARCH,
    "/messages.csv": SEARCH,
    "/money": ("month=2020-02", "to=0501112233", "before=9999999999999-1"),
    "/money/statement": ("month=2020-02",),
    "/operator/accounts": ("q=shop", "q=1", "q=%25", "state=active", "reseller=1", "before=2"),
    "/operator/accounts/1/money/check": ("kind=topup&amount=1&note=x", "kind=adjustment&amount=-1&note=x"),
    "/operator/accounts/1/statement": ("month=2020-02",),
    "/operator/approvals/templates": ("q=%D0%BA%D0%BE%D0%B4",),
    "/operator/audit": ("object=account", "actor=boss", "object=x&actor=y&before=9"),
    "/operator/audit/file": ("object=account",),
    "/operator/holds": ("account=shop", "block=3805077", "after=1"),
    "/operator/messages": ("account=shop", *SEARCH),
    "/operator/messages.csv": ("account=shop", *SEARCH),
    "/operator/prices": ("list=account%3A1", "channel=sms&q=380"),
    "/operator/prices/number": ("number=0501112233&account=shop", "number=0501112233&plan=p"),
    "/operator/receipts": ("connector=smsc", "before=9999999999999-9"),
    "/operator/routes": ("channel=sms&q=380", "connector=smsc", "after=x"),
    "/operator/routes/explain": ("number=0501112233&account=shop", "number=0501112233&channel=viber"),
    "/operator/stop-list": ("number=0501112233", "number=380", "account=shop", "after=380.1"),
    "/requests": ("outcome=refused", "outcome=ok&key=1", "before=3"),
    "/send": ("from=1", "text=mine"),
    "/stop-list": ("number=0501112233", "number=050", "before=9999999999999-380"),
    "/texts/edit": ("name=mine",),
}
OTHERWISE = {  # what is answered otherwise than with a page
    "/register": 303,
    "/sign-in": 303,
    "/send/picture": 404,
    "/operator/accounts/1/money/check": 422,  # without a form that is filled in
}


async def messages(cabinet: Cabinet) -> list[int]:
    """Delivered by a detour, under way, refused, scheduled, held for the operator."""
    send, play = cabinet.gateway.send, cabinet.gateway.play_worker
    ids = [await redirected(cabinet), await send_both(cabinet), await send(message="ні")]
    await play("viber", Taken("v-2"))
    await play("smsc", Never("0x0b", Fault.NUMBER))
    ids.append(await send(ask_date=f"{later()}:59"))
    await Ledger(cabinet.gateway.store.engine).refund(ids[0], "it came twice", now_ms())
    await report(cabinet, "nobodys", Outcome.FAILED)
    await came(cabinet, "hello", "стоп")
    return [*ids, *await hold(cabinet, 3)]


async def the_rest(cabinet: Cabinet) -> None:
    """What else pages show: of customers and of the operator."""
    engine, now = cabinet.gateway.store.engine, now_ms()
    draft = Draft(sender="Shop", message="hello {{name|you}}")
    await read_in(Mailings(engine), 1, "Sale", draft, pasted(f"{TO}\n12\n{TO}"), now)
    await Texts(engine).put(1, {"mine": draft}, now)
    await Senders(engine).put([SenderName(1, "Shop"), SenderName(1, "Cafe", "viber", state=REQUESTED)])
    await Inbox(engine).stop(1, "380501112233", now, "by hand")
    await Inbox(engine).stop(EVERYONE, "380671112233", now)
    await PriceBook(engine).put(
        [Price("sms", "380", 1, list="account:1"), Price("sms", "", 1, list="plan:p")]
    )
    await Routes(engine).put([Route(channel="sms", prefix="38050", ways=(Way(connector="smsc"),))])
    await TemplateBook(engine).put([Registered(**RIGHT)])  # type: ignore[arg-type]
    waits = Registration("new@example.com", "New", "x", "uk", now, now)
    await Registrations(engine).put(waits, Letter("", "", ""), Letter("", "", ""))
    await Connectors(engine).report("w", {"smsc": UP}, now)
    await Connectors(engine).add_minutes([Minute("smsc", now - now % MINUTE_MS, 9, 7, 1, 1, 1, 5, 40, True)])
    await cabinet.gateway.ask(command="balance")
    await cabinet.gateway.store.keep_requests([Asked(now, 1, 1, "GET", "send", "bad_to", None, "::1", 3, 7)])


def addresses(messages: list[int]) -> Iterator[tuple[str, str]]:
    """Every page as it is, with its filters, of every message; and who opens it."""
    for page in (one for one in PAGES if not one.posts):
        login = "boss" if page.who is Who.OPERATOR else "shop"
        ids = messages if "{message:int}" in page.path else messages[:1]
        for message_id in ids:
            path = filled(page.path, account=1, key=1, mailing=1, message=message_id, name="smsc")
            yield path, login
            yield from ((f"{path}?{query}", login) for query in FILTERS.get(path, ()))


async def test_every_page_is_shown(
    tmp_path: Path, postgres_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    store = {"url": postgres_url, "secret_file": f"{tmp_path}/secret", "keys_file": f"{tmp_path}/keys"}
    async with opened(tmp_path, None, store=store, demo={"token": "t"}) as cabinet:
        await cabinet.account("boss", operator=True, language="en")
        await the_rest(cabinet)
        opened_by = dict(addresses(await messages(cabinet)))
        assert FILTERS.keys() | OTHERWISE.keys() <= opened_by.keys()
        for path, login in opened_by.items():
            reply = await cabinet.get(path, login, Accept="text/html")
            unknown = path.endswith("/none")  # a link in a letter
            assert reply.status == OTHERWISE.get(path, 404 if unknown else 200), path
    assert not [one for one in caplog.records if one.levelno >= logging.ERROR]
