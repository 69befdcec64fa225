"""The environments that there are, one line each. Their order fixes the vocabulary."""

from __future__ import annotations

from jaxagent.envs.alfworld import ALFWorld
from jaxagent.envs.babyai import BabyAI, original
from jaxagent.envs.environment import Environment
from jaxagent.envs.textcraft import minecraft, procedural

ENVIRONMENTS: tuple[Environment, ...] = (
    minecraft(),
    procedural(),
    BabyAI(),
    original(),
    ALFWorld(),
)
