"""JSON files, written all or nothing, and what is said where nothing can be written."""

from __future__ import annotations

import errno
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from jaxagent.study.processes import is_first

_OF_THE_DISK = frozenset(
    {
        *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM),
        *(errno.EIO, errno.ESTALE, errno.ENODEV, errno.ENXIO, errno.ENOTCONN),
    }
)


class Unwritable(OSError):
    """What is to be kept cannot be written; what was written before is whole."""


def is_of_the_disk(error: BaseException) -> bool:
    """Whether the disk is full, gone or closed to us, and nothing is wrong with what was asked."""
    return isinstance(error, Unwritable) or getattr(error, "errno", None) in _OF_THE_DISK


def write_json(path: Path | str, content: Any) -> None:
    """Replaces the file at `path` by `content` as JSON, all or nothing."""
    write_text(path, json.dumps(content, indent=1) + "\n")


def read_json(path: Path | str) -> Any:
    """The content of a JSON file. Raises `ValueError` naming the path if it is not JSON."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(
            f"{path}: expected JSON, got an error at line {error.lineno}: {error.msg}"
        ) from None


def write_text(path: Path | str, text: str) -> None:
    """Replaces the file at `path` by `text`, all or nothing; makes its folder if need be. Of
    several processes the first one does."""
    if not is_first():
        return
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
