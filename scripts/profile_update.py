"""Where the time of an update goes: its parts, each compiled and timed by itself on one device.

python scripts/profile_update.py textcraft/easy benchmarks/profile-cpu.json
"""

from __future__ import annotations

import sys
from functools import partial

import jax
import jax.numpy as jnp

from jaxagent.envs.pool import draw_pool
from jaxagent.rl.algorithm import Algorithm, Hyper
from jaxagent.rl.credit import assign_credit
from jaxagent.rl.curriculum import mixture
from jaxagent.rl.improvement import improve
from jaxagent.rl.learner import Learner, train_step
from jaxagent.rl.packing import pack
from jaxagent.rl.rollout import rollout
from jaxagent.rl.window import Window
from jaxagent.study.bench_train import ACTION_TOKENS, CONTEXTS, make_base
from jaxagent.study.files import write_json
from jaxagent.study.timing import TURNS, rate_of

ROWS, SECONDS = 128, 6.0


def main(task: str, path: str) -> None:
    """Times the parts and writes them as JSON: part -> milliseconds, and turns of the update."""
    actor, params = make_base(task)
    window = Window(ROWS, TURNS, CONTEXTS[task], ACTION_TOKENS)
    learner, hyper = Learner(actor, window, Algorithm(epochs=1)), Hyper()
    state = learner.start(params, jax.random.key(1))
    curriculum, key = mixture(actor.suite, actor.suite.names), jax.random.key(2)
    weights = jnp.ones(len(actor.suite))
    draw = jax.jit(partial(draw_pool, suite=actor.suite, size=learner.instances))
    play = jax.jit(partial(rollout, actor, window=window))
    lay = jax.jit(partial(pack, context=window.context, words=window.words))
    rate = jax.jit(
        lambda played: assign_credit(
            learner.algorithm, hyper, actor.suite, played, window.words, 0.0, 1
        )
    )
    learn = jax.jit(partial(improve, learner))
    step = jax.jit(partial(train_step, learner))
    pool = draw(key, weights=weights)
    trajectory = play(params, pool, key)
    packing = lay(trajectory)
    credit = rate(packing.trajectory)
    calls = {
        "draw instances": (draw, (key,), {"weights": weights}),
        "play": (play, (params, pool, key), {}),
        "pack": (lay, (trajectory,), {}),
        "credit": (rate, (packing.trajectory,), {}),
        "gradient steps": (learn, (state, hyper, packing, credit, key), {}),
        "the whole update": (step, (state, hyper, curriculum), {}),
    }
    spent = {
        name: 1e3 / rate_of(partial(call, **named), given, SECONDS)
        for name, (call, given, named) in calls.items()
    }
    turns = int(jnp.sum(trajectory.turns.action_length > 0))
    report = {"task": task, "rows": ROWS, "turns": turns, "milliseconds": spent}
    for name, value in spent.items():
        share = value / spent["the whole update"]
        print(f"{name:<18}{value:9.1f} ms {share:6.0%}")
    print(f"{turns / spent['the whole update'] * 1e3:,.0f} turns/s on one device")
    write_json(path, report)


if __name__ == "__main__":
    main(*sys.argv[1:3])
