"""Locks on folders, for processes that work side by side on one study."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from jaxagent.study.processes import first_says, is_first


@contextlib.contextmanager
def lock(folder: Path, wait: bool) -> Iterator[bool]:
    """Holds the folder, made if need be, against other programs; one that dies lets go. Of several
    processes of one program the first holds it for all.

    Args:
        folder: what is held.
        wait: whether to wait for another program that holds it.

    Yields:
        Whether it is held now; without waiting another program may hold it instead.
    """
    with _lock(folder, wait) if is_first() else contextlib.nullcontext(True) as held:
        yield bool(first_says(held)[0])


@contextlib.contextmanager
def _lock(folder: Path, wait: bool) -> Iterator[bool]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        yield True
