"""SearchQA: answer a question by searching documents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int8, Int32, UInt32

from jaxagent.envs.environment import Level, Transition
from jaxagent.envs.fingerprint import fingerprint_of
from jaxagent.envs.misstep import missteps
from jaxagent.envs.searchqa.expert import advise
from jaxagent.envs.searchqa.generator import GRAPHS, generate
from jaxagent.envs.searchqa.levels import make_levels
from jaxagent.envs.searchqa.listing import MAX_COMMANDS, list_commands
from jaxagent.envs.searchqa.messages import answer, opening
from jaxagent.envs.searchqa.rules import obey
from jaxagent.envs.searchqa.sentences import PHRASES
from jaxagent.envs.searchqa.state import SearchParams, State
from jaxagent.envs.searchqa.words import ANSWER, SCHEMA
from jaxagent.text import Phrases, Schema


@dataclass(frozen=True, eq=False)
class SearchQA:
    """SearchQA over graphs of one source (`jaxagent.envs.environment.Environment`).

    Attributes:
        name: the environment's name.
        graph: where the graph comes from, one of `GRAPHS`.
        levels: the difficulties.
    """

    name: str
    graph: str
    levels: Mapping[str, Level]
    max_commands: int = MAX_COMMANDS

    def __post_init__(self) -> None:
        if self.graph not in GRAPHS:
            raise ValueError(f"graph={self.graph!r}: expected one of {', '.join(GRAPHS)}")

    @property
    def schema(self) -> Schema:
        """Concepts, facts and verbs."""
        return SCHEMA

    @property
    def phrases(self) -> Mapping[str, Phrases]:
        """Sentences by interface."""
        return PHRASES

    def reset(self, key: jax.Array, params: SearchParams) -> tuple[State, Int32[Array, "1 row"]]:
        """A new instance; its first message is the question."""
        state = generate(key, params, self.graph)
        return state, opening(state.question)

    def step(self, state: State, command: Int32[Array, "row"], params: SearchParams) -> Transition:
        """Carries out `command`; reward 1 and the end when the answer is right."""
        state, outcome = obey(state, command, params)
        return Transition(
            state=state,
            facts=answer(state, outcome),
            reward=outcome.right.astype(jnp.float32),
            terminated=outcome.right | outcome.failed,
            success=outcome.right,
        )

    def valid_commands(
        self, state: State, params: SearchParams
    ) -> tuple[Int32[Array, "commands row"], Bool[Array, "commands"]]:
        """Searches and answers that the question and the last hits suggest."""
        del params
        return list_commands(state)

    def expert(self, state: State, params: SearchParams) -> Int32[Array, "row"]:
        """A search for the first statement on the way that was not found yet, or the answer."""
        del params
        return advise(state)

    def misstep(
        self, state: State, command: Int32[Array, "row"], move: Transition, params: SearchParams
    ) -> Int8[Array, ""]:
        """Unverified: answering before every document on the way to the answer was found."""
        del move, params
        missing = jnp.any((state.path >= 0) & ~state.seen[state.path])
        return missteps(command, (command[0] >= ANSWER) & missing, False)

    def content(self, state: State) -> Int32[Array, "5"]:
        """The form of the question and the names of what it leads over."""
        return state.content.astype(jnp.int32)

    def fingerprint(self, state: State) -> UInt32[Array, ""]:
        """Hash of documents, question and what has been done."""
        return fingerprint_of(state)


def searchqa(wrong_answers: int = 2) -> SearchQA:
    """SearchQA with a graph for every episode: nothing can be known beforehand.

    Args:
        wrong_answers: wrong answers with which an episode ends: 0 is the original's rule, to
            go on until an answer is right; 1 allows none.
    """
    return _make("searchqa", "episode", wrong_answers)


def searchqa_global(wrong_answers: int = 2) -> SearchQA:
    """SearchQA with one graph for all episodes, which training can make one's own."""
    return _make("searchqa_global", "global", wrong_answers)


def searchqa_counterfactual(wrong_answers: int = 2) -> SearchQA:
    """The questions of `searchqa_global`, but documents that contradict what is true there."""
    return _make("searchqa_counterfactual", "counterfactual", wrong_answers)


def _make(name: str, graph: str, wrong_answers: int) -> SearchQA:
    return SearchQA(name, graph, make_levels(graph != "episode", wrong_answers))
