"""What a rollout needs of those who play it, and what they say."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import jax

from jaxagent.envs.pool import Pool
from jaxagent.envs.suite import Instance, Suite
from jaxagent.models import Cache, Params


class Spoken(NamedTuple):
    """An action as it was said by every row of a batch; a leading axis [rows].

    Attributes:
        tokens: int32[rows, action], word ids, padded.
        length: int32[rows], how many count, the end included.
        log_prob: float32[rows, action], of every word under the policy that said it.
        value: float32[rows, action], the return expected before every word.
        expert: bool[rows], the action is what an expert would say (demonstrations only).
    """

    tokens: jax.Array
    length: jax.Array
    log_prob: jax.Array
    value: jax.Array
    expert: jax.Array


class Player(Protocol):
    """Who plays the rows of a rollout: a policy, or an expert that needs no words."""

    @property
    def suite(self) -> Suite:
        """The tasks that it plays."""
        ...

    def empty_cache(self, slots: int) -> Cache:
        """Memory of one row that has read nothing."""
        ...

    def prefill(self, params: Params, pool: Pool) -> Cache:
        """Memory of every pool entry behind its first message."""
        ...

    def read(
        self, params: Params, cache: Cache, tokens: jax.Array, length: jax.Array
    ) -> tuple[jax.Array, Cache]:
        """Reads messages; returns what is known behind the last word of each, and the memory."""
        ...

    def speak(
        self,
        params: Params,
        cache: Cache,
        hidden: jax.Array,
        instance: Instance,
        active: jax.Array,
        keys: jax.Array,
        size: int,
        temperature: jax.typing.ArrayLike,
        think: int = 0,
    ) -> tuple[Spoken, Cache]:
        """Says an action in every active row, behind `think` words of scratch; `keys` [rows] are
        for what is random in each."""
        ...

    def value(self, params: Params, hidden: jax.Array) -> jax.Array:
        """float32[rows], the return expected behind what was read."""
        ...
