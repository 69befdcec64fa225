"""BabyAI (Chevalier-Boisvert et al., 2019): a grid world with missions, under macro commands."""

from jaxagent.envs.babyai.environment import BabyAI, original

__all__ = ["BabyAI", "original"]
