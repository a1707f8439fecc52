"""An SMSC on smpp.twisted3, the stack under Jasmin, whose reader is strict. User "me", password "secret".

It prints its port when it listens, and then every PDU that it hears, as a line of JSON. A destination that
ends in 0 is refused, one that ends in 9 is taken and then undelivered; the text "MO" is answered by a long
message from the phone. Options are arguments, name=value; N counts submits, from 1. It runs in .venv-peers.
"""

# mypy: ignore-errors
# (its stack is not in the environment that is checked)

import json
import sys
from enum import Enum

from smpp.pdu import pdu_encoding
from smpp.pdu.operations import DeliverSM, EnquireLink, GenericNack
from smpp.pdu.pdu_types import (
    AddrNpi,
    AddrTon,
    CommandStatus,
    DataCoding,
    DataCodingDefault,
    EsmClass,
    EsmClassGsmFeatures,
    EsmClassMode,
    EsmClassType,
    MessageState,
)
from smpp.twisted.config import SMPPServerConfig
from smpp.twisted.protocol import DataHandlerResponse, SMPPServerProtocol
from smpp.twisted.server import SMPPServerFactory
from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import IRealm, Portal
from twisted.internet import defer, reactor
from zope.interface import implementer

OPTIONS = {
    "receipts": "text",  # where a receipt says what it says: text, tlv, payload
    "receipts_first": "",  # yes: before the answer to the submit
    "throttle": "0",  # every Nth submit
    "queue_full": "0",  # every Nth
    "nack": "0",  # every Nth gets a generic_nack
    "silent": "0",  # every Nth gets no answer
    "drop_after": "0",  # the Nth ends the connection without an answer
    "unbind_after": "0",  # after the Nth the SMSC says goodbye
    "enquire_link": "",  # yes: the SMSC asks after each submit
}
GIVEN = dict(argument.split("=", 1) for argument in sys.argv[1:])
if not GIVEN.keys() <= OPTIONS.keys():
    raise SystemExit(f"no option {GIVEN.keys() - OPTIONS.keys()}")
options = OPTIONS | GIVEN

NUMBERS = {  # how the stack writes what it has read as a word
    "source_addr_ton": pdu_encoding.AddrTonEncoder(),
    "source_addr_npi": pdu_encoding.AddrNpiEncoder(),
    "dest_addr_ton": pdu_encoding.AddrTonEncoder(),
    "dest_addr_npi": pdu_encoding.AddrNpiEncoder(),
    "esm_class": pdu_encoding.EsmClassEncoder(),
    "data_coding": pdu_encoding.DataCodingEncoder(),
    "registered_delivery": pdu_encoding.RegisteredDeliveryEncoder(),
    "dest_addr_subunit": pdu_encoding.AddrSubunitEncoder(),
}
submits = 0


# ---- what is heard


def tell(pdu):
    told = {"command": pdu.id.name, "sequence": pdu.seqNum, "status": pdu.status.name, "tlvs": {}}
    for name, value in pdu.params.items():
        if value is not None and name not in {"short_message", "message_payload"}:
            (told if name in pdu.mandatoryParams else told["tlvs"])[name] = shown(name, value)
    told["octets"] = octets(pdu).hex()
    print(json.dumps(told), flush=True)


def octets(pdu):
    return pdu.params.get("short_message") or pdu.params.get("message_payload") or b""


def shown(name, value):
    if name in NUMBERS:
        return NUMBERS[name].encode(value)[0]
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, Enum):
        return value.name
    return value if isinstance(value, int) else str(value)


# ---- what is said


def report(factory, submit, message_id):
    failed = submit.params["destination_addr"].endswith(b"9")
    word = "UNDELIV err:001" if failed else "DELIVRD err:000"
    text = f"id:{message_id} sub:001 dlvrd:{not failed:03d} stat:{word} text:".encode()
    state = MessageState.UNDELIVERABLE if failed else MessageState.DELIVERED
    said = {
        "text": {"short_message": text},
        "payload": {"message_payload": text},
        "tlv": {"receipted_message_id": message_id.encode(), "message_state": state},
    }[options["receipts"]]
    kind = EsmClass(EsmClassMode.DEFAULT, EsmClassType.SMSC_DELIVERY_RECEIPT)
    deliver(factory, submit, esm_class=kind, **said)


def reply(factory, submit):
    for number, text in enumerate(("Привіт, ", "світе"), 1):
        deliver(
            factory,
            submit,
            esm_class=EsmClass(
                EsmClassMode.DEFAULT, EsmClassType.DEFAULT, [EsmClassGsmFeatures.UDHI_INDICATOR_SET]
            ),
            data_coding=DataCoding(schemeData=DataCodingDefault.UCS2),
            short_message=bytes((5, 0, 3, 0x17, 2, number)) + text.encode("utf-16-be"),
        )


def deliver(factory, submit, **fields):
    connections = factory.getBoundConnections("me")
    connection = connections and connections.getNextBindingForDelivery()
    if connection:
        pdu = DeliverSM(
            source_addr_ton=AddrTon.INTERNATIONAL,
            source_addr_npi=AddrNpi.ISDN,
            source_addr=submit.params["destination_addr"],
            destination_addr=submit.params["source_addr"],
            **fields,
        )
        connection.sendDataRequest(pdu).addErrback(lambda failure: None)


# ---- what is answered


def is_nth(option):
    return int(options[option]) and submits % int(options[option]) == 0


def fault(submit):
    if is_nth("throttle"):
        return CommandStatus.ESME_RTHROTTLED
    if is_nth("queue_full"):
        return CommandStatus.ESME_RMSGQFUL
    if submit.params["destination_addr"].endswith(b"0"):
        return CommandStatus.ESME_RINVDSTADR
    return None


def answer(system_id, connection, submit):
    """What a submit gets: a response, or a Deferred that never comes."""
    global submits
    submits += 1
    if submits == int(options["drop_after"]):
        connection.transport.abortConnection()
        return nothing(connection, submit)
    if is_nth("nack"):
        connection.sendPDU(GenericNack(seqNum=submit.seqNum, status=CommandStatus.ESME_RINVCMDID))
    if is_nth("nack") or is_nth("silent"):
        return nothing(connection, submit)
    if status := fault(submit):
        return DataHandlerResponse(status)
    return take(connection, submit)


def nothing(connection, submit):
    """No response, and none that a goodbye would have to wait for."""
    del connection.inTxns[submit.seqNum]
    return defer.Deferred()


def take(connection, submit):
    message_id = f"{0xABBF + submits:08x}"
    after = []
    if not submit.params["registered_delivery"].receipt.name.startswith("NO_"):
        after.append(lambda: report(connection.factory, submit, message_id))
    if options["receipts_first"] and after:
        after.pop()()
    if octets(submit) == b"MO":
        after.append(lambda: reply(connection.factory, submit))
    if options["enquire_link"]:
        after.append(lambda: connection.sendRequest(EnquireLink(), config.responseTimerSecs))
    if submits == int(options["unbind_after"]):
        after.append(connection.unbindAndDisconnect)
    for action in after:
        reactor.callLater(0, action)  # when the answer has been written
    return DataHandlerResponse(CommandStatus.ESME_ROK, message_id=message_id.encode())


class Connection(SMPPServerProtocol):
    def PDUReceived(self, pdu):  # noqa: N802
        tell(pdu)
        super().PDUReceived(pdu)


class Factory(SMPPServerFactory):
    protocol = Connection


@implementer(IRealm)
class Realm:
    def requestAvatar(self, avatar_id, mind, *interfaces):  # noqa: N802
        return interfaces[0], avatar_id, lambda: None


users = InMemoryUsernamePasswordDatabaseDontUse()
users.addUser("me", "secret")
config = SMPPServerConfig(msgHandler=answer, systems={"me": {"max_bindings": 4}})
port = reactor.listenTCP(0, Factory(config, Portal(Realm(), [users])), interface="127.0.0.1")
print(port.getHost().port, flush=True)
reactor.run()
