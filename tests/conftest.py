"""What every test stands on: two CPU devices, quick compiling, a cache, hypothesis profiles.

Environment variables are set before jax is imported, so that processes started by tests inherit
them; what the caller has set already wins. Deleting `.cache/` only makes the next run slower.
"""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path

import hypothesis
import pytest

ROOT = Path(__file__).resolve().parents[1]


def machine_key() -> str:
    """Name what compiled CPU programs depend on: Python, jaxlib and the processor's features.

    jax keys its entries by program, flags and jaxlib but not by processor, so a checkout that
    moves to another machine would otherwise load code built for the old one.
    """
    cpu = Path("/proc/cpuinfo")
    lines = cpu.read_text().splitlines() if cpu.exists() else []
    features = sorted({line for line in lines if line.startswith(("flags", "Features"))})
    text = "\n".join([platform.machine(), platform.processor(), *features])
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    python = f"py{sys.version_info.major}{sys.version_info.minor}"
    return f"{python}-jaxlib{version('jaxlib')}-{digest}"


os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("JAX_NUM_CPU_DEVICES", "2")
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(ROOT / ".cache" / "jax" / machine_key()))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")

from jaxagent.study.xla_flags import PATIENCE, add_flags  # noqa: E402  (JAX reads the above first)

# Compiling is most of the time of many tests, and these flags shorten it by a third where jaxlib
# knows them; training is a fifth slower with them. The processes of tests inherit what was found.
if "XLA_FLAGS" not in os.environ:
    quick = ["--xla_backend_optimization_level=1", "--xla_cpu_use_fusion_emitters=false"]
    add_flags([*quick, PATIENCE])

# The first call of a jitted function compiles, so its time says nothing about an example.
hypothesis.settings.register_profile("local", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "local")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Compile in half the time what then runs several times slower, where that is a gain."""
    import jax  # not before the environment variables are set

    runs_long = any(item.get_closest_marker(name) for name in ("slow", "optimised"))
    jax.config.update("jax_disable_most_optimizations", not runs_long)


MOST_MAPS = 30_000
"""Maps of memory with which a process goes on: Linux allows it 65,530, then XLA aborts it."""


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown() -> None:
    """Let go of compiled programs, each of which takes some twenty maps, before it is too many."""
    maps = Path("/proc/self/maps")
    if maps.exists() and maps.read_text().count("\n") > MOST_MAPS:
        import jax

        jax.clear_caches()
