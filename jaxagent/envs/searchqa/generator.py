"""The generator: a graph, a question about it, and documents, out of one block of noise."""

from __future__ import annotations

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxagent.envs.chance import integers, named_blocks
from jaxagent.envs.searchqa import documents, graph, question
from jaxagent.envs.searchqa.state import SearchParams, State
from jaxagent.envs.searchqa.words import HITS

GRAPHS = ("episode", "global", "counterfactual")
"""Where the graph comes from: drawn for every episode; one for all episodes; the same one, of
which all that an episode asks for is changed in its documents."""

_NOISE: dict[str, tuple[int, ...]] = {
    "world": (),
    "question": (question.NUMBERS,),
    **documents.NOISE,
    **graph.NOISE,
}
"""What is drawn -> shape of the noise that it is drawn from."""


def generate(key: Array, params: SearchParams, source: str) -> State:
    """A new instance of the level `params`, with the graph of a `source` out of `GRAPHS`."""
    noise = named_blocks(key, _NOISE)
    world = integers(noise["world"], params.worlds[0], params.worlds[1])
    drawn = noise
    if source != "episode":
        drawn = jax.tree.map(lambda worlds: jnp.asarray(worlds)[world], _global_noise())
    truth = graph.draw_graph(drawn, world, params.share)
    is_contrary = source == "counterfactual"
    way, told = question.draw_way(noise["question"], truth, params, is_contrary)
    pages = documents.write_documents(noise, told, way, params)
    return State(
        documents=pages,
        question=question.put_question(way, told),
        path=way.subjects.astype(jnp.int8),
        content=question.content_of(way, told),
        hits=jnp.full(HITS, -1, jnp.int8),
        seen=jnp.zeros(len(pages.outdated), bool),
        wrong=jnp.int8(0),
    )


@cache
def _global_noise() -> dict[str, Float[np.ndarray, "worlds ..."]]:
    """What the one graph of all episodes is made of, world by world."""
    random, worlds = np.random.default_rng(0), len(graph.WORLDS)
    return {name: random.random((worlds, *n), np.float32) for name, n in graph.NOISE.items()}
