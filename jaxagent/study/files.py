"""JSON files, written all or nothing, and what is said where nothing can be written."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import math
import os
import re
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxagent.study.escapes import quoted
from jaxagent.study.processes import is_first

_OF_THE_DISK = frozenset(
    {
        *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM),
        *(errno.EIO, errno.ESTALE, errno.ENODEV, errno.ENXIO, errno.ENOTCONN),
    }
)

FRESH = 1.0
"""Seconds for which a new file may be one whose writer does not hold it yet."""

_LEFTOVER = re.compile(r"\..+\.(json|jsonl|csv|html|svg|tex|txt|md)\.[a-z0-9_]{8}")
"""Names that `write_text` writes under before it replaces a file."""

DEEPEST = 100
"""Levels of a JSON file at most."""


class Unwritable(OSError):
    """What is to be kept cannot be written; what was written before is whole."""


def is_of_the_disk(error: BaseException) -> bool:
    """Whether the disk is full, gone or closed to us, and nothing is wrong with what was asked."""
    return isinstance(error, Unwritable) or getattr(error, "errno", None) in _OF_THE_DISK


def json_text(content: Any, indent: int | None = None) -> str:
    """Return `content` as JSON by its standard (RFC 8259): null stands for NaN and infinities.

    Args:
        content: dictionaries, lists and plain values.
        indent: spaces of a level; None for one line.
    """
    return json.dumps(_finite(content), indent=indent, allow_nan=False)


def write_json(path: Path | str, content: Any) -> None:
    """Replaces the file at `path` by `content` as JSON, all or nothing."""
    write_text(path, json_text(content, indent=1) + "\n")


def read_json(path: Path | str) -> Any:
    """Return the content of a JSON file.

    Raises:
        ValueError: naming the path, if it is not JSON: of another encoding, nested too deeply, with
            a number of thousands of digits, half a surrogate pair or one name twice in an object.
        OSError: it cannot be read.
    """
    text = read_text(path)
    try:
        return parse_json(text)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"{path}: expected JSON, got an error at line {error.lineno}: {error.msg}"
        ) from None
    except ValueError as error:
        raise ValueError(f"{path}: expected JSON, got {error}") from None


def parse_json(text: str) -> Any:
    """Return the content of a text of JSON.

    Raises:
        ValueError: it is none, in one sentence without the place; `json.JSONDecodeError` with it.
    """
    try:
        content = json.loads(text, object_pairs_hook=_object)
        _check_content(content)
    except json.JSONDecodeError:
        raise
    except RecursionError:
        raise ValueError(f"more than {DEEPEST} levels of brackets") from None
    except ValueError as error:
        if "digits" in str(error):  # Python reads none with thousands of them
            raise ValueError("a number with thousands of digits") from None
        raise ValueError(str(error)) from None
    return content


def is_file(path: Path | str) -> bool:
    """Tell whether there is a file at `path`; where no path can be, there is none."""
    try:
        return Path(path).is_file()
    except (OSError, ValueError):
        return False


def read_text(path: Path | str) -> str:
    """Return the text of a file.

    Raises:
        ValueError: naming the path, if it is not UTF-8, no file, or a name that no file can have.
        OSError: it cannot be read.
    """
    try:
        if Path(path).exists() and not Path(path).is_file():  # a pipe may never end
            raise ValueError(f"{path}: expected a file, got a folder, device or pipe")
        return Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        place = f"byte {error.start} is not"
        raise ValueError(f"{path}: expected a text in UTF-8, {place}") from None
    except UnicodeEncodeError:
        raise ValueError(f"{quoted(str(path))}: no file has such a name") from None


def write_text(path: Path | str, text: str) -> None:
    """Replaces the file at `path` by `text`, all or nothing; makes its folder if need be. Of
    several processes the first one does.

    Raises:
        ValueError: at `path` is a folder, a device or a pipe, which is not to be replaced.
        OSError: nothing can be written there.
    """
    if not is_first():
        return
    path = Path(path)
    if path.exists() and not path.is_file():
        raise ValueError(f"{path}: expected a file, got a folder, device or pipe")
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            with contextlib.suppress(OSError):  # see `remove_leftovers`
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            os.chmod(temporary, 0o644)
            os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)  # a signal may have come behind the replacing
        raise


def remove_leftovers(folder: Path, fresh: float = FRESH) -> None:
    """Removes what writers that have died left half-written in a folder.

    Those are the files of `write_text` that nobody holds any more. Where the file system has no
    locks they stay.

    Args:
        folder: to be looked at, without the folders in it; there may be none.
        fresh: seconds for which a file stays in any case; 0 for who locks all writers out.
    """
    for path in _listed(folder):
        if _LEFTOVER.fullmatch(path.name):
            with contextlib.suppress(OSError), path.open("rb+") as file:  # others may do the same
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if time.time() - path.stat().st_mtime >= fresh:
                    path.unlink()


def _listed(folder: Path) -> list[Path]:
    """What is in a folder; nothing if it has just been moved or removed."""
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def with_nan(content: Any) -> Any:
    """Return content of a JSON file with NaN for null, where nothing but numbers can be null."""
    if isinstance(content, dict):
        return {name: with_nan(each) for name, each in content.items()}
    if isinstance(content, list):
        return [with_nan(each) for each in content]
    return math.nan if content is None else content


def _finite(content: Any) -> Any:
    """The content with None for every number that is not finite."""
    if isinstance(content, Mapping):
        return {name: _finite(each) for name, each in content.items()}
    if isinstance(content, list | tuple):
        return [_finite(each) for each in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the name {quoted(twice)} twice in one object")
    return content


def _check_content(content: Any, level: int = 1) -> None:
    if level > DEEPEST:
        raise RecursionError
    if isinstance(content, str):
        try:
            content.encode("utf-8")
        except UnicodeEncodeError:
            raise ValueError(f"half a surrogate pair in {quoted(content)}") from None
    elif isinstance(content, dict):
        for name, each in content.items():
            _check_content(name, level)
            _check_content(each, level + 1)
    elif isinstance(content, list):
        for each in content:
            _check_content(each, level + 1)
