"""The FEEL functions that the desk adds to the models of a case (host functions).

``due`` ``overdue`` ``add workdays`` ``workdays between`` ``is workday`` ``next workday`` ``previous workday`` ``handler``
``section of`` ``name of`` ``people`` ``extendable``.  Asked something that makes no sense they answer null, as FEEL functions do;
a timer without a date then raises an incident that says where.  ``processes/README.md`` describes them for designers.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from engine.deadlines import Rule
from engine.deadlines import clock as deadlines
from engine.deadlines import due as due_of_rule
from engine.errors import EngineError
from engine.runtime.casework.casestate import CaseState, Note, read_cases
from engine.runtime.casework.moments import feel_time, moment
from engine.runtime.limits.clocks import ClockState
from engine.runtime.limits.following import THE_CLOCKS, pick
from engine.store import tables

if TYPE_CHECKING:
    from engine.runtime.desk import Desk

FARTHEST = 40_000  # days: about a century of working days; beyond it a count is a mistake and would build the days of each year


class HostFunctions:
    """The functions as seen by one case within one command.  ``root_key`` is ``None`` outside any case (timer start events)."""

    def __init__(self, desk: Desk, tx: Any, root_key: int | None, note: Note) -> None:
        self._desk, self._tx, self._root_key, self._note = desk, tx, root_key, note

    def mapping(self) -> dict[str, Callable[..., Any]]:
        return {
            "due": self.due,
            "overdue": self.overdue,
            "add workdays": self.add_workdays,
            "workdays between": self.workdays_between,
            "is workday": self.is_workday,
            "next workday": self.next_workday,
            "previous workday": self.previous_workday,
            "handler": self.handler,
            "section of": self.section_of,
            "name of": self.name_of,
            "people": self.people,
            "extendable": self.extendable,
            "now": lambda: feel_time(self._tx.now, self._desk.zone),
            "today": lambda: self._tx.now.astimezone(self._desk.zone).date(),
        }

    # -- deadlines -----------------------------------------------------------------------------------------------------

    def _due(self, rule_id: Any, start: Any) -> Any:
        try:
            began = self._moment(start) or self._tx.now
            rule = self._rule(rule_id, began) if isinstance(rule_id, str) else None
            return None if rule is None else due_of_rule(rule, began, self._desk.engine.calendar)
        except EngineError:
            return None

    def _rule(self, rule_id: str, began: datetime | date) -> Rule | None:
        """The version of a rule for this case.  When the case was received is only asked when the rule has several versions."""
        rules = self._desk.book(self._tx.conn).rules
        if len(rules.versions(rule_id)) < 2:
            return rules.get(rule_id)
        received: Any = None
        if self._root_key is not None:
            case = self._note.cases.get(self._root_key)
            column = tables.case_file.c
            received = case.row["received_at"] if case else self._tx.execute(select(column.received_at).where(column.key == self._root_key)).scalar()
        day = received or began
        return rules.on(rule_id, day.astimezone(self._desk.zone).date() if isinstance(day, datetime) else day)

    def _moment(self, value: Any) -> datetime | date | None:
        return moment(value, self._desk.zone)

    def due(self, rule_id: Any, start: Any = THE_CLOCKS) -> Any:
        """The last instant in time of a limit that counts from ``start`` (null: now).

        If no start is given at all, it is that of the clock of this rule that runs in the case, with its pauses and extensions (null
        while it is paused); if none runs, it counts from now.  A timer follows the clock (:mod:`engine.runtime.limits.following`).
        """
        clock, found = self._asked(rule_id, start)
        at = clock.row["due_at"] if clock is not None else found.at if found else None
        return feel_time(at, self._desk.zone) if at else None

    def overdue(self, rule_id: Any, start: Any = THE_CLOCKS) -> Any:
        """The first instant that is too late: one second after :meth:`due`."""
        clock, found = self._asked(rule_id, start)
        at = clock.row["overdue_at"] if clock is not None else found.overdue_at if found else None
        return feel_time(at, self._desk.zone) if at else None

    def _asked(self, rule_id: Any, start: Any) -> tuple[ClockState | None, Any]:
        """The unfinished clock that a question means, as it stood when the command began, or else the limit counted from the start."""
        case = self._case() if start is THE_CLOCKS else None
        clock = pick(case.clocks, rule_id) if case is not None else None
        return clock, None if clock is not None else self._due(rule_id, None if start is THE_CLOCKS else start)

    def _case(self) -> CaseState | None:
        if self._root_key is None:
            return None
        return self._note.cases.get(self._root_key) or read_cases(self._desk, self._tx.conn, [self._root_key]).get(self._root_key)

    def _day(self, value: Any) -> date | None:
        try:
            found = self._moment(value)
        except EngineError:
            return None
        return found.astimezone(self._desk.zone).date() if isinstance(found, datetime) else found

    def add_workdays(self, date: Any, n: Any) -> Any:
        """The ``n``-th working day after ``date`` (before it, if negative); 0 gives ``date`` back.  At most ``FARTHEST`` days."""
        day = self._day(date)
        if day is None or not isinstance(n, (int, Decimal)) or isinstance(n, bool) or abs(n) > FARTHEST or n != int(n):
            return None
        try:
            return self._desk.engine.calendar.add_workdays(day, int(n))
        except EngineError:
            return None

    def workdays_between(self, a: Any, b: Any) -> Any:
        """How many working days lie in ``(a, b]``; negative when ``b`` is earlier.  At most ``FARTHEST`` days apart."""
        first, last = self._day(a), self._day(b)
        if first is None or last is None or abs((last - first).days) > FARTHEST:
            return None
        return self._desk.engine.calendar.workdays_between(first, last)

    def is_workday(self, date: Any) -> bool | None:
        """Whether the office works on that day (a moved Saturday counts as worked, a holiday on a Monday does not)."""
        day = self._day(date)
        return None if day is None else self._desk.engine.calendar.is_workday(day)

    def next_workday(self, date: Any) -> Any:
        """``date`` itself if it is worked, otherwise the first working day after it (顺延)."""
        return self._nearest(date, "next_workday")

    def previous_workday(self, date: Any) -> Any:
        """``date`` itself if it is worked, otherwise the last working day before it (提前)."""
        return self._nearest(date, "previous_workday")

    def _nearest(self, date: Any, direction: str) -> Any:
        day = self._day(date)
        try:
            return None if day is None else getattr(self._desk.engine.calendar, direction)(day)
        except EngineError:
            return None

    def extendable(self, rule_id: Any) -> bool:
        """Whether a running clock of the case with that rule may still be extended now."""
        case = self._case()
        return any(
            may_extend(clock, self._tx.now, self._desk.engine.calendar)
            for clock in (case.live_clocks if case else ())
            if clock.rule_id == rule_id
        )

    # -- people --------------------------------------------------------------------------------------------------------

    def handler(self, element_id: Any) -> str | None:
        """Who last completed that element in this case; ``None`` if nobody has."""
        if self._root_key is None or not isinstance(element_id, str):
            return None
        if self._note.completing and self._note.completing[:2] == (self._root_key, element_id):
            return self._note.completing[2]
        task = tables.user_task.c
        chosen = select(task.completed_by).where(task.root_key == self._root_key, task.element_id == element_id, task.state == "COMPLETED")
        return self._tx.execute(chosen.order_by(task.ended_at.desc(), task.key.desc()).limit(1)).scalar_one_or_none()

    def section_of(self, login: Any) -> str | None:
        """The section code of a person."""
        return self._desk.people.directory(self._tx.conn).section_of(login) if isinstance(login, str) else None

    def name_of(self, login: Any) -> str | None:
        """What people call a person: the name with the section, to choose from in a form; the login itself if it is unknown."""
        if not isinstance(login, str):
            return None
        directory = self._desk.people.directory(self._tx.conn)
        section = directory.section_of(login)
        return login if section is None else f"{directory.name(login)}（{directory.section_name(section)}）"

    def people(self, group: Any) -> list[str]:
        """The logins of the active people of a group."""
        return list(self._desk.people.directory(self._tx.conn).members(group)) if isinstance(group, str) else []


def may_extend(state: Any, now: datetime, calendar: Any) -> bool:
    """Whether an extension of the clock could be granted at ``now``: the rule knows one, it is not used up, not overdue."""
    rule = state.clock.rule
    if not state.live or rule.extension is None or len(state.clock.extensions) >= rule.extension.max_times:
        return False
    due = deadlines.due_of(state.clock, calendar)
    return due is None or now < due.overdue_at
