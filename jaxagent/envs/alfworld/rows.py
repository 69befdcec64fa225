"""Command rows about the things and receptacles of a room."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Int, Int32

from jaxagent.envs.alfworld.state import State
from jaxagent.envs.alfworld.words import FIRST_OBJECT, FIRST_RECEPTACLE, SCHEMA


def place_names(state: State) -> Int32[Array, "places 2"]:
    """Concept and number of every receptacle."""
    concepts = state.place_type.astype(jnp.int32) + FIRST_RECEPTACLE
    return jnp.stack([concepts, state.place_number.astype(jnp.int32)], axis=-1)


def thing_names(state: State) -> Int32[Array, "things 2"]:
    """Concept and number of every thing."""
    concepts = state.thing_type.astype(jnp.int32) + FIRST_OBJECT
    return jnp.stack([concepts, state.thing_number.astype(jnp.int32)], axis=-1)


def rows(kinds: Int[Array, "*n"] | int, *names: Int[Array, "*n 2"]) -> Int32[Array, "*n row"]:
    """Rows of these types of facts or verbs with these names, padded to the schema's width."""
    shape = names[0].shape[:-1]
    row = jnp.concatenate([jnp.broadcast_to(kinds, shape)[..., None], *names], axis=-1)
    return SCHEMA.widen(row)
