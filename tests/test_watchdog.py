"""Signals while the main thread cannot hear them: the process ends all the same, in time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from jaxagent.study import peers, watchdog

HEAD = """
import hashlib, signal, sys, threading, time
from jaxagent.study import watchdog
from jaxagent.study.arguments import stoppable
from jaxagent.study.stop import Stopped, collecting, raising
from jaxagent.study.watchdog import abandon, farewell, patient, watched, writing

def compile(seconds=60):
    # Compiled code that lets other threads go on and comes back to Python when it is done.
    hashlib.pbkdf2_hmac("sha256", b"", b"", 10**9 if seconds > 9 else int(6e5 * seconds))

def ready():
    print("ready", flush=True)
"""
CODE = {signal.SIGINT: 130, signal.SIGTERM: 75, signal.SIGUSR1: 75}


def begin(body: str) -> subprocess.Popen:
    """A process that runs this, once it says that it is ready."""
    command = [sys.executable, "-c", HEAD + textwrap.dedent(body)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
    )
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    time.sleep(0.1)
    return process


def end(process: subprocess.Popen, within: float) -> tuple[int, str, str]:
    """Exit code and what it said, on both streams; it has to be over by then."""
    try:
        said, told = process.communicate(timeout=within)
    finally:
        process.kill()
    return process.returncode, said, told


@pytest.mark.parametrize("number", watchdog.SIGNALS)
def test_at_first_a_signal_ends_the_process_at_once(number):
    """As while the package is imported, whatever an import does with exceptions."""
    process = begin("""
        with watched():
            ready()
            compile()
    """)
    process.send_signal(number)
    code, _, told = end(process, within=3)
    assert code == CODE[number] and told == f"jaxagent: stopped by signal {int(number)}\n"


@pytest.mark.parametrize("number", watchdog.SIGNALS)
def test_a_main_thread_that_compiles_is_not_waited_for(number):
    process = begin("""
        import jaxagent.study.arguments as arguments
        arguments.UNWINDING = 0.5
        with watched(), stoppable():
            ready()
            compile()
    """)
    process.send_signal(number)
    code, _, told = end(process, within=5)
    assert code == 75 and told.count("\n") == 1
    assert told.startswith(f"jaxagent: stopped by signal {int(number)}; the same command goes on")


def test_a_thread_that_compiles_is_not_waited_for():
    process = begin("""
        with watched(), stoppable():
            threading.Thread(target=compile).start()
            ready()
            time.sleep(60)
    """)
    process.send_signal(signal.SIGTERM)
    code, _, told = end(process, within=2.5)
    assert code == 75 and told.count("\n") == 1 and "goes on from there" in told


def test_an_error_does_not_wait_for_a_thread_that_compiles():
    process = begin("""
        with watched():
            threading.Thread(target=compile).start()
            ready()
            abandon()
            raise ValueError("wrong")
    """)
    code, _, told = end(process, within=3)
    assert code == 1 and told.endswith("ValueError: wrong\n")


def test_work_that_ends_well_does_not_wait_for_what_it_abandons():
    process = begin("""
        with watched():
            threading.Thread(target=compile).start()
            ready()
            abandon()
            time.sleep(0.5)
            print("done")
    """)
    assert end(process, within=3) == (0, "done\n", "")


def test_the_main_thread_saves_and_leaves_by_itself():
    """Even where the signal is sent twice, as `timeout` does."""
    process = begin("""
        with watched(), stoppable(), collecting() as stop:
            ready()
            while not stop:
                time.sleep(0.01)
            time.sleep(1.5)
            print("saved", flush=True)
            raise Stopped("stopped")
    """)
    process.send_signal(signal.SIGTERM)
    time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    assert end(process, within=5)[:2] == (75, "saved\n")


def test_a_second_signal_ends_it_at_once_without_undoing_twice():
    process = begin("""
        with watched(), stoppable():
            try:
                ready()
                time.sleep(60)
            finally:
                print("undoing", flush=True)
                time.sleep(2.9)
                print("undone", flush=True)
    """)
    process.send_signal(signal.SIGTERM)
    time.sleep(watchdog.SAME + 0.5)
    process.send_signal(signal.SIGINT)
    assert end(process, within=1)[:2] == (75, "undoing\n")


def test_a_checkpoint_that_is_being_written_is_finished():
    process = begin("""
        with watched(), stoppable(), collecting(), patient(0.2):
            with writing():
                ready()
                compile(2)
                print("whole", flush=True)
            compile()
    """)
    process.send_signal(signal.SIGUSR1)
    assert end(process, within=8)[:2] == (75, "whole\n")


def test_a_checkpoint_that_is_never_finished_is_not_waited_for():
    process = begin("""
        watchdog.LIMIT = 1.0
        with watched(), stoppable(), patient(0.2), writing():
            ready()
            compile()
    """)
    process.send_signal(signal.SIGTERM)
    assert end(process, within=4)[0] == 75


def test_what_is_held_is_given_back_before_the_end():
    process = begin("""
        def fail():
            raise OSError("gone")
        with watched(), patient(0.2), farewell(fail), farewell(lambda: print("bye")):
            with farewell(lambda: print("given back before")):
                pass
            ready()
            compile()
    """)
    process.send_signal(signal.SIGTERM)
    assert end(process, within=4)[:2] == (75, "bye\n")


def test_work_that_ends_well_ends_as_ever():
    process = begin("""
        with watched(), watched(), stoppable(), patient(1.0):
            ready()
        sys.exit(3)
    """)
    assert end(process, within=5) == (3, "", "")


def test_elsewhere_than_in_the_main_thread_nothing_is_changed():
    before, inside = signal.getsignal(signal.SIGTERM), []

    def work() -> None:
        with watchdog.watched(), watchdog.writing(), watchdog.farewell(print):
            inside.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert inside == [before] == [signal.getsignal(signal.SIGTERM)]


def test_handlers_are_put_back():
    before = [signal.getsignal(each) for each in watchdog.SIGNALS]
    with watchdog.watched():
        assert [signal.getsignal(each) for each in watchdog.SIGNALS] != before
    assert [signal.getsignal(each) for each in watchdog.SIGNALS] == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_during_the_imports_is_heard(number):
    command = [sys.executable, "-m", "jaxagent", "study", "run", "quickstart", "--dry-run"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not _listens(process.pid):
        time.sleep(0.01)
    process.send_signal(number)
    assert end(process, within=5) == (CODE[number], "", f"jaxagent: stopped by signal {number}\n")


def _listens(process: int) -> bool:
    """Whether SIGTERM has a handler there."""
    with open(f"/proc/{process}/status") as status:
        [caught] = [line.split()[1] for line in status if line.startswith("SigCgt")]
    return bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)


def test_the_package_is_imported_in_no_time_and_has_its_names():
    code = (
        "import sys, jaxagent; assert 'jax' not in sys.modules and 'numpy' not in sys.modules; "
        "assert jaxagent.Actor.__module__ == 'jaxagent.rl.actor' and 'Actor' in dir(jaxagent); "
        "from jaxagent import *; assert make_suite is jaxagent.envs.make_suite; "
        "assert not hasattr(jaxagent, 'nonsense')"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


class Store:
    """The key-value store of a coordination service."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    def key_value_set(self, key: str, value: str) -> None:
        self.kept[key] = value

    def key_value_dir_get(self, prefix: str) -> list[tuple[str, str]]:
        return [(key, value) for key, value in self.kept.items() if key.startswith(prefix)]


def test_a_signal_comes_to_all_processes_and_the_first_leaves_last(monkeypatch):
    sent, store = [], Store()
    monkeypatch.setattr(peers, "LOOK", 0.01)
    monkeypatch.setattr(os, "kill", lambda process, number: sent.append((process, number)))
    peers._say(store, f"{peers._SIGNAL}1", 15)
    peers._look(store, own=1)
    assert not sent
    peers._look(store, own=0)
    assert sent == [(os.getpid(), 15)]
    began = time.monotonic()
    threading.Timer(0.3, peers._go, (store, 1, 2)).start()
    peers._go(store, 0, 2)
    assert 0.3 <= time.monotonic() - began < watchdog.OTHERS
    peers._go(store, 0, 3)
    assert time.monotonic() - began >= watchdog.OTHERS
