"""What a training's numbers depend on beside its plan: versions, devices and flags.

Another version, number of devices or flag sums in another order, and a training that goes on under
it ends with numbers that are those of neither. So every phase keeps what it was made under.
"""

from __future__ import annotations

import os
import platform
from dataclasses import asdict, dataclass, fields
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import jax

from jaxagent.study.files import read_json, write_json

MACHINES = "machines.json"
"""File of a phase: for each machine that it was trained on, from which update on."""

_PACKAGES = ("jaxagent", "jax", "jaxlib", "flax", "optax")
_SETTINGS = (
    *("jax_default_matmul_precision", "jax_default_prng_impl", "jax_disable_most_optimizations"),
    *("jax_enable_x64", "jax_optimization_level", "jax_threefry_partitionable"),
    *("jax_use_shardy_partitioner",),
)
"""Of JAX, which numbers may depend on."""

_PATIENCE = "timeout"
"""In the names of flags that no number depends on."""


@dataclass(frozen=True)
class Machine:
    """What numbers depend on.

    Attributes:
        versions: of Python and packages, each by its name.
        platform: cpu, gpu or tpu.
        kind: of device, or of processor.
        devices: of all processes.
        processes: of the program.
        flags: of XLA, sorted.
        settings: of JAX, each by its name.
    """

    versions: dict[str, str]
    platform: str
    kind: str
    devices: int
    processes: int
    flags: tuple[str, ...]
    settings: dict[str, str]

    def changes(self, other: Machine) -> str:
        """Returns what `other` has otherwise, e.g. `devices 2 → 1`; empty if nothing."""
        found = []
        for field in fields(self):
            old, new = getattr(self, field.name), getattr(other, field.name)
            if isinstance(old, dict):
                names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
                found += [f"{n} {old.get(n, 'none')} → {new.get(n, 'none')}" for n in names]
            elif old != new:
                found.append(f"{field.name} {_told(old)} → {_told(new)}")
        return ", ".join(found)

    @property
    def title(self) -> str:
        """For people, in one sentence without its full stop."""
        versions = ", ".join(f"{name} {each}" for name, each in self.versions.items())
        settings = [f"{name}={each}" for name, each in self.settings.items()]
        plural = "s" if self.devices > 1 else ""
        shared = f" of {self.processes} processes" if self.processes > 1 else ""
        return (
            f"{self.devices} {self.platform} device{plural}{shared} ({self.kind}); {versions}; "
            f"XLA flags {_told(self.flags)}; {', '.join(settings)}"
        )


def this_machine() -> Machine:
    """Returns what the numbers of this process depend on."""
    device = jax.devices()[0]
    given = f"{os.environ.get('XLA_FLAGS', '')} {os.environ.get('LIBTPU_INIT_ARGS', '')}".split()
    versions = {"Python": platform.python_version()}
    settings = {name: jax.config.values.get(name) for name in _SETTINGS}
    return Machine(
        versions=versions | {name: _version(name) for name in _PACKAGES},
        platform=device.platform,
        kind=_processor() if device.platform == "cpu" else device.device_kind,
        devices=len(jax.devices()),
        processes=jax.process_count(),
        flags=tuple(sorted(flag for flag in given if _PATIENCE not in flag)),
        settings={
            n.removeprefix("jax_"): str(each) for n, each in settings.items() if each is not None
        },
    )


def from_json(content: dict[str, Any]) -> Machine:
    """Returns a machine from what `dataclasses.asdict` made of it, read from JSON."""
    known = {field.name: content[field.name] for field in fields(Machine)}
    return Machine(**{**known, "flags": tuple(known["flags"])})


def machines_of(folder: Path) -> list[tuple[int, Machine]]:
    """Returns what the phase in a folder was trained on, from which update on; nothing if it does
    not say."""
    path = folder / MACHINES
    if not path.is_file():
        return []
    return [(each["update"], from_json(each["machine"])) for each in read_json(path)]


def record(folder: Path, update: int, strict: bool) -> str:
    """Notes that this machine trains the phase in a folder from an update on.

    Args:
        folder: of the phase.
        update: those that are done.
        strict: whether it has to be the machine that did them.

    Returns:
        What is otherwise than for the updates that are done; empty if nothing is, or is known.

    Raises:
        ValueError: it is not the machine that it has to be; nothing is noted.
    """
    here = this_machine()
    before = [(begun, machine) for begun, machine in machines_of(folder) if begun < update]
    changed = before[-1][1].changes(here) if before else ""
    if changed and strict:
        raise ValueError(f"{folder}: not made on this machine: {changed}")
    if changed or not before:
        before.append((update, here))
    content = [{"update": begun, "machine": asdict(machine)} for begun, machine in before]
    write_json(folder / MACHINES, content)
    return changed


def _told(value: object) -> str:
    if isinstance(value, tuple):
        return " ".join(map(str, value)) or "none"
    return str(value)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "unknown"


def _processor() -> str:
    """The processor's name, since programs are compiled for what it can do."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
