"""The pages: the cabinet of a customer, and those of the operator; made here, complete without JavaScript.

A group of pages is a module with its `PAGES`. It reads what came (`Visit`, `forms`), calls the floors below,
and renders a template. What is live is the same page, fetched again by htmx.
"""

from hopwire.web.pages import held, home, inbox, keys, messages, senders, sign_in
from hopwire.web.pages.parts import Parts
from hopwire.web.pages.site import Page, routes, trouble

PAGES: list[Page] = [
    *home.PAGES,
    *messages.PAGES,
    *inbox.PAGES,
    *keys.PAGES,
    *senders.PAGES,
    *held.PAGES,
    *sign_in.PAGES,
]

__all__ = ["PAGES", "Page", "Parts", "routes", "trouble"]
