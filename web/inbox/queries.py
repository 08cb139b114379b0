"""The statements of the lists of work.

Lights are computed by the database from the clock's columns, so that it sorts and filters; each list is one statement that
also counts its rows.  ``Viewer`` carries who looks: logins (own and principals') and groups.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any

from flask import current_app
from sqlalchemy import ColumnElement, Connection, Row, Select, Text, and_, case, cast, func, not_, or_, select, true

from engine.organisation import DEPUTY_RULES, Directory, may_stand_in
from engine.store.tables import case_file, clock, definition, notification, task_candidate, trail, user_task
from web.inbox.state import PAGE_SIZE, ListState
from web.lights import LIGHTS, rank_expression
from web.people import Person

EXPORT_LIMIT = 5000
URGENCIES = ("特急", "加急", "平件")


@dataclass(frozen=True)
class Viewer:
    """Who looks at a list: ``identities`` are their own login and those they stand in for, ``groups`` accordingly.

    ``ruled`` gives both again for the steps that have a rule about deputies; empty for who stands in for nobody.
    """

    login: str
    identities: tuple[str, ...]
    groups: tuple[str, ...]
    own_groups: tuple[str, ...]
    ruled: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = ()


def viewer(person: Person) -> Viewer:
    """The viewer that ``person`` is today."""
    people = current_app.extensions["engine"].desk.people
    return Viewer(
        login=person.login,
        identities=(person.login, *sorted(person.principals)),
        groups=tuple(sorted(person.groups | people.groups(person.login))),
        own_groups=tuple(sorted(person.groups)),
        ruled=_ruled(people.directory(), person) if person.principals else (),
    )


def _ruled(directory: Directory, person: Person) -> tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...]:
    found = []
    for rule in DEPUTY_RULES:
        places = [each for each in sorted(person.principals) if may_stand_in(directory, person.login, each, rule)]
        groups = set(person.groups).union(*(directory.own_groups(each) for each in places))
        found.append((rule, (person.login, *places), tuple(sorted(groups))))
    return tuple(found)


# --- parts ------------------------------------------------------------------------------------------------------------


def _is_mine(who: Viewer) -> ColumnElement[bool]:
    return user_task.c.assignee.in_(who.identities)


def _offered(identities: Collection[str], groups: Collection[str]) -> ColumnElement[bool]:
    candidate = task_candidate.c
    named = or_(and_(candidate.kind == "group", candidate.name.in_(groups)), and_(candidate.kind == "user", candidate.name.in_(identities)))
    return user_task.c.key.in_(select(candidate.task_key).where(named))


def _in_place_of_whom_the_step_allows(who: Viewer) -> ColumnElement[bool]:
    """What a deputy sees of others' work: not the steps that ask for the person, or for another deputy."""
    if not who.ruled:
        return true()
    rule, task = user_task.c.properties["deputy"].as_string(), user_task.c
    allowed = (
        and_(rule == name, or_(task.assignee.in_(identities), and_(task.assignee.is_(None), _offered(identities, groups))))
        for name, identities, groups in who.ruled
    )
    return or_(rule.is_(None), rule == "", *allowed)


def _is_claimable(who: Viewer) -> ColumnElement[bool]:
    excluded = cast(user_task.c.excluded, Text)
    # The list of excluded logins and groups is a JSON array of strings; each stands in quotation marks.
    conflict = and_(excluded != "[]", or_(*(excluded.contains(f'"{name}"', autoescape=True) for name in (who.login, *who.own_groups))))
    return and_(user_task.c.assignee.is_(None), _offered(who.identities, who.groups), not_(conflict))


def _visible(who: Viewer) -> ColumnElement[bool]:
    return and_(user_task.c.state == "CREATED", or_(_is_mine(who), _is_claimable(who)), _in_place_of_whom_the_step_allows(who))


def _urgency_rank() -> ColumnElement[int]:
    return case(*((case_file.c.urgency == word, rank) for rank, word in enumerate(URGENCIES)), else_=len(URGENCIES))


def _empty_last(column: Any) -> ColumnElement[int]:
    return case((column.is_(None), 1), else_=0)


def _open_clock_of_case() -> Any:
    """The clock that presses most: running or paused, the earliest due first."""
    inner = clock.alias("inner_clock")
    return (
        select(inner.c.key)
        .where(inner.c.case_key == case_file.c.key, inner.c.state != "STOPPED")
        .order_by(_empty_last(inner.c.overdue_at), inner.c.overdue_at)
        .limit(1)
        .correlate(case_file)
        .scalar_subquery()
    )


TASK_SORTS: dict[str, Any] = {
    "case_no": case_file.c.case_no, "title": case_file.c.title, "procedure": definition.c.name, "step": user_task.c.name,
    "applicant": case_file.c.applicant, "county": case_file.c.county, "received": user_task.c.created_at, "due": clock.c.due_at,
    "assignee": user_task.c.assignee, "urgency": _urgency_rank(), "ended": user_task.c.ended_at,
}  # fmt: skip
"""Column of a list of tasks → what it is sorted by."""

CASE_SORTS: dict[str, Any] = {
    "case_no": case_file.c.case_no, "title": case_file.c.title, "procedure": definition.c.name, "status": case_file.c.status,
    "applicant": case_file.c.applicant, "county": case_file.c.county, "received": case_file.c.received_at, "due": clock.c.due_at,
    "urgency": _urgency_rank(), "closed": case_file.c.closed_at,
}  # fmt: skip


def _order(statement: Select, state: ListState, sorts: dict[str, Any], default: Sequence[Any], key: Any) -> Select:
    """Sort by the chosen column, by ``default`` without one; ``key`` makes the order total, so that pages never overlap."""
    if not state.sort:
        return statement.order_by(*default, key)
    column = sorts[state.sort.removeprefix("-")]
    return statement.order_by(_empty_last(column), column.desc() if state.sort.startswith("-") else column.asc(), key)


def _filter(statement: Select, state: ListState, rank: Any, calendar: Any) -> Select:
    tests: list[Any] = []
    if state.q:
        tests.append(case_file.c.search.contains(state.q.lower(), autoescape=True))
    if state.procedure:
        tests.append(case_file.c.procedure_id == state.procedure)
    if state.county:
        tests.append(case_file.c.county == state.county)
    if state.urgency:
        tests.append(case_file.c.urgency == state.urgency)
    if state.light:
        tests.append(rank == LIGHTS[state.light].rank)
    if state.due_from:
        tests.append(clock.c.due_at >= calendar.instant(state.due_from, time.min))
    if state.due_to:
        tests.append(clock.c.due_at < calendar.instant(state.due_to + timedelta(days=1), time.min))
    return statement.where(*tests)


def _page(statement: Select, state: ListState) -> Select:
    if state.page == 0:
        return statement.limit(EXPORT_LIMIT)
    return statement.limit(PAGE_SIZE).offset((state.page - 1) * PAGE_SIZE)


CASE_COLUMNS = (
    case_file.c.case_no, case_file.c.title, case_file.c.applicant, case_file.c.county, case_file.c.urgency, case_file.c.status,
    case_file.c.key.label("case_key"), definition.c.name.label("procedure"),
)  # fmt: skip
CLOCK_COLUMNS = (clock.c.due_at.label("clock_due_at"), clock.c.state.label("clock_state"), clock.c.ledger.label("clock_ledger"))


def _task_columns(now: datetime) -> tuple[Any, ...]:
    task = user_task.c
    return (
        task.key, task.name.label("step"), task.assignee, task.created_at, task.claimed_at, task.ended_at, task.state, task.revision,
        task.follow_up_at, task.completed_by, task.priority, task.candidate_groups, rank_expression(now, clock).label("rank"), *CASE_COLUMNS, *CLOCK_COLUMNS,
    )  # fmt: skip


TASKS = (
    user_task.outerjoin(case_file, case_file.c.key == user_task.c.root_key)
    .outerjoin(clock, clock.c.key == user_task.c.clock_key)
    .outerjoin(definition, definition.c.key == func.coalesce(case_file.c.procedure_key, user_task.c.definition_key))
)


# --- open tasks -------------------------------------------------------------------------------------------------------


def open_tasks(conn: Connection, who: Viewer, state: ListState, now: datetime, calendar: Any) -> list[Row]:
    """One page of the to-do list; each row has ``total``, the size of the whole list."""
    rank = rank_expression(now, clock)
    found = select(user_task.c.key, func.count().over().label("total")).select_from(TASKS).where(_visible(who))
    scope = {"mine": _is_mine(who), "claimable": user_task.c.assignee.is_(None), "followup": user_task.c.follow_up_at.is_not(None)}
    if state.tab in scope:
        found = found.where(scope[state.tab])
    if state.step:
        found = found.where(user_task.c.name == state.step)
    sorts = {**TASK_SORTS, "light": rank}
    default = (rank, _empty_last(clock.c.due_at), clock.c.due_at, _urgency_rank(), user_task.c.created_at)
    found = _filter(found, state, rank, calendar)
    # The page is chosen among narrow rows; only its own rows are then read with titles and ledgers, in the same order.
    page = _page(_order(found, state, sorts, default, user_task.c.key), state).subquery("page")
    whole = select(*_task_columns(now), page.c.total).select_from(TASKS.join(page, page.c.key == user_task.c.key))
    return list(conn.execute(_order(whole, state, sorts, default, user_task.c.key)))


def one_task(conn: Connection, key: int, now: datetime) -> Row | None:
    """One row of the list, whatever became of the task."""
    return conn.execute(select(*_task_columns(now)).select_from(TASKS).where(user_task.c.key == key)).one_or_none()


def counts(conn: Connection, who: Viewer, now: datetime, calendar: Any) -> dict[str, int]:
    """How many open tasks there are on each tab, how many are yellow and red, and how many fall due today."""
    rank = rank_expression(now, clock)
    today = calendar.local(now).date()
    start, end = calendar.instant(today, time.min), calendar.instant(today + timedelta(days=1), time.min)

    def number(test: Any) -> Any:
        return func.coalesce(func.sum(case((test, 1), else_=0)), 0)

    row = conn.execute(
        select(
            func.count().label("all"),
            number(_is_mine(who)).label("mine"),
            number(user_task.c.assignee.is_(None)).label("claimable"),
            number(user_task.c.follow_up_at.is_not(None)).label("followup"),
            number(rank == LIGHTS["red"].rank).label("red"),
            number(rank == LIGHTS["yellow"].rank).label("yellow"),
            number(and_(clock.c.due_at >= start, clock.c.due_at < end)).label("today"),
        )
        .select_from(user_task.outerjoin(clock, clock.c.key == user_task.c.clock_key))
        .where(_visible(who))
    ).one()
    return {name: int(value) for name, value in row._mapping.items()}


def count_open(person: Person) -> int:
    """The number beside 待办 in the menu."""
    with current_app.extensions["engine"].reading() as conn:
        return conn.execute(select(func.count()).select_from(user_task).where(_visible(viewer(person)))).scalar_one()


def choices(conn: Connection, who: Viewer) -> dict[str, list[tuple[str, str]]]:
    """What the filters offer: the steps, procedures and counties that occur among the open tasks."""
    rows = conn.execute(
        select(user_task.c.name, case_file.c.procedure_id, definition.c.name.label("procedure"), case_file.c.county)
        .select_from(TASKS)
        .where(_visible(who))
        .distinct()
        .limit(1000)
    ).all()
    return {
        "step": sorted({(row.name, row.name) for row in rows}),
        "procedure": sorted({(row.procedure_id, row.procedure) for row in rows if row.procedure_id}),
        "county": sorted({(row.county, row.county) for row in rows if row.county}),
    }


def next_task(conn: Connection, who: Viewer, now: datetime, after: int) -> tuple[str, Row | None]:
    """The name of the task ``after``, just finished, and what to do next: the most urgent open task that one holds, else the most
    urgent that one could take."""
    rank = rank_expression(now, clock)
    finished = user_task.alias("finished")
    statement = (
        select(finished.c.name.label("finished_step"), *_task_columns(now))
        .select_from(finished.outerjoin(TASKS, _visible(who) & (user_task.c.key != finished.c.key)))
        .where(finished.c.key == after)
    )
    held_first = case((_is_mine(who), 0), else_=1)
    ordered = statement.order_by(held_first, rank, _empty_last(clock.c.due_at), clock.c.due_at, user_task.c.created_at, user_task.c.key)
    row = conn.execute(ordered.limit(1)).one_or_none()
    return (row.finished_step, row if row.key is not None else None) if row else ("", None)


# --- finished tasks, own cases ----------------------------------------------------------------------------------------


def done_tasks(conn: Connection, who: Viewer, state: ListState, now: datetime, calendar: Any) -> list[Row]:
    """Tasks that one has finished, the latest first, with the outcome."""
    rank = rank_expression(now, clock)
    source = TASKS.outerjoin(
        trail, and_(trail.c.case_key == user_task.c.root_key, trail.c.task_key == user_task.c.key, trail.c.outcome_label.is_not(None))
    )
    columns = (*_task_columns(now), trail.c.outcome_label, func.count().over().label("total"))
    statement = select(*columns).select_from(source).where(user_task.c.completed_by == who.login, user_task.c.state == "COMPLETED")
    if state.step:
        statement = statement.where(user_task.c.name == state.step)
    statement = _filter(statement, state, rank, calendar)
    return list(conn.execute(_page(_order(statement, state, TASK_SORTS, (user_task.c.ended_at.desc(),), user_task.c.key.desc()), state)))


def _case_statement(now: datetime) -> Select:
    open_steps = (
        select(func.aggregate_strings(user_task.c.name, "、"))
        .where(user_task.c.root_key == case_file.c.key, user_task.c.state == "CREATED")
        .correlate(case_file)
        .scalar_subquery()
    )
    # A closed case shows no remaining time: its lights are told on its own page.
    source = case_file.outerjoin(clock, clock.c.key == _open_clock_of_case()).outerjoin(
        definition, definition.c.key == case_file.c.procedure_key
    )
    columns = (
        case_file.c.key, case_file.c.received_at, case_file.c.closed_at, case_file.c.result, open_steps.label("step"),
        rank_expression(now, clock).label("rank"), *CASE_COLUMNS, *CLOCK_COLUMNS, func.count().over().label("total"),
    )  # fmt: skip
    return select(*columns).select_from(source)


def cases(conn: Connection, test: Any, state: ListState, now: datetime, calendar: Any) -> list[Row]:
    """One page of the cases for which ``test`` holds, the latest first."""
    statement = _filter(_case_statement(now).where(test), state, rank_expression(now, clock), calendar)
    order = {**CASE_SORTS, "light": rank_expression(now, clock)}
    return list(conn.execute(_page(_order(statement, state, order, (case_file.c.received_at.desc(),), case_file.c.key.desc()), state)))


def started_by(who: Viewer) -> ColumnElement[bool]:
    """The cases that one has opened."""
    return case_file.c.starter == who.login


def readable(condition: Any, procedures: Sequence[str], everything: bool) -> ColumnElement[bool]:
    """The cases one may read: ``condition`` (from the access rules), or whole ``procedures``, or ``everything``."""
    if everything:
        return case_file.c.key.is_not(None)
    return or_(condition, case_file.c.procedure_id.in_(procedures)) if procedures else condition


def recent_notices(conn: Connection, login: str, since: datetime, limit: int = 8) -> list[Row]:
    """What reached ``login`` since ``since``, the latest first."""
    notice = notification.c
    chosen = select(notification).where(notice.login == login, notice.created_at >= since).order_by(notice.created_at.desc(), notice.key.desc())
    return list(conn.execute(chosen.limit(limit)))


def section_lights(conn: Connection, section_codes: Sequence[str], now: datetime) -> list[tuple[int, int]]:
    """For chiefs: rank of the light → number of open cases of the sections."""
    rank = rank_expression(now, clock)
    statement = (
        select(rank.label("rank"), func.count())
        .select_from(case_file.outerjoin(clock, clock.c.key == _open_clock_of_case()))
        .where(case_file.c.section_code.in_(section_codes), case_file.c.closed_at.is_(None))
        .group_by(rank)
        .order_by(rank)
    )
    return [(row[0], row[1]) for row in conn.execute(statement)]
