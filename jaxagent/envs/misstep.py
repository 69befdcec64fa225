"""Missteps: what can be wrong with a command, judged from the state that it was given in.

They are what is counted of failure modes in an environment (`jaxagent.rl.failures`); they change
nothing in its course.
"""

from __future__ import annotations

from functools import reduce
from operator import or_

import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, Int8

from jaxagent.text import INVALID, Schema

UNREAD, UNVERIFIED, INCONSISTENT = 1, 2, 4
"""Bits: the words were no command; the command acts on what was not made sure of; it contradicts
the state, as far as that was told (using what is not held, going where one is)."""


def missteps(
    command: Int[Array, " row"],
    unverified: Bool[Array, ""] | bool,
    inconsistent: Bool[Array, ""] | bool,
) -> Int8[Array, ""]:
    """The sum of the bits that hold; of a command that could not be read, `UNREAD` alone."""
    known = UNVERIFIED * jnp.int8(unverified) + INCONSISTENT * jnp.int8(inconsistent)
    return jnp.where(command[0] == INVALID, jnp.int8(UNREAD), known.astype(jnp.int8))


def stated(schema: Schema, facts: Int[Array, "facts row"], *names: str) -> Bool[Array, ""]:
    """Whether any of these types of facts is among `facts`."""
    return jnp.any(reduce(or_, [facts[:, 0] == schema.fact_id(name) for name in names]))
