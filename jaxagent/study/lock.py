"""Locks on folders, for processes that work side by side on one study."""

from __future__ import annotations

import contextlib
import errno
import fcntl
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from jaxagent.study.files import Unwritable, remove_leftovers
from jaxagent.study.processes import first_says, is_first

_NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL})
"""What `flock` fails with where a file system has no locks."""


@contextlib.contextmanager
def lock(folder: Path, wait: bool) -> Iterator[bool]:
    """Holds the folder, made if need be, against other programs; one that dies lets go, and what it
    was writing there is removed. Of several processes of one program the first holds it for all.

    Args:
        folder: what is held.
        wait: whether to wait for another program that holds it.

    Yields:
        Whether it is held now; without waiting another program may hold it instead.

    Raises:
        Unwritable: the file system has no locks.
    """
    with _lock(folder, wait) if is_first() else contextlib.nullcontext(True) as held:
        yield bool(first_says(held)[0])


@contextlib.contextmanager
def _lock(folder: Path, wait: bool) -> Iterator[bool]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as file:
        held = _flock(file, wait)
        if held:
            remove_leftovers(folder, fresh=0.0)
        yield held


def _flock(file: IO[str], wait: bool) -> bool:
    """Whether the file is locked now."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        raise Unwritable(
            f"{file.name}: the file system has no locks ({error.strerror}), which keep processes "
            "out of each other's way: have it mounted with locks, or choose a folder on another"
        ) from None
    return True
