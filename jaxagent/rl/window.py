"""The window of a rollout: how many rows and turns are played, and what an episode is allowed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType

from jaxagent.checks import check_flag, check_kind, check_whole
from jaxagent.envs.suite import Suite

SIZES = MappingProxyType(
    {
        "rows": (1, 2**20),
        "turns": (1, 2**14),
        "context": (1, 2**17),
        "action_tokens": (0, 2**12),
        "think": (0, 2**12),
        "group": (1, 2**20),
    }
)
"""Least and most of every size."""


@dataclass(frozen=True)
class Window:
    """Static shape of a rollout.

    Attributes:
        rows: episodes that are played side by side.
        turns: turns that every row plays.
        context: tokens of an episode at most; one that would need more is truncated.
        action_tokens: words of a command at most; 0 for the suite's longest.
        think: scratch words that are said before every command, for nobody but the policy: they
            are chosen freely, stay in the context and are learnt like all others (after the pause
            tokens of Goyal et al. 2023, arXiv 2310.02226, which are fixed).
        group: neighbouring rows whose j-th episodes are attempts at one instance.
        whole: begin only episodes that have the turns to be played to an end. What a row plays
            then depends on no episode's length, and nothing is to be bootstrapped.
        anchors: record hashes of the states that are acted in.
    """

    rows: int = 128
    turns: int = 32
    context: int = 256
    action_tokens: int = 0
    think: int = 0
    group: int = 1
    whole: bool = False
    anchors: bool = False

    def __post_init__(self) -> None:
        for name, (least, most) in SIZES.items():
            check_whole(name, getattr(self, name), least, most)
        for name in ("whole", "anchors"):
            check_flag(name, getattr(self, name))
        if self.rows % self.group:
            raise ValueError(f"rows={self.rows}: expected a multiple of group={self.group}")

    @property
    def words(self) -> int:
        """Words said in an episode at most: half of its context."""
        return self.context // 2

    @property
    def slots(self) -> int:
        """Slots of a row's cache: its context and a few, in whole eights, as processors like it.

        Most messages that close a truncated episode fit into the few.
        """
        return (self.context // 8 + 1) * 8

    def plain(self) -> Window:
        """The same sizes and limits, without what an algorithm asks of a rollout."""
        return replace(self, group=1, whole=False, anchors=False)

    def shared(self, devices: int) -> Window:
        """The part of it that one of `devices` devices plays."""
        return replace(self, rows=self.rows // devices)

    def speech(self, suite: Suite) -> int:
        """Words of an action at most, in `suite`, those of scratch included."""
        return self.think + (self.action_tokens or suite.action_tokens)

    def check(self, suite: Suite) -> None:
        """Raises `ValueError` if an episode of `suite` could not even begin in this context."""
        check_kind("suite", suite, Suite, "a jaxagent.Suite, as make_suite(…) returns it")
        needed = suite.first_tokens + 1 + self.speech(suite)
        if self.context < needed or self.words < self.speech(suite):
            least = max(needed, 2 * self.speech(suite))
            raise ValueError(
                f"context={self.context}: an opening of up to {suite.first_tokens} tokens and an "
                f"action of up to {self.speech(suite)} need at least {least}"
            )
        limit = int(suite.turn_limits.max())
        if self.whole and self.turns < limit:
            raise ValueError(
                f"turns={self.turns}: whole episodes of up to {limit} turns need as many"
            )
