"""jaxagent: what does reinforcement fine-tuning teach a language agent that carries over?

The names a researcher needs, from making a suite to measuring a policy on it:

    suite = jaxagent.make_suite("textcraft/easy, babyai/easy")
    actor = jaxagent.Actor("tiny", suite)
    learner = jaxagent.Learner(actor, algorithm="grpo")
    state = learner.start(actor.policy.init(jax.random.key(0)), jax.random.key(1))
    state, curves = learner.run(state)
    outcome, scripts = jaxagent.evaluate(actor, state.params, "babyai/easy")

They stand in `jaxagent.api`, and are imported when the first of them is used: JAX takes seconds to
import, in which the shell's command already has to listen for signals.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxagent.api import *  # noqa: F403

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Finds a public name, or a part of the package that they need."""
    if not name.startswith("_") or name == "__all__":
        api = import_module("jaxagent.api")
        for names in (vars(api), globals()):
            if name in names:
                return names[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Lists the public names, too."""
    return sorted({*globals(), *import_module("jaxagent.api").__all__})
