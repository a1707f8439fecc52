"""The pages: the cabinet of a customer, and those of the operator; made here, complete without JavaScript.

A group of pages is a module with its `PAGES`. It reads what came (`Visit`, `forms`), calls the floors below,
and renders a template. What is live is the same page, fetched again by htmx.
"""

from hopwire.web.pages import (
    home,
    keys,
    operator_account,
    operator_account_forms,
    operator_accounts,
    operator_audit,
    operator_guest,
    operator_money,
    operator_stops,
    operator_system,
    senders,
    sign_in,
)
from hopwire.web.pages.parts import Parts
from hopwire.web.pages.site import Page, routes, trouble

PAGES: list[Page] = [
    *home.PAGES,
    *keys.PAGES,
    *senders.PAGES,
    *sign_in.PAGES,
    *operator_accounts.PAGES,
    *operator_account.PAGES,
    *operator_account_forms.PAGES,
    *operator_money.PAGES,
    *operator_guest.PAGES,
    *operator_stops.PAGES,
    *operator_audit.PAGES,
    *operator_system.PAGES,
]

__all__ = ["PAGES", "Page", "Parts", "routes", "trouble"]
