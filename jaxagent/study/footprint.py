"""How much memory a whole process takes: Python, the compiler with its programs, and the data."""

from __future__ import annotations

import jax

START = 0.4 * 2**30
"""Bytes of Python with all libraries and the tables of environments: 0.38 to 0.43 GiB measured."""

PROGRAM = 0.35 * 2**30
"""Bytes that compiling a program takes, whatever it plays; the compiler keeps them."""

ENVIRONMENT = 0.3 * 2**30
"""Bytes more for every environment that the program plays."""


def process_bytes(programs: int, environments: int, data: float) -> float:
    """Return the bytes that a process takes at its peak on the host.

    A model of three terms, `START + programs × (PROGRAM + environments × ENVIRONMENT) + data`. XLA
    gives memory back to the system only in part, so that what compiling takes adds up over the
    programs of a process. Against peaks of resident memory on two cores it is right within a
    factor of two for programs that are compiled; read from the cache, they take about half.

    Args:
        programs: that are compiled in the process.
        environments: that each of them plays.
        data: bytes of what is played and learnt. On an accelerator they are on the device.
    """
    compiled = programs * (PROGRAM + environments * ENVIRONMENT)
    return START + compiled + (data if jax.default_backend() == "cpu" else 0.0)


def bytes_text(count: float) -> str:
    """Return bytes for people."""
    mebibytes = count / 2**20
    return f"{mebibytes:,.0f} MiB" if mebibytes < 1024 else f"{mebibytes / 1024:,.1f} GiB"
