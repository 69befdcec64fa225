"""A thread that ends the process soon after a signal, whatever the main thread is at.

Python runs its handlers of signals in the main thread, and only when that is back from compiled
code. XLA's compiler may keep it for minutes, while engines kill a process some thirty seconds after
they have asked it to leave. Every file is written all or nothing, so that ending the process is
safe at any moment; what it costs is the work since the last save. The thread therefore lets the
main thread leave by itself for a while, lets it finish a checkpoint that it is writing, and then
ends the process. A second signal ends it at once.

Nothing here imports JAX: signals are listened to before that is imported.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from typing import NoReturn

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
"""From the keyboard, from an engine that takes the machine, and from SLURM before its limit."""

STOPPED, INTERRUPTED = 75, 130
"""Exit codes: stopped by a signal with everything saved; and from the keyboard, where there was
nothing to save."""

UNWINDING, TRAINING, LIMIT = 3.0, 13.0, 17.0
"""Seconds that the main thread is given to leave by itself: where it has nothing to save; where it
finishes a chunk of training and saves; and where it is writing a checkpoint by then."""

SAME = 0.5
"""Seconds in which a second signal is the same request: `timeout` and some containers' first
processes send each signal twice."""

OTHERS = 2.0
"""Seconds that the first of several processes leaves the others to go before it."""

_CLOSED = 0


class Watchdog:
    """Waits for signals and ends the process.

    Attributes:
        number: of the signal that came, or 0.
        patience: seconds that the main thread is given now.
        goes_on: whether the same command goes on from what is saved.
        abandoned: whether threads still work, for which the end of the process is not to wait.
        farewells: what is to be done before a process ends from here, such as giving back a claim.
        tell: what tells other processes of the same program that a signal came.
        let_others_go: what waits for them.
    """

    def __init__(self) -> None:
        self.number = 0
        self.patience = 0.0
        self.goes_on = False
        self.abandoned = False
        self.farewells: list[Callable[[], object]] = []
        self.tell: Callable[[int], object] = lambda number: None
        self.let_others_go: Callable[[], object] = lambda: None
        self.writing = threading.Lock()
        self._listening, self._said = os.pipe()
        os.set_blocking(self._said, False)

    @property
    def code(self) -> int:
        """Exit code of a process that a signal ended."""
        kept = self.goes_on or self.number != signal.SIGINT
        return STOPPED if kept else INTERRUPTED

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Listens for signals in a thread of its own. Raises `ValueError` in a thread that is not
        the main one."""
        before = signal.set_wakeup_fd(self._said, warn_on_full_buffer=False)
        handlers = {each: signal.signal(each, lambda number, frame: None) for each in SIGNALS}
        thread = threading.Thread(target=self._stand_by, name="watchdog", daemon=True)
        thread.start()
        try:
            yield
        finally:
            signal.set_wakeup_fd(before)
            for each, handler in handlers.items():
                signal.signal(each, signal.SIG_DFL if handler is None else handler)
            os.write(self._said, bytes([_CLOSED]))
            thread.join()
            os.close(self._said)
            os.close(self._listening)

    def end(self, code: int | None = None) -> NoReturn:
        """Ends the process without waiting for its threads, the first of several last."""
        for farewell in self.farewells:
            with contextlib.suppress(Exception):
                farewell()
        with contextlib.suppress(Exception):
            self.let_others_go()
        _end(self.code if code is None else code)

    def _stand_by(self) -> None:
        number = self._next(None)
        if number == _CLOSED or number is None:
            return
        self.number, came = number, time.monotonic()
        with contextlib.suppress(Exception):
            self.tell(number)
        while (left := came + self.patience - time.monotonic()) > 0:
            again = self._next(left)
            if again == _CLOSED:
                return
            if again is not None and time.monotonic() - came > SAME:
                self._end_here()
        while not self.writing.acquire(timeout=0.1):
            again = self._next(0)
            if again == _CLOSED:
                return
            if again is not None or time.monotonic() - came > LIMIT:
                break
        self._end_here()

    def _next(self, seconds: float | None) -> int | None:
        """The next of `SIGNALS`, `_CLOSED`, or None if none comes in so many seconds."""
        until = None if seconds is None else time.monotonic() + seconds
        while True:
            left = None if until is None else max(until - time.monotonic(), 0.0)
            if not select.select([self._listening], [], [], left)[0]:
                return None
            number = os.read(self._listening, 1)[0]
            if number == _CLOSED or number in SIGNALS:
                return number

    def _end_here(self) -> NoReturn:
        """Ends the process from this thread, with what is saved."""
        # A file system that hangs must not keep the process.
        threading.Thread(target=_end_soon, args=(OTHERS + 1, self.code), daemon=True).start()
        rest = "; the same command goes on from what is saved" if self.goes_on else ""
        cursor = "\x1b[?25h\n" if os.isatty(2) else ""  # progress bars hide it
        with contextlib.suppress(OSError):
            os.write(2, f"{cursor}jaxagent: stopped by signal {self.number}{rest}\n".encode())
        self.end()


_here: Watchdog | None = None


@contextlib.contextmanager
def watched() -> Iterator[None]:
    """Has signals end the process within 20 s while the block lasts, at once at first.

    In a thread that is not the main one, and within another such block, it changes nothing.
    """
    global _here
    if _here is not None or threading.current_thread() is not threading.main_thread():
        yield
        return
    _here = watchdog = Watchdog()
    try:
        with watchdog.listening():
            try:
                yield
            except BaseException as error:
                if watchdog.abandoned or (watchdog.number and isinstance(error, SystemExit)):
                    watchdog.end(_code_of(error))
                raise
            if watchdog.abandoned:
                watchdog.end(0)
    finally:
        _here = None


@contextlib.contextmanager
def patient(seconds: float, goes_on: bool | None = None) -> Iterator[None]:
    """Gives the main thread so many seconds to leave by itself after a signal.

    Args:
        seconds: how many.
        goes_on: whether the same command goes on from what is saved; by default as before.
    """
    here = _here
    if here is None:
        yield
        return
    before = here.patience, here.goes_on
    here.patience = seconds
    here.goes_on = here.goes_on if goes_on is None else goes_on
    try:
        yield
    finally:
        here.patience, here.goes_on = before


@contextlib.contextmanager
def writing() -> Iterator[None]:
    """Has the process not end within the block, unless that takes too long."""
    with contextlib.nullcontext() if _here is None else _here.writing:
        yield


@contextlib.contextmanager
def farewell(call: Callable[[], object]) -> Iterator[None]:
    """Has `call` be made if the process is ended within the block."""
    if _here is None:
        yield
        return
    _here.farewells.append(call)
    try:
        yield
    finally:
        if _here is not None:
            _here.farewells.remove(call)


def abandon() -> None:
    """Has the process end without waiting for threads or other processes, which still work."""
    if _here is not None:
        _here.abandoned = True


def connect(tell: Callable[[int], object], let_others_go: Callable[[], object]) -> None:
    """Makes other processes of the same program known: see `Watchdog`."""
    if _here is not None:
        _here.tell, _here.let_others_go = tell, let_others_go


def _code_of(error: BaseException) -> int:
    """Exit code of a process that an error ends; tells the error where Python would."""
    if not isinstance(error, SystemExit):
        traceback.print_exception(error)
        return 1
    if error.code is None or isinstance(error.code, int):
        return error.code or 0
    print(error.code, file=sys.stderr)
    return 1


def _end(code: int) -> NoReturn:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(code)


def _end_soon(seconds: float, code: int) -> NoReturn:
    time.sleep(seconds)
    os._exit(code)
