"""Files of ours that are written whole or not at all."""

import contextlib
import os
from pathlib import Path


def replace(path: Path, text: str) -> None:
    """Put the text in the file's place; it is on disk on return, and mode, owner and links stay as they were.

    A new file is for its owner alone. Raises OSError, and then the file is what it was.
    """
    path = path.resolve()
    fresh = path.with_name(f".{path.name}.new")
    before = path.stat() if path.exists() else None
    try:
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            if before is not None:
                os.fchmod(file.fileno(), before.st_mode & 0o7777)
                with contextlib.suppress(PermissionError):  # only root may give files away
                    os.fchown(file.fileno(), before.st_uid, before.st_gid)
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        sync_folder(path.parent)
    finally:
        fresh.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Let it survive a loss of power which files the folder has."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
