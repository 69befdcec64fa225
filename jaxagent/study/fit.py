"""Whether a plan fits the machine: a lower bound of its memory, known before anything is traced."""

from __future__ import annotations

import os
from pathlib import Path

import jax

from jaxagent.envs import Suite, make_suite
from jaxagent.models import SIZES, Policy
from jaxagent.rl.rollout import message_tokens
from jaxagent.rl.window import Window
from jaxagent.study.config import variants_of
from jaxagent.study.footprint import bytes_text
from jaxagent.study.plan import StudyPlan
from jaxagent.sweep.memory import activation_bytes, device_bytes, tree_bytes

_GROUP = Path("/sys/fs/cgroup/memory.max")
"""Where Linux says how much memory a container may have."""


def check_study_fits(plan: StudyPlan) -> None:
    """Raise `ValueError` if a variant is no plan, or does not fit the machine."""
    for variant in variants_of(plan).values():
        check_plan_fits(variant)


def check_plan_fits(plan: StudyPlan) -> None:
    """Raise `ValueError` with the estimate if no part of the machine's memory is ever enough.

    What is counted is there in any case: parameters, gradient and moments; the caches of all rows;
    what a rollout records; the activations of a minibatch. What compilers and programs take comes
    on top, so a plan that passes may still be too large.

    Args:
        plan: one variant of a study.
    """
    suite = make_suite(plan.tasks)
    policy = Policy(SIZES[plan.model], len(suite.language.vocabulary))
    base, train = plan.base, plan.train
    shown = make_suite(plan.demonstrated)
    played = plan.training_window()
    sizes = {
        "train": training_bytes(policy, suite, played, train.minibatch),
        "evaluation": window_bytes(policy, plan.evaluation_window()),
    }
    if base.updates:
        window = plan.window(base.rows, base.turns)
        sizes["base"] = training_bytes(policy, shown, window, base.minibatch)
    given = {
        "train": f"train.rows={train.rows}, turns={train.turns}, minibatch={train.minibatch}",
        "base": f"base.rows={base.rows}, turns={base.turns}, minibatch={base.minibatch}",
        "evaluation": f"evaluation.instances={plan.evaluation.instances}",
    }
    for part, needed in sizes.items():
        context = plan.evaluation_window().context if part == "evaluation" else plan.context
        check_fits(f"{given[part]}, context={context}, model={plan.model}", needed)


def check_fits(what: str, needed: int) -> None:
    """Raise `ValueError` if so many bytes are more than the machine has.

    Args:
        what: settings that set the size, for the message.
        needed: bytes.
    """
    there = machine_bytes()
    if needed > there:
        raise ValueError(
            f"{what}: would take at least {bytes_text(needed)} of memory, expected up to the "
            f"{bytes_text(there)} of this machine"
        )


def window_bytes(policy: Policy, window: Window) -> int:
    """Return the bytes of parameters and caches of a window that is played."""
    cache = tree_bytes(jax.eval_shape(lambda: policy.empty_cache(window.slots)))
    return _parameter_bytes(policy) + window.rows * cache


def training_bytes(policy: Policy, suite: Suite, window: Window, minibatch: int) -> int:
    """Return the bytes that training takes at least.

    Args:
        policy: that is trained.
        suite: that it plays.
        window: of a rollout over all devices.
        minibatch: packed rows of a gradient step.
    """
    parameters = _parameter_bytes(policy)
    said = window.speech(suite)
    turn = 4 * (message_tokens(suite) + 3 * said)  # words read and said, log-probabilities, values
    recorded = window.rows * window.turns * turn
    learnt = activation_bytes(policy.config, minibatch, window.context, window.words, 0)
    caches = window_bytes(policy, window) - parameters
    return 4 * parameters + recorded + max(learnt, caches)


def machine_bytes() -> int:
    """Return the memory of all devices, or of all machines whose processors are the devices."""
    each = device_bytes()
    if each is not None:
        return each * jax.device_count()
    there = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if _GROUP.is_file() and (limit := _GROUP.read_text().strip()).isdecimal():
        there = min(there, int(limit))
    return there * jax.process_count()


def _parameter_bytes(policy: Policy) -> int:
    return tree_bytes(jax.eval_shape(policy.init, jax.random.key(0)))
