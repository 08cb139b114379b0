"""Column types and keys shared by all tables."""

from __future__ import annotations

import itertools
import os
import threading
import time
from datetime import UTC

from sqlalchemy import JSON, DateTime, TypeDecorator
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import JSONB


class Instant(TypeDecorator):
    """An aware UTC datetime with microseconds.

    SQLite has no time zones, so it keeps the naive UTC text, whose order is the order of time.  A naive value is refused:
    somebody would have had to guess its zone.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value, dialect):
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant needs a time zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value, dialect):
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


DIALECT_INSERTS = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
"""The ``INSERT`` that knows ``ON CONFLICT``, by the name of the dialect."""

Document = JSON().with_variant(JSONB(), "postgresql")
"""A JSON value; on PostgreSQL stored as ``jsonb`` so that registers can be searched."""


class KeyMaker:
    """63-bit, time-ordered, unique without a database: 41 bits of milliseconds, 10 of node, 12 of sequence.

    The milliseconds count from 2024-01-01 UTC and last until 2093.  Keys of one process never repeat or go back, also when
    the machine's clock does; the node bits keep processes apart (a random number drawn at start: two nodes that draw the
    same one and make a key in the same millisecond collide on the primary key, the command fails and is retried).
    """

    EPOCH_MS = 1_704_067_200_000

    def __init__(self, node: int | None = None, clock_ms=lambda: time.time_ns() // 1_000_000) -> None:
        self._node = (int.from_bytes(os.urandom(2)) if node is None else node) & 0x3FF
        self._clock_ms = clock_ms
        self._lock = threading.Lock()
        self._last_ms, self._sequence = -1, 0

    def __call__(self) -> int:
        with self._lock:
            now = self._clock_ms() - self.EPOCH_MS
            if now > self._last_ms:
                self._last_ms, self._sequence = now, 0
            else:
                self._sequence += 1
                if self._sequence > 0xFFF:
                    self._last_ms, self._sequence = self._last_ms + 1, 0
            return (self._last_ms << 22) | (self._node << 12) | self._sequence


    def forked(self) -> None:
        """In a process that was forked off: a node of its own, or both would make the same keys; and a lock nobody holds."""
        self._node = int.from_bytes(os.urandom(2)) & 0x3FF
        self._lock = threading.Lock()


new_key = KeyMaker()
"""The process-wide key maker (real time: keys order rows, they are no statement about the case's clock)."""
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=new_key.forked)

_memory_ids = itertools.count(1)


def memory_name() -> str:
    """A name no other in-memory database of this process has."""
    return f"banjie-{os.getpid()}-{next(_memory_ids)}"
