"""Words: vocabulary, schemas, lexicons, interfaces; say, write and read against plain strings."""

from __future__ import annotations

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from probes import READ

from jaxagent.envs.registry import ENVIRONMENTS
from jaxagent.text import (
    END,
    ERRORS,
    HELD_OUT,
    INTERFACES,
    INVALID,
    LEXICONS,
    NONE,
    NUMBERS,
    PAD,
    Language,
    Phrases,
    Schema,
    Vocabulary,
    Voice,
    compile_language,
    fact,
    only_if,
    verb,
)
from jaxagent.text.vocabulary import UNKNOWN, heldout_words

FIXED = {
    "terse": "nothing happens",
    "prose": "nothing happens .",
    "call": "result = nothing ;",
    "paraphrase": "that changes nothing at all .",
    "tags": "<nothing/>",
}
HEADS = {
    "terse": "can :",
    "prose": "available actions :",
    "call": "commands = [",
    "paraphrase": "you may now :",
    "tags": "<commands/>",
}
REMARKS = {
    "terse": "{aside_thing} {aside_state}",
    "prose": "the {aside_thing} is {aside_state} .",
    "call": "{aside_thing} = {aside_state} ;",
    "paraphrase": "how {aside_state} the {aside_thing} is !",
    "tags": "<aside> {aside_thing} {aside_state} </aside>",
}


@dataclass(frozen=True, eq=False)
class Speaker:
    """The words of an environment without a world."""

    name: str
    schema: Schema
    phrases: dict[str, Phrases]


KITCHEN_SCHEMA = Schema(
    {
        "food": ("bread", "soup", "cake", "rice", "egg"),
        "tool": ("knife", "spoon", "pan"),
        "side": ("left", "right"),
    },
    (
        fact("SEES", count="number", what="food|tool", side="side", first=3, step=1),
        fact("HELD", food="food", first=1),
        fact("BOTH", a="food", b="food"),
        fact("LOST", error=True),
        fact("NO_TOOL", tool="tool", error=True),
    ),
    (
        verb("take", count="number", what="food|tool"),
        verb("cut", food="food", tool="tool"),
        verb("turn", side="side"),
        verb("give", what="food|tool", count="number"),
        verb("wait"),
    ),
    literal=("side",),
)


def kitchen_phrases() -> dict[str, Phrases]:
    terse = Phrases(
        {"SEES": "{count} {what} {side}", "HELD": "{food}", "BOTH": "{b} {a} {b}", "LOST": "",
         "NO_TOOL": "no {tool}"},
        {"take": "take {count} {what}", "cut": "cut {tool} {food}", "turn": "to {side}",
         "give": "give {what} {count}", "wait": "wait"},
    )  # fmt: skip
    prose = Phrases(
        {"SEES": "you see {count} of {what} on the {side} .", "HELD": "you hold {food} .",
         "BOTH": "{a} and {b} .", "LOST": "what ?", "NO_TOOL": "you have no {tool} to do so ."},
        {"take": "take {count} of {what}", "cut": "cut {food} with {tool} , please",
         "turn": "turn {side}", "give": "give {what} {count} times", "wait": "wait a while"},
    )  # fmt: skip
    call = Phrases(
        {"SEES": "{side} = {what} * {count} ;", "HELD": "held = {food} ;",
         "BOTH": "{a} + {b} ;", "LOST": "error ;", "NO_TOOL": "error = {tool} ;"},
        {"take": "take ( {what} , {count} )", "cut": "cut ( {food} , {tool} )",
         "turn": "turn ( {side} )", "give": "give ( {what} , {count} )", "wait": "wait ( )"},
    )  # fmt: skip
    paraphrase = Phrases(
        {"SEES": "on the {side} {what} , {count} of it ;", "HELD": "{food} is in your hand ;",
         "BOTH": "with {b} comes {a} ;", "LOST": "pardon ?", "NO_TOOL": "{tool} is lacking ;"},
        {"take": "{what} , {count} of it , is yours", "cut": "apply {tool} to {food}",
         "turn": "look {side}", "give": "let {count} of {what} go", "wait": "rest"},
    )  # fmt: skip
    tags = Phrases(
        {"SEES": "<see> {count} {what} {side} </see>", "HELD": "<held> {food} </held>",
         "BOTH": "<both> {a} {b} </both>", "LOST": "<lost/>", "NO_TOOL": "<no> {tool} </no>"},
        {"take": "<take> {count} {what} </take>", "cut": "<cut> {food} {tool} </cut>",
         "turn": "<turn> {side} </turn>", "give": "<give> {what} {count} </give>", "wait": "<w/>"},
    )  # fmt: skip
    all_five = (terse, prose, call, paraphrase, tags)
    return dict(zip(INTERFACES, all_five, strict=True))


KITCHEN = Speaker("kitchen", KITCHEN_SCHEMA, kitchen_phrases())
# Two environments with different numbers of facts, verbs, arguments and concepts.
LANGUAGE = compile_language([READ, KITCHEN])
SPEAKERS = (READ, KITCHEN)
SAY = jax.jit(LANGUAGE.say, static_argnums=2)
READ_BACK = jax.jit(LANGUAGE.read)


@pytest.fixture(scope="module")
def registered() -> Language:
    return compile_language(ENVIRONMENTS)


def voice(environment: int, lexicon: int, interface: int, errors: int = 0) -> Voice:
    return Voice(*(jnp.int32(k) for k in (environment, lexicon, interface, errors)))


def voices(rng: np.random.Generator, environments: int, count: int) -> Voice:
    sizes = (environments, len(LEXICONS), len(INTERFACES), len(ERRORS))
    return Voice(*(jnp.asarray(rng.integers(size, size=count), jnp.int32) for size in sizes))


def choices(schema: Schema, categories: str) -> list[int]:
    return [c for name in categories.split("|") for c in range(*schema.spans[name])]


def random_row(rng: np.random.Generator, schema: Schema, items: tuple, width: int) -> np.ndarray:
    """A fact or a command of a random type with random arguments that its type allows."""
    kind = int(rng.integers(len(items)))
    args = [rng.choice(choices(schema, categories)) for _, categories in items[kind].args]
    return np.array([kind, *args] + [NONE] * (width - 1 - len(args)), np.int32)


# The reference: strings, dictionaries and str.replace, no tables.


def render(item, args: list[str], template: str) -> list[str]:
    for (name, _), word in zip(item.args, args, strict=True):
        template = template.replace("{" + name + "}", word)
    return template.split()


def names_of(language: Language, schema: Schema, environment: int, lexicon: int) -> list[str]:
    if lexicon == 0:
        return list(schema.concepts)
    return [language.vocabulary.words[w] for w in language.lexicons[environment, lexicon]]


def render_fact(speaker: Speaker, row: np.ndarray, names: list[str], interface: str, errors: str):
    item = speaker.schema.facts[row[0]]
    templates = {**speaker.phrases[interface].facts, "NOTHING": "", "NO_EFFECT": FIXED[interface]}
    templates |= {"COMMANDS": HEADS[interface], "ASIDE": REMARKS[interface]}
    if item.error and errors != "reason":
        return FIXED[interface].split() if errors == "fixed" else []
    args = [names[a] for a in row[1 : 1 + len(item.args)]]
    return render(item, args, templates[item.name])


def render_command(speaker: Speaker, row: np.ndarray, names: list[str], interface: str):
    item = speaker.schema.verbs[row[0]]
    args = [names[a] for a in row[1 : 1 + len(item.args)]]
    return render(item, args, {"INVALID": "", **speaker.phrases[interface].verbs}[item.name])


# The vocabulary.


def test_a_vocabulary_holds_every_word_once_in_order():
    vocabulary = Vocabulary.of(["stone", "7", "stone", "axe"])
    assert vocabulary.words[:4] == ("<pad>", ">", "<end>", "<unknown>")
    assert vocabulary.words[4 : 4 + NUMBERS] == tuple(str(n) for n in range(NUMBERS))
    assert vocabulary.words[4 + NUMBERS :] == ("stone", "axe")
    assert [vocabulary.id(word) for word in vocabulary.words] == list(range(len(vocabulary)))


def test_encode_and_decode():
    vocabulary = Vocabulary.of(["get", "log"])
    tokens = vocabulary.encode("get 3  LOG whatever")
    assert tokens == [vocabulary.id("get"), vocabulary.id("3"), vocabulary.id("log"), UNKNOWN]
    assert vocabulary.decode([*tokens[:3], END, PAD]) == "get 3 log"


def test_a_vocabulary_refuses_strangers_and_doubles():
    with pytest.raises(ValueError, match="'axe' is not one of"):
        Vocabulary.of(["log"]).id("axe")
    with pytest.raises(ValueError, match="twice"):
        Vocabulary(("a", "b", "a"))


def test_heldout_words_are_fixed_fresh_and_distinct():
    words = heldout_words(500)
    assert len(set(words)) == 500
    assert words == heldout_words(500)
    assert heldout_words(499, words[:1]) == words[1:]
    assert all(word.isalpha() and word.islower() for word in words)
    with pytest.raises(ValueError, match="count=100000: only"):
        heldout_words(100_000)


# Schemas.


@pytest.mark.parametrize(
    ("categories", "facts", "verbs", "message"),
    [
        ({"a": ("x", "y"), "b": ("y",)}, (), (), r"words \['y'\] are taken twice"),
        ({"a": ("x", "3")}, (), (), r"words \['3'\] are taken twice"),
        ({"a": ("x", "<end>")}, (), (), r"words \['<end>'\] are taken twice"),
        ({"number": ("x",)}, (), (), r"\['number'\] are in every schema already"),
        ({"aside_thing": ("x",)}, (), (), r"\['aside_thing'\] are in every schema already"),
        ({"a": ("x",)}, (fact("F", what="b"),), (), r"F.what: unknown category \['b'\]"),
        ({"a": ("x",)}, (), (verb("v", what="a|c"),), r"v.what: unknown category \['c'\]"),
        ({"a": ("x",)}, (fact("F"), fact("F")), (), r"facts: the names \['F'\]"),
        ({"a": ("x",)}, (fact("NOTHING"),), (), r"facts: the names \['NOTHING'\]"),
        ({"a": ("x",)}, (), (verb("INVALID"),), r"verbs: the names \['INVALID'\]"),
    ],
)
def test_a_schema_names_what_is_wrong(categories, facts, verbs, message):
    with pytest.raises(ValueError, match=message):
        Schema(categories, facts, verbs)


def test_rows_hold_the_type_and_the_concepts():
    schema = KITCHEN_SCHEMA
    spoon, left = schema.concept("tool", "spoon"), schema.concept("side", "left")
    assert schema.concepts[spoon] == "spoon"
    sees = schema.fact("SEES", 250, spoon, left)
    assert sees.tolist() == [schema.fact_id("SEES"), NUMBERS - 1, spoon, left]
    assert schema.command("turn", left).tolist() == [schema.verb_id("turn"), left, NONE, NONE]
    assert only_if(True, sees).tolist() == sees.tolist()
    assert only_if(jnp.array([False, True]), jnp.stack([sees, sees])).tolist() == [
        [0, NONE, NONE, NONE],
        sees.tolist(),
    ]


def test_rows_refuse_strangers_and_missing_arguments():
    with pytest.raises(ValueError, match="fact 'SAW' is not one of NOTHING, "):
        KITCHEN_SCHEMA.fact("SAW")
    with pytest.raises(ValueError, match="verb 'eat' is not one of INVALID, take"):
        KITCHEN_SCHEMA.command("eat")
    with pytest.raises(ValueError, match=r"1 arguments given where \['count', 'what'\]"):
        KITCHEN_SCHEMA.command("take", 1)


# Lexicons.


def lexicons_of(language: Language, environment: int, schema: Schema) -> np.ndarray:
    return language.lexicons[environment, :, : len(schema.concepts)]


def check_lexicons(language: Language, environment: int) -> None:
    """What every environment's lexicons have to fulfil."""
    schema = language.schemas[environment]
    identity, renamed, swapped = lexicons_of(language, environment, schema)
    assert language.vocabulary.decode(identity).split() == list(schema.concepts)
    everywhere = np.unique(language.lexicons[:, 0])
    templates = language.sentences[language.sentences >= 0]
    for name, span in schema.spans.items():
        place = slice(*span)
        if name in ("number", "aside_thing", "aside_state", *schema.literal):
            assert (renamed[place] == identity[place]).all()
            assert (swapped[place] == identity[place]).all()
            continue
        assert not np.isin(renamed[place], everywhere).any()
        assert not np.isin(renamed[place], templates).any()
        assert sorted(swapped[place]) == sorted(identity[place])
        if span[1] - span[0] > 1:
            assert (swapped[place] != identity[place]).all()
    assert len(np.unique(renamed)) == len(renamed)


@pytest.mark.parametrize("environment", range(len(SPEAKERS)))
def test_lexicons_rename_and_swap_inside_a_category(environment):
    check_lexicons(LANGUAGE, environment)


@pytest.mark.parametrize("environment", range(len(ENVIRONMENTS)))
def test_lexicons_of_registered_environments(registered, environment):
    check_lexicons(registered, environment)


def test_sayable_words_are_those_of_the_commands():
    words = LANGUAGE.vocabulary.words
    for e, x, i in np.ndindex(LANGUAGE.sayable.shape[:3]):
        expected, speaker = {"<end>"}, SPEAKERS[e]
        heard = ({*INTERFACES} - {*HELD_OUT}) | {INTERFACES[i]}
        names = names_of(LANGUAGE, speaker.schema, e, x)
        for item in speaker.schema.own_verbs:
            options = [choices(speaker.schema, categories) for _, categories in item.args]
            expected |= {names[concept] for option in options for concept in option}
            for interface in heard:
                template = speaker.phrases[interface].verbs[item.name].split()
                expected |= {word for word in template if "{" not in word}
        assert {words[w] for w in np.flatnonzero(LANGUAGE.sayable[e, x, i])} == expected


# Interfaces.


def spoken_as(**changes) -> Speaker:
    """The kitchen with the terse templates of some facts and verbs changed, None for dropped."""
    facts, verbs = dict(KITCHEN.phrases["terse"].facts), dict(KITCHEN.phrases["terse"].verbs)
    for name, template in changes.items():
        templates = facts if name.isupper() else verbs
        templates[name] = template
        if template is None:
            del templates[name]
    return Speaker("kitchen", KITCHEN_SCHEMA, {**KITCHEN.phrases, "terse": Phrases(facts, verbs)})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"HELD": None}, "terse facts: no template for HELD"),
        ({"cut": None}, "terse verbs: no template for cut"),
        ({"HELD": "hold {thing}"}, r"terse facts, HELD: slot {thing} is not an argument"),
        ({"HELD": "hold {food}."}, r"terse facts, HELD: slot {food}. is not an argument"),
        ({"cut": "cut {food}"}, "terse verb cut: an argument is left out"),
        ({"turn": "{side} {side}"}, "terse verb turn: an argument stands twice"),
        ({"wait": ""}, "verb wait has an empty template"),
        ({"give": "take {count} {what}"}, "give and take could be read from one sentence"),
        ({"cut": "{food} {tool} now", "give": "{what} {count} now"}, None),
        ({"turn": "{side}"}, None),
        ({"turn": "{side}", "wait": "left"}, "wait and turn could be read from one sentence"),
        ({"give": "{what} {count} now", "take": "{what} {count} now"}, "could be read from one"),
    ],
)
def test_an_interface_names_what_is_wrong(changes, message):
    if message is None:
        compile_language([spoken_as(**changes)])
        return
    with pytest.raises(ValueError, match=message):
        compile_language([spoken_as(**changes)])


def test_only_the_first_interface_may_not_be_missing():
    phrases = {name: KITCHEN.phrases[name] for name in ("terse", "prose")}
    language = compile_language([Speaker("kitchen", KITCHEN_SCHEMA, phrases)])
    spoken = language.lengths.any(axis=(0, 2))
    assert spoken.tolist() == [name in phrases for name in INTERFACES]
    del phrases["terse"]
    with pytest.raises(ValueError, match="environment 'kitchen' has no phrases for 'terse'"):
        compile_language([Speaker("kitchen", KITCHEN_SCHEMA, phrases)])


# Say.


@pytest.mark.parametrize("size", [7, 80])
def test_say_equals_strings(size):
    rng = np.random.default_rng(size)
    width, count, rows = 1 + LANGUAGE.max_args, 400, 5
    spoken = voices(rng, len(SPEAKERS), count)
    schemas = [SPEAKERS[e].schema for e in np.asarray(spoken.environment)]
    facts = np.array(
        [[random_row(rng, s, s.facts, width) for _ in range(rows)] for s in schemas], np.int32
    )
    say = jax.jit(jax.vmap(LANGUAGE.say, in_axes=(0, 0, None)), static_argnums=2)
    tokens, lengths = say(jnp.asarray(facts), spoken, size)
    long = 0
    for n, (e, x, i, r) in enumerate(np.stack(spoken, axis=1).tolist()):
        names = names_of(LANGUAGE, schemas[n], e, x)
        words = [
            word
            for row in facts[n]
            for word in render_fact(SPEAKERS[e], row, names, INTERFACES[i], ERRORS[r])
        ]
        ids = [LANGUAGE.vocabulary.id(word) for word in words][:size]
        assert tokens[n].tolist() == ids + [PAD] * (size - len(ids))
        assert int(lengths[n]) == len(ids)
        long += len(words) > size
    assert (long > 0) == (size == 7)


@pytest.mark.parametrize("errors", ERRORS)
@pytest.mark.parametrize("environment", range(len(SPEAKERS)))
def test_listings_equal_strings(environment, errors):
    """Also under the ways of telling errors, which must leave the listed commands alone."""
    rng = np.random.default_rng(environment)
    speaker, width = SPEAKERS[environment], 1 + LANGUAGE.max_args
    schema = speaker.schema
    commands = np.array([random_row(rng, schema, schema.verbs, width) for _ in range(8)], np.int32)
    commands = commands[commands[:, 0] != INVALID]
    mask = rng.random(len(commands)) < 0.6
    rows = LANGUAGE.listed(jnp.asarray(commands), jnp.asarray(mask))
    for x in range(len(LEXICONS)):
        names = names_of(LANGUAGE, schema, environment, x)
        for i, interface in enumerate(INTERFACES):
            spoken = voice(environment, x, i, ERRORS.index(errors))
            tokens, length = SAY(rows, spoken, 100)
            expected = HEADS[interface].split()
            for command in commands[mask]:
                expected += [*render_command(speaker, command, names, interface), ","]
            assert LANGUAGE.vocabulary.decode(tokens).split() == expected
            assert int(length) == len(expected)


def test_errors_are_known():
    schema = KITCHEN_SCHEMA
    wide = [schema.fact("NO_TOOL", schema.concept("tool", "pan")), schema.fact("NOTHING")]
    held = schema.fact("HELD", schema.concept("food", "egg"))
    assert bool(LANGUAGE.is_error(jnp.stack(wide), jnp.int32(1)))
    assert not bool(LANGUAGE.is_error(held[None], jnp.int32(1)))


def test_longest_messages_and_commands_are_counted_by_hand():
    terse, call = INTERFACES.index("terse"), INTERFACES.index("call")
    # SEES thrice and HELD once; behind a command SEES, HELD, BOTH and the fixed error.
    assert LANGUAGE.longest_message(1, [terse], first=True) == 3 * 3 + 1
    assert LANGUAGE.longest_message(1, [terse], first=False) == 3 + 1 + 3 + 2
    # A list has its head of three words and entries of at most six and a comma.
    assert LANGUAGE.longest_message(1, [call], first=True, listed=2) == 3 * 6 + 4 + 3 + 2 * 7
    assert LANGUAGE.longest_command([1], [terse]) == 4
    assert LANGUAGE.longest_command([0, 1], [terse, call]) == 7


def test_of_the_shapes_the_longest_counts():
    """With SEES and BOTH apart, a message is SEES and HELD or BOTH, or else the error alone."""
    schema = replace(KITCHEN_SCHEMA, shapes=(("SEES", "HELD"), ("BOTH",)))
    language = compile_language([replace(KITCHEN, schema=schema)])
    terse = INTERFACES.index("terse")
    assert language.longest_message(0, [terse], first=True) == 3 * 3 + 1
    assert language.longest_message(0, [terse], first=False) == 3 + 1


# Write and read.


def reader(language: Language):
    """A jitted function: a command and a voice to its tokens and what is read of them."""
    size = language.longest_command(range(len(language.schemas)), range(len(INTERFACES)))

    @jax.jit
    def there_and_back(command: jax.Array, spoken: Voice):
        tokens, length = language.write(command, spoken, size)
        return tokens, length, language.read(tokens, spoken)

    return there_and_back


BOTH_WAYS = reader(LANGUAGE)
REGISTERED = compile_language(ENVIRONMENTS)
REGISTERED_BOTH_WAYS = reader(REGISTERED)


@st.composite
def spoken_commands(draw, language: Language):
    """An environment, a lexicon, an interface and a command with arguments that are allowed."""
    environment = draw(st.integers(0, len(language.schemas) - 1))
    schema = language.schemas[environment]
    kind = draw(st.integers(1, len(schema.verbs) - 1))
    args = []
    for _, categories in schema.verbs[kind].args:
        start, stop = schema.spans[draw(st.sampled_from(categories.split("|")))]
        args.append(draw(st.integers(start, stop - 1)))
    padding = [NONE] * (language.max_args - len(args))
    lexicon, interface = draw(st.integers(0, 2)), draw(st.integers(0, len(INTERFACES) - 1))
    return environment, lexicon, interface, np.array([kind, *args, *padding], np.int32)


@given(spoken_commands(LANGUAGE))
def test_a_command_is_written_as_strings_and_read_as_it_was(spoken):
    e, x, i, command = spoken
    tokens, length, back = BOTH_WAYS(command, voice(e, x, i))
    assert back.tolist() == command.tolist()
    names = names_of(LANGUAGE, SPEAKERS[e].schema, e, x)
    words = render_command(SPEAKERS[e], command, names, INTERFACES[i])
    ids = [*(LANGUAGE.vocabulary.id(word) for word in words), END]
    assert tokens.tolist() == ids + [PAD] * (len(tokens) - len(ids))
    assert int(length) == len(ids)


@given(spoken_commands(REGISTERED))
def test_a_command_of_a_registered_environment_is_read_as_it_was(spoken):
    e, x, i, command = spoken
    tokens, length, back = REGISTERED_BOTH_WAYS(command, voice(e, x, i))
    assert back.tolist() == command.tolist()
    assert int(tokens[int(length) - 1]) == END
    assert REGISTERED.sayable[e, x, i, np.asarray(tokens[: int(length)])].all()


def test_what_cannot_be_read_is_written_as_the_end_alone():
    tokens, length, back = BOTH_WAYS(jnp.array([INVALID, NONE, NONE, NONE]), voice(1, 0, 0))
    assert tokens.tolist()[:2] == [END, PAD] and int(length) == 1
    assert back.tolist() == [INVALID, NONE, NONE, NONE]


def near_misses(rng: np.random.Generator, language: Language, spoken: Voice, size: int):
    """Written commands with none, one or all of their words replaced, by strangers now and then."""
    width, count = 1 + language.max_args, len(spoken.lexicon)
    schemas = [language.schemas[e] for e in np.asarray(spoken.environment)]
    commands = np.array([random_row(rng, s, s.verbs, width) for s in schemas], np.int32)
    write = jax.jit(jax.vmap(language.write, in_axes=(0, 0, None)), static_argnums=2)
    written = np.array(write(commands, spoken, size)[0])
    rate = rng.choice([0.0, 1 / size, 1.0], size=(count, 1), p=[0.2, 0.6, 0.2])
    noise = rng.integers(-2, len(language.vocabulary) + 2, size=written.shape)
    return np.where(rng.random(written.shape) < rate, noise, written).astype(np.int32)


@pytest.mark.parametrize("language", [LANGUAGE, REGISTERED], ids=["own", "registered"])
def test_only_what_would_be_written_so_is_read(language):
    rng = np.random.default_rng(2)
    size = language.longest_command(range(len(language.schemas)), range(len(INTERFACES)))
    spoken = voices(rng, len(language.schemas), 4096)
    tokens = near_misses(rng, language, spoken, size)
    commands = jax.jit(jax.vmap(language.read))(tokens, spoken)
    write = jax.jit(jax.vmap(language.write, in_axes=(0, 0, None)), static_argnums=2)
    written = np.asarray(write(commands, spoken, size)[0])
    ended = np.cumsum(tokens == END, axis=1) - (tokens == END) > 0
    valid = np.asarray(commands)[:, 0] != INVALID
    # The end may be left out where the action fills its slot, so it is compared as padding.
    spelt = np.where(ended | (tokens == END), PAD, tokens)
    assert (spelt == np.where(written == END, PAD, written))[valid].all()
    assert (np.asarray(commands)[~valid, 1:] == NONE).all()
    assert 0.1 < valid.mean() < 0.9


def test_verbs_that_only_their_arguments_tell_apart_are_read():
    alike = spoken_as(cut="{food} {tool} now", give="{what} {count} now")
    language, schema = compile_language([alike]), KITCHEN_SCHEMA
    soup, pan = schema.concept("food", "soup"), schema.concept("tool", "pan")
    expected = {
        "soup pan now": [schema.verb_id("cut"), soup, pan],
        "soup 5 now": [schema.verb_id("give"), soup, 5],
        "pan 5 now": [schema.verb_id("give"), pan, 5],
        "pan soup now": [INVALID, NONE, NONE],
        "now pan now": [INVALID, NONE, NONE],
    }
    for text, command in expected.items():
        tokens = jnp.array([*language.vocabulary.encode(text), END])
        assert language.read(tokens, voice(0, 0, 0)).tolist() == [*command, NONE], text


@pytest.mark.parametrize("size", [1, 3, 30])
def test_read_takes_any_number_of_tokens(size):
    vocabulary = LANGUAGE.vocabulary
    spoken = voice(1, 0, 0)
    tokens = np.full(size, END, np.int32)
    tokens[: min(3, size)] = vocabulary.encode("take 5 soup")[:size]
    soup = KITCHEN_SCHEMA.concept("food", "soup")
    taken = [KITCHEN_SCHEMA.verb_id("take"), 5, soup, NONE]
    expected = taken if size >= 3 else [INVALID, NONE, NONE, NONE]
    assert READ_BACK(tokens, spoken).tolist() == expected


def test_words_of_another_lexicon_are_not_read():
    size, spoken = 4, KITCHEN_SCHEMA.command("cut", *(
        KITCHEN_SCHEMA.concept(*pair) for pair in (("food", "rice"), ("tool", "knife"))
    ))  # fmt: skip
    tokens, _ = LANGUAGE.write(spoken, voice(1, 0, 0), size)
    assert int(READ_BACK(tokens, voice(1, 1, 0))[0]) == INVALID
    swapped = READ_BACK(tokens, voice(1, 2, 0))
    assert int(swapped[0]) == int(spoken[0]) and swapped.tolist() != spoken.tolist()


def test_vmap_equals_loop_and_jit_equals_eager():
    rng = np.random.default_rng(3)
    width, count = 1 + LANGUAGE.max_args, 3
    spoken = voices(rng, len(SPEAKERS), count)
    schemas = [SPEAKERS[e].schema for e in np.asarray(spoken.environment)]
    facts = np.array([[random_row(rng, s, s.facts, width)] * 2 for s in schemas], np.int32)
    commands = np.array([random_row(rng, s, s.verbs, width) for s in schemas], np.int32)

    def everything(messages, command, each):
        tokens, length = LANGUAGE.write(command, each, 9)
        back = LANGUAGE.read(tokens, each)
        return LANGUAGE.say(messages, each, 12), tokens, length, back

    together = jax.jit(jax.vmap(everything))(facts, commands, spoken)
    for n in range(count):
        one = jax.tree.map(lambda leaf, n=n: leaf[n], spoken)
        alone = everything(jnp.asarray(facts[n]), jnp.asarray(commands[n]), one)
        jax.tree.map(lambda a, b, n=n: np.testing.assert_array_equal(a[n], b), together, alone)
