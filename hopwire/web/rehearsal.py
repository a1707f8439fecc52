"""The API without anybody behind it: what it would answer, and why.

Rule: nothing is sent, deleted or kept, and nothing is counted.
"""

from hopwire.admission import Quote
from hopwire.errors import ApiError, UnknownCommand
from hopwire.model import Caller, SendRequest
from hopwire.web.http_php import Answer, HttpPhp
from hopwire.web.http_php_request import Call

ID = 84523377  # stands for the id that a message would get


class Rehearsal(HttpPhp):
    """For one request; afterwards it knows of a `send` how it was understood, and what would become of it."""

    message: SendRequest | None = None
    quote: Quote | None = None

    async def _send(self, call: Call, caller: Caller) -> Answer:
        account, message, now, _, client_key = self._asked(call, caller)
        self.message = message
        if client_key and (known := await self._admission.known(account, message, client_key, now)):
            return {"id": known.id, "sms_count": known.parts}
        (found,) = await self._admission.quotes(account, [message], now)
        if isinstance(found, ApiError):
            raise found
        self.quote = found
        if found.refusal is not None:
            raise found.refusal
        return {"id": ID, "sms_count": found.parts}

    async def _delete(self, call: Call, caller: Caller) -> Answer:
        raise UnknownCommand  # nobody is asked for it
