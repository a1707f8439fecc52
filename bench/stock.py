"""Rows without a gateway: of messages that were accepted, and of messages that have ended.

Rule: every row is what the gateway's own code writes. Two messages go their way through the real store, whose
rows are noted; what differs between the two becomes a gap for ids, numbers and the provider's ids.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeVar

from bench import load
from hopwire.admission import Admission, now_ms
from hopwire.config import Config
from hopwire.events import Answered
from hopwire.model import Account, Outcome, Receipt, Taken
from hopwire.routes import network
from hopwire.routing import Times
from hopwire.store import Store
from hopwire.store.directory import Directory
from hopwire.store.engine import Engine, Row, Tx
from hopwire.web import http_php_request as request

CONNECTOR = "smsc"
AGE_MS = 6 * 3_600_000  # of what is in stock
TOGETHER = 20_000  # messages in one transaction
LEASE_MS = 60_000
FIRST_TOKEN = 5_000_000_000  # of the provider's ids: the SMSC of the bench begins at 1
MONEY = "move_funds"

T = TypeVar("T")
Noted = tuple[str, Row]  # the query's name, and its parameters


class Gap(NamedTuple):
    """What belongs to one message alone."""

    id: int
    number: str  # of the recipient
    token: str  # the provider's id


class Column(NamedTuple):
    """Where a value of one message goes: the whole value is its id, or its text has gaps for the others."""

    at: int
    text: str | None


class Pattern(NamedTuple):
    """A row of every message."""

    query: str
    row: Row
    gaps: Sequence[Column]

    def rows(self, gaps: Iterable[Gap]) -> Iterator[Row]:
        for gap in gaps:
            row = list(self.row)
            for at, text in self.gaps:
                row[at] = gap.id if text is None else text.format(gap)
            yield tuple(row)


class Sample(NamedTuple):
    """What one message leaves in the database."""

    accepted: list[Pattern]
    ended: list[Pattern]
    price: int


# ---- two messages, and their rows


async def sample(config: Config, engine: Engine, account: Account, key: str) -> Sample:
    """Send two messages all the way, and note what that has written."""
    watched = Watched(engine)
    times = Times(config.sms.lifetime_s, config.sms.grace_s, config.viber.grace_s)
    admission = Admission(Store(watched), Directory(engine), network(config), times)
    await admission.refresh()
    now = now_ms() - AGE_MS
    first, second = [await _whole_way(watched, admission, account, key, n, now) for n in (1, 2)]
    return Sample(
        accepted=patterns(first.accepted, second.accepted, first.gap, second.gap),
        ended=patterns(first.ended, second.ended, first.gap, second.gap),
        price=next(row[0] for query, row in first.moved if query == MONEY),
    )


class Story(NamedTuple):
    gap: Gap
    accepted: list[Noted]
    ended: list[Noted]
    moved: list[Noted]


async def _whole_way(
    watched: "Watched", admission: Admission, account: Account, key: str, n: int, now: int
) -> Story:
    store, token = Store(watched), str(FIRST_TOKEN + n)
    call = _call(key, n)
    message = request.send_request(call, account, now, 10, admission.parts)
    watched.noted.clear()
    accepted = await admission.admit(account, message, now)
    at_first = list(watched.noted)
    await store.claim(CONNECTOR, "bench", 1, LEASE_MS, now)
    await store.record([(accepted.id, Answered(0, 0, Taken(token)))], now)
    receipt = Receipt(
        connector=CONNECTOR,
        provider_id=token,
        recipient=message.recipient,
        outcome=Outcome.DELIVERED,
        code="DELIVRD",
        raw=f"id:{token} sub:001 dlvrd:001 submit date:2601010000 done date:2601010000 stat:DELIVRD err:000",
    )
    await store.keep_receipts([receipt], now)
    return Story(
        Gap(accepted.id, message.recipient, token),
        _added(at_first),
        _as_it_ended(watched.noted),
        [one for one in watched.noted if one[0] == MONEY],
    )


def _call(key: str, n: int) -> request.Call:
    """The bench's own request, as the gateway reads it."""
    before, after = load.request(key)
    target = (before + load.recipient(n) + after).split(b" ")[1]
    return request.read(target.partition(b"?")[2], b"", b"")


def _added(noted: Iterable[Noted]) -> list[Noted]:
    return [one for one in noted if one[0].startswith("create_")]


def _as_it_ended(noted: Sequence[Noted]) -> list[Noted]:
    """The rows that were added, with the delivery as it was saved last."""
    *_, saved = (row for query, row in noted if query == "save_delivery")
    *state, message_id = saved
    return [
        (query, (message_id, *row[1:3], *state) if query == "create_delivery" else row)
        for query, row in _added(noted)
    ]


class Watched:
    """An engine that notes which rows are written."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.noted: list[Noted] = []
        self.read, self.listen, self.close = engine.read, engine.listen, engine.close

    async def write(self, work: Callable[[Tx], T], *, at_leisure: bool = False, last: bool = False) -> T:
        return await self._engine.write(lambda tx: work(WatchedTx(tx, self.noted)))


class WatchedTx:
    def __init__(self, tx: Tx, noted: list[Noted]) -> None:
        self._many, self._noted = tx.many, noted
        self.all, self.ahead, self.run, self.script = tx.all, tx.ahead, tx.run, tx.script
        self.wake, self.due_by, self.settle = tx.wake, tx.due_by, tx.settle
        self.after, self.remembered = tx.after, tx.remembered

    def many(self, name: str, rows: Sequence[Row]) -> None:
        self._noted += [(name, row) for row in rows]
        self._many(name, rows)


# ---- patterns


def patterns(ones: Sequence[Noted], others: Sequence[Noted], one: Gap, other: Gap) -> list[Pattern]:
    """What two messages have in common, with gaps where they differ."""
    return [
        _pattern(query, row, second, one, other)
        for (query, row), (_, second) in zip(ones, others, strict=True)
    ]


def _pattern(query: str, row: Row, second: Row, one: Gap, other: Gap) -> Pattern:
    pairs = enumerate(zip(row, second, strict=True))
    return Pattern(query, row, [_column(at, a, b, one, other) for at, (a, b) in pairs if a != b])


def _column(at: int, a: Any, b: Any, one: Gap, other: Gap) -> Column:
    if (a, b) == (one.id, other.id):
        return Column(at, None)
    text = _with_gaps(a, one) if isinstance(a, str) else ""
    if text.format(other) != b:
        raise AssertionError(f"column {at} of two messages differs: {a!r}, {b!r}")
    return Column(at, text)


def _with_gaps(text: str, gap: Gap) -> str:
    text = text.replace("{", "{{").replace("}", "}}")
    return text.replace(gap.number, "{0.number}").replace(gap.token, "{0.token}")


# ---- many


async def fill(engine: Engine, sample: Sample, account_id: int, messages: int) -> tuple[int, int]:
    """Write so many messages that have ended; their ids are from the first up to, without it, the second."""
    first = end = 0
    for start in range(0, messages, TOGETHER):
        n = min(TOGETHER, messages - start)
        end = await engine.write(partial(_fill, sample, account_id, n))
        first = first or end - n
    return first, end


def _fill(sample: Sample, account_id: int, n: int, tx: Tx) -> int:
    end: int = tx.all("take_ids", n=n)[0][0] + 1
    gaps = [gap(i) for i in range(end - n, end)]
    for pattern in sample.ended:
        tx.many(pattern.query, list(pattern.rows(gaps)))
    tx.many(MONEY, [(sample.price * n, 0, account_id)])
    return end


def accept(sample: Sample, rows: Sequence[Sequence[Row]], tx: Tx) -> None:
    """Write what `accepted` has made: the rows of acceptance, and nothing else of it."""
    for pattern, some in zip(sample.accepted, rows, strict=True):
        tx.many(pattern.query, some)


def accepted(sample: Sample, ids: Iterable[int]) -> list[list[Row]]:
    """The rows of these messages, as they are accepted."""
    gaps = [gap(i) for i in ids]
    return [list(pattern.rows(gaps)) for pattern in sample.accepted]


def gap(message_id: int) -> Gap:
    return Gap(message_id, load.recipient(message_id).decode(), str(FIRST_TOKEN + message_id))
