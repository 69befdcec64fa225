"""jaxagent: what does reinforcement fine-tuning teach a language agent that carries over?

The names a researcher needs, from making a suite to measuring a policy on it:

    suite = jaxagent.make_suite("textcraft/easy, babyai/easy")
    policy = jaxagent.Policy(jaxagent.SIZES["tiny"], len(suite.language.vocabulary))
    actor = jaxagent.Actor(policy, suite)
"""

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
from jaxagent.rl.window import Window
from jaxagent.sweep.population import Population, stack

__version__ = "0.1.0"

__all__ = [
    "ALGORITHMS",
    "SIZES",
    "Actor",
    "Algorithm",
    "Curriculum",
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
    "Transition",
    "Weights",
    "Window",
    "adaptive",
    "check_environment",
    "evaluate",
    "gated",
    "make_suite",
    "mixture",
    "ramp",
    "sequence",
    "single",
    "stack",
    "tempered",
    "with_horizon",
    "with_replay",
]
