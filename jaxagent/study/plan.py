"""Plans: what a study trains and measures, as plain values."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any

from jaxagent.envs import Suite, make_suite
from jaxagent.models import SIZES
from jaxagent.rl.algorithm import ALGORITHMS, Algorithm, Hyper
from jaxagent.rl.loss import Weights
from jaxagent.rl.window import Window
from jaxagent.study import ranges
from jaxagent.study.escapes import quoted
from jaxagent.study.names import check_name, check_text
from jaxagent.study.stage import ADAPTIVE, MIXTURE, Stage, parse_arm
from jaxagent.text import HELD_OUT


@dataclass(frozen=True)
class BasePlan:
    """How the base policy is made: supervised fine-tuning on demonstrations."""

    tasks: tuple[str, ...] = ()
    """Tasks that are demonstrated; empty for the study's training tasks."""
    shares: tuple[float, ...] = ()
    """Weight of each of them; empty for equal ones. They set how well each is learnt."""
    updates: int = 36
    """Updates; each plays fresh demonstrations and passes over them once. 0 leaves it untrained."""
    noise: float = 0.1
    """Probability of a random valid command instead of the expert's."""
    slips: float = 0.15
    """Probability of the expert's command with a mistake in one argument: shows errors, and how to
    go on behind them."""
    clean: bool = True
    """Learn the experts' commands only; if not, the random ones too, which makes a policy that
    speaks well and knows little."""
    rows: int = 128
    """Demonstrations side by side."""
    turns: int = 16
    """Turns that each row plays per update."""
    minibatch: int = 8
    """Packed rows of a gradient step."""
    learning_rate: float = 2e-3
    """Peak learning rate of Adam."""


@dataclass(frozen=True)
class TrainPlan:
    """How a policy is trained by reinforcement in one stage."""

    algorithm: str = "ppo"
    """Named algorithm that the fields below refine."""
    updates: int = 40
    """Updates per stage."""
    stage_updates: tuple[int, ...] = ()
    """Updates of a stage on each environment, in the order of the study's tasks, since some need
    more turns than others; a mixture of several gets their mean. Empty for `updates` in all."""
    rows: int = 128
    """Episodes side by side."""
    turns: int = 32
    """Turns that each row plays per update."""
    epochs: int | None = None
    """Passes over a rollout; by default the algorithm's."""
    minibatch: int = 8
    """Packed rows of a gradient step."""
    learning_rate: float = 3e-4
    """Peak learning rate of Adam."""
    gamma: float | None = None
    """Discount per turn; by default the algorithm's."""
    lam: float = 0.95
    """Decay of the advantage estimation, per turn."""
    final_rate: float = 0.4
    """Share of the learning rate that is left at the end of a stage."""
    rule: str = "static"
    """What shifts the weights of a stage's tasks by success: static, balance, learnability,
    progress or bandit."""
    invalid_penalty: float = 0.03
    """Taken off the reward of an action that could not be read or had no effect."""
    clip: float | None = None
    """Half-width of the ratio's clipping; by default the algorithm's."""
    entropy: float = 0.003
    """Weight of the entropy bonus."""
    kl: float | None = None
    """Weight of the KL divergence from the policy at the start of the stage; by default the
    algorithm's, which is mostly 0 and then not measured."""


@dataclass(frozen=True)
class EvaluationPlan:
    """How policies are measured, on instances held out from training."""

    tasks: tuple[str, ...] = ()
    """Tasks that every policy is measured on; empty for the training tasks."""
    instances: int = 128
    """Instances per task."""
    first: int = 0
    """Number of the first instance: measure on others than settings were tuned on."""
    attempts: int = 2
    """Episodes per instance."""
    temperature: float = 1.0
    """At which words are sampled."""
    context: int = 0
    """Tokens of an episode at most; 0 for as many as in training. Some interfaces need more."""

    @property
    def rows(self) -> int:
        """Episodes side by side."""
        return min(self.instances * self.attempts, 256)


@dataclass(frozen=True)
class StudyPlan:
    """A study: a base policy, arms of training stages, and a measurement behind every stage."""

    name: str
    """Name of the study, and of its folder under runs/."""
    tasks: tuple[str, ...]
    """Tasks that reinforcement trains on."""
    about: str = ""
    """What the study asks, in a sentence for its report."""
    arms: tuple[str, ...] = (MIXTURE,)
    """Stages joined by `>`: a stage is a list of tasks, where an environment's name stands for its
    training tasks and `mixture` for all, and may have options behind `@` (see
    `jaxagent.study.stage`). Arms share the stages that they begin with."""
    variants: tuple[str, ...] = ()
    """Versions of the whole study, `NAME: FIELD=VALUE …`, e.g. `weak: base.updates=4`."""
    seeds: int = 1
    """Independent repetitions, the base policy included."""
    model: str = "tiny"
    """Size of the policy."""
    context: int = 256
    """Tokens of an episode at most."""
    action_tokens: int = 0
    """Words of a command at most; 0 for the longest."""
    think: int = 0
    """Words of scratch before every command, chosen freely and read by nobody but the policy."""
    base: BasePlan = field(default_factory=BasePlan)
    """The base policy."""
    train: TrainPlan = field(default_factory=TrainPlan)
    """The training stages."""
    evaluation: EvaluationPlan = field(default_factory=EvaluationPlan)
    """The measurements."""

    def __post_init__(self) -> None:
        check_name("name", self.name)
        self._check_texts()
        for name in ranges.PLAN:
            ranges.check(name, _nested(self, name), ranges.PLAN)
        _check_option("model", self.model, SIZES)
        _check_option("train.algorithm", self.train.algorithm, ALGORITHMS)
        _check_option("train.rule", self.train.rule, ADAPTIVE)
        if self.base.noise + self.base.slips > 1:
            both = f"base.noise={self.base.noise}, base.slips={self.base.slips}"
            raise ValueError(f"{both}: expected at most 1 together")
        if self.base.clean and self.base.noise + self.base.slips >= 1:
            both = f"base.noise={self.base.noise}, base.slips={self.base.slips}"
            raise ValueError(
                f"{both}: expected less than 1 together, or base.clean=false, since nothing of the "
                "experts' would be left to learn"
            )
        suites = (make_suite(self.tasks), make_suite(self.measured), make_suite(self.demonstrated))
        _check_trainable("tasks", suites[0])
        _check_trainable("base.tasks", suites[2])
        self.base_weights()
        if len(self.train.stage_updates) not in (0, len(self.environments)):
            raise ValueError(
                f"train.stage_updates={self.train.stage_updates}: expected a number for each of "
                f"{', '.join(self.environments)}"
            )
        every = {stage.tasks: stage for arm in self.stages for stage in arm}
        for tasks, stage in every.items():
            _check_trainable("arms", make_suite(tasks))
            self.training_window(stage).check(make_suite(tasks))
        for arm in self.stages:
            for stage in arm:
                ranges.check("train.updates", self.updates_of(stage), ranges.PLAN)
        self.evaluation_window().check(suites[1])
        self.window(self.base.rows, self.base.turns).check(suites[2])

    def _check_texts(self) -> None:
        """What is made of texts is neither endless nor hides anything."""
        for name in ("tasks", "arms", "variants", "base.tasks", "evaluation.tasks"):
            values = _nested(self, name)
            ranges.check_length(name, values)
            for text in values:
                check_text(name, text)
        check_text("about", self.about)
        if not self.arms:
            raise ValueError("arms: expected at least one")

    @property
    def stages(self) -> tuple[tuple[Stage, ...], ...]:
        """The stages of every arm."""
        return tuple(parse_arm(arm, self.tasks) for arm in self.arms)

    @property
    def measured(self) -> tuple[str, ...]:
        """Tasks that every policy is measured on."""
        return self.evaluation.tasks or self.tasks

    @property
    def demonstrated(self) -> tuple[str, ...]:
        """Tasks that the base policy is shown."""
        return self.base.tasks or self.tasks

    def base_weights(self) -> dict[str, float]:
        """How often each demonstrated task is shown."""
        shares = self.base.shares or (1.0,) * len(self.demonstrated)
        if len(shares) != len(self.demonstrated) or sum(shares) < 1e-6:
            raise ValueError(
                f"base.shares={shares}: expected {len(self.demonstrated)} weights, not all 0"
            )
        return dict(zip(make_suite(self.demonstrated).names, shares, strict=True))

    def window(self, rows: int, turns: int) -> Window:
        """A rollout of that size under the study's limits."""
        return Window(rows, turns, self.context, self.action_tokens, self.think)

    def training_window(self, stage: Stage | None = None) -> Window:
        """A rollout of the training, as its algorithm needs it played."""
        return self.algorithm(stage).played(self.window(self.train.rows, self.train.turns))

    def evaluation_window(self) -> Window:
        """A batch of evaluation episodes."""
        context = self.evaluation.context or self.context
        return Window(self.evaluation.rows, 1, context, self.action_tokens, self.think)

    def algorithm(self, stage: Stage | None = None) -> Algorithm:
        """Static parts of the training, those of the stage's options included."""
        train, (base, _) = self.train, ALGORITHMS[self.train.algorithm]
        holds = (stage and stage.kl) or train.kl
        measured = "exact" if holds and not base.measures_kl else base.kl
        epochs = base.epochs if train.epochs is None else train.epochs
        return dataclasses.replace(
            base,
            epochs=epochs,
            minibatch=train.minibatch,
            kl=measured,
            consolidates=bool(stage and stage.ewc),
        )

    def hyper(self, stage: Stage | None = None) -> Hyper:
        """Traced parts of the training, those of the stage's options included."""
        train, (_, base) = self.train, ALGORITHMS[self.train.algorithm]
        weights: Weights = base.weights.replace(entropy=train.entropy)
        if train.clip is not None:
            weights = weights.replace(clip_low=train.clip, clip_high=train.clip)
        kl = stage.kl if stage and stage.kl else train.kl
        if kl is not None:
            weights = weights.replace(kl=kl)
        return base.replace(
            learning_rate=train.learning_rate,
            final_rate=train.final_rate,
            gamma=base.gamma if train.gamma is None else train.gamma,
            lam=train.lam,
            invalid_penalty=train.invalid_penalty,
            consolidation=stage.ewc if stage else 0.0,
            weights=weights,
        )

    @property
    def environments(self) -> tuple[str, ...]:
        """Environments of the training tasks, in their order."""
        return tuple(dict.fromkeys(task.environment for task in make_suite(self.tasks).tasks))

    def updates_of(self, stage: Stage) -> int:
        """Updates of a training stage: the mean of its environments' times the stage's factor."""
        own = self.train.stage_updates or (self.train.updates,) * len(self.environments)
        known = dict(zip(self.environments, own, strict=True))
        each = [known.get(name, sum(own) / len(own)) for name in stage.environments]
        return max(1, round(stage.times * sum(each) / len(each)))


def as_json(plan: Any) -> dict[str, Any]:
    """The plan as nested dictionaries and lists, ready for JSON."""
    return json.loads(json.dumps(dataclasses.asdict(plan)))


def _nested(plan: Any, dotted: str) -> Any:
    """The value of a field, given its dotted name."""
    for name in dotted.split("."):
        plan = getattr(plan, name)
    return plan


def _check_trainable(name: str, suite: Suite) -> None:
    """Content and interfaces that are held out would not be, once somebody trained on them."""
    for task in suite.tasks:
        if task.split == "unseen" or task.interface in HELD_OUT:
            raise ValueError(
                f"{name}: {task} is for evaluation alone, expected seen content and "
                f"an interface other than {', '.join(HELD_OUT)}"
            )


def _check_option(name: str, value: str, options: Any) -> None:
    if value not in options:
        raise ValueError(f"{name}={quoted(value)}: expected one of {', '.join(options)}")
