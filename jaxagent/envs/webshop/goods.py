"""The words of goods: what is sold, by whom, and what may be said of it.

A word of a product or a query has one number, its place in all of `GOODS` strung together: the
concept without the numbers before it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

PER_DEPARTMENT = 3
CATEGORIES = (
    *("kettle", "mug", "pan"),
    *("pillow", "blanket", "mattress"),
    *("jacket", "shirt", "sweater"),
    *("boot", "sandal", "sneaker"),
    *("backpack", "suitcase", "wallet"),
    *("lamp", "chair", "desk"),
    *("hose", "spade", "planter"),
    *("puzzle", "doll", "kite"),
)
"""Three of every department, department by department."""

BRANDS = (
    *("norvik", "belmora", "tarrow", "quillon", "hartley", "zephyra", "lumeno", "kestrel"),
    *("orsini", "vantor", "mirelle", "dunmore", "calypso", "fenwick", "aldara", "brixley"),
    *("solvane", "thornby", "juniper", "rowanda", "pelham", "stellan", "corvina", "wexford"),
    *("galante", "hollis", "ivaro", "marlowe", "nystrom", "odessa", "prescott", "ravello"),
)

KINDS = 4
"""Attribute number a is of kind `a % KINDS`; a product has one of every kind."""

ATTRIBUTES = (
    *("washable", "soft", "compact", "plain"),
    *("waterproof", "padded", "slim", "striped"),
    *("fireproof", "quilted", "foldable", "glossy"),
    *("windproof", "woven", "portable", "matte"),
    *("stainproof", "ribbed", "stackable", "patterned"),
    *("shockproof", "fluffy", "adjustable", "polished"),
    *("rustproof", "sturdy", "reversible", "engraved"),
    *("scratchproof", "breathable", "lightweight", "embroidered"),
    *("antibacterial", "insulated", "rollable", "painted"),
    *("biodegradable", "stretchy", "detachable", "vintage"),
    *("recyclable", "seamless", "inflatable", "rustic"),
    *("hypoallergenic", "scented", "rotating", "modern"),
)

COLOURS = (
    *("red", "orange", "yellow", "green", "blue", "purple"),
    *("pink", "brown", "black", "white", "grey", "beige"),
)

SIZES = ("tiny", "petite", "small", "medium", "large", "huge", "giant", "oversized")

GOODS: Mapping[str, tuple[str, ...]] = {
    "category": CATEGORIES,
    "brand": BRANDS,
    "attribute": ATTRIBUTES,
    "colour": COLOURS,
    "size": SIZES,
}

_LENGTHS = [len(words) for words in GOODS.values()]
WORDS = sum(_LENGTHS)
FIRST_CATEGORY, FIRST_BRAND, FIRST_ATTRIBUTE, FIRST_COLOUR, FIRST_SIZE = np.cumsum(
    [0, *_LENGTHS[:-1]]
).tolist()

AXES = 2
"""A product comes in several colours and several sizes."""

FIRST_VALUES = np.array([FIRST_COLOUR, FIRST_SIZE], np.int32)
VALUES = np.array([len(COLOURS), len(SIZES)], np.int32)
"""First word, and number of words, of every axis."""

UNSEEN_DEPARTMENTS, UNSEEN_BRANDS = 2, 8
"""The last departments and brands are held out of training."""

DEPARTMENTS = len(CATEGORIES) // PER_DEPARTMENT

if WORDS > 127:
    raise ValueError(f"GOODS: {WORDS} words, expected at most 127, which fit int8")
