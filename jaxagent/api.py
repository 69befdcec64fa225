"""The public names of jaxagent, which `import jaxagent` gives; a new one is added here."""

from jaxagent.envs import Environment, Level, Suite, Task, Transition, make_suite
from jaxagent.envs.check import check_environment
from jaxagent.models import SIZES, ModelConfig, Policy
from jaxagent.rl.actor import Actor
from jaxagent.rl.algorithm import ALGORITHMS, Algorithm, Hyper
from jaxagent.rl.curriculum import (
    Curriculum,
    adaptive,
    gated,
    mixture,
    ramp,
    sequence,
    single,
    tempered,
    with_horizon,
    with_replay,
)
from jaxagent.rl.evaluation import Outcome, evaluate
from jaxagent.rl.imitation import Expert, Imitator
from jaxagent.rl.learner import Learner
from jaxagent.rl.loss import Weights
from jaxagent.rl.registration import register_advantage, register_algorithm
from jaxagent.rl.updates import Diverged
from jaxagent.rl.window import Window
from jaxagent.study.compilation_cache import enable_compilation_cache
from jaxagent.study.library import (
    build_report,
    environments,
    list_tasks,
    load,
    run_study,
    save,
    transcript,
)
from jaxagent.study.text_env import TextEnv
from jaxagent.sweep.population import Population, stack

__all__ = [
    "ALGORITHMS",
    "SIZES",
    "Actor",
    "Algorithm",
    "Curriculum",
    "Diverged",
    "Environment",
    "Expert",
    "Hyper",
    "Imitator",
    "Learner",
    "Level",
    "ModelConfig",
    "Outcome",
    "Policy",
    "Population",
    "Suite",
    "Task",
    "TextEnv",
    "Transition",
    "Weights",
    "Window",
    "adaptive",
    "build_report",
    "check_environment",
    "enable_compilation_cache",
    "environments",
    "evaluate",
    "gated",
    "list_tasks",
    "load",
    "make_suite",
    "mixture",
    "ramp",
    "register_advantage",
    "register_algorithm",
    "run_study",
    "save",
    "sequence",
    "single",
    "stack",
    "tempered",
    "transcript",
    "with_horizon",
    "with_replay",
]
