"""API keys: which there are, new ones, others instead of them, and ready code.

Rule 1: a key is shown once, on the page that answers its making; whoever makes, replaces or revokes one has
proved who he is.
Rule 2: the key of another account is not there.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from starlette.responses import Response

from hopwire import addresses
from hopwire.credentials import key_digest, key_label, new_key
from hopwire.model import SCOPES, ApiKey
from hopwire.store.senders import Senders
from hopwire.web.pages import samples
from hopwire.web.pages.forms import Form
from hopwire.web.pages.site import Page
from hopwire.web.pages.visit import NotThere, Visit
from hopwire.web.pages.words import marked as _

KEYS = 100  # of an account, that are valid at the same time
NETWORKS = 20  # of a key
NAME = 100  # characters
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
MAY = {
    "send": _("Send messages, and delete scheduled ones"),
    "read": _("Ask how messages stand"),
    "balance": _("Ask for the balance and for prices"),
}
OVERLAPS = {
    "0": _("at once"),
    "1": _("in an hour"),
    "24": _("in a day"),
    "168": _("in a week"),
    "720": _("in thirty days"),
}
INSTEAD = "24"  # hours for which a key works beside the one that replaces it


class Wanted(NamedTuple):
    """A key as somebody wants it."""

    name: str
    scopes: Sequence[str]
    networks: Sequence[str]
    post_only: bool
    expires_at: int | None


# ---- looking


async def keys(visit: Visit) -> Response:
    found = (await visit.directory.keys_of(visit.account.id))[::-1]
    valid = [one for one in found if one.is_valid(visit.now)]
    ended = [one for one in found if not one.is_valid(visit.now)]
    leaked = any(one.in_url_at for one in valid)
    return visit.render("keys.html", valid=valid, ended=ended[:KEYS], leaked=leaked, may=MAY)


async def code(visit: Visit) -> Response:
    """Ready code for a key, of which the rest is to be filled in."""
    key = await _mine(visit)
    ready = await _ready(visit, samples.written(key), key.scopes)
    return visit.render("key_code.html", key=key, ready=ready)


async def _mine(visit: Visit) -> ApiKey:
    """The valid key of the path; raises NotThere."""
    key_id = visit.number("key")
    for one in await visit.directory.keys_of(visit.account.id):
        if one.id == key_id and one.is_valid(visit.now):
            return one
    raise NotThere


async def _ready(visit: Visit, key: str, scopes: Sequence[str]) -> dict[str, list[samples.Sample]]:
    """Language -> what a key may do, in code."""
    names = await Senders(visit.parts.engine).usable(visit.account.id)
    sms, viber = (next(iter(names[channel]), samples.SENDER) for channel in ("sms", "viber"))
    some = tuple(task for task in samples.tasks(sms, viber) if task.scope in scopes)
    url = f"{visit.own_address}/api/http.php"
    return {language: list(samples.samples(language, url, key, some)) for language in samples.LANGUAGES}


# ---- making


async def new_form(visit: Visit) -> Response:
    return _new(visit, Form({"scope": ",".join(SCOPES), "post_only": "on"}, visit.words))


async def new(visit: Visit) -> Response:
    fields = await visit.fields()
    form = Form({**await visit.form(), "scope": ",".join(map(str, fields.getlist("scope")))}, visit.words)
    wanted = _wanted(visit, form)
    found = await visit.directory.keys_of(visit.account.id)
    if sum(one.is_valid(visit.now) for one in found) >= KEYS:
        form.wrong("", "There are %(most)s keys already. Revoke one first.", most=KEYS)
    if form.errors:
        return _new(visit, form, status=422)
    key, digest = _made(visit)
    await visit.directory.create_key(
        visit.account.id,
        digest,
        key_label(key),
        wanted.name,
        visit.now,
        scopes=wanted.scopes,
        addresses=wanted.networks,
        post_only=wanted.post_only,
        expires_at=wanted.expires_at,
    )
    return await _shown_once(visit, key, wanted.scopes)


def _new(visit: Visit, form: Form, **more: Any) -> Response:
    return visit.render(
        "key_new.html", form=form, may=MAY, tomorrow=visit.words.date(visit.now + DAY_MS), **more
    )


def _wanted(visit: Visit, form: Form) -> Wanted:
    scopes = [one for one in SCOPES if form.has("scope", one)]
    if not scopes:
        form.wrong("scope", "Choose at least one thing that the key may do.")
    return Wanted(
        form.text("name", NAME, required=True),
        scopes,
        _networks(form),
        form.has("post_only"),
        _expires(visit, form),
    )


def _networks(form: Form) -> list[str]:
    typed = form.value("networks").replace(",", " ").split()
    if len(typed) > NETWORKS:
        form.wrong("networks", "At most %(most)s networks, please.", most=NETWORKS)
    found = []
    for one in typed[:NETWORKS]:
        try:
            found.append(addresses.network(one))
        except ValueError:
            form.wrong("networks", "%(typed)s is no address or network.", typed=one[:50])
    return list(dict.fromkeys(found))


def _expires(visit: Visit, form: Form) -> int | None:
    """The end of the day that was chosen, by the reader's clock."""
    typed = form.value("expires").strip()
    if not typed:
        return None
    ends_at = visit.words.day_after(typed)
    if ends_at is None or ends_at <= visit.now:
        form.wrong("expires", "This must be a day that is to come.")
    return ends_at


def _made(visit: Visit) -> tuple[str, str]:
    """A new key, and what is kept of it."""
    key = new_key()
    return key, key_digest(visit.parts.secret, key)


async def _shown_once(visit: Visit, key: str, scopes: Sequence[str]) -> Response:
    return visit.render("key_made.html", key=key, ready=await _ready(visit, key, scopes))


# ---- replacing


async def rotate_form(visit: Visit) -> Response:
    form = Form({"overlap": INSTEAD}, visit.words)
    return visit.render("key_rotate.html", key=await _mine(visit), form=form, overlaps=OVERLAPS)


async def rotate(visit: Visit) -> Response:
    old = await _mine(visit)
    form = Form(await visit.form(), visit.words)
    overlap = form.value("overlap") if form.value("overlap") in OVERLAPS else INSTEAD
    key, digest = _made(visit)
    made = await visit.directory.rotate_key(
        old.id, digest, key_label(key), visit.now, int(overlap) * HOUR_MS, account_id=visit.account.id
    )
    if made is None:
        raise NotThere
    if isinstance(made, ApiKey):
        form.wrong(
            "", "This key is being replaced already. Wait until the older of the two ends, or revoke it."
        )
        return visit.render("key_rotate.html", status=422, key=old, form=form, overlaps=OVERLAPS)
    return await _shown_once(visit, key, old.scopes)


# ---- revoking


async def revoke_form(visit: Visit) -> Response:
    return visit.render("key_revoke.html", key=await _mine(visit))


async def revoke(visit: Visit) -> Response:
    key = await _mine(visit)
    if not await visit.directory.revoke_key(key.id, visit.now, visit.account.id):
        raise NotThere
    return visit.to("/keys", visit.words("The key is revoked. Nobody can use it any more."))


PAGES = [
    Page("/keys", keys),
    Page("/keys/new", new_form, proof=True),
    Page("/keys/new", new, posts=True, proof=True),
    Page("/keys/{key:int}/code", code),
    Page("/keys/{key:int}/rotate", rotate_form, proof=True),
    Page("/keys/{key:int}/rotate", rotate, posts=True, proof=True),
    Page("/keys/{key:int}/revoke", revoke_form, proof=True),
    Page("/keys/{key:int}/revoke", revoke, posts=True, proof=True),
]
