"""Checks and sends mailings, beside the requests of programs.

Rule 1: nobody waits for a mailing: it is worked at in short turns, some rows at a time, the one that has
waited longest is next, and it sends no more than what connectors take meanwhile.
Rule 2: what is wrong with one row is kept with the row; what would be wrong with all pauses the mailing.
Rule 3: whatever dies, a row becomes one message: see store/mailed.py. What was not kept is done again.
"""

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice

from hopwire import errors
from hopwire.admission import Admission, Quote
from hopwire.contents import Draft
from hopwire.errors import ApiError, Unavailable
from hopwire.lists import BadListError, Row
from hopwire.mailing import Mailing, RowState, State, asked
from hopwire.model import Account, AccountStatus, SendRequest
from hopwire.store.directory import Directory
from hopwire.store.mailings import PAGE, Checked, KeptRow, Mailings

log = logging.getLogger(__name__)

IDLE_S = 1.0  # how soon a new mailing is seen
LEASE_MS = 15_000
TURN_MS = 1000  # how long one mailing is worked at, while others wait
AT_A_TIME = 50  # rows on their way to the store, or looked at in one turn of the loop
TRIES, BUSY_S = 20, 0.25  # of rows that are kept, while another process writes
MOST_DUE = 1000  # messages on a connector; what programs send would wait behind more
CROWDED_MS = 250  # how long a mailing waits then
PAUSE_MS = 1000  # of a mailing that has sent as many as it may in a second or a minute

SLOWER = (errors.TooManyRequests, errors.Unavailable)
OF_ALL = (  # rows, not of one
    *SLOWER,
    errors.Withdrawn,
    errors.AccountPaused,
    errors.NotEnoughMoney,
    errors.LimitReached,
    errors.SpendLimitReached,
    errors.SenderNotRegistered,
    errors.ViberSenderNotRegistered,
)
OF_A_PICTURE = (
    errors.ImageUnreachable,
    errors.ImageTooLarge,
    errors.ImageOfOtherKind,
    errors.ImageBadPixels,
)

Work = Callable[[Mailing, Draft, Account, Sequence[KeptRow]], Awaitable[bool]]
"""Works at a page of rows; False: the mailing is not to be worked at any more. Raises the ApiError that is
all rows' trouble."""


class _CrowdedError(Exception):
    """Connectors have enough to do."""


class MailingRunner:
    """What one process does for mailings."""

    def __init__(
        self,
        admission: Admission,
        mailings: Mailings,
        directory: Directory,
        worker: str,
        max_parts: int,
        now_ms: Callable[[], int],
    ) -> None:
        """`worker` tells this process from the others; `max_parts`: of an SMS."""
        self._admission = admission
        self._mailings = mailings
        self._directory = directory
        self._worker = worker
        self._fits = admission.fits(max_parts)
        self._now_ms = now_ms

    async def watch(self) -> None:
        """Work at what there is, until cancelled."""
        while True:
            found = False
            try:
                found = await self.turn()
            except Unavailable:
                pass  # what is not kept is done again
            except Exception:  # a bug: the mailing is taken again when its lease has ended
                log.exception("a mailing could not be worked at")
            await asyncio.sleep(0 if found else IDLE_S)

    async def turn(self) -> bool:
        """Work for a short while at the mailing that has waited longest; whether there was one."""
        mailing = await self._mailings.take(self._worker, self._now_ms(), LEASE_MS)
        if mailing is None:
            return False
        pause_ms = 0
        try:
            await self._work(mailing)
        except errors.Withdrawn:
            pass  # its owner has stopped it, or another process has it
        except _CrowdedError:
            pause_ms = CROWDED_MS
        except SLOWER:
            pause_ms = PAUSE_MS
        except ApiError as exc:
            await self._end(mailing, State.PAUSED, exc.code)
        await self._mailings.leave(mailing.id, self._worker, self._now_ms() + pause_ms)
        return True

    async def _work(self, mailing: Mailing) -> None:
        account, draft = await self._directory.account(mailing.account_id), mailing.draft
        if account is None or draft is None or account.standing is AccountStatus.CLOSED:
            await self._end(mailing, State.STOPPED)
            return
        if account.standing is AccountStatus.PAUSED:
            raise errors.AccountPaused
        match mailing.state:
            case State.READING:  # and was not read to its end
                await self._end(mailing, State.STOPPED)
            case State.CHECKING:
                if not await self._pages(mailing, draft, account, RowState.WAITING, self._check):
                    await self._mailings.keep_checked(account.id, mailing.id, self._worker, [])
            case _:
                if not await self._pages(mailing, draft, account, RowState.GOOD, self._send):
                    await self._end(mailing, State.DONE)

    async def _pages(
        self, mailing: Mailing, draft: Draft, account: Account, state: RowState, work: Work
    ) -> bool:
        """Work at page after page until the turn is over; whether there may be more."""
        until, last = self._now_ms() + TURN_MS, 0
        while self._now_ms() < until:
            rows = await self._mailings.rows(account.id, mailing.id, [state], PAGE, last)
            if not rows:
                return False
            if not await work(mailing, draft, account, rows):
                return True
            last = rows[-1].n
        return True

    async def _end(self, mailing: Mailing, state: State, reason: str = "") -> None:
        now = self._now_ms()
        await self._mailings.end(mailing.account_id, mailing.id, self._worker, state, now, reason)
        log.info("mailing=%d state=%s reason=%s", mailing.id, state, reason)

    # ---- checking

    async def _check(self, mailing: Mailing, draft: Draft, account: Account, rows: Sequence[KeptRow]) -> bool:
        found = [one for some in _cut(rows) for one in await self._quoted(draft, account, some)]
        numbers = [one.number for one in found if one.state is RowState.GOOD]
        seen = await self._mailings.repeated(account.id, mailing.id, numbers)
        checked = [_once(one, seen) for one in found]
        state = await self._mailings.keep_checked(account.id, mailing.id, self._worker, checked)
        return state is State.CHECKING

    async def _quoted(self, draft: Draft, account: Account, rows: Sequence[KeptRow]) -> list[Checked]:
        await asyncio.sleep(0)  # others have their turns
        requests = [self._request(draft, account, row) for row in rows]
        good = [one for one in requests if isinstance(one, SendRequest)]
        quotes = await self._admission.quotes(account, good, self._now_ms())
        for one in quotes:
            if isinstance(one, ApiError) and _of_all(one, draft):
                raise one
        found = iter(quotes)
        return [
            Checked(row.n, row.number, RowState.BAD, one)
            if isinstance(one, str)
            else _checked(row, one, next(found))
            for row, one in zip(rows, requests, strict=True)
        ]

    def _request(self, draft: Draft, account: Account, row: KeptRow) -> SendRequest | str:
        return asked(draft, row.number, row.values, account.home_country, self._fits)

    # ---- sending

    async def _send(self, mailing: Mailing, draft: Draft, account: Account, rows: Sequence[KeptRow]) -> bool:
        await self._make_room(draft, account, rows[0])
        refused: dict[str, list[int]] = defaultdict(list)
        try:
            for some in _cut(rows):
                sending = [self._send_one(mailing, draft, account, row) for row in some]
                outcomes = await asyncio.gather(*sending)
                for row, error in zip(some, outcomes, strict=True):
                    if isinstance(error, str):
                        refused[error].append(row.n)
                for error in outcomes:
                    if isinstance(error, ApiError):
                        raise error
        finally:
            if refused:
                await self._mailings.keep_refused(account.id, mailing.id, self._worker, refused)
        return True

    async def _make_room(self, draft: Draft, account: Account, row: KeptRow) -> None:
        """Raises _CrowdedError while enough is due where this row, and so those behind it, would go."""
        request, now = self._request(draft, account, row), self._now_ms()
        if isinstance(request, str):
            return
        if await self._admission.is_crowded(account, request, MOST_DUE, now):
            raise _CrowdedError

    async def _send_one(
        self, mailing: Mailing, draft: Draft, account: Account, row: KeptRow
    ) -> ApiError | str | None:
        """Why it was refused; an ApiError is all rows' trouble. None: it has become a message."""
        request = self._request(draft, account, row)
        if isinstance(request, str):
            return request
        try:
            await self._admission.admit(account, request, self._now_ms(), row=(mailing.id, row.n))
        except ApiError as exc:
            return exc if _of_all(exc, draft) else exc.code
        return None


async def read_in(
    mailings: Mailings, account_id: int, name: str, draft: Draft, rows: Iterable[Row], now: int
) -> int:
    """A new mailing to these rows, read while others have their turns; its id.

    Raises BadListError, and nothing is kept, where the rows cannot be read to the end.
    """
    mailing_id = await mailings.create(account_id, name, draft, now)
    coming = iter(rows)
    try:
        while page := list(islice(coming, PAGE)):
            await _patiently(partial(mailings.add, account_id, mailing_id, page))
            await asyncio.sleep(0)  # SQLite's verbs do not wait
        await _patiently(partial(mailings.complete, account_id, mailing_id))
    except (BadListError, Unavailable):
        with contextlib.suppress(Unavailable):
            await mailings.discard(account_id, mailing_id)
        raise
    return mailing_id


async def _patiently(verb: Callable[[], Awaitable[object]]) -> None:
    """Try again while the store is busy, but where nobody knows what has been done."""
    for left in reversed(range(TRIES)):
        try:
            await verb()
        except Unavailable as exc:
            if isinstance(exc, errors.OutcomeUnknown) or not left:
                raise
            await asyncio.sleep(BUSY_S)
        else:
            return


def _cut(rows: Sequence[KeptRow]) -> Iterator[Sequence[KeptRow]]:
    return (rows[at : at + AT_A_TIME] for at in range(0, len(rows), AT_A_TIME))


def _of_all(error: ApiError, draft: Draft) -> bool:
    """Whether the other rows would meet it, too."""
    one_picture = "{{" not in draft.viber_image
    return isinstance(error, OF_ALL) or (one_picture and isinstance(error, OF_A_PICTURE))


def _checked(row: KeptRow, request: SendRequest, found: Quote | ApiError) -> Checked:
    """Of what the store would refuse now, only that somebody wants no messages lasts until it is sent."""
    refusal = found if isinstance(found, ApiError) else found.refusal
    if isinstance(found, ApiError) or isinstance(refusal, errors.RecipientOptedOut):
        return Checked(row.n, request.recipient, RowState.BAD, refusal.code if refusal else "")
    if not found.steps:
        return Checked(row.n, request.recipient, RowState.BAD, "no_route")
    return Checked(row.n, request.recipient, RowState.GOOD, "", found.parts, found.price)


def _once(one: Checked, seen: set[str]) -> Checked:
    """The row, unless its number has been seen; then it has."""
    if one.state is not RowState.GOOD:
        return one
    if one.number in seen:
        return one._replace(state=RowState.REPEATED, error="repeated")
    seen.add(one.number)
    return one
