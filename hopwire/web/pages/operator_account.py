"""One account as the operator sees it, and what he does to it with a button."""

import asyncio
from collections.abc import Iterator

from starlette.responses import Response

from hopwire import accounts as rules
from hopwire.credentials import hash_password, new_password
from hopwire.model import Account, AccountStatus, Limits
from hopwire.store.audit import Audit
from hopwire.store.ledger import Ledger
from hopwire.store.notices import Notices
from hopwire.store.senders import APPROVED, STATES, SenderName, Senders
from hopwire.web.pages import guard
from hopwire.web.pages.forms import Form
from hopwire.web.pages.letters import NOTICES
from hopwire.web.pages.marks import visible
from hopwire.web.pages.money import KINDS
from hopwire.web.pages.site import Page
from hopwire.web.pages.visit import NotThere, Visit, Who, is_id
from hopwire.web.pages.words import Words
from hopwire.web.pages.words import marked as _

PATH = "/operator/accounts/{account:int}"
BELOW = 10  # so many sub-accounts, movements and notices are shown here
SAID_OF_STATUS = {
    AccountStatus.ACTIVE: _("The account works again."),
    AccountStatus.PAUSED: _("The account is paused: it may look, and not send."),
    AccountStatus.CLOSED: _("The account is closed."),
}
PERIODS = {
    "second": _("in a second"),
    "minute": _("in a minute"),
    "hour": _("in an hour"),
    "day": _("in a day"),
}
SCOPES = {
    "account": _("The whole account"),
    "key": _("Each key"),
    "number": _("To one number"),
    "block": _("To 1,000 numbers in a row"),
}
SPENDS = {"day": _("Money in a day"), "month": _("Money in a month")}


async def account_in(visit: Visit) -> Account:
    """The account that the path names; raises NotThere."""
    found = await visit.directory.account(visit.number("account"))
    if found is None:
        raise NotThere
    return found


def address_of(account_id: int) -> str:
    return f"/operator/accounts/{account_id}"


# ---- at a look


async def show(visit: Visit) -> Response:
    return await _shown(visit, await account_in(visit), Form())


async def _shown(visit: Visit, account: Account, form: Form, status: int = 200) -> Response:
    """The page; the form is for another sender name."""
    directory = visit.directory
    kept = await directory.account_by_login(account.login)
    below = await directory.sub_accounts(account.id, BELOW + 1)
    return visit.render(
        "operator_account.html",
        status=status,
        form=form,
        account=account,
        reseller=await directory.account(account.parent_id) if account.parent_id else None,
        second_factor=bool(kept and kept[1].totp),
        bounds=bounds(account.limits, visit.words),
        senders=await Senders(visit.parts.engine).of(account.id),
        keys=sorted(await directory.keys_of(account.id), key=lambda one: not one.is_valid(visit.now)),
        sessions=await visit.parts.sessions.of(account.id),
        below=below[:BELOW],
        more=len(below) > BELOW,
        notices=await Notices(visit.parts.engine).latest(BELOW, account.id),
        kinds={kind: said for kind, (said, _letter) in NOTICES.items()},
        moved=await Ledger(visit.parts.engine).by_hand(account.id, BELOW),
        movements=KINDS,
        itself=account.id == visit.account.id,
    )


def bounds(set_: Limits, words: Words) -> Iterator[tuple[str, str]]:
    """The limits of an account that there are, as a person says them."""
    yield words("Where it may send"), _places(set_, words)
    if set_.premium:
        yield words("Premium-rate numbers"), words("allowed")
    if set_.max_price is not None:
        yield words("Most for one message"), words.money(set_.max_price)
    for name, most in set_.counts.items():
        scope, _slash, period = name.partition("/")
        yield f"{words(SCOPES[scope])} {words(PERIODS[period])}", words.number(most)
    for period, amount in set_.spend.items():
        yield words(SPENDS[period]), words.money(amount)
    if set_.sequence:
        yield words("Suspicious sequences"), words("from %(n)s numbers on", n=set_.sequence)
    if set_.quiet:
        yield words("Nothing promotional"), set_.quiet
    if set_.duplicates:
        seconds = words.lasting(set_.duplicate_s)
        said = words("are refused") if set_.duplicates == "refuse" else words("are sent once")
        yield words("The same again within %(time)s", time=seconds), said


def _places(set_: Limits, words: Words) -> str:
    if "*" in set_.destinations:
        return words("everywhere")
    return ", ".join(set_.destinations) or words("to its home country alone")


# ---- what it may


async def set_status(visit: Visit) -> Response:
    """Pause it, or let it work again."""
    wanted = {"active": AccountStatus.ACTIVE, "paused": AccountStatus.PAUSED}
    status = wanted.get((await visit.form()).get("status", ""))
    account = await account_in(visit)
    if status is None or account.id == visit.account.id:
        raise NotThere
    return await _become(visit, account, status)


async def close_form(visit: Visit) -> Response:
    return visit.render("operator_close.html", account=await _another(visit))


async def close(visit: Visit) -> Response:
    account = await _another(visit)
    await visit.parts.sessions.end_others(account.id)
    return await _become(visit, account, AccountStatus.CLOSED)


async def _another(visit: Visit) -> Account:
    """The account that the path names, which is not the operator's own."""
    account = await account_in(visit)
    if account.id == visit.account.id:
        raise NotThere
    return account


async def _become(visit: Visit, account: Account, status: AccountStatus) -> Response:
    await visit.directory.set_account(account.id, {"status": status})
    return visit.to(address_of(account.id), visit.words(SAID_OF_STATUS[status]))


# ---- how one signs in


async def password_form(visit: Visit) -> Response:
    return visit.render("operator_password_form.html", account=await account_in(visit))


async def set_password(visit: Visit) -> Response:
    """Another password, told here and nowhere again; who is signed in with the old one is signed out."""
    account, password = await account_in(visit), new_password()
    await visit.directory.set_password(account.id, await asyncio.to_thread(hash_password, password))
    but = visit.session.digest if account.id == visit.account.id else ""
    await visit.parts.sessions.end_others(account.id, but)
    return visit.render(
        "operator_password.html", account_id=account.id, login=account.login, password=password, new=False
    )


async def factor_form(visit: Visit) -> Response:
    return visit.render("operator_factor.html", account=await account_in(visit))


async def end_factor(visit: Visit) -> Response:
    """No second factor any more: for who has lost his phone."""
    account = await account_in(visit)
    await visit.directory.set_totp(account.id, "")
    return visit.to(address_of(account.id), visit.words("The second factor is off."))


async def end_sessions(visit: Visit) -> Response:
    """Sign the account out, everywhere."""
    account = await account_in(visit)
    but = visit.session.digest if account.id == visit.account.id else ""
    await visit.parts.sessions.end_others(account.id, but)
    await Audit(visit.parts.engine).write(visit.actor, "end sessions", f"account {account.id}")
    return visit.to(address_of(account.id), visit.words("It is signed out everywhere."))


# ---- keys


async def revoke_form(visit: Visit) -> Response:
    account, wanted = await account_in(visit), visit.number("key")
    keys = [one for one in await visit.directory.keys_of(account.id) if one.id == wanted]
    if not keys:
        raise NotThere
    return visit.render("operator_key.html", account=account, key=keys[0])


async def revoke(visit: Visit) -> Response:
    account, wanted = await account_in(visit), visit.number("key")
    if wanted not in {one.id for one in await visit.directory.keys_of(account.id)}:
        raise NotThere
    await visit.directory.revoke_key(wanted, visit.now)
    return visit.to(address_of(account.id), visit.words("The key opens nothing any more."))


# ---- sender names


async def decide_sender(visit: Visit) -> Response:
    """Approve a name, or refuse it."""
    form = Form(await visit.form(), visit.words)
    back = guard.inner(form.value("next"))
    typed = form.value("account")
    if form.value("state") not in STATES or not is_id(typed):
        raise NotThere
    which = int(typed), form.value("name"), form.value("channel"), form.value("connector")
    known = [one for one in await Senders(visit.parts.engine).of(which[0]) if one[:4] == which]
    if not known:
        raise NotThere
    note = form.text("note", 200)[:200] or known[0].note
    one = known[0]._replace(state=form.value("state"), note=note, changed_at=visit.now)
    await Senders(visit.parts.engine, visit.actor).put([one])
    approved = one.state == APPROVED
    said = _("%(name)s may be used.") if approved else _("%(name)s may not be used.")
    return visit.to(back, visit.words(said, name=visible(one.name)))


async def add_sender(visit: Visit) -> Response:
    """Approve a name that nobody has asked for."""
    account, form = await account_in(visit), Form(await visit.form(), visit.words)
    name = form.read("name", rules.check_sender, "")
    channel = form.value("channel")
    if form.errors or channel not in ("", "sms", "viber"):
        return await _shown(visit, account, form, 422)
    one = SenderName(account.id, name, channel, "", APPROVED, "", visit.now)
    await Senders(visit.parts.engine, visit.actor).put([one])
    return visit.to(address_of(account.id), visit.words("%(name)s may be used.", name=visible(name)))


PAGES = [
    Page(PATH, show, Who.OPERATOR),
    Page(PATH + "/status", set_status, Who.OPERATOR, posts=True),
    Page(PATH + "/close", close_form, Who.OPERATOR, proof=True),
    Page(PATH + "/close", close, Who.OPERATOR, posts=True, proof=True),
    Page(PATH + "/password", password_form, Who.OPERATOR, proof=True),
    Page(PATH + "/password", set_password, Who.OPERATOR, posts=True, proof=True),
    Page(PATH + "/second-factor", factor_form, Who.OPERATOR, proof=True),
    Page(PATH + "/second-factor", end_factor, Who.OPERATOR, posts=True, proof=True),
    Page(PATH + "/sessions", end_sessions, Who.OPERATOR, posts=True),
    Page(PATH + "/keys/{key:int}/revoke", revoke_form, Who.OPERATOR, proof=True),
    Page(PATH + "/keys/{key:int}/revoke", revoke, Who.OPERATOR, posts=True, proof=True),
    Page(PATH + "/senders", add_sender, Who.OPERATOR, posts=True),
    Page("/operator/senders", decide_sender, Who.OPERATOR, posts=True),
]
