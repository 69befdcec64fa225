"""Maze: its mazes, rules, expert and words."""

from __future__ import annotations

from collections import deque

import jax
import numpy as np
import pytest
from env_play import (
    assert_one_equals_many,
    assert_read_as_written,
    assert_unread_changes_nothing,
    play,
    splits_of,
)

from jaxagent.envs.check import check_environment
from jaxagent.envs.maze import Maze
from jaxagent.envs.maze.state import FAR, MOVES, SIZE

MAZE = Maze()
each_level = pytest.mark.parametrize("level", MAZE.levels)
each_drawn_level = pytest.mark.parametrize("level", [*MAZE.levels][:3])

BEST_WAYS = """
#############
#>>v<<#>>v<<#
###v#####v###
###v#####v###
###v#####v###
###>>>v<<<###
######v######
######v######
######.######
#############
"""
"""LMRL-Gym's own table of the best direction at each of its 25 starts, drawn."""


def steps_to(free: np.ndarray, goal: tuple[int, int]) -> dict[tuple[int, int], int]:
    """Breadth-first search with a queue."""
    steps, queue = {goal: 0}, deque([goal])
    while queue:
        cell = queue.popleft()
        for move in MOVES.tolist():
            other = (cell[0] + move[0], cell[1] + move[1])
            if free[other] and other not in steps:
                steps[other] = steps[cell] + 1
                queue.append(other)
    return steps


@each_drawn_level
def test_mazes_are_connected_with_as_many_loops_as_they_should(level: str) -> None:
    """A tree of rooms has one passage less than rooms; every passage more is a loop."""
    played, params = play(MAZE, level), MAZE.levels[level].params
    rooms = int(params.rooms)
    loops = []
    for free, goal, distance in zip(
        played.start.free, played.start.goal, played.start.distance, strict=True
    ):
        steps = steps_to(free, tuple(goal.tolist()))
        assert set(steps) == set(map(tuple, np.argwhere(free).tolist()))
        table = np.full((SIZE, SIZE), FAR)
        table[tuple(np.array(list(steps)).T)] = list(steps.values())
        np.testing.assert_array_equal(distance, table)
        assert free[1::2, 1::2].sum() == rooms**2 and not free[::2, ::2].any()
        loops.append(free.sum() - 2 * rooms**2 + 1)
    possible = 2 * rooms * (rooms - 1) - rooms**2 + 1
    share = np.mean(loops) / possible
    assert share == pytest.approx(float(params.loops), abs=0.03)
    assert len({free.tobytes() for free in played.start.free}) > 0.7 * len(loops)


@each_level
def test_expert_takes_a_shortest_way(level: str) -> None:
    for split in splits_of(MAZE, level):
        played = play(MAZE, level, split)
        position = played.start.position
        far = played.start.distance[np.arange(len(position)), position[:, 0], position[:, 1]]
        assert played.solved.all()
        np.testing.assert_array_equal(played.turns, far)
        assert far.max() <= MAZE.levels[level].turn_limit
        low, high = MAZE.levels[level].params.nearest, MAZE.levels[level].params.farthest
        assert far.max() <= high and (far >= low).mean() > 0.9


def test_original_maze_is_that_of_lmrl_gym() -> None:
    """The same free cells, goal, starts and best directions."""
    ways = np.array([list(line) for line in BEST_WAYS.split()])
    start = play(MAZE, "original", episodes=512).start
    free = np.zeros((SIZE, SIZE), bool)
    free[: ways.shape[0], : ways.shape[1]] = ways != "#"
    assert (start.free == free).all() and (start.goal == np.argwhere(ways == ".")[0]).all()
    starts = set(map(tuple, start.position.tolist()))
    assert starts == set(map(tuple, np.argwhere(np.isin(ways, [*"^v<>"])).tolist()))
    assert len(starts) == 25
    commands = jax.jit(jax.vmap(MAZE.expert, in_axes=(0, None)))(start, None)
    best = np.array([*"^v<>"])[commands[:, 1] - MAZE.schema.first_of("direction")]
    np.testing.assert_array_equal(best, ways[tuple(start.position.T)])


def test_chance_seldom_solves_medium() -> None:
    assert play(MAZE, "medium", chance=1.0, episodes=512).solved.mean() < 0.3


def test_moves_go_where_they_say_and_walls_stop_them() -> None:
    """Every move against plain arithmetic on the grid, walls told included."""
    played, schema = play(MAZE, "medium", chance=0.5), MAZE.schema
    before = np.concatenate([played.start.position[:, None], played.after.position[:, :-1]], axis=1)
    step = jax.jit(jax.vmap(MAZE.step, in_axes=(0, None, None)))
    state = played.start
    for number, name in enumerate(schema.categories["direction"]):
        command = schema.command("move", schema.concept("direction", name))
        move = step(state, command, None)
        target = state.position + MOVES[number]
        opens = state.free[np.arange(len(target)), target[:, 0], target[:, 1]]
        expected = np.where(opens[:, None], target, state.position)
        np.testing.assert_array_equal(move.state.position, expected)
        blocked = (np.asarray(move.facts[..., 0]) == schema.fact_id("BLOCKED")).any(1)
        np.testing.assert_array_equal(blocked, ~opens)
    walls = (played.facts[..., 0] == schema.fact_id("WALL")).sum(-1)
    for n, t in zip(*np.nonzero(np.cumsum(played.terminated, 1) == 0), strict=True):
        here = played.after.position[n, t]
        assert np.abs(here - before[n, t]).sum() == 1
        around = here + MOVES
        assert walls[n, t] == 4 - played.start.free[n][around[:, 0], around[:, 1]].sum()


def test_goals_of_the_splits_differ() -> None:
    goals = {
        split: set(map(tuple, play(MAZE, "hard", split).start.goal.tolist()))
        for split in splits_of(MAZE, "hard")
    }
    assert not goals["seen"] & goals["unseen"] and min(map(len, goals.values())) > 5


@pytest.mark.slow
def test_words_and_shapes() -> None:
    params = MAZE.levels["easy"].params
    commands = MAZE.valid_commands(MAZE.reset(jax.random.key(0), params)[0], params)[0]
    assert_read_as_written(MAZE, np.asarray(commands))
    assert_one_equals_many(MAZE, "easy")
    assert_unread_changes_nothing(MAZE, "hard")


def test_protocol_is_kept() -> None:
    check_environment(MAZE, episodes=16)
