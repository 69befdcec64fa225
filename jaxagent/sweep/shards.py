"""Shards: parts of a sweep that workers claim from a folder, on a local disk or a shared one.

A claim is a file that only one worker can make; while its worker lives, its time is renewed. A
claim whose time stands still is taken over: whoever moves it away first may claim anew. Nothing
but the file system is needed, and nothing is lost with a worker but what it had not saved.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

BEAT = 5.0
"""Seconds between two signs of life."""

DEAD = 60.0
"""Seconds without one after which a claim is taken over; clocks may be apart by less than that."""

INDEX_VARIABLES = (
    "SLURM_ARRAY_TASK_ID",
    "JOB_COMPLETION_INDEX",
    "BATCH_TASK_INDEX",
    "AWS_BATCH_JOB_ARRAY_INDEX",
)
"""Where SLURM, Kubernetes, GCP Batch and AWS Batch tell which element of an array this is."""


class Lost(RuntimeError):
    """The claim is another worker's now: this one was taken for dead."""


@dataclass(frozen=True)
class Claim:
    """A shard that is this worker's.

    Attributes:
        path: of the claim's file.
        worker: what stands in it.
    """

    path: Path
    worker: str

    def check(self) -> None:
        """Raises `Lost` unless the claim is still this worker's."""
        try:
            owner = self.path.read_text()
        except OSError:
            owner = "nobody"
        if owner != self.worker:
            raise Lost(f"{self.path.parent.name}: claimed by {owner or 'nobody'} meanwhile")

    def give_back(self) -> None:
        """Lets others claim the shard at once, unless one has already."""
        with contextlib.suppress(OSError, Lost):
            self.check()
            self.path.unlink()


@contextlib.contextmanager
def claim(
    folder: Path, dead: float | None = None, beat: float | None = None
) -> Iterator[Claim | None]:
    """Claims a shard's folder, made if need be, as long as the block lasts.

    Args:
        folder: of the shard.
        dead: see `DEAD`, the default.
        beat: see `BEAT`, the default.

    Yields:
        The claim, or None where a living worker has it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    mine = Claim(folder / "claim", f"{os.uname().nodename}:{os.getpid()}:{uuid.uuid4().hex}")
    _bury(mine.path, DEAD if dead is None else dead)
    stop = threading.Event()
    every = BEAT if beat is None else beat
    thread = threading.Thread(target=_live, args=(mine, stop, every), daemon=True)
    try:  # A signal may raise anywhere: what was claimed is given back all the same.
        if not _make(mine):
            yield None
            return
        thread.start()
        yield mine
    finally:
        stop.set()
        if thread.is_alive():
            thread.join()
        mine.give_back()


def is_claimed(folder: Path) -> bool:
    """Whether a living worker has the shard."""
    try:
        return _age(folder / "claim") <= DEAD
    except OSError:
        return False


def own_shards(index: str, count: int, environment: Mapping[str, str]) -> range | None:
    """Which shards this worker is told to do, by its index or by the engine's variable.

    Args:
        index: `claim`; or `i/n`, the i-th of n workers, from 0 on, which does every n-th shard; or
            `auto`, by the engine's variable as one of as many workers as there are shards, and
            without such a variable by claims.
        count: shards of the sweep.
        environment: variables of the process.

    Returns:
        Their numbers, or None to claim whatever is left.

    Raises:
        ValueError: the index is not as expected, or there is no such shard.
    """
    if index == "claim":
        return None
    if index == "auto":
        given = next((environment[name] for name in INDEX_VARIABLES if name in environment), "")
        if not given:
            return None
        number, total = given, str(count)
    else:
        number, _, total = index.partition("/")
    if not (_is_number(number) and _is_number(total)):
        raise ValueError(f"index={index[:80]!r}: expected auto, claim, or i/n such as 0/{count}")
    if int(number) >= int(total) or int(total) > count:
        raise ValueError(f"index={number}/{total}: expected one of the sweep's {count} shards")
    return range(int(number), count, int(total))


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10


def _make(mine: Claim) -> bool:
    try:
        handle = os.open(mine.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    except FileExistsError:
        return False
    with os.fdopen(handle, "w") as file:
        file.write(mine.worker)
    return True


def _bury(path: Path, dead: float) -> None:
    """Moves a dead worker's claim away; of several workers that try, one succeeds."""
    with contextlib.suppress(OSError):
        for grave in path.parent.glob(f"{path.name}.*"):  # of a worker that died in here
            if time.time() - grave.stat().st_ctime > dead:
                grave.unlink()
    with contextlib.suppress(OSError):
        if _age(path) <= dead:
            return
        grave = path.with_name(f"claim.{uuid.uuid4().hex}")
        path.rename(grave)
        if _age(grave) <= dead:
            # Somebody has claimed it between the two looks: give it back.
            os.link(grave, path)
        grave.unlink()


def _age(path: Path) -> float:
    """Seconds since the claim was renewed. It is opened for that: a client of NFS may keep what it
    knows of a file for a minute, and asks its server anew when a file is opened."""
    with path.open("rb") as file:
        return time.time() - os.fstat(file.fileno()).st_mtime


def _live(mine: Claim, stop: threading.Event, beat: float) -> None:
    """Renews the claim's time until it is not this worker's any more."""
    while not stop.wait(beat):
        try:
            mine.check()
            os.utime(mine.path)
        except (OSError, Lost):
            return
