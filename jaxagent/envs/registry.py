"""The environments that there are, one line each. Their order fixes the vocabulary."""

from __future__ import annotations

from jaxagent.envs.alfworld import ALFWorld
from jaxagent.envs.babyai import BabyAI, original
from jaxagent.envs.environment import Environment
from jaxagent.envs.maze import Maze
from jaxagent.envs.searchqa import searchqa, searchqa_counterfactual, searchqa_global
from jaxagent.envs.textcraft import minecraft, procedural
from jaxagent.envs.webshop import webshop, webshop_procedural
from jaxagent.envs.wordle import Wordle

ENVIRONMENTS: tuple[Environment, ...] = (
    minecraft(),
    procedural(),
    BabyAI(),
    original(),
    Maze(),
    Wordle(),
    ALFWorld(),
    searchqa(),
    searchqa_global(),
    searchqa_counterfactual(),
    webshop(),
    webshop_procedural(),
)
