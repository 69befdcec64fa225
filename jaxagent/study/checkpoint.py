"""Checkpoints: everything a run is, written by Orbax, all or nothing."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp

from jaxagent.envs import Suite
from jaxagent.models import ModelConfig, Params, Policy

KEPT = 2
"""Steps that a folder keeps, so that one is whole even while another is written."""


class Checkpoints:
    """The checkpoints of one run in a folder, numbered by the updates done.

    Each holds the parameters, the rest of the run's state, and what is needed to build the policy.
    """

    def __init__(self, folder: Path | str):
        self.folder = Path(folder).resolve()
        options = ocp.CheckpointManagerOptions(max_to_keep=KEPT, create=True)
        self._manager = ocp.CheckpointManager(self.folder, options=options)

    def latest(self) -> int | None:
        """Number of the newest complete checkpoint, or None."""
        return self._manager.latest_step()

    def save(self, step: int, state: Any, policy: Policy, suite: Suite) -> None:
        """Writes `state`, a dataclass with a field `params`; returns when it is on disk."""
        about = {
            "model": dataclasses.asdict(policy.config),
            "words": list(suite.language.vocabulary.words),
        }
        items = ocp.args.Composite(
            params=ocp.args.StandardSave(state.params),
            rest=ocp.args.StandardSave(state.replace(params={})),
            about=ocp.args.JsonSave(about),
        )
        self._manager.save(step, args=items)
        self._manager.wait_until_finished()

    def restore(self, like: Any) -> Any:
        """The newest state, with the structure, shapes, types and devices of `like`."""
        step = self.latest()
        if step is None:
            raise ValueError(f"checkpoint {self.folder}: there is none")
        items = ocp.args.Composite(
            params=ocp.args.StandardRestore(_abstract(like.params)),
            rest=ocp.args.StandardRestore(_abstract(like.replace(params={}))),
        )
        restored = self._manager.restore(step, args=items)
        return restored["rest"].replace(params=restored["params"])

    def close(self) -> None:
        """Releases the folder."""
        self._manager.close()


def load_policy(folder: Path | str, suite: Suite) -> tuple[Policy, Params]:
    """The policy and parameters of the newest checkpoint in `folder`.

    Raises:
        ValueError: there is no checkpoint, or its words are not the suite's.
    """
    folder = Path(folder).resolve()
    if not folder.is_dir():
        raise ValueError(f"checkpoint {folder}: no such folder")
    with ocp.CheckpointManager(folder) as manager:
        step = manager.latest_step()
        if step is None:
            raise ValueError(f"checkpoint {folder}: the folder holds no checkpoint")
        about = manager.restore(step, args=ocp.args.Composite(about=ocp.args.JsonRestore()))
        policy = _build(folder, about["about"], suite)
        shapes = jax.eval_shape(policy.init, jax.random.key(0))
        target = ocp.args.StandardRestore(_abstract(shapes))
        return policy, manager.restore(step, args=ocp.args.Composite(params=target))["params"]


def _build(folder: Path, about: dict[str, Any], suite: Suite) -> Policy:
    words = suite.language.vocabulary.words
    if tuple(about["words"]) != words:
        raise ValueError(
            f"checkpoint {folder}: its {len(about['words'])} words are not the suite's "
            f"{len(words)}; it was trained with other environments or another version"
        )
    model = {**about["model"], "dtype": "auto"}
    return Policy(ModelConfig(**model), len(words))


def _abstract(tree: Any) -> Any:
    """Shapes, types and places of the leaves; what is not yet placed goes to the first device."""
    first = jax.sharding.SingleDeviceSharding(jax.devices()[0])

    def describe(leaf: Any) -> jax.ShapeDtypeStruct:
        place = getattr(leaf, "sharding", None) or first
        return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=place)

    return jax.tree.map(describe, tree)
