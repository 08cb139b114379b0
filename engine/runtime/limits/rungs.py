"""Firing the rungs of the ladders: who is told, once each, whichever node gets there first.

Due clocks are queried, never remembered.  Each is handled in a transaction of its own, so that one that fails does not hold up
the others; the unique row in ``rung_firing`` is the claim.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, func, select, update

from engine.deadlines import Ladder, Rung, rung_times
from engine.organisation import Directory
from engine.runtime.book import DEFAULT_LADDER
from engine.runtime.casestate import carry_due_dates, trail_row
from engine.runtime.limits.clocks import RUNNING, ClockState, derived_columns
from engine.runtime.supervision import orders
from engine.runtime.telling.notices import Notices, alarm
from engine.runtime.telling.preferences import CHANNELS
from engine.runtime.telling.recipients import Recipients, Told, open_tasks, rung_role
from engine.store import tables
from engine.store.types import DIALECT_INSERTS
from engine.words import T

if TYPE_CHECKING:
    from engine.runtime.desk import Desk

log = logging.getLogger(__name__)

_REASONS = ("explain", "extend")
"""Trail actions that state a reason for being late; they withhold rungs with ``unless: reason_stated``."""
BATCH = 500
"""Due clocks read at a time."""
INSTANT = timedelta(microseconds=1)
"""The smallest step of the clock in the tables."""
_ORDERED = {"mail": ("mail",), "sms": ("sms",), "all": tuple(CHANNELS)}
"""Channel of a rung → the ways out of the house that it orders; what else goes out is the choice of each person."""


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
        keys = [key for key in _due(desk, len(failed)) if key not in failed]
        if not keys:
            break
        for key in keys if limit is None else keys[: limit - fired]:
            fired += _attempt(desk, key, None, failed)
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
        select(clock.c.key, first.c.until)
        .join(first, first.c.root_key == clock.c.case_key)
        .where(clock.c.state == RUNNING, clock.c.next_rung_at < first.c.until)
        .order_by(clock.c.next_rung_at, clock.c.key)
        .limit(BATCH + len(failed))
    )
    with desk.engine.reading() as conn:
        rows = conn.execute(statement).all()
    # At the very same instant the timer goes first, as it does in ordinary running.
    return sum(_attempt(desk, row.key, row.until - INSTANT, failed) for row in rows if row.key not in failed)


def _attempt(desk: Desk, key: int, until: datetime | None, failed: set[int]) -> int:
    """Fire one clock's rungs that are due (and were ``until`` then); one that fails is audited and must not hold up the others."""
    try:
        fired = desk.engine.command(lambda unit: _fire(desk, unit, key, until), by=None)
    except Exception as error:  # whatever is wrong with it
        log.exception("the rungs of clock %s could not be fired", key)
        with desk.engine.transaction() as tx:
            tx.audit("rung.failed", f"clock:{key}", reason=str(error)[:500])
        fired = 0
    if not fired:
        failed.add(key)
    return fired


def _due(desk: Desk, besides: int) -> list[int]:
    """Clocks with a due rung, the longest due first; a batch, and room for ``besides`` that this call has given up on."""
    clock = tables.clock.c
    chosen = select(clock.key).where(clock.state == RUNNING, clock.next_rung_at <= desk.engine.clock())
    with desk.engine.reading() as conn:
        return list(conn.execute(chosen.order_by(clock.next_rung_at, clock.key).limit(BATCH + besides)).scalars())


def ladders_changed(desk: Desk, before: Mapping[str, Ladder]) -> int:
    """Let every running clock climb the ladders as they are deployed now; returns how many have another next rung.

    A rung that was not on the ladder ``before`` and whose moment has passed does not fire any more for a clock that runs: a new
    version reaches forward, not back.  Each clock is a command of its own, so this may stop half-way and be run again.
    """
    clock, changed = tables.clock.c, 0
    with desk.engine.reading() as conn:
        after = desk.book(conn).ladders
        touched = {id for id in (*before, *after) if before.get(id) != after.get(id)}
        running = conn.execute(select(clock.key, clock.ladder_id).where(clock.state == RUNNING).order_by(clock.key)).all()
    for key, ladder_id in running:
        # A clock whose ladder is not there climbs the standard one.
        if ladder_id not in touched and not (DEFAULT_LADDER in touched and ladder_id not in after):
            continue
        changed += desk.engine.command(lambda unit, key=key: _climb(desk, unit, key, before), by=None)
    return changed


def _climb(desk: Desk, unit: Any, clock_key: int, before: Mapping[str, Ladder]) -> int:
    tx, clock = unit.tx, tables.clock
    unit.load(tx.execute(select(clock.c.instance_key).where(clock.c.key == clock_key)).scalar_one())
    row = tx.execute(select(clock).where(clock.c.key == clock_key, clock.c.state == RUNNING).with_for_update()).mappings().one_or_none()
    if row is None:
        return 0
    state, ladder = ClockState.of_row(row), desk.book(tx.conn).ladder(row["ladder_id"])
    old = before.get(row["ladder_id"]) or before.get(DEFAULT_LADDER)
    if old is not None and ladder is not None:
        times = rung_times(state.clock, ladder, desk.engine.calendar)
        state.fired += [rung.id for rung, at in times if at <= tx.now and rung.id not in state.fired and old.rung(rung.id) is None]
    ledger = dict(state.row["ledger"], fired=state.fired)
    derived = derived_columns(state.clock, ladder, state.fired, desk.engine.calendar)
    if ledger == row["ledger"] and all(derived[name] == row[name] for name in ("next_rung", "next_rung_at")):
        return 0
    tx.execute(update(clock).where(clock.c.key == clock_key).values(ledger=ledger, next_rung=derived["next_rung"], next_rung_at=derived["next_rung_at"]))
    return 1


def _fire(desk: Desk, unit: Any, clock_key: int, until: datetime | None) -> int:
    tx, clock = unit.tx, tables.clock.c
    until = tx.now if until is None else min(until, tx.now)
    # Commands lock the instance before its clocks; a firing that may move the instance must do the same, or the two could wait
    # for each other.
    place = tx.execute(select(clock.instance_key, clock.ladder_id).where(clock.key == clock_key)).one()
    ladder = desk.book(tx.conn).ladder(place.ladder_id)
    if ladder is not None and any(rung.escalation_codes for rung in ladder.rungs) and unit.load(place.instance_key, skip_locked=True) is None:
        return 0
    # Only who holds the row works on it; the state is asked again because it may have changed since it was listed.
    chosen = select(tables.clock).where(clock.key == clock_key, clock.state == RUNNING, clock.next_rung_at <= until)
    row = tx.execute(chosen.with_for_update(skip_locked=True)).mappings().one_or_none()
    if row is None:
        return 0
    firing = _Firing(desk, tx, ClockState.of_row(row))
    fired = firing.run(until)
    for code in firing.escalations:
        _escalate(unit, row, code)
    return fired


def _escalate(unit: Any, row: Any, code: str) -> None:
    """Throw a BPMN escalation where the clock runs: at its element, else at the case as a whole.

    In the same transaction as the firing, so neither can happen without the other.  Nobody need catch it.
    """
    live = unit.load(row["instance_key"])
    if live is None or live.row["state"] != "ACTIVE":
        return
    token = live.execution.token(row["token"]) if row["token"] is not None else None
    token = token or next(iter(live.execution.root.children), None)
    if token is not None and live.execution.find_catcher(token, "escalation", code) is not None:
        live.execution.throw_escalation(token, code, {})
        unit.run(live)
    elif live.row["parent_key"] is not None:
        unit.escaped(live, "escalation", code, "", {})


class _Firing:
    """One clock whose rungs are due."""

    def __init__(self, desk: Desk, tx: Any, state: ClockState) -> None:
        self.desk, self.tx, self.state = desk, tx, state
        self.calendar = desk.engine.calendar
        self.ladder: Ladder | None = desk.book(tx.conn).ladder(state.row["ladder_id"])
        self.directory: Directory = desk.people.directory(tx.conn)
        self.notices = Notices(tx.now, None)
        self.escalations: list[str] = []

    def run(self, until: datetime) -> int:
        """Fire what was due ``until`` then, in order; returns how many rungs this node fired."""
        tx, state = self.tx, self.state
        case_key = state.row["case_key"]
        self.case = tx.execute(select(tables.case_file).where(tables.case_file.c.key == case_key)).one_or_none()
        self.recipients = Recipients(self.directory, self.case, open_tasks(tx.conn, case_key), state.key)
        count = 0
        state.protect(self.calendar)
        level = state.row["level"]
        for rung, planned in rung_times(state.clock, self.ladder, self.calendar) if self.ladder else ():
            if planned > until:
                break
            if rung.id in state.fired:
                continue
            state.fired.append(rung.id)
            level = max(level, rung.level)
            if self._claim(rung, planned):
                count += 1
                self.escalations += rung.escalation_codes
        self.notices.post(self.desk, tx)
        ledger = state.written_ledger()
        derived = derived_columns(state.clock, self.ladder, state.fired, self.calendar)
        moved = derived["due_at"] != state.row["due_at"]
        tx.execute(update(tables.clock).where(tables.clock.c.key == state.key).values(ledger=ledger, level=level, **derived))
        if moved:
            state.row.update(derived)
            carry_due_dates(tx.conn, [state])
        return count

    def _claim(self, rung: Rung, planned: datetime) -> bool:
        """Insert the firing; ``False`` when it has fired before (another node, or an older state of this row)."""
        tx, state = self.tx, self.state
        withheld = self._withheld(rung)
        told = Told([], []) if withheld else self.recipients.of(rung)
        recipients, label = told.people, rung.text or rung.id
        row = {
            "clock_key": state.key, "rung": rung.id, "case_key": state.row["case_key"], "label": label[:200], "level": rung.level,
            "action": (withheld or ",".join(rung.actions))[:60], "channel": rung.channel, "recipients": recipients,
            "planned_at": planned, "fired_at": tx.now, "late": tx.now - planned > 2 * self.desk.settings.acquirer_interval, "node": tx.node,
        }  # fmt: skip
        claim = DIALECT_INSERTS[tx.conn.dialect.name](tables.rung_firing).on_conflict_do_nothing(index_elements=["clock_key", "rung"])
        if tx.execute(claim.values(row).returning(tables.rung_firing.c.rung)).first() is None:
            return False
        if not withheld:
            self._tell(rung, label, recipients)
            self._raise_alarms(rung, told)
            if "supervision_order" in rung.actions:
                orders.issue_for_rung(self.desk, tx, self.notices, self.recipients, state.row, rung)
        if rung.level > 0 or rung.escalation_codes:
            details = {
                "rung": rung.id, "rule": state.rule_id, "level": rung.level, "recipients": recipients, "late": row["late"], "actions": row["action"],
            }  # fmt: skip
            if told.missing:
                details["missing"] = [asdict(each) for each in told.missing]
            tx.add(
                tables.trail,
                **trail_row(state.row["case_key"], "rung", tx, instance_key=state.row["instance_key"], opinion=label, details=details),
            )
        return True

    def _tell(self, rung: Rung, label: str, recipients: list[dict[str, str]]) -> None:
        if rung.channel == "log" or self.case is None:
            return
        case = self.case
        words = T(
            "%(case_no)s %(title)s — %(limit)s: %(text)s", case_no=case.case_no, title=case.title, limit=self.state.row["label"], text=label
        )
        logins = [each["login"] for each in recipients]
        self.notices.tell(
            logins, "rung", words, case_key=case.key, task_key=self.state.row["task_key"], ordered=_ORDERED.get(rung.channel, ()), level=rung.level
        )

    # -- what keeps it from acting, and what is wrong with it ---------------------------------------------------------

    def _withheld(self, rung: Rung) -> str:
        """Why the rung does nothing, as the ledger says it; empty when it acts."""
        if rung.unless == "reason_stated" and self._reason_stated():
            return "withheld"
        return "claimed" if self.recipients.withheld(rung) else ""

    def _raise_alarms(self, rung: Rung, told: Told) -> None:
        """Somebody has to mend a ladder that reaches nobody: the administrators hear of it, once a day for each gap."""
        names = "、".join(dict.fromkeys(each["name"] for each in told.people if "instead_of" in each))
        for gap in told.missing:
            values = {"role": rung_role(gap.role), "section": self.directory.section_name(gap.section) or "—", "names": names or "—"}
            if gap.left:
                words = T("%(person)s has left and still holds a task; rungs go to %(names)s. Hand the task on.", person=self.directory.name(gap.left), names=values["names"])  # fmt: skip
            else:
                words = T("Nobody is %(role)s (%(section)s); rungs of the ladders go to %(names)s. Name somebody or change the ladder.", **values)
            if gap.fault:
                alarm(self.desk, self.tx, "nobody", f"{gap.role}:{gap.left or gap.section}", words)
            self.tx.audit("rung.fallback", f"clock:{self.state.key}", rung=rung.id, role=gap.role, section=gap.section, left=gap.left, told=names)

    def _reason_stated(self) -> bool:
        trail = tables.trail.c
        chosen = select(trail.key).where(trail.case_key == self.state.row["case_key"], trail.action.in_(_REASONS)).limit(1)
        return self.tx.execute(chosen).first() is not None
