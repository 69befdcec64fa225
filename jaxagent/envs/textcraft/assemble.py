"""The parts of an instance that follow from its recipes, the same for every source."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, Int16

from jaxagent.envs.order import inverse, ordering
from jaxagent.envs.textcraft.recipes import HOLDINGS, NEEDED
from jaxagent.envs.textcraft.rules import empty_handed
from jaxagent.envs.textcraft.state import State


def assemble(
    goal: Int16[Array, ""],
    book: Any,
    used: Bool[Array, "shown"],
    order: Int[Array, "shown"],
    members: Int16[Array, "groups"],
    bases: Int16[Array, "bases"],
) -> State:
    """The state at the start of an episode.

    Args:
        goal: the item to craft.
        book: the recipes, on a leading axis of `SHOWN`, the needed ones on its first `NEEDED`.
        used: which entries of the book are there.
        order: the permutation in which the book is to be shown.
        members: the member that the expert crafts for every group, or -1.
        bases: base items of the book, -1 where there is none.
    """
    place = inverse(order)[:NEEDED].astype(jnp.int8)
    ascending = ordering(jnp.where(bases < 0, jnp.iinfo(jnp.int16).max, bases))
    items, counts = empty_handed(HOLDINGS)
    return State(
        goal=goal.astype(jnp.int16),
        items=items,
        counts=counts,
        plan=jnp.where(used[:NEEDED], place, jnp.int8(-1)),
        members=members.astype(jnp.int16),
        bases=bases[ascending],
        book=jax.tree.map(lambda column: column[order], book),
    )
