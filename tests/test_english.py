"""Prose for people, and the way back from what they write."""

from __future__ import annotations

import pytest

from jaxagent.study.english import as_english, as_words
from jaxagent.study.play import play_by_hand, watch
from jaxagent.text import UNKNOWN, Vocabulary

VOCABULARY = Vocabulary.of(
    ["take", "dish", "dish_sponge", "from", "dining_table", "in", "/", "on", ",", "put", "."]
)


@pytest.mark.parametrize(
    ("told", "written"),
    [
        ("you see a egg 1 , a dining_table 1 , .", "You see an egg 1, a dining table 1."),
        ("put it in / on a desk . look .", "Put it in/on a desk. Look."),
        ("your goal : go . it is 1 steps away", "Your goal: go. It is 1 step away"),
        ("11 steps and 1 dollars", "11 steps and 1 dollar"),
        ("* craft 1 stick * craft 2 bowl", "* Craft 1 stick\n* Craft 2 bowl"),
        ("> put it ( here )", "> put it (here)"),
    ],
)
def test_prose_is_written_as_people_write_it(told, written):
    assert as_english(told) == written


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("Take dish sponge 1 from dining table 2", "take dish_sponge 1 from dining_table 2"),
        ("put dish 1 in/on dining_table 2.", "put dish 1 in / on dining_table 2 ."),
        ("take 1 dish, 2 dish", "take 1 dish , 2 dish"),
    ],
)
def test_what_people_write_is_read_as_words(written, words):
    assert [VOCABULARY.id(word) for word in words.split()] in as_words(written, VOCABULARY)


def test_strangers_are_unknown_and_words_apart_are_tried_too():
    assert [*as_words("take nonsense", VOCABULARY)] == [[VOCABULARY.id("take"), UNKNOWN]]
    both = Vocabulary.of(["go", "to", "go_to"])
    assert [both.decode(words) for words in as_words("go to", both)] == ["go_to", "go to"]


def test_long_lines_are_taken_apart_too():
    line = " ".join(["take", "dish", "sponge", "1"] * 30_000)
    first = next(as_words(line, VOCABULARY))
    assert first == [VOCABULARY.id(word) for word in ("take", "dish_sponge", "1")] * 30_000


@pytest.mark.slow
def test_a_person_plays_in_prose_by_the_words_that_were_shown():
    """Repeats what the expert was shown to say; an article too much is not understood."""
    shown = watch("alfworld/easy+prose", "expert", 0, 0, 1024).splitlines()
    commands = iter([line[2:] for line in shown if line.startswith("> ")])
    told: list[str] = []
    play_by_hand("alfworld/easy+prose", 0, lambda _: next(commands), told.append)
    assert told[-1].startswith("(the end") and "return 1.00" in told[-1]
    assert "_" not in "".join(told) and " ." not in "".join(told)
