"""smpplib as bench/smpp measures it. Runs in .venv-peers.

It knows no window and reads no answer by itself: the program around it counts what is under way, sends while
there is room, and otherwise waits for one PDU more, in one thread.
"""

import socket

import smpplib.client  # type: ignore[import-not-found] # it is in .venv-peers

from bench import smpp_row as row

PATIENCE_S = 60


class Esme:
    """Counts what smpplib does not."""

    def __init__(self, job: row.Job) -> None:
        self._job = job
        self._answers = self._receipts = 0  # to wait for
        self._under_way: set[int] = set()
        self._client = smpplib.client.Client(
            "127.0.0.1", job.port, timeout=PATIENCE_S, allow_unknown_opt_params=True
        )
        self._client.set_message_sent_handler(self._answered)
        self._client.set_message_received_handler(self._received)

    def __enter__(self) -> "Esme":
        self._client.connect()
        # Its own calls leave Nagle's algorithm on, which would be measured instead of it.
        self._client._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._client.bind_transceiver(system_id=row.SYSTEM_ID, password=row.PASSWORD)
        return self

    def __exit__(self, *error: object) -> None:
        self._client.unbind()
        self._client.disconnect()

    def send(self, messages: int) -> None:
        left = self._answers = messages
        self._receipts = messages if self._job.receipts else 0
        while self._answers or self._receipts:
            while left and len(self._under_way) < self._job.window:
                left -= 1
                self._submit()
            self._client.read_once()

    def _submit(self) -> None:
        pdu = self._client.send_message(
            source_addr_ton=row.SOURCE_TON,
            source_addr_npi=row.SOURCE_NPI,
            source_addr=row.SOURCE,
            dest_addr_ton=row.DESTINATION_TON,
            dest_addr_npi=row.DESTINATION_NPI,
            destination_addr=row.DESTINATION,
            registered_delivery=int(self._job.receipts),
            short_message=row.TEXT.encode("ascii"),
        )
        self._under_way.add(pdu.sequence)

    def _answered(self, pdu: smpplib.pdu.PDU) -> None:
        self._under_way.remove(pdu.sequence)
        self._answers -= 1

    def _received(self, pdu: smpplib.pdu.PDU) -> None:
        if pdu.receipted_message_id:
            self._receipts -= 1


def main(job: row.Job) -> row.Figures:
    with Esme(job) as esme:
        esme.send(job.warm_up)
        stopwatch = row.Stopwatch()
        esme.send(job.messages)
        return stopwatch.figures()


if __name__ == "__main__":
    row.tell(main(row.job()))
