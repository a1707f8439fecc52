"""Who is let in, and what he may ask for: every decision about it is here.

Rule: who is not let in learns nothing about why, the owner of a key that was used from elsewhere may read it;
who is in is told what he may not do.
"""

from hopwire import addresses
from hopwire.errors import AccountPaused, KeyNotAllowed, WrongCredentials
from hopwire.model import AccountStatus, ApiKey, Caller, Fact


class From(Fact, frozen=True):
    """The circumstances of a request."""

    address: str = ""  # of who asks; "": not known
    in_url: bool = False  # the key stood in the URL


NEEDS = {  # command -> the scope that a key must have for it
    "send": "send",
    "delete": "send",
    "receive": "read",
    "price": "balance",
    "balance": "balance",
}
PAUSED, CLOSED = AccountStatus.PAUSED, AccountStatus.CLOSED  # an enum looks them up each time
RESTS = frozenset({"send"})  # what a paused account cannot do


def admit(caller: Caller, origin: From, now: int) -> None:
    """Let in whom the API is for; raises WrongCredentials for everybody else."""
    if not _is_good(caller, origin, now) or _strays(caller.key, origin):
        raise WrongCredentials


def is_elsewhere(caller: Caller, origin: From, now: int) -> bool:
    """Whether he is not let in for the address alone that he uses his key from."""
    return _is_good(caller, origin, now) and _strays(caller.key, origin)


def _is_good(caller: Caller, origin: From, now: int) -> bool:
    """Whether he is let in from where his key may be used."""
    account, key = caller
    if account.standing is CLOSED or not account.api:
        return False
    return key is None or (key.is_valid(now) and not (key.post_only and origin.in_url))


def _strays(key: ApiKey | None, origin: From) -> bool:
    if key is None or not key.addresses:
        return False
    return not addresses.within(origin.address, key.addresses)


def permit(caller: Caller, command: str) -> None:
    """Raises KeyNotAllowed and AccountPaused."""
    if caller.key is not None and NEEDS[command] not in caller.key.scopes:
        raise KeyNotAllowed
    if command in RESTS and caller.account.standing is PAUSED:
        raise AccountPaused
