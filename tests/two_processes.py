"""One of several processes that train a population together and write its parameters to a file.

Arguments: processes, this one's number, port, devices of each, devices of a member, file.
"""

from __future__ import annotations

import sys

import jax

COUNT, NUMBER, PORT, DEVICES, SHARED = map(int, sys.argv[1:6])
jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_num_cpu_devices", DEVICES)
if COUNT > 1:
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.distributed.initialize(f"localhost:{PORT}", COUNT, NUMBER)

import numpy as np  # noqa: E402
from jax.experimental import multihost_utils  # noqa: E402
from probes import PROBES  # noqa: E402

from jaxagent.envs import make_suite  # noqa: E402
from jaxagent.models import ModelConfig, Policy  # noqa: E402
from jaxagent.rl.actor import Actor  # noqa: E402
from jaxagent.rl.algorithm import Algorithm, Hyper  # noqa: E402
from jaxagent.rl.curriculum import single  # noqa: E402
from jaxagent.rl.learner import Learner  # noqa: E402
from jaxagent.rl.window import Window  # noqa: E402
from jaxagent.sweep.population import Population, stack  # noqa: E402

MEMBERS, UPDATES = 4, 3

suite = make_suite(["read/easy", "delayed/easy"], PROBES)
policy = Policy(ModelConfig(width=32, layers=1, heads=2, hidden=32), len(suite.language.vocabulary))
algorithm = Algorithm(epochs=1, minibatch=4)
learner = Learner(Actor(policy, suite), Window(8, 4, 32), algorithm, devices=SHARED)
population = Population(learner, devices=max(1, len(jax.devices()) // SHARED))
keys = jax.vmap(jax.random.key)(np.arange(MEMBERS))
state = population.start(policy.init(jax.random.key(0)), keys, UPDATES)
hyper = population.place(stack([Hyper(learning_rate=1e-3 * n) for n in range(1, 1 + MEMBERS)]))
curriculum = population.place(stack([single(suite, "read/easy")] * MEMBERS))
state, metrics = population.advance(state, hyper, curriculum, UPDATES)
params = state.members.params
if COUNT > 1:
    params = multihost_utils.process_allgather(params, tiled=True)
if NUMBER == 0:
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(params)]
    np.savez(sys.argv[6], *leaves)
    print(len(jax.devices()), len(leaves))
