"""The far end of one session, without a socket between."""

from hopwire.smpp.pdu import Bind, BindResp, BindTransceiver, Pdu, Stream, SubmitSm, encode
from hopwire.smpp.session import Event, Session

BIND = BindTransceiver(system_id="me", password="secret", system_type="VMA")


class Smsc:
    """The far end of one session; its clock is `now`."""

    def __init__(self, bind: Bind = BIND, *, inactivity_s: float = 0.0, outbind: bool = False) -> None:
        self.now = 0.0
        self.session = Session(
            bind,
            self.now,
            window=3,
            response_timeout_s=10,
            enquire_link_s=30,
            inactivity_s=inactivity_s,
            outbind=outbind,
        )
        self._stream = Stream()

    def bound(self) -> "Smsc":
        self.hears()
        self.says(BindResp(sequence=1, system_id="SMSC", sc_interface_version=0x34))
        return self

    def says(self, *pdus: Pdu) -> list[Event]:
        return self.session.receive(b"".join(map(encode, pdus)), self.now)

    def hears(self) -> list[Pdu]:
        return self._stream.feed(self.session.data_to_send())

    def waits(self, until: float) -> list[Event]:
        """Let the session's own timer run up to that moment."""
        events: list[Event] = []
        while self.session.next_tick <= until:
            self.now = self.session.next_tick
            events += self.session.tick(self.now)
        self.now = until
        return events

    def submit(self) -> int:
        return self.session.submit(SubmitSm(destination_addr="1"), self.now)

    def sent(self) -> int:
        """A submit that has left."""
        sequence = self.submit()
        self.hears()
        return sequence
