"""Listed commands and their paths against a plain breadth-first search with a queue."""

from __future__ import annotations

from functools import partial

import jax
import numpy as np
import pytest
from minigrid_import import import_state, make_level

from jaxagent.envs.babyai import BabyAI
from jaxagent.envs.babyai import state as ours
from jaxagent.envs.babyai.commands import options
from jaxagent.envs.babyai.planner import free_cells, path_facing, path_onto
from jaxagent.envs.babyai.rules import primitive
from jaxagent.envs.babyai.view import COLUMN, ROW, look

SEEN = 16
ENV = BabyAI(size=22, objects=40, seen=SEEN, levels={})
VECTORS = [(1, 0), (0, 1), (-1, 0), (0, -1)]
COLORS = ours.COLORS
THINGS = ("key", "ball", "box", "open door", "closed door", "locked door")
_look = jax.jit(partial(look, seen=SEEN))
_options = jax.jit(options)
_free = jax.jit(free_cells)
_facing, _onto = jax.jit(path_facing), jax.jit(path_onto)
_valid = jax.jit(ENV.valid_commands)
_primitive = jax.jit(primitive)


def search(start: tuple, goal: tuple, walls: set, ranges: tuple, arrive: bool) -> list[int] | None:
    """The text version's search: a queue of poses in which parents are overwritten."""
    queue, done, parent = [start], set(), {}
    while queue:
        pose = queue.pop(0)
        done.add(pose)
        (x, y), direction = pose
        dx, dy = VECTORS[direction]
        if (x, y) == goal if arrive else (x + dx, y + dy) == goal:
            path = []
            while pose != start:
                pose, action = parent[pose]
                path.append(action)
            return path[::-1]
        steps = (((x + dx, y + dy), direction), 2), (((x, y), (direction - 1) % 4), 0)
        for after, action in (*steps, (((x, y), (direction + 1) % 4), 1)):
            inside = after[0][0] in ranges[0] and after[0][1] in ranges[1]
            if inside and after not in done and after[0] not in walls:
                queue.append(after)
                parent[after] = (pose, action)
    return None


def window(position: tuple, direction: int) -> tuple[range, range]:
    """The cells the search may use: the view, and a line more where the axis runs backwards."""
    forward, right = VECTORS[direction], VECTORS[(direction + 1) % 4]
    corner = [position[i] + 6 * forward[i] - 3 * right[i] for i in range(2)]
    ranges = []
    for i in range(2):
        end = corner[i] + 7 * (right[i] - forward[i])
        ranges.append(range(end, corner[i] + 1) if end < corner[i] else range(corner[i], end))
    return tuple(ranges)


class Reference:
    """What the text version sees and lists, from MiniGrid's own view."""

    def __init__(self, env) -> None:
        self.position, self.direction = tuple(int(v) for v in env.agent_pos), env.agent_dir
        self.carrying = env.carrying
        forward, right = VECTORS[self.direction], VECTORS[(self.direction + 1) % 4]
        image = env.gen_obs()["image"]
        self.seen, self.walls, ahead = [], set(), []
        for row in range(7):
            for column in range(7):
                kind, color, door = (int(v) for v in image[column, row])
                f, s = 6 - row, column - 3
                cell = tuple(self.position[i] + f * forward[i] + s * right[i] for i in range(2))
                if kind in (2, 5, 6, 7) and (f, s) != (0, 0):
                    self.walls.add(cell)
                if kind in (2, 7) and s == 0 and f > 0:
                    ahead.append(f)
                if kind in (4, 5, 6, 7) and (f, s) != (0, 0):
                    name = THINGS[3 + door if kind == 4 else kind - 5]
                    self.seen.append((f + abs(s), COLORS[color], name, cell, (f, s)))
        self.seen.sort(key=lambda each: each[0])
        self.nearest = min(ahead, default=99)
        self.actions = self._list()

    def path(self, cell: tuple, arrive: bool = False) -> list[int] | None:
        start = (self.position, self.direction)
        return search(start, cell, self.walls, window(*start), arrive)

    def _list(self) -> dict[tuple, list[int]]:
        actions = {("left",): [0], ("right",): [1]}
        if self.nearest > 1:
            actions[("forward",)] = [2]
        movable = [each for each in self.seen if "door" not in each[2]]
        if self.carrying is None:
            self._count(actions, "pickup", movable, [3])
        else:
            front = VECTORS[self.direction]
            cell = tuple(self.position[i] + front[i] for i in range(2))
            if cell not in self.walls:
                actions[("drop",)] = [4]
        self._doors(actions)
        self._count(actions, "go_to", self.seen, [])
        return {**actions, ("check",): []}

    def _count(self, actions: dict, verb: str, seen: list, tail: list[int]) -> None:
        count: dict = {}
        for _, color, name, cell, _ in seen:
            path = self.path(cell)
            if path is not None:
                count[color, name] = count.get((color, name), 0) + 1
                actions[verb, color, name, count[color, name]] = path + tail

    def _doors(self, actions: dict) -> None:
        count: dict = {}
        for _, color, name, cell, _ in self.seen:
            if "door" not in name:
                continue
            count[color, name] = count.get((color, name), 0) + 1
            target = (color, name, count[color, name])
            key = self.carrying
            fits = key is not None and key.type == "key" and key.color == color
            if name == "open door":
                path = self.path(cell, arrive=True)
                if path is not None:
                    actions["go_through", *target] = path
            elif name == "closed door" or fits:
                path = self.path(cell)
                if path is not None:
                    actions["toggle_and_go_through", *target] = [*path, 5, 2]
                if path == []:
                    actions[("toggle",)] = [5]


def listed_by_us(state: ours.State) -> list[tuple]:
    schema = ENV.schema
    commands, mask = (np.asarray(each) for each in _valid(state, None))
    names = []
    for command in commands[mask]:
        args = [int(a) for a in command[1:4] if a >= 0]
        words = [schema.concepts[a].replace("_", " ") for a in args[:2]]
        names.append((schema.verbs[command[0]].name, *words, *args[2:]))
    return names


def check_state(env, state: ours.State) -> int:
    """Compares the list, and every path; how many paths there were."""
    reference, view = Reference(env), _look(state)
    assert listed_by_us(state) == list(reference.actions)
    free, paths = _free(view, state.agent.direction), 0
    for slot, (_, _, _, cell, (ahead, side)) in enumerate(reference.seen):
        for arrive, plan in ((False, _facing), (True, _onto)):
            expected = reference.path(cell, arrive)
            path = plan(free, np.int32(ROW - ahead), np.int32(COLUMN + side))
            length = int(path.length)
            assert (None if length < 0 else path.actions[:length].tolist()) == expected, slot
            paths += expected is not None
    return paths


def wander(name: str, seed: int, steps: int) -> int:
    """Compares along a random walk; how many paths were compared."""
    env = make_level(name, seed)
    state, _ = import_state(env, 22, 40)
    generator, paths = np.random.default_rng(seed), check_state(env, state)
    for _ in range(steps):
        action = int(generator.choice(6, p=[0.2, 0.2, 0.3, 0.1, 0.05, 0.15]))
        _, _, over, late, _ = env.step(action)
        state, _ = _primitive(state, np.int32(action))
        if over or late:
            break
        paths += check_state(env, state)
    return paths


CROWDED = ("GoToLocal-v0", "OneRoomS8-v0", "SynthS5R2-v0", "GoToObjDoor-v0", "UnlockLocalDist-v0")


@pytest.mark.parametrize("name", CROWDED[::2])
def test_commands_and_paths_are_the_text_versions(name: str) -> None:
    assert sum(wander(name, seed, 12) for seed in range(3)) > 0


@pytest.mark.slow
@pytest.mark.parametrize("name", (*CROWDED, "BossLevel-v0", "MiniBossLevel-v0", "PutNextS7N4-v0"))
def test_many_commands_and_paths_are_the_text_versions(name: str) -> None:
    assert sum(wander(name, seed, 60) for seed in range(100, 112)) > 0
