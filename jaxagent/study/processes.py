"""One program in several processes (hosts of a slice, tasks of a SLURM step, ranks of MPI).

All of them run the same command and share every array; the first alone writes files. What depends
on a clock, a signal or the file system is therefore decided by one or told to all: otherwise the
processes would run different programs and wait for each other for ever. Everything here is called
by all processes in the same order, and costs nothing where there is only one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import jax
import numpy as np
from jax.experimental import multihost_utils
from jaxtyping import Int

from jaxagent.study.peers import stop_together
from jaxagent.sweep.batch import HOSTS

ADDRESS, COUNT, NUMBER = "JAX_COORDINATOR_ADDRESS", "JAX_NUM_PROCESSES", "JAX_PROCESS_ID"
"""Where a job that no engine describes may say who its processes are."""

_COUNTS = (COUNT, HOSTS, "SLURM_STEP_NUM_TASKS", "OMPI_COMM_WORLD_SIZE")
_NAMES = "TPU_WORKER_HOSTNAMES"


def count_processes(environment: Mapping[str, str]) -> int:
    """How many processes this job has, by the variables of SLURM's `srun`, MPI or Cloud TPU.

    Raises:
        ValueError: a variable is not the number that it should be.
    """
    for name in _COUNTS:
        given = environment.get(name, "")
        if given:
            if not given.isdigit() or int(given) < 1:
                raise ValueError(f"{name}={given!r}: expected a number of processes")
            return int(given)
    return len([host for host in environment.get(_NAMES, "").split(",") if host.strip()]) or 1


def join() -> None:
    """Joins the other processes of this job, if there are any; before any device is used.

    Who they are JAX finds out by itself (SLURM, Open MPI, Cloud TPU), unless `ADDRESS`, `COUNT` and
    `NUMBER` say so.
    """
    if jax.distributed.is_initialized() or count_processes(os.environ) == 1:
        return
    if os.environ.get(COUNT):
        missing = [name for name in (ADDRESS, NUMBER) if not os.environ.get(name, "")]
        if missing:
            raise ValueError(f"{COUNT} is set: expected {' and '.join(missing)} too")
        number = int(os.environ[NUMBER])
        jax.distributed.initialize(os.environ[ADDRESS], int(os.environ[COUNT]), number)
    else:
        jax.distributed.initialize()
    stop_together()


def is_first() -> bool:
    """Whether this process is the one that writes files and speaks to people."""
    return _is_alone() or jax.process_index() == 0


def all_say(*numbers: int) -> Int[np.ndarray, "processes numbers"]:
    """What every process says, the first process's numbers first; each below 2**31."""
    said = np.asarray(numbers, np.int32)
    if _is_alone():
        return said[None]
    return np.asarray(multihost_utils.process_allgather(said))


def first_says(*numbers: int) -> list[int]:
    """What the first process says."""
    return all_say(*numbers)[0].tolist()


def exist(paths: Sequence[Path]) -> list[bool]:
    """Which of these files there are, as the first process sees it."""
    if not paths:
        return []
    return [bool(each) for each in first_says(*(path.exists() for path in paths))]


def by_first(action: Callable[[], object], *errors: type[Exception]) -> None:
    """Lets the first process do what one has to do for all, asking no other meanwhile.

    Args:
        action: what is to be done.
        errors: what it may raise; then all processes raise the first of these types.
    """
    caught: Exception | None = None
    if is_first():
        try:
            with _acting():
                action()
        except errors as error:
            caught = error
    if first_says(caught is not None)[0]:
        raise caught or errors[0]("the first process says why")


_acts_for_all = False


@contextmanager
def _acting() -> Iterator[None]:
    """Has the first process answer for all within the block, which the others are not in."""
    global _acts_for_all
    before, _acts_for_all = _acts_for_all, True
    try:
        yield
    finally:
        _acts_for_all = before


def _is_alone() -> bool:
    """Asks no device, which a command that only looks at files should not start."""
    return _acts_for_all or not jax.distributed.is_initialized()
