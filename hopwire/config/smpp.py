"""The settings of an account at an SMSC."""

from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from hopwire.config.fields import Octet, Port, Seconds, Secret, Text, Upstream, Window, about
from hopwire.model import Writing

_NUMBER = "(0x[0-9A-Fa-f]{1,8}|[0-9]{1,10})"
STATUS_RANGE = rf"^{_NUMBER}(-{_NUMBER})?\Z"


class SmppConnector(Upstream, frozen=True, kw_only=True, tag_field="kind", tag="smpp"):
    # who and where
    host: Annotated[Text, about("The SMSC's host name or address.", "smsc.example.net")]
    port: Annotated[Port, about("The SMSC's port.")] = 2775
    system_id: Annotated[
        str, Meta(max_length=15), about("The login that the SMSC's owner gave you.", "hopwire")
    ]
    password: Annotated[
        Secret, about("The password to it.", "change-me")
    ]  # many SMSCs take more than 8 bytes
    system_type: Annotated[str, Meta(max_length=12), about("Sent as it is; most SMSCs want it empty.")] = ""
    tls: Annotated[bool, about("Whether the SMSC is reached over TLS; its certificate is verified.")] = False
    tls_ca: Annotated[
        str, about("PEM file with the certificates to trust instead of the system's. Empty: the system's.")
    ] = ""
    tls_name: Annotated[
        str, about("The name that the SMSC's certificate is for, where that is not `host`.")
    ] = ""

    # sessions
    bind: Annotated[
        Literal["transceiver", "transmitter+receiver", "transmitter"],
        about(
            "How to bind. `transmitter+receiver` makes two connections for each session; a `transmitter`"
            " alone gets no receipts."
        ),
    ] = "transceiver"
    sessions: Annotated[
        int, Meta(ge=1, le=16), about("Sessions at a time; how many are allowed is in your contract.")
    ] = 1
    outbind: Annotated[
        str,
        Meta(pattern=r"^([^\s]+:[0-9]{1,5})?\Z"),
        about(
            "Address to listen on where the SMSC is the one that connects, and invites by outbind. Empty:"
            " it does not.",
            allowed="HOST:PORT, or empty",
        ),
    ] = ""
    outbind_password: Annotated[
        Secret, about("The password that the SMSC must say in its outbind. Empty: any.")
    ] = ""
    window: Annotated[
        Window, about("Messages that may wait for the SMSC's answer at a time, in each session.")
    ] = 10
    rate: Annotated[
        int,
        Meta(ge=0, le=100_000),
        about("Most short messages a second, over all sessions. 0: as many as the SMSC takes."),
    ] = 0
    response_timeout_s: Annotated[Seconds, about("Seconds to wait for an answer.")] = 30
    enquire_link_s: Annotated[Seconds, about("Seconds of silence after which the link is checked.")] = 30
    inactivity_s: Annotated[
        int,
        Meta(ge=0, le=604_800),
        about("Seconds without a message or receipt after which a session is bound anew. 0: never."),
    ] = 0
    on_unknown: Annotated[
        Literal["hold", "resend"],
        about(
            "When nobody knows whether a message was taken: `hold` waits for a receipt and never sends"
            " twice; `resend` sends again and marks it as a possible duplicate."
        ),
    ] = "hold"

    # texts
    alphabet: Annotated[
        Literal["gsm", "latin1", "ascii", "ucs2"],
        about(
            "The SMSC's default alphabet: how texts are written that fit into the GSM alphabet. `ucs2`:"
            " all texts go in UCS-2."
        ),
    ] = "gsm"
    data_coding: Annotated[Octet, about("data_coding of texts in the default alphabet.")] = 0
    transliterate: Annotated[
        bool,
        about(
            "Write Ukrainian letters and typographic signs in the GSM alphabet where that makes a text fit."
        ),
    ] = False
    national: Annotated[
        Literal["", "turkish", "spanish", "portuguese"],
        about("National single-shift table that the SMSC and the phones know. Empty: none."),
    ] = ""
    long_message: Annotated[
        Literal["udh8", "udh16", "sar", "payload"],
        about(
            "How a long text goes: in parts with an 8-bit or a 16-bit reference in their header, in parts"
            " tied by SAR TLVs, or whole in message_payload, to be cut by the SMSC."
        ),
    ] = "udh8"
    flash: Annotated[
        Literal["f0", "10", "subunit"],
        about("How a flash message is marked: data_coding 0xF0, or 0x10, or the TLV dest_addr_subunit."),
    ] = "f0"
    wap: Annotated[
        bool, about("Whether WAP pushes are carried. If not, the text goes with the link behind it.")
    ] = True

    # fields of submit_sm
    name_ton: Annotated[Octet, about("Type of number of a sender that is a name.")] = 5
    name_npi: Annotated[Octet, about("Numbering plan of such a sender.")] = 0
    number_ton: Annotated[Octet, about("Type of number of a sender that is a phone number.")] = 1
    number_npi: Annotated[Octet, about("Numbering plan of such a sender.")] = 1
    short_ton: Annotated[Octet, about("Type of number of a sender that is a short number.")] = 3
    short_npi: Annotated[Octet, about("Numbering plan of such a sender.")] = 0
    destination_ton: Annotated[Octet, about("Type of number of the recipient.")] = 1
    destination_npi: Annotated[Octet, about("Numbering plan of the recipient.")] = 1
    service_type: Annotated[str, Meta(max_length=5), about("service_type of every message.")] = ""
    protocol_id: Annotated[Octet, about("protocol_id of every message.")] = 0
    priority: Annotated[int, Meta(ge=0, le=3), about("priority_flag of every message.")] = 0
    validity: Annotated[
        Literal["relative", "absolute", "none"],
        about("How the lifetime is told: as a relative time, as an absolute one, or not at all."),
    ] = "relative"

    # answers and receipts
    statuses: Annotated[
        dict[
            Annotated[str, Meta(pattern=STATUS_RANGE)],
            Literal[
                "temporary",
                "throttled",
                "session",
                "recipient",
                "number",
                "sender",
                "content",
                "configuration",
            ],
        ],
        about(
            "What the SMSC's own codes of command_status mean, singly or as a range, such as"
            ' `{ "0x400" = "sender", "0x401-0x40F" = "configuration" }`.',
            allowed="a table of codes: temporary, throttled, session, recipient, number, sender, content or"
            " configuration",
        ),
    ] = msgspec.field(default_factory=dict)
    receipts: Annotated[
        Literal["all", "first", "last", "none"],
        about(
            "Which parts of a long message receipts are asked for; `first` and `last` speak for all parts."
            " With `none` a message ends as Sent."
        ),
    ] = "all"
    intermediate: Annotated[bool, about("Whether to ask for intermediate notifications, too.")] = False
    receipt_ids: Annotated[
        Literal["auto", "same", "hex_to_dec", "dec_to_hex", "none"],
        about(
            "How the id in a receipt is written: `same` as in the answer, decimal where the answer's is"
            " hexadecimal (`hex_to_dec`), or the other way round. `auto` finds out, and tells in"
            " `hopwire connector status`. `none`: the SMSC's ids are of no use, receipts go by their number."
        ),
    ] = "auto"

    carries: ClassVar = frozenset({"sms"})
    idempotent: ClassVar = False

    @property
    def writing(self) -> Writing:
        """How texts are written."""
        return Writing(
            alphabet=self.alphabet,
            transliterate=self.transliterate,
            national=self.national,
            long=self.long_message,
            wap=self.wap,
        )

    @property
    def reports(self) -> str:
        """Which parts receipts come for."""
        return "none" if self.bind == "transmitter" else self.receipts
