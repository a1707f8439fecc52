"""What may be said back to a client: one catalogue for every API and for the documentation.

Rule 1: a client never reads a sentence that is not in this file.
Rule 2: nothing that a client sent is part of a sentence.

The first seven texts are the protocol's, spelling included; programs compare them.
"""

from typing import ClassVar


class ApiError(Exception):
    """A mistake of the client, or a state of the gateway that the client must know."""

    code: ClassVar[str]  # a stable slug
    parameter: ClassVar[str | None] = None  # of /api/http.php
    text: ClassVar[str]  # one plain sentence, said as it is
    status: ClassVar[int] = 200  # HTTP status on the /api/*.php paths

    def __init__(self) -> None:
        super().__init__(self.text)


CATALOGUE: dict[str, type[ApiError]] = {}


def _error(code: str, text: str, parameter: str | None = None, status: int = 200) -> type[ApiError]:
    """Make one kind of error and enter it in the catalogue."""
    kind = type(
        "".join(word.capitalize() for word in code.split("_")),
        (ApiError,),
        {"code": code, "text": text, "parameter": parameter, "status": status, "__doc__": text},
    )
    CATALOGUE[code] = kind
    return kind


# The protocol's own
WrongCredentials = _error("wrong_credentials", "Wrong login/password")
UnknownCommand = _error("unknown_command", "Unknown command", "command")
BadRecipient = _error("bad_recipient", "Please enter valid receiver phone number", "to")
NoText = _error("no_text", "Please enter SMS text", "message")
BadSender = _error(
    "bad_sender", "Sender phone should contains only english letters, digits, dot, underscore, dash", "from"
)
NotEnoughMoney = _error("not_enough_money", "Not enough money")
NotFound = _error("not_found", "SMS not found", "id")

# Ours: what who is known may not do
KeyNotAllowed = _error(
    "key_not_allowed",
    "The key is not allowed to do this: send and delete need its scope send, receive needs read, price and"
    " balance need balance",
)
AccountPaused = _error("account_paused", "The account is paused: it may not send")

# Ours, one per parameter and limit
SenderNotRegistered = _error(
    "sender_not_registered", "Parameter from: this sender name is not registered for the account", "from"
)
ViberSenderNotRegistered = _error(
    "viber_sender_not_registered",
    "Parameter viber_from: this sender name is not registered for the account",
    "viber_from",
)
NoViberSender = _error(
    "no_viber_sender",
    "Parameter viber_from: a Viber sender name of 1 to 28 characters is required",
    "viber_from",
)
DestinationNotAllowed = _error(
    "destination_not_allowed", "Parameter to: this destination is not allowed for the account", "to"
)
PremiumNotAllowed = _error(
    "premium_not_allowed",
    "Parameter to: premium-rate, shared-cost, paging and satellite numbers are not allowed for the account",
    "to",
)
PriceTooHigh = _error("price_too_high", "The message may cost more than the account allows for one message")
RecipientOptedOut = _error(
    "recipient_opted_out", "Parameter to: this recipient has asked for no more messages", "to"
)
TextTooLong = _error(
    "text_too_long", "Parameter message: the text needs more than the allowed number of SMS parts", "message"
)
BadViberType = _error("bad_viber_type", "Parameter viber_type: must be text, image or button", "viber_type")
NoViberText = _error(
    "no_viber_text", "Parameter viber_message: a text of 1 to 1000 characters is required", "viber_message"
)
ViberTextTooLong = _error(
    "viber_text_too_long", "Parameter viber_message: must be at most 1000 characters", "viber_message"
)
BadViberLifetime = _error(
    "bad_viber_lifetime", "Parameter viber_lifetime: must be whole seconds from 60 to 86400", "viber_lifetime"
)
NoViberImage = _error(
    "no_viber_image", "Parameter viber_image: an http or https link to an image is required", "viber_image"
)
BadViberImage = _error(
    "bad_viber_image",
    "Parameter viber_image: must be an http or https link whose path ends in .jpg, .jpeg, .png or .gif",
    "viber_image",
)
ImageUnreachable = _error(
    "image_unreachable",
    "Parameter viber_image: the image cannot be fetched; its link must answer 200 within 10 seconds, without"
    " a redirect, from a public address on port 80, 443 or 8443",
    "viber_image",
)
ImageTooLarge = _error(
    "image_too_large",
    "Parameter viber_image: the image has more than the allowed number of bytes",
    "viber_image",
)
ImageOfOtherKind = _error(
    "image_of_other_kind",
    "Parameter viber_image: what the link leads to is no picture of the kind that its extension says",
    "viber_image",
)
ImageBadPixels = _error(
    "image_bad_pixels",
    "Parameter viber_image: the image must be from 1 to 10000 pixels wide and high",
    "viber_image",
)
NoViberUrl = _error("no_viber_url", "Parameter viber_url: an http or https link is required", "viber_url")
BadViberUrl = _error("bad_viber_url", "Parameter viber_url: must be an http or https link", "viber_url")
NoViberButton = _error(
    "no_viber_button", "Parameter viber_button: a caption of 1 to 19 characters is required", "viber_button"
)
ViberButtonTooLong = _error(
    "viber_button_too_long", "Parameter viber_button: must be at most 19 characters", "viber_button"
)
BadWap = _error("bad_wap", "Parameter wap: must be an http or https link", "wap")
BadAskDate = _error(
    "bad_ask_date",
    "Parameter ask_date: must be an ISO-8601 date and time, such as 2024-08-15T15:52:01+0200",
    "ask_date",
)
AskDateTooFar = _error("ask_date_too_far", "Parameter ask_date: must be at most one year ahead", "ask_date")
BadBooleanViber = _error(
    "bad_viber", "Parameter viber: must be 1, true, yes, on, 0, false, no or off", "viber"
)
BadBooleanViberSms = _error(
    "bad_viber_sms", "Parameter viber_sms: must be 1, true, yes, on, 0, false, no or off", "viber_sms"
)
BadBooleanFlash = _error(
    "bad_flash", "Parameter flash: must be 1, true, yes, on, 0, false, no or off", "flash"
)
BadClientId = _error(
    "bad_client_id",
    "Parameter client_id, or the header Idempotency-Key: must be 1 to 255 printable characters",
    "client_id",
)
ClientIdReused = _error(
    "client_id_reused",
    "Parameter client_id, or the header Idempotency-Key: another message was sent with the same value",
    "client_id",
)
Duplicate = _error(
    "duplicate", "Parameter message: the same message was sent to this number a short while ago", "message"
)
NumberLimitReached = _error(
    "number_limit_reached",
    "Parameter to: as many messages as the account allows were sent to this number; try later",
    "to",
)
BlockLimitReached = _error(
    "block_limit_reached",
    "Parameter to: as many messages as the account allows were sent to the numbers around this one;"
    " try later",
    "to",
)
LimitReached = _error(
    "limit_reached", "As many messages as the account allows for an hour or a day were sent; try later"
)
SpendLimitReached = _error(
    "spend_limit_reached", "As much money as the account allows for a day or a month was spent; try later"
)
BadUtf8 = _error("bad_utf8", "The text parameters must be valid UTF-8")
BadEncoding = _error("bad_encoding", "The request is in the encoded dialect but a value is not valid base64")
BadBody = _error("bad_body", "The request body is not what its Content-Type says")
TooManyParameters = _error("too_many_parameters", "A request may carry at most 100 parameters")
Loop = _error("loop", "This message has come through this gateway before, or through more than 8 gateways")
TooManyRequests = _error("too_many_requests", "Too many requests, slow down")

# Not protocol answers: the HTTP status tells, too
TooLarge = _error("too_large", "The request is larger than 65536 bytes", status=413)
HeadTooLarge = _error(
    "head_too_large", "The request line and headers are larger than 65536 bytes", status=431
)
Unavailable = _error("unavailable", "Temporarily unavailable", status=503)

# Not in the catalogue, for no client reads them: he is left without an answer, as by a crash
OutcomeUnknown: type[ApiError] = type(
    "OutcomeUnknown",
    (Unavailable,),
    {"code": "outcome_unknown", "__doc__": "It may have been done, and may not: who knows is gone."},
)
# … and a mailing's row that is not to be sent any more
Withdrawn: type[ApiError] = type(
    "Withdrawn", (ApiError,), {"code": "withdrawn", "text": "", "__doc__": "It is not wanted any more."}
)
