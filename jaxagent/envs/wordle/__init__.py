"""Wordle: find a five-letter word in six guesses."""

from jaxagent.envs.wordle.environment import Wordle

__all__ = ["Wordle"]
