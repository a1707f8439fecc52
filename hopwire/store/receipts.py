"""Which message a receipt means: by the provider's id, by another spelling of it, or by the number.

Rule 1: an id that has one spelling is believed; of several messages that have had it, the youngest.
Rule 2: of an id that has several, that spelling is believed first by which a message to the same number is
found, handed over before the receipt came and not too long ago; as it is written it is tried first, and last.
Rule 3: the number alone decides only about parts whose answer was lost, the oldest first, and only while no
answer is awaited that could tell more.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from hopwire import events
from hopwire.model import Fact, Taken
from hopwire.rung import Part, PartState, Rung
from hopwire.store.engine import Tx
from hopwire.store.rows import Kept, KeptReceipt, Place, kept_receipt, plain_id, reported, rung_of

RECEIPTS_KEPT_MS = 72 * 3_600_000

Change = tuple[int, events.Event]
Key = tuple[str, str]  # connector, provider's id


class Found(Fact, frozen=True):
    """Where a receipt belongs."""

    place: Place
    provider_id: str  # as the answer to the submit spelled it


# ---- by the id


def find(tx: Tx, receipts: Sequence[KeptReceipt]) -> list[Found | None]:
    """Where each belongs: by one of the spellings of its id, or by the id as it is written."""
    exact = _exact(tx, receipts)
    ambiguous = [r for r in receipts if _ambiguous(r)]
    spelled = _spelled(tx, ambiguous) if ambiguous else {}
    return [(_guess(spelled, r) if _ambiguous(r) else None) or exact.get(_key(r)) for r in receipts]


def _ambiguous(r: KeptReceipt) -> bool:
    return bool(r.also and r.recipient)


def _key(r: KeptReceipt) -> Key:
    return r.connector, r.provider_id


def _exact(tx: Tx, receipts: Sequence[KeptReceipt]) -> dict[Key, Found]:
    ids = sorted({r.provider_id for r in receipts if r.provider_id})
    rows = tx.all("find_handles", provider_ids=ids)
    return {
        (connector, provider_id): Found(Place(*place), provider_id) for provider_id, connector, *place in rows
    }


Spelled = Mapping[Key, Sequence[tuple[Place, str, str]]]  # place, recipient, delivery as JSON; youngest first


def _spelled(tx: Tx, receipts: Sequence[KeptReceipt]) -> Spelled:
    """The parts that have had one of the spellings."""
    spelled: dict[Key, list[tuple[Place, str, str]]] = defaultdict(list)
    ids = sorted({spelling for r in receipts for spelling in (r.provider_id, *r.also)})
    for provider_id, connector, message_id, step, part, *delivery in tx.all(
        "find_spellings", provider_ids=ids
    ):
        spelled[connector, provider_id].append((Place(message_id, step, part), *delivery))
    return spelled


def _guess(spelled: Spelled, r: KeptReceipt) -> Found | None:
    """The youngest message that may be meant by the first spelling by which one may."""
    for spelling in (r.provider_id, *r.also):
        for place, recipient, delivery in spelled.get((r.connector, spelling), ()):
            if recipient == r.recipient and _may_be_of(r, rung_of(delivery, place.step)):
                return Found(place, spelling)
    return None


def _may_be_of(r: KeptReceipt, rung: Rung) -> bool:
    return _begun_at(rung) <= r.received_at <= (rung.handed_at or 0) + RECEIPTS_KEPT_MS


def _begun_at(rung: Rung) -> int:
    """No part of it was handed over before; of several parts or tries only the latest hand-over is known."""
    once = len(rung.parts) == 1 and not rung.parts[0].repeated
    return (rung.handed_at or 0) if once else rung.give_up_at - 1000 * rung.plan.lifetime_s


# ---- before the answer


def before_answer(tx: Tx, kept: Mapping[int, Kept], changes: Iterable[Change]) -> list[Change]:
    """What receipts change that came before these answers, which tell the ids they bear."""
    told = _told(kept, changes)
    ids = sorted({provider_id for _, provider_id in told})
    rows = tx.all("unmatched_receipts_for", provider_ids=ids) if ids else []
    pairs = [(r, told[_key(r)]) for r in map(kept_receipt, rows) if _key(r) in told]
    meant = [
        (r, place)
        for r, place in pairs
        if not _ambiguous(r) or kept[place.message_id].recipient == r.recipient
    ]
    return note(tx, meant)


def _told(kept: Mapping[int, Kept], changes: Iterable[Change]) -> dict[Key, Place]:
    """The places of the provider's ids that these answers tell."""
    told: dict[Key, Place] = {}
    for i, event in changes:
        match event:
            case events.Answered(step, part, Taken(provider_id), connector) if provider_id:
                by = connector or kept[i].delivery.rungs[step].plan.connector
                told[by, plain_id(provider_id)] = Place(i, step, part)
    return told


def note(tx: Tx, pairs: Sequence[tuple[KeptReceipt, Place]]) -> list[Change]:
    """Note that these receipts have found their messages; what they change."""
    tx.many("match_receipt", [(place.message_id, r.id) for r, place in pairs])
    return [reported(place, r) for r, place in pairs]


# ---- by the number


def attribute(
    receipts: Sequence[KeptReceipt], found: Sequence[Found | None], in_doubt: Sequence[Kept]
) -> tuple[list[Change], list[tuple[KeptReceipt, Place]]]:
    """What is learned of parts in doubt, and which receipt belongs where; a part answers to one id."""
    known: dict[Key, Place] = {}
    meant = {one.place for one in found if one}
    learned: list[Change] = []
    pairs: list[tuple[KeptReceipt, Place]] = []
    for r, one in zip(receipts, found, strict=True):
        place = one.place if one else known.get(_key(r))
        if place is None and (place := _oldest_lost(in_doubt, r, meant)) is not None:
            meant.add(place)
            answer = events.Answered(place.step, place.part, Taken(r.provider_id), r.connector)
            learned.append((place.message_id, answer))
            if r.provider_id:
                known[_key(r)] = place
        if place is not None:
            pairs.append((r, place))
    return learned, pairs


def _oldest_lost(in_doubt: Sequence[Kept], receipt: KeptReceipt, meant: set[Place]) -> Place | None:
    """The oldest part whose answer was lost, if no part still waiting for its answer could be meant."""
    parts = [
        (rung.handed_at or 0, place, part.state)
        for one in in_doubt
        if one.recipient == receipt.recipient
        for i, rung in enumerate(one.delivery.rungs)
        if _begun_at(rung) <= receipt.received_at
        for j, part in enumerate(rung.parts)
        if part.nameless
        and _has_had(rung, part, receipt.connector)
        and (place := Place(one.id, i, j)) not in meant
    ]
    if not parts or any(state is PartState.SENDING for *_, state in parts):
        return None
    return min(parts)[1]


def _has_had(rung: Rung, part: Part, connector: str) -> bool:
    """Whether the part was handed over to this connector, or may have been before another one got it."""
    return rung.plan.connector == connector or (
        part.repeated and any(one.connector == connector for one in rung.plan.others)
    )
