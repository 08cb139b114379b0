"""Firing the rungs of the ladders: who is told, once each, whichever node gets there first.

Due clocks are queried, never remembered; the unique row in ``rung_firing`` is the claim.  Several clocks are fired in a transaction,
because after an outage there may be tens of thousands of them and most of what one costs is the transaction around it.  When one of
them fails, or another node has claimed one of the rungs, nothing of that transaction stays and each clock is fired in a transaction
of its own, so that a failure stops one clock only.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, func, select

from engine.runtime.limits.clocks import RUNNING, ClockState
from engine.runtime.limits.ladder_changes import bring_first
from engine.runtime.limits.rung_actions import Firing
from engine.store import tables

if TYPE_CHECKING:
    from engine.runtime.desk import Desk

log = logging.getLogger(__name__)

BATCH = 500
"""Due clocks read at a time."""
TOGETHER = 25
"""Clocks whose rungs are fired in one transaction.  They are locked meanwhile, so it must stay a matter of milliseconds."""
INSTANT = timedelta(microseconds=1)
"""The smallest step of the clock in the tables."""

Due = tuple[int, int, datetime | None]
"""A clock with due rungs: its key, that of its case, and until which instant they are to fire (``None``: the present)."""


def next_due(conn: Connection) -> datetime | None:
    """When the next rung is due, over all cases; ``None`` if none is."""
    clock = tables.clock.c
    return conn.execute(select(func.min(clock.next_rung_at)).where(clock.state == RUNNING)).scalar_one_or_none()


def run_due(desk: Desk, limit: int | None = None) -> int:
    """Fire the rungs that are due at the engine's clock, of at most ``limit`` clocks; returns how many rungs fired.

    A clock whose handling fails is audited and skipped, and tried again by the next call.
    """
    fired, failed = 0, set()
    while limit is None or fired < limit:
        due = [each for each in _due(desk, len(failed)) if each[0] not in failed]
        if not due:
            break
        fired += _fire_all(desk, due if limit is None else due[: limit - fired], failed)
    return fired


def run_before_timers(desk: Desk, failed: set[int]) -> int:
    """Fire the rungs that were due before the first due timer of their case; returns how many.

    A timer may close the case and stop its clocks.  After an outage both are late, and what was due before the timer must have
    fired by then, as it would have in ordinary running: no rung is lost.  ``failed`` takes the clocks that could not be handled.
    """
    timer, instance, clock = tables.timer, tables.instance, tables.clock
    first = (
        select(instance.c.root_key, func.min(timer.c.due_at).label("until"))
        .join(instance, instance.c.key == timer.c.instance_key)
        .where(timer.c.due_at <= desk.engine.clock(), instance.c.state == "ACTIVE")
        .group_by(instance.c.root_key)
        .subquery()
    )
    statement = (
        select(clock.c.key, clock.c.case_key, first.c.until)
        .join(first, first.c.root_key == clock.c.case_key)
        .where(clock.c.state == RUNNING, clock.c.next_rung_at < first.c.until)
        .order_by(clock.c.next_rung_at, clock.c.key)
        .limit(BATCH + len(failed))
    )
    with desk.engine.reading() as conn:
        rows = conn.execute(statement).all()
    # At the very same instant the timer goes first, as it does in ordinary running.
    return _fire_all(desk, [(row.key, row.case_key, row.until - INSTANT) for row in rows if row.key not in failed], failed)


def _due(desk: Desk, besides: int) -> list[Due]:
    """Clocks with a due rung, the longest due first; a batch, and room for ``besides`` that this call has given up on."""
    clock = tables.clock.c
    chosen = select(clock.key, clock.case_key).where(clock.state == RUNNING, clock.next_rung_at <= desk.engine.clock())
    with desk.engine.reading() as conn:
        rows = conn.execute(chosen.order_by(clock.next_rung_at, clock.key).limit(BATCH + besides)).all()
    return [(row.key, row.case_key, None) for row in rows]


def _slices(due: Sequence[Due]) -> Iterator[list[Due]]:
    """Slices of at most :data:`TOGETHER` clocks, of each case only one, in order: what the rung of one clock throws into its case may
    stop another clock of the same case."""
    left = list(due)
    while left:
        chosen: dict[int, Due] = {}
        later = []
        for each in left:
            if each[1] in chosen or len(chosen) == TOGETHER:
                later.append(each)
            else:
                chosen[each[1]] = each
        yield list(chosen.values())
        left = later


def _fire_all(desk: Desk, due: Sequence[Due], failed: set[int]) -> int:
    """Fire what is due; a clock of which nothing could be fired goes into ``failed``.  Returns how many rungs fired."""
    total = 0
    for chosen in _slices(due):
        counts = _fire_slice(desk, chosen)
        failed.update(key for key, _case, _until in chosen if not counts.get(key))
        total += sum(counts.values())
    return total


def _fire_slice(desk: Desk, chosen: Sequence[Due]) -> dict[int, int]:
    """Fire some clocks together; if that fails, nothing of it stays and each is fired alone.  Clock key → rungs fired."""
    if len(chosen) > 1:
        try:
            return desk.engine.command(lambda unit: _fire(desk, unit, chosen, alone=False), by=None)
        except Exception as error:  # whatever it is: each alone will tell which clock it is about
            log.info("%d clocks could not be fired together (%s: %s); each is fired alone", len(chosen), type(error).__name__, error)
    return {each[0]: _attempt(desk, each) for each in chosen}


def _attempt(desk: Desk, due: Due) -> int:
    """Fire one clock's rungs in a transaction of its own; one that fails is audited and must not hold up the others."""
    try:
        return desk.engine.command(lambda unit: _fire(desk, unit, [due], alone=True), by=None).get(due[0], 0)
    except Exception as error:  # whatever is wrong with it
        log.exception("the rungs of clock %s could not be fired", due[0])
        with desk.engine.transaction() as tx:
            tx.audit("rung.failed", f"clock:{due[0]}", reason=str(error)[:500])
        return 0


def _fire(desk: Desk, unit: Any, due: Sequence[Due], *, alone: bool) -> dict[int, int]:
    """Lock the clocks and fire what is due on them; clock key → rungs fired.  What somebody else is working on is left to them.

    Commands lock the instance, then its tasks, then its clocks.  A firing that may move the instance or change its tasks must do the
    same, or the two could wait for each other.
    """
    tx, clock = unit.tx, tables.clock
    ends = {key: tx.now if until is None else min(until, tx.now) for key, _case, until in due}
    book = desk.book(tx.conn)
    places = tx.execute(select(clock.c.key, clock.c.case_key, clock.c.instance_key, clock.c.ladder_id).where(clock.c.key.in_(list(ends)))).all()
    ladders = {place.key: book.ladder(place.ladder_id) for place in places}
    moving = {place.instance_key for place in places if (ladder := ladders[place.key]) and any(rung.escalation_codes for rung in ladder.rungs)}
    handing = {
        place.case_key
        for place in places
        if (ladder := ladders[place.key]) and any(rung.does("reassign") or rung.does("raise_priority") for rung in ladder.rungs)
    }
    instances = _locked_instances(tx, moving)
    tasks, busy = _open_tasks(tx, {place.case_key for place in places}, handing)
    free = [
        place.key for place in places if (place.instance_key not in moving or place.instance_key in instances) and place.case_key not in busy
    ]
    # Only who holds the row works on it; the state is asked again because it may have changed since it was listed.
    wanted = select(clock).where(clock.c.key.in_(free), clock.c.state == RUNNING, clock.c.next_rung_at <= tx.now)
    rows = tx.execute(wanted.order_by(clock.c.next_rung_at, clock.c.key).with_for_update(skip_locked=True)).mappings().all()
    states = bring_first(desk, tx, [ClockState.of_row(row) for row in rows if row["next_rung_at"] <= ends[row["key"]]])
    if not states:
        return {}
    case = tables.case_file
    cases = {row.key: row for row in tx.execute(select(case).where(case.c.key.in_([state.row["case_key"] for state in states])))}
    firing = Firing(desk, unit, cases, tasks, instances, alone=alone)
    counts = {state.key: firing.run(state, ends[state.key]) for state in states}
    firing.finish()
    return counts


def _locked_instances(tx: Any, keys: set[int]) -> dict[int, dict[str, Any]]:
    """The rows of these instances that nobody else is working on, locked."""
    if not keys:
        return {}
    instance = tables.instance
    locked = select(instance).where(instance.c.key.in_(keys)).order_by(instance.c.key).with_for_update(skip_locked=True)
    return {row["key"]: dict(row) for row in tx.execute(locked).mappings()}


def _open_tasks(tx: Any, case_keys: set[int], handing: set[int]) -> tuple[Mapping[int, list[Any]], set[int]]:
    """The open tasks of each case, the oldest first; and those of the cases ``handing`` of which somebody else holds a task just now.

    The tasks of ``handing`` are locked, because a rung may hand them on or raise their priority.
    """
    task = tables.user_task
    chosen = select(task).where(task.c.root_key.in_(case_keys), task.c.state == "CREATED").order_by(task.c.key)
    found: dict[int, list[Any]] = {}
    for row in tx.execute(chosen):
        found.setdefault(row.root_key, []).append(row)
    if not handing:
        return found, set()
    held: dict[int, list[Any]] = {}
    for row in tx.execute(chosen.where(task.c.root_key.in_(handing)).with_for_update(skip_locked=True)):
        held.setdefault(row.root_key, []).append(row)
    busy = {key for key in handing if len(held.get(key, ())) != len(found.get(key, ()))}
    return {**found, **held}, busy
