"""Signals that ask to stop: taken once, wherever they come, and nothing left behind."""

from __future__ import annotations

import contextlib
import gc
import signal
import sys
import time

import pytest

from jaxagent.study.stop import AGAIN, Stopped, raising
from jaxagent.sweep import shards


def test_a_stop_that_the_collector_swallows_comes_again():
    """JAX has callbacks there; an exception in one is printed and forgotten."""
    told, hook = [], sys.unraisablehook

    def callback(phase: str, info: dict) -> None:
        if phase == "start" and not told:
            told.append(phase)
            signal.raise_signal(signal.SIGUSR1)

    with pytest.raises(Stopped, match=f"signal {int(signal.SIGUSR1)}"), raising():
        gc.callbacks.append(callback)
        gc.collect()
        gc.callbacks.remove(callback)
        assert told
        time.sleep(30)
    assert sys.unraisablehook is hook


def test_a_swallowed_stop_does_not_outlive_the_work():
    class Bad:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGUSR1)

    arrived = []
    before = signal.signal(signal.SIGUSR1, lambda number, _: arrived.append(number))
    try:
        with raising():
            Bad()
            gc.collect()
        time.sleep(2 * AGAIN)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert not arrived


def test_what_others_raise_in_the_collector_is_told_as_before(monkeypatch):
    told = []
    monkeypatch.setattr(sys, "unraisablehook", lambda what: told.append(what.exc_type))

    class Bad:
        def __del__(self) -> None:
            raise OSError

    with raising():
        Bad()
        gc.collect()
    assert told == [OSError]


def test_no_library_takes_a_stop_for_an_error_of_its_own():
    """As JAX does while it reads its compilation cache, and we with a checkpoint."""
    with pytest.raises(Stopped), raising(), contextlib.suppress(Exception):
        signal.raise_signal(signal.SIGTERM)


def test_a_stop_in_the_middle_of_claiming_gives_the_shard_back(monkeypatch, tmp_path):
    make = shards._make

    def interrupted(mine: shards.Claim) -> bool:
        make(mine)
        raise Stopped("stopped by signal 15")

    monkeypatch.setattr(shards, "_make", interrupted)
    with pytest.raises(Stopped), shards.claim(tmp_path / "shard"):
        raise AssertionError("claimed")
    assert not (tmp_path / "shard" / "claim").exists()
