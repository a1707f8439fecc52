"""What processes cost: CPU time, peak memory and reading of everything this process has started, by title.

Rule: the kernel is asked (/proc, so Linux only), never the process that is measured.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from statistics import median
from typing import NamedTuple

_TICKS = os.sysconf("SC_CLK_TCK")
PROC = Path("/proc")
BLOCK = 4096  # bytes


class Usage(NamedTuple):
    """What one process has used since it began."""

    title: str  # "hopwire: web 1"
    cpu_s: float  # user and system time
    peak_mb: float  # most memory that was resident at a time
    read_mb: float = 0.0  # from the disk, because it was not in memory


class Holding(NamedTuple):
    """What processes hold at a moment."""

    rss_mb: float
    files: int  # descriptors, of sockets, too


def descendants() -> dict[int, Usage]:
    """Every process that this one started, and those they started, by its id."""
    parents = dict(_parents())
    ours = (pid for pid in parents if os.getpid() in _ancestors(pid, parents))
    return {pid: use for pid in ours if (use := _usage(pid))}


def servers(name: str) -> dict[int, Usage]:
    """Every process of the machine whose command is called `name`, together under that title."""
    uses = {pid: _usage(pid) for pid, _ in _parents() if _read(pid, "comm").strip() == name}
    return {pid: use._replace(title=name) for pid, use in uses.items() if use}


def cpu_by_title(before: Mapping[int, Usage], after: Mapping[int, Usage]) -> dict[str, float]:
    """CPU seconds used between two looks, by title."""
    spent: dict[str, float] = {}
    for pid, use in after.items():
        earlier = before[pid].cpu_s if pid in before else 0.0
        spent[use.title] = spent.get(use.title, 0.0) + use.cpu_s - earlier
    return spent


def read_mb(before: Mapping[int, Usage], after: Mapping[int, Usage]) -> float:
    """Megabytes that all of them have read from the disk between two looks."""
    return sum(use.read_mb - (before[pid].read_mb if pid in before else 0.0) for pid, use in after.items())


def peak_by_title(after: Mapping[int, Usage]) -> dict[str, float]:
    """Peak memory in megabytes by title; of several the largest, for they share pages."""
    peaks: dict[str, float] = {}
    for use in after.values():
        peaks[use.title] = max(use.peak_mb, peaks.get(use.title, 0.0))
    return peaks


def holding(name: str) -> Holding:
    """What the processes that this one started hold now, of those whose titles begin with `name`."""
    pids = [pid for pid, use in descendants().items() if use.title.startswith(name)]
    return Holding(sum(map(_resident_mb, pids)), sum(map(_open_files, pids)))


def fsync_ms(folder: Path) -> float:
    """What it costs to get 4 KiB onto the disk that holds `folder`: the median of 50 times."""
    path = folder / "fsync"
    with path.open("wb", buffering=0) as file:
        times = [timed_sync(os.fsync, file.fileno()) for _ in range(50)]
    path.unlink()
    return median(times) * 1000


def timed_sync(sync: Callable[[int], None], fd: int) -> float:
    """How many seconds it takes to write the first block of a file, and to get it onto the disk."""
    began = time.perf_counter()
    os.pwrite(fd, bytes(BLOCK), 0)
    sync(fd)
    return time.perf_counter() - began


def _parents() -> Iterator[tuple[int, int]]:
    for entry in PROC.iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            yield int(entry.name), int(fields[1])


def _ancestors(pid: int, parents: Mapping[int, int]) -> Iterator[int]:
    while pid := parents.get(pid, 0):
        yield pid


def _usage(pid: int) -> Usage | None:
    fields, title = _stat(pid), _read(pid, "cmdline").replace("\0", " ").strip()
    if not fields or not title:
        return None
    cpu_s = (int(fields[11]) + int(fields[12])) / _TICKS
    return Usage(title, cpu_s, _peak_mb(pid), _number(pid, "io", "read_bytes:") / 1_000_000)


def _stat(pid: int) -> list[str]:
    """The fields of proc_pid_stat(5) from the third on, since the second may hold spaces."""
    return _read(pid, "stat").rpartition(")")[2].split()


def _peak_mb(pid: int) -> float:
    return _memory_mb(pid, "VmHWM:")


def _resident_mb(pid: int) -> float:
    return _memory_mb(pid, "VmRSS:")


def _memory_mb(pid: int, what: str) -> float:
    return _number(pid, "status", what) / 1024


def _number(pid: int, file: str, what: str) -> int:
    """What stands behind `what` in a file of the process; 0 where that may not be known."""
    lines = (line for line in _read(pid, file).splitlines() if line.startswith(what))
    return int(next(lines, f"{what} 0").split()[1])


def _open_files(pid: int) -> int:
    try:
        return sum(1 for _ in (PROC / str(pid) / "fd").iterdir())
    except OSError:  # it has ended
        return 0


def _read(pid: int, name: str) -> str:
    try:
        return (PROC / str(pid) / name).read_text(errors="replace")
    except OSError:  # it has ended
        return ""
