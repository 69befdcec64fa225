"""The front door for the shell: `jaxagent COMMAND`."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console

from jaxagent.study.arguments import names_and_options, parse
from jaxagent.study.plan import StudyPlan

USAGE_ERROR, STOPPED = 2, 75
"""Exit codes: wrong arguments or input, and stopped by a signal with everything saved."""

Json = Annotated[bool, tyro.conf.FlagCreatePairsOff]


@dataclass(frozen=True)
class Envs:
    """List environments with their levels, and the interfaces, lexicons and switches of tasks."""

    json: Json = False
    """Print JSON instead of tables."""

    def run(self) -> None:
        """Carries out the command."""
        from jaxagent.study import listing

        if self.json:
            print(json.dumps(listing.as_json(), indent=1))
        else:
            listing.show(Console())


@dataclass(frozen=True)
class Play:
    """Play an episode in the terminal, or watch a policy play one."""

    task: tyro.conf.Positional[str]
    """Task, e.g. textcraft/easy or babyai/medium+prose+list:every_turn."""
    policy: str = "human"
    """Who plays: human, expert, random, or the folder of a checkpoint."""
    instance: int = 0
    """Number of the held-out instance."""
    seed: int = 0
    """Of the policy's words."""
    context: int = 1024
    """Tokens of the episode at most."""

    def run(self) -> None:
        """Carries out the command."""
        from jaxagent.study import play

        if self.policy == "human":
            play.play_by_hand(self.task, self.instance, input, print)
        else:
            print(play.watch(self.task, self.policy, self.instance, self.seed, self.context))


@dataclass(frozen=True)
class Evaluate:
    """Measure a policy on held-out instances of tasks."""

    policy: str = "expert"
    """Who plays: expert, random, or the folder of a checkpoint."""
    tasks: tuple[str, ...] = ("textcraft/easy", "babyai/easy")
    """Tasks to measure."""
    episodes: int = 512
    """Episodes per task, the attempts included."""
    attempts: int = 1
    """Episodes per instance."""
    context: int = 1024
    """Tokens of an episode at most; give the value that the policy was trained with."""
    temperature: float = 1.0
    """At which a checkpoint's words are sampled."""
    seed: int = 0
    """Of the words that are sampled."""
    json: Json = False
    """Print a JSON list of {task, metric, value, low, high, episodes} and nothing else."""

    def run(self) -> None:
        """Carries out the command."""
        from jaxagent.study import measurement
        from jaxagent.study.console import ConsoleProgress

        with ConsoleProgress() as progress:
            found = measurement.measure(
                self.policy,
                ",".join(self.tasks),
                self.episodes,
                self.attempts,
                self.context,
                self.temperature,
                self.seed,
                progress,
            )
        if self.json:
            print(json.dumps([dataclasses.asdict(each) for each in found], indent=1))
        else:
            Console().print(measurement.as_table(found))


@dataclass(frozen=True)
class Train:
    """Train one policy: a base policy on demonstrations, then reinforcement on tasks."""

    plan: Annotated[StudyPlan, tyro.conf.arg(name="")]
    """What to train and measure."""
    output: str = ""
    """Folder of the results; default runs/NAME. Finished phases in it are not run again."""
    json: Json = False
    """Print the table of results as JSON."""

    def run(self) -> None:
        """Carries out the command."""
        _run_study(self.plan, self.output, "", self.json)


@dataclass(frozen=True)
class Study:
    """Run studies: phases of training, measurements of all of them, and a report.

    jaxagent study run PLAN [PLAN …] [options], where a PLAN is a name or the path of a file.
    """

    plan: Annotated[StudyPlan, tyro.conf.arg(name="")]
    """What to train and measure."""
    preset: str = "mini"
    """How large the studies in configs/study/ are: smoke, mini or full."""
    out: str = ""
    """Folder of the results; default runs/NAME. Finished phases in it are not run again. Of
    several studies, a folder of their folders; they share their phases."""
    store: str = ""
    """Folder of phases that several studies share; default phases/ in the folder of results."""
    dry_run: Json = False
    """Tell the phases and what they will take, and run nothing."""
    json: Json = False
    """Print the table of results as JSON."""

    def run(self) -> None:
        """Carries out the command."""
        if self.dry_run:
            _estimate_study(self.plan, self.out, self.store)
        else:
            _run_study(self.plan, self.out, self.store, self.json)


@dataclass(frozen=True)
class Compare:
    """Run a plan with several algorithms from the same base policies, and compare them."""

    plan: Annotated[StudyPlan, tyro.conf.arg(name="")]
    """What to train and measure, whatever the algorithm."""
    algorithms: tuple[str, ...] = ()
    """Names of algorithms; by default all."""
    output: str = ""
    """Folder of the studies; default runs/NAME. What is finished in it is not run again."""
    results: str = ""
    """Folder of algorithms.csv and algorithms.json, which calls with other algorithms add to; by
    default that of the studies."""
    json: Json = False
    """Print the rows of algorithms.csv as JSON."""

    def run(self) -> None:
        """Carries out the command."""
        from jaxagent.study import comparison
        from jaxagent.study.console import ConsoleProgress

        folder = Path(self.output or f"runs/{self.plan.name}")
        results = Path(self.results or folder)
        with _stoppable(), ConsoleProgress() as progress:
            rows = comparison.compare(self.plan, self.algorithms, folder, progress, results)
        if self.json:
            print(json.dumps([dataclasses.asdict(row) for row in rows], indent=1))
        else:
            Console().print(comparison.show(rows))


@dataclass(frozen=True)
class Report:
    """Build the report of a study again from its table of results."""

    folder: tyro.conf.Positional[str] = "runs/quickstart"
    """Folder of the study."""
    json: Json = False
    """Print the table of results as JSON."""

    def run(self) -> None:
        """Carries out the command."""
        _show_study(Path(self.folder), self.json)


@dataclass(frozen=True)
class Bench:
    """Measure speed, side by side with the original environments where they are installed."""

    what: tyro.conf.Positional[str] = "all"
    """What to measure: envs, train, population or all."""
    batches: tuple[int, ...] = (1, 16, 256, 1024, 4096)
    """Episodes side by side."""
    seconds: float = 2.0
    """Time that each measurement takes at least."""
    json: str = ""
    """File for the results: a JSON list of {benchmark, environment, batch, value, unit, baseline,
    ratio, device}."""

    def run(self) -> None:
        """Carries out the command."""
        from jaxagent.study import benchmark

        benchmark.run(self.what, self.batches, self.seconds, self.json, Console())


COMMANDS: dict[str, type[Any]] = {
    "envs": Envs,
    "play": Play,
    "train": Train,
    "evaluate": Evaluate,
    "study": Study,
    "compare": Compare,
    "report": Report,
    "bench": Bench,
}


_PLANNED = {"train": "train", "compare": "algorithms"}
"""Commands that refine a plan, and the one that each begins with."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs `jaxagent` with these arguments, by default the process's own."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    command, rest = (arguments[0], arguments[1:]) if arguments else ("--help", [])
    if command in ("-h", "--help"):
        print(_overview())
        return
    _prepare_jax()
    try:
        if command not in COMMANDS:
            raise ValueError(f"command {command!r}: expected one of {', '.join(COMMANDS)}")
        for each in _parse(command, rest):
            each.run()
    except (ValueError, OSError) as error:
        if not _is_ours(error):
            raise
        _fail(USAGE_ERROR, str(error))
    except KeyboardInterrupt:
        _fail(130, "interrupted")


def _parse(command: str, arguments: list[str]) -> list[Any]:
    """What is to be run, one after the other."""
    kind = COMMANDS[command]
    helps = any(each in ("-h", "--help") for each in arguments)
    if kind is Study:
        return _parse_studies(arguments, helps)
    default: Any = tyro.MISSING
    if command in _PLANNED:
        from jaxagent.study.config import load_plan

        names, arguments = names_and_options(arguments)
        if len(names) > 1:
            raise ValueError(f"plans {names}: expected one")
        default = kind(load_plan([*names, _PLANNED[command]][0]))
    return [parse(kind, command, arguments, default)]


def _parse_studies(arguments: list[str], helps: bool) -> list[Study]:
    """A study for each of the plans that are named behind `run`."""
    from jaxagent.study.config import load_plan

    preset = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    preset.add_argument("--preset", default=Study.preset)
    given = preset.parse_known_args(arguments)[0].preset
    names, options = names_and_options(arguments)
    if helps:
        names, options = ["run", "quickstart"], ["--help"]
    if names[:1] != ["run"] or len(names) < 2:
        raise ValueError(f"study {' '.join(names)!r}: expected study run PLAN [PLAN …] [options]")
    plans = [load_plan(name, given) for name in names[1:]]
    found: list[Study] = [parse(Study, "study run PLAN", options, Study(p)) for p in plans]
    if len(found) == 1:
        return found
    folder = Path(found[0].out or "runs")
    store = found[0].store or str(folder / "phases")
    return [dataclasses.replace(s, out=str(folder / s.plan.name), store=store) for s in found]


def _run_study(plan: StudyPlan, output: str, store: str, as_json: bool) -> None:
    from jaxagent.study.console import ConsoleProgress

    with _stoppable(), ConsoleProgress() as progress:
        runner = _runner(plan, output, store, progress)
        runner.run()
    _show_study(runner.folder, as_json)


def _estimate_study(plan: StudyPlan, output: str, store: str) -> None:
    from jaxagent.study import estimate
    from jaxagent.study.console import ConsoleProgress

    runner = _runner(plan, output, store, ConsoleProgress())
    console = Console()
    for part in estimate.show(estimate.estimates(runner), runner.programs_left()):
        console.print(part)


def _runner(plan: StudyPlan, output: str, store: str, progress: Any) -> Any:
    from jaxagent.study.runner import Runner

    folder = Path(output or f"runs/{plan.name}")
    return Runner(plan, folder, progress, Path(store) if store else None)


@contextlib.contextmanager
def _stoppable() -> Iterator[None]:
    """Leaves with `STOPPED` where the work inside was asked to stop."""
    from jaxagent.study.training import Stopped

    try:
        yield
    except Stopped as stop:
        _fail(STOPPED, f"{stop}; the same command goes on from there")


def _show_study(folder: Path, as_json: bool) -> None:
    from jaxagent.study import report, table

    path = report.build(folder)
    rows = table.read(folder / "results.csv")
    if as_json:
        print(json.dumps([dataclasses.asdict(row) for row in rows], indent=1))
        return
    console = Console()
    console.print(report.terminal_table(rows))
    console.print(f"report: {path}", highlight=False, soft_wrap=True)


def _overview() -> str:
    lines = ["usage: jaxagent COMMAND [options]", "", "commands:"]
    for name, kind in COMMANDS.items():
        lines.append(f"  {name:<10}{(kind.__doc__ or '').splitlines()[0]}")
    return "\n".join([*lines, "", "jaxagent COMMAND --help tells what a command's options mean."])


def _prepare_jax() -> None:
    """Keeps compiled programs between runs, and makes every CPU core a device.

    JAX is imported by now and has read its environment variables, which win. What Orbax warns of
    through absl, how long a checkpoint took to write, would stand between the progress bars.
    """
    import jax

    logging.getLogger("absl").setLevel(logging.ERROR)
    kept = jax.config.jax_compilation_cache_dir  # pyright: ignore[reportAttributeAccessIssue]
    if kept is None:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        jax.config.update("jax_compilation_cache_dir", str(cache / "jaxagent" / "compiled"))
    if "JAX_NUM_CPU_DEVICES" not in os.environ:
        with contextlib.suppress(RuntimeError):  # JAX is in use already, with the devices it has
            jax.config.update("jax_num_cpu_devices", min(os.cpu_count() or 1, 8))


def _is_ours(error: BaseException) -> bool:
    """Whether jaxagent raised the error itself, and not something that it called."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    here = str(Path(__file__).resolve().parent)
    return trace is not None and trace.tb_frame.f_code.co_filename.startswith(here)


def _fail(code: int, message: str) -> None:
    print(f"jaxagent: {message}", file=sys.stderr)
    raise SystemExit(code)
