"""What tasks there are: environments, levels, interfaces, lexicons and switches."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from jaxagent.envs.environment import SPLITS
from jaxagent.envs.registry import ENVIRONMENTS
from jaxagent.text import ASIDE_COUNTS, ERRORS, INTERFACES, LEXICONS, LISTINGS


def as_json() -> dict[str, Any]:
    """Everything a task's name is made of.

    Returns:
        `environments`, a list of `{name, levels, facts, verbs}` with `levels` a list of
        `{name, task, turn_limit, summary}`; and the lists `interfaces`, `lexicons`, `list` and
        `errors`, the default of each first.
    """
    environments = [
        {
            "name": each.name,
            "levels": [
                {
                    "name": name,
                    "task": f"{each.name}/{name}",
                    "turn_limit": int(level.turn_limit),
                    "summary": level.summary,
                }
                for name, level in each.levels.items()
            ],
            "facts": [fact.name for fact in each.schema.own_facts],
            "verbs": [verb.name for verb in each.schema.own_verbs],
        }
        for each in ENVIRONMENTS
    ]
    return {
        "environments": environments,
        "interfaces": list(INTERFACES),
        "lexicons": list(LEXICONS),
        "list": list(LISTINGS),
        "errors": list(ERRORS),
        "asides": list(ASIDE_COUNTS),
        "splits": list(SPLITS),
    }


def show(console: Console) -> None:
    """The same as tables for people."""
    content = as_json()
    tasks = Table(title="Tasks")
    tasks.add_column("task", no_wrap=True)
    tasks.add_column("turns", justify="right")
    tasks.add_column("what")
    for environment in content["environments"]:
        for level in environment["levels"]:
            tasks.add_row(level["task"], str(level["turn_limit"]), level["summary"])
    console.print(tasks)
    modifiers = Table("modifier", "what", title="Modifiers, added with +")
    modifiers.add_row(" | ".join(content["lexicons"]), "which words name things")
    modifiers.add_row(" | ".join(content["interfaces"]), "how facts and commands are put")
    modifiers.add_row("list:" + " | ".join(content["list"]), "when valid commands are listed")
    modifiers.add_row("errors:" + " | ".join(content["errors"]), "what is said of failed commands")
    counts = " | ".join(map(str, content["asides"]))
    modifiers.add_row(f"asides:{counts}", "remarks without a meaning for the goal, per message")
    modifiers.add_row(" | ".join(content["splits"]), "content of training, or held out of it")
    console.print(modifiers)
