"""Messages that wait for the operator's decision, and receipts that have found no message."""

from functools import partial

from starlette.responses import Response

from hopwire.admission import now_ms
from hopwire.store.holds import Holds
from hopwire.store.search import EVERYBODY
from hopwire.web.pages.site import Page
from hopwire.web.pages.telling import outcome
from hopwire.web.pages.visit import Visit, Who, is_id

PAGE = 100
BLOCK = 3  # digits that the numbers of a block differ in


# ---- held messages


async def held(visit: Visit) -> Response:
    after = visit.cursor("after", 0)
    account_id = await _account(visit)
    block = visit.query.get("block", "")
    found = (
        await Holds(visit.parts.engine).waiting(PAGE + 1, account_id, block, after) if account_id >= 0 else []
    )
    holds = found[:PAGE]
    accounts = await visit.directory.accounts_among(one.account_id for one in holds)
    older = visit.address_with(after=holds[-1].message_id) if len(found) > PAGE else ""
    return visit.render(
        "held.html", holds=holds, accounts=accounts, older=older, block=block, cut=BLOCK,
        account=visit.query.get("account", ""),
    )  # fmt: skip


async def _account(visit: Visit) -> int:
    """The account of a login in the address; -1 where there is none with it."""
    login = visit.query.get("account", "")
    if not login:
        return EVERYBODY
    found = await visit.directory.account_by_login(login)
    return found[0].id if found else -1


async def decide(visit: Visit) -> Response:
    """Let messages go, or delete them."""
    fields = await visit.fields()
    ids = [int(str(one)) for one in fields.getlist("message") if is_id(str(one))]
    release = fields.get("decision") == "release"
    done = await visit.parts.store.decide_held(ids, release, visit.actor, now_ms()) if ids else []
    words = visit.words
    if not done:
        said = words("Nothing was chosen that is still held.")
    elif release:
        said = words.several("%(n)s message was released.", "%(n)s messages were released.", len(done))
    else:
        said = words.several("%(n)s message was deleted.", "%(n)s messages were deleted.", len(done))
    return visit.to("/operator/holds", said)


# ---- receipts


async def receipts(visit: Visit) -> Response:
    connector = visit.query.get("connector", "")
    at, _, last = visit.query.get("before", "").partition("-")
    before = {"before": (int(at), int(last))} if is_id(at) and is_id(last) else {}
    found = await visit.parts.store.unmatched(PAGE + 1, connector, **before)
    shown = found[:PAGE]
    older = ""
    if len(found) > PAGE:
        older = visit.address_with(before=f"{shown[-1].received_at}-{shown[-1].id}")
    newest = visit.address_with(before="") if before else ""
    return visit.render(
        "unmatched.html", receipts=shown, older=older, newest=newest, connector=connector,
        connectors=[("", visit.words("Any")), *((one, one) for one in sorted(visit.parts.config.connectors))],
        outcome=partial(outcome, visit.words),
    )  # fmt: skip


PAGES = [
    Page("/operator/holds", held, Who.OPERATOR),
    Page("/operator/holds", decide, Who.OPERATOR, posts=True),
    Page("/operator/receipts", receipts, Who.OPERATOR),
]
