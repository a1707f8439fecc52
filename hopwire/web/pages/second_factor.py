"""The second factor: turning it on with a phone, recovery codes, turning it off.

Rule 1: nothing changes until a code is right.
Rule 2: recovery codes are shown once, on the page that answers their making.
"""

import segno
from markupsafe import Markup
from starlette.responses import Response

from hopwire.credentials import Seals, recovery, totp
from hopwire.vault import SealError
from hopwire.web.pages.forms import Form
from hopwire.web.pages.letters import Letters, tell
from hopwire.web.pages.site import Page
from hopwire.web.pages.visit import Problem, Visit


async def second_factor(visit: Visit) -> Response:
    if visit.has_second_factor:
        return await _on(visit, Form(words=visit.words))
    seed = totp.new_seed()
    return _scan(visit, Form({"sealed": _seals(visit).seal(seed, visit.account.id)}, visit.words), seed)


def _seals(visit: Visit) -> Seals:
    found = totp.seals(visit.parts.config.store)
    if found is None:
        raise Problem(503, "There is no second factor here until the operator has set store.keys_file.")
    return found


def _scan(visit: Visit, form: Form, seed: str, status: int = 200) -> Response:
    code = segno.make(totp.uri(seed, visit.account.login), error="m")
    drawn = code.svg_inline(border=4, dark="#000", light="#fff", omitsize=True, svgclass=None, lineclass=None)
    picture = Markup(drawn)  # noqa: S704 - of bits alone; the text is not in it
    grouped = " ".join(seed[i : i + 4] for i in range(0, len(seed), 4))
    return visit.render("second_factor.html", status=status, form=form, picture=picture, seed=grouped)


async def _on(visit: Visit, form: Form, status: int = 200) -> Response:
    left = await visit.directory.recovery_left(visit.account.id)
    return visit.render("second_factor_on.html", status=status, form=form, left=left)


async def turn_on(visit: Visit) -> Response:
    if visit.has_second_factor:
        return visit.to("/settings/second-factor")
    form, account = Form(await visit.form(), visit.words), visit.account
    try:
        seed = _seals(visit).open(form.value("sealed"), account.id)
    except SealError:
        return visit.to("/settings/second-factor")
    step = totp.step_of(seed, form.value("code"), visit.now)
    if step is None:
        form.wrong("code", "This is not the code that the app shows now. Is the clock of the phone right?")
        return _scan(visit, form, seed, 422)
    codes, digests = _new_codes(visit)
    await visit.directory.set_totp(account.id, form.value("sealed"), step, digests)
    await visit.parts.sessions.end_others(account.id, visit.session.digest)
    await tell(visit.parts, account, Letters.second_factor_on, visit.now)
    return visit.render("recovery_codes.html", codes=codes)


async def turn_off(visit: Visit) -> Response:
    form = await _with_code(visit)
    if form.errors:
        return await _on(visit, form, 422)
    await visit.directory.set_totp(visit.account.id, "")
    await tell(visit.parts, visit.account, Letters.second_factor_off, visit.now)
    return visit.to("/settings", visit.words("The second factor is off."))


async def renew(visit: Visit) -> Response:
    form = await _with_code(visit)
    if form.errors:
        return await _on(visit, form, 422)
    codes, digests = _new_codes(visit)
    await visit.directory.set_recovery(visit.account.id, digests)
    return visit.render("recovery_codes.html", codes=codes)


async def _with_code(visit: Visit) -> Form:
    """A form with a code that counts, or with what is wrong with it."""
    form = Form(await visit.form(), visit.words)
    if not await visit.parts.credentials.shows_code(visit.account.login, form.value("code").strip()):
        form.wrong("code", "This code does not count. Wait for the next one, or type a recovery code.")
    return form


def _new_codes(visit: Visit) -> tuple[list[str], list[str]]:
    """Recovery codes, and what is kept of them."""
    codes = recovery.new_codes()
    return codes, [recovery.digest(visit.parts.secret, visit.account.id, code) for code in codes]


PAGES = [
    Page("/settings/second-factor", second_factor, proof=True),
    Page("/settings/second-factor", turn_on, posts=True, proof=True),
    Page("/settings/second-factor/off", turn_off, posts=True, proof=True),
    Page("/settings/recovery-codes", renew, posts=True, proof=True),
]
