"""Names that become files and folders: one plain component of a path each."""

from __future__ import annotations

import hashlib

from jaxagent.study.escapes import is_visible, quoted

MOST = 100
"""Characters of a name at most: file names end at 255 bytes, and suffixes are added."""

LONGEST = 10_000
"""Characters of any text at most."""


def is_plain(name: str) -> bool:
    """Tell whether `name` is safe as one component of a path on every file system.

    Letters and digits of any script, `-`, `_` and `.` are; a leading `.` or `-`, which hides a file
    or is read as an option, is not.
    """
    return (
        0 < len(name) <= MOST
        and len(name.encode("utf-8", "replace")) <= 2 * MOST
        and all(c.isalnum() or c in "-_." for c in name)
        and name[0] not in "-."
    )


def check_name(field: str, name: str) -> str:
    """Return `name` if it is one plain component of a path.

    Args:
        field: what the name is of, for the message.
        name: as it was read from a plan, a table or the command line.

    Raises:
        ValueError: naming the field, the name and what was expected.
    """
    if not is_plain(name):
        raise ValueError(
            f"{field}={name[:MOST]!r}: expected up to {MOST} letters, digits, '-', '_' and '.', "
            "beginning with a letter, digit or '_'"
        )
    return name


def check_label(field: str, label: str) -> str:
    """Return `label` if it can name a part of a study: a plain name that may hold spaces and marks.

    Labels are shown as they are; files are called by their `file_name`.

    Raises:
        ValueError: it is empty or too long, begins with a mark, or holds what is not to be seen or
            what separates the parts of a path.
    """
    parts = {part for part in label.split() if part.strip(".") == ""}
    fits = 0 < len(label) <= 2 * MOST and is_visible(label) and label.strip() == label
    if not fits or set(label) & set("/\\") or parts or not (label[0].isalnum() or label[0] == "_"):
        raise ValueError(
            f"{field}={quoted(label)}: expected up to {2 * MOST} characters without '/' and '\\', "
            "beginning with a letter, digit or '_'"
        )
    return label


def check_text(field: str, text: str) -> str:
    """Return `text` if it is shown as it is: of up to `LONGEST` characters, none of them hidden.

    Raises:
        ValueError: naming the field and the text.
    """
    if len(text) > LONGEST or not is_visible(text):
        raise ValueError(
            f"{field}={quoted(text)}: expected up to {LONGEST:,} characters without hidden ones"
        )
    return text


def file_name(label: str) -> str:
    """Return a plain component of a path for any label, another one for every label.

    Plain names, also with `@` in them, stay as they are. Of all others the letters and digits are
    kept, and behind `~`, which no plain name holds, stands a hash of the whole label.
    """
    if is_plain(label.replace("@", "_")) and label[0] != "@":
        return label
    words = "".join(c if c.isalnum() or c in "._" else " " for c in label)
    short = "-".join(words.split())[: MOST // 2].strip("-.")
    short = short.encode("utf-8", "ignore")[:MOST].decode("utf-8", "ignore")
    digest = hashlib.sha256(label.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"{short or '_'}~{digest}"
