"""The generator: a graph, a question about it, and documents, out of one block of noise."""

from __future__ import annotations

from functools import cache

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxagent.envs.chance import blocks, integers
from jaxagent.envs.searchqa import documents, graph, question
from jaxagent.envs.searchqa.ontology import ENTITIES
from jaxagent.envs.searchqa.state import SearchParams, State
from jaxagent.envs.searchqa.words import HITS

GRAPHS = ("episode", "global", "counterfactual")
"""Where the graph comes from: drawn for every episode; one for all episodes; the same one, of
which all that an episode asks for is changed in its documents."""


def generate(key: Array, params: SearchParams, source: str) -> State:
    """A new instance of the level `params`, with the graph of a `source` out of `GRAPHS`."""
    chance, asking, writing, drawing = blocks(
        key,
        (1,),
        (question.NUMBERS,),
        (ENTITIES, documents.COLUMNS),
        (ENTITIES, graph.COLUMNS),
    )
    world = integers(chance[0], params.worlds[0], params.worlds[1])
    noise = drawing if source == "episode" else jnp.asarray(_global_noise())[world]
    truth = graph.draw_graph(noise, world, params.share)
    way, told = question.draw_way(asking, truth, params, is_contrary=source == "counterfactual")
    pages = documents.write_documents(writing, told, way, params)
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
def _global_noise() -> Float[np.ndarray, "worlds entities columns"]:
    """What the one graph of all episodes is made of, world by world."""
    shape = (len(graph.WORLDS), ENTITIES, graph.COLUMNS)
    return np.random.default_rng(0).random(shape, np.float32)
