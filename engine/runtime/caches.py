"""Things that seldom change, kept for a few seconds.

A command invalidates what it changed in its own process; other processes notice after ``seconds``.  Until then they act on
the old picture, as they would have a moment earlier; nothing that must be exact (a task's state, a clock) is kept here.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from sqlalchemy import Connection

Value = TypeVar("Value")


class Kept(Generic[Value]):
    """One cached value, loaded through a connection when it is missing or old.

    The age is measured by ``time.monotonic``, not by the engine's clock: it is a matter of this machine's memory.
    """

    def __init__(self, load: Callable[[Connection], Value], seconds: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._load, self._seconds, self._monotonic = load, seconds, monotonic
        self._lock = threading.Lock()
        self._value: Value | None = None
        self._until: float | None = None
        self._generation = 0

    def get(self, conn: Connection) -> Value:
        with self._lock:
            if self._until is not None and self._monotonic() < self._until:
                return self._value  # type: ignore[return-value]
            generation = self._generation
        value = self._load(conn)
        with self._lock:
            # What was read before somebody invalidated may already be old; hand it out once, do not keep it.
            if generation == self._generation:
                self._value, self._until = value, self._monotonic() + self._seconds
        return value

    def hold(self, value: Value) -> None:
        """Take ``value`` as if it had just been loaded."""
        with self._lock:
            self._value, self._until = value, self._monotonic() + self._seconds

    def forget(self) -> None:
        with self._lock:
            self._value, self._until = None, None
            self._generation += 1
