"""The operator's connectors: how each stands, what it did, and what is ordered of it.

Rule: a connector is in the settings; here it is watched, paused and traced, and never changed.
"""

import shutil
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from starlette.responses import Response

from hopwire.config import Connector, SmppConnector
from hopwire.minutes import MINUTE_MS, Minute
from hopwire.model import TraceOrder
from hopwire.store.connectors import FRESH_MS, ConnectorOrder, Connectors, Told
from hopwire.web.pages.charts import Line, Plot
from hopwire.web.pages.overview import STATES, Stands, together
from hopwire.web.pages.site import Page
from hopwire.web.pages.visit import NotThere, Visit, Who
from hopwire.web.pages.words import Words
from hopwire.web.pages.words import marked as _

COUNTERS = {
    "submitted": _("Submitted"),
    "taken": _("Taken"),
    "refused": _("Refused"),
    "throttled": _("Throttled"),
    "unknown": _("Unknown"),
    "receipts": _("Receipts"),
    "incoming": _("Incoming"),
}
PLOTTED = ("submitted", "taken", "refused", "throttled", "unknown")  # as many as there are colours
MINUTES = 180
TRACES = (60, 300, 900, 3600)  # seconds
FOLDER = "hopwire-trace-"  # how the folder of a trace begins that was ordered here
SHOWN_BYTES = 65_536  # of a trace, its end


class Known(NamedTuple):
    """A connector of the settings, and what is told of it."""

    name: str
    settings: Connector
    stands: Stands
    counters: dict[str, int]  # since the workers began
    workers: list[Told]
    order: ConnectorOrder
    due: int  # messages that wait for it
    due_since: int

    @property
    def kind(self) -> str:
        return self.settings.kind

    @property
    def where(self) -> str:
        """Host and port, or the host of the URL."""
        settings: Any = self.settings
        url = getattr(settings, "url", None)
        return urlsplit(url).hostname or "" if url is not None else f"{settings.host}:{settings.port}"

    @property
    def is_smpp(self) -> bool:
        return isinstance(self.settings, SmppConnector)

    @property
    def ids(self) -> str:
        """What was learned of the spelling of ids in receipts, of each worker."""
        return ", ".join(sorted({one.state.receipt_ids for one in self.workers if one.state.receipt_ids}))


def orders(visit: Visit) -> Connectors:
    return Connectors(visit.parts.engine, visit.actor)


async def known(visit: Visit) -> list[Known]:
    """All connectors of the settings, by name."""
    found, told = orders(visit), defaultdict[str, list[Told]](list)
    for one in await found.states(visit.now - FRESH_MS):
        told[one.connector].append(one)
    ordered, waiting = await found.orders(), await found.waiting(visit.now)
    return [
        _known(name, settings, told[name], ordered.get(name, ConnectorOrder()), waiting.get(name, (0, 0)))
        for name, settings in sorted(visit.parts.config.connectors.items())
    ]


def _known(
    name: str, settings: Connector, workers: list[Told], order: ConnectorOrder, due: tuple[int, int]
) -> Known:
    counters = {field: sum(getattr(one.state, field) for one in workers) for field in COUNTERS}
    return Known(name, settings, together([name], workers)[0], counters, workers, order, *due)


async def named(visit: Visit) -> Known:
    """The connector of the path; raises NotThere."""
    name = visit.request.path_params["name"]
    for one in await known(visit):
        if one.name == name:
            return one
    raise NotThere


# ---- how they stand


async def connectors(visit: Visit) -> Response:
    return visit.render("connectors.html", connectors=await known(visit), states=STATES, counters=COUNTERS)


async def connector(visit: Visit) -> Response:
    found = await named(visit)
    begin = visit.now - visit.now % MINUTE_MS - MINUTES * MINUTE_MS
    minutes = await orders(visit).minutes(begin, found.name)
    order = found.order.trace
    is_traced = order is not None and order.until > visit.now
    return visit.render(
        "connector.html",
        one=found,
        states=STATES,
        counters=COUNTERS,
        plot=did(minutes, begin, visit.words),
        traces=[(seconds, visit.words.lasting(seconds)) for seconds in TRACES],
        is_traced=is_traced,
        trace=_lines(order) if order else None,
    )


def did(minutes: Sequence[Minute], begin: int, words: Words) -> Plot:
    """What a connector did in each of the last minutes."""
    times = range(begin, begin + MINUTES * MINUTE_MS, MINUTE_MS)
    by_minute = {one.minute: one for one in minutes}
    lines = [
        Line(words(COUNTERS[field]), [getattr(by_minute.get(at), field, 0) for at in times])
        for field in PLOTTED
    ]
    down = sum(one.down for one in minutes)
    sentence = words.several(
        "%(n)s part was submitted in the last three hours; it was away in %(down)s of 180 minutes.",
        "%(n)s parts were submitted in the last three hours; it was away in %(down)s of 180 minutes.",
        sum(lines[0].points),
        down=words.number(down),
    )
    return Plot(sentence, list(times), lines)


# ---- stop and go


async def pause(visit: Visit) -> Response:
    found = await named(visit)
    await orders(visit).pause(found.name, visit.now)
    return visit.to(_path(found.name), visit.words("It is paused: messages wait, or go by another one."))


async def resume(visit: Visit) -> Response:
    found = await named(visit)
    await orders(visit).resume(found.name, visit.now)
    return visit.to(_path(found.name), visit.words("It is given messages again."))


def _path(name: str) -> str:
    return f"/operator/connectors/{name}"


# ---- what goes over its wire


async def trace(visit: Visit) -> Response:
    """Have it written down for some time, without the texts of messages."""
    found = await named(visit)
    typed = (await visit.form()).get("seconds", "")
    seconds = int(typed) if typed in map(str, TRACES) else TRACES[0]
    if found.is_smpp:
        await _end(visit, found)
        file = Path(tempfile.mkdtemp(prefix=FOLDER)) / "lines"
        order = TraceOrder(file=str(file), format="text", until=visit.now + 1000 * seconds)
        await orders(visit).order_trace(found.name, order, visit.now)
    return visit.to(_path(found.name))


async def end_trace(visit: Visit) -> Response:
    await _end(visit, await named(visit))
    return visit.to(_path(visit.request.path_params["name"]), visit.words("The trace was ended and deleted."))


async def _end(visit: Visit, found: Known) -> None:
    order = found.order.trace
    if order is None:
        return
    await orders(visit).order_trace(found.name, None, visit.now)
    if (folder := _folder(order)) is not None:
        shutil.rmtree(folder, ignore_errors=True)


def _folder(order: TraceOrder) -> Path | None:
    """The folder of a trace that was ordered here; what the command line has ordered is its own."""
    folder = Path(order.file).parent
    ours = folder.parent == Path(tempfile.gettempdir()) and folder.name.startswith(FOLDER)
    return folder if ours and order.format == "text" and Path(order.file).name == "lines" else None


def _lines(order: TraceOrder) -> str | None:
    """The end of a trace, where it is to be read here; None where it is not."""
    if _folder(order) is None:
        return None
    try:
        with Path(order.file).open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - SHOWN_BYTES))
            text = file.read().decode("utf-8", "replace")
    except OSError:  # nothing was written yet, or on another machine
        return ""
    return text if size <= SHOWN_BYTES else text.partition("\n")[2]


PAGES = [
    Page("/operator/connectors", connectors, Who.OPERATOR),
    Page("/operator/connectors/{name}", connector, Who.OPERATOR),
    Page("/operator/connectors/{name}/pause", pause, Who.OPERATOR, posts=True),
    Page("/operator/connectors/{name}/resume", resume, Who.OPERATOR, posts=True),
    Page("/operator/connectors/{name}/trace", trace, Who.OPERATOR, posts=True),
    Page("/operator/connectors/{name}/end-trace", end_trace, Who.OPERATOR, posts=True),
]
