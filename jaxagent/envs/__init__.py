"""What is true, and what may be done? Environments, tasks, suites and pools of instances."""

from jaxagent.envs.environment import SPLITS, Environment, Level, Transition
from jaxagent.envs.pool import Pool, deal, draw_pool, evaluation_keys, fill_pool, training_keys
from jaxagent.envs.suite import Instance, Message, Step, Suite, make_suite
from jaxagent.envs.task import Task, parse_task

__all__ = [
    "SPLITS",
    "Environment",
    "Instance",
    "Level",
    "Message",
    "Pool",
    "Step",
    "Suite",
    "Task",
    "Transition",
    "deal",
    "draw_pool",
    "evaluation_keys",
    "fill_pool",
    "make_suite",
    "parse_task",
    "training_keys",
]
