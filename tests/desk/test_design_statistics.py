"""The figures of a process for its designers: counted from the history, per version, within the period."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event

from engine.deadlines import OfficeHours, seed_years
from engine.runtime.design import statistics
from engine.runtime.design.statistics import WorkedTime
from tests.desk import desk_models as models

SINCE, UNTIL = date(2026, 11, 1), date(2026, 12, 31)


def read(engine, since=SINCE, until=UNTIL, process="licence", **more):
    with engine.reading() as conn:
        return statistics.statistics(conn, process, since, until, engine.calendar, **more)


@pytest.fixture
def go(engine, clock):
    """``go(case, step, when, outcome, who)``: complete the open task of a case on a step at an office time."""

    def complete(case, step, when, outcome, by, **data):
        clock.office(when)
        task = next(task for task in engine.user_tasks(case.key) if task.element_id == step)
        engine.desk.complete_task(task.key, data, outcome=outcome, by=by, opinion="同意")

    return complete


def test_counts_times_and_returns_come_from_the_history(engine, clock, go):
    first = engine.desk.start_case("licence", models.START, by="wang")
    second = engine.desk.start_case("licence", models.START, by="wang")
    go(first, "accept", "2026-11-23 10:00", "accept", "wang")
    go(second, "accept", "2026-11-24 09:00", "accept", "wang")
    go(first, "handle", "2026-11-25 09:00", "submit", "zhao")
    go(first, "sign", "2026-11-25 10:00", "return", "wu")
    found = read(engine)
    accept, handle, sign = (found.steps[id] for id in ("accept", "handle", "sign"))
    assert (accept.reached, accept.finished, accept.running) == (2, 2, 0)
    assert (handle.reached, handle.finished, handle.running) == (3, 1, 2)
    assert (sign.done, sign.returned, sign.return_rate) == (1, 1, 1.0) and accept.return_rate == 0
    # One hour of a day of six and a half, and the day from nine to nine.
    assert accept.times == [pytest.approx(1 / 6.5), pytest.approx(1.0)]
    assert accept.median == pytest.approx(1 / 6.5) and accept.p90 == pytest.approx(1.0)
    assert [(each.version, each.running, each.started, each.ended) for each in found.versions] == [(1, 2, 2, 0)]


def test_versions_are_told_apart_and_put_together(engine, clock, go):
    engine.desk.start_case("licence", models.START, by="wang")
    files = models.files()
    name = next(name for name in files if name.endswith(".bpmn"))
    engine.deploy(files | {name: files[name].replace("受理审查".encode(), "受理".encode())}, by="designer")
    engine.desk.start_case("licence", models.START, by="wang")
    found = read(engine)
    assert found.steps["accept"].running == 2 and {number: steps["accept"].running for number, steps in found.by_version.items()} == {1: 1, 2: 1}
    assert found.steps["accept"].name == "受理"
    assert read(engine, version=1).steps["accept"].reached == 1 and len(read(engine, version=1).versions) == 2


def test_what_lies_outside_the_period_is_not_counted_but_what_waits_is(engine, clock, go):
    case = engine.desk.start_case("licence", models.START, by="wang")
    go(case, "accept", "2026-11-23 10:00", "accept", "wang")
    found = read(engine, since=date(2026, 11, 24))
    assert found.steps["handle"].running == 1 and found.steps["handle"].reached == 0 and "accept" not in found.steps
    assert read(engine, process="nothing").steps == {}


def test_the_statements_do_not_grow_with_the_cases(engine):
    sent: list[str] = []

    def count() -> int:
        sent.clear()
        read(engine)
        return sum(statement.lstrip().startswith("SELECT") for statement in sent)

    event.listen(engine.database.sa, "before_cursor_execute", lambda conn, cursor, statement, *rest: sent.append(statement))
    read(engine)
    empty = count()
    for _ in range(3):
        engine.desk.start_case("licence", models.START, by="wang")
    assert count() == empty == 5


def test_times_are_of_the_latest_when_there_are_too_many(engine, clock, go, monkeypatch):
    monkeypatch.setattr(statistics, "SAMPLE", 1)
    for _ in range(2):
        case = engine.desk.start_case("licence", models.START, by="wang")
        go(case, "accept", "2026-11-23 10:00", "accept", "wang")
    found = read(engine)
    assert found.sampled and found.steps["accept"].finished == 2 and len(found.steps["accept"].times) == 1


CALENDAR = seed_years(2025, 2027)
instants = st.integers(0, 3 * 364 * 86400).map(lambda seconds: datetime(2025, 1, 2, tzinfo=UTC) + timedelta(seconds=seconds))


@given(instants, instants, instants)
def test_office_time_adds_up_whatever_is_asked_first(a, b, c):
    first, middle, last = sorted((a, b, c))
    worked = WorkedTime(CALENDAR)
    parts = worked.days(middle, last) + worked.days(first, middle)
    assert worked.days(first, last) == pytest.approx(parts, abs=1e-6)
    whole = CALENDAR.workdays_between(CALENDAR.local(first).date(), CALENDAR.local(last).date())
    assert whole - 1 - 1e-6 <= worked.days(first, last) <= whole + 1 + 1e-6


def test_nights_rest_days_and_lunch_are_no_office_time():
    worked = WorkedTime(CALENDAR)
    friday = CALENDAR.instant(date(2026, 11, 20), time(17, 30))
    assert worked.days(friday, friday + timedelta(hours=60)) == 0
    noon = CALENDAR.instant(date(2026, 11, 23), time(12))
    assert worked.days(noon, noon + timedelta(hours=2, minutes=30)) == 0
    assert worked.days(friday, CALENDAR.instant(date(2026, 11, 23), time(17, 30))) == pytest.approx(1)


def test_a_day_is_a_day_before_and_after_the_office_changed_its_hours():
    shorter = OfficeHours(((time(9), time(12)), (time(13), time(16))))
    changed = OfficeHours(standing=((date(2026, 12, 1), shorter),))
    worked = WorkedTime(seed_years(2025, 2027, hours=changed))
    for day in (date(2026, 11, 30), date(2026, 12, 2)):
        begin = CALENDAR.instant(day, time(0))
        assert worked.days(begin, begin + timedelta(hours=24)) == pytest.approx(1)
