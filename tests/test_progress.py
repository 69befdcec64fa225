"""What a training shows while it runs, and where its compiled programs are kept."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import jax
import pytest
from rich.console import Console
from rich.progress import Progress

from jaxagent.rl import progress
from jaxagent.rl.progress import progress_bar
from jaxagent.study.compilation_cache import enable_compilation_cache


def shown(monkeypatch: pytest.MonkeyPatch, steps: int = 3, shown: bool = True, **kind: bool) -> str:
    """What is seen of a bar of three steps on a console of a kind."""
    file = io.StringIO()
    made = Console(file=file, width=200, **kind)
    monkeypatch.setattr(progress, "Console", lambda **_: made)
    with progress_bar("training", 3, shown) as tell:
        for step in range(steps):
            tell(step + 1, f"success {step}0%")
    return file.getvalue()


def test_a_terminal_shows_a_bar_with_a_remark(monkeypatch):
    text = shown(monkeypatch, force_terminal=True)
    assert "training" in text and "3/3" in text and "success 20%" in text


def test_nothing_is_shown_where_nobody_looks_or_wants_it(monkeypatch):
    assert shown(monkeypatch, force_terminal=False) == ""
    assert shown(monkeypatch, force_terminal=True, shown=False) == ""


def test_a_notebook_without_widgets_shows_a_line(monkeypatch, capsys):
    monkeypatch.setattr(progress, "find_spec", lambda _: None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert shown(monkeypatch, force_jupyter=True) == ""
    assert capsys.readouterr().err.split("\r")[-1] == "training 3/3 success 20%\n"


def test_a_bar_that_stops_early_is_put_away(monkeypatch):
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=200)
    monkeypatch.setattr(progress, "Console", lambda **_: console)
    for error in (KeyboardInterrupt, ValueError):
        with pytest.raises(error), progress_bar("training", 3) as tell:
            tell(1, "")
            raise error
    with Progress(console=console):  # there is no other live display any more
        pass


@pytest.fixture
def cache(monkeypatch):
    """The folder of JAX's configuration, put back at the end."""
    before = jax.config.jax_compilation_cache_dir
    yield lambda folder: jax.config.update("jax_compilation_cache_dir", folder)
    jax.config.update("jax_compilation_cache_dir", before)


def test_programs_are_kept_where_they_were_or_in_the_users_cache(cache, monkeypatch, tmp_path):
    cache("/somewhere/else")
    assert enable_compilation_cache() == Path("/somewhere/else")
    cache(None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert enable_compilation_cache() == tmp_path / "jaxagent" / "compiled"
    assert enable_compilation_cache(tmp_path / "own") == tmp_path / "own"
    assert jax.config.jax_compilation_cache_dir == str(tmp_path / "own")
