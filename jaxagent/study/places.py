"""Places for output, looked at before any work: what can never be written is said at once."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from jaxagent.study.escapes import is_visible, quoted
from jaxagent.study.files import Unwritable

LONGEST_NAME = 200
"""Bytes of a file's or folder's name at most: file systems end at 255, and suffixes are added."""

LONGEST_PATH = 3000
"""Bytes of a path at most: Linux ends at 4,096, and folders are made inside."""


def check_folder(field: str, folder: Path | str) -> Path:
    """Return `folder` if it is one, or could be made; nothing is made.

    Args:
        field: option or field that names it, for the message.
        folder: where output is to go.

    Raises:
        ValueError: it is a file, a link to nowhere, or a path that cannot be.
        Unwritable: the disk does not take files there.
    """
    path = _checked(field, folder)
    if path.exists() and not path.is_dir():
        raise ValueError(f"{field}={quoted(str(folder))}: expected a folder, got a file")
    _check_writable(field, path)
    return path


def check_file(field: str, file: Path | str) -> Path:
    """Return `file` if it is a file, or could be made; nothing is made. See `check_folder`."""
    path = _checked(field, file)
    if path.exists() and not path.is_file():
        got = "a folder" if path.is_dir() else "a device or pipe"
        raise ValueError(f"{field}={quoted(str(file))}: expected a file, got {got}")
    if path.name in ("", "..") or str(file).endswith(os.sep):
        raise ValueError(f"{field}={quoted(str(file))}: expected a file, got a folder")
    _check_writable(field, path.parent)
    return path


def _checked(field: str, given: Path | str) -> Path:
    text = str(given)
    if not is_visible(text):
        raise ValueError(f"{field}={quoted(text)}: expected a path without hidden characters")
    path = Path(text)
    longest = max((len(os.fsencode(part)) for part in path.parts), default=0)
    if longest > LONGEST_NAME or len(os.fsencode(text)) > LONGEST_PATH:
        raise ValueError(
            f"{field}={quoted(text)}: expected names of up to {LONGEST_NAME} bytes and "
            f"{LONGEST_PATH:,} in all"
        )
    for each in (path, *path.parents):
        try:
            inside = each.is_symlink() and not each.exists()
        except (OSError, RuntimeError):  # a loop of links
            inside = True
        if inside:
            raise ValueError(f"{field}={quoted(text)}: {each} is a link to nowhere")
    return path


def _check_writable(field: str, folder: Path) -> None:
    """Tries to write into the folder, or into the nearest one above that there is."""
    there = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    if not there.is_dir():
        raise ValueError(f"{field}={quoted(str(folder))}: {there} is a file, expected a folder")
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        raise Unwritable(f"{field}={quoted(str(folder))}: {there}: {error.strerror}") from None
