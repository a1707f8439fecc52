"""Who is let in, and what he may ask for: every decision about it is here.

Rule: who is not let in learns nothing about why; who is in is told what he may not do.
"""

from typing import NamedTuple

from hopwire import addresses
from hopwire.errors import AccountPaused, KeyNotAllowed, WrongCredentials
from hopwire.model import AccountStatus, ApiKey, Caller


class From(NamedTuple):
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
    if caller.account.standing is CLOSED or not caller.account.api:
        raise WrongCredentials
    key = caller.key
    if key is not None and not _is_good(key, origin, now):
        raise WrongCredentials


def _is_good(key: ApiKey, origin: From, now: int) -> bool:
    return (
        key.is_valid(now)
        and not (key.post_only and origin.in_url)
        and not (key.addresses and not addresses.within(origin.address, key.addresses))
    )


def permit(caller: Caller, command: str) -> None:
    """Raises KeyNotAllowed and AccountPaused."""
    if caller.key is not None and NEEDS[command] not in caller.key.scopes:
        raise KeyNotAllowed
    if command in RESTS and caller.account.standing is PAUSED:
        raise AccountPaused
