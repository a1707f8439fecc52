"""An operator in the cabinet of a customer: he enters with his own password, and it is written down.

Rule 1: never into the account of an operator, nor into one that is closed.
Rule 2: he does nothing there for which the customer's password is asked.
Rule 3: who leaves is himself again, and has to prove anew who he is; after an hour he is signed out.
"""

from starlette.responses import Response

from hopwire.model import Account, AccountStatus
from hopwire.store.audit import Audit
from hopwire.web.pages.operator_account import PATH, account_in, address_of
from hopwire.web.pages.site import Page
from hopwire.web.pages.visit import NotThere, Visit, Who


async def enter_form(visit: Visit) -> Response:
    return visit.render("operator_enter.html", account=await _host(visit))


async def enter(visit: Visit) -> Response:
    """End the operator's session, and begin one in which he is the customer."""
    account, operator = await _host(visit), visit.account
    await Audit(visit.parts.engine).write(visit.actor, "sign in as", f"account {account.id}")
    response = visit.to("/")
    await visit.sign_in(account, response, operator.id, proved=False)
    return response


async def _host(visit: Visit) -> Account:
    account = await account_in(visit)
    if account.operator or account.standing is AccountStatus.CLOSED:
        raise NotThere
    return account


async def leave(visit: Visit) -> Response:
    """Be the operator again."""
    session = visit.session
    if session.operator_id is None:
        raise NotThere
    operator = await visit.directory.account(session.operator_id)
    if operator is None or not operator.operator:
        raise NotThere  # a session of his would have ended before
    await Audit(visit.parts.engine).write(visit.actor, "leave", f"account {session.account_id}")
    response = visit.to(address_of(session.account_id))
    await visit.sign_in(operator, response, proved=False)
    return response


PAGES = [
    Page(PATH + "/sign-in", enter_form, Who.OPERATOR, proof=True),
    Page(PATH + "/sign-in", enter, Who.OPERATOR, posts=True, proof=True),
    Page("/leave", leave, posts=True),
]
