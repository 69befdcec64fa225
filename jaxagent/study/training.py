"""Training on the host: chunks of updates with progress, a log, checkpoints and clean stops."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import jax

from jaxagent.rl.actor import Actor
from jaxagent.rl.algorithm import Hyper
from jaxagent.rl.curriculum import Curriculum
from jaxagent.rl.devices import on_host
from jaxagent.rl.updates import check_finite
from jaxagent.rl.window import Window
from jaxagent.study.checkpoint import Checkpoints
from jaxagent.study.files import (
    Unwritable,
    json_text,
    parse_json,
    read_text,
    with_nan,
    write_text,
)
from jaxagent.study.machine import record
from jaxagent.study.processes import all_say, by_first
from jaxagent.study.stop import Stopped, collecting

CHUNK_SECONDS = 5.0
SAVE_SECONDS = 20.0
"""Seconds between two checkpoints, which is what `kill -9` can cost."""

SAVE_SHARE = 0.05
"""Of the time that checkpoints may take; where they take longer, they are made less often."""

Metrics = dict[str, Any]
Report = Callable[[int, Metrics], None]


class Run(Protocol):
    """What is trained: a `Learner` or an `Imitator`."""

    @property
    def actor(self) -> Actor:
        """Who plays."""
        ...

    @property
    def window(self) -> Window:
        """What an episode is allowed."""
        ...

    @property
    def turns_per_update(self) -> int:
        """Turns of one update, over all devices."""
        ...

    def advance(
        self, state: Any, hyper: Hyper, curriculum: Curriculum, count: int
    ) -> tuple[Any, dict[str, jax.Array]]:
        """Does `count` updates."""
        ...

    def compile(self, state: Any, hyper: Hyper, curriculum: Curriculum) -> Any:
        """Compiles what `advance` runs, and runs nothing of it."""
        ...


def train(
    run: Run,
    state: Any,
    hyper: Hyper,
    curriculum: Curriculum,
    folder: Path,
    report: Report = lambda update, metrics: None,
    finite: bool = True,
    note: Callable[[str], None] = lambda text: None,
    strict: bool = False,
) -> tuple[Any, list[Metrics]]:
    """Trains to the end, or from where an earlier call in the same folder stopped.

    Args:
        run: what is trained.
        state: where a new run starts; also the shapes that a saved one must have.
        hyper: traced parts of the algorithm.
        curriculum: tasks over progress.
        folder: for checkpoints and the log; made if need be.
        report: called behind every chunk with the updates done and the chunk's mean metrics.
        finite: whether all metrics have to be; those of members of a population that died are not.
        note: told in one line what is otherwise than where an earlier call stopped: see `Machine`.
        strict: whether that is refused.

    Returns:
        The last state, and the metrics of all chunks.

    Raises:
        Stopped: SIGINT, SIGTERM or SIGUSR1 came; the state is saved.
        ValueError: an earlier call was made on another machine, and that is refused.
        Diverged: a metric is not finite; what was saved before stays.
        Unwritable: the disk is full, or gone; what was saved before stays.
    """
    checkpoints = Checkpoints(folder / "checkpoints")
    log = Log(folder / "log.jsonl")
    try:
        if checkpoints.latest() is not None:
            state = checkpoints.restore(state)
        done = int(state.update)
        by_first(partial(_record, folder, done, note, strict), ValueError, OSError)
        log.forget_behind(done)
        if log.metrics:
            report(done, log.metrics[-1])
        with collecting() as stop:
            state = _train(
                run, state, hyper, curriculum, done, checkpoints, log, report, stop, finite
            )
    finally:
        checkpoints.close()
    return state, log.metrics


def _record(folder: Path, done: int, note: Callable[[str], None], strict: bool) -> None:
    """Keeps what the training is made under, and says what has changed."""
    if changed := record(folder, done, strict):
        note(f"goes on from update {done} on another machine: {changed}")


class Log:
    """Metrics of a run, one JSON object per chunk and line."""

    def __init__(self, path: Path):
        self.path = path
        lines = read_text(path).splitlines() if path.exists() else []
        whole = (line for line in lines if line.endswith("}"))
        self.metrics: list[Metrics] = [with_nan(parse_json(line)) for line in whole]

    def forget_behind(self, update: int) -> None:
        """Drops what was logged behind the checkpoint that is gone on from."""
        self.metrics = [m for m in self.metrics if m["update"] <= update]
        write_text(self.path, "".join(json_text(m) + "\n" for m in self.metrics))

    def add(self, metrics: Metrics) -> None:
        """Appends one line. Raises `Unwritable`."""
        self.metrics.append(metrics)
        by_first(partial(self._write, metrics), Unwritable)

    def _write(self, metrics: Metrics) -> None:
        try:
            with self.path.open("a") as file:
                file.write(json_text(metrics) + "\n")
        except OSError as error:
            raise Unwritable(f"{self.path}: cannot be written: {error.strerror}") from None


def _train(
    run: Run,
    state: Any,
    hyper: Hyper,
    curriculum: Curriculum,
    done: int,
    checkpoints: Checkpoints,
    log: Log,
    report: Report,
    stop: list[int],
    finite: bool,
) -> Any:
    count, saved, saved_at, took = 1, done, time.monotonic(), 0.0
    updates = int(state.updates)
    while done < updates:
        start = time.monotonic()
        count = min(count, updates - done)
        state, metrics = run.advance(state, hyper, curriculum, count)
        done = int(state.update)
        seconds = time.monotonic() - start
        log.add(_on_host(run, metrics, done, seconds, count))
        if finite:
            check_finite(log.metrics[-1], done - count + 1, done)
        report(done, log.metrics[-1])
        begun = time.monotonic()
        late = begun - saved_at > max(SAVE_SECONDS, took / SAVE_SHARE)
        count = _next_count(count, seconds, len(log.metrics))
        said = all_say(late, count, stop[0] if stop else 0)
        (late, count, _), signal = said[0].tolist(), int(said[:, 2].max())
        if signal or late or done >= updates:
            checkpoints.save(done, state, run.actor.policy, run.actor.suite, run.window)
            saved, saved_at = done, time.monotonic()
            took = saved_at - begun
        if signal and done < updates:
            raise Stopped(f"stopped by signal {signal} behind update {saved}", signal)
    if checkpoints.latest() != done:
        checkpoints.save(done, state, run.actor.policy, run.actor.suite, run.window)
    return state


def _next_count(count: int, seconds: float, chunks: int) -> int:
    """Updates that should take `CHUNK_SECONDS`; the first chunk also compiled, so it tells less."""
    if chunks <= 1:
        return count
    return max(1, min(2 * count, round(count * CHUNK_SECONDS / max(seconds, 1e-3))))


def _on_host(
    run: Run, metrics: dict[str, jax.Array], done: int, seconds: float, count: int
) -> Metrics:
    values = {name: value.tolist() for name, value in on_host(metrics).items()}
    turns = done * run.turns_per_update
    rate = count * run.turns_per_update / seconds
    return {"update": done, "turns_played": turns, "updates": count, "turn_rate": rate, **values}
