"""Transformer policies that read and write words. Stands on the ground: imports no other floor."""

from jaxagent.models.policy import (
    Params,
    Policy,
    entropy,
    kl,
    log_prob,
    log_prob_and_entropy,
    log_probs,
    sample,
)
from jaxagent.models.transformer import SIZES, Cache, ModelConfig

__all__ = [
    "SIZES",
    "Cache",
    "ModelConfig",
    "Params",
    "Policy",
    "entropy",
    "kl",
    "log_prob",
    "log_prob_and_entropy",
    "log_probs",
    "sample",
]
