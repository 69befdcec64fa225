"""What a training was made under: kept, told, refused, and shown in the report."""

from __future__ import annotations

import dataclasses
import json

import pytest

from jaxagent.study import machine, provenance
from jaxagent.study.machine import MACHINES, Machine, machines_of, record, this_machine

HERE = Machine(
    versions={"Python": "3.11.7", "jax": "0.10.2"},
    platform="cpu",
    kind="Some <processor>",
    devices=2,
    processes=1,
    flags=("--xla_a=1",),
    settings={"enable_x64": "False"},
)
THERE = dataclasses.replace(
    HERE, versions={"Python": "3.11.7", "jax": "0.11.2"}, devices=1, flags=()
)
CHANGES = "jax 0.10.2 → 0.11.2, devices 2 → 1, flags --xla_a=1 → none"


@pytest.fixture
def on(monkeypatch):
    """Moves to a machine."""
    return lambda place: monkeypatch.setattr(machine, "this_machine", lambda: place)


def test_this_machine_is_what_it_is(monkeypatch):
    this_machine()  # XLA has read its flags by now, and does not meet these
    monkeypatch.setenv("XLA_FLAGS", "--xla_b=2 --xla_a=1 --xla_collective_timeout_seconds=600")
    monkeypatch.setenv("LIBTPU_INIT_ARGS", "--xla_c=3")
    here = this_machine()
    assert here.flags == ("--xla_a=1", "--xla_b=2", "--xla_c=3")
    assert (here.platform, here.devices, here.processes) == ("cpu", 2, 1) and here.kind
    assert set(here.versions) == {"Python", "jaxagent", "jax", "jaxlib", "flax", "optax"}
    assert here.settings["enable_x64"] == "False" and "disable_most_optimizations" in here.settings
    assert not here.changes(here) and here.changes(THERE)


def test_changes_name_what_has_changed_and_nothing_else():
    assert not HERE.changes(HERE)
    assert HERE.changes(THERE) == CHANGES
    other = dataclasses.replace(HERE, settings={}, kind="other")
    assert HERE.changes(other) == "kind Some <processor> → other, enable_x64 False → none"


def test_a_phase_keeps_where_it_was_made(tmp_path, on):
    on(HERE)
    assert record(tmp_path, 0, strict=True) == ""
    assert record(tmp_path, 5, strict=True) == ""
    assert machines_of(tmp_path) == [(0, HERE)]
    on(THERE)
    assert record(tmp_path, 7, strict=False) == CHANGES
    assert machines_of(tmp_path) == [(0, HERE), (7, THERE)]
    on(HERE)  # nothing was saved there
    assert record(tmp_path, 7, strict=True) == ""
    assert machines_of(tmp_path) == [(0, HERE)]
    on(THERE)
    assert record(tmp_path, 0, strict=True) == ""
    assert machines_of(tmp_path) == [(0, THERE)]


def test_another_machine_can_be_refused(tmp_path, on):
    on(HERE)
    record(tmp_path, 0, strict=False)
    before = (tmp_path / MACHINES).read_bytes()
    on(THERE)
    with pytest.raises(ValueError, match="not made on this machine: jax 0.10.2 → 0.11.2"):
        record(tmp_path, 3, strict=True)
    assert (tmp_path / MACHINES).read_bytes() == before


def test_what_does_not_say_where_it_was_made_goes_on(tmp_path, on):
    on(HERE)
    assert machines_of(tmp_path) == [] and record(tmp_path, 9, strict=True) == ""
    assert machines_of(tmp_path) == [(9, HERE)]


def test_the_report_tells_one_machine_in_a_sentence_and_several_apart():
    assert provenance.section(None) == provenance.section(provenance.provenance({}, {})) == ""
    one = provenance.provenance({"base": [(0, HERE)], "arm": [(0, HERE)]}, {"base": HERE})
    assert len(one["machines"]) == 1
    shown = provenance.section(json.loads(json.dumps(one)))
    assert "How it was made" in shown and "2 cpu devices (Some &lt;processor&gt;)" in shown
    assert "XLA flags --xla_a=1" in shown and "<li>" not in shown
    two = provenance.provenance({"base": [(0, HERE)], "arm": [(0, HERE), (7, THERE)]}, {})
    shown = provenance.section(json.loads(json.dumps(two)))
    assert "arm: from update 0 on 1, from update 7 on 2" in shown
    assert "Trained to the end on 1: base." in shown and "Trained to the end on 2: arm." in shown


@pytest.mark.parametrize("content", [{"machines": 3}, {"machines": [{}]}, {"a": 1}, [1]])
def test_what_a_stranger_has_put_in_its_place_is_told(content, tmp_path):
    (tmp_path / MACHINES).write_text(json.dumps(content))
    with pytest.raises(ValueError, match=MACHINES):
        provenance.read_section(tmp_path)
