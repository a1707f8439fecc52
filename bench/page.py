"""Lines of the measuring programs as the printed part of docs/performance.md.

Rule: nothing here knows a figure; what was not measured has no table.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

Line = dict[str, Any]
BEGIN, END = "<!-- printed by bench/report -->", "<!-- end -->"
EMPTY = f"# Performance\n\n{BEGIN}\n{END}\n"
PART = re.compile(f"({re.escape(BEGIN)}\n).*?({re.escape(END)})", re.DOTALL)
COMPANY = 64  # messages in a commit, of the ceiling that others are compared with
NAMES = {"sqlite": "SQLite", "postgres": "PostgreSQL"}


def put(page: str, body: str) -> str:
    """The page with this between its marks."""
    if not PART.search(page):
        raise ValueError(f"the page has no part between {BEGIN} and {END}")
    return PART.sub(lambda found: f"{found[1]}{body}{found[2]}", page)


def body(lines: Sequence[Line], plots: Iterable[Path]) -> str:
    """Everything that stands between the marks."""
    drawn = {path.stem.rpartition("-")[2]: path.name for path in plots}
    parts = [
        _machine(lines),
        _overview(lines),
        _ceilings(lines),
        _connections(lines, drawn.get("connections")),
        _rates(lines, drawn.get("rates")),
        _stored(lines, drawn.get("stored")),
        _soak(lines, drawn.get("soak")),
        _peers(lines),
        _failed(lines),
        _commands(lines),
    ]
    return "\n".join(part for part in parts if part)


def of(lines: Iterable[Line], bench: str) -> list[Line]:
    """What one program has measured; of several runs of a command, the middle one."""
    runs: dict[str, list[Line]] = {}
    for line in lines:
        if line["bench"] == bench and line.keys() - {"bench", "command", "failed"}:
            runs.setdefault(line.get("command", ""), []).append(line)
    return [sorted(some, key=_order)[len(some) // 2] for some in runs.values()]


def _order(line: Line) -> float:
    """By what the runs of a command are ranked: their rate, or where that was given, their latency."""
    if "offered" in line:
        return float(line["p99_ms"])
    return float(line["http"]["rate"] if "http" in line else line.get("rate", 0.0))


# ---- parts


def _machine(lines: Sequence[Line]) -> str:
    told = of(lines, "machine")
    if not told:
        return ""
    one = told[0]
    versions = ", ".join(f"{name} {version}" for name, version in one["versions"].items())
    rows = [
        ("measured", one["at"]),
        ("processor", f"{one['cpu']}, {one['cores']} cores"),
        ("memory", f"{one['memory_gb']} GB"),
        ("disk", f"an fsync of 4 KiB takes {one['fsync_ms']} ms"),
        ("system", f"{one['system']}, Python {one['python']}"),
        ("versions", versions),
        *([("note", one["note"])] if one["note"] else []),
    ]
    return _section("The machine", _table(("", ""), rows))


def _overview(lines: Sequence[Line]) -> str:
    engines = ([line for line in lines if line.get("engine") == engine] for engine in NAMES)
    rows = [row for some in engines for row in _of_engine(some)]
    heads = ("", "database", "a second", "of the ceiling", "p50 ms", "p99 ms", "CPU, µs each")
    return _section("At a glance", _table(heads, rows) + WHAT) if rows else ""


WHAT = f"""
{COMPANY} connections, each of which asks again as soon as it was answered. The ceiling of status queries is
that of the HTTP server; of all else, one process that does what the HTTP server and the store do below, and
nothing more.
"""


def _of_engine(lines: Sequence[Line]) -> Iterator[tuple[str, ...]]:
    http, both = _ceiling_rates(lines)
    for bench, name, top in (
        ("accept", "accepted: checked, on disk, answered", both),
        ("deliver", "delivered: and handed to the SMSC, its receipt on disk", both),
        ("redirect", "redirected: refused by Viber, then delivered by SMS", both),
        ("receive", "status queries", http),
    ):
        for line in of(lines, bench):
            if line["connections"] == COMPANY:
                yield (
                    name,
                    NAMES[line["engine"]],
                    count(line["rate"]),
                    f"{line['rate'] / top:.0%}" if top else "",
                    f"{line['p50_ms']:.1f}",
                    f"{line['p99_ms']:.1f}",
                    count(cpu_us(line)),
                )


def _ceiling_rates(lines: Sequence[Line]) -> tuple[float, float]:
    """Of the HTTP server, and of one process that does both; 0 where it was not measured."""
    for line in of(lines, "ceiling"):
        store = max(row["rate"] for row in line["store"] if row["batch"] <= COMPANY)
        http = line["http"]["rate"]
        return http, 1 / (1 / http + 1 / store)
    return 0.0, 0.0


def _ceilings(lines: Sequence[Line]) -> str:
    rows = []
    for line in of(lines, "ceiling"):
        http, cpu = line["http"], line["http"]["cpu_s_per_1000"]["bench: constant"]
        if line["engine"] == "sqlite":  # it has nothing to do with a database, and is told once
            rows.append(("the HTTP server, a constant answer", "", count(http["rate"]), count(cpu * 1000)))
        for row in line["store"]:
            what = f"the store, {row['batch']} messages in a commit"
            rows.append(
                (what, NAMES[line["engine"]], count(row["rate"]), count(row["cpu_s_per_1000"] * 1000))
            )
    heads = ("", "database", "a second", "CPU, µs each")
    return _section("What the machine allows", _table(heads, rows)) if rows else ""


def _connections(lines: Sequence[Line], plot: str | None) -> str:
    rows = [
        (
            NAMES[one["engine"]],
            str(one["connections"]),
            count(one["rate"]),
            f"{one['p50_ms']:.1f}",
            f"{one['p99_ms']:.1f}",
            count(cpu_us(one)),
        )
        for one in of(lines, "accept")
    ]
    heads = (
        "database",
        "connections",
        "accepted a second",
        "p50 ms",
        "p99 ms",
        "CPU, µs each",
    )
    text = _table(heads, rows) + _picture(plot, "Accepted messages a second against connections")
    return _section("Acceptance and connections", text) if rows else ""


def _rates(lines: Sequence[Line], plot: str | None) -> str:
    rows = [
        (
            count(one["offered"]),
            count(one["rate"]),
            f"{one['p50_ms']:.1f}",
            f"{one['p99_ms']:.1f}",
            f"{one['p999_ms']:.1f}",
            count(one["errors"]),
        )
        for one in of(lines, "mixed")
    ]
    heads = ("offered a second", "answered a second", "p50 ms", "p99 ms", "p99.9 ms", "errors")
    text = RATES + _table(heads, rows) + _picture(plot, "Latency against the offered rate")
    return _section("Latency at a given rate", text) if rows else ""


RATES = """
70 % messages and 30 % status queries, at planned times, while an SMSC takes the messages and reports on them.
Latency counts from the planned time; where less is answered than offered, a queue grows, and latency with it.

"""


STORED = """
Rates are of connections that are always busy, so each request waits for all the others. Queries one by one,
over a single connection, and the list of the account's newest 50 messages tell what they take without queue.
Queries are for messages all over the file; what of it is not in the machine's memory is read from the disk.

"""


def _stored(lines: Sequence[Line], plot: str | None) -> str:
    rows = [
        (
            NAMES[line["engine"]],
            count(row["stored"]),
            "" if row["file_mb"] is None else f"{row['file_mb'] / 1000:.1f}",
            *(count(row[work]["rate"]) for work in ("accept", "deliver", "receive")),
            f"{row['accept']['p99_ms']:.1f}",
            f"{row['receive']['p99_ms']:.1f}",
            "" if row["file_mb"] is None else f"{row['receive']['read_mb'] / row['receive']['seconds']:.1f}",
            *(f"{row[work]['p99_ms']:.1f}" for work in ("one_by_one", "newest")),
            *(f"{row[page]:.0f}" for page in ("page_ms", "search_ms")),
        )
        for line in of(lines, "grow")
        for row in line["rows"]
    ]
    heads = (
        *("database", "stored messages", "file, GB"),
        *("accepted a second", "delivered a second", "queries a second"),
        *("p99 ms of acceptance", "of queries", "read from disk for them, MB a second"),
        *("p99 ms of queries one by one", "of the newest 50, listed"),
        *("their page, ms", "a fruitless search there, ms"),
    )
    text = STORED + _table(heads, rows) + _picture(plot, "Rates against stored messages")
    return _section("The same work over stored messages", text) if rows else ""


SHORT = " That is too short to judge memory by: the store fills its cache of pages first."


def stretches(soaked: Line) -> list[tuple[Line, Line]]:
    """What the gateway held at the end of each stretch of a soak, and the latency in it."""
    return list(zip(soaked["samples"], soaked["slices"], strict=False))


def _soak(lines: Sequence[Line], plot: str | None) -> str:
    rows, said = [], ""
    for line in of(lines, "soak"):
        some = stretches(line)
        p99 = [one["p99_ms"] for _, one in some]
        rows.append(_soaked("after the first third", *some[(len(some) - 1) // 3]))
        rows.append(_soaked("the slowest", *some[p99.index(max(p99))]))
        rows.append(_soaked("at the end", *some[-1]))
        said += (
            f"\n{count(line['offered'])} requests a second for {line['seconds'] / 60:.1f} minutes, mixed as"
            f" above: {count(line['errors'])} errors; all {count(line['sent'])} messages ended. Of {len(p99)}"
            f" stretches of {line['every_s']:g} s, half had a p99 of at most {median(p99):.1f} ms."
            f"{'' if line['judged'] else SHORT}\n\n"
        )
    heads = (
        "",
        "memory of the gateway, MB",
        "open files",
        "write-ahead log, MB",
        "p99 ms",
        "the machine: longest fsync ms",
        "latest wake ms",
    )
    text = said + _table(heads, rows) + _picture(plot, "Memory and p99 over time")
    return _section("Over time", text) if rows else ""


def _soaked(name: str, sample: Line, slice_: Line) -> Sequence[str]:
    return (
        f"{name}, {sample['at_s'] / 60:.1f} min",
        f"{sample['rss_mb']:.0f}",
        count(sample["files"]),
        "" if sample["wal_mb"] is None else f"{sample['wal_mb']:.1f}",
        f"{slice_['p99_ms']:.1f}",
        f"{sample['machine']['sync_ms']:.1f}",
        f"{sample['machine']['late_ms']:.1f}",
    )


def _peers(lines: Sequence[Line]) -> str:
    rows, versions, offered = [], [], 0.0
    for line in of(lines, "peers"):
        versions += [f"Kannel {line['kannel']}"] if line["kannel"] else []
        for row in line["rows"]:
            offered = row["steady"]["offered"]
            rows.append(
                (
                    row["gateway"],
                    row["store"],
                    count(row["accepted_rate"]),
                    count(row["rate"]),
                    f"{row['p99_ms']:.1f}",
                    f"{row['steady']['p50_ms']:.1f}",
                    f"{row['steady']['p99_ms']:.1f}",
                    count(cpu_us(row)),
                    count(sum(mb for title, mb in row["peak_rss_mb"].items() if is_gateway(title))),
                )
            )
    heads = (
        "",
        "store",
        "accepted a second",
        "all final a second",
        "p99 ms",
        f"p50 ms at {count(offered)} a second",
        "p99 ms there",
        "CPU, µs each",
        "memory, MB",
    )
    what = " and ".join(versions) or "Kannel could not be had here: only ours was measured"
    said = f"\n{what}, in the same run, with the same SMSC and load; receipts come to both.\n\n"
    return _section("Beside others", said + _table(heads, rows)) if rows else ""


def _failed(lines: Sequence[Line]) -> str:
    failed = [f"- `{line['bench']}`: {line['failed']}\n" for line in lines if "failed" in line]
    return _section("What failed in this run", "".join(failed)) if failed else ""


def _commands(lines: Sequence[Line]) -> str:
    told = dict.fromkeys(line["command"] for line in lines if "command" in line)
    return _section("The commands of this run", "```sh\n" + "\n".join(told) + "\n```\n") if told else ""


# ---- words


def count(number: float) -> str:
    """12,345"""
    return f"{number:,.0f}"


def is_gateway(title: str) -> bool:
    """Whether a process is part of what is measured, and not of the measuring."""
    return title.startswith(("hopwire", "kannel", "postgres"))


def cpu_us(line: Line) -> float:
    """Microseconds of CPU of the gateway, with its database server, for each message."""
    return 1000 * sum(float(s) for title, s in line["cpu_s_per_1000"].items() if is_gateway(title))


def _section(title: str, text: str) -> str:
    return f"## {title}\n\n{text.lstrip()}"


def _picture(name: str | None, what: str) -> str:
    return f"\n![{what}]({name})\n" if name else ""


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """The first column and words to the left, figures to the right."""
    told = list(rows)
    numeric = [all(re.fullmatch(r"[\d.,%]*", row[at]) for row in told) for at in range(len(heads))]
    rule = ["--:" if right and at else "---" for at, right in enumerate(numeric)]
    return "".join(f"| {' | '.join(row)} |\n" for row in (heads, rule, *told))
