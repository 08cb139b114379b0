"""Bringing running cases under another version of a rule, by a decision that is written down.

A case keeps the rule it started under.  Who answers for limits may decide otherwise for chosen cases: they see the old and the new due
date first, and a date that comes earlier than what was told needs a decision in words (``domain.md`` §4.2 item 4).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select

from engine.deadlines import Rule
from engine.deadlines.clock import due_of
from engine.errors import EngineError, NotFound, ValidationFailed
from engine.runtime.casework.casestate import after_clock_change, trail_row
from engine.runtime.casework.filing import handlers_of
from engine.runtime.limits import clocks, following
from engine.runtime.limits.clocks import ClockState
from engine.runtime.limits.rulebook import COUNTING, require_editor
from engine.runtime.telling.notices import Notices
from engine.store import tables
from engine.words import T

if TYPE_CHECKING:
    from engine.runtime.desk import Desk

DECIDERS = frozenset({"supervisor", "vice_director", "director"})
"""Roles that may bring running cases under another version of a rule."""


@dataclass(frozen=True)
class Move:
    """What another version of a rule would do to one running clock; due instants are UTC, ``None`` while paused."""

    clock_key: int
    case_key: int
    case_no: str
    title: str
    received_at: datetime
    old_rule: Rule
    rules_version: int
    old_due: datetime | None
    new_due: datetime | None
    refused: Any = None

    @property
    def shortened(self) -> bool:
        """Whether the case would be due earlier than it has been told so far; a paused clock by its budget."""
        if self.old_due is None or self.new_due is None:
            return False
        return self.new_due < self.old_due

    @property
    def mark(self) -> str:
        """What has been seen of it; another mark at the time of the deed means that the case has moved on."""
        return f"{self.clock_key}:{self.old_due.isoformat() if self.old_due else ''}:{self.new_due.isoformat() if self.new_due else ''}"


def version_of(desk: Desk, conn: Connection | None, rule_id: str, since: date | None) -> Rule:
    """One version of a rule.  Raises :class:`NotFound`."""
    found = next((each for each in desk.book(conn).rules.versions(rule_id) if each.effective_from == since), None)
    if found is None:
        raise NotFound("The deadline rule table has no rule “%(id)s”.", id=rule_id)
    return found


def moves(desk: Desk, conn: Connection, rule: Rule) -> list[Move]:
    """The running clocks of this rule that count by another version of it, the oldest case first, with old and new due date.

    Clocks that a model started by one of the rule's further ids are among them.
    """
    family = desk.book(conn).rules.family(rule.id)
    clock, case = tables.clock, tables.case_file
    statement = (
        select(clock, case.c.case_no, case.c.title, case.c.received_at)
        .join(case, case.c.key == clock.c.case_key)
        .where(clock.c.rule_id.in_(family), clock.c.state != clocks.STOPPED)
        .order_by(case.c.received_at, clock.c.key)
    )
    found = []
    for row in conn.execute(statement).mappings():
        state = ClockState.of_row({column.name: row[column.name] for column in clock.c})
        if _same(state.clock.rule, rule):
            continue
        new_due, refused = None, None
        try:
            moved = due_of(replace(state.clock, rule=rule), desk.engine.calendar)
            new_due = moved.at if moved else None
        except EngineError as error:
            refused = error.message
        found.append(
            Move(
                state.key, row["case_key"], row["case_no"], row["title"], row["received_at"], state.clock.rule, state.rules_version,
                row["due_at"], new_due, refused,
            )
        )  # fmt: skip
    return found


def _same(old: Rule, new: Rule) -> bool:
    return all(getattr(old, name) == getattr(new, name) for name in COUNTING)


def apply_version(
    desk: Desk,
    rule_id: str,
    since: date | None,
    marks: Mapping[int, str],
    *,
    reason: str,
    decision: str = "",
    by: str,
    address: str | None = None,
) -> tuple[int, list[str]]:
    """Bring the clocks of ``marks`` (clock key → :attr:`Move.mark`) under a version of a rule; each case is a command of its own.

    ``decision`` is the decision that allows earlier due dates.  Returns how many were changed and the case numbers of those that had
    moved on since they were looked at.  Raises :class:`ValidationFailed` when nothing was chosen, no reason is given, or a date would come earlier
    without a decision; then nothing is changed.
    """
    require_editor(desk, by, f"rules:{rule_id}", address, DECIDERS)
    with desk.engine.reading() as conn:
        rule = version_of(desk, conn, rule_id, since)
        seen = {move.clock_key: move for move in moves(desk, conn, rule)}
        version = desk.book(conn).rules_version
    chosen = [seen[key] for key in marks if key in seen and seen[key].refused is None]
    errors: dict[str, list[Any]] = {}
    if not marks:
        errors["clock"] = [T("Choose at least one case.")]
    if not reason.strip():
        errors["reason"] = [T("Every change needs a reason.")]
    shorter = [move for move in chosen if move.shortened]
    if shorter and not decision.strip():
        words = T(
            "%(count)d case(s) would be due earlier than was told. Name the decision that allows it, or leave them out.", count=len(shorter)
        )
        errors["decision"] = [words]
    if errors:
        raise ValidationFailed("The new version cannot be applied like this.", errors=errors)
    with desk.engine.transaction(by=by, address=address) as tx:
        details = {"since": since.isoformat() if since else None, "reason": reason.strip(), "cases": len(marks)}
        tx.audit("rules.apply", f"rules:{rule_id}", decision=decision.strip(), **details)
    changed, moved_on = 0, [seen[key].case_no for key in marks if key in seen and seen[key].mark != marks[key]]
    for move in chosen:
        if move.mark != marks[move.clock_key]:
            continue
        command = _Application(desk, rule, version, move, reason.strip(), decision.strip() if move.shortened else "")
        if desk.command(command.run, by=by, address=address):
            changed += 1
        else:
            moved_on.append(move.case_no)
    return changed, moved_on


class _Application:
    """One clock brought under another version of its rule."""

    def __init__(self, desk: Desk, rule: Rule, version: int, move: Move, reason: str, decision: str) -> None:
        self.desk, self.rule, self.version, self.move, self.reason, self.decision = desk, rule, version, move, reason, decision

    def run(self, tx: Any, note: Any) -> bool:
        """Returns false when the clock is not any more what was looked at."""
        desk, clock = self.desk, tables.clock
        case_key = tx.execute(select(clock.c.case_key).where(clock.c.key == self.move.clock_key)).scalar_one()
        # Commands lock the instance before its clocks; so must this one, or what a command has read would be written over it.
        following.lock_cases(tx, [case_key], wait=True)
        row = (
            tx.execute(select(clock).where(clock.c.key == self.move.clock_key, clock.c.state != clocks.STOPPED).with_for_update())
            .mappings()
            .one_or_none()
        )
        if row is None:
            return False
        state = ClockState.of_row(row)
        if state.row["due_at"] != self.move.old_due or state.clock.rule != self.move.old_rule:
            return False
        old = state.clock.rule
        state.become(replace(state.clock, rule=replace(self.rule, id=old.id)))
        state.rules_version = self.version
        state.row["label"] = self.rule.label
        state.derive(desk.engine.calendar, desk.book(tx.conn).ladder(state.row["ladder_id"]))
        clocks.write(tx.conn, [state])
        after_clock_change(desk, tx, [state])
        details = {
            "rule": old.id, "label": self.rule.label, "from": _text(self.move.old_due), "to": _text(state.row["due_at"]),
            "old_since": _text(old.effective_from), "new_since": _text(self.rule.effective_from), "rules_version": self.version,
        }  # fmt: skip
        if self.decision:
            details["decision"] = self.decision
        tx.add(tables.trail, **trail_row(state.row["case_key"], "rule_applied", tx, actor=tx.by, opinion=self.reason, details=details))
        notices = Notices(tx.now, tx.by)
        words = T("“%(label)s” of %(case_no)s now counts by another version of its rule.", label=self.rule.label, case_no=self.move.case_no)
        notices.tell(handlers_of(desk, tx.conn, state.row["case_key"]), "rule_applied", words, case_key=state.row["case_key"])
        notices.post(desk, tx)
        return True


def _text(value: Any) -> str | None:
    return value.isoformat() if value else None


def running_versions(conn: Connection, rule_ids: Collection[str]) -> dict[date | None, int]:
    """How many unfinished clocks of a rule count by which of its versions."""
    clock = tables.clock.c
    found: dict[date | None, int] = {}
    for ledger in conn.execute(select(clock.ledger).where(clock.rule_id.in_(list(rule_ids)), clock.state != clocks.STOPPED)).scalars():
        since = ledger["rule"].get("effective_from")
        day = date.fromisoformat(since) if since else None
        found[day] = found.get(day, 0) + 1
    return found
