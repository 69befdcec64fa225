"""Builds ALFWorld's tables from the PyPI package `alfworld`.

    pip install --no-deps alfworld==0.4.2 && python scripts/build_affordances.py

Reads what may lie where, what can be done with what, and which scenes hold what (120 scenes of
AI2-THOR, thirty of each kind of room), and writes `jaxagent/envs/alfworld/data/affordances.json`.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import re
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

TABLE = Path(__file__).parents[1] / "jaxagent/envs/alfworld/data/affordances.json"

ROOMS = {
    "kitchen": "Kitchen",
    "living_room": "LivingRoom",
    "bedroom": "Bedroom",
    "bathroom": "Bathroom",
}
"""Kind of room -> the package's name of it."""

MOST_ALIKE = 6
"""Receptacles of one type beyond this number are not counted."""

CLEANING = (
    "only what the text version has: no sliced types, slicing is a property there",
    "receptacles: those that can contain an object, are not movable and stand in a scene",
    "objects: what such a receptacle can contain, and the lamps, if a scene holds them",
    "rooms: per receptacle type the scenes that hold at least one, two, ... of them; where the"
    " scene's list of viewpoints has none, its list of object classes counts for one",
    "rooms: per object type the scenes that hold it",
)


def package() -> Path:
    """Folder of the installed package."""
    spec = importlib.util.find_spec("alfworld")
    if spec is None or spec.origin is None:
        raise ValueError("alfworld is not installed; expected `pip install --no-deps alfworld`")
    return Path(spec.origin).parent


def load_constants(folder: Path) -> ModuleType:
    """The package's table of constants, without what the package itself imports."""
    spec = importlib.util.spec_from_file_location("constants", folder / "gen" / "constants.py")
    if spec is None or spec.loader is None:
        raise ValueError(f"{folder}: expected gen/constants.py in it")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def build(folder: Path) -> dict[str, Any]:
    """The compact table of the package in `folder`."""
    constants = load_constants(folder)
    scenes = {room: read_scenes(folder, constants.SCENE_TYPE[ROOMS[room]]) for room in ROOMS}
    standing = {kind for found in scenes.values() for places, _ in found for kind in places}
    contents = {
        kind: sorted(things & standing)
        for kind, things in sorted(constants.VAL_RECEPTACLE_OBJECTS.items())
        if kind not in constants.MOVABLE_RECEPTACLES and kind in standing
    }
    contents = {kind: things for kind, things in contents.items() if things}
    actions = constants.VAL_ACTION_OBJECTS
    lamps = sorted(actions["Toggleable"])
    objects = sorted({thing for things in contents.values() for thing in things} | {*lamps})
    able = {name.lower(): sorted({*actions[name]} & {*objects}) for name in _ABILITIES}
    return {
        "source": {
            "package": "alfworld",
            "version": importlib.metadata.version("alfworld"),
            "licence": "MIT, Copyright (c) 2020 Mohit Shridhar and others",
            "files": "gen/constants.py, gen/layouts/*.json",
        },
        "cleaning": list(CLEANING),
        "openable": words(kind for kind in contents if kind in constants.OPENABLE_CLASS_LIST),
        "lamps": words(lamps),
        **{name: words(things) for name, things in able.items()},
        "contents": {word(kind): words(things) for kind, things in contents.items()},
        "rooms": {
            room: {
                "scenes": len(found),
                "receptacles": count_receptacles([p for p, _ in found], contents),
                "objects": count_objects([o for _, o in found], objects),
            }
            for room, found in scenes.items()
        },
    }


_ABILITIES = ("Heatable", "Coolable", "Cleanable", "Sliceable")


def read_scenes(folder: Path, numbers: range) -> list[tuple[Counter[str], set[str]]]:
    """Of every scene, how many receptacles of each type it has, and its object classes."""
    found = []
    for number in numbers:
        stem = str(folder / "gen" / "layouts" / f"FloorPlan{number}")
        classes = set(json.loads(Path(f"{stem}-objects.json").read_text()))
        viewpoints = json.loads(Path(f"{stem}-openable.json").read_text())
        places = Counter(type_of(name) for name in viewpoints)
        found.append((places | Counter(classes), classes))
    return found


def type_of(name: str) -> str:
    """Type of the instance called `name`, e.g. `Sink|+00.10|+00.89|+01.20|SinkBasin`."""
    first, *_, last = name.split("|")
    return last if last.endswith("Basin") else first


def count_receptacles(
    scenes: list[Counter[str]], contents: dict[str, list[str]]
) -> dict[str, list[int]]:
    """Per type, how many scenes hold at least one, two, ... of it."""
    counts = {
        kind: [sum(places[kind] >= n for places in scenes) for n in range(1, MOST_ALIKE + 1)]
        for kind in contents
    }
    return {word(kind): [n for n in row if n] for kind, row in counts.items() if row[0]}


def count_objects(scenes: list[set[str]], objects: list[str]) -> dict[str, int]:
    """Per type, how many scenes hold it."""
    counts = {kind: sum(kind in classes for classes in scenes) for kind in objects}
    return {word(kind): count for kind, count in counts.items() if count}


def word(name: str) -> str:
    """`name` as one lower-case word: `CellPhone` is `cell_phone`, `TVStand` is `tv_stand`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def words(names: Any) -> list[str]:
    """The words of several names, in alphabetical order."""
    return sorted(map(word, names))


def dump(table: dict[str, Any]) -> str:
    """`table` as JSON with one receptacle or room to a line."""
    lines = [f"{json.dumps(key)}: {_dump_value(value)}" for key, value in table.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _dump_value(value: Any) -> str:
    if not isinstance(value, dict):
        return json.dumps(value)
    rows = [f"{json.dumps(key)}: {json.dumps(row)}" for key, row in value.items()]
    return "{\n" + ",\n".join(rows) + "\n}"


if __name__ == "__main__":
    TABLE.write_text(dump(build(package())))
    print(f"wrote {TABLE}")
