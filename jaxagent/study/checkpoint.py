"""Checkpoints: everything a run is, written by Orbax, all or nothing."""

from __future__ import annotations

import dataclasses
import shutil
import warnings
from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp

from jaxagent.envs import Suite
from jaxagent.models import Policy
from jaxagent.rl.window import Window
from jaxagent.study.files import Unwritable
from jaxagent.study.quiet import quiet
from jaxagent.study.watchdog import writing

KEPT = 2
"""Steps that a folder keeps, so that one is whole even while another is written."""

LIMITS = ("context", "action_tokens", "think")
"""Fields of a window that say what an episode is allowed; they are kept with the policy."""

MARGIN = 2**18
"""Bytes that the files of a checkpoint take beyond its arrays."""


class Checkpoints:
    """The checkpoints of one run in a folder, numbered by the updates done.

    Each holds the parameters, the rest of the run's state, and what is needed to build the policy.
    """

    def __init__(self, folder: Path | str):
        self.folder = Path(folder).resolve()
        # A process that was killed leaves half a checkpoint behind.
        options = ocp.CheckpointManagerOptions(
            max_to_keep=KEPT, create=True, cleanup_tmp_directories=True
        )
        self._manager = ocp.CheckpointManager(self.folder, options=options)

    def latest(self) -> int | None:
        """Number of the newest complete checkpoint, or None."""
        return self._manager.latest_step()

    def save(
        self, step: int, state: Any, policy: Policy, suite: Suite, window: Window | None = None
    ) -> None:
        """Writes `state`, a dataclass with a field `params`, or `members` that have one; returns
        when it is on disk.

        Args:
            step: updates done.
            state: of the run.
            policy: whose parameters are in it.
            suite: that it is trained on; its words are kept by their spelling.
            window: that it is trained in; its limits are kept.

        Raises:
            Unwritable: it cannot be; the checkpoints before it stay.
        """
        self._check_space(state)
        about = {
            "model": dataclasses.asdict(policy.config),
            "words": list(suite.language.vocabulary.words),
            "tasks": list(suite.names),
            "limits": {name: getattr(window, name) for name in LIMITS} if window else None,
            "members": len(state.alive) if hasattr(state, "members") else None,
        }
        params, rest = _split(state)
        items = ocp.args.Composite(
            params=ocp.args.StandardSave(params),
            rest=ocp.args.StandardSave(rest),
            about=ocp.args.JsonSave(about),
        )
        try:
            with writing(), quiet():
                self._manager.save(step, args=items)
                self._manager.wait_until_finished()
        except (OSError, ValueError) as error:  # ValueError is what TensorStore makes of the former
            for half in self.folder.glob(f"{step}.*tmp*"):
                shutil.rmtree(half, ignore_errors=True)
            raise Unwritable(f"checkpoint {self.folder / str(step)}: {_cause(error)}") from None

    def _check_space(self, state: Any) -> None:
        """What is known to fail is not begun."""
        if not self.folder.is_dir():
            raise Unwritable(f"checkpoint {self.folder}: the folder has vanished")
        needed = sum(leaf.nbytes for leaf in jax.tree.leaves(state)) + MARGIN
        free = shutil.disk_usage(self.folder).free
        if free < needed:
            raise Unwritable(
                f"checkpoint {self.folder}: No space left on device: {free / 1e6:.1f} MB are free, "
                f"{needed / 1e6:.1f} MB are needed"
            )

    def restore(self, like: Any) -> Any:
        """The newest state that can be read, with the structure, shapes, types and devices of
        `like`. Newer ones that cannot, truncated or broken, are removed with a warning.

        Raises:
            ValueError: there is none; nothing is removed.
        """
        broken: dict[int, str] = {}
        for step in sorted(self._manager.all_steps(), reverse=True):
            try:
                found = self._read(step, like)
            except Exception as error:  # Orbax has no one error for what is truncated or broken.
                broken[step] = (str(error).strip().splitlines() or [type(error).__name__])[0]
                continue
            for each, cause in broken.items():
                path = self.folder / str(each)
                warnings.warn(f"checkpoint {path}: removed, cannot be read: {cause}", stacklevel=2)
                self._manager.delete(each)
            return found
        causes = "; ".join(f"{step}: {cause}" for step, cause in broken.items())
        raise ValueError(f"checkpoint {self.folder}: none that can be read ({causes or 'empty'})")

    def _read(self, step: int, like: Any) -> Any:
        params, rest = _split(like)
        items = ocp.args.Composite(
            params=ocp.args.StandardRestore(abstract(params)),
            rest=ocp.args.StandardRestore(abstract(rest)),
        )
        restored = self._manager.restore(step, args=items)
        return _joined(restored["rest"], restored["params"])

    def close(self) -> None:
        """Releases the folder."""
        self._manager.close()


def _cause(error: BaseException) -> str:
    """What the system said, without the way it came."""
    told = getattr(error, "strerror", None) or str(error).strip().splitlines()[0]
    return f"cannot be written: {told.rpartition(': ')[2].partition(' [')[0]}"


def _split(state: Any) -> tuple[Any, Any]:
    """Parameters and the rest, since a policy is read back without the rest."""
    return getattr(state, "members", state).params, _joined(state, {})


def _joined(state: Any, params: Any) -> Any:
    """The state, or its members, with these parameters."""
    if hasattr(state, "members"):
        return state.replace(members=state.members.replace(params=params))
    return state.replace(params=params)


def abstract(tree: Any) -> Any:
    """Shapes, types and places of the leaves; what is not yet placed goes to the first device."""
    first = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])

    def describe(leaf: Any) -> jax.ShapeDtypeStruct:
        place = getattr(leaf, "sharding", None) or first
        return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=place)

    return jax.tree.map(describe, tree)
