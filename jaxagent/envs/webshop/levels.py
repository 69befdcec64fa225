"""The difficulties."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from jaxagent.envs.environment import Level
from jaxagent.envs.webshop.procedural import ProceduralParams
from jaxagent.envs.webshop.state import OWN_ATTRIBUTES, PAGE, ShopParams
from jaxagent.envs.webshop.words import TITLES


class _Difficulty(NamedTuple):
    products: int
    attributes: int
    options: tuple[int, int]
    in_title: int
    in_features: int
    near: int
    turn_limit: int


_DIFFICULTIES = {
    "easy": _Difficulty(16, 1, (0, 1), 4, 4, 0, 6),
    "medium": _Difficulty(64, 2, (1, 1), 2, 4, 2, 10),
    "hard": _Difficulty(256, 3, (2, 2), 1, 3, 6, 15),
}


def store_levels() -> Mapping[str, Level]:
    """The levels of the store, whose goods are much alike anyway."""
    return {name: _level(d, ShopParams) for name, d in _DIFFICULTIES.items()}


def procedural_levels() -> Mapping[str, Level]:
    """The levels with near misses among the products."""
    return {
        name: _level(d, ProceduralParams, near=np.int32(d.near))
        for name, d in _DIFFICULTIES.items()
    }


def _level(difficulty: _Difficulty, make: type[ShopParams], **more: Any) -> Level:
    least, most = difficulty.options
    numbers = {
        "products": difficulty.products,
        "attributes": difficulty.attributes,
        "least_options": least,
        "most_options": most,
        "in_title": difficulty.in_title,
        "in_features": difficulty.in_features,
        "split": 0,
    }
    fields: Any = {name: np.array(value, np.int32) for name, value in numbers.items()}
    params = make(**fields, **more)
    options = str(most) if least == most else f"{least}-{most}"
    return Level(
        params=params,
        turn_limit=difficulty.turn_limit,
        summary=f"{difficulty.products} products, attributes and options asked for: "
        f"{difficulty.attributes} and {options}; attributes in titles: {difficulty.in_title}",
        most=_most(difficulty),
        unseen=params.replace(split=np.array(1, np.int32)),
    )


def _most(difficulty: _Difficulty) -> Mapping[str, tuple[int, int]]:
    """How often facts occur at most in the first message and in later ones."""
    described = max(difficulty.in_features, OWN_ATTRIBUTES - difficulty.in_features)
    results = {f"RESULT_{k}": (0, PAGE * (k == difficulty.in_title)) for k in TITLES}
    items = {f"ITEM_{k}": (0, int(k == difficulty.in_title)) for k in TITLES}
    return {
        "WANT_ATTRIBUTE": (difficulty.attributes, 0),
        "WANT_OPTION": (difficulty.options[1], 0),
        **results,
        **items,
        "IS": (0, described),
    }
