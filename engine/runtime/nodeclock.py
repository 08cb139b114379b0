"""The clock of a node in real use, and what keeps a wrong one from firing anything early.

Every node reads its own machine's clock, and a machine whose clock is wrong would close limits and fire rungs before their time.  So
once a minute, before it looks for due work or takes jobs, a node compares itself:

* On PostgreSQL with the database's clock, which all nodes share.  From then on it believes its own clock only up to the database's
  plus a tolerance; between two comparisons the database's clock is carried on by the machine's monotonic counter, which nobody sets.
  So a clock that jumps ahead is held back at once, and not from the next comparison on.
* On SQLite, where all nodes run on one machine, there is no second clock.  What was written last must not lie in the future; if it
  does, the clock has gone back, or was ahead before.  Nothing is fired early by a clock that is behind, so this warns only.

A clock that is off by more than the tolerance is logged, shown on the health page, and told to the administrators once a day.

Only the machine's clock is watched.  A clock that somebody hands to the engine (the demonstration's, a test's) is what they say.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, DateTime, func, select, text

from engine.runtime.telling.notices import alarm
from engine.store import tables
from engine.words import T, Words

if TYPE_CHECKING:
    from engine.runtime.engine import Engine

log = logging.getLogger(__name__)

EVERY_SECONDS = 60.0
"""How often a node compares its clock while nothing is wrong; while something is, at every wake."""
TOLERANCE = timedelta(seconds=30)

DATABASE, LEDGER = "database", "ledger"


def utc_now() -> datetime:
    """The machine's time, aware UTC: the clock of real use."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Comparison:
    """What a comparison found.

    ``ahead`` is how far the node is ahead of the ``reference`` (:data:`DATABASE` or :data:`LEDGER`); negative when behind.  Of the
    ledger only being behind can be known, so it is never positive there.  ``wrong``: by more than the tolerance.
    """

    reference: str
    ahead: timedelta
    wrong: bool


class NodeClock:
    """A callable giving the present as far as this node may be believed; safe from many threads.

    ``real`` gives the machine's time, ``stopwatch`` seconds that only grow, ``tolerance`` how far a clock may be off unnoticed.
    """

    def __init__(
        self, real: Callable[[], datetime] = utc_now, stopwatch: Callable[[], float] = time.monotonic, tolerance: timedelta = TOLERANCE
    ) -> None:
        self.tolerance = tolerance
        self.last: Comparison | None = None
        """The last comparison; ``None`` before the first."""
        self._real, self._stopwatch = real, stopwatch
        self._database: tuple[datetime, float] | None = None  # its instant, and what the stopwatch showed then
        self._compared: float | None = None
        self._warned: float | None = None

    def __call__(self) -> datetime:
        now, shared = self._real(), self._shared()
        return now if shared is None else min(now, shared + self.tolerance)

    def _shared(self) -> datetime | None:
        """The database's present, carried on by the stopwatch; ``None`` when no database's clock is known."""
        if self._database is None:
            return None
        instant, at = self._database
        return instant + timedelta(seconds=self._stopwatch() - at)

    def check(self, engine: Engine) -> None:
        """Compare when it is time to, and warn.  Raises what the database raises: nothing may be fired unchecked."""
        if not self._is_time():
            return
        with engine.reading() as conn:
            found = self._with_database(conn) if conn.dialect.name == "postgresql" else self._with_ledger(conn)
        self._compared, self.last = self._stopwatch(), found
        if found.wrong and (self._warned is None or self._compared - self._warned >= EVERY_SECONDS):
            self._warned = self._compared
            words = spoken(engine.node, found)
            log.warning("%s", words)
            with engine.transaction() as tx:
                alarm(engine.desk, tx, "clock", engine.node, words)

    def _is_time(self) -> bool:
        if self._compared is None or self._stopwatch() - self._compared >= EVERY_SECONDS or (self.last is not None and self.last.wrong):
            return True
        shared = self._shared()
        return shared is not None and abs(self._real() - shared) > self.tolerance

    def _with_database(self, conn: Connection) -> Comparison:
        before = self._stopwatch()
        instant = conn.execute(select(func.clock_timestamp(type_=DateTime(timezone=True)))).scalar_one()
        after = self._stopwatch()
        self._database = (instant, (before + after) / 2)
        ahead = self._real() - self._shared()
        # Of a slow answer nobody knows when it was given; only what is beyond doubt is called wrong.
        return Comparison(DATABASE, ahead, abs(ahead) - timedelta(seconds=(after - before) / 2) > self.tolerance)

    def _with_ledger(self, conn: Connection) -> Comparison:
        newest = max(filter(None, (conn.execute(each).scalar() for each in _NEWEST)), default=None)
        ahead = timedelta(0) if newest is None else min(self._real() - newest, timedelta(0))
        return Comparison(LEDGER, ahead, -ahead > self.tolerance)


_NEWEST = (
    *(select(table.c.fired_at).order_by(text("rowid DESC")).limit(1) for table in (tables.firing, tables.rung_firing)),
    select(func.max(tables.audit.c.at)),
)
"""On SQLite: when the last timer, the last rung and the last audited command were written; each is one look into an index."""


def spoken(node: str, found: Comparison) -> Words:
    """A wrong clock in a sentence for administrators."""
    seconds = round(abs(found.ahead).total_seconds())
    if found.reference == LEDGER:
        return T(
            "The clock of node %(node)s is %(seconds)d s behind what has been written already. What is due fires late; set the clock of that machine.",
            node=node, seconds=seconds,
        )  # fmt: skip
    if found.ahead > timedelta(0):
        return T(
            "The clock of node %(node)s is %(seconds)d s ahead of the database's. Nothing is fired early; set the clock of that machine.",
            node=node, seconds=seconds,
        )  # fmt: skip
    return T(
        "The clock of node %(node)s is %(seconds)d s behind the database's. What is due fires late there; set the clock of that machine.",
        node=node, seconds=seconds,
    )  # fmt: skip


def watched(clock: Callable[[], datetime], tolerance: timedelta) -> Callable[[], datetime]:
    """The clock an engine lives by: the machine's own is watched, any other is taken as it is."""
    return NodeClock(tolerance=tolerance) if clock is utc_now else clock


def check(engine: Engine) -> None:
    """Compare the engine's clock, if it is a machine's; see :meth:`NodeClock.check`."""
    clock: Any = engine.clock
    if isinstance(clock, NodeClock):
        clock.check(engine)
