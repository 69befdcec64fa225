"""The commands of a sweep: plan, run, status, collect, submit."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro
from rich.table import Table

from jaxagent.study.arguments import stoppable
from jaxagent.study.escapes import quoted, visible
from jaxagent.study.files import json_text
from jaxagent.study.places import check_file, check_folder
from jaxagent.study.plain_console import PlainConsole
from jaxagent.sweep.batch import ENGINES
from jaxagent.sweep.resources import Resources

if TYPE_CHECKING:
    from jaxagent.study.sweep_plan import SweepPlan
    from jaxagent.sweep.batch import Job

Json = Annotated[bool, tyro.conf.FlagCreatePairsOff]


@dataclass(frozen=True)
class Plan:
    """Show the groups, shards, turns and memory of a sweep, and run nothing."""

    file: tyro.conf.Positional[str]
    """The sweep, a .json file."""

    def run(self) -> None:
        """Carries out the command."""
        from jaxagent.study import sweep_estimate
        from jaxagent.study.sweep_plan import load_sweep

        for part in sweep_estimate.show(load_sweep(self.file)):
            PlainConsole().print(part)


@dataclass(frozen=True)
class Run:
    """Work on a sweep until there is nothing left for this worker."""

    file: tyro.conf.Positional[str]
    """The sweep, a .json file; `-` reads it from standard input."""
    out: str = ""
    """Folder of the results, which all workers share; default runs/NAME."""
    index: str = "auto"
    """Which shards: `claim` takes whatever is left; `i/n`, from 0 on, every n-th; `auto` asks the
    engine's variables, and without one claims."""
    strict_machine: Json = False
    """Refuse to go on with what was made under other versions, devices or flags, which else is said
    in one line."""

    def check(self) -> None:
        """Refuses what can be refused before any work."""
        if self.out:
            check_folder("out", self.out)

    def run(self) -> None:
        """Carries out the command."""
        from jaxagent.study import sweep
        from jaxagent.study.console import console_progress
        from jaxagent.study.sweep_plan import load_sweep

        plan = load_sweep(self.file)
        with stoppable(), console_progress() as progress:
            out = Path(self.out or f"runs/{plan.name}")
            sweep.run(plan, out, self.index, progress, self.strict_machine)


@dataclass(frozen=True)
class Status:
    """Tell how far a sweep is."""

    folder: tyro.conf.Positional[str]
    """Folder of its results."""
    json: Json = False
    """Print {members, finished, running, failed, missing, complete} and nothing else."""

    def run(self) -> None:
        """Carries out the command."""
        from jaxagent.study import sweep
        from jaxagent.study.sweep_plan import kept_sweep

        folder = Path(self.folder)
        found = sweep.status(kept_sweep(folder), folder)
        if self.json:
            print(json_text(found.as_json))
            return
        table = Table("members", "")
        for name, value in found.as_json.items():
            table.add_row(name, str(value))
        PlainConsole().print(table)


@dataclass(frozen=True)
class Collect:
    """Gather a sweep's results: members.csv, best.csv and sweep.html."""

    folder: tyro.conf.Positional[str]
    """Folder of its results."""

    def run(self) -> None:
        """Carries out the command."""
        from jaxagent.study import difference, sweep_report

        found = sweep_report.collect(Path(self.folder))
        PlainConsole().print(difference.show(found.best))
        for note in found.notes:
            print(f"note: {visible(note)}")
        print(f"page: {found.page}")


@dataclass(frozen=True)
class Submit:
    """Write the job file of a sweep for an engine, and hand it over."""

    file: tyro.conf.Positional[str]
    """The sweep, a .json file; it travels in the job file."""
    engine: str = "slurm"
    """slurm, k8s, jobset, gcp-batch, aws-batch, skypilot or tpu-vm."""
    out: str = ""
    """Folder of the results as the workers see it; default runs/NAME with SLURM, /results/NAME
    with others."""
    job: str = ""
    """Where the job file is written; default NAME.ENGINE beside the sweep."""
    program: str = "jaxagent"
    """The program on a worker."""
    needs: Annotated[Resources, tyro.conf.arg(name="")] = Resources()
    """What the engine gives a worker."""
    dry_run: Json = False
    """Print the job file, and neither write nor submit it."""

    def check(self) -> None:
        """Refuses what can be refused before any work; other engines' workers have other disks."""
        if self.job:
            check_file("job", self.job)
        if self.out and self.engine == "slurm":
            check_folder("out", self.out)

    def run(self) -> None:
        """Carries out the command."""
        from jaxagent.study.config import plan_folder
        from jaxagent.study.files import write_text
        from jaxagent.study.sweep import claim_sweep
        from jaxagent.study.sweep_plan import load_sweep
        from jaxagent.sweep.batch import render, submissions

        if self.engine not in ENGINES:
            raise ValueError(f"engine={quoted(self.engine)}: expected one of {', '.join(ENGINES)}")
        sweep = load_sweep(self.file)
        job = self._job(sweep)
        suffix = ENGINES[self.engine].rpartition(".")[2]
        beside = Path(sweep.name) if self.file == "-" else Path(self.file)
        file = self.job or str(beside.with_suffix(f".{self.engine}.{suffix}"))
        template = (plan_folder() / "engines" / ENGINES[self.engine]).read_text(encoding="utf-8")
        text = render(self.engine, template, job, file)
        if self.dry_run:
            print(text, end="")
            return
        check_file("job", file)
        write_text(file, text)
        commands = submissions(self.engine, job, file)
        for command in commands:
            print(f"{file}: {shlex.join(command)}")
        program = commands[0][0]
        if shutil.which(program) is None:
            raise ValueError(f"{program}: not found; submit {file} where it is")
        if self.engine == "slurm":  # it ends a job at once whose log has no folder
            claim_sweep(sweep, Path(job.out))
            (Path(job.out) / "logs").mkdir(exist_ok=True)
        for command in commands:
            if code := subprocess.run(command).returncode:
                raise ValueError(f"{program} failed with exit code {code}")

    def _job(self, sweep: SweepPlan) -> Job:
        """What the engine is told."""
        from jaxagent.study.sweep_plan import as_values
        from jaxagent.study.sweep_rounds import count_shards, rounds_of
        from jaxagent.sweep.batch import Job, job_name

        folder = "runs" if self.engine == "slurm" else "/results"
        return Job(
            name=job_name(sweep.name),
            shards=count_shards(sweep),
            program=self.program,
            sweep=json.dumps(as_values(sweep), separators=(",", ":")),
            out=self.out or f"{folder}/{sweep.name}",
            needs=self.needs,
            rounds=len(rounds_of(sweep)) > 1,
        )


SWEEP: dict[str, type[Any]] = {
    "plan": Plan,
    "run": Run,
    "status": Status,
    "collect": Collect,
    "submit": Submit,
}
"""Command behind `jaxagent sweep`."""
