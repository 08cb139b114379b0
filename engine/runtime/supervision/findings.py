"""What electronic supervision finds in the cases: facts that a rule answers with a card.

Each kind of rule has one finder.  A finder asks the database for what may be a fact and works out when it came about; it gives only
facts for which no card exists, so looking again costs little and finds nothing twice.  Nothing is written here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, String, and_, cast, exists, func, literal, or_, select

from engine.deadlines import Clock, WorkCalendar, explain
from engine.deadlines.clock import overdue_workdays
from engine.deadlines.monitoring_rules import LIMIT_KINDS, Degree, MonitoringRule, MonitoringSheet
from engine.runtime.casework.casestate import names_of
from engine.runtime.casework.moments import office_time
from engine.runtime.casework.outcomes import outcomes
from engine.runtime.limits.clocks import RUNNING, STOPPED
from engine.store import tables
from engine.words import T, Words

BATCH = 1000
"""Rows that one question brings at most; the next look brings the others."""
REFUSAL_PROPERTY = "monitor.refusal"
"""Property of a task that names which of its outcomes refuse; ``*`` for all of them, empty for none."""
DAY = timedelta(days=1)
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_DAY = date(2020, 1, 1)
"""The work calendar reaches back no farther."""


@dataclass(frozen=True)
class Scope:
    """One look: what is looked at, and since when.

    ``since_key`` and ``since`` bound what is only found in passing (lines of the trail, limits that have ended); ``None``: from the
    beginning.  ``upto_key`` is the last line of the trail that this look reads.  A ``trial`` finds what has its card already, too.
    """

    conn: Connection
    sheet: MonitoringSheet
    calendar: WorkCalendar
    now: datetime
    since_key: int = 0
    upto_key: int = 1 << 62
    since: datetime = _EARLIEST
    trial: bool = False

    def day_of(self, at: datetime) -> date:
        return self.calendar.local(at).date()

    def counts(self, rule: MonitoringRule, fell_due_at: datetime) -> bool:
        """Whether the rule was in force when the fact came about, and that is not in the future."""
        return fell_due_at <= self.now and self.day_of(fell_due_at) >= self.sheet.in_force_from(rule)

    def earliest(self, rule: MonitoringRule, workdays: int) -> date:
        """What fell due earlier was ``workdays`` working days over before the rule was in force."""
        return self.calendar.add_workdays(max(self.sheet.in_force_from(rule), _FIRST_DAY), -workdays)

    def begin(self, day: date) -> datetime:
        return self.calendar.instant(day, time.min)


@dataclass(frozen=True)
class Finding:
    """One fact.  ``actor`` is whose doing it is, where that is certain; ``section`` the section it happened in, where it is known."""

    rule: MonitoringRule
    degree: Degree
    subject: str
    fell_due_at: datetime
    case: Any
    facts: tuple[Words, ...]
    only: int
    """What the finder is asked again with, right before the card is issued."""
    clock_key: int | None = None
    task_key: int | None = None
    actor: str | None = None
    section: str | None = None


Finder = Callable[[Scope, MonitoringRule, int | None], Iterator[Finding]]


def find(scope: Scope, rule: MonitoringRule, only: int | None = None) -> Iterator[Finding]:
    """What there is to find for one rule, the mildest card of a thing first; ``only`` asks for one thing again."""
    return FINDERS[rule.kind](scope, rule, only)


# -- common ------------------------------------------------------------------------------------------------------------------

_CASE = tables.case_file
_CASE_COLUMNS = [_CASE.c[name].label(f"of_{name}") for name in ("key", "case_no", "title", "procedure_id", "section_code", "starter")]


@dataclass(frozen=True)
class CaseFacts:
    """What a card needs of a case."""

    key: int
    case_no: str
    title: str
    procedure_id: str
    section_code: str | None
    starter: str


def _case_of(row: Any) -> CaseFacts:
    return CaseFacts(row.of_key, row.of_case_no, row.of_title, row.of_procedure_id, row.of_section_code, row.of_starter)


def _in_procedures(rule: MonitoringRule) -> ColumnElement[bool]:
    return _CASE.c.procedure_id.in_(rule.procedures) if rule.procedures else literal(True)


def _no_card(scope: Scope, rule: MonitoringRule, degree: Degree, subject: ColumnElement[str]) -> ColumnElement[bool]:
    if scope.trial:
        return literal(True)
    card = tables.card.c
    return ~exists().where(card.rule_id == rule.id, card.subject == subject, card.degree == degree.card)


def _subject(kind: str, column: ColumnElement[int]) -> ColumnElement[str]:
    return literal(f"{kind}:") + cast(column, String)


def _not_held() -> ColumnElement[bool]:
    """A suspended case waits: its cards are issued when it goes on, with the moment at which they fell due."""
    instance = tables.instance.c
    return ~exists().where(instance.key == _CASE.c.key, instance.state == "SUSPENDED")


def _moment(scope: Scope, at: datetime) -> str:
    return f"{office_time(at, scope.calendar.zone):%Y-%m-%d %H:%M}"


# -- limits: of the whole case, of acceptance, of a step ---------------------------------------------------------------------


def overdue_from(calendar: WorkCalendar, due_at: datetime, overdue_at: datetime, workdays: int) -> datetime:
    """The moment at which a limit is ``workdays`` working days over: the first overdue instant, or the opening of that working day."""
    if workdays == 0:
        return overdue_at
    return calendar.opening(calendar.add_workdays(calendar.local(due_at).date(), workdays))


def _total_overdue() -> Any:
    """SQL on ``clock``: whether its case has a limit as a whole, and the first instant at which one of those is overdue."""
    total = tables.clock.alias("total")
    case_wide = (total.c.case_key == tables.clock.c.case_key, total.c.element_id.is_(None))
    # Not “exists”, for which PostgreSQL would read the limits of every case into a hash; the first one of this case is enough.
    any_of_it = select(total.c.key).where(*case_wide).limit(1).scalar_subquery()
    return any_of_it.is_not(None), select(func.min(total.c.overdue_at)).where(*case_wide).scalar_subquery()


def _fits(rule: MonitoringRule) -> ColumnElement[bool]:
    """Whether a rule about limits is meant for a clock; whether the total was in time is asked when the moment is known."""
    clock = tables.clock.c
    has_total, total_overdue = _total_overdue()
    tests = [_in_procedures(rule)]
    if rule.limits:
        tests.append(clock.rule_id.in_(rule.limits))
    if rule.kind == "over_limit":
        tests.append(or_(clock.element_id.is_(None), ~has_total))
    elif rule.kind == "step_overdue":
        tests += [clock.element_id.is_not(None), has_total, or_(total_overdue.is_(None), total_overdue > clock.overdue_at)]
    return and_(*tests)


def _latest_due(scope: Scope, workdays: int) -> datetime:
    """No limit that is due later can be ``workdays`` working days over by now; nearly all that are due earlier are."""
    if workdays == 0:
        return scope.now
    today = scope.day_of(scope.now)
    return scope.begin(scope.calendar.add_workdays(today, -workdays) + DAY)


def _limits(scope: Scope, rule: MonitoringRule, only: int | None) -> Iterator[Finding]:
    clock = tables.clock
    first = and_(*(~_fits(other) for other in scope.sheet.before(rule)), literal(True))
    _, total_overdue = _total_overdue()
    columns = (clock, total_overdue.label("total_overdue_at"), *_CASE_COLUMNS)
    joined = clock.join(_CASE, _CASE.c.key == clock.c.case_key)
    for degree in rule.cards:
        latest = _latest_due(scope, degree.at)
        open_ones = and_(clock.c.state == RUNNING, clock.c.due_at <= latest, _not_held())
        ended = and_(clock.c.stopped_at >= scope.since, clock.c.state == STOPPED, clock.c.overdue_at <= clock.c.stopped_at)
        counted = clock.c.due_at >= scope.begin(scope.earliest(rule, degree.at))
        for which in (open_ones, ended):
            chosen = select(*columns).select_from(joined).where(which, counted, _fits(rule), first, _no_card(scope, rule, degree, _subject("clock", clock.c.key)))
            if only is not None:
                chosen = chosen.where(clock.c.key == only)
            for row in scope.conn.execute(chosen.order_by(clock.c.due_at, clock.c.key).limit(BATCH)):
                fell = overdue_from(scope.calendar, row.due_at, row.overdue_at, degree.at)
                if not scope.counts(rule, fell) or (row.stopped_at is not None and fell > row.stopped_at):
                    continue
                if rule.kind == "step_overdue" and row.total_overdue_at is not None and row.total_overdue_at <= fell:
                    continue
                yield _limit_finding(scope, rule, degree, row, fell)


def _limit_finding(scope: Scope, rule: MonitoringRule, degree: Degree, row: Any, fell: datetime) -> Finding:
    clock = Clock.from_dict(row.ledger)
    facts = [
        T("Limit “%(label)s”: %(sum)s", label=row.label, sum=explain(clock, scope.calendar, row.stopped_at or scope.now)),
        T("It was due %(due)s.", due=_moment(scope, row.due_at)),
    ]
    if row.stopped_at is not None:
        facts.append(T("Finished %(at)s, %(days)d working day(s) late.", at=_moment(scope, row.stopped_at), days=_over(scope, row.due_at, row.stopped_at)))
    else:
        facts.append(T("At %(at)s not finished, %(days)d working day(s) over.", at=_moment(scope, scope.now), days=_over(scope, row.due_at, scope.now)))
    if degree.at:
        facts.append(T("By the rule a card from %(days)d working day(s) on: that was %(at)s.", days=degree.at, at=_moment(scope, fell)))
    if rule.kind == "step_overdue":
        facts.append(T("The limit of the whole case was not exceeded at that time."))
    return Finding(rule, degree, f"clock:{row.key}", fell, _case_of(row), tuple(facts), row.key, clock_key=row.key, task_key=row.task_key)


def _over(scope: Scope, due_at: datetime, at: datetime) -> int:
    return overdue_workdays(scope.day_of(due_at), at, scope.calendar)


# -- what the trail tells ----------------------------------------------------------------------------------------------------


def _passed(scope: Scope, *tests: ColumnElement[bool]) -> Any:
    """Lines of the trail of this look, with their case and the task they are about."""
    trail, task = tables.trail, tables.user_task
    joined = trail.join(_CASE, _CASE.c.key == trail.c.case_key).outerjoin(task, task.c.key == trail.c.task_key)
    columns = (trail, task.c.properties, task.c.created_at, task.c.clock_key, *_CASE_COLUMNS)
    between = (trail.c.key > scope.since_key, trail.c.key <= scope.upto_key)
    return select(*columns).select_from(joined).where(*between, *tests).order_by(trail.c.key)


def refuses(rule: MonitoringRule, properties: Any, outcome: str) -> bool:
    """Whether a button refuses: by the task's own word, else by the outcomes the rule names."""
    properties = properties or {}
    if REFUSAL_PROPERTY in properties:
        named = names_of(properties[REFUSAL_PROPERTY])
        return "*" in named or outcome in named
    # A task with one button only carries out what was decided before it.
    return outcome in rule.outcomes and len(outcomes(properties)) > 1


def written(text: str) -> int:
    """How many characters of ``text`` say something: letters, figures, Chinese characters; stops and blanks do not."""
    return sum(each.isalnum() for each in text)


def _refusals(scope: Scope, rule: MonitoringRule, only: int | None) -> Iterator[Finding]:
    trail = tables.trail
    tests = [_in_procedures(rule), trail.c.outcome.is_not(None), trail.c.action.in_(("complete", "return"))]
    if only is not None:
        tests.append(trail.c.key == only)
    rows = [row for row in scope.conn.execute(_passed(scope, *tests)) if refuses(rule, row.properties, row.outcome)]
    known = _issued(scope, rule, [f"trail:{row.key}" for row in rows])
    for row in rows:
        data = row.details.get("data") or {}
        text = " ".join([row.opinion or "", *(str(data[name]) for name in rule.reason_fields if data.get(name))])
        count = written(text)
        degree = rule.worst(count)
        if degree is None or f"trail:{row.key}" in known or not scope.counts(rule, row.at):
            continue
        facts = (
            T("%(at)s, step “%(step)s”: “%(outcome)s”.", at=_moment(scope, row.at), step=row.element_name or row.element_id or "", outcome=row.outcome_label or row.outcome),
            T("Reason given: “%(text)s” — %(count)d character(s); by the rule a card below %(least)d.", text=text.strip() or "—", count=count, least=degree.at),
        )  # fmt: skip
        yield Finding(
            rule, degree, f"trail:{row.key}", row.at, _case_of(row), facts, row.key, clock_key=row.clock_key, task_key=row.task_key, actor=row.on_behalf_of or row.actor
        )


def _issued(scope: Scope, rule: MonitoringRule, subjects: Collection[str]) -> set[str]:
    """Which of ``subjects`` have a card of the rule, whatever its degree."""
    card = tables.card.c
    if scope.trial or not subjects:
        return set()
    found = scope.conn.execute(select(card.subject).where(card.rule_id == rule.id, card.subject.in_(list(subjects))))
    return {row.subject for row in found}


def _repeated(action: str) -> Finder:
    """Lines of the trail that have come ``times`` times: in one case, of one limit, or in a section within a month."""

    def finder(scope: Scope, rule: MonitoringRule, only: int | None) -> Iterator[Finding]:
        trail = tables.trail
        tests = [_in_procedures(rule), trail.c.action == action]
        if only is not None:
            tests.append(trail.c.case_key == only)
        touched = scope.conn.execute(_passed(scope, *tests)).all()
        cases = {row.of_key for row in touched}
        if cases and rule.kind == "repeated_extension" and rule.scope == "section_month":
            sections = {row.of_section_code for row in touched if row.of_section_code}
            since = min(scope.begin(scope.day_of(row.at).replace(day=1)) for row in touched)
            around = select(_CASE.c.key).where(_CASE.c.section_code.in_(sections), or_(_CASE.c.closed_at.is_(None), _CASE.c.closed_at >= since))
            cases = set(scope.conn.execute(around).scalars())
        groups: dict[str, list[Any]] = defaultdict(list)
        for chunk in _chunks(sorted(cases), 500):
            all_of = select(trail.c.key, trail.c.at, trail.c.details, trail.c.actor, *_CASE_COLUMNS).join(_CASE, _CASE.c.key == trail.c.case_key)
            for row in scope.conn.execute(all_of.where(trail.c.case_key.in_(chunk), trail.c.action == action, _in_procedures(rule)).order_by(trail.c.key)):
                groups[_group(scope, rule, row)].append(row)
        known = {(row.subject, row.degree) for row in _cards_of(scope, rule, list(groups))}
        for subject, rows in groups.items():
            for degree in rule.cards:
                if len(rows) < degree.at or (subject, degree.card) in known:
                    continue
                row = rows[degree.at - 1]
                if scope.counts(rule, row.at) and (only is None or row.of_key == only):
                    yield _repeated_finding(scope, rule, degree, subject, rows[: degree.at], row)

    return finder


def _group(scope: Scope, rule: MonitoringRule, row: Any) -> str:
    if rule.kind != "repeated_extension":
        return f"case:{row.of_key}"
    if rule.scope == "section_month":
        return f"section:{row.of_section_code or ''}:{scope.day_of(row.at):%Y-%m}"
    return f"case:{row.of_key}:{row.details.get('rule', '')}"[:100]


def _cards_of(scope: Scope, rule: MonitoringRule, subjects: list[str]) -> Iterable[Any]:
    card = tables.card.c
    for chunk in () if scope.trial else _chunks(subjects, 500):
        yield from scope.conn.execute(select(card.subject, card.degree).where(card.rule_id == rule.id, card.subject.in_(chunk)))


def _chunks(items: list[Any], size: int) -> Iterator[list[Any]]:
    for begin in range(0, len(items), size):
        yield items[begin : begin + size]


def _repeated_finding(scope: Scope, rule: MonitoringRule, degree: Degree, subject: str, rows: list[Any], row: Any) -> Finding:
    times = "、".join(_moment(scope, each.at) for each in rows)
    if rule.kind == "repeated_return":
        said = T("Sent back %(count)d times: %(times)s.", count=len(rows), times=times)
    elif rule.scope == "section_month":
        cases = "、".join(dict.fromkeys(each.of_case_no for each in rows))
        said = T("%(count)d extensions in the section within the month: %(cases)s.", count=len(rows), cases=cases)
    else:
        label = row.details.get("label") or row.details.get("rule") or ""
        said = T("“%(label)s” was extended %(count)d times: %(times)s.", label=label, count=len(rows), times=times)
    facts = (said, T("By the rule a card when it has happened %(count)d times.", count=degree.at))
    return Finding(rule, degree, subject, row.at, _case_of(row), facts, row.of_key, section=row.of_section_code)


# -- tasks that nobody takes or opens ----------------------------------------------------------------------------------------


def _offered() -> Any:
    task = tables.user_task
    return select(task, *_CASE_COLUMNS).join(_CASE, _CASE.c.key == task.c.root_key)


def _unclaimed(scope: Scope, rule: MonitoringRule, only: int | None) -> Iterator[Finding]:
    task, trail = tables.user_task, tables.trail
    today = scope.day_of(scope.now)
    for degree in rule.cards:
        latest = scope.begin(scope.calendar.add_workdays(today, -degree.at) + DAY)
        ripe = and_(task.c.created_at < latest, task.c.created_at >= scope.begin(scope.earliest(rule, degree.at)))
        free = _no_card(scope, rule, degree, _subject("task", task.c.key))
        waiting = _offered().where(task.c.state == "CREATED", ripe, task.c.assignee.is_(None), free, _in_procedures(rule), _not_held())
        taken = _passed(scope, trail.c.action == "claim", ripe, free, _in_procedures(rule))
        if only is not None:
            waiting, taken = waiting.where(task.c.key == only), taken.where(trail.c.task_key == only)
        found = [(row.key, row, None) for row in scope.conn.execute(waiting.order_by(task.c.created_at, task.c.key).limit(BATCH))]
        found += [(row.task_key, row, row) for row in scope.conn.execute(taken)]
        given_back = _given_back(scope, [key for key, _, _ in found])
        for key, row, claim in found:
            free_again = [at for at in given_back.get(key, ()) if claim is None or at < claim.at]
            since = max([row.created_at, *free_again])
            fell = scope.calendar.closing(scope.calendar.add_workdays(scope.calendar.office_day(since), degree.at))
            if not scope.counts(rule, fell) or (claim is not None and claim.at <= fell):
                continue
            name = row.element_name if claim is not None else row.name
            facts = (
                T("“%(task)s” was free from %(since)s.", task=name, since=_moment(scope, since)),
                T("By the rule a card when nobody has taken it after %(days)d working day(s): %(at)s.", days=degree.at, at=_moment(scope, fell)),
                T("Taken %(at)s.", at=_moment(scope, claim.at)) if claim is not None else T("At %(at)s nobody has taken it.", at=_moment(scope, scope.now)),
            )
            yield Finding(rule, degree, f"task:{key}", fell, _case_of(row), facts, key, clock_key=row.clock_key, task_key=key)


def _given_back(scope: Scope, tasks: list[int]) -> dict[int, list[datetime]]:
    """When each of ``tasks`` was given back to its candidates."""
    trail = tables.trail.c
    found: dict[int, list[datetime]] = defaultdict(list)
    for chunk in _chunks(tasks, 500):
        cases = select(tables.user_task.c.root_key).where(tables.user_task.c.key.in_(chunk))
        for row in scope.conn.execute(select(trail.task_key, trail.at).where(trail.case_key.in_(cases), trail.action == "unclaim", trail.task_key.in_(chunk))):
            found[row.task_key].append(row.at)
    return found


def _unopened(scope: Scope, rule: MonitoringRule, only: int | None) -> Iterator[Finding]:
    task, clock, draft = tables.user_task, tables.clock, tables.draft
    (degree,) = rule.cards
    subject = _subject("task", task.c.key)
    chosen = (
        select(task, clock.c.yellow_at, clock.c.due_at.label("limit_due_at"), clock.c.label, *_CASE_COLUMNS)
        .join(clock, and_(clock.c.case_key == task.c.root_key, clock.c.key == task.c.clock_key))
        .join(_CASE, _CASE.c.key == task.c.root_key)
        .where(
            clock.c.state == RUNNING, clock.c.yellow_at <= scope.now, clock.c.due_at > scope.now, task.c.state == "CREATED",
            # Not “is null”, which would begin with every free task of the house; few limits are yellow.
            func.coalesce(task.c.assignee, "") == "",
            ~exists().where(draft.c.subject == subject), _no_card(scope, rule, degree, subject), _in_procedures(rule), _not_held(),
        )
    )  # fmt: skip
    if rule.limits:
        chosen = chosen.where(clock.c.rule_id.in_(rule.limits))
    if only is not None:
        chosen = chosen.where(task.c.key == only)
    for row in scope.conn.execute(chosen.order_by(clock.c.yellow_at, task.c.key).limit(BATCH)):
        # A task that came when the light was yellow already has had no time yet: it is due to be opened on the next working day.
        fell = max(row.yellow_at, scope.calendar.opening(scope.calendar.add_workdays(scope.day_of(row.created_at), 1)))
        if not scope.counts(rule, fell):
            continue
        facts = (
            T("Limit “%(label)s” is due %(due)s; the light is yellow since %(yellow)s.", label=row.label, due=_moment(scope, row.limit_due_at), yellow=_moment(scope, row.yellow_at)),
            T("“%(task)s” was free from %(since)s.", task=row.name, since=_moment(scope, row.created_at)),
            T("At %(at)s nobody has taken it and nobody has begun to fill it in.", at=_moment(scope, scope.now)),
        )  # fmt: skip
        yield Finding(rule, degree, f"task:{row.key}", fell, _case_of(row), facts, row.key, clock_key=row.clock_key, task_key=row.key)


# -- supervision orders ------------------------------------------------------------------------------------------------------


def _orders(scope: Scope, rule: MonitoringRule, only: int | None) -> Iterator[Finding]:
    order, step = tables.supervision_order, tables.supervision_step
    answered = select(func.min(step.c.at)).where(step.c.order_key == order.c.key, step.c.action == "answer").scalar_subquery()
    for degree in rule.cards:
        latest = scope.calendar.add_workdays(scope.day_of(scope.now), -degree.at) if degree.at else scope.day_of(scope.now)
        waiting = and_(order.c.state == "ISSUED", order.c.due_on <= latest)
        late = and_(order.c.state.in_(("ANSWERED", "CLOSED")), order.c.answered_at >= scope.since, order.c.due_on <= latest)
        chosen = select(order, answered.label("first_answer"), *_CASE_COLUMNS).join(_CASE, _CASE.c.key == order.c.case_key)
        chosen = chosen.where(or_(waiting, late), order.c.due_on >= scope.earliest(rule, degree.at), _no_card(scope, rule, degree, _subject("order", order.c.key)), _in_procedures(rule))
        if only is not None:
            chosen = chosen.where(order.c.key == only)
        for row in scope.conn.execute(chosen.order_by(order.c.due_on, order.c.key).limit(BATCH)):
            fell = answer_overdue_from(scope.calendar, row.due_on, degree.at)
            # An answer that was sent back was still given; to weigh it is the supervisor's business.
            if not scope.counts(rule, fell) or (row.first_answer is not None and row.first_answer <= fell):
                continue
            done = T("Answered %(at)s.", at=_moment(scope, row.first_answer)) if row.first_answer else T("At %(at)s not answered.", at=_moment(scope, scope.now))
            facts = (
                T("Supervision order %(number)s: an answer was due on %(due)s.", number=row.number, due=row.due_on.isoformat()),
                done,
                T("By the rule a card from %(days)d working day(s) on: that was %(at)s.", days=degree.at, at=_moment(scope, fell)),
            )
            yield Finding(
                rule, degree, f"order:{row.key}", fell, _case_of(row), facts, row.key, clock_key=row.clock_key, actor=row.to_login, section=row.to_section
            )


def answer_overdue_from(calendar: WorkCalendar, due_on: date, workdays: int) -> datetime:
    """The moment at which the answer to an order is ``workdays`` working days over; a due day on a rest day ends with the next one."""
    last = calendar.next_workday(due_on)
    return calendar.closing(last) if workdays == 0 else calendar.opening(calendar.add_workdays(last, workdays))


FINDERS: dict[str, Finder] = {
    **dict.fromkeys(LIMIT_KINDS, _limits),
    "refusal": _refusals,
    "repeated_extension": _repeated("extend"),
    "repeated_return": _repeated("return"),
    "unclaimed": _unclaimed,
    "unopened": _unopened,
    "order_late": _orders,
}
