"""An instance as a game of the original's engine, for comparison: plain Python, no arrays.

The original plays games of TextWorld: a PDDL domain, a grammar, and a PDDL problem. The first two
and the goals come with the package `alfworld`; the problem is written here.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from jaxagent.envs.alfworld.affordances import (
    CAN_CONTAIN,
    CLEANABLE,
    COOLABLE,
    FRIDGE,
    HEATABLE,
    IS_KNIFE,
    IS_LAMP,
    MICROWAVE,
    OBJECTS,
    OPENABLE,
    RECEPTACLES,
    SINK,
    SLICEABLE,
)
from jaxagent.envs.alfworld.state import (
    IS_CLEAN,
    IS_COOL,
    IS_HOT,
    IS_ON,
    IS_SLICED,
    LIGHT,
    TASKS,
    State,
)

_GOALS = {
    "place": "pick_and_place_simple",
    "light": "look_at_obj_in_light",
    "clean": "pick_clean_then_place_in_recep",
    "heat": "pick_heat_then_place_in_recep",
    "cool": "pick_cool_then_place_in_recep",
    "two": "pick_two_obj_and_place",
}

_ABLE = {
    "heatable": HEATABLE,
    "coolable": COOLABLE,
    "cleanable": CLEANABLE,
    "sliceable": SLICEABLE,
    "toggleable": IS_LAMP,
    "pickupable": ~IS_LAMP,
}

_MARKS = {
    "isClean": IS_CLEAN,
    "isHot": IS_HOT,
    "isCool": IS_COOL,
    "isSliced": IS_SLICED,
    "isToggled": IS_ON,
}

_NEEDED_TYPES = {MICROWAVE, FRIDGE, SINK}
"""Types that the domain names, so that every problem has to declare them."""


def package_folder() -> Path:
    """Folder of the installed package `alfworld`; raises `ImportError` without it."""
    spec = importlib.util.find_spec("alfworld")
    if spec is None or spec.origin is None:
        raise ImportError("alfworld is not installed; expected the extra `alfworld-oracle`")
    return Path(spec.origin).parent


def make_game(state: State) -> dict[str, str]:
    """What `textworld.envs.PddlEnv` loads to play an instance from its start.

    Args:
        state: an instance nobody has acted in, with NumPy leaves of one row.
    """
    folder = package_folder()
    grammar = (folder / "data" / "alfred.twl2").read_text()
    return {
        "pddl_domain": (folder / "data" / "alfred.pddl").read_text(),
        "grammar": grammar,
        "pddl_problem": write_problem(state, _goal(state, folder)),
    }


def write_problem(state: State, goal: str) -> str:
    """The PDDL problem of an instance with a goal in PDDL.

    Things and receptacles are called by their words and numbers, `soap_bottle_1`.
    """
    declared, facts = "\n".join(_declared(state)), "\n".join(f"({fact})" for fact in _facts(state))
    return (
        f"(define (problem room)\n(:domain alfred)\n(:objects\nagent1 - agent\n{declared})\n"
        f"(:init\n{facts}\n(atLocation agent1 loc_start)\n(= (total-cost) 0))\n{goal}"
    )


def _goal(state: State, folder: Path) -> str:
    """The original's goal of the task, which also closes the problem."""
    spec = importlib.util.spec_from_file_location("goals", folder / "gen" / "goal_library.py")
    if spec is None or spec.loader is None:
        raise ImportError(f"{folder}: expected gen/goal_library.py in it")
    library = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(library)
    words = OBJECTS if state.task == LIGHT else RECEPTACLES
    goal = _type(words[int(state.goal)], "")
    template = library.gdict[_GOALS[TASKS[int(state.task)]]]["pddl"].replace("#", "-")
    return template.format(obj=_type(OBJECTS[int(state.target)], ""), recep=goal, toggle=goal)


def _declared(state: State) -> Iterator[str]:
    """Objects of the problem with their PDDL types."""
    yield "loc_start - location"
    for number, (name, _) in _places(state):
        yield f"{name} - receptacle\nloc_{number} - location"
    for _, (name, _) in _things(state):
        yield f"{name} - object"
    kinds = {kind for _, (_, kind) in _things(state)} | {*np.flatnonzero(IS_KNIFE).tolist()}
    for kind in sorted(kinds | {int(state.target)}):
        yield f"{_type(OBJECTS[kind])} - otype"
    kinds = {kind for _, (_, kind) in _places(state)} | _NEEDED_TYPES
    for kind in sorted(kinds):
        yield f"{_type(RECEPTACLES[kind])} - rtype"


def _facts(state: State) -> Iterator[str]:
    """What is true at first."""
    for number, (name, kind) in _places(state):
        yield f"receptacleAtLocation {name} loc_{number}"
        yield f"receptacleType {name} {_type(RECEPTACLES[kind])}"
        if OPENABLE[kind]:
            yield f"openable {name}"
    held_kinds = sorted({kind for _, (_, kind) in _things(state)})
    for place in sorted({kind for _, (_, kind) in _places(state)}):
        for kind in held_kinds:
            if CAN_CONTAIN[place, kind]:
                yield f"canContain {_type(RECEPTACLES[place])} {_type(OBJECTS[kind])}"
    names = dict(_places(state))
    for number, (name, kind) in _things(state):
        where = int(state.where[number])
        yield f"inReceptacle {name} {names[where][0]}"
        yield f"objectAtLocation {name} loc_{where}"
        yield f"objectType {name} {_type(OBJECTS[kind])}"
        yield from (f"{able} {name}" for able, kinds in _ABLE.items() if kinds[kind])
        marks = int(state.marks[number])
        yield from (f"{fact} {name}" for fact, bit in _MARKS.items() if marks & bit)


def _places(state: State) -> Iterator[tuple[int, tuple[str, int]]]:
    """Index, name and type of every receptacle."""
    return _named(RECEPTACLES, np.asarray(state.place_type), np.asarray(state.place_number))


def _things(state: State) -> Iterator[tuple[int, tuple[str, int]]]:
    """Index, name and type of every thing."""
    return _named(OBJECTS, np.asarray(state.thing_type), np.asarray(state.thing_number))


def _named(
    words: tuple[str, ...], kinds: np.ndarray, numbers: np.ndarray
) -> Iterator[tuple[int, tuple[str, int]]]:
    for index, (kind, number) in enumerate(zip(kinds.tolist(), numbers.tolist(), strict=True)):
        if kind >= 0:
            yield index, (f"{words[kind]}_{number}", kind)


def _type(word: str, suffix: str = "Type") -> str:
    """A PDDL symbol for a type; the domain names some as `SinkBasinType`, whatever the case."""
    return word.replace("_", "") + suffix
