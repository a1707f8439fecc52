"""Writes what goes over a connector's links into a file, for a time: readable lines, or a pcap for Wireshark.

Rule 1: a password is never written, and a text only where the operator has asked for it.
Rule 2: a file that cannot be written ends the tracing, and nothing else.
"""

import asyncio
import logging
import os
import time
from typing import BinaryIO

from hopwire.model import TraceOrder
from hopwire.smpp.trace import Address, Cut, Pcap, line, masked

log = logging.getLogger(__name__)


class Tracing:
    """What is traced of one connector. `on` is to be asked before `sent` and `received` are called."""

    def __init__(self, connector: str) -> None:
        self.on = False
        self._connector = connector
        self._order: TraceOrder | None = None
        self._file: BinaryIO
        self._pcap = Pcap()
        self._cuts: dict[object, Cut] = {}  # of what came, by link

    def follow(self, order: TraceOrder | None) -> None:
        """Do as ordered; the same order again changes nothing."""
        if order == self._order:
            return
        self.stop()
        self._order = order
        if order is not None and order.until > time.time() * 1000:
            self._begin(order)

    def stop(self) -> None:
        if self.on:
            self.on = False
            self._cuts.clear()
            self._file.close()

    def sent(self, transport: asyncio.Transport, data: bytes) -> None:
        """Whole PDUs leave."""
        for pdu in Cut().feed(data):
            self._write(pdu, True, transport)

    def received(self, link: object, transport: asyncio.Transport, unread: bytes, data: bytes) -> None:
        """Bytes have come; `unread` are those of a PDU that came before them, in part."""
        if link not in self._cuts:
            self._cuts[link] = Cut()
            self._cuts[link].feed(unread)
        for pdu in self._cuts[link].feed(data):
            self._write(pdu, False, transport)

    def closed(self, link: object) -> None:
        """The link has ended."""
        self._cuts.pop(link, None)

    def _begin(self, order: TraceOrder) -> None:
        try:
            descriptor = os.open(order.file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            self._file = open(descriptor, "ab", buffering=0)  # noqa: SIM115, PTH123 - it stays open
            self._pcap = Pcap()
            if order.format == "pcap" and not self._file.tell():
                self._file.write(self._pcap.header())
        except OSError as error:
            log.warning("trace connector=%s cannot be written: %s", self._connector, error.strerror)
            return
        self.on = True

    def _write(self, pdu: bytes, outgoing: bool, transport: asyncio.Transport) -> None:
        order, now = self._order, time.time()
        if order is None or not self.on:
            return
        if now * 1000 >= order.until:
            self.stop()
            return
        try:
            self._file.write(self._as_ordered(order, pdu, outgoing, now, transport))
        except OSError as error:
            log.warning("trace connector=%s ended: %s", self._connector, error.strerror)
            self.stop()

    def _as_ordered(
        self, order: TraceOrder, pdu: bytes, outgoing: bool, now: float, transport: asyncio.Transport
    ) -> bytes:
        if order.format == "text":
            return (line(pdu, outgoing, now, self._connector, order.texts) + "\n").encode()
        shown = masked(pdu, order.texts)
        near, far = (_address(transport, name) for name in ("sockname", "peername"))
        return self._pcap.packet(shown, outgoing, now, near, far)


def _address(transport: asyncio.Transport, name: str) -> Address:
    host, port = transport.get_extra_info(name)[:2]
    return host, port
