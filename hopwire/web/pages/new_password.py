"""A new password, wherever one is typed."""

from hopwire.credentials.strength import SHORTEST, Weakness, weakness
from hopwire.errors import TooManyRequests
from hopwire.web.pages.forms import Form
from hopwire.web.pages.visit import TooMuch, Visit
from hopwire.web.pages.words import marked as _

TOLD = {
    Weakness.LONG: _("This is too long for a password."),
    Weakness.OWN: _("This is easy to guess for who knows you: it has your name or address in it."),
    Weakness.REPEATED: _("This is easy to guess: the same over and over."),
    Weakness.ROW: _("This is easy to guess: keys as they lie side by side."),
    Weakness.COMMON: _("This is easy to guess: too many people have one like it."),
}


def read(form: Form, *known: str) -> str:
    """The new password; what is wrong with it is told at its field. `known` is known of its owner."""
    password = form.value("password")
    wrong = weakness(password, *known)
    if wrong is Weakness.SHORT:
        form.wrong("password", "A password has at least %(least)s characters.", least=SHORTEST)
    elif wrong is not None:
        form.wrong("password", TOLD[wrong])
    return password


async def hashed(visit: Visit, login: str, password: str) -> str:
    """What is kept of it; raises TooMuch where there are too many to wait for."""
    try:
        return await visit.parts.credentials.hash(login, password, visit.origin)
    except TooManyRequests:
        raise TooMuch from None
