"""XLA's flags, which change with every release: asked for before they are set."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

VARIABLE = "XLA_FLAGS"

PATIENCE = "--xla_cpu_collective_call_terminate_timeout_seconds=600"
"""How long CPU devices wait for each other. By default XLA ends the process after 40 seconds, when
a device on a busy machine may only be slow."""

# The client of one CPU reads all flags, starts in a quarter of a second and needs no accelerator.
_ASK = "from jaxlib import xla_client; xla_client.make_cpu_client()"
_ASK_SECONDS = 60


def add_flags(flags: Sequence[str]) -> None:
    """Add those `flags` to `XLA_FLAGS` that the installed jaxlib knows and the user has not set.

    XLA reads the variable when it is first used, and ends the process at a flag that it does not
    know: call this before any device is used. A flag that is not known is left out, for all that
    are added here only make a program more robust or quicker to compile.

    Args:
        flags: as they stand in the variable, each `--name=value`.
    """
    given = os.environ.get(VARIABLE, "").split()
    if given and not given[0].startswith("-"):
        return  # the name of a file that holds the flags
    set_already = {_name(flag) for flag in given}
    missing = [flag for flag in flags if _name(flag) not in set_already]
    known = missing if _are_known(missing) else [flag for flag in missing if _are_known([flag])]
    if known:
        os.environ[VARIABLE] = " ".join([*given, *known])


def _are_known(flags: Sequence[str]) -> bool:
    """Whether a process with these flags, and no others, starts."""
    if not flags:
        return True
    environment = {**os.environ, VARIABLE: " ".join(flags)}
    try:
        asked = subprocess.run(
            [sys.executable, "-c", _ASK],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_ASK_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return asked.returncode == 0


def _name(flag: str) -> str:
    return flag.lstrip("-").partition("=")[0]
