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
    operator_approvals,
    operator_audit,
    operator_guest,
    operator_money,
    operator_stops,
    operator_system,
    operator_templates,
    senders,
    sign_in,
    stop_list,
)
from hopwire.web.pages.parts import Parts
from hopwire.web.pages.site import Page, routes, trouble

GROUPS = (
    home,
    keys,
    operator_account,
    operator_account_forms,
    operator_accounts,
    operator_approvals,
    operator_audit,
    operator_guest,
    operator_money,
    operator_stops,
    operator_system,
    operator_templates,
    senders,
    sign_in,
    stop_list,
)
PAGES: list[Page] = [page for group in GROUPS for page in group.PAGES]

__all__ = ["PAGES", "Page", "Parts", "routes", "trouble"]
