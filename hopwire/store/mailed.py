"""Rows of mailings that become messages, in the transaction that accepts the messages.

Rule 1: a row is marked in the commit that keeps its message: whatever dies, none is sent twice, none is lost.
Rule 2: once a mailing is paused or stopped, none of its rows becomes a message.
Rule 3: rows of mailings are waited for behind accounts, the mailings by id.
"""

from collections import Counter
from collections.abc import Sequence

from hopwire.errors import ApiError, Withdrawn
from hopwire.mailing import RowState
from hopwire.store.engine import Tx
from hopwire.store.rows import Accepted, Order

Row = tuple[int, int]  # the mailing's id, and the row's number


class Mailed:
    """The rows that these orders are of."""

    def __init__(self, tx: Tx, orders: Sequence[Order]) -> None:
        wanted = {order.row for order in orders if order.row}
        ids = sorted({mailing_id for mailing_id, _ in wanted})
        self._owners: dict[int, int] = dict(tx.all("hold_sending", ids=ids)) if ids else {}
        self._states: dict[Row, tuple[int, int | None]] = {}
        self._new: list[tuple[int, int, int]] = []  # message, mailing, row
        for mailing_id in self._owners:
            ns = [n for one, n in wanted if one == mailing_id]
            found = tx.all("rows_among", mailing_id=mailing_id, ns=ns)
            self._states.update({(mailing_id, n): (state, message) for n, state, message in found})

    def answer(self, order: Order) -> Accepted | ApiError | None:
        """What is answered without accepting it; None: its row waits, or it has none."""
        if order.row is None:
            return None
        state, message_id = self._states.get(order.row, (None, None))
        if state is None or self._owners[order.row[0]] != order.account.id:
            return Withdrawn()
        if message_id is not None:
            return Accepted(message_id, order.parts)
        return None if state == RowState.GOOD else Withdrawn()

    def take(self, order: Order, answer: Accepted) -> None:
        """Its row has become this message."""
        if order.row and self._states[order.row][1] is None:
            self._states[order.row] = RowState.SENT, answer.id
            self._new.append((answer.id, *order.row))

    def keep(self, tx: Tx) -> None:
        tx.many("row_sent", self._new)
        for mailing_id, n in sorted(Counter(one[1] for one in self._new).items()):
            count(tx, mailing_id, accepted=n)


COUNTED = ("total", "good", "bad", "repeated", "accepted", "refused", "parts", "price")


def count(tx: Tx, mailing_id: int, **more: int) -> None:
    """Add to the sums of a mailing."""
    tx.run("count_rows", id=mailing_id, **(dict.fromkeys(COUNTED, 0) | more))
