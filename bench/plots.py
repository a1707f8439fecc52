"""The plots of docs/performance.md: small PNG files beside the page."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")  # before pyplot is imported: nothing is shown

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter

from bench.page import NAMES, Line, count, of, stretches

SIZE = (7.0, 3.6)  # inches
DPI = 100
COLOURS = {"sqlite": "#1b6ca8", "postgres": "#c05621"}
SERIES = ("#1b6ca8", "#c05621", "#2f855a")


def draw(lines: Sequence[Line], beside: Path) -> list[Path]:
    """Draw what there is to draw; the files, named after the page."""
    plots: dict[str, Callable[[Sequence[Line], Axes], bool]] = {
        "connections": _connections,
        "rates": _rates,
        "stored": _stored,
        "soak": _soak,
    }
    made = []
    for name, plot in plots.items():
        figure, axes = plt.subplots(figsize=SIZE, dpi=DPI, layout="constrained")
        if plot(lines, axes):
            path = beside.with_name(f"{beside.name}-{name}.png")
            figure.savefig(path, metadata={"Software": None})
            made.append(path)
        plt.close(figure)
    return made


def _connections(lines: Sequence[Line], axes: Axes) -> bool:
    for engine, colour in COLOURS.items():
        some = [line for line in of(lines, "accept") if line["engine"] == engine]
        if some:
            _line(axes, some, "connections", "rate", NAMES[engine], colour)
    if axes.lines:
        _named(axes, "connections", "accepted a second")
        _steps(axes, sorted({line["connections"] for line in of(lines, "accept")}))
        axes.set_ylim(bottom=0)
    return bool(axes.lines)


def _rates(lines: Sequence[Line], axes: Axes) -> bool:
    some = of(lines, "mixed")
    keys = (("p50_ms", "p50"), ("p99_ms", "p99"), ("p999_ms", "p99.9"))
    for (key, name), colour in zip(keys, SERIES, strict=True):
        _line(axes, some, "offered", key, name, colour)
    if some:
        _logarithmic(axes)
        axes.set_xlim(left=0)
        _named(axes, "requests a second that are offered", "milliseconds, logarithmic")
    return bool(some)


def _stored(lines: Sequence[Line], axes: Axes) -> bool:
    rows = [row for line in of(lines, "grow")[:1] for row in line["rows"]]
    works = (("accept", "accepted"), ("deliver", "delivered"), ("receive", "status queries"))
    for (work, name), colour in zip(works, SERIES, strict=True):
        rates = [row[work]["rate"] for row in rows]
        axes.plot(range(len(rows)), rates, marker="o", color=colour, label=name)
    if rows:
        axes.set_xticks(range(len(rows)), [count(row["stored"]) for row in rows])
        axes.set_ylim(bottom=0)
        _named(axes, "stored messages", "a second")
    return bool(rows)


def _soak(lines: Sequence[Line], axes: Axes) -> bool:
    for line in of(lines, "soak")[:1]:
        both = stretches(line)
        minutes = [sample["at_s"] / 60 for sample, _ in both]
        drawn = {
            "memory, MB": [sample["rss_mb"] for sample, _ in both],
            "p99, ms": [one["p99_ms"] for _, one in both],
            "longest fsync of a witness, ms": [sample["machine"]["sync_ms"] for sample, _ in both],
        }
        for (name, values), colour in zip(drawn.items(), SERIES, strict=True):
            axes.plot(minutes, values, color=colour, label=name)
        axes.set_xlim(left=0)
        _logarithmic(axes)
        _named(axes, "minutes", "megabytes, milliseconds; logarithmic")
    return bool(axes.lines)


# ---- lines and words


def _line(axes: Axes, lines: Iterable[Line], x: str, y: str, name: str, colour: str) -> None:
    points = sorted((line[x], line[y]) for line in lines)
    axes.plot([a for a, _ in points], [b for _, b in points], marker="o", color=colour, label=name)


def _named(axes: Axes, x: str, y: str) -> None:
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)


def _logarithmic(axes: Axes) -> None:
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())


def _steps(axes: Axes, steps: Sequence[Any]) -> None:
    axes.set_xscale("log", base=2)
    axes.set_xticks(steps, [str(step) for step in steps])
