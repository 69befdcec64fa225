"""Probe environments: tiny worlds with known answers, to test the learner and the machinery."""

from __future__ import annotations

from dataclasses import dataclass

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np

from jaxagent.envs.environment import Level, Transition
from jaxagent.text import INTERFACES, Phrases, Schema, fact, only_if, verb

COLOURS = ("red", "green", "blue", "grey")

SCHEMA = Schema(
    {"colour": COLOURS},
    (
        fact("SHOWN", colour="colour", first=1, step=0),
        fact("WAIT", step=1),
        fact("ASKED", step=1),
        fact("STRANGE", step=1, error=True),
    ),
    (verb("say", colour="colour"), verb("wait")),
)

_TERSE = Phrases(
    {"SHOWN": "see {colour}", "WAIT": "later", "ASKED": "now", "STRANGE": "what"},
    {"say": "{colour}", "wait": "wait"},
)
_PROSE = Phrases(
    {
        "SHOWN": "you see {colour} .",
        "WAIT": "wait a while .",
        "ASKED": "now !",
        "STRANGE": "what ?",
    },
    {"say": "say {colour} aloud", "wait": "wait a turn"},
)
_CALL = Phrases(
    {
        "SHOWN": "shown = {colour} ;",
        "WAIT": "time = 0 ;",
        "ASKED": "time = 1 ;",
        "STRANGE": "error ;",
    },
    {"say": "say ( {colour} )", "wait": "wait ( )"},
)
_PARAPHRASE = Phrases(
    {
        "SHOWN": "{colour} is what there is .",
        "WAIT": "not yet .",
        "ASKED": "go on !",
        "STRANGE": "pardon ?",
    },
    {"say": "{colour} it is", "wait": "let a turn pass"},
)
_TAGS = Phrases(
    {
        "SHOWN": "<shown> {colour} </shown>",
        "WAIT": "<later/>",
        "ASKED": "<now/>",
        "STRANGE": "<error/>",
    },
    {"say": "<say> {colour} </say>", "wait": "<wait/>"},
)


class ProbeState(flax.struct.PyTreeNode):
    """Colour that is wanted, turns played, and whether the first word was right."""

    colour: jax.Array
    turn: jax.Array
    right: jax.Array


@dataclass(frozen=True, eq=False)
class Probe:
    """Say the colour that was shown. Variants differ in what is shown, when, and when it pays.

    Attributes:
        name: of the environment.
        shown: whether the colour is shown; if not, it is always red.
        asked: turn in which it must be said; before that, waiting is what counts as valid.
        paid: turn behind which the reward comes and the episode ends.
    """

    name: str
    shown: bool = True
    asked: int = 0
    paid: int = 0
    schema: Schema = SCHEMA
    max_commands: int = 5

    @property
    def phrases(self) -> dict[str, Phrases]:
        return dict(zip(INTERFACES, (_TERSE, _PROSE, _CALL, _PARAPHRASE, _TAGS), strict=True))

    @property
    def levels(self) -> dict[str, Level]:
        return {"easy": Level({"colours": np.int32(len(COLOURS))}, self.paid + 1)}

    def reset(self, key, params):
        colour = jax.random.randint(key, (), 0, params["colours"]) * self.shown
        state = ProbeState(colour, jnp.int32(0), jnp.bool_(False))
        shown = SCHEMA.fact("SHOWN", SCHEMA.first_of("colour") + colour)
        return state, only_if(self.shown, shown)[None]

    def step(self, state, command, params):
        del params
        wanted = SCHEMA.first_of("colour") + state.colour
        said = (command[0] == SCHEMA.verb_id("say")) & (command[1] == wanted)
        right = jnp.where(state.turn == self.asked, said, state.right)
        done = state.turn >= self.paid
        facts = jnp.stack(
            [
                only_if(command[0] == 0, SCHEMA.fact("STRANGE")),
                only_if(state.turn + 1 < self.asked, SCHEMA.fact("WAIT")),
                only_if(state.turn + 1 == self.asked, SCHEMA.fact("ASKED")),
            ]
        )
        after = ProbeState(state.colour, state.turn + 1, right)
        return Transition(after, facts, jnp.float32(done & right), done, done & right)

    def valid_commands(self, state, params):
        del state, params
        first = SCHEMA.first_of("colour")
        rows = [SCHEMA.command("say", first + i) for i in range(4)] + [SCHEMA.command("wait")]
        return jnp.stack(rows), jnp.ones(5, bool)

    def expert(self, state, params):
        del params
        say = SCHEMA.command("say", SCHEMA.first_of("colour") + state.colour)
        return jnp.where(state.turn == self.asked, say, SCHEMA.command("wait"))

    def content(self, state):
        return state.colour[None]

    def fingerprint(self, state):
        return (state.colour * 16 + state.turn).astype(jnp.uint32)


ONE_ACTION = Probe("one-action", shown=False)
READ = Probe("read")
DELAYED = Probe("delayed", paid=2)
REMEMBER = Probe("remember", asked=2, paid=2)
PROBES = (ONE_ACTION, READ, DELAYED, REMEMBER)
