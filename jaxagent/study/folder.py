"""The output folder of a study, which holds that study and no other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jaxagent.study.escapes import quoted
from jaxagent.study.files import read_json, write_json
from jaxagent.study.places import check_folder


def claim_folder(folder: Path, plan: dict[str, Any], name: str = "plan.json") -> None:
    """Makes `folder` the plan's own, which is kept in the file `name`.

    Raises:
        ValueError: it holds another study, or files that are no study's, or is no folder.
        Unwritable: the disk takes no files there.
    """
    check_folder("output folder", folder)
    path = folder / name
    if path.exists():
        difference = _first_difference(read_json(path), plan)
        if difference:
            raise ValueError(
                f"output folder {folder} holds another study: {difference}; "
                "choose another folder or delete it"
            )
        return
    if folder.exists() and any(not each.name.startswith(".") for each in folder.iterdir()):
        raise ValueError(f"output folder {folder} is not empty and holds no study")
    folder.mkdir(parents=True, exist_ok=True)
    write_json(path, plan)
    # Of two processes that come at the same time with different plans, one has to notice.
    difference = _first_difference(read_json(path), plan)
    if difference:
        raise ValueError(f"output folder {folder} was taken by another study: {difference}")


def _first_difference(old: Any, new: Any, path: str = "") -> str:
    if isinstance(old, dict) and isinstance(new, dict):
        for name in {**old, **new}:
            found = _first_difference(old.get(name), new.get(name), f"{path}.{name}".lstrip("."))
            if found:
                return found
        return ""
    return "" if old == new else f"{path} is {quoted(old)} there, {quoted(new)} here"
