"""Algorithms: what is static in an update, what is traced, and the named points among them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import flax.struct
import jax

from jaxagent.checks import check_flag, check_option, check_whole
from jaxagent.rl.loss import OBJECTIVES, RATIOS, SAMPLED_KL, Scalar, Weights
from jaxagent.rl.ranges import check_written
from jaxagent.rl.window import Window

GROUP_ADVANTAGES = ("group", "leave-one-out", "anchor")
"""Advantages that compare the attempts of a group at one instance."""

BOOTSTRAPPED = ("turn", "token", "bi-level")
"""Advantages with a critic, which tells what an episode that is cut would still have got."""

ADVANTAGES = (*BOOTSTRAPPED, "return", *GROUP_ADVANTAGES)
OWN_ADVANTAGES: dict[str, bool] = {}
"""Names of further advantages, and whether they have a critic: see `register_advantage`."""

CUTS = ("end", "bootstrap")
NORMALISATIONS = ("environment", "batch", "group", "none")
AGGREGATIONS = (
    "token-mean",
    "seq-mean-token-mean",
    "seq-mean-token-sum",
    "seq-mean-token-sum-norm",
)
DIVERGENCES = ("none", "exact", *SAMPLED_KL)


@dataclass(frozen=True, kw_only=True)
class Algorithm:
    """The static parts of an update, which can be combined freely.

    Attributes:
        advantage: with a critic, generalised estimation over turns (`turn`), over tokens (`token`)
            or over both (`bi-level`); without, the return from each turn on (`return`), or of an
            episode compared with its `group`, with the others of it (`leave-one-out`), or also
            turn by turn with those in the same state (`anchor`).
        cut: what a critic makes of an episode that is cut by its limits: `end`, it got nothing
            more, or `bootstrap`, it would have got what is expected behind it. The second is right
            where limits are no part of the task (Pardo et al. 2018, arXiv 1712.00378), but then
            stalling costs no more than the discount; near 1 a policy may come to like it.
        normalisation: of advantages to mean 0 and deviation 1 over each `environment`'s part of
            the batch or over the whole `batch`; to the deviation of their `group`; or `none`.
        group: attempts at one instance, played by neighbouring rows.
        drop_decided: leave out groups whose attempts all got the same (DAPO's dynamic sampling as
            weights: the batch keeps its shape).
        ratio: of probabilities, per `token`, or geometric mean over a `turn` or an episode
            (`sequence`, GSPO).
        objective: `clip` (PPO), `cispo`, or `reinforce` without a ratio.
        aggregation: `token-mean`, `seq-mean-token-mean`, `seq-mean-token-sum` or
            `seq-mean-token-sum-norm`; a sequence is an episode.
        kl: divergence from the reference policy: `none`; in the loss `exact` over all words, or
            from the word said `k2` or `k3+`, whose gradients are the divergence's, or `k3`, whose
            gradient is the reverse divergence's; in the reward `k1`. The others would pull
            nowhere: the gradient of k1 in the loss is 0 on average, and an exact divergence in the
            reward does not depend on the word that earns it. All but `none` cost a forward pass.
        consolidates: hold the parameters to a memory of earlier stages (elastic weights).
        epochs: passes over a rollout.
        minibatch: packed rows of a gradient step, or of a part of it where there is only one.
    """

    advantage: str = "turn"
    cut: str = "end"
    normalisation: str = "environment"
    group: int = 1
    drop_decided: bool = False
    ratio: str = "token"
    objective: str = "clip"
    aggregation: str = "token-mean"
    kl: str = "none"
    consolidates: bool = False
    epochs: int = 1
    minibatch: int = 8

    def __post_init__(self) -> None:
        if callable(self.advantage):
            raise ValueError("advantage=a function: expected its name; see register_advantage")
        check_option("advantage", self.advantage, (*ADVANTAGES, *OWN_ADVANTAGES))
        check_option("cut", self.cut, CUTS)
        check_option("normalisation", self.normalisation, NORMALISATIONS)
        check_option("ratio", self.ratio, RATIOS)
        check_option("objective", self.objective, OBJECTIVES)
        check_option("aggregation", self.aggregation, AGGREGATIONS)
        check_option("kl", self.kl, DIVERGENCES)
        for name, most in (("epochs", 1000), ("minibatch", 2**20), ("group", 2**20)):
            check_whole(name, getattr(self, name), 1, most)
        for name in ("drop_decided", "consolidates"):
            check_flag(name, getattr(self, name))
        compared = self.advantage in GROUP_ADVANTAGES or self.drop_decided
        if compared and self.group < 2:
            raise ValueError(f"group={self.group}: expected at least 2 attempts to compare")
        if self.normalisation == "group" and self.advantage not in GROUP_ADVANTAGES:
            options = ", ".join(GROUP_ADVANTAGES)
            raise ValueError(f"normalisation='group': expected an advantage among {options}")

    @property
    def bootstraps(self) -> bool:
        """Whether an episode counts that the end of the rollout cut off."""
        return self.advantage in BOOTSTRAPPED or OWN_ADVANTAGES.get(self.advantage, False)

    def played(self, window: Window) -> Window:
        """The window as the algorithm needs it played."""
        anchors, whole = self.advantage == "anchor", not self.bootstraps
        return replace(window, group=self.group, whole=whole, anchors=anchors)

    @property
    def on_policy(self) -> bool:
        """Whether the loss is right only for the policy that played: the minibatches of an epoch
        are added up to one gradient step."""
        return self.objective == "reinforce"

    @property
    def measures_kl(self) -> bool:
        """Whether there is a reference policy to compute."""
        return self.kl != "none"

    @property
    def pays_kl(self) -> bool:
        """Whether the divergence is taken off the rewards; else it is part of the loss."""
        return self.kl == "k1"


class Hyper(flax.struct.PyTreeNode):
    """The traced parts: every leaf may differ between the members of a population.

    Attributes:
        learning_rate: of Adam, the peak of its schedule.
        warmup: share of the training over which it rises; the first update takes a step too.
        final_rate: share of it that is left at the end, and beyond; it falls linearly.
        gamma: discount per turn.
        lam: λ of the advantage estimation, per turn.
        anchor: weight of the comparison by state, beside that of whole episodes (GiGPO's ω).
        invalid_penalty: taken off the reward of an action that is no command or did nothing
            (verl-agent and RAGEN take 0.1); metrics show the reward without it.
        overlong: penalty of an episode that takes all its turns.
        overlong_share: last share of the turn limit, over which that penalty rises from 0.
        reference_decay: of the reference policy as a moving average of the parameters, per
            update; 1 keeps it as it was at the start.
        consolidation: weight of the drift from the memory of earlier stages.
        max_gradient: global norm to which gradients are clipped.
        weights: of the parts of the loss.
    """

    learning_rate: Scalar = 3e-4
    warmup: Scalar = 0.02
    final_rate: Scalar = 0.4
    gamma: Scalar = 0.99
    lam: Scalar = 0.95
    anchor: Scalar = 1.0
    invalid_penalty: Scalar = 0.03
    overlong: Scalar = 0.0
    overlong_share: Scalar = 0.2
    reference_decay: Scalar = 1.0
    consolidation: Scalar = 0.0
    max_gradient: Scalar = 0.5
    weights: Weights = field(default_factory=Weights)

    def __post_init__(self) -> None:
        check_written(self)

    def rate_at(
        self, progress: jax.typing.ArrayLike, share: jax.typing.ArrayLike = 0.0
    ) -> jax.Array:
        """Return the learning rate of an update.

        Of n updates after a warmup over w of them, update i has the rate
        `min((i + 1) / w, 1) (1 − (1 − final_rate) i / n)` times the peak.

        Args:
            progress: share of the training that is done before the update, i / n. Above 1 the
                rate is that at 1.
            share: of the training that the update is, 1 / n.
        """
        done = jax.numpy.clip(progress, 0.0, 1.0)
        warm = done + share >= self.warmup
        rise = jax.numpy.where(warm, 1.0, (done + share) / jax.numpy.maximum(self.warmup, 1e-9))
        return self.learning_rate * rise * (1.0 - (1.0 - self.final_rate) * done)


_NO_CRITIC = Hyper(gamma=1.0, weights=Weights(value=0.0))
_RETURN = Algorithm(advantage="return", normalisation="none", objective="reinforce", epochs=1)
_GROUP = Algorithm(advantage="group", normalisation="group", group=8)
_BY_EPISODE = replace(_GROUP, aggregation="seq-mean-token-mean")

NAMED: dict[str, tuple[Algorithm, Hyper]] = {
    "ppo": (Algorithm(), Hyper()),
    "ppo-bootstrap": (Algorithm(cut="bootstrap"), Hyper()),
    "ppo-token": (Algorithm(advantage="token"), Hyper()),
    "ppo-bi-level": (Algorithm(advantage="bi-level"), Hyper()),
    "ppo-kl": (Algorithm(kl="exact"), Hyper(weights=Weights(kl=0.05))),
    "reinforce": (_RETURN, _NO_CRITIC.replace(gamma=0.99)),
    "rebn": (replace(_RETURN, normalisation="batch"), _NO_CRITIC.replace(gamma=0.99)),
    "reinforce++": (
        Algorithm(advantage="return", normalisation="batch", kl="k1"),
        _NO_CRITIC.replace(weights=Weights(value=0.0, kl=0.001)),
    ),
    "reinforce++-baseline": (replace(_GROUP, normalisation="batch"), _NO_CRITIC),
    "rloo": (replace(_GROUP, advantage="leave-one-out", normalisation="none"), _NO_CRITIC),
    "grpo": (_BY_EPISODE, _NO_CRITIC),
    "dr-grpo": (
        replace(_GROUP, normalisation="none", aggregation="seq-mean-token-sum-norm"),
        _NO_CRITIC,
    ),
    "gspo": (
        replace(_BY_EPISODE, ratio="sequence"),
        _NO_CRITIC.replace(weights=Weights(value=0.0, clip_low=3e-4, clip_high=4e-4)),
    ),
    "cispo": (
        replace(_GROUP, objective="cispo"),
        _NO_CRITIC.replace(weights=Weights(value=0.0, clip_low=1.0, clip_high=4.0)),
    ),
    "dapo": (
        replace(_GROUP, drop_decided=True),
        _NO_CRITIC.replace(overlong=1.0, weights=Weights(value=0.0, clip_high=0.28)),
    ),
    "gigpo": (replace(_BY_EPISODE, advantage="anchor"), _NO_CRITIC.replace(gamma=0.95)),
}
"""Named points. What a paper leaves open is as in the others: the same learning rate, clipping,
entropy bonus, epochs and minibatches. Sources: PPO (Schulman et al. 2017, arXiv 1707.06347) with
credit per turn, token or both (RAGEN, arXiv 2504.20073); ReBN (GEM, arXiv 2510.01051); REINFORCE++
(arXiv 2501.03262); RLOO (arXiv 2402.14740); GRPO (arXiv 2402.03300); Dr.GRPO (arXiv 2503.20783);
GSPO (arXiv 2507.18071); CISPO (arXiv 2506.13585); DAPO (arXiv 2503.14476); GiGPO (arXiv
2505.10978)."""

BUILT_IN = tuple(NAMED)

ALGORITHMS: Mapping[str, tuple[Algorithm, Hyper]] = MappingProxyType(NAMED)
"""The named points, those of `register_algorithm` behind ours."""
