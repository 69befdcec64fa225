"""Text of strangers, made harmless for the terminal, for spreadsheets and for LaTeX."""

from __future__ import annotations

import re
import unicodedata

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode's categories of what has no sign of its own: controls, marks of direction, halves of
pairs, and what no one has defined."""

_FORMULAS = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula, or skips to look for one."""

_TEX = {
    "\\": "\\textbackslash{}",
    "&": "\\&",
    "%": "\\%",
    "_": "\\_",
    "#": "\\#",
    "$": "\\$",
    "{": "\\{",
    "}": "\\}",
    "~": "\\textasciitilde{}",
    "^": "\\textasciicircum{}",
    "<": "$<$",
    ">": "$\\rightarrow$",
    "−": "$-$",
    "–": "--",
}

LONGEST = 2000
"""Characters of a message at most."""


def is_visible(text: str) -> bool:
    """Tell whether every character of `text` has a sign or is a space."""
    return not any(unicodedata.category(letter) in _HIDDEN for letter in text)


def visible(text: str, kept: str = "") -> str:
    """Return `text` with what cannot be seen, escape sequences included, written out.

    Args:
        text: any text.
        kept: characters that stay as they are, such as line feeds.

    Returns:
        The text; ESC becomes the four characters `\\x1b`, and so on.
    """
    if is_visible(text):
        return text
    return "".join(
        letter if letter in kept or is_visible(letter) else _written_out(letter) for letter in text
    )


def one_line(text: str) -> str:
    """Return a message as one line of at most `LONGEST` characters, with nothing hidden in it."""
    line = visible("; ".join(part.strip() for part in text.splitlines() if part.strip()))
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 200]} … {line[-190:]}"


def quoted(value: object, most: int = 80) -> str:
    """Return the value as Python writes it, cut where it is long: for messages about it."""
    try:
        text = repr(value)
    except (RecursionError, ValueError):  # nested deeply, or with thousands of digits
        text = f"a {type(value).__name__}"
    return text if len(text) <= most else f"{text[: most - 1]}…"


def csv_text(text: str) -> str:
    """Return a cell of text that no spreadsheet takes for a formula: an apostrophe goes before one
    (OWASP, CSV injection); numbers stay as they are."""
    return f"'{text}" if text.startswith(_FORMULAS) and not _is_number(text) else text


def tex(text: str) -> str:
    """Return `text` for the body of a LaTeX document."""
    return "".join(_TEX.get(letter, letter) for letter in visible(text))


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[-+]?\d+(\.\d*)?(e[-+]?\d+)?", text) is not None


def _written_out(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")
