"""What the store keeps, as dataclasses and as rows: the one place that knows both."""

import re
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from hopwire.delivery import Delivery
from hopwire.events import (
    Charge,
    Commission,
    Cost,
    Release,
    Reported,
    Submit,
)
from hopwire.model import (
    Account,
    Fact,
    Fault,
    Handover,
    Outcome,
    Receipt,
    SendRequest,
    SmsContent,
    Status,
    ViberContent,
    Writing,
)
from hopwire.rung import IN_FLIGHT, PartState, Rung
from hopwire.store.engine import Row
from hopwire.timeline import Note, Payment, RawReceipt, Story, What

DEFAULT_WRITING = Writing()
_encode = msgspec.json.Encoder().encode
_decode_delivery = msgspec.json.Decoder(Delivery).decode
_decode_ids = msgspec.json.Decoder(tuple[str, ...]).decode
_decode_sms: msgspec.json.Decoder[SmsContent] = msgspec.json.Decoder(SmsContent)
_decode_viber: msgspec.json.Decoder[ViberContent] = msgspec.json.Decoder(ViberContent)


class Order(Fact, frozen=True):
    """A request that has been planned and may be accepted, if the account can pay for it."""

    account: Account
    request: SendRequest
    delivery: Delivery
    accepted_at: int
    key_id: int = 0  # by which it was asked for; 0: by a password
    client_key: str = ""  # that the client gave to this request, so that it can be made again; "": none
    parts: int = 1  # of the SMS, as the client is told
    row: tuple[int, int] | None = None  # of a mailing, by its id and its number, that it is the message of

    @property
    def price(self) -> int:
        return sum(rung.plan.price for rung in self.delivery.rungs)


class Accepted(NamedTuple):
    """What the client is told of a message; of a repeat, what he was told before."""

    id: int
    parts: int


class Kept(Fact, frozen=True):
    """A delivery as it stands in its row."""

    id: int
    account_id: int
    recipient: str
    status_at: int
    worker: str
    delivery: Delivery


class KeptReceipt(Fact, frozen=True):
    """A receipt that has not found its message."""

    id: int
    received_at: int
    connector: str
    provider_id: str
    recipient: str
    outcome: int
    code: str
    fault: str
    also: tuple[str, ...]  # other spellings of the id


class UnmatchedReceipt(NamedTuple):
    """What an operator is told of a receipt that has not found its message."""

    received_at: int
    connector: str
    provider_id: str
    recipient: str
    outcome: Outcome
    code: str
    raw: str
    id: int


class Place(Fact, frozen=True, order=True):
    """A part of a step of a message."""

    message_id: int
    step: int
    part: int


class Standing(NamedTuple):
    """What `receive` tells of a message."""

    status: Status
    status_at: int


class StepOverview(NamedTuple):
    """What the phone page tells of one step."""

    channel: str
    state: str  # of the part that is least far: a PartState in small letters
    code: str  # what the upstream said last of that part
    ends_at: int | None  # the end of the lifetime that the client asked for, while the upstream has it
    parts: list[str]  # the state of each part


class Overview(NamedTuple):
    """What the phone page tells of a message."""

    id: int
    status: Status
    recipient: str
    provider_ids: list[str]
    viber_sender: str
    steps: list[StepOverview]


class Content(Fact, frozen=True):
    """What of a message its hand-overs need."""

    transactional: bool
    sms_sender: str
    sms: SmsContent | None
    viber_sender: str
    viber: ViberContent | None
    via: tuple[str, ...]


# ---- orders


def begun(message_id: int, order: Order) -> Kept:
    """The delivery of an order that is accepted."""
    return Kept(message_id, order.account.id, order.request.recipient, order.accepted_at, "", order.delivery)


def ordered(order: Order) -> Content:
    request = order.request
    return Content(
        order.account.transactional, request.sms_sender, request.sms, request.viber_sender, request.viber,
        request.via,
    )  # fmt: skip


# ---- into rows


def plain(text: str) -> str:
    """Text of a stranger as both engines can keep it: PostgreSQL takes every character but NUL."""
    return text.replace("\0", "\ufffd")


def escaped(text: str) -> str:
    """Text as LIKE reads it letter by letter; "!" stands before what else would mean something."""
    return re.sub("([!%_])", r"!\1", plain(text))


def like(text: str) -> str:
    """What LIKE is asked for text that has this in it; of no text, for any."""
    return f"%{escaped(text)}%" if text else "%"


def plain_id(provider_id: str) -> str:
    """A provider's id as it is compared: no honest one is near 255 characters, and an index has its limit."""
    return plain(provider_id)[:255]


def message_row(message_id: int, order: Order) -> Row:
    account, request, delivery, at = order.account, order.request, order.delivery, order.accepted_at
    send_at = delivery.rungs[0].parts[0].due_at if delivery.rungs else at
    return (
        message_id, account.id, at, send_at, request.recipient, int(account.transactional),
        request.sms_sender, _text(request.sms), request.viber_sender, _text(request.viber),
        ",".join(request.via),
    )  # fmt: skip


def _text(content: SmsContent | ViberContent | None) -> str | None:
    return None if content is None else _encode(content).decode()


def delivery_row(one: Kept) -> Row:
    return one.id, one.account_id, one.recipient, *save_row(one)[:-1]


def reservation_rows(message_id: int, order: Order) -> list[Row]:
    return [
        (order.accepted_at, order.account.id, "reserve", rung.plan.price, message_id, step)
        for step, rung in enumerate(order.delivery.rungs)
        if rung.plan.price
    ]


def save_row(one: Kept) -> Row:
    d = one.delivery
    return (
        int(d.status), one.status_at, d.connector, d.due_at, d.timer_at,
        one.worker, int(d.in_doubt), _encode(d).decode(), one.id,
    )  # fmt: skip


def rewritten_row(one: Kept) -> Row:
    """A delivery of which something is forgotten; nothing else of it has changed."""
    return one.recipient, _encode(one.delivery).decode(), one.id


def event_row(message_id: int, at: int, note: Note) -> Row:
    return (
        message_id, at, note.step, note.part, int(note.what), int(note.status), plain(note.code),
        plain(note.detail), note.handed_at,
    )  # fmt: skip


def arrived(r: Receipt, now: int) -> KeptReceipt:
    """A receipt as it will be kept; it has no id yet."""
    return KeptReceipt(
        0, now, r.connector, plain_id(r.provider_id), plain(r.recipient), int(r.outcome), plain(r.code),
        str(r.fault), tuple(map(plain_id, r.also)),
    )  # fmt: skip


def receipt_row(r: KeptReceipt, raw: str, message_id: int | None) -> Row:
    also = _encode(r.also).decode() if r.also else "[]"
    return (
        r.received_at, r.connector, r.provider_id, r.recipient, r.outcome, r.code, r.fault, also, plain(raw),
        message_id,
    )  # fmt: skip


def movement_row(at: int, one: Kept, account_id: int, action: Charge | Release | Commission | Cost) -> Row:
    """What an action moves on the account; a commission is earned by another account than the message's."""
    kind = type(action).__name__.lower()
    connector = one.delivery.rungs[action.step].plan.connector
    other = one.account_id if account_id != one.account_id else None
    return at, account_id, kind, action.amount, one.id, action.step, connector, other, ""


# ---- out of rows


def kept_by_id(rows: Iterable[Row]) -> dict[int, Kept]:
    """Message id -> its delivery, in the order of the rows."""
    return {
        i: Kept(i, account_id, recipient, status_at, worker, _decode_delivery(state))
        for i, account_id, recipient, status_at, worker, state in rows
    }


def content(row: Row) -> Content:
    _, transactional, sms_sender, sms, viber_sender, viber, via = row
    sms, viber = content_of(sms, viber)
    return Content(
        bool(transactional), sms_sender, sms, viber_sender, viber, tuple(filter(None, via.split(",")))
    )


def content_of(sms: str | None, viber: str | None) -> tuple[SmsContent | None, ViberContent | None]:
    """What was sent on each channel, as it is kept."""
    return (
        None if sms is None else _decode_sms.decode(sms),
        None if viber is None else _decode_viber.decode(viber),
    )


def handover(one: Kept, message: Content, submit: Submit, installation: str) -> Handover:
    """The part that is to be submitted."""
    rung = one.delivery.rungs[submit.step]
    viber_step = rung.plan.channel == "viber"
    content = message.viber if viber_step else message.sms
    assert content is not None, "a step has its content"
    return Handover(
        message_id=one.id,
        step=submit.step,
        part=submit.part,
        parts=rung.plan.parts,
        recipient=one.recipient,
        sender=message.viber_sender if viber_step else message.sms_sender,
        content=content,
        lifetime_s=rung.plan.lifetime_s,
        transactional=message.transactional,
        repeated=rung.parts[submit.part].repeated,
        writing=rung.plan.writing or DEFAULT_WRITING,
        report=rung.plan.reports_on(submit.part),
        template=rung.plan.template,
        installation=installation,
        via=message.via,
    )


def kept_receipt(row: Row) -> KeptReceipt:
    i, received_at, connector, provider_id, recipient, outcome, code, fault, also = row
    return KeptReceipt(
        i, received_at, connector, provider_id, recipient, outcome, code, fault, _decode_ids(also)
    )


def unmatched_receipt(row: Row) -> UnmatchedReceipt:
    return UnmatchedReceipt._make((*row[:4], Outcome(row[4]), *row[5:]))


def taken_ids(state: str, connector: str) -> list[str]:
    """The provider's ids of the parts that the connector has taken, of a delivery that is kept as this."""
    return [
        part.provider_id
        for rung in _decode_delivery(state).rungs
        if rung.plan.connector == connector
        for part in rung.parts
        if part.state is PartState.TAKEN and part.provider_id
    ]


def rung_of(state: str, step: int) -> Rung:
    """One step of a delivery that is kept as this."""
    return _decode_delivery(state).rungs[step]


def reported(place: Place, r: KeptReceipt) -> tuple[int, Reported]:
    """What a receipt changes."""
    return place.message_id, Reported(place.step, place.part, Outcome(r.outcome), r.code, Fault(r.fault))


def story(message: Row, events: Iterable[Row], payments: Iterable[Row], receipts: Iterable[Row]) -> Story:
    """Everything that is kept of a message, out of its rows."""
    i, account_id, accepted_at, send_at, recipient, sms_sender, sms, viber_sender, viber, status_at, state = (
        message
    )
    return Story(
        id=i,
        account_id=account_id,
        accepted_at=accepted_at,
        send_at=send_at,
        recipient=recipient,
        sms_sender=sms_sender,
        sms=content_of(sms, None)[0],
        viber_sender=viber_sender,
        viber=content_of(None, viber)[1],
        status_at=status_at,
        delivery=_decode_delivery(state),
        notes=[
            (at, Note(step, part, What(what), Status(status), code, detail, handed_at))
            for at, step, part, what, status, code, detail, handed_at in events
        ],
        payments=[Payment._make(row) for row in payments],
        receipts=[RawReceipt._make((*row[:3], Outcome(row[3]), *row[4:])) for row in receipts],
    )


def overview(row: Row) -> Overview:
    message_id, recipient, status, state, viber_sender = row
    rungs = _decode_delivery(state).rungs
    provider_ids = [part.provider_id for rung in rungs for part in rung.parts if part.provider_id]
    steps = [_step_overview(rung) for rung in rungs]
    return Overview(message_id, Status(status), recipient, provider_ids, viber_sender or "", steps)


def _step_overview(rung: Rung) -> StepOverview:
    states = [part.state.name.lower() for part in rung.parts]
    least = min(range(len(states)), key=lambda i: rung.parts[i].state)
    ends_at = rung.ends_at - 1000 * rung.plan.grace_s if rung.any(*IN_FLIGHT) else None
    return StepOverview(rung.plan.channel, states[least], rung.parts[least].code, ends_at, states)
