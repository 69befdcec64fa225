"""The policies in a study's folder, by the names of their phases: `FOLDER` or `FOLDER:PHASE`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax

from jaxagent.envs import Suite
from jaxagent.models import Params
from jaxagent.study.config import from_values
from jaxagent.study.contents import checked
from jaxagent.study.names import check_text
from jaxagent.study.phase import BASE
from jaxagent.study.saved_policy import SavedPolicy, read_policy
from jaxagent.study.stage import STEP

INDEX = "policies.json"
"""File in a study's folder that says where the policy of each phase is kept."""

TRAINED, CHECKPOINTS = "trained.json", "checkpoints"
"""In the folder of a phase: what says that it needs no more training, and its checkpoints."""

LISTED = 12
"""Phases that a message names at most."""


@dataclass(frozen=True)
class Entry:
    """Where the policy of a phase is kept.

    Attributes:
        name: of the phase, its variant before it, `VARIANT: PHASE`, where there are several.
        seed: of the repetition.
        folder: of the phase.
        average: share of the parent's parameters in the policy.
        parent: folder of the phase that it goes on from; empty for a base policy.
    """

    name: str
    seed: int
    folder: str
    average: float = 0.0
    parent: str = ""


def open_policy(text: str, suite: Suite | None = None) -> SavedPolicy:
    """Read the policy that `text` names: see `read_policy`.

    Args:
        text: `FOLDER` or `FOLDER:PHASE`, of seed 0, or `FOLDER:PHASE@seedN`. The folder is a
            study's, a phase's, or one that `jaxagent.save` wrote. Without a phase, a study's
            folder stands for the phase that its one arm ends with.
        suite: in which it is to play; by default the tasks that it was trained on.

    Raises:
        ValueError: naming the phases that there are, where there is no such policy, or several.
    """
    folder, phase = _taken_apart(text)
    if not _is_study(folder):
        if phase:
            raise ValueError(f"policy {text!r}: {str(folder)!r} holds no study, expected no phase")
        inside = folder / CHECKPOINTS
        return read_policy(inside if inside.is_dir() else folder, suite)
    entries = entries_of(folder)
    chosen = _named(text, entries, phase) if phase else _last(text, folder, entries)
    return _opened(folder, entries, chosen, suite)


def entries_of(folder: Path) -> list[Entry]:
    """Where the policies of a study are kept: as its index says, or else those in `phases/`."""
    if (folder / INDEX).is_file():
        return [_entry(folder, each) for each in checked(folder / INDEX, [{}])]
    found = []
    for each in sorted((folder / "phases").glob("*-seed*-*")):
        seed = re.search(r"-seed(\d+)-[0-9a-f]+$", each.name)
        if seed and (each / TRAINED).is_file():
            name = checked(each / TRAINED, {}).get("name")
            check_text(f"{each / TRAINED}: name", str(name))
            found.append(Entry(str(name), int(seed[1]), f"phases/{each.name}"))
    return found


def last_phases(names: Sequence[str]) -> list[str]:
    """The phases that no other goes on from."""

    def goes_on(name: str) -> bool:
        root = name.removesuffix(BASE) if _is_base(name) else name + STEP
        return any(other.startswith(root) for other in names if other != name)

    return [name for name in names if not goes_on(name)]


def averaged(share: float, before: Params, params: Params) -> Params:
    """The parameters, and a share of those of the phase before (arXiv 2109.01903)."""
    return jax.tree.map(lambda old, new: share * old + (1 - share) * new, before, params)


def _is_base(name: str) -> bool:
    return name == BASE or name.endswith(f": {BASE}")


def _taken_apart(text: str) -> tuple[Path, str]:
    """The folder, which may have colons in its name, and the phase."""
    ends = [len(text), *(i for i in range(len(text) - 1, 0, -1) if text[i] == ":")]
    for end in ends:
        kind = _kind(text[:end])
        if kind == "folder":
            return Path(text[:end]), text[end + 1 :].strip()
        if kind == "file":
            raise ValueError(f"policy {text[:200]!r}: is a file, expected a folder")
    raise ValueError(
        f"policy {text[:200]!r}: no such folder; expected expert, random, FOLDER or FOLDER:PHASE"
    )


def _kind(path: str) -> str:
    """Tell what lies at a path: a folder, a file, or nothing that can be looked at."""
    try:
        found = Path(path)
        if not path:
            return ""
        return "folder" if found.is_dir() else "file" if found.exists() else ""
    except (OSError, ValueError):  # too long a name, a NUL in it, or no permission
        return ""


def _is_study(folder: Path) -> bool:
    return (folder / INDEX).is_file() or (folder / "phases").is_dir()


def _entry(folder: Path, values: Any) -> Entry:
    try:
        return from_values(Entry, values)
    except ValueError as error:
        raise ValueError(f"{folder / INDEX}: {error}") from None


def _named(text: str, entries: Sequence[Entry], phase: str) -> Entry:
    """The entry of a phase, with or without its variant and seed."""
    name, _, seed = phase.rpartition("@seed")
    name, number = (name, int(seed)) if name and seed.isdecimal() else (phase, 0)
    name = " ".join(name.split())
    every = [e for e in entries if name in (e.name, e.name.rpartition(": ")[2])]
    exact = [e for e in every if e.name == name] or every
    found = [e for e in exact if e.seed == number]
    if len(found) != 1:
        what = "several phases" if len(found) > 1 else "no phase"
        raise ValueError(f"policy {text!r}: {what} {phase!r}; expected one of {_list(entries)}")
    return found[0]


def _last(text: str, folder: Path, entries: Sequence[Entry]) -> Entry:
    """The entry that a folder stands for by itself."""
    if (folder / "sweep.json").is_file():
        raise ValueError(f"policy {text!r}: holds a sweep, expected the folder of a study")
    first = [entry for entry in entries if entry.seed == 0]
    last = last_phases(list(dict.fromkeys(entry.name for entry in first)))
    found = [entry for entry in first if entry.name in last]
    if len(found) == 1:
        return found[0]
    if not entries:
        raise ValueError(f"policy {text!r}: holds no policy that is trained")
    raise ValueError(f"policy {text!r}: holds several, expected {text}:PHASE of {_list(entries)}")


def _opened(
    folder: Path, entries: Sequence[Entry], entry: Entry, suite: Suite | None
) -> SavedPolicy:
    place = folder / entry.folder
    if not (place / TRAINED).is_file():
        done = [each for each in entries if (folder / each.folder / TRAINED).is_file()]
        raise ValueError(
            f"policy {str(folder)!r}: {entry.name!r} (seed {entry.seed}) is not trained; "
            f"expected one of {_list(done) or 'none so far'}"
        )
    found = read_policy(place / CHECKPOINTS, suite)
    if not entry.average:
        return found
    parent = next(each for each in entries if each.folder == entry.parent)
    before = _opened(folder, entries, parent, found.suite).params
    return found._replace(params=averaged(entry.average, before, found.params))


def _list(entries: Sequence[Entry]) -> str:
    """The phases, those of further seeds as `PHASE@seedN`."""
    names = [e.name if e.seed == 0 else f"{e.name}@seed{e.seed}" for e in entries]
    names = [repr(name) for name in dict.fromkeys(names)]
    return ", ".join(names[:LISTED] + ["…"] * (len(names) > LISTED))
