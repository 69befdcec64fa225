"""An instance of TextCraft, a command taken apart, and what the rules ask of their recipes."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import flax.struct
from jaxtyping import Array, Bool, Int8, Int16, Int32

from jaxagent.envs.textcraft.recipes import Recipes


class State(flax.struct.PyTreeNode):
    """An instance; things are numbered as in `recipes`, -1 is none.

    Attributes:
        goal: the item to craft.
        items: the items held; -1 is a free place. An item may be held zero times (`get 0 item`).
        counts: how many of each are held.
        plan: places among the shown recipes of those that the expert uses, -1 behind.
        members: the member that the expert crafts for every group, or -1.
        bases: base items of the shown recipes, ascending, -1 behind.
        book: the recipes of this instance, as their source keeps them.
    """

    goal: Int16[Array, ""]
    items: Int16[Array, "holdings"]
    counts: Int16[Array, "holdings"]
    plan: Int8[Array, "needed"]
    members: Int16[Array, "groups"]
    bases: Int16[Array, "bases"]
    book: Any


class Order(NamedTuple):
    """A command taken apart.

    Attributes:
        verb: its verb.
        thing: what to get or to craft.
        count: how many.
        ingredients: what to craft it from, -2 behind.
        counts: how many of each, 0 behind.
    """

    verb: Int32[Array, ""]
    thing: Int16[Array, ""]
    count: Int16[Array, ""]
    ingredients: Int16[Array, "m"]
    counts: Int16[Array, "m"]


class Knowledge(NamedTuple):
    """What a source of recipes knows about an order.

    Attributes:
        candidates: all recipes that may make the thing; absent ones may be among them.
        is_base: whether the thing can be got without a recipe.
        groups: the group of every ingredient, or -1.
    """

    candidates: Recipes
    is_base: Bool[Array, ""]
    groups: Int16[Array, "m"]


class Source(Protocol):
    """Where the recipes of an instance come from: Minecraft, or the episode's own draw."""

    @property
    def ingredients(self) -> int:
        """Most ingredients of a recipe."""
        ...

    @property
    def extra(self) -> int:
        """Most ingredients behind the first ones of all recipes shown at once."""
        ...

    def draw(self, key: Array, params: Any) -> State:
        """A new instance."""
        ...

    def shown(self, book: Any) -> Recipes:
        """The recipes of a book."""
        ...

    def know(self, book: Any, order: Order) -> Knowledge:
        """What is true of the things that `order` names."""
        ...

    def groups_of(self, book: Any, things: Int16[Array, "*n"]) -> Int16[Array, "*n"]:
        """The group that each thing is a member of, or -1."""
        ...
