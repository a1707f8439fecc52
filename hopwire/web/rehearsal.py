"""The API without anybody behind it: what it would answer, and why.

Rule: nothing is sent, deleted or kept, and nothing is counted.
"""

import asyncio

from hopwire.admission import Quote
from hopwire.errors import ApiError, UnknownCommand
from hopwire.model import Caller, SendRequest
from hopwire.store import Accepted
from hopwire.web.http_php import Answer, HttpPhp
from hopwire.web.http_php_request import Call

ID = 84523377  # stands for the id that a message would get


class Rehearsal(HttpPhp):
    """For one request; afterwards it knows of a `send` how it was understood, and what would become of it."""

    message: SendRequest | None = None
    quote: Quote | None = None

    def _send(self, call: Call, caller: Caller) -> asyncio.Future[Accepted | ApiError]:
        return asyncio.ensure_future(self._rehearse(call, caller))

    async def _rehearse(self, call: Call, caller: Caller) -> Accepted | ApiError:
        account, message, now, _, client_key = self._asked(call, caller)
        self.message = message
        if client_key and (known := await self._admission.known(account, message, client_key, now)):
            return known
        (found,) = await self._admission.quotes(account, [message], now)
        if isinstance(found, ApiError):
            return found
        self.quote = found
        return found.refusal or Accepted(ID, found.parts)

    async def _delete(self, call: Call, caller: Caller) -> Answer:
        raise UnknownCommand  # nobody is asked for it
