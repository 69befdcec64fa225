"""Brings a BabyAI level of the minigrid package into our arrays."""

from __future__ import annotations

import contextlib
import io

import gymnasium
import jax.numpy as jnp
import minigrid  # noqa: F401  (registers the levels)
import numpy as np
from minigrid.core.constants import COLOR_TO_IDX
from minigrid.core.world_object import WorldObj
from minigrid.envs.babyai.core import verifier

from jaxagent.envs.babyai import state as ours

KINDS = {"key": ours.KEY, "ball": ours.BALL, "box": ours.BOX, "door": ours.DOOR}
CLAUSE_KINDS = {
    verifier.GoToInstr: ours.GO_TO,
    verifier.PickupInstr: ours.PICK_UP,
    verifier.OpenInstr: ours.OPEN_IT,
    verifier.PutNextInstr: ours.PUT_NEXT,
}


def make_level(name: str, seed: int) -> gymnasium.Env:
    """The level `BabyAI-<name>`, reset with `seed`; its talk about rejections is silenced."""
    with contextlib.redirect_stdout(io.StringIO()):
        env = gymnasium.make(f"BabyAI-{name}", disable_env_checker=True)
        env.reset(seed=seed)
    return env.unwrapped


def objects_of(env: gymnasium.Env) -> list[WorldObj]:
    """All objects but walls, those inside boxes and the carried one included."""
    found = [cell for cell in env.grid.grid if cell is not None and cell.type != "wall"]
    found += [cell.contains for cell in found if cell.contains is not None]
    return found + ([env.carrying] if env.carrying is not None else [])


def import_state(env: gymnasium.Env, size: int, rows: int) -> tuple[ours.State, list[WorldObj]]:
    """The state of `env` right after its reset, and the objects in the order of our rows."""
    objects = objects_of(env)
    if len(objects) > rows:
        raise ValueError(f"rows={rows}: the level has {len(objects)} objects")
    walls = np.ones((size, size), bool)
    walls[: env.height, : env.width] = [
        [_is_wall(env.grid.get(x, y)) for x in range(env.width)] for y in range(env.height)
    ]
    kind, color, door = (np.full(rows, value, np.int8) for value in (-1, 0, 0))
    content = np.full(rows, -1, np.int8)
    for row, each in enumerate(objects):
        kind[row], color[row] = KINDS[each.type], COLOR_TO_IDX[each.color]
        door[row] = each.encode()[2]
        if each.contains is not None:
            content[row] = _index(objects, each.contains)
    mission = import_mission(env, objects, rows)
    carries = -1 if env.carrying is None else _index(objects, env.carrying)
    state = ours.State(
        walls=jnp.asarray(walls),
        kind=jnp.asarray(kind),
        color=jnp.asarray(color),
        content=jnp.asarray(content),
        door=jnp.asarray(door),
        position=jnp.asarray(positions(env, objects, rows)),
        recorded=jnp.asarray(recorded(env, objects, rows)),
        agent=ours.Agent(
            jnp.asarray(env.agent_pos, jnp.int8), jnp.int8(env.agent_dir), jnp.int8(carries)
        ),
        mission=mission,
        progress=ours.fresh_progress(),
        max_steps=jnp.int16(env.max_steps),
    )
    return state, objects


def positions(env: gymnasium.Env, objects: list[WorldObj], rows: int) -> np.ndarray:
    """int8[rows, 2]: where the objects lie in the grid, (-1, -1) if they do not."""
    found = np.full((rows, 2), -1, np.int8)
    for x in range(env.width):
        for y in range(env.height):
            cell = env.grid.get(x, y)
            if cell is not None and cell.type != "wall":
                found[_index(objects, cell)] = (x, y)
    return found


def recorded(env: gymnasium.Env, objects: list[WorldObj], rows: int) -> np.ndarray:
    """int8[rows, 2]: where the mission believes the objects to be: where they were put first."""
    found = positions(env, objects, rows)
    for row, each in enumerate(objects):
        if each is env.carrying:
            found[row] = each.init_pos
    return found


def import_mission(env: gymnasium.Env, objects: list[WorldObj], rows: int) -> ours.Mission:
    """The mission, its sets taken by identity."""
    parts, order = [env.instrs], ours.ALONE
    if isinstance(env.instrs, (verifier.BeforeInstr, verifier.AfterInstr)):
        parts = [env.instrs.instr_a, env.instrs.instr_b]
        before = isinstance(env.instrs, verifier.BeforeInstr)
        order = ours.BEFORE if before else ours.AFTER
    kind, strict = np.full(4, -1, np.int8), np.zeros(4, bool)
    first, second = np.zeros((4, rows), bool), np.zeros((4, rows), bool)
    for place, part in enumerate(parts):
        conjunction = isinstance(part, verifier.AndInstr)
        for k, leaf in enumerate([part.instr_a, part.instr_b] if conjunction else [part]):
            row = 2 * place + k
            kind[row], strict[row] = CLAUSE_KINDS[type(leaf)], getattr(leaf, "strict", False)
            description = leaf.desc_move if hasattr(leaf, "desc_move") else leaf.desc
            first[row] = _members(description, objects, rows)
            if hasattr(leaf, "desc_fixed"):
                second[row] = _members(leaf.desc_fixed, objects, rows)
    return ours.Mission(*map(jnp.asarray, (kind, first, second, strict)), jnp.int8(order))


def _members(description: verifier.ObjDesc, objects: list[WorldObj], rows: int) -> np.ndarray:
    inside = np.zeros(rows, bool)
    for each in description.obj_set:
        if each.type != "wall":
            inside[_index(objects, each)] = True
    return inside


def _is_wall(cell: WorldObj | None) -> bool:
    return cell is not None and cell.type == "wall"


def _index(objects: list[WorldObj], one: WorldObj) -> int:
    return next(row for row, each in enumerate(objects) if each is one)
