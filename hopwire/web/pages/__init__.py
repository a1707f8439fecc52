"""The pages: the cabinet of a customer, and those of the operator; made here, complete without JavaScript.

A group of pages is a module with its `PAGES`. It reads what came (`Visit`, `forms`), calls the floors below,
and renders a template. What is live is the same page, fetched again by htmx.
"""

from hopwire.web.pages import home, keys, price_import, price_number, prices, route_number, senders, sign_in
from hopwire.web.pages import routes as operator_routes
from hopwire.web.pages.parts import Parts
from hopwire.web.pages.site import Page, routes, trouble

PAGES: list[Page] = [
    *home.PAGES,
    *keys.PAGES,
    *senders.PAGES,
    *prices.PAGES,
    *price_import.PAGES,
    *price_number.PAGES,
    *operator_routes.PAGES,
    *route_number.PAGES,
    *sign_in.PAGES,
]

__all__ = ["PAGES", "Page", "Parts", "routes", "trouble"]
