"""The system: what runs, what the database is, what waits, how it is configured; secrets are not shown."""

import shutil
from pathlib import Path
from typing import NamedTuple

from starlette.responses import Response

from hopwire.config import Config, settings_of
from hopwire.store.about import about, migrations
from hopwire.store.connectors import FRESH_MS, Connectors
from hopwire.store.tallies import Tallies, total
from hopwire.web.pages.overview import STATES
from hopwire.web.pages.site import Page
from hopwire.web.pages.visit import Visit, Who
from hopwire.web.pages.words import marked as _

DAY_MS = 86_400_000
COUNTED = {
    "accepted": _("Accepted"),
    "delivered": _("Delivered"),
    "partial": _("Delivered in part"),
    "failed": _("Not delivered"),
    "deleted": _("Deleted before they left"),
}


class Disk(NamedTuple):
    """The disk that the database lies on, in bytes."""

    free: int
    total: int

    @property
    def is_short(self) -> bool:
        return self.free < self.total // 10


class Worker(NamedTuple):
    """A worker, by what it told last."""

    name: str
    at: int
    connectors: list[tuple[str, str]]  # name, state


async def system(visit: Visit) -> Response:
    database = await about(visit.parts.engine, visit.now)
    sums = await Tallies(visit.parts.engine).of(None, visit.now - DAY_MS)
    return visit.render(
        "operator_system.html",
        database=database,
        migrations=migrations(),
        disk=disk_of(visit.parts.config),
        workers=await _workers(visit),
        counted=[(said, total(sums, kind)) for kind, said in COUNTED.items()],
        states=STATES,
        settings=list(settings_of(visit.parts.config)),
    )


def disk_of(config: Config) -> Disk | None:
    """None where the database is on another machine, for all we know."""
    if config.store.postgres:
        return None
    usage = shutil.disk_usage(Path(config.store.url.partition(":")[2]).resolve().parent)
    return Disk(usage.free, usage.total)


async def _workers(visit: Visit) -> list[Worker]:
    found: dict[str, Worker] = {}
    for told in await Connectors(visit.parts.engine).states(visit.now - FRESH_MS):
        worker = found.setdefault(told.worker, Worker(told.worker, told.at, []))
        worker.connectors.append((told.connector, told.state.state))
    return list(found.values())


PAGES = [Page("/operator/system", system, Who.OPERATOR)]
