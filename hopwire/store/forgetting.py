"""Forgets texts and numbers of messages, inside a transaction.

Rule 1: nothing of a message is forgotten while anything may happen to it: before it has ended, while its
timer runs, and while somebody has to decide about it.
Rule 2: what it was, when, how it ended and what it cost stays.
Rule 3: what comes later for a message is kept without what was forgotten of it.
"""

from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from hopwire.delivery import Delivery
from hopwire.privacy import forgotten, pseudonym, without
from hopwire.rung import Part, Rung
from hopwire.store.engine import Tx
from hopwire.store.rows import Kept, KeptReceipt, kept_by_id, rewritten_row

TEXTS, NUMBERS = "texts", "numbers"

Arrived = tuple[KeptReceipt, str, int | None]  # a receipt, its raw text, the message that it belongs to


def forget(tx: Tx, what: str, ids: Iterable[int], secret: bytes) -> list[int]:
    """Forget the texts or the numbers of these messages; those that may still need them, which keep them."""
    kept = kept_by_id(tx.all("load_deliveries", ids=sorted(ids)))
    held = {row[0] for row in tx.all("held_among", ids=list(kept))} if kept else set()
    over = {i: one for i, one in kept.items() if i not in held and _over(one.delivery)}
    if over:
        tx.all("forget_raw_receipts", ids=list(over))
        if what == TEXTS:
            _forget_texts(tx, over)
        else:
            _forget_numbers(tx, over, secret)
    return [i for i in kept if i not in over]


def _over(d: Delivery) -> bool:
    return d.ended and d.timer_at is None


def _forget_texts(tx: Tx, over: Mapping[int, Kept]) -> None:
    tx.all("forget_texts", ids=list(over))
    bare = [replace(one, delivery=_without_parameters(one.delivery)) for one in over.values()]
    _rewrite(tx, over, bare)


def _forget_numbers(tx: Tx, over: Mapping[int, Kept], secret: bytes) -> None:
    known = {i: one for i, one in over.items() if not forgotten(one.recipient)}
    shown = {i: pseudonym(one.recipient, secret) for i, one in known.items()}
    tx.many("forget_recipient", [(shown[i], i) for i in known])
    bare = [
        replace(one, recipient=shown[i], delivery=_without_number(one.delivery, one.recipient))
        for i, one in known.items()
    ]
    _rewrite(tx, over, bare)
    told = tx.all("codes_of_receipts", ids=list(known)) if known else []
    tx.many(
        "rewrite_receipt",
        [(pseudonym(to, secret), without(code, known[i].recipient), row) for row, i, to, code in told],
    )
    said = tx.all("codes_of_events", ids=list(known)) if known else []
    codes = [(without(code, known[i].recipient), row, code) for row, i, code in said]
    tx.many("rewrite_event", [(new, row) for new, row, old in codes if new != old])


def _rewrite(tx: Tx, before: Mapping[int, Kept], after: Iterable[Kept]) -> None:
    tx.many("rewrite_delivery", [rewritten_row(one) for one in after if one != before[one.id]])


def _without_parameters(d: Delivery) -> Delivery:
    """Without what stood for the variables of templates."""

    def bare(rung: Rung) -> Rung:
        template = rung.plan.template
        if template is None or not template.parameters:
            return rung
        return replace(rung, plan=replace(rung.plan, template=replace(template, parameters={})))

    return replace(d, rungs=tuple(map(bare, d.rungs)))


def _without_number(d: Delivery, number: str) -> Delivery:
    """Without the number in what upstreams have said."""

    def bare(part: Part) -> Part:
        return replace(part, code=without(part.code, number)) if part.code else part

    return replace(d, rungs=tuple(replace(rung, parts=tuple(map(bare, rung.parts))) for rung in d.rungs))


# ---- what comes later


def discreet(tx: Tx, kept: Mapping[int, Kept], came: Sequence[Arrived]) -> Sequence[Arrived]:
    """Receipts as they may be kept: without what is forgotten of their messages."""
    over = [i for i, one in kept.items() if _over(one.delivery)]
    if not over:
        return came
    textless = {row[0] for row in tx.all("textless_among", ids=over)}
    return [_discreet(one, kept, textless) for one in came]


def _discreet(one: Arrived, kept: Mapping[int, Kept], textless: set[int]) -> Arrived:
    receipt, raw, i = one
    if i is None:
        return one
    if i in kept and forgotten(kept[i].recipient):
        code = without(receipt.code, receipt.recipient)
        return replace(receipt, recipient=kept[i].recipient, code=code), "", i
    return receipt, "" if i in textless else raw, i
