"""What is true in an episode: a graph of its own, the one graph of all, or one against that."""

from __future__ import annotations

from functools import cache
from typing import Protocol

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Int32

from jaxagent.envs.chance import integers
from jaxagent.envs.searchqa.names import ENTITIES, POOL_SIZES, POOLS, Naming, draw_naming
from jaxagent.envs.searchqa.relations import RELATIONS, SLOTS, TARGET, TYPES, YEAR
from jaxagent.envs.searchqa.words import HEADS

_TARGETS = TARGET.reshape(-1, SLOTS)


class World(Protocol):
    """Where names and facts come from."""

    def naming(self, noise: Float[Array, "2 types"], number: Int[Array, ""]) -> Naming:
        """How entities are called, where the level asks for `number` first words of a type."""
        ...

    def objects(
        self, noise: Float[Array, "n slots"], entities: Int[Array, "n"], split: Int[Array, ""]
    ) -> Int32[Array, "n slots"]:
        """Where every relation of every entity leads; -1 or anything for years."""
        ...

    def settle(
        self, known: Int[Array, ""], drawn: Int[Array, ""], spare: Int[Array, ""]
    ) -> tuple[Int[Array, ""], Int[Array, ""]]:
        """What the documents say, and what they say of former times, about one step of a question.

        Args:
            known: where the step leads by `objects`.
            drawn, spare: two other entities of the same type.
        """
        ...


class Episode:
    """Names and facts are drawn for every episode: nothing can be memorised."""

    def naming(self, noise: Float[Array, "2 types"], number: Int[Array, ""]) -> Naming:
        """Drawn."""
        return draw_naming(noise, number)

    def objects(
        self, noise: Float[Array, "n slots"], entities: Int[Array, "n"], split: Int[Array, ""]
    ) -> Int32[Array, "n slots"]:
        """Drawn from the entities of the right type."""
        kinds = jnp.asarray(_TARGETS)[jnp.minimum(entities // (HEADS // YEAR), YEAR - 1)]
        places = integers(noise, 0, jnp.asarray(POOL_SIZES)[split][kinds])
        return jnp.asarray(POOLS)[split, kinds, places].astype(jnp.int32)

    def settle(
        self, known: Int[Array, ""], drawn: Int[Array, ""], spare: Int[Array, ""]
    ) -> tuple[Int[Array, ""], Int[Array, ""]]:
        """The one that was drawn, and the spare one once."""
        return drawn, spare


class Global:
    """One naming and one graph for all episodes: what is learnt once stays true."""

    def naming(self, noise: Float[Array, "2 types"], number: Int[Array, ""]) -> Naming:
        """The same for all episodes and levels."""
        return global_naming()

    def objects(
        self, noise: Float[Array, "n slots"], entities: Int[Array, "n"], split: Int[Array, ""]
    ) -> Int32[Array, "n slots"]:
        """Those of the graph."""
        return jnp.asarray(global_graph())[entities].astype(jnp.int32)

    def settle(
        self, known: Int[Array, ""], drawn: Int[Array, ""], spare: Int[Array, ""]
    ) -> tuple[Int[Array, ""], Int[Array, ""]]:
        """What is known, and something else once."""
        return known, jnp.where(spare == known, drawn, spare)


class Counterfactual(Global):
    """The graph of all episodes, but the documents deny it in what is asked."""

    def settle(
        self, known: Int[Array, ""], drawn: Int[Array, ""], spare: Int[Array, ""]
    ) -> tuple[Int[Array, ""], Int[Array, ""]]:
        """Something else, and what was known once."""
        return jnp.where(drawn == known, spare, drawn), known


@cache
def global_graph() -> np.ndarray:
    """int16[entities, slots]: where every relation leads in the global graph, -1 for years.

    It stays within a split, and no two entities of a type have the same year.
    """
    generator = np.random.default_rng(6)
    graph = np.full((ENTITIES, SLOTS), -1, np.int16)
    for pools, sizes in zip(POOLS, POOL_SIZES, strict=True):
        for number, relation in enumerate(RELATIONS):
            subject, target = TYPES.index(relation.subject), TYPES.index(relation.target)
            subjects = pools[subject, : sizes[subject]]
            targets = generator.permutation(pools[target, : sizes[target]])
            shift = generator.integers(1, len(subjects)) if subject == target else 0
            del shift
            graph[subjects, number % SLOTS] = targets[: len(subjects)]
    return graph


@cache
def global_naming() -> Naming:
    """The naming of the global graph."""
    generator = np.random.default_rng(7)
    start = generator.integers(0, 24, len(TYPES)).astype(np.int32)
    step = generator.choice([7, 11, 13, 17, 19], len(TYPES)).astype(np.int32)
    return Naming(start, step, 20)
