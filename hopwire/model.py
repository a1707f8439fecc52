"""The nouns, frozen. They carry no behaviour beyond what their name promises.

Money is an int in millionths of the account's currency; `_s` is seconds; `_at` is a moment in
milliseconds since 1970-01-01 UTC.
"""

from collections.abc import Mapping
from enum import IntEnum, StrEnum
from typing import NamedTuple

import msgspec


class Noun(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A value with named fields."""


class Fact(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A value with few fields, in their order. It is made for a third of what a named tuple costs."""


# ---- who sends


class AccountStatus(IntEnum):
    CLOSED = 0  # as if it were not there
    ACTIVE = 1
    PAUSED = 2  # it may look, but not send


_ACTIVE = AccountStatus.ACTIVE  # asked for each request, and an enum looks its members up each time


class Limits(Noun, frozen=True, kw_only=True):
    """How much an account may do, and where to. Amounts are millionths of its currency."""

    destinations: tuple[str, ...] = ()  # countries (UA), prefixes (38050); "*": every one; none: home alone
    premium: bool = False  # also numbers that cost the one who is called more, and satellites
    max_price: int | None = None  # of one message
    counts: Mapping[str, int] = {}  # "account/second" -> most messages; see limits.SCOPES and limits.PERIODS
    spend: Mapping[str, int] = {}  # "day", "month" -> most money
    sequence: int = 0  # so many numbers of one block of 1,000 in ten minutes are suspicious; 0: never
    quiet: str = ""  # "21:00-08:00": then nothing promotional leaves, by the account's clock
    duplicates: str = ""  # the same text to the same number again: "refuse", "merge"; "": is sent
    duplicate_s: int = 600  # what "again" means


class Account(Noun, frozen=True, kw_only=True):
    id: int
    login: str
    balance: int  # what is owned
    reserved: int  # of it, what accepted messages may still cost
    credit_limit: int  # how far below zero `balance - reserved` may go
    currency: str  # ISO 4217
    home_country: str  # ISO 3166 alpha-2, for numbers typed without a country
    time_zone: str  # IANA name, for dates typed without an offset
    any_sender: bool  # may use every sender name
    transactional: bool  # false: promotional, a user who blocked the business gets no SMS either
    charge_sms_on: str  # "taken" or "delivered"
    status: AccountStatus = AccountStatus.ACTIVE
    parent_id: int | None = None  # the reseller whose sub-account it is
    parent_status: AccountStatus = AccountStatus.ACTIVE
    parent_plan: str = ""
    customer: str = ""  # who it is
    contact: str = ""  # how to reach him
    language: str = "uk"  # ISO 639-1
    api: bool = True  # programs may use it
    plan: str = ""  # whose prices it pays where it has none of its own
    limits: Limits = Limits()
    low_balance: int | None = None  # below it a notice is given
    operator: bool = False  # it sees the operator's pages
    email: str = ""  # confirmed; one may sign in with it
    theme: str = ""  # of the pages: "light", "dark"; "": as the reader's system has it
    mailed: str = ""  # kinds of notices that are sent to `email`, separated by commas

    @property
    def spendable(self) -> int:
        return self.balance - self.reserved + self.credit_limit

    @property
    def standing(self) -> AccountStatus:
        """Its status, or its reseller's where that is worse."""
        if self.parent_status is _ACTIVE:
            return self.status
        both = self.status, self.parent_status
        return next(one for one in (AccountStatus.CLOSED, AccountStatus.PAUSED, self.status) if one in both)


SCOPES = ("balance", "read", "send")  # what a key may be for


class ApiKey(Noun, frozen=True, kw_only=True):
    id: int
    account_id: int
    prefix: str  # the first characters, to tell keys apart; the rest is kept only as a keyed hash
    name: str
    created_at: int
    revoked_at: int | None
    scopes: tuple[str, ...] = SCOPES
    addresses: tuple[str, ...] = ()  # networks it may be used from; none: any
    post_only: bool = False  # not taken from a URL
    expires_at: int | None = None
    used_at: int | None = None  # to the minute
    in_url_at: int | None = None  # when it was last seen in a URL, to the minute
    replaces: int | None = None  # the key that it was made to replace

    def is_valid(self, now: int) -> bool:
        """Neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now)


class Caller(NamedTuple):
    """Who asks: an account, and by which key; without one, by its password."""

    account: Account
    key: ApiKey | None = None


class Actor(NamedTuple):
    """Who changes something, for the audit."""

    name: str
    origin: str = ""  # from where


class Price(NamedTuple):
    """A row of a price list."""

    channel: str  # "sms" or "viber"
    prefix: str  # of the E.164 digits; "": every number
    price: int  # of one part
    type: str = ""  # "promotional", "transactional"; "": both
    list: str = ""  # "plan:NAME", "account:ID", "connector:NAME" (what we pay); "": everyone's
    valid_from: int = 0


# ---- what is sent


class SmsText(Noun, frozen=True, kw_only=True, tag="sms"):
    text: str


class FlashSms(Noun, frozen=True, kw_only=True, tag="flash"):
    text: str


class WapPush(Noun, frozen=True, kw_only=True, tag="wap"):
    url: str
    text: str


class ViberText(Noun, frozen=True, kw_only=True, tag="text"):
    text: str


class ViberImage(Noun, frozen=True, kw_only=True, tag="image"):
    image: str  # URL
    url: str | None = None  # opened by a tap on the image


class ViberButton(Noun, frozen=True, kw_only=True, tag="button"):
    text: str
    caption: str
    url: str
    image: str | None = None


SmsContent = SmsText | FlashSms | WapPush
ViberContent = ViberText | ViberImage | ViberButton


class SendRequest(Noun, frozen=True, kw_only=True):
    """One message as a client asked for it, checked."""

    recipient: str  # E.164 digits, no plus
    sms: SmsContent | None = None
    sms_sender: str = ""
    viber: ViberContent | None = None
    viber_sender: str = ""
    viber_lifetime_s: int = 86_400
    send_at: int | None = None  # None: at once
    country: str = ""  # of the recipient's number, ISO 3166 alpha-2; "001": of no country
    via: tuple[str, ...] = ()  # installations of gateways that it has come through


# ---- how it is sent


class Writing(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """How a connector wants texts written; this decides into how many parts they fall."""

    alphabet: str = "gsm"  # what data_coding 0 means there: "gsm", "latin1", "ascii"; "ucs2": all is UCS-2
    transliterate: bool = False  # Ukrainian letters and typographic signs into the GSM alphabet
    national: str = ""  # single-shift table of 3GPP TS 23.038: "", "turkish", "spanish", "portuguese"
    long: str = "udh8"  # how parts are tied together: "udh8", "udh16", "sar"; "payload": the SMSC cuts
    wap: bool = True  # false: a WAP push goes as a plain text with the link behind it


class Template(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """A text that the upstream has approved, and what stands for its variables in this message."""

    id: str  # as the upstream knows it
    language: str
    kind: str  # "transaction" or "promotion"
    parameters: dict[str, str] = {}


class Other(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """Another connector that may carry a step, and what is different with it."""

    connector: str
    resend: bool = False
    writing: Writing | None = None
    reports: str = "all"
    part_cost: int = 0
    not_before: int = 0  # it has asked for so much time


class Step(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """One rung of the plan: a channel to try, and what it costs. Fixed when the message is accepted."""

    channel: str  # "viber" or "sms"
    connector: str  # the upstream account that carries it
    parts: int  # how many hand-overs carry it; 1 on Viber
    part_price: int  # of all SMS parts that one hand-over carries
    charge_on: str  # "taken" or "delivered"
    lifetime_s: int  # how long the step may take before the next one starts
    grace_s: int = 15  # added to the lifetime before our own timer ends the step
    resend: bool = False  # send again after a lost answer, marked as a possible duplicate; else hold
    redirect_blocked: bool = True  # go on to the next step when the user has blocked the business
    writing: Writing | None = None  # of an SMS; None: the default
    reports: str = "all"  # which parts the upstream reports on: "all", "first", "last" (for all), "none"
    template: Template | None = None  # that the Viber text is an instance of
    part_cost: int = 0  # what one hand-over costs us
    part_commission: int = 0  # of the price of one hand-over, the reseller's
    others: tuple[Other, ...] = ()  # who carries it when the connector does not, in order
    quiet: str = ""  # "21:00-08:00 Europe/Kyiv": then it does not begin

    @property
    def price(self) -> int:
        return self.part_price * self.parts

    def reports_on(self, part: int) -> bool:
        """Whether the upstream is asked to report on this part."""
        return self.reports == "all" or (self.reports, part) in (("first", 0), ("last", self.parts - 1))


class Handover(Noun, frozen=True, kw_only=True):
    """One part of one message, given to a channel to submit."""

    message_id: int
    step: int  # index in the plan
    part: int  # index in the step
    parts: int
    recipient: str
    sender: str
    content: SmsContent | ViberContent
    lifetime_s: int
    transactional: bool
    repeated: bool  # an earlier attempt may have been taken too
    writing: Writing = Writing()  # of an SMS
    report: bool = True  # whether the upstream is to report what becomes of this part
    template: Template | None = None  # that the Viber text is an instance of
    installation: str = ""  # which database its id is from
    via: tuple[str, ...] = ()  # installations of gateways that it has come through

    @property
    def key(self) -> str:
        """What tells this part from every other one, and is the same when it is handed over again."""
        return "-".join(filter(None, (self.installation, f"{self.message_id}-{self.step}-{self.part}")))

    @property
    def place(self) -> tuple[int, int, int]:
        """Which part of which message of this database: all that a log line may tell of it."""
        return self.message_id, self.step, self.part


# ---- what an upstream says


class Fault(StrEnum):
    """Whose fault a final no is; it decides what the client reads and whether the operator is alerted."""

    RECIPIENT = "recipient"  # cannot be reached on this channel
    NO_ACCOUNT = "no account"  # the number is not on this channel at all; worth remembering
    NUMBER = "number"  # bad or unassigned
    BLOCKED = "blocked"  # the user blocked the business
    CONTENT = "content"
    SENDER = "sender"
    CONFIGURATION = "configuration"  # ours: credentials, address not allowed, no credit upstream
    ROUTE = "route"  # the upstream has no way to the number, or the way would lead in a circle


class Taken(Fact, frozen=True, tag="taken"):
    """The upstream has it; its id may be empty where the upstream gives none."""

    provider_id: str


class Later(Fact, frozen=True, tag="later"):
    """A temporary no; `throttled` does not count as a try."""

    after_s: float
    code: str
    throttled: bool = False
    tries: int = 0  # after so many it is a final no; 0: as long as the lifetime lasts
    unasked: bool = False  # our own word: the upstream was not asked, so that it has not refused


class Never(Fact, frozen=True, tag="never"):
    """A final no."""

    code: str
    fault: Fault
    unasked: bool = False  # as in `Later`


class Unknown(Fact, frozen=True, tag="unknown"):
    """Nobody knows whether it was taken: the link or the time ended after the bytes had left."""

    code: str


Answer = Taken | Later | Never | Unknown


class Outcome(IntEnum):
    """What a receipt says; a higher one outranks a lower one."""

    PROGRESS = 0  # on its way; never final
    EXPIRED = 1
    FAILED = 2
    DELIVERED = 3
    SEEN = 4


class Receipt(Noun, frozen=True, kw_only=True):
    """What an upstream said later about something it took."""

    connector: str
    provider_id: str  # as the upstream wrote it
    recipient: str  # E.164 digits; empty where the upstream does not say
    outcome: Outcome
    code: str  # the upstream's own word or number
    fault: Fault = Fault.RECIPIENT  # when FAILED
    raw: str
    also: tuple[str, ...] = ()  # the id written otherwise; believed of a message to the same number alone


class Incoming(Noun, frozen=True, kw_only=True):
    """A short message that came to a number of ours, or one part of it."""

    connector: str
    sender: str  # E.164 digits, or what the SMSC wrote where that is no phone number
    recipient: str  # our number or short code, digits, or what the SMSC wrote
    data_coding: int  # SMPP 3.4, 5.2.19
    payload: bytes  # without the user data header
    reference: int | None = None  # ties the parts together; None: it is whole
    part: int = 1
    parts: int = 1
    national: int = 0  # single-shift table that the text is written with (3GPP TS 23.038, 6.2.1.2.4)
    about: str = ""  # the upstream's id of the message that it answers, where that is told


class Unsubscribed(Noun, frozen=True, kw_only=True):
    """Someone has told an upstream that he wants no more messages of a sender."""

    connector: str
    number: str  # E.164 digits
    about: str = ""  # the upstream's id of a message of that sender, where that is told


# ---- how a connector stands


class ConnectorState(Noun, frozen=True, kw_only=True):
    """How a connector stands in one worker process; what is counted is counted since that began."""

    kind: str
    sessions: int = 0  # bound
    sessions_wanted: int = 1
    window: int = 0  # of all its sessions
    in_flight: int = 0
    rate: float | None = None  # messages a second that are allowed now; None: as many as go
    state: str = "down"  # "up", "partly up", "down", "throttled", "paused", "refused"
    last_error: str = ""
    last_error_at: int | None = None
    bound_at: int | None = None
    submitted: int = 0
    taken: int = 0
    refused: int = 0
    throttled: int = 0
    unknown: int = 0
    receipts: int = 0
    incoming: int = 0
    receipt_ids: str = ""  # what was learned of the spelling of ids in receipts; empty: nothing
    error_rate: float | None = (
        None  # of the answers of the last minute, as `pulse` counts; None: too few to say
    )
    latency_ms: int | None = None  # mean time to these answers


class TraceOrder(Noun, frozen=True, kw_only=True):
    """Write down what goes over a connector's links."""

    file: str
    format: str  # "text" or "pcap"
    until: int
    texts: bool = False  # with the texts of messages


class Way(Noun, frozen=True, kw_only=True):
    """A connector of a route."""

    connector: str
    priority: int = 1  # 1 is tried first
    weight: int = 1  # its share among those of the same priority; 0: only when the others cannot
    hours: str = ""  # "mon-fri 08:00-20:00 Europe/Kyiv": then alone; "": always


class Route(Noun, frozen=True, kw_only=True):
    """Who carries what goes to the numbers with a prefix."""

    channel: str  # "sms" or "viber"
    prefix: str  # of the E.164 digits, or a country (ISO 3166); "": every number
    ways: tuple[Way, ...]
    least_cost: bool = False  # of the same priority the cheapest first, whatever the weights


# ---- what a client reads


class Status(IntEnum):
    """The state of a message in the numbers of /api/http.php."""

    PENDING = 0
    SENDING = 1
    SENT = 2
    DELIVERED = 3
    EXPIRED = 5
    DELETED = 10
    PARTIAL = 50
    NO_ROUTE = 95
    FAILED = 96
    BAD_NUMBER = 99
    READ = 116

    final: bool  # it never goes back; a fact of each, for it is asked a dozen times per event

    def __init__(self, value: int) -> None:
        self.final = value > 2  # SENT

    @property
    def text(self) -> str:
        return STATUS_TEXT[self]


STATUS_TEXT = {
    Status.PENDING: "Pending",
    Status.SENDING: "Sending",
    Status.SENT: "Sent",
    Status.DELIVERED: "Delivered",
    Status.EXPIRED: "Out of touch",
    Status.DELETED: "Deleted",
    Status.PARTIAL: "Partially delivered",
    Status.NO_ROUTE: "Operator not supported",
    Status.FAILED: "Network failure during SMS delivery",
    Status.BAD_NUMBER: "Error in the number",
    Status.READ: "Read",
}

STATUS_MEANING = {
    Status.PENDING: "Accepted and waiting, also when scheduled.",
    Status.SENDING: "Handed to a channel that has not answered yet.",
    Status.SENT: "A channel took it.",
    Status.DELIVERED: "Delivered by Viber or by SMS.",
    Status.EXPIRED: "The lifetime ended and it was not delivered.",
    Status.DELETED: "Deleted while it was scheduled.",
    Status.PARTIAL: "Some SMS parts were delivered and some were not.",
    Status.NO_ROUTE: "There is no route to this number.",
    Status.FAILED: "It cannot be delivered, or was rejected.",
    Status.BAD_NUMBER: "The number is wrong or not assigned.",
    Status.READ: "The user has read it (Viber only).",
}
