"""XLA's flags: only those that the installed jaxlib knows are set, and none that the user set."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from jaxagent.study.xla_flags import PATIENCE, VARIABLE, add_flags

UNKNOWN = "--xla_no_release_has_this_flag=1"
LEVEL = "--xla_backend_optimization_level"


def flags_after(monkeypatch: pytest.MonkeyPatch, given: str, added: list[str]) -> str:
    monkeypatch.setenv(VARIABLE, given)
    add_flags(added)
    return os.environ[VARIABLE]


def test_xla_ends_a_process_with_a_flag_that_it_does_not_know():
    code = "import jax; jax.devices()"
    environment = {**os.environ, VARIABLE: UNKNOWN}
    ended = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True)
    assert ended.returncode != 0 and b"Unknown flag" in ended.stderr


def test_what_is_unknown_is_left_out_and_the_rest_is_set(monkeypatch):
    assert flags_after(monkeypatch, "", [UNKNOWN, PATIENCE]) == PATIENCE


def test_nothing_is_set_where_nothing_is_known(monkeypatch):
    assert flags_after(monkeypatch, "", [UNKNOWN]) == ""


@pytest.mark.parametrize("given", [f"{LEVEL}=3", "/home/me/flags.txt"])
def test_the_users_own_flags_win(monkeypatch, given):
    assert flags_after(monkeypatch, given, [f"{LEVEL}=1"]) == given


def test_the_users_other_flags_stay(monkeypatch):
    assert flags_after(monkeypatch, f"{LEVEL}=3", [PATIENCE]) == f"{LEVEL}=3 {PATIENCE}"
