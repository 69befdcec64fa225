"""Locks on folders, for processes that work side by side on one study."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def lock(folder: Path, wait: bool) -> Iterator[bool]:
    """Holds the folder, made if need be, against other processes; a process that dies lets go.

    Args:
        folder: what is held.
        wait: whether to wait for another process that holds it.

    Yields:
        Whether it is held now; without waiting another process may hold it instead.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        yield True
