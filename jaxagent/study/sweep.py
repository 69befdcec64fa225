"""Running a sweep: workers that finish its shards, and what has become of them."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from jaxagent.envs import make_suite
from jaxagent.study.files import Unwritable, read_json, remove_leftovers, write_json
from jaxagent.study.folder import claim_folder
from jaxagent.study.processes import by_first, exist, first_says, is_first
from jaxagent.study.runner import Progress
from jaxagent.study.stop import Stopped
from jaxagent.study.sweep_plan import Shard, SweepPlan, as_values, kept_sweep
from jaxagent.study.sweep_rounds import are_finished, known_shards, rounds_of, shard_folder
from jaxagent.study.sweep_shard import RESULT, Held, Workshop, read_results, run_shard
from jaxagent.study.watchdog import abandon, farewell
from jaxagent.sweep.shards import Lost, claim, is_claimed, own_shards

WAIT = 5.0
"""Seconds between two looks for a shard whose worker may have died."""


@dataclass(frozen=True)
class Status:
    """How far a sweep is; the numbers are of members, at their last round.

    Attributes:
        members: of the shards that are known by now.
        finished: measured.
        running: of shards that a living worker has.
        failed: of those finished, whose training gave a number that is not finite.
        missing: neither finished nor running.
        complete: whether nothing is left, further rounds included.
    """

    members: int
    finished: int
    running: int
    failed: int
    missing: int
    complete: bool

    @property
    def as_json(self) -> dict[str, int | bool]:
        """For machines."""
        return asdict(self)


def run(
    sweep: SweepPlan, folder: Path, index: str, progress: Progress, strict: bool = False
) -> None:
    """Works on a sweep until there is nothing left for this worker.

    Args:
        sweep: the sweep.
        folder: of its results, which all workers share.
        index: `auto`, `claim`, or `i/n` for the i-th of n workers: see `own_shards`. Sweeps of
            several rounds always claim.
        progress: told of all long work.
        strict: refuse to go on with what was made under other versions, devices or flags.

    Raises:
        Stopped: a signal came; the same call goes on from there.
        ValueError: the folder holds another sweep, or there is no such shard.
        Unwritable: the disk is full, or gone.
    """
    own = None
    if len(rounds_of(sweep)) == 1:  # an index that is none is said before anything is written
        own = own_shards(index, len(known_shards(sweep, folder)[0]), os.environ)
    by_first(partial(claim_sweep, sweep, folder), ValueError, OSError)
    by_first(partial(remove_leftovers, folder), OSError)
    workshop = Workshop(strict)
    while left := _left(sweep, folder, own):
        if not any(_attempt(shard, folder, progress, workshop) for shard in left):
            time.sleep(WAIT)


def claim_sweep(sweep: SweepPlan, folder: Path) -> None:
    """Make `folder` the sweep's own, as `claim_folder` does.

    Raises:
        ValueError: it holds another sweep, shards that were cut in another way, or members that
            were made with another vocabulary.
    """
    values = as_values(sweep)
    try:
        same = as_values(kept_sweep(folder)) == values
    except (ValueError, OSError):
        same = False
    if not same:
        claim_folder(folder, values, "sweep.json")
    _claim_words(sweep, folder)
    for shard in known_shards(sweep, folder)[0]:
        path = shard_folder(folder, shard) / RESULT
        found = {row.member for row in read_results([path.parent])}
        if found and found != {member.name for member in shard.members}:
            raise ValueError(
                f"{path}: holds other members than this version would train; collect what is "
                "there, and run the sweep in another folder"
            )


def _claim_words(sweep: SweepPlan, folder: Path) -> None:
    """All members of a sweep have to be made in one vocabulary: see `claim_sweep`."""
    vocabulary = make_suite(sweep.unchanged.tasks).language.vocabulary
    now = {"words": len(vocabulary), "fingerprint": vocabulary.fingerprint}
    path = folder / "vocabulary.json"
    if not path.exists():
        write_json(path, now)
    elif (then := read_json(path)) != now:
        raise ValueError(
            f"output folder {folder}: its members were made with a vocabulary of {then['words']} "
            f"words, which now has {now['words']}, as environments were added or changed; collect "
            "what is there, and run the sweep in another folder"
        )


def status(sweep: SweepPlan, folder: Path) -> Status:
    """How far the sweep in a folder is."""
    shards, more = known_shards(sweep, folder)
    done = [s for s, ended in zip(shards, are_finished(shards, folder), strict=True) if ended]
    going = [s for s in shards if s not in done and is_claimed(shard_folder(folder, s))]
    rows = read_results([shard_folder(folder, shard) for shard in done])
    failed = {(row.shard, row.member) for row in rows if row.alive == "no"}
    there = {(row.shard, row.member) for row in rows}
    finished = sum((s.number, member.name) in there for s in done for member in s.members)
    members, running = (sum(len(shard.members) for shard in group) for group in (shards, going))
    missing = members - finished - running
    complete = finished == members and not more
    return Status(members, finished, running, len(failed), missing, complete)


def _left(sweep: SweepPlan, folder: Path, own: range | None) -> list[Shard]:
    """The shards that are not finished, of this worker's own if it has some."""
    if not all(exist([folder / "sweep.json"])):
        raise Unwritable(f"output folder {folder}: has vanished")
    shards = [s for s in known_shards(sweep, folder)[0] if own is None or s.number in own]
    ended = are_finished(shards, folder)
    return [shard for shard, done in zip(shards, ended, strict=True) if not done]


def _attempt(shard: Shard, folder: Path, progress: Progress, workshop: Workshop) -> bool:
    """Whether the shard could be claimed; then it is finished now, or another worker's."""
    place = shard_folder(folder, shard)
    with _claim(place) as held:
        if held is None:
            return False
        if not all(are_finished([shard], folder)):
            try:
                run_shard(shard, place, folder / "phases", held, progress, workshop)
            except Lost as lost:
                progress.note(f"shard {lost}")
                abandon()
            except Stopped as stop:
                raise Stopped(f"shard {shard.name} {stop}", stop.number) from None
            except Exception:
                if not held.is_lost():
                    raise
                progress.note(f"shard {shard.name}: taken over by another worker meanwhile")
                abandon()  # threads still write to what is not there any more
    return True


@contextlib.contextmanager
def _claim(place: Path) -> Iterator[Held | None]:
    """Claims a shard's folder: see `claim`."""
    with claim(place) if is_first() else contextlib.nullcontext() as mine:
        if held := bool(first_says(mine is not None)[0]):
            by_first(partial(remove_leftovers, place), OSError)
        with farewell(mine.give_back) if mine else contextlib.nullcontext():
            yield Held(mine) if held else None
