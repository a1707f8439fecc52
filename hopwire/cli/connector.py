"""Connectors: how they stand, stop and go, and the receipts whose messages were not found."""

from collections import defaultdict
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import typer

from hopwire.cli.console import (
    AsJson,
    CommandError,
    ConfigFile,
    Ending,
    actor,
    emit,
    emit_rows,
    moment,
    new_commands,
    read_config,
    shown,
)
from hopwire.cli.inbox import Limit
from hopwire.cli.operator import in_store

if TYPE_CHECKING:
    from hopwire.config import Config
    from hopwire.store import Store, UnmatchedReceipt
    from hopwire.store.connectors import ConnectorOrder, Told

commands = new_commands("Connectors: the upstream accounts that carry messages.")

NOBODY = "no worker"  # state of a connector that none tells of

Name = Annotated[str, typer.Argument(metavar="NAME", help="The connector, as the settings name it.")]
AnyName = Annotated[
    str | None, typer.Argument(metavar="[NAME]", help="The connector; without it: all.", show_default=False)
]
Standing = tuple[dict[str, list["Told"]], dict[str, "ConnectorOrder"]]


# ---- how they stand


@commands.command("list")
def list_connectors(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """List the connectors of the settings and how they stand."""
    settings = read_config(config)
    told, orders = _standing(settings)
    rows = [
        {
            "name": name,
            "kind": connector.kind,
            "where": _where(connector),
            "state": _together(told[name]),
            "sessions": f"{_sum(told[name], 'sessions')}/{_sum(told[name], 'sessions_wanted')}",
            "paused": name in orders and orders[name].paused,
        }
        for name, connector in settings.connectors.items()
    ]
    emit_rows(rows, as_json)


@commands.command()
def status(name: AnyName = None, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Tell everything that the workers tell of a connector."""
    settings = read_config(config)
    names = named(settings, name)
    told, orders = _standing(settings)
    for one in names:
        paused = one in orders and orders[one].paused
        rows = [_told_row(report) for report in told[one]] or [{"worker": "", "state": NOBODY}]
        _emit_status(one, [{**row, "paused": paused} for row in rows], as_json)


def _emit_status(name: str, rows: list[dict[str, object]], as_json: bool) -> None:
    """A line of JSON for each worker, or a table with a column for each."""
    if as_json:
        emit_rows([{"connector": name, **row} for row in rows], as_json)
    else:
        cells = {str(row["worker"]): row for row in rows}
        fields = [field for field in rows[0] if field != "worker"]
        table = [{name: field, **{w: _cell(row[field]) for w, row in cells.items()}} for field in fields]
        emit_rows(table, as_json)
        print()


def _cell(value: object) -> str:
    return "" if value is None else shown(str(value), False)


def _standing(settings: "Config") -> Standing:
    from hopwire.admission import now_ms
    from hopwire.store.connectors import FRESH_MS, Connectors

    async def work(store: "Store") -> Standing:
        connectors = Connectors(store.engine, actor())
        told: dict[str, list[Told]] = defaultdict(list)
        for report in await connectors.states(now_ms() - FRESH_MS):
            told[report.connector].append(report)
        return told, await connectors.orders()

    return in_store(settings, work)


def _where(connector: Any) -> str:
    """Host and port, or the host of the URL."""
    url = getattr(connector, "url", None)
    return urlsplit(url).hostname or "" if url else f"{connector.host}:{connector.port}"


def _together(told: "list[Told]") -> str:
    return ", ".join(sorted({report.state.state for report in told})) or NOBODY


def _sum(told: "list[Told]", field: str) -> int:
    return sum(getattr(report.state, field) for report in told)


def _told_row(report: "Told") -> dict[str, object]:
    from msgspec.structs import asdict

    state = asdict(report.state)
    for field in ("last_error_at", "bound_at"):
        state[field] = moment(state[field])
    return {"worker": report.worker, "at": moment(report.at), **state}


# ---- stop and go


@commands.command()
def pause(name: Name, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Hand nothing over to the connector until it is resumed; messages wait, or go by another one."""
    _pause(read_config(config), name, True)
    emit({"connector": name, "paused": True}, as_json)


@commands.command()
def resume(name: Name, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Hand messages over to the connector again."""
    _pause(read_config(config), name, False)
    emit({"connector": name, "paused": False}, as_json)


def _pause(settings: "Config", name: str, paused: bool) -> None:
    from hopwire.admission import now_ms
    from hopwire.store.connectors import Connectors

    async def work(store: "Store") -> None:
        connectors = Connectors(store.engine, actor())
        await (connectors.pause if paused else connectors.resume)(name, now_ms())

    named(settings, name)
    in_store(settings, work)


def named(settings: "Config", name: str | None) -> list[str]:
    """The one connector, or all; ends the command where there is none of that name."""
    if name is None:
        return list(settings.connectors)
    if name not in settings.connectors:
        known = ", ".join(settings.connectors) or "of which there are none"
        raise CommandError(Ending.NOT_FOUND, f"there is no connector of this name in the settings: {known}")
    return [name]


# ---- receipts


@commands.command("receipts")
def list_receipts(
    name: AnyName = None,
    unmatched: Annotated[
        bool, typer.Option("--unmatched", help="Those that found no message, of the last 72 hours.")
    ] = False,
    limit: Limit = 20,
    show_numbers: Annotated[bool, typer.Option("--show-numbers", help="Show numbers whole.")] = False,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """List receipts whose messages were not found; they tell how an upstream spells its ids."""
    if not unmatched:
        raise CommandError(Ending.USAGE, "--unmatched must be given; other receipts are not listed")
    settings = read_config(config)
    named(settings, name)
    found = in_store(settings, lambda store: store.unmatched(limit, name or ""))
    emit_rows([_receipt_row(one, show_numbers, as_json) for one in found], as_json)


def _receipt_row(one: "UnmatchedReceipt", show_numbers: bool, as_json: bool) -> dict[str, object]:
    from hopwire.privacy import masked

    return {
        "time": moment(one.received_at),
        "connector": one.connector,
        "id": shown(one.provider_id, as_json),
        "number": shown(one.recipient if show_numbers else masked(one.recipient), as_json),
        "outcome": one.outcome.name.lower(),
        "code": shown(one.code, as_json),
        "raw": shown(one.raw, as_json),
    }
