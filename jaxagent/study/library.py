"""Studies, policies and tasks from Python: the parts of this floor that have public names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxagent.checks import brief, check_kind, check_option, check_whole
from jaxagent.envs import Suite, make_suite
from jaxagent.models import Params
from jaxagent.rl.actor import Actor
from jaxagent.rl.evaluation import Script
from jaxagent.rl.window import Window
from jaxagent.study import report
from jaxagent.study.config import from_values, load_plan, preset_names
from jaxagent.study.console import console_progress
from jaxagent.study.fit import check_study_fits
from jaxagent.study.places import check_folder
from jaxagent.study.plan import StudyPlan
from jaxagent.study.play import DEFAULT_CONTEXT
from jaxagent.study.policies import open_policy
from jaxagent.study.runner import Progress, Runner
from jaxagent.study.saved_policy import save_policy
from jaxagent.study.transcript import transcript as _transcript


def environments() -> tuple[str, ...]:
    """Return the names of all registered environments."""
    from jaxagent.envs.registry import ENVIRONMENTS

    return tuple(each.name for each in ENVIRONMENTS)


def list_tasks(environment: str | None = None) -> tuple[str, ...]:
    """Return the names of all tasks without modifiers, `environment/level`.

    Args:
        environment: whose tasks; by default those of all.

    Raises:
        ValueError: there is no such environment.
    """
    from jaxagent.envs.registry import ENVIRONMENTS

    if environment is not None:
        check_option("environment", environment, environments())
    chosen = [each for each in ENVIRONMENTS if environment in (None, each.name)]
    return tuple(f"{each.name}/{level}" for each in chosen for level in each.levels)


def save(folder: str | Path, actor: Actor, params: Params, window: Window | None = None) -> None:
    """Write a policy to a folder, from which `load` and `jaxagent evaluate --policy` read it.

    Args:
        folder: new, empty, or with a policy that was saved before and gives way.
        actor: the policy, and the suite whose words it speaks.
        params: float32, its parameters.
        window: that it was trained in; its limits (context, action_tokens, think) are kept.

    Raises:
        ValueError: the parameters are not the policy's, or the folder holds something else.
        Unwritable: the disk is full, or gone.
    """
    _check_path("folder", folder)
    check_kind("actor", actor, Actor, "an Actor")
    if window is not None:
        check_kind("window", window, Window, "a Window")
    save_policy(folder, actor.policy, params, actor.suite, window)


def load(
    policy: str | Path, suite: Suite | str | Sequence[str] | None = None
) -> tuple[Actor, Params, Window]:
    """Read a policy that `save`, `jaxagent train` or a study wrote.

    Words are matched by their spelling, so that environments may have been added since; a warning
    names the words of the suite's tasks that the policy has never met.

    Args:
        policy: `FOLDER`, or `FOLDER:PHASE` or `FOLDER:PHASE@seedN` of a study.
        suite: in which it is to play, or names of tasks; by default what it was trained on.

    Returns:
        The policy in the suite, its parameters, and a window with the limits it was trained with.

    Raises:
        ValueError: there is no such policy; the phases that there are are named.
    """
    _check_path("policy", policy)
    wanted = suite
    if wanted is not None and not isinstance(wanted, Suite):
        check_kind("suite", wanted, (str, list, tuple), "a Suite, or names of tasks")
        wanted = make_suite(wanted)
    found = open_policy(str(policy), wanted)
    window = found.window or Window(turns=1, context=DEFAULT_CONTEXT)
    return Actor(found.policy, found.suite), found.params, window


def transcript(suite: Suite, scripts: Script, episode: int = 0) -> str:
    """Return one of the episodes that `evaluate` recorded as text.

    Args:
        suite: that was played.
        scripts: the second result of `evaluate`, a leading axis [recorded].
        episode: number of the episode, below `recorded`.

    Raises:
        ValueError: so many episodes were not recorded.
    """
    check_kind("suite", suite, Suite, "a Suite")
    check_kind("scripts", scripts, Script, "the second result of evaluate")
    check_whole("episode", episode, 0)
    if np.ndim(scripts.opening.length) == 0:
        return _transcript(suite, scripts)
    recorded = len(scripts.opening.length)
    if episode >= recorded:
        raise ValueError(f"episode={episode}: expected 0 to {recorded - 1}, as evaluate recorded")
    return _transcript(suite, jax.tree.map(lambda x: np.asarray(x[episode]), scripts))


def run_study(
    plan: str | Mapping[str, Any] | StudyPlan,
    folder: str | Path | None = None,
    preset: str = "mini",
    progress: Progress | None = None,
) -> Path:
    """Run a study, or what is left of it, as `jaxagent study run` does.

    Args:
        plan: name of a plan that comes with jaxagent, path of a JSON file, its content, or a plan.
        folder: of the results; by default `runs/NAME`.
        preset: size of a design, as `--preset`.
        progress: told of all long work; by default bars or lines on standard error.

    Returns:
        Path of the report.

    Raises:
        ValueError: the plan is not as expected, or the folder holds something else.
        Stopped: a signal came; the same call goes on from there.
    """
    check_kind("plan", plan, (str, Mapping, StudyPlan), "a StudyPlan, a name or path, or a dict")
    check_option("preset", preset, preset_names())
    if isinstance(plan, str):
        plan = load_plan(plan, preset)
    elif not isinstance(plan, StudyPlan):
        plan = from_values(StudyPlan, dict(plan))
    if folder is not None:
        _check_path("folder", folder)
    place = check_folder("folder", Path(f"runs/{plan.name}") if folder is None else folder)
    check_study_fits(plan)
    if progress is not None:
        for name in ("start", "note", "compiling"):
            if not callable(getattr(progress, name, None)):
                told = f"expected something with a method {name}, e.g. console_progress()"
                raise TypeError(f"progress={brief(progress)}: {told}")
        return Runner(plan, place, progress).run()
    with console_progress() as told:
        return Runner(plan, place, told).run()


def build_report(folder: str | Path) -> Path:
    """Build the report and the tables of a study again from its results; return the report's path.

    Raises:
        ValueError: the folder holds no results.
    """
    _check_path("folder", folder)
    if not (check_folder("folder", folder) / "results.csv").is_file():
        raise ValueError(f"folder={brief(str(folder))}: expected a folder with a results.csv")
    return report.build(Path(folder))


def _check_path(name: str, value: Any) -> None:
    """Raise TypeError or ValueError unless the value is text, or the path of something."""
    check_kind(name, value, (str, Path), "the path of a folder")
    if not str(value):
        raise ValueError(f"{name}='': expected the path of a folder")
