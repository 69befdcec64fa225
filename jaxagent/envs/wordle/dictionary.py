"""The words that may be guessed, and what each guess tells of each secret, as constant tables."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import numpy as np
from jaxtyping import Int

LETTERS = tuple("abcdefghijklmnopqrstuvwxyz")
LENGTH = 5
"""Letters of a word."""

BLACK, YELLOW, GREEN = range(3)
"""Marks: the letter is not in the word (or not so often), elsewhere in it, in its place."""

_LIST = files("jaxagent.envs.wordle").joinpath("words.txt")

WORDS: tuple[str, ...] = tuple(_LIST.read_text().split())
"""Common English words; a level uses the first so many. In the unseen split every fourth of them
is the secret, in training the others."""

SPELLING = np.array([[LETTERS.index(letter) for letter in word] for word in WORDS], np.int8)
"""int8[words, 5]: the letters of every word."""


def marks(guess: Int[np.ndarray, "*n 5"], secret: Int[np.ndarray, "*n 5"]) -> np.ndarray:
    """int8[*n, 5]: the marks of a guess by the official rule.

    A letter that occurs in the guess more often than in the secret is yellow only as often as the
    secret has it beside the green ones, from left to right.
    """
    green = guess == secret
    same = guess[..., :, None] == guess[..., None, :]
    at_hand = np.sum((guess[..., :, None] == secret[..., None, :]) & ~green[..., None, :], axis=-1)
    earlier = np.sum(same & ~green[..., None, :] & np.tri(LENGTH, k=-1, dtype=bool), axis=-1)
    yellow = ~green & (earlier < at_hand)
    return np.where(green, GREEN, np.where(yellow, YELLOW, BLACK)).astype(np.int8)


@cache
def mark_table() -> Int[np.ndarray, "words words 5"]:
    """int8[guesses, secrets, 5]: the marks of every word against every other."""
    return marks(SPELLING[:, None], SPELLING[None, :])


@cache
def code_table() -> Int[np.ndarray, "words words"]:
    """int16[guesses, secrets]: the marks as one number."""
    return (mark_table() @ 3 ** np.arange(LENGTH)).astype(np.int16)


@cache
def guessing_order() -> Int[np.ndarray, "words"]:
    """int32[words]: place of every word, those whose marks leave the fewest words first."""
    counts = [np.bincount(row, minlength=3**LENGTH) for row in code_table()]
    left = np.square(counts).sum(1)
    return np.argsort(np.argsort(left, kind="stable")).astype(np.int32)
