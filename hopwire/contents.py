"""What may be written in a message, by whichever way it comes: parameters of an API, a form, a row of a list.

Rule 1: what is said to be wrong is an error of the catalogue, which names the parameter.
Rule 2: what the message cannot use is not checked: Viber's fields without Viber, the SMS's without SMS.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from urllib.parse import SplitResult, urlsplit

from hopwire import errors
from hopwire.model import (
    FlashSms,
    Noun,
    SendRequest,
    SmsContent,
    SmsText,
    ViberButton,
    ViberContent,
    ViberImage,
    ViberText,
)
from hopwire.phone import Number

Fits = Callable[[SmsContent, Number], None]
"""Raises `TextTooLong` where the content falls into too many parts on its way to the number."""

MOST_LIFETIME_S = 86_400
_SENDER = re.compile(r"[A-Za-z0-9._ -]{1,11}|\+?[0-9]{1,15}")
_LIFETIME = re.compile(r"[0-9]{1,9}")
_IMAGES = (".jpg", ".jpeg", ".png", ".gif")


class Draft(Noun, frozen=True, kw_only=True):
    """A message as a person writes it; its fields are the parameters of /api/http.php, empty: not given."""

    viber: bool = False
    sms: bool = True  # the SMS, after Viber or alone
    sender: str = ""  # of the SMS
    message: str = ""
    flash: bool = False
    viber_from: str = ""  # empty: as the SMS
    viber_type: str = "text"  # "text", "image", "button"
    viber_message: str = ""  # empty: as the SMS
    viber_image: str = ""
    viber_url: str = ""
    viber_button: str = ""
    viber_lifetime: str = ""  # seconds


def draft_of(sms: SmsContent | None, sms_sender: str, viber: ViberContent | None, viber_sender: str) -> Draft:
    """What somebody writes who wants such a message again; a WAP push is written in no draft."""
    text = sms.text if isinstance(sms, SmsText | FlashSms) else ""
    fields = {
        "viber_type": str(type(viber).__struct_config__.tag) if viber else "text",
        "viber_message": getattr(viber, "text", ""),
        "viber_image": getattr(viber, "image", None) or "",
        "viber_url": getattr(viber, "url", None) or "",
        "viber_button": getattr(viber, "caption", ""),
    }
    return Draft(
        viber=viber is not None,
        sms=bool(text),
        sender=sms_sender,
        message=text,
        flash=isinstance(sms, FlashSms),
        viber_from=viber_sender,
        **fields,
    )


def compose(draft: Draft, number: Number, fits: Fits, send_at: int | None = None) -> SendRequest:
    """The message to this number; raises the ApiError of the first field that is wrong."""
    with_sms = draft.sms or not draft.viber
    sender = sms_sender(draft.sender.strip(" ")) if with_sms else ""
    sms = _sms(draft, number, fits) if with_sms else None
    viber = _viber(draft) if draft.viber else None
    return SendRequest(
        recipient=number.digits,
        sms=sms,
        sms_sender=sender,
        viber=viber,
        viber_sender=viber_sender(draft.viber_from or draft.sender) if viber else "",
        viber_lifetime_s=lifetime_s(draft.viber_lifetime) if viber else MOST_LIFETIME_S,
        send_at=send_at,
        country=number.country,
    )


def _sms(draft: Draft, number: Number, fits: Fits) -> SmsContent:
    if not draft.message:
        raise errors.NoText
    content = FlashSms(text=draft.message) if draft.flash else SmsText(text=draft.message)
    fits(content, number)
    return content


def _viber(draft: Draft) -> ViberContent:
    kind = viber_kind(draft.viber_type)
    text = viber_text(draft.viber_message or draft.message) if kind != "image" else ""
    match kind:
        case "image":
            return ViberImage(image=_needed(image(draft.viber_image)), url=url(draft.viber_url))
        case "button":
            picture, link = image(draft.viber_image), url(draft.viber_url)
            if link is None:
                raise errors.NoViberUrl
            return ViberButton(text=text, caption=caption(draft.viber_button), url=link, image=picture)
        case _:
            return ViberText(text=text)


def _needed(picture: str | None) -> str:
    if picture is None:
        raise errors.NoViberImage
    return picture


# ---- one field


@lru_cache(maxsize=1024)  # a client has few names, and each message has one of them
def sms_sender(typed: str) -> str:
    """A phone number comes out without its plus."""
    if not _SENDER.fullmatch(typed):
        raise errors.BadSender
    return typed.removeprefix("+")


def viber_kind(typed: str) -> str:
    if typed not in ("text", "image", "button"):
        raise errors.BadViberType
    return typed


def viber_text(typed: str | None) -> str:
    if not typed:
        raise errors.NoViberText
    if len(typed) > 1000:
        raise errors.ViberTextTooLong
    return typed


def viber_sender(typed: str) -> str:
    name = typed.strip(" ")
    if not (0 < len(name) <= 28 and name.isprintable()):
        raise errors.NoViberSender
    return name


@lru_cache(maxsize=1024)
def lifetime_s(typed: str) -> int:
    """A day where nothing is typed."""
    seconds = int(typed) if _LIFETIME.fullmatch(typed) else MOST_LIFETIME_S if not typed else 0
    if not 60 <= seconds <= MOST_LIFETIME_S:
        raise errors.BadViberLifetime
    return seconds


def image(typed: str | None) -> str | None:
    if not typed:
        return None
    found = link(typed)
    if not (found and found.path.lower().endswith(_IMAGES)):
        raise errors.BadViberImage
    return typed


def url(typed: str | None) -> str | None:
    """What a tap opens."""
    if typed and not link(typed):
        raise errors.BadViberUrl
    return typed or None


def caption(typed: str | None) -> str:
    if not typed:
        raise errors.NoViberButton
    if len(typed) > 19:
        raise errors.ViberButtonTooLong
    return typed


def link(typed: str) -> SplitResult | None:
    """The parts of an absolute http or https URL; None: it is something else."""
    if not typed.isprintable() or " " in typed:
        return None
    try:
        parts = urlsplit(typed)
    except ValueError:
        return None
    return parts if parts.scheme in ("http", "https") and parts.hostname else None
