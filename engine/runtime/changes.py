"""Noticing that open cases have changed, by asking: across nodes, without the database having to call anybody.

Two things change what a board shows.  Somebody or something acts: then a line is written into the trail of the case or a task
appears.  Or time passes: then a light turns at an instant that is known beforehand.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Table, and_, func, select, union_all

from engine.runtime.limits.clocks import RUNNING, STOPPED
from engine.store.tables import clock, trail, user_task
from engine.store.types import new_key

WINDOW_MS = 120_000
"""A key is made before its transaction commits, and nodes' clocks differ: keys of the last two minutes are compared one by one."""
NEWEST = 1000
"""Of each table, at most so many keys are compared; under such a storm something has changed anyway."""
SHARE = 20
"""After the question for the next turning light there is a pause of so many times its duration, unless a light has just turned."""


def moment() -> int:
    """A key of this moment: what is written from now on bears a larger one, on nodes whose clocks agree."""
    return new_key()


def key_before(milliseconds: int) -> int:
    """A key that is smaller than all that this node makes from ``milliseconds`` ago on."""
    return new_key() - (milliseconds << 22)


class Watch:
    """Whether anything about the cases has changed since it was last asked.  One thread may use it at a time.

    ``now`` is the office's clock (aware UTC), ``calendar`` tells when its day ends, ``reading`` gives a connection for queries.
    """

    def __init__(self, engine: Any, stopwatch: Callable[[], float] = time.monotonic) -> None:
        self._engine, self._stopwatch = engine, stopwatch
        self._seen: frozenset[int] | None = None
        self._coming: datetime | None = None
        self._asked_at, self._cost, self._outdated = 0.0, 0.0, True
        self._waiting: datetime | None = None  # since when the oldest rung is due that has not fired
        self.newest = 0
        """The largest key seen."""

    def look(self) -> bool:
        """Ask now: one statement, two when a light may turn earlier than was known or a rung is due.  The first look finds nothing changed.

        A rung fires some seconds after its instant, and a silent one writes no line into the trail: that it has fired is seen by its no
        longer being due.
        """
        now = self._engine.clock()
        with self._engine.reading() as conn:
            keys = frozenset(conn.execute(_latest(key_before(WINDOW_MS))).scalars())
            first, acted = self._seen is None, bool(keys - (self._seen or frozenset()))
            turned = self._coming is not None and now >= self._coming
            waiting = _oldest_due(conn, now) if first or turned or self._waiting is not None else None
            fired = self._waiting is not None and waiting != self._waiting
            self._outdated = self._outdated or acted or fired
            begun = self._stopwatch()
            if turned or (self._outdated and begun - self._asked_at >= SHARE * self._cost):
                self._coming = self._next_turn(conn, now)
                self._asked_at, self._outdated = self._stopwatch(), False
                self._cost = self._asked_at - begun
        self._seen, self._waiting = keys, waiting
        self.newest = max(keys, default=self.newest)
        return (acted or turned or fired) and not first

    def _next_turn(self, conn: Connection, now: datetime) -> datetime:
        """When the next light turns, the next rung is due or the office's day ends, whichever comes first."""
        calendar = self._engine.calendar
        midnight = calendar.instant(calendar.local(now).date() + timedelta(days=1), datetime.min.time())
        row = conn.execute(_turning(now)).one()
        return min(instant for instant in (*row, midnight) if instant is not None)


def _latest(floor: int) -> Any:
    def keys(table: Table) -> Any:
        return select(table.c.key).where(table.c.key > floor).order_by(table.c.key.desc()).limit(NEWEST).subquery()

    return union_all(*(select(keys(table).c.key) for table in (trail, user_task)))


def _oldest_due(conn: Connection, now: datetime) -> datetime | None:
    """The instant of the rung that is due longest and has not fired."""
    return conn.execute(select(func.min(clock.c.next_rung_at)).where(clock.c.state == RUNNING, clock.c.next_rung_at <= now)).scalar_one()


def _turning(now: datetime) -> Any:
    """The earliest coming instants: a light turns yellow, a light turns red, a rung is due."""
    tests = {
        "yellow_at": clock.c.state == RUNNING,
        "overdue_at": clock.c.state != STOPPED,
        "next_rung_at": clock.c.state == RUNNING,
    }
    return select(
        *(select(func.min(clock.c[name])).where(and_(test, clock.c[name] > now)).scalar_subquery().label(name) for name, test in tests.items())
    )
