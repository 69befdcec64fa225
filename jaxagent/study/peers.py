"""Several processes of one program that leave together, whichever of them a signal came to.

They say so in the key-value store of JAX's coordination service, which the first process keeps and
which JAX has no public way to. A thread of each looks there: the main threads may be compiling, or
waiting within a program for a process that has gone.
"""

from __future__ import annotations

import os
import threading
import time
from typing import Any

import jax

from jaxagent.study.watchdog import OTHERS, connect

_SIGNAL, _GONE = "jaxagent/signal/", "jaxagent/gone/"
LOOK = 1.0
"""Seconds between two looks."""


def stop_together() -> None:
    """Has a signal that comes to one of the processes come to all; called once by each."""
    from jax._src import distributed

    client = distributed.global_state.client
    if client is None:
        return
    own, count = jax.process_index(), jax.process_count()
    connect(lambda number: _say(client, f"{_SIGNAL}{own}", number), lambda: _go(client, own, count))
    threading.Thread(target=_look, args=(client, own), name="peers", daemon=True).start()


def _say(client: Any, key: str, number: int) -> None:
    client.key_value_set(key, str(number))


def _look(client: Any, own: int) -> None:
    """Passes on to this process what comes to another."""
    while True:
        time.sleep(LOOK)
        try:
            said = client.key_value_dir_get(_SIGNAL)
        except Exception:  # the service has ended
            return
        if said:
            if not any(key == f"{_SIGNAL}{own}" for key, _ in said):
                os.kill(os.getpid(), int(said[0][1]))
            return


def _go(client: Any, own: int, count: int) -> None:
    """Says that this process goes. The first waits for the others, which would die without it."""
    _say(client, f"{_GONE}{own}", 1)
    until = time.monotonic() + OTHERS
    while own == 0 and len(client.key_value_dir_get(_GONE)) < count and time.monotonic() < until:
        time.sleep(0.05)
