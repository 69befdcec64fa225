"""Failure modes of episodes, counted from states and words, judged by nobody.

After the taxonomy of Xi et al. 2026 (arXiv 2603.12011): confirmation bias, fabrication, state
inconsistency. What an environment counts among them is in the docstring of its `misstep`.
"""

from __future__ import annotations

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int, UInt32

from jaxagent.envs.fingerprint import fingerprint_of
from jaxagent.envs.misstep import INCONSISTENT, UNREAD, UNVERIFIED
from jaxagent.envs.suite import Message, Suite
from jaxagent.rl.trajectory import Turn

MODES = (
    "unverified",
    "fabrication",
    "inconsistent",
    "loop",
    "gave_up",
    "unread",
    "out_of_turns",
)
"""`unverified`: acting on what was not made sure of, as the environment defines it, or repeating in
the same state an action that was refused there. `fabrication`: naming a thing that no message of
the episode has shown. `inconsistent`: acting against the state as it was told. `loop`: the same
action in the same state as before. `gave_up`: an episode that was cut, whose last `STILL` actions
were all taken in one and the same state. `unread`: words that are no command. `out_of_turns`: an
episode that was cut by its limits."""

STILL = 3
"""Actions in one state that count as having given up."""


class Watch(flax.struct.PyTreeNode):
    """What is kept of episodes under way; a leading axis [rows].

    Attributes:
        told: bool[rows, words], words that messages have shown.
        states: uint32[rows, turns], hash of the state before each action.
        deeds: uint32[rows, turns], hash of the action.
        refused: bool[rows, turns], it could not be read or had no effect.
        counts: int32[rows, MODES], turns (or ends) of each mode so far.
    """

    told: Bool[Array, "rows words"]
    states: UInt32[Array, "rows turns"]
    deeds: UInt32[Array, "rows turns"]
    refused: Bool[Array, "rows turns"]
    counts: Int[Array, "rows modes"]


def start_watch(suite: Suite, openings: Message) -> Watch:
    """Episodes of which only the first messages have been read."""
    rows, turns = len(openings.length), int(suite.turn_limits.max())
    nothing = jnp.zeros((rows, turns), jnp.uint32)
    told = jnp.zeros((rows, len(suite.language.vocabulary)), bool)
    counts = jnp.zeros((rows, len(MODES)), jnp.int32)
    watch = Watch(told, nothing, nothing, nothing > 0, counts)
    return _hear(watch, openings.tokens, openings.length, first=0)


def watch_turn(suite: Suite, watch: Watch, turn: Turn, number: Int[Array, ""]) -> Watch:
    """Counts one turn of every row; `turn.anchor` has to be recorded.

    Args:
        suite: the tasks.
        watch: of the turns before.
        turn: what every row did; rows that rest count nothing.
        number: of the turn in all episodes, from 0 on.
    """
    # The message begins with the policy's own last word, which shows nothing.
    watch = _hear(watch, turn.message.tokens, turn.message.length, first=1)
    acted = turn.action_length > 0
    deed = jax.vmap(_hash)(turn.action, turn.action_length)
    before = jnp.arange(watch.states.shape[1]) < number
    same = before & (watch.states == turn.anchor[:, None]) & (watch.deeds == deed[:, None])
    stubborn = jnp.any(same & watch.refused, axis=1)
    recent = jnp.arange(watch.states.shape[1]) > number - STILL
    still = jnp.all((watch.states == turn.anchor[:, None]) | ~(before & recent), axis=1)
    found = {
        "unverified": stubborn | (turn.misstep & UNVERIFIED > 0),
        "fabrication": _fabricates(suite, watch, turn),
        "inconsistent": turn.misstep & INCONSISTENT > 0,
        "loop": jnp.any(same, axis=1),
        "gave_up": turn.truncated & still & (number >= STILL - 1),
        "unread": turn.misstep & UNREAD > 0,
        "out_of_turns": turn.truncated,
    }
    counts = jnp.stack([found[mode] for mode in MODES], axis=1) & acted[:, None]
    return watch.replace(
        states=watch.states.at[:, number].set(turn.anchor),
        deeds=watch.deeds.at[:, number].set(deed),
        refused=watch.refused.at[:, number].set(turn.invalid),
        counts=watch.counts + counts,
    )


def _hear(
    watch: Watch, tokens: Int[Array, "rows size"], length: Int[Array, " rows"], first: int
) -> Watch:
    places = jnp.arange(tokens.shape[1])
    heard = (places >= first) & (places < length[:, None])
    words = jnp.where(heard, tokens, watch.told.shape[1])

    def mark(told: Bool[Array, " words"], row: Int[Array, " size"]) -> Bool[Array, " words"]:
        return told.at[row].set(True, mode="drop")

    return watch.replace(told=jax.vmap(mark)(watch.told, words))


def _fabricates(suite: Suite, watch: Watch, turn: Turn) -> Bool[Array, " rows"]:
    """Whether an action names a thing that was never shown."""
    voice = jax.vmap(suite.voice)(turn.task)
    things = jnp.asarray(thing_words(suite))[voice.environment, voice.lexicon]
    unheard = things & ~watch.told
    named = jnp.take_along_axis(unheard, turn.action, axis=1)
    return jnp.any(named & turn.spoken, axis=1)


def thing_words(suite: Suite) -> np.ndarray:
    """bool[environments, lexicons, words]: words for things that are not known unless shown."""
    language = suite.language
    words = np.zeros((*language.lexicons.shape[:2], len(language.vocabulary)), bool)
    for of_schema, schema, lexicons in zip(words, language.schemas, language.lexicons, strict=True):
        fixed = [list(schema.spans).index(name) for name in (*schema.fixed, *schema.known)]
        free = ~np.isin(schema.concept_category, fixed)
        for table, lexicon in zip(of_schema, lexicons, strict=True):
            table[lexicon[: len(free)][free]] = True
    return words


def _hash(tokens: Int[Array, " size"], length: Int[Array, ""]) -> UInt32[Array, ""]:
    return fingerprint_of(jnp.where(jnp.arange(len(tokens)) < length, tokens, -1))
