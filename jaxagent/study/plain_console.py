"""A console for names of strangers: square brackets are no markup, and nothing hidden is sent."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.text import Text

from jaxagent.study.escapes import visible


class PlainConsole(Console):
    """A console that shows every text, in tables and trees too, as it is written."""

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:  # type: ignore[override]
        """Make a text of a string, with escape sequences written out."""
        return super().render_str(visible(text, kept="\n"), **{**options, "markup": False})
