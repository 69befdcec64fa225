"""Tables for the pages on environments: what the expert and chance reach, level by level.

python scripts/expert_turns.py maze wordle --episodes 512
"""

from __future__ import annotations

import argparse

import numpy as np

from jaxagent.envs import make_suite
from jaxagent.envs.environment import SPLITS, Environment
from jaxagent.envs.registry import ENVIRONMENTS
from jaxagent.rl.evaluation import Outcome, evaluate
from jaxagent.rl.imitation import Expert
from jaxagent.rl.window import Window

ROWS = 256
"""Episodes side by side."""


def played(task: str, noise: float, episodes: int) -> Outcome:
    """What the expert does where a share of its turns are random valid commands."""
    suite = make_suite(task)
    tokens = suite.first_tokens + suite.step_tokens + 2 * suite.action_tokens
    window = Window(min(ROWS, episodes), 1, context=100 * tokens)
    return evaluate(Expert(suite, noise), {}, 0, episodes, 1, window)[0]


def lines(environment: Environment, episodes: int) -> list[str]:
    """Rows of a Markdown table."""
    rows = ["| task | solved | turns: mean, median, 99 % | limit | by chance |", "|" + " --- |" * 5]
    for name, level in environment.levels.items():
        for split in SPLITS:
            if level.params_of(split) is None:
                continue
            task = f"{environment.name}/{name}" + (f"+{split}" if split != SPLITS[0] else "")
            expert, chance = (played(task, noise, episodes) for noise in (0.0, 1.0))
            mean, (middle, most) = expert.turns.mean(), np.percentile(expert.turns, (50, 99))
            turns = f"{mean:.1f}, {middle:.0f}, {most:.0f}"
            solved, luck = 100 * expert.success.mean(), 100 * chance.success.mean()
            limit = level.turn_limit
            rows.append(f"| `{task}` | {solved:.1f} % | {turns} | {limit} | {luck:.1f} % |")
    return rows


def main() -> None:
    """Prints a table for every environment that is asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    names = [each.name for each in ENVIRONMENTS]
    parser.add_argument("environments", nargs="*", choices=[[], *names], help="default: all")
    parser.add_argument("--episodes", type=int, default=512, help="per task")
    arguments = parser.parse_args()
    for environment in ENVIRONMENTS:
        if not arguments.environments or environment.name in arguments.environments:
            print("\n".join(["", *lines(environment, arguments.episodes)]), flush=True)


if __name__ == "__main__":
    main()
