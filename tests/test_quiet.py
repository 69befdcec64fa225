"""A save that fails is told by its exception alone."""

from __future__ import annotations

import logging
import sys
from types import SimpleNamespace

import pytest

from jaxagent.study.quiet import quiet


def unraisable(error: Exception) -> None:
    """What Python does with an error that nobody can catch."""
    sys.unraisablehook(SimpleNamespace(exc_type=type(error), exc_value=error))


@pytest.fixture
def heard(monkeypatch, caplog) -> list[str]:
    """What comes out of an exception that nobody can catch; loggers are as before at the end."""
    told: list[str] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda what: told.append(str(what.exc_value)))
    for name in ("absl", "asyncio"):
        monkeypatch.setattr(logging.getLogger(name), "level", logging.WARNING)
    return told


def test_it_stays_quiet_after_a_failure(heard, caplog):
    with pytest.raises(OSError, match="gone"), quiet():
        logging.getLogger("absl").error("the whole trace")
        raise OSError("gone")
    logging.getLogger("asyncio").critical("again")
    unraisable(RuntimeError("Event loop is closed"))
    assert not heard and not caplog.records
    unraisable(RuntimeError("another"))
    assert heard == ["another"]


def test_after_a_save_everything_is_heard_as_before(heard, caplog):
    with quiet():
        unraisable(RuntimeError("Event loop is closed"))
    assert not heard
    unraisable(RuntimeError("Event loop is closed"))
    logging.getLogger("absl").error("loud")
    assert heard == ["Event loop is closed"] and [r.getMessage() for r in caplog.records] == [
        "loud"
    ]
