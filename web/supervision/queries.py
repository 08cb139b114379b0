"""The statements of supervision.

One page of the board costs four: the page with its open tasks, the rungs its clocks have fired, the counts with the values
the filters offer, and what is about to happen.  Lights are computed by the database, so that it sorts by urgency.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, case, exists, func, select

from engine.runtime.casework.access import visible_cases
from engine.store.tables import attachment, case_file, clock, definition, rung_firing, supervision_order, trail, user_task
from web.lights import BY_RANK, LIGHTS, rank_expression
from web.supervision.state import PAGE_SIZE, SWITCHES, BoardState

EXPORT_LIMIT = 5000
UPCOMING = 6


@dataclass
class Line:
    """One case of the board: the case with its pressing clock, its open tasks, and the rungs that clock has fired."""

    case: Row
    tasks: list[Row] = field(default_factory=list)
    firings: list[Row] = field(default_factory=list)


@dataclass(frozen=True)
class Counts:
    """What stands on top of the board, under the filters of section, county and procedure, and what those filters offer."""

    lights: dict[str, int]
    today: int
    week: int
    unclaimed: int
    paused_long: int
    total: int
    options: dict[str, list[tuple[str, str]]]
    tables: dict[str, dict[str, dict[str, int]]]
    """Section, county and procedure → value → light → number."""


def overseen(desk: Any, login: str, identities: Iterable[str], groups: Iterable[str]) -> ColumnElement[bool]:
    """SQL on ``case_file``: the cases ``login`` may read.  That they may use the room at all, the view has asked already."""
    return visible_cases(frozenset(groups), frozenset(identities), desk.readable_procedures(login))


def _empty_last(column: Any) -> ColumnElement[int]:
    return case((column.is_(None), 1), else_=0)


def _pressing_clock() -> Any:
    """Of the clocks of a case that have not stopped: the one that is or was due first; paused ones have no due day and come last."""
    inner = clock.alias("inner_clock")
    return (
        select(inner.c.key)
        .where(inner.c.case_key == case_file.c.key, inner.c.state != "STOPPED")
        .order_by(_empty_last(inner.c.overdue_at), inner.c.overdue_at, inner.c.key)
        .limit(1)
        .correlate(case_file)
        .scalar_subquery()
    )


CASES = case_file.outerjoin(clock, clock.c.key == _pressing_clock()).outerjoin(definition, definition.c.key == case_file.c.procedure_key)


def _unclaimed() -> ColumnElement[bool]:
    task = user_task.alias("unclaimed_task")
    return exists().where(task.c.root_key == case_file.c.key, task.c.state == "CREATED", task.c.assignee.is_(None)).correlate(case_file)


def _due_today(now: datetime, calendar: Any) -> ColumnElement[bool]:
    today = calendar.local(now).date()
    return and_(clock.c.due_at >= calendar.instant(today, time.min), clock.c.due_at < calendar.instant(today + timedelta(days=1), time.min))


def _due_this_week(now: datetime, calendar: Any) -> ColumnElement[bool]:
    """From now on until Sunday night; what is over already stands under the red light."""
    today = calendar.local(now).date()
    monday = today + timedelta(days=7 - today.weekday())
    return and_(clock.c.due_at >= calendar.instant(today, time.min), clock.c.due_at < calendar.instant(monday, time.min))


def _paused_long(state: BoardState, now: datetime, calendar: Any) -> ColumnElement[bool]:
    """Paused, and nothing has paused or resumed it for more than ``state.paused_workdays`` working days."""
    since = calendar.instant(calendar.add_workdays(calendar.local(now).date(), -state.paused_workdays), time.min)
    moved = trail.alias("pause_line")
    lately = exists().where(moved.c.case_key == case_file.c.key, moved.c.action.in_(("pause", "resume")), moved.c.at >= since)
    return and_(clock.c.state == "PAUSED", ~lately.correlate(case_file))


def _filtered(state: BoardState, now: datetime, calendar: Any) -> list[Any]:
    tests: list[Any] = _narrowed(state)
    if state.light:
        tests.append(rank_expression(now, clock) == LIGHTS[state.light].rank)
    if state.today:
        tests.append(_due_today(now, calendar))
    if state.week:
        tests.append(_due_this_week(now, calendar))
    if state.unclaimed:
        tests.append(_unclaimed())
    if state.paused_long:
        tests.append(_paused_long(state, now, calendar))
    return tests


def _narrowed(state: BoardState) -> list[Any]:
    columns = {"section": case_file.c.section_code, "county": case_file.c.county, "procedure": case_file.c.procedure_id}
    return [column == getattr(state, name) for name, column in columns.items() if getattr(state, name)] + _of_task(state)


def _of_task(state: BoardState) -> list[Any]:
    """That the case has an open task of the person and at the step that the board is asked for."""
    if not (state.person or state.step):
        return []
    task = user_task.alias("asked_task")
    tests = [task.c.assignee == state.person] if state.person else []
    if state.step:
        process_id, _slash, element_id = state.step.rpartition("/")
        tests += [task.c.process_id == process_id, task.c.element_id == element_id]
    return [exists().where(task.c.root_key == case_file.c.key, task.c.state == "CREATED", *tests).correlate(case_file)]


def _order(state: BoardState, now: datetime) -> list[Any]:
    columns = {
        "case_no": case_file.c.case_no, "procedure": definition.c.name, "due": clock.c.due_at, "received": case_file.c.received_at,
        "level": clock.c.level,
    }  # fmt: skip
    if state.sort:
        column = columns[state.sort.removeprefix("-")]
        return [_empty_last(column), column.desc() if state.sort.startswith("-") else column.asc(), case_file.c.key]
    return [rank_expression(now, clock), _empty_last(clock.c.due_at), clock.c.due_at, case_file.c.received_at, case_file.c.key]


def _urged() -> Any:
    return select(func.count()).where(trail.c.case_key == case_file.c.key, trail.c.action == "urge").correlate(case_file).scalar_subquery()


def _columns(now: datetime) -> tuple[Any, ...]:
    return (
        case_file.c.key, case_file.c.case_no, case_file.c.title, case_file.c.county, case_file.c.urgency, case_file.c.status,
        case_file.c.section_code, case_file.c.procedure_id, case_file.c.received_at, definition.c.name.label("procedure"),
        clock.c.key.label("clock_key"), clock.c.label.label("clock_label"), clock.c.state.label("clock_state"), clock.c.ledger, clock.c.due_at,
        clock.c.level, clock.c.ladder_id, clock.c.next_rung, clock.c.next_rung_at, rank_expression(now, clock).label("rank"),
    )  # fmt: skip


def _with_tasks(page: Select) -> Select:
    """The cases of ``page`` (which numbers them in ``place``) with their open tasks; one row per task, in the page's order."""
    cases = page.subquery("page")
    task = user_task.c
    open_tasks = and_(task.root_key == cases.c.key, task.state == "CREATED")
    columns = (task.key.label("task_key"), task.name.label("step"), task.element_id, task.assignee, task.candidate_groups, task.candidate_users)
    return select(cases, *columns).select_from(cases.outerjoin(user_task, open_tasks)).order_by(cases.c.place, task.key)


def board(conn: Connection, visible: Any, state: BoardState, now: datetime, calendar: Any) -> tuple[list[Line], int]:
    """One page of the open cases and how many there are in all; two statements."""
    place = func.row_number().over(order_by=_order(state, now)).label("place")
    page = (
        select(*_columns(now), _urged().label("urged"), func.count().over().label("total"), place)
        .select_from(CASES)
        .where(visible, case_file.c.closed_at.is_(None), *_filtered(state, now, calendar))
        .order_by(place)
    )
    page = page.limit(PAGE_SIZE).offset((state.page - 1) * PAGE_SIZE) if state.page else page.limit(EXPORT_LIMIT)
    return _lines(conn, page)


def one(conn: Connection, visible: Any, case_key: int, now: datetime) -> Line | None:
    """One case of the board, or ``None`` when it is closed or not to be seen."""
    page = (
        select(*_columns(now), _urged().label("urged"), func.count().over().label("total"), case_file.c.key.label("place"))
        .select_from(CASES)
        .where(visible, case_file.c.closed_at.is_(None), case_file.c.key == case_key)
    )
    lines, _ = _lines(conn, page)
    return lines[0] if lines else None


def _lines(conn: Connection, page: Select) -> tuple[list[Line], int]:
    lines: dict[int, Line] = {}
    for row in conn.execute(_with_tasks(page)):
        line = lines.setdefault(row.key, Line(row))
        if row.task_key is not None:
            line.tasks.append(row)
    by_clock = {line.case.clock_key: line for line in lines.values() if line.case.clock_key}
    if by_clock:
        fired = select(rung_firing).where(rung_firing.c.clock_key.in_(by_clock)).order_by(rung_firing.c.fired_at, rung_firing.c.level)
        for row in conn.execute(fired):
            by_clock[row.clock_key].firings.append(row)
    return list(lines.values()), next((line.case.total for line in lines.values()), 0)


def counts(conn: Connection, visible: Any, state: BoardState, now: datetime, calendar: Any) -> Counts:
    """Numbers and filter values in one statement: grouped by what the filters ask for, added up here."""
    keys = (case_file.c.procedure_id, definition.c.name.label("procedure"), case_file.c.county, case_file.c.section_code)
    rank = rank_expression(now, clock)

    def number(test: Any, name: str) -> Any:
        return func.sum(case((test, 1), else_=0)).label(name)

    inner = (
        select(
            *keys, rank.label("rank"), _due_today(now, calendar).label("is_today"), _unclaimed().label("is_unclaimed"),
            _due_this_week(now, calendar).label("is_week"), _paused_long(state, now, calendar).label("is_paused_long"),
        )
        .select_from(CASES)
        .where(visible, case_file.c.closed_at.is_(None), *_of_task(state))
        .subquery()
    )  # fmt: skip
    groups = (inner.c.procedure_id, inner.c.procedure, inner.c.county, inner.c.section_code, inner.c.rank)
    switches = [number(inner.c[f"is_{name}"], name) for name in SWITCHES]
    rows = conn.execute(select(*groups, func.count().label("number"), *switches).group_by(*groups)).all()
    chosen = [
        row
        for row in rows
        if (not state.section or row.section_code == state.section)
        and (not state.county or row.county == state.county)
        and (not state.procedure or row.procedure_id == state.procedure)
    ]
    lights = dict.fromkeys(LIGHTS, 0)
    for row in chosen:
        lights[BY_RANK[row.rank].code] += row.number
    return Counts(
        lights=lights,
        **{name: sum(int(getattr(row, name)) for row in chosen) for name in SWITCHES},
        tables=_tables(chosen),
        total=sum(row.number for row in chosen),
        options={
            "procedure": sorted({(row.procedure_id, row.procedure or row.procedure_id) for row in rows}, key=lambda each: each[1]),
            "county": sorted({(row.county, row.county) for row in rows if row.county}),
            "section": sorted({(row.section_code, row.section_code) for row in rows if row.section_code}),
        },
    )


def _tables(rows: list[Row]) -> dict[str, dict[str, dict[str, int]]]:
    """The same numbers by section, county and procedure."""
    found: dict[str, dict[str, dict[str, int]]] = {"section": {}, "county": {}, "procedure": {}}
    for row in rows:
        for name, value in (("section", row.section_code), ("county", row.county), ("procedure", row.procedure_id)):
            if value:
                lights = found[name].setdefault(value, dict.fromkeys(LIGHTS, 0))
                lights[BY_RANK[row.rank].code] += row.number
    return {name: dict(sorted(values.items(), key=lambda each: (-each[1]["red"], -each[1]["yellow"], each[0]))) for name, values in found.items()}


def upcoming(conn: Connection, visible: Any, state: BoardState, limit: int = UPCOMING) -> list[Row]:
    """The next rungs to fire, of any clock of the cases in view."""
    columns = (
        case_file.c.key.label("case_key"), case_file.c.case_no, case_file.c.title, case_file.c.section_code, clock.c.key.label("clock_key"),
        clock.c.label.label("clock_label"), clock.c.ladder_id, clock.c.next_rung, clock.c.next_rung_at,
    )  # fmt: skip
    chosen = (
        select(*columns)
        .join(case_file, case_file.c.key == clock.c.case_key)
        .where(visible, clock.c.state == "RUNNING", clock.c.next_rung_at.is_not(None), case_file.c.closed_at.is_(None), *_narrowed(state))
        .order_by(clock.c.next_rung_at, clock.c.key)
        .limit(limit)
    )
    return list(conn.execute(chosen))


def ledger(conn: Connection, case_key: int, now: datetime) -> tuple[list[Row], dict[int, list[Row]], list[Row]]:
    """All clocks of a case with their light, the rungs each has fired, and how often somebody was urged; three statements."""
    clocks = conn.execute(
        select(clock, rank_expression(now, clock).label("rank"))
        .where(clock.c.case_key == case_key)
        .order_by(case((clock.c.state == "STOPPED", 1), else_=0), _empty_last(clock.c.due_at), clock.c.due_at, clock.c.key)
    ).all()
    firings: dict[int, list[Row]] = {}
    for row in conn.execute(select(rung_firing).where(rung_firing.c.case_key == case_key).order_by(rung_firing.c.fired_at, rung_firing.c.level)):
        firings.setdefault(row.clock_key, []).append(row)
    urges = conn.execute(select(trail).where(trail.c.case_key == case_key, trail.c.action == "urge").order_by(trail.c.key)).all()
    return list(clocks), firings, list(urges)


def orders_of(conn: Connection, case_key: int) -> list[Row]:
    """The supervision orders of a case, the latest first."""
    return list(conn.execute(select(supervision_order).where(supervision_order.c.case_key == case_key).order_by(supervision_order.c.key.desc())))


REGISTER_SORT = (case_file.c.received_at.desc(), case_file.c.key.desc())


def register(conn: Connection, visible: Any, procedure_id: str, page: int) -> tuple[list[Row], int]:
    """One page of the register 台账 of a procedure, closed cases included, the latest first; page 0 for everything."""
    files = select(func.count()).where(attachment.c.case_key == case_file.c.key, attachment.c.removed_at.is_(None)).scalar_subquery()
    chosen = (
        select(case_file, files.label("files"), func.count().over().label("total"))
        .where(visible, case_file.c.procedure_id == procedure_id)
        .order_by(*REGISTER_SORT)
    )
    rows = list(conn.execute(chosen.limit(PAGE_SIZE).offset((page - 1) * PAGE_SIZE) if page else chosen.limit(EXPORT_LIMIT)))
    return rows, rows[0].total if rows else 0
