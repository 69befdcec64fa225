"""Policies on disk: the parameters of a checkpoint, fitted to a suite by the spelling of words."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
from jaxtyping import Array, Int

from jaxagent.envs import Suite, make_suite
from jaxagent.models import ModelConfig, Params, Policy
from jaxagent.rl.arguments import check_params
from jaxagent.rl.window import Window
from jaxagent.study.checkpoint import Checkpoints, abstract
from jaxagent.study.places import check_folder

SHOWN = 8
"""Words that a message names at most."""


class SavedPolicy(NamedTuple):
    """A policy as it was read.

    Attributes:
        policy: whose vocabulary is the suite's.
        params: float32, its parameters.
        suite: that it was asked for, or else the one that it was trained on.
        window: with the limits that it was trained with, or None where none were kept.
    """

    policy: Policy
    params: Params
    suite: Suite
    window: Window | None


class _Parameters(flax.struct.PyTreeNode):
    """What `save_policy` writes: parameters, and one number, since nothing else is no tree."""

    params: Params
    update: Int[Array, ""]


def load_policy(folder: Path | str, suite: Suite) -> tuple[Policy, Params]:
    """Read the policy and parameters of the newest checkpoint in `folder`: see `read_policy`."""
    found = read_policy(folder, suite)
    return found.policy, found.params


def read_policy(folder: Path | str, suite: Suite | None = None) -> SavedPolicy:
    """Read the newest policy of a folder that `Checkpoints` or `save_policy` wrote.

    Words are told by their spelling: a policy keeps what it knows of each, wherever the suite's
    vocabulary has it. Words that it has never met are as in a new policy, and a warning names those
    that the suite's tasks use. What the vocabulary no longer holds is left out.

    Args:
        folder: with a folder per step.
        suite: in which it is to play; by default the tasks that it was trained on.

    Raises:
        ValueError: there is no policy that can be read.
    """
    folder = Path(folder).resolve()
    if not folder.is_dir():
        raise ValueError(f"checkpoint {folder}: no such folder")
    options = ocp.CheckpointManagerOptions(create=False)
    with ocp.CheckpointManager(folder, options=options) as manager:
        broken: list[str] = []
        for step in sorted(manager.all_steps(), reverse=True):
            try:
                about, policy, params = _read(manager, step)
            except Exception as error:  # Orbax has no one error for what is truncated or broken.
                cause = (str(error).strip().splitlines() or [type(error).__name__])[0]
                broken.append(f"{step}: {cause}")
                continue
            if about.get("members"):
                raise ValueError(
                    f"checkpoint {folder}: holds a population of {about['members']} members, "
                    "expected one policy"
                )
            return _fitted(folder, about, policy, params, suite)
    if broken:
        raise ValueError(f"checkpoint {folder}: none that can be read ({'; '.join(broken)})")
    raise ValueError(f"checkpoint {folder}: the folder holds no checkpoint")


def save_policy(
    folder: Path | str,
    policy: Policy,
    params: Params,
    suite: Suite,
    window: Window | None = None,
) -> None:
    """Write a policy so that `read_policy` finds it; one that was saved there before gives way.

    Args:
        folder: to write to: new, empty, or one that this function wrote.
        policy: what the parameters are of.
        params: float32, its parameters.
        suite: whose words it speaks, and on whose tasks it was trained.
        window: with the limits that it was trained with.

    Raises:
        ValueError: the parameters are not the policy's, or the folder holds something else.
        Unwritable: the disk is full, or gone.
    """
    folder = Path(folder)
    check_params("params", policy, params)
    check_folder("folder", folder)
    if folder.is_dir() and not all(each.name.isdecimal() for each in folder.iterdir()):
        raise ValueError(f"folder={str(folder)!r}: is not empty, expected a new or a saved one")
    checkpoints = Checkpoints(folder)
    try:
        step = (checkpoints.latest() or 0) + 1
        checkpoints.save(step, _Parameters(params, jnp.int32(step)), policy, suite, window)
    finally:
        checkpoints.close()


def _read(manager: ocp.CheckpointManager, step: int) -> tuple[dict[str, Any], Policy, Params]:
    """What one checkpoint says of its policy, the policy, and its parameters."""
    about = manager.restore(step, args=ocp.args.Composite(about=ocp.args.JsonRestore()))["about"]
    policy = Policy(ModelConfig(**{**about["model"], "dtype": "auto"}), len(about["words"]))
    if about.get("members"):
        return about, policy, {}
    shapes = jax.eval_shape(policy.init, jax.random.key(0))
    target = ocp.args.StandardRestore(abstract(shapes))
    params = manager.restore(step, args=ocp.args.Composite(params=target))["params"]
    return about, policy, params


def _fitted(
    folder: Path, about: dict[str, Any], policy: Policy, params: Params, suite: Suite | None
) -> SavedPolicy:
    """The policy in the words of `suite`."""
    if suite is None:
        if not about.get("tasks"):
            raise ValueError(f"checkpoint {folder}: says no tasks, expected a suite to play in")
        suite = make_suite(about["tasks"])
    limits = about.get("limits")
    window = Window(rows=256, turns=1, **limits) if limits else None
    known, words = about["words"], suite.language.vocabulary.words
    if tuple(known) == words:
        return SavedPolicy(policy, params, suite, window)
    _warn_of_new_words(folder, known, suite)
    fitted = Policy(policy.config, len(words))
    return SavedPolicy(fitted, _by_spelling(params, known, fitted, words), suite, window)


def _by_spelling(
    params: Params, known: Sequence[str], policy: Policy, words: Sequence[str]
) -> Params:
    """The parameters with the row of every word in its new place, and new rows for new words."""
    places = {word: place for place, word in enumerate(known)}
    old = np.array([places.get(word, -1) for word in words])
    fresh = policy.init(jax.random.key(0))["embedding"]
    kept = params["embedding"][jnp.maximum(old, 0)]
    return {**params, "embedding": jnp.where((old >= 0)[:, None], kept, fresh)}


def _warn_of_new_words(folder: Path, known: Sequence[str], suite: Suite) -> None:
    """One line that names the words of the suite's tasks that the policy has never met."""
    new = sorted(suite.words - set(known))
    if new:
        named = ", ".join(new[:SHOWN]) + (", …" if len(new) > SHOWN else "")
        warnings.warn(
            f"checkpoint {folder}: has never met {len(new)} of the words that "
            f"{', '.join(suite.names)} may use: {named}",
            stacklevel=4,
        )
