"""Firing the rungs of the ladders: who is told, once each, whichever node gets there first.

Due clocks are queried, never remembered.  Each is handled in a transaction of its own, so that one that fails does not hold up
the others; the unique row in ``rung_firing`` is the claim.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, func, select, update

from engine.deadlines import Ladder, Rung, rung_times
from engine.organisation import Directory, excluded_by
from engine.runtime.access import CHIEFS
from engine.runtime.casestate import carry_due_dates, people_of, trail_row
from engine.runtime.clocks import RUNNING, ClockState, derived_columns
from engine.runtime.notices import Notices
from engine.store import tables
from engine.store.types import DIALECT_INSERTS, new_key
from engine.words import T

if TYPE_CHECKING:
    from engine.runtime.desk import Desk

log = logging.getLogger(__name__)

_REASONS = ("explain", "extend")
"""Trail actions that state a reason for being late; they withhold rungs with ``unless: reason_stated``."""
BATCH = 500
"""Due clocks read at a time."""
_EXTERNAL = {"mail": ("mail",), "sms": ("sms",), "all": ("mail", "sms")}


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
            try:
                now_fired = desk.engine.command(lambda unit, key=key: _fire(desk, unit, key), by=None)
            except Exception as error:  # one case must not hold up the others, whatever is wrong with it
                log.exception("the rungs of clock %s could not be fired", key)
                with desk.engine.transaction() as tx:
                    tx.audit("rung.failed", f"clock:{key}", reason=str(error)[:500])
                now_fired = 0
            fired += now_fired
            if not now_fired:
                failed.add(key)
    return fired


def _due(desk: Desk, besides: int) -> list[int]:
    """Clocks with a due rung, the longest due first; a batch, and room for ``besides`` that this call has given up on."""
    clock = tables.clock.c
    chosen = select(clock.key).where(clock.state == RUNNING, clock.next_rung_at <= desk.engine.clock())
    with desk.engine.reading() as conn:
        return list(conn.execute(chosen.order_by(clock.next_rung_at, clock.key).limit(BATCH + besides)).scalars())


def _fire(desk: Desk, unit: Any, clock_key: int) -> int:
    tx, clock = unit.tx, tables.clock.c
    # Commands lock the instance before its clocks; a firing that may move the instance must do the same, or the two could wait
    # for each other.
    place = tx.execute(select(clock.instance_key, clock.ladder_id).where(clock.key == clock_key)).one()
    ladder = desk.book(tx.conn).ladder(place.ladder_id)
    if ladder is not None and any(rung.escalation_codes for rung in ladder.rungs) and unit.load(place.instance_key, skip_locked=True) is None:
        return 0
    # Only who holds the row works on it; the state is asked again because it may have changed since it was listed.
    chosen = select(tables.clock).where(clock.key == clock_key, clock.state == RUNNING, clock.next_rung_at <= tx.now)
    row = tx.execute(chosen.with_for_update(skip_locked=True)).mappings().one_or_none()
    if row is None:
        return 0
    firing = _Firing(desk, tx, ClockState.of_row(row))
    fired = firing.run()
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

    def run(self) -> int:
        """Fire what is due, in order; returns how many rungs this node fired."""
        tx, state = self.tx, self.state
        case_key = state.row["case_key"]
        self.case = tx.execute(select(tables.case_file).where(tables.case_file.c.key == case_key)).one_or_none()
        tasks = tables.user_task
        self.tasks = tx.execute(select(tasks).where(tasks.c.root_key == case_key, tasks.c.state == "CREATED").order_by(tasks.c.key)).all()
        count = 0
        level = state.row["level"]
        for rung, planned in rung_times(state.clock, self.ladder, self.calendar) if self.ladder else ():
            if planned > tx.now:
                break
            if rung.id in state.fired:
                continue
            state.fired.append(rung.id)
            level = max(level, rung.level)
            if self._claim(rung, planned):
                count += 1
                self.escalations += rung.escalation_codes
        for row in self.notices.rows:
            tx.add(tables.notification, **row)
        ledger = dict(state.row["ledger"], fired=state.fired)
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
        withheld = rung.unless == "reason_stated" and self._reason_stated()
        recipients = [] if withheld else self._recipients(rung)
        label = rung.text or rung.id
        row = {
            "clock_key": state.key, "rung": rung.id, "case_key": state.row["case_key"], "label": label[:200], "level": rung.level,
            "action": ("withheld" if withheld else ",".join(rung.actions))[:60], "channel": rung.channel, "recipients": recipients,
            "planned_at": planned, "fired_at": tx.now, "late": tx.now - planned > 2 * self.desk.settings.acquirer_interval, "node": tx.node,
        }  # fmt: skip
        claim = DIALECT_INSERTS[tx.conn.dialect.name](tables.rung_firing).on_conflict_do_nothing(index_elements=["clock_key", "rung"])
        if tx.execute(claim.values(row).returning(tables.rung_firing.c.rung)).first() is None:
            return False
        if not withheld:
            self._tell(rung, label, recipients)
        if rung.level > 0 or rung.escalation_codes:
            details = {
                "rung": rung.id, "rule": state.rule_id, "level": rung.level, "recipients": recipients, "late": row["late"], "actions": row["action"],
            }  # fmt: skip
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
        self.notices.tell(logins, "rung", words, case_key=case.key, task_key=self.state.row["task_key"])
        for medium in _EXTERNAL.get(rung.channel, ()):
            if medium in self.desk.settings.outbox_channels and logins:
                self._send(medium, logins, str(words))

    def _send(self, medium: str, logins: list[str], text: str) -> None:
        """What leaves the house is a job of the outbox: sent after the commit, at least once."""
        self.tx.add(
            tables.job,
            key=new_key(), instance_key=None, root_key=self.case.key, token=None, element_id=None, type=f"notify.{medium}", state="CREATED",
            retries=3, headers={}, payload={"logins": logins, "text": text, "case_no": self.case.case_no}, available_at=self.tx.now, worker=None,
            leased_until=None, message=None, created_at=self.tx.now, ended_at=None,
        )  # fmt: skip

    # -- who ---------------------------------------------------------------------------------------------------------

    def _recipients(self, rung: Rung) -> list[dict[str, str]]:
        """The people behind the roles of a rung, each once, with the role they are told in."""
        found: dict[str, dict[str, str]] = {}
        for role in rung.recipients:
            for login in self._people(role):
                found.setdefault(login, {"login": login, "name": self.directory.name(login), "role": role})
        return list(found.values())

    def _people(self, role: str) -> Iterable[str]:
        """Roles are relative to the case: its handlers, the chief over them, the vice director over that section."""
        if role == "handler":
            return self._handlers()
        if role == "section_chief":
            return [login for section in self._sections() for login in self.directory.holders(CHIEFS, section)]
        if role == "vice_director":
            over = [login for section in self._sections() for login in self.directory.members(f"vice_director@{section}")]
            return over or self.directory.members("vice_director")
        if role == "applicant":
            return [self.case.starter] if self.case is not None and self.directory.own_groups(self.case.starter) else []
        return self.directory.members("admin" if role == "administrator" else role)

    def _handlers(self) -> list[str]:
        """Who has the open tasks: of the clock's own element if it has one, else of the case; candidates where nobody holds them."""
        own = [task for task in self.tasks if task.clock_key == self.state.key] or self.tasks
        found: dict[str, None] = {}
        for task in own:
            if task.assignee:
                found[task.assignee] = None
                continue
            candidates = people_of(self.directory, (*task.candidate_users, *task.candidate_groups))
            found.update(dict.fromkeys(login for login in candidates if not excluded_by(self.directory, login, task.excluded)))
        return list(found)

    def _sections(self) -> list[str]:
        """The sections of who holds the tasks, else the owner section."""
        own = [task for task in self.tasks if task.clock_key == self.state.key] or self.tasks
        handling = {self.directory.section_of(task.assignee): None for task in own if task.assignee}
        owner = self.case.section_code if self.case is not None else None
        found = [section for section in handling if section] or ([owner] if owner else [])
        if not found:
            found = list(dict.fromkeys(self.directory.section_of(login) for login in self._handlers() if self.directory.section_of(login)))
        return [section for section in found if section]

    def _reason_stated(self) -> bool:
        trail = tables.trail.c
        chosen = select(trail.key).where(trail.case_key == self.state.row["case_key"], trail.action.in_(_REASONS)).limit(1)
        return self.tx.execute(chosen).first() is not None
