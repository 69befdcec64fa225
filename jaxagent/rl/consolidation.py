"""Consolidation: elastic weights that hold a policy near what it has learnt before.

Online elastic weight consolidation (Schwarz et al. 2018, arXiv 1805.06370, section 4, after
Kirkpatrick et al. 2017, arXiv 1612.00796, eq. 3).
"""

from __future__ import annotations

from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxagent.checks import check_kind
from jaxagent.models import Params


class Memory(flax.struct.PyTreeNode):
    """What a policy is held to; both are trees like its parameters, or empty.

    Attributes:
        params: as they were behind the last stage.
        importance: diagonal of the Fisher information, summed over the stages before.
    """

    params: Params
    importance: Params


def no_memory() -> Memory:
    """Nothing to be held to, for algorithms that do not consolidate."""
    return Memory({}, {})


def check_memory(memory: Any) -> None:
    """Refuse with a TypeError what is no memory of earlier stages."""
    check_kind("memory", memory, Memory, "a Memory, as jaxagent.rl.consolidation.remember makes it")


def drift(params: Params, memory: Memory) -> Float[Array, ""]:
    """`½ Σ F (θ − θ*)²`: how far the parameters have moved where it matters."""

    def part(now: Array, then: Array, importance: Array) -> Array:
        return jnp.sum(importance * jnp.square(now - then))

    parts = jax.tree.map(part, params, memory.params, memory.importance)
    return 0.5 * jnp.sum(jnp.stack(jax.tree.leaves(parts)))


def remember(
    memory: Memory, params: Params, importance: Params, decay: jax.typing.ArrayLike = 1.0
) -> Memory:
    """The memory behind another stage, which older importance fades into by `decay`.

    Args:
        memory: of the stages before; empty for the first.
        params: behind this stage.
        importance: of the parameters in it: see `jaxagent.rl.importance`.
        decay: of what mattered before.
    """
    if memory.importance:
        importance = jax.tree.map(lambda old, new: decay * old + new, memory.importance, importance)
    return Memory(params, importance)


def average(stages: list[Params]) -> Params:
    """The mean of the parameters behind several stages of one sequence (Wortsman et al. 2022, arXiv
    2203.05482, model soups).

    Raises:
        ValueError: there is none.
    """
    if not stages:
        raise ValueError("stages=[]: expected the parameters of at least one stage")
    return jax.tree.map(lambda *leaves: sum(leaves[1:], leaves[0]) / len(leaves), *stages)
