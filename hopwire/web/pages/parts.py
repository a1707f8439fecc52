"""What pages work with."""

from asyncio import Lock
from dataclasses import dataclass, field
from functools import lru_cache
from weakref import WeakValueDictionary

import jinja2

from hopwire.admission import Admission
from hopwire.config import Config
from hopwire.credentials import Credentials
from hopwire.fetch import Pictures
from hopwire.store import Store
from hopwire.store.engine import Engine
from hopwire.store.mails import Mails
from hopwire.store.sessions import Sessions
from hopwire.web.pages import assets
from hopwire.web.pages.allowance import Allowance
from hopwire.web.pages.marks import number, visible
from hopwire.web.pages.words import translations


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The gateway, in the eyes of its pages."""

    config: Config
    store: Store
    admission: Admission
    credentials: Credentials
    pictures: Pictures
    secret: bytes  # the installation's
    allowance: Allowance = field(default_factory=Allowance)
    fetching: WeakValueDictionary[int, Lock] = field(default_factory=WeakValueDictionary)  # by account

    @property
    def sessions(self) -> Sessions:
        return Sessions(self.store.engine)

    @property
    def mails(self) -> Mails:
        return Mails(self.store.engine)

    @property
    def sends_mail(self) -> bool:
        """Whether links can be mailed."""
        return bool(self.config.mail.host and self.config.cabinet.url)

    @property
    def engine(self) -> Engine:
        return self.store.engine


@lru_cache
def templates(language: str) -> jinja2.Environment:
    """The templates, with their sentences in a language."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("hopwire.web.pages"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n", "jinja2.ext.do"],
    )
    made.install_gettext_translations(translations(language), newstyle=True)  # type: ignore[attr-defined]
    made.globals["asset"] = assets.address
    made.filters["visible"] = visible
    made.filters["phone"] = number
    return made
