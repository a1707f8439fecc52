"""Money that the operator moves by hand: typed, looked at again, and moved once however often it is sent."""

from typing import NamedTuple

from starlette.responses import Response

from hopwire import money
from hopwire.errors import NotEnoughMoney
from hopwire.store.ledger import Ledger
from hopwire.web.pages.forms import Form
from hopwire.web.pages.money import statement_file
from hopwire.web.pages.operator_account import PATH, account_in, address_of
from hopwire.web.pages.site import Page
from hopwire.web.pages.visit import Visit, Who
from hopwire.web.pages.words import marked as _

AHEAD_MS = 60_000
KINDS = {"topup": _("Top-up: somebody has paid"), "adjustment": _("Correction: nobody has paid")}


class Move(NamedTuple):
    """What is to be moved."""

    kind: str
    amount: int
    note: str


async def money_form(visit: Visit) -> Response:
    form = Form({"kind": "topup", **visit.query})
    return visit.render("operator_money.html", account=await account_in(visit), form=form, kinds=KINDS)


async def check(visit: Visit) -> Response:
    """What was typed, once more: before money moves."""
    account, form = await account_in(visit), Form(visit.query, visit.words)
    move = _read(form)
    if move is None:
        return visit.render("operator_money.html", status=422, account=account, form=form, kinds=KINDS)
    return visit.render("operator_money_check.html", account=account, move=move, form=form, kinds=KINDS)


async def move(visit: Visit) -> Response:
    account, form = await account_in(visit), Form(await visit.form(), visit.words)
    wanted, since = _read(form), _since(form, visit.now)
    if wanted is not None and since is not None:
        ledger = Ledger(visit.parts.engine, visit.actor)
        try:
            left = await ledger.move_once(
                wanted.kind, account.id, wanted.amount, wanted.note, since, visit.now
            )
        except NotEnoughMoney:
            form.wrong("amount", _("There is not so much to take."))
        else:
            return visit.to(address_of(account.id), _told(visit, left, account.currency))
    return visit.render("operator_money.html", status=422, account=account, form=form, kinds=KINDS)


async def statement(visit: Visit) -> Response:
    """A month of the account as a file, as the customer has it."""
    return statement_file(visit, await account_in(visit))


def _told(visit: Visit, left: int | None, currency: str) -> str:
    if left is None:
        return visit.words("Money was moved here just before, so nothing was moved now. Please look again.")
    return visit.words("Done. It can spend %(amount)s now.", amount=visit.words.money(left, currency))


def _since(form: Form, now: int) -> int | None:
    """When the form was shown; the clock of who showed it may be a little ahead."""
    typed = form.value("since")
    at = int(typed) if typed.isascii() and typed.isdecimal() and len(typed) < 16 else None
    return at if at is None or at <= now + AHEAD_MS else None


def _read(form: Form) -> Move | None:
    """What the form says; None where it is not right."""
    kind, amount = form.value("kind"), form.read("amount", money.parse, 0)
    note = form.text("note", 200, required=kind == "adjustment")
    if kind not in KINDS:
        form.wrong("kind", _("Please fill this in."))
    if amount == 0:
        form.wrong("amount", _("Please say how much."))
    return None if form.errors else Move(kind, amount, note)


PAGES = [
    Page(PATH + "/money", money_form, Who.OPERATOR, proof=True),
    Page(PATH + "/money/check", check, Who.OPERATOR, proof=True),
    Page(PATH + "/statement", statement, Who.OPERATOR),
    Page(PATH + "/money", move, Who.OPERATOR, posts=True, proof=True),
]
