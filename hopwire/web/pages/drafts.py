"""A message in a form: the fields it is written in, how it will look, what it will be and may cost."""

from collections.abc import Mapping
from itertools import groupby
from typing import Any, NamedTuple

from hopwire import phone
from hopwire.admission import Quote
from hopwire.contents import Draft, compose, image
from hopwire.errors import ApiError
from hopwire.mailing import fill, gaps, written
from hopwire.model import Account, SmsText
from hopwire.phone import Number
from hopwire.sms import Explained
from hopwire.store.senders import Senders
from hopwire.web.pages.forms import Form
from hopwire.web.pages.visit import Visit
from hopwire.web.pages.words import marked as _

WAYS = {"both": _("Viber, and SMS where Viber cannot"), "viber": _("Viber alone"), "sms": _("SMS alone")}
KINDS = {"text": _("text"), "image": _("picture"), "button": _("text with a button")}
LIFETIMES = {
    "86400": _("a day"),
    "14400": _("4 hours"),
    "3600": _("an hour"),
    "600": _("10 minutes"),
    "60": _("a minute"),
}
MOST = 4000  # characters of a field; what is too long for a message is told by its own error
TYPED = ("sender", "message", "viber_from", "viber_message", "viber_image", "viber_url", "viber_button")
EMPTY = Draft(viber=True)


class Preview(NamedTuple):
    """A message as a form has it now."""

    draft: Draft  # with something in its gaps
    way: str
    gaps: tuple[str, ...]
    sms: Explained | None
    runs: tuple[tuple[str, bool], ...]  # of the SMS's text, and whether they make it UCS-2
    quote: Quote | None
    error: ApiError | None  # why there is none

    @property
    def viber_text(self) -> str:
        return self.draft.viber_message or self.draft.message

    @property
    def picture(self) -> str:
        """The link to its picture, as soon as it is one."""
        try:
            return image(self.draft.viber_image) or ""
        except ApiError:
            return ""

    @property
    def begun(self) -> bool:
        """Whether anything is written that could be right or wrong."""
        return bool(self.viber_text or self.draft.viber_image)

    @property
    def forced(self) -> tuple[str, ...]:
        return self.sms.forced if self.sms else ()


def read(form: Form) -> Draft:
    """What stands in the form; what is wrong with it is found when it is composed."""
    way, kind = form.value("way"), form.value("viber_type")
    lifetime = form.value("viber_lifetime")
    return Draft(
        viber=way != "sms",
        sms=way != "viber",
        flash=form.has("flash"),
        viber_type=kind if kind in KINDS else "text",
        viber_lifetime=lifetime if lifetime in LIFETIMES else "",
        **{name: form.text(name, MOST).replace("\r\n", "\n") for name in TYPED},
    )


def fields(draft: Draft) -> dict[str, str]:
    """A draft as the form has it."""
    return {
        "way": way_of(draft),
        "flash": "on" if draft.flash else "",
        "viber_type": draft.viber_type,
        "viber_lifetime": draft.viber_lifetime,
        **{name: getattr(draft, name) for name in TYPED},
    }


def way_of(draft: Draft) -> str:
    return ("both" if draft.sms else "viber") if draft.viber else "sms"


def field_of(error: ApiError) -> str:
    """The field of the form that an error is about; "": the whole."""
    parameter = error.parameter or ""
    if parameter == "from":
        return "sender"
    return parameter if parameter in (*TYPED, "to", "viber_lifetime") else ""


def gap_field(draft: Draft) -> str:
    """The first field with a gap."""
    return next((field for field in written(draft) if "{{" in getattr(draft, field)), "message")


async def choices(visit: Visit) -> dict[str, Any]:
    """What the fields of a form offer."""
    names = await Senders(visit.parts.engine).usable(visit.account.id)
    return {"ways": WAYS, "kinds": KINDS, "lifetimes": LIFETIMES, "names": names}


def anyone(account: Account) -> Number | None:
    """Whom a message is looked at for, while it is written to nobody yet."""
    return phone.example(account.home_country)


async def preview(visit: Visit, draft: Draft, number: Number | None, values: Mapping[str, str]) -> Preview:
    """How a draft looks and what it costs to this number; gaps without a value show their names."""
    needed = gaps(draft)
    names = {name: name for name, must in needed.items() if must}
    filled = fill(draft, names | {name: value for name, value in values.items() if value.strip()})
    to = number or anyone(visit.account)
    text = filled.message if filled.sms and to else ""
    explained = visit.parts.admission.explain(SmsText(text=text), to) if text and to else None
    forced = explained.forced if explained else ()
    runs = tuple(("".join(some), hard) for hard, some in groupby(text, forced.__contains__))
    quote, error = await _quoted(visit, filled, to)
    return Preview(filled, way_of(draft), tuple(needed), explained, runs, quote, error)


async def _quoted(visit: Visit, draft: Draft, to: Number | None) -> tuple[Quote | None, ApiError | None]:
    if to is None:
        return None, None
    admission = visit.parts.admission
    try:
        asked = compose(draft, to, admission.fits(visit.parts.config.sms.max_parts))
        return await admission.quote(visit.account, asked, visit.now), None
    except ApiError as error:
        return None, error
