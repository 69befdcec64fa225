"""The commands of the shell: their options, and what they set going."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from jaxagent.study import ranges
from jaxagent.study.arguments import stoppable
from jaxagent.study.files import json_text
from jaxagent.study.places import check_file, check_folder
from jaxagent.study.plain_console import PlainConsole
from jaxagent.study.plan import StudyPlan

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
            print(json_text(listing.as_json(), indent=1))
        else:
            listing.show(PlainConsole())


@dataclass(frozen=True)
class Play:
    """Play an episode in the terminal, or watch a policy play one."""

    task: tyro.conf.Positional[str]
    """Task, e.g. textcraft/easy or babyai/medium+prose+list:every_turn."""
    policy: str = "human"
    """Who plays: human, expert, random, or a policy: the folder that train or a study wrote, with
    :PHASE behind it where it holds several, e.g. runs/mine or runs/mine:base."""
    instance: int = 0
    """Number of the held-out instance."""
    seed: int = 0
    """Of the policy's words."""
    context: int | None = None
    """Tokens of the episode at most; by default what the policy was trained with, else 1024."""

    def check(self) -> None:
        """Refuses what can be refused before any work."""
        _check_numbers(self)

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
    """Who plays: expert, random, or a policy: the folder that train or a study wrote, with :PHASE
    behind it where it holds several, e.g. runs/mine, runs/mine:base or runs/mine:base@seed1."""
    tasks: tuple[str, ...] = ("textcraft/easy", "babyai/easy")
    """Tasks to measure."""
    episodes: int = 512
    """Episodes per task, the attempts included."""
    attempts: int = 1
    """Episodes per instance."""
    context: int | None = None
    """Tokens of an episode at most; by default what the policy was trained with, else 1024."""
    temperature: float = 1.0
    """At which a checkpoint's words are sampled."""
    seed: int = 0
    """Of the words that are sampled."""
    all: Json = False
    """Show how often each failure mode happened, too."""
    json: Json = False
    """Print a JSON list of {task, metric, value, low, high, episodes} and nothing else."""

    def check(self) -> None:
        """Refuses what can be refused before any work."""
        _check_numbers(self)
        if self.episodes % self.attempts:
            near = max(1, round(self.episodes / self.attempts)) * self.attempts
            raise ValueError(
                f"episodes={self.episodes}: expected a multiple of attempts={self.attempts}, "
                f"such as {near}"
            )

    def run(self) -> None:
        """Carries out the command."""
        from jaxagent.study import measurement, scorecard
        from jaxagent.study.console import console_progress

        with console_progress() as progress:
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
            print(json_text([dataclasses.asdict(each) for each in found], indent=1))
        else:
            PlainConsole().print(scorecard.scorecard(found, self.all))


@dataclass(frozen=True)
class Train:
    """Train one policy: a base policy on demonstrations, then reinforcement on tasks."""

    plan: Annotated[StudyPlan, tyro.conf.arg(name="")]
    """What to train and measure."""
    output: str = ""
    """Folder of the results; default runs/NAME. Finished phases in it are not run again."""
    strict_machine: Json = False
    """Refuse to go on with what was made under other versions, devices or flags, which else is said
    in one line."""
    json: Json = False
    """Print the table of results as JSON."""

    def check(self) -> None:
        """Refuses what can be refused before any work."""
        _check_study(self.plan, "output", self.output)

    def run(self) -> None:
        """Carries out the command."""
        from jaxagent.study.next_steps import next_steps

        folder = _run_study(self.plan, self.output, "", self.json, self.strict_machine)
        if not self.json:
            print("\n".join(["", "What comes next:", *next_steps(folder)]))


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
    strict_machine: Json = False
    """Refuse to go on with what was made under other versions, devices or flags, which else is said
    in one line."""
    json: Json = False
    """Print the table of results as JSON."""

    def check(self) -> None:
        """Refuses what can be refused before any work."""
        _check_study(self.plan, "out", self.out)
        if self.store:
            check_folder("store", self.store)

    def run(self) -> None:
        """Carries out the command."""
        if self.dry_run:
            _estimate_study(self.plan, self.out, self.store)
        else:
            from jaxagent.study.programs import drop_programs

            _run_study(self.plan, self.out, self.store, self.json, self.strict_machine)
            drop_programs()


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
    strict_machine: Json = False
    """Refuse to go on with what was made under other versions, devices or flags, which else is said
    in one line."""
    json: Json = False
    """Print the rows of algorithms.csv as JSON."""

    def check(self) -> None:
        """Refuses what can be refused before any work."""
        from jaxagent.study.comparison import check_algorithms

        ranges.check_length("algorithms", self.algorithms)
        check_algorithms(self.plan, self.algorithms)
        _check_study(self.plan, "output", self.output)
        if self.results:
            check_folder("results", self.results)

    def run(self) -> None:
        """Carries out the command."""
        from jaxagent.study import comparison
        from jaxagent.study.console import console_progress

        folder = Path(self.output or f"runs/{self.plan.name}")
        results = Path(self.results or folder)
        with stoppable(), console_progress() as progress:
            rows = comparison.compare(
                self.plan, self.algorithms, folder, progress, results, self.strict_machine
            )
        if self.json:
            print(json_text([dataclasses.asdict(row) for row in rows], indent=1))
        else:
            PlainConsole().print(comparison.show(rows))


@dataclass(frozen=True)
class Report:
    """Build the report of a study again from its table, or compare two studies.

    jaxagent report FOLDER, or jaxagent report compare FOLDER FOLDER.
    """

    folder: tyro.conf.Positional[str] = "runs/quickstart"
    """Folder of the study."""
    picture: str = ""
    """File for its transfer matrix as SVG."""
    json: Json = False
    """Print the table of results as JSON."""

    def check(self) -> None:
        """Refuses what can be refused before any work."""
        if self.picture:
            check_file("picture", self.picture)

    def run(self) -> None:
        """Carries out the command."""
        from jaxagent.study import report

        if self.picture:
            report.draw(Path(self.folder), Path(self.picture))
        _show_study(Path(self.folder), self.json)


@dataclass(frozen=True)
class Difference:
    """Set two studies side by side: jaxagent report compare FOLDER FOLDER."""

    first: tyro.conf.Positional[str]
    """Folder of a study."""
    second: tyro.conf.Positional[str]
    """Folder of another; differences are this one's minus the first's."""
    csv: Json = False
    """Print the differences as CSV."""

    def run(self) -> None:
        """Carries out the command."""
        from jaxagent.study import difference

        grid = difference.difference_grid(Path(self.first), Path(self.second))
        if self.csv:
            print(grid.csv(), end="")
        else:
            PlainConsole().print(difference.show(grid))


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

    def check(self) -> None:
        """Refuses what can be refused before any work."""
        _check_numbers(self)
        if not self.batches:
            raise ValueError("batches: expected at least one")
        if self.json:
            check_file("json", self.json)

    def run(self) -> None:
        """Carries out the command."""
        from jaxagent.study import benchmark

        benchmark.run(self.what, self.batches, self.seconds, self.json, PlainConsole())


@dataclass(frozen=True)
class Sweep:
    """Sweep a training over many settings: plan, run, status, collect or submit."""


COMMANDS: dict[str, type[Any]] = {
    "envs": Envs,
    "play": Play,
    "train": Train,
    "evaluate": Evaluate,
    "study": Study,
    "compare": Compare,
    "report": Report,
    "bench": Bench,
    "sweep": Sweep,
}


def _check_numbers(command: Any) -> None:
    """Refuses options out of their ranges."""
    for name in ranges.COMMAND:
        ranges.check(name, getattr(command, name, None), ranges.COMMAND)


def _check_study(plan: StudyPlan, option: str, output: str) -> None:
    """Refuses a study that is no study, that does not fit the machine, or whose folder is none."""
    from jaxagent.study.fit import check_study_fits

    check_folder(option, output or f"runs/{plan.name}")
    check_study_fits(plan)


def _run_study(plan: StudyPlan, output: str, store: str, as_json: bool, strict: bool) -> Path:
    from jaxagent.study.console import console_progress

    with stoppable(), console_progress() as progress:
        runner = _runner(plan, output, store, progress, strict)
        runner.run()
    _show_study(runner.folder, as_json)
    return runner.folder


def _estimate_study(plan: StudyPlan, output: str, store: str) -> None:
    from jaxagent.study import estimate
    from jaxagent.study.console import console_progress

    runner = _runner(plan, output, store, console_progress())
    console = PlainConsole()
    left = runner.programs_left()
    for part in estimate.show(estimate.estimates(runner), left, len(plan.environments)):
        console.print(part)


def _runner(plan: StudyPlan, output: str, store: str, progress: Any, strict: bool = False) -> Any:
    from jaxagent.study.runner import Runner

    folder = Path(output or f"runs/{plan.name}")
    return Runner(plan, folder, progress, Path(store) if store else None, strict=strict)


def _show_study(folder: Path, as_json: bool) -> None:
    from jaxagent.study import report, table
    from jaxagent.study.terminal import terminal_table

    path = report.build(folder)
    if as_json:
        rows = table.read(folder / "results.csv")
        print(json_text([dataclasses.asdict(row) for row in rows], indent=1))
        return
    console = PlainConsole()
    parts = report.read(folder)
    console.print(terminal_table(parts))
    for part in parts:
        said = report.plain_summary(part.final)
        console.print(f"{part.variant}: {said}".removeprefix(": "), highlight=False)
    console.print(f"report: {path}", highlight=False, soft_wrap=True)
