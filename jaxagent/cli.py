"""The front door for the shell: `jaxagent COMMAND`."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import logging
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import tyro

from jaxagent.study.arguments import (
    DISK_ERROR,
    USAGE_ERROR,
    check_arguments,
    fail,
    names_and_options,
    parse,
)
from jaxagent.study.commands import COMMANDS, Difference, Study
from jaxagent.study.escapes import quoted
from jaxagent.study.files import is_of_the_disk
from jaxagent.study.processes import is_first, join
from jaxagent.study.stop import Stopped, raising
from jaxagent.study.sweep_commands import SWEEP
from jaxagent.study.watchdog import INTERRUPTED, STOPPED, abandon, watched
from jaxagent.study.xla_flags import PATIENCE, add_flags

_PLANNED = {"train": "train", "compare": "algorithms"}
"""Commands that refine a plan, and the one that each begins with."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs `jaxagent` with these arguments, by default the process's own."""
    with watched():
        _main(arguments)


def _main(arguments: Sequence[str] | None) -> None:
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    command, rest = (arguments[0], arguments[1:]) if arguments else ("--help", [])
    if command in ("-h", "--help"):
        print(_overview())
        return
    _prepare_jax()
    try:
        if command not in COMMANDS:
            raise ValueError(f"command {quoted(command)}: expected one of {', '.join(COMMANDS)}")
        join()
        with _heard_once(), raising():
            check_arguments(arguments)
            found = _parse(command, rest)
            for each in found:
                if hasattr(each, "check"):
                    each.check()
            for each in found:
                each.run()
    except (ValueError, OSError) as error:
        if is_of_the_disk(error):
            fail(DISK_ERROR, str(error))
        if not (_is_ours(error) or _is_of_a_place(error)):
            raise
        fail(USAGE_ERROR, str(error))
    except (Stopped, KeyboardInterrupt) as stop:
        abandon()
        of_keyboard = getattr(stop, "number", signal.SIGINT) == signal.SIGINT
        fail(INTERRUPTED if of_keyboard else STOPPED, str(stop) or "interrupted")


def _parse(command: str, arguments: list[str]) -> list[Any]:
    """What is to be run, one after the other."""
    kind = COMMANDS[command]
    if command == "study":
        return _parse_studies(arguments)
    if command == "report" and arguments[:1] == ["compare"]:
        return [parse(Difference, "report compare", arguments[1:])]
    if command == "sweep":
        return _parse_sweep(arguments)
    default: Any = tyro.MISSING
    if command in _PLANNED:
        from jaxagent.study.config import load_plan

        names, arguments = names_and_options(arguments)
        if len(names) > 1:
            raise ValueError(f"plans {quoted(names)}: expected one")
        default = kind(load_plan([*names, _PLANNED[command]][0]))
    return [parse(kind, command, arguments, default)]


def _parse_studies(arguments: list[str]) -> list[Study]:
    """A study for each of the plans that are named behind `run`."""
    from jaxagent.study.config import load_plan

    preset = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    preset.add_argument("--preset", default=Study.preset)
    given = preset.parse_known_args(arguments)[0].preset
    names, options = names_and_options(arguments)
    if "--help" in arguments or "-h" in arguments:
        names, options = ["run", "quickstart"], ["--help"]
    if names[:1] != ["run"] or len(names) < 2:
        raise ValueError(
            f"study {quoted(' '.join(names))}: expected study run PLAN [PLAN …] [options]"
        )
    plans = [load_plan(name, given) for name in names[1:]]
    found: list[Study] = [parse(Study, "study run PLAN", options, Study(p)) for p in plans]
    if len(found) == 1:
        return found
    folder = Path(found[0].out or "runs")
    store = found[0].store or str(folder / "phases")
    return [dataclasses.replace(s, out=str(folder / s.plan.name), store=store) for s in found]


def _parse_sweep(arguments: list[str]) -> list[Any]:
    """The command behind `sweep`."""
    action = (arguments or [""])[0]
    if action in ("-h", "--help"):
        lines = [
            f"  {name:<10}{(kind.__doc__ or '').splitlines()[0]}" for name, kind in SWEEP.items()
        ]
        print("\n".join(["usage: jaxagent sweep COMMAND [options]", "", "commands:", *lines]))
        raise SystemExit(0)
    if action not in SWEEP:
        raise ValueError(f"sweep {quoted(action)}: expected one of {', '.join(SWEEP)}")
    return [parse(SWEEP[action], f"sweep {action}", arguments[1:])]


def _overview() -> str:
    lines = ["usage: jaxagent COMMAND [options]", "", "commands:"]
    for name, kind in COMMANDS.items():
        lines.append(f"  {name:<10}{(kind.__doc__ or '').splitlines()[0]}")
    return "\n".join([*lines, "", "jaxagent COMMAND --help tells what a command's options mean."])


def _prepare_jax() -> None:
    """Keeps compiled programs between runs, makes every CPU core a device, and has devices wait.

    JAX is imported by now and has read its environment variables, which win. What Orbax warns of
    through absl, how long a checkpoint took to write, would stand between the progress bars.
    """
    import jax

    from jaxagent.study.compilation_cache import enable_compilation_cache

    logging.getLogger("absl").setLevel(logging.ERROR)
    enable_compilation_cache()
    if "JAX_NUM_CPU_DEVICES" not in os.environ:
        with contextlib.suppress(RuntimeError):  # JAX is in use already, with the devices it has
            jax.config.update("jax_num_cpu_devices", min(os.cpu_count() or 1, 8))
    add_flags([PATIENCE])


@contextlib.contextmanager
def _heard_once() -> Iterator[None]:
    """Of several processes, what the first one prints is seen, and no other's."""
    if is_first():
        yield
        return
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        yield


def _is_ours(error: BaseException) -> bool:
    """Whether jaxagent raised the error itself, and not something that it called."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    here = str(Path(__file__).resolve().parent)
    return trace is not None and trace.tb_frame.f_code.co_filename.startswith(here)


def _is_of_a_place(error: BaseException) -> bool:
    """Whether the system refused a file or folder, and none that belongs to jaxagent itself."""
    place = error.filename if isinstance(error, OSError) else None
    if not isinstance(place, str | Path):
        return False
    return not str(Path(place).absolute()).startswith(str(Path(__file__).resolve().parent))
