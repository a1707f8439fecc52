"""The account that a field of a form names."""

from hopwire.credentials import plain_login
from hopwire.model import Account
from hopwire.web.pages.forms import Form
from hopwire.web.pages.visit import Visit


async def account_named(visit: Visit, form: Form, field: str) -> Account | None:
    """The one with this login; None where nothing is typed, or nobody has it: that is told at the field."""
    typed = plain_login(form.value(field).strip())
    if not typed:
        return None
    found = await visit.directory.account_by_login(typed)
    if found is None:
        form.wrong(field, "There is no account with this login.")
    return found[0] if found else None
