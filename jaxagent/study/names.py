"""Names that become files and folders: one plain component of a path each."""

from __future__ import annotations

MOST = 100
"""Characters of a name at most: file names end at 255 bytes, and suffixes are added."""


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
