"""Bringing every open limit to a changed calendar, in a batch (:mod:`engine.runtime.limits.batches`).

The approval lists the open clocks with their due instants (:mod:`engine.runtime.limits.calendar_proposals`).  A due instant that would become earlier is held at what people were told until somebody decides (``domain.md`` §4.2 item 4).

A node may count with the calendar of a minute ago.  The clock row says by which version it was worked out, so what such a node has
written since is found and done again (:func:`_stragglers`).
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, bindparam, exists, func, select, update

from engine.deadlines import WorkCalendar
from engine.deadlines import clock as deadlines
from engine.errors import NotFound, NotPermitted, ValidationFailed
from engine.runtime.casework.casestate import after_clock_change, trail_row
from engine.runtime.limits import batches, clocks, following, worktime
from engine.runtime.limits.batches import FAILED, MOOT, MOVED, OPEN, SAME, Batches, Counted, said
from engine.runtime.limits.clocks import STOPPED, ClockState
from engine.runtime.telling.notices import Notices
from engine.store import tables
from engine.store.types import DIALECT_INSERTS
from engine.words import T, Words

if TYPE_CHECKING:
    from engine.runtime.desk import Desk

log = logging.getLogger(__name__)

HELD, ACCEPTED, KEPT = "HELD", "ACCEPTED", "KEPT"
STATE_WORDS: dict[str, Words] = {
    OPEN: T("to be recalculated"), SAME: T("unchanged"), MOVED: T("moved"), HELD: T("to decide"), ACCEPTED: T("shortened by decision"),
    KEPT: T("kept by decision"), MOOT: T("no longer in question"), FAILED: T("failed"),
}  # fmt: skip
DECIDERS = frozenset({"admin", "supervisor"})
_BATCH, _ITEM, _CLOCK = tables.recalculation, tables.recalculation_item, tables.clock
_BATCHES = Batches(_BATCH, _ITEM, "recalculation_key", "calendar.recalculated")


@dataclass(frozen=True)
class Progress(Counted):
    """A recalculation and how far it is; ``counts`` is by state of the items."""

    key: int
    proposal_key: int
    version: int
    state: str
    created_at: datetime
    created_by: str | None
    ended_at: datetime | None
    counts: Mapping[str, int]


# --- working it off ----------------------------------------------------------------------------------------------------------


def run(desk: Desk, limit: int | None = None) -> int:
    """Recalculate a round of clocks; gives how many this node did.  Costs nothing while the calendar was never changed."""
    calendar = desk.calendar
    with desk.engine.reading() as conn:
        batch = _BATCHES.running(conn)
        late_clocks = batch is None and calendar.version > 0 and _behind(conn, calendar.version)
        late_timers = batch is None and calendar.version > 0 and following.behind(conn, calendar.version)
    if batch is None:
        left = batches.ROUND if limit is None else min(batches.ROUND, limit)
        done = _stragglers(desk, left) if late_clocks else 0
        return done + (_timers(desk, calendar.version, left - done) if late_timers else 0)
    done, left = _BATCHES.work_off(limit, lambda most: _slice(desk, batch, most))
    brought = _timers(desk, batch["version"], left) if left else 0
    if brought < left:
        _BATCHES.settle(desk, batch["key"], lambda tx: _tell(desk, tx, batch))
    return done + brought


def _timers(desk: Desk, version: int, limit: int) -> int:
    """Timers of models that count with an older calendar and were moved by no clock: those without one count from a start."""
    done = 0
    while done < limit:
        with desk.engine.transaction() as tx:
            _calendar(desk, tx, version)
            count = following.bring(desk, tx, version, min(batches.SLICE, limit - done))
        done += count
        if count == 0:
            break
    return done


def _behind(conn: Connection, version: int) -> bool:
    late = select(_CLOCK.c.key).where(_CLOCK.c.state != STOPPED, _CLOCK.c.calendar_version < version).limit(1)
    return conn.execute(late).first() is not None


def _slice(desk: Desk, batch: Mapping[str, Any], limit: int) -> int:
    with desk.engine.transaction(by=batch["created_by"]) as tx:
        chosen = _BATCHES.listed(batch["key"], _ITEM.c.clock_key, _ITEM.c.case_key, _ITEM.c.old_due_at)
        found = tx.execute(chosen.limit(limit).with_for_update(skip_locked=True)).all()
        # Timers follow, and those are their instances': a case that somebody is working on just now is left for the next round.
        free = following.lock_cases(tx, {row.case_key for row in found}) if found else ()
        rows = [row for row in found if row.case_key in free]
        if rows:
            _bring(desk, tx, batch, {row.clock_key: row.old_due_at for row in rows})
    return len(rows)


def _calendar(desk: Desk, tx: Any, version: int) -> WorkCalendar:
    """The calendar as this node knows it, unless that is older than the change that is worked in."""
    calendar = desk._calendar.get(tx.conn)
    if calendar.version < version:
        desk.forget_calendar()
        calendar = desk._calendar.get(tx.conn)
    return calendar


def _bring(desk: Desk, tx: Any, batch: Mapping[str, Any], told: Mapping[int, datetime | None]) -> None:
    """Derive the clocks anew and write what became of them; ``told`` is clock key → due instant before the change."""
    calendar = _calendar(desk, tx, batch["version"])
    book = desk.book(tx.conn)
    chosen = select(_CLOCK).where(_CLOCK.c.key.in_(list(told))).order_by(_CLOCK.c.key).with_for_update()
    found = {row["key"]: row for row in tx.execute(chosen).mappings()}
    changed: list[ClockState] = []
    results: list[dict[str, Any]] = []
    for key, old in told.items():
        outcome, new, message = SAME, old, None
        if key in found:
            try:
                state = ClockState.of_row(found[key])
                outcome, new = _derive(state, calendar, book.ladder(state.row["ladder_id"]), old)
            except Exception as mistake:
                log.exception("recalculation %s, clock %s", batch["key"], key)
                outcome, message = FAILED, said(mistake)
            else:
                if state.live:
                    changed.append(state)
                if outcome in (MOVED, HELD):
                    _note(tx, state, batch, outcome, old, new)
        else:
            outcome = MOOT
        results.append({"clock_": key, "state_": outcome, "new_": new, "message_": message})
    for state in changed:
        state.changed = True
    clocks.write(tx.conn, changed)
    after_clock_change(desk, tx, changed)
    finished = (
        update(_ITEM)
        .where(_ITEM.c.recalculation_key == batch["key"], _ITEM.c.clock_key == bindparam("clock_"))
        .values(state=bindparam("state_"), new_due_at=bindparam("new_"), message=bindparam("message_"))
    )
    tx.execute(finished, results)
    # What was held by an earlier change is a question of this one now, or none any more.
    earlier = (_ITEM.c.clock_key.in_(list(told)), _ITEM.c.state == HELD, _ITEM.c.recalculation_key != batch["key"])
    tx.execute(update(_ITEM).where(*earlier).values(state=MOOT))


def _derive(state: ClockState, calendar: WorkCalendar, ladder: Any, old: datetime | None) -> tuple[str, datetime | None]:
    """Bring one clock to the calendar; what became of it, and its due instant by the new calendar."""
    if not state.live:
        return SAME, state.row["due_at"]
    state.derive(calendar, ladder)
    kept, computed = state.clock.kept, deadlines.computed_due(state.clock, calendar)
    if kept is not None and not kept.by and computed is not None:
        return HELD, computed.at
    due = state.row["due_at"]
    return (SAME if old is None or due is None or due == old else MOVED), due


def _note(tx: Any, state: ClockState, batch: Mapping[str, Any], outcome: str, old: datetime | None, new: datetime | None) -> None:
    details = {
        "rule": state.rule_id, "label": state.row["label"], "from": old.isoformat() if old else None, "to": new.isoformat() if new else None,
        "recalculation": str(batch["key"]),
    }  # fmt: skip
    action = "recalculate" if outcome == MOVED else "recalculate_held"
    row = trail_row(state.row["case_key"], action, tx, instance_key=state.row["instance_key"], actor=batch["created_by"], details=details)
    tx.add(tables.trail, **row)


def _tell(desk: Desk, tx: Any, batch: Mapping[str, Any]) -> None:
    """One notification a person, however many of their limits moved."""
    task = tables.user_task
    joined = _ITEM.join(task, task.c.root_key == _ITEM.c.case_key)
    held_by = (
        select(task.c.assignee, func.count(_ITEM.c.clock_key.distinct()).label("limits"))
        .select_from(joined)
        .where(_ITEM.c.recalculation_key == batch["key"], _ITEM.c.state == MOVED, task.c.state == "CREATED", task.c.assignee.is_not(None))
        .group_by(task.c.assignee)
    )
    notices = Notices(tx.now, None)
    for row in tx.execute(held_by):
        words = T("The work calendar changed: %(count)d due date(s) of your cases moved. The case's trail says how.", count=row.limits)
        notices.tell([row.assignee], "recalculated", words, case_key=None)
    held = _BATCHES.counts(tx.conn, [batch["key"]])[batch["key"]][HELD]
    if held:
        words = T("The work calendar changed: %(count)d due date(s) would become earlier and are held until you decide.", count=held)
        directory = desk.people.directory(tx.conn)
        notices.tell(sorted({login for role in DECIDERS for login in directory.members(role)}), "recalculated", words, case_key=None)
    notices.post(desk, tx)


def _stragglers(desk: Desk, limit: int) -> int:
    """Clocks written since by a node that still counted with an older calendar."""
    with desk.engine.transaction() as tx:
        version = worktime.calendar_version(tx.conn)
        batch = tx.execute(select(_BATCH).where(_BATCH.c.version == version, _BATCH.c.state == "DONE")).mappings().one_or_none()
        if batch is None:
            return 0
        late = select(_CLOCK.c.key, _CLOCK.c.case_key, _CLOCK.c.due_at).where(
            _CLOCK.c.state != STOPPED, _CLOCK.c.calendar_version < version
        )
        # What has failed once would fail again, at every look.
        failed = exists().where(_ITEM.c.recalculation_key == batch["key"], _ITEM.c.clock_key == _CLOCK.c.key, _ITEM.c.state == FAILED)
        chosen = late.where(~failed).order_by(_CLOCK.c.key).limit(min(batches.SLICE, limit)).with_for_update(skip_locked=True)
        found = tx.execute(chosen).all()
        free = following.lock_cases(tx, {row.case_key for row in found}) if found else ()
        rows = [row for row in found if row.case_key in free]
        if not rows:
            return 0
        added = DIALECT_INSERTS[tx.conn.dialect.name](_ITEM).on_conflict_do_nothing(index_elements=["recalculation_key", "clock_key"])
        empty = {"new_due_at": None, "message": None, "decided_by": None, "decided_at": None, "reason": None}
        values = [
            {
                "recalculation_key": batch["key"],
                "clock_key": row.key,
                "case_key": row.case_key,
                "state": OPEN,
                "old_due_at": row.due_at,
                **empty,
            }
            for row in rows
        ]
        tx.execute(added, values)
        _bring(desk, tx, batch, {row.key: row.due_at for row in rows})
    return len(rows)


# --- reading -------------------------------------------------------------------------------------------------------------------


def find(conn: Connection, limit: int = 20) -> list[Progress]:
    """Recalculations, the newest first."""
    rows = conn.execute(select(_BATCH).order_by(_BATCH.c.key.desc()).limit(limit)).mappings().all()
    return _progress(conn, rows)


def get(conn: Connection, key: int) -> Progress:
    """One recalculation.  Raises :class:`NotFound`."""
    rows = conn.execute(select(_BATCH).where(_BATCH.c.key == key)).mappings().all()
    if not rows:
        raise NotFound("There is no recalculation %(key)s.", key=key)
    return _progress(conn, rows)[0]


def _progress(conn: Connection, rows: Collection[Mapping[str, Any]]) -> list[Progress]:
    counts = _BATCHES.counts(conn, [row["key"] for row in rows])
    names = ("key", "proposal_key", "version", "state", "created_at", "created_by", "ended_at")
    return [Progress(**{name: row[name] for name in names}, counts=counts[row["key"]]) for row in rows]


def items(conn: Connection, key: int, states: Collection[str], limit: int, offset: int = 0) -> list[Row]:
    """Old and new due instants of a recalculation, with the number of the case, those to decide first."""
    case = tables.case_file
    joined = _ITEM.outerjoin(_CLOCK, _CLOCK.c.key == _ITEM.c.clock_key).outerjoin(case, case.c.key == _ITEM.c.case_key)
    columns = (*_ITEM.c, _CLOCK.c.label, case.c.case_no)
    chosen = select(*columns).select_from(joined).where(_ITEM.c.recalculation_key == key, _ITEM.c.state.in_(list(states)))
    return list(
        conn.execute(chosen.order_by((_ITEM.c.state != HELD).asc(), _ITEM.c.old_due_at, _ITEM.c.clock_key).limit(limit).offset(offset))
    )


def undecided(conn: Connection) -> list[Row]:
    """Recalculations with due dates to decide: key and how many."""
    chosen = select(_ITEM.c.recalculation_key, func.count().label("held")).where(_ITEM.c.state == HELD)
    return list(conn.execute(chosen.group_by(_ITEM.c.recalculation_key).order_by(_ITEM.c.recalculation_key)))


# --- deciding ------------------------------------------------------------------------------------------------------------------


def decide(desk: Desk, key: int, clock_keys: Collection[int], *, accept: bool, reason: str, by: str, address: str | None = None) -> int:
    """Let held due dates become earlier (``accept``) or keep what people were told; returns how many were decided.

    For administrators and supervisors, with a reason, which goes into the trail of each case and into its ledger.  A limit that has
    ended meanwhile, or was decided by somebody else, is left out.
    """
    if not reason.strip():
        words = T("Say why: the reason goes into the trail of the case.")
        raise ValidationFailed(words, errors={"reason": [words]})
    if not clock_keys:
        words = T("Choose at least one due date.")
        raise ValidationFailed(words, errors={"clocks": [words]})
    with desk.audited(by, address) as tx:
        if DECIDERS.isdisjoint(desk.people.directory(tx.conn).own_groups(by)):
            raise NotPermitted("Only supervision and administrators may decide about due dates that were told.")
        wanted = sorted(set(clock_keys))
        chosen = select(_ITEM).where(_ITEM.c.recalculation_key == key, _ITEM.c.clock_key.in_(wanted), _ITEM.c.state == HELD)
        held = {row["clock_key"]: row for row in tx.execute(chosen.order_by(_ITEM.c.clock_key).with_for_update()).mappings()}
        # Instances before their clocks, as commands do: the timers of a case follow its limits.
        following.lock_cases(tx, {row["case_key"] for row in held.values()}, wait=True)
        rows = tx.execute(select(_CLOCK).where(_CLOCK.c.key.in_(list(held))).order_by(_CLOCK.c.key).with_for_update()).mappings().all()
        calendar = worktime.load_calendar(tx.conn, desk.settings.hours)
        book = desk.book(tx.conn)
        changed, results = [], []
        for row in rows:
            state = ClockState.of_row(row)
            outcome = (ACCEPTED if accept else KEPT) if state.live and state.clock.kept is not None else MOOT
            if outcome != MOOT:
                kept = None if accept else replace(state.clock.kept, by=by, at=tx.now, reason=reason.strip())
                state.become(replace(state.clock, kept=kept))
                state.derive(calendar, book.ladder(row["ladder_id"]))
                changed.append(state)
                _note_decision(tx, state, accept, reason, by, held[state.key], row["due_at"])
            results.append(
                {"clock_": state.key, "state_": outcome, "new_": held[state.key]["new_due_at"] if not accept else state.row["due_at"]}
            )
        clocks.write(tx.conn, changed)
        after_clock_change(desk, tx, changed)
        decided = {"decided_by": by, "decided_at": tx.now, "reason": reason.strip()}
        mark = update(_ITEM).where(_ITEM.c.recalculation_key == key, _ITEM.c.clock_key == bindparam("clock_"))
        if results:
            tx.execute(mark.values(state=bindparam("state_"), new_due_at=bindparam("new_"), **decided), results)
        tx.audit(f"calendar.{'shorten' if accept else 'keep'}", f"recalculation:{key}", limits=len(changed), reason=reason.strip())
    return len(changed)


def _note_decision(
    tx: Any, state: ClockState, accept: bool, reason: str, by: str, item: Mapping[str, Any], before: datetime | None
) -> None:
    after = state.row["due_at"]
    details = {
        "rule": state.rule_id, "label": state.row["label"], "from": before.isoformat() if before else None,
        "to": after.isoformat() if after else None, "computed": item["new_due_at"].isoformat() if item["new_due_at"] else None,
        "recalculation": str(item["recalculation_key"]),
    }  # fmt: skip
    action = "recalculate_accept" if accept else "recalculate_keep"
    row = trail_row(
        state.row["case_key"], action, tx, instance_key=state.row["instance_key"], actor=by, opinion=reason.strip(), details=details
    )
    tx.add(tables.trail, **row)
