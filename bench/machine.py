"""What figures depend on: the machine, its disk, and the versions of what does the work."""

import importlib.metadata
import os
import platform
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import psycopg

import hopwire
from bench.measure import fsync_ms

LIBRARIES = ("uvicorn", "uvloop", "httptools", "msgspec", "aiohttp", "psycopg")


def basics() -> dict[str, object]:
    """The processor and the system."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "cpu": models[0] if models else platform.machine(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
    }


def described(folder: Path, database: str | None, note: str) -> dict[str, object]:
    """All of it, as a line; `folder` is on the disk that is used."""
    versions = {name: importlib.metadata.version(name) for name in LIBRARIES}
    return {
        "bench": "machine",
        **basics(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "fsync_ms": round(fsync_ms(folder), 3),
        "at": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "note": note,
        "versions": {
            "hopwire": hopwire.__version__,
            "sqlite": sqlite3.sqlite_version,
            **({"postgres": _server_version(database)} if database else {}),
            **versions,
        },
    }


def _server_version(database: str) -> str:
    with psycopg.connect(database) as connection:
        return connection.info.parameter_status("server_version") or ""
