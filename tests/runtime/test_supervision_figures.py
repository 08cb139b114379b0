"""Figures and forecasts, on both databases."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from sqlalchemy import true

from engine.runtime.supervision import figures, pace
from engine.runtime.supervision.figures import Period
from engine.store import tables
from tests.desk import desk_models as models
from tests.desk import pause_models
from tests.desk.conftest import clock, desk, engine, open_task, rows  # noqa: F401  fixtures


@pytest.fixture
def run_case(desk, clock, open_task):
    """Open a case at one office time, finish it at another; returns its key."""

    def run(start: str, end: str | None = None, section: str = "gaoxin", returned: bool = False) -> int:
        clock.office(start)
        case = desk.start_case("licence", {**models.START, "handler_section": section}, by="wang")
        desk.complete_task(open_task(case.key, "accept").key, {}, outcome="accept", by="wang")
        clerk = {"gaoxin": "li", "nongcun": "sun"}[section]
        if end:
            clock.office(end)
            desk.complete_task(open_task(case.key, "handle").key, {}, outcome="submit", by=clerk)
            if returned:
                desk.complete_task(open_task(case.key, "sign").key, {}, outcome="return", opinion="请补", by="wu")
                desk.complete_task(open_task(case.key, "handle").key, {}, outcome="submit", by=clerk)
            desk.complete_task(open_task(case.key, "sign").key, {}, outcome="approve", by="wu")
        return case.key

    return run


def read(engine, period):
    with engine.reading() as conn:
        return figures.figures(conn, true(), period, engine.calendar, engine.clock())


@pytest.mark.parametrize(
    ("name", "day", "since", "until"),
    [
        ("week", date(2026, 11, 29), date(2026, 11, 23), date(2026, 11, 30)),
        ("month", date(2026, 12, 31), date(2026, 12, 1), date(2027, 1, 1)),
        ("quarter", date(2026, 11, 1), date(2026, 10, 1), date(2027, 1, 1)),
        ("quarter", date(2026, 1, 31), date(2026, 1, 1), date(2026, 4, 1)),
        ("year", date(2026, 2, 1), date(2026, 1, 1), date(2027, 1, 1)),
    ],
)
def test_a_period_is_whole(name, day, since, until):
    assert getattr(Period, name)(day) == Period(since, until)


def test_twelve_months_end_with_the_period():
    months = figures.months_until(date(2026, 11, 30))
    assert (months[0], months[-1], len(months)) == (date(2025, 12, 1), date(2026, 11, 1), 12)


def test_the_league_counts_kept_and_broken_limits_by_section(engine, run_case, clock, rows):
    run_case("2026-11-02 09:00", "2026-11-03 10:00")
    run_case("2026-11-02 09:00", "2026-11-20 10:00", section="nongcun", returned=True)
    clock.office("2026-11-23 09:00")
    found = read(engine, Period.month(date(2026, 11, 23)))
    assert list(found.sections) == ["gaoxin", "nongcun"]
    good, bad = found.sections["gaoxin"], found.sections["nongcun"]
    assert good.rate == 1 and good.late == 0 and good.finished == 3
    assert bad.late >= 1 and bad.rate < 1 and (bad.returned, bad.steps) == (1, 5)
    stopped = [row for row in rows_of(engine) if row["state"] == "STOPPED"]
    assert found.total.finished == len(stopped) == found.months[date(2026, 11, 1)].finished


def rows_of(engine):
    from sqlalchemy import select

    from engine.store.tables import clock as table

    with engine.reading() as conn:
        return [dict(row) for row in conn.execute(select(table)).mappings()]


def test_what_was_finished_in_another_period_counts_in_its_month_only(engine, run_case, clock):
    run_case("2026-10-12 09:00", "2026-10-13 10:00")
    clock.office("2026-11-23 09:00")
    found = read(engine, Period.month(date(2026, 11, 23)))
    assert found.total.finished == 0 and found.total.rate is None and found.total.average is None
    assert found.months[date(2026, 10, 1)].finished == 3


def test_a_limit_that_is_over_and_still_runs_counts_as_overdue(engine, run_case, clock):
    run_case("2026-11-02 09:00")
    clock.office("2026-11-23 09:00")
    found = read(engine, Period.month(date(2026, 11, 23)))
    assert found.sections["gaoxin"].overdue >= 1


def test_steps_tell_how_long_they_take_and_where_cases_wait(engine, run_case, clock):
    for day in ("03", "04", "06"):
        run_case("2026-11-02 09:00", f"2026-11-{day} 09:00")
    run_case("2026-11-20 09:00")
    clock.office("2026-11-23 09:00")
    with engine.reading() as conn:
        found = {step.element_id: step for step in pace.steps(conn, true(), "licence", clock())}
        (process,) = pace.processes(conn, true())
    assert found["handle"].median == 2.0 and found["handle"].p90 == 4.0 and found["handle"].finished == 3
    assert (found["handle"].waiting, round(found["handle"].oldest, 3)) == (1, 3.0)
    assert found["sign"].waiting == 0
    assert (process.process_id, process.waiting) == ("licence", 1)


def test_quantiles_are_values_that_occurred():
    assert pace.quantile([1.0, 2.0, 3.0, 4.0], 0.5) == 2.0
    assert pace.quantile([1.0], 0.9) == 1.0
    assert pace.quantile([float(number) for number in range(1, 11)], 0.9) == 9.0


def test_a_case_is_forecast_late_when_others_took_longer_than_is_left(engine, run_case, clock):
    for _ in range(pace.ENOUGH):
        run_case("2026-10-12 09:00", "2026-10-30 09:00")
    key = run_case("2026-11-20 09:00")
    clock.office("2026-11-23 09:00")
    with engine.reading() as conn:
        found = pace.forecasts(conn, true(), clock())
    assert found and {each.case_key for each in found} == {key}
    first = found[0]
    assert first.sample >= pace.ENOUGH and first.rest == 18.0 and round(first.here, 3) == 3.0
    assert first.expected_at == datetime.fromisoformat("2026-11-20T09:00:00+08:00") + timedelta(days=18)
    assert first.expected_at >= first.overdue_at > clock()


def test_nothing_is_forecast_from_too_few_cases(engine, run_case, clock):
    for _ in range(pace.ENOUGH - 1):
        run_case("2026-10-12 09:00", "2026-10-30 09:00")
    run_case("2026-11-20 09:00")
    clock.office("2026-11-23 09:00")
    with engine.reading() as conn:
        assert pace.forecasts(conn, true(), clock()) == []


def test_a_limit_that_was_started_anew_counts_once_and_only_when_it_is_finished(engine, desk, clock, open_task, rows):
    engine.deploy(pause_models.files(), by="designer")
    clock.office("2026-11-23 09:00")
    case = desk.start_case("opening", models.START, by="wang")
    desk.complete_task(open_task(case.key, "receive").key, {}, by="wang")
    clock.office("2026-11-26 10:00")
    desk.complete_task(open_task(case.key, "correct").key, {}, by="wang")
    stopped = [row["rule_id"] for row in rows(tables.clock, case_key=case.key) if row["state"] == "STOPPED"]
    assert sorted(stopped) == ["open.reply", "open.reply.promise"]
    assert read(engine, Period.month(date(2026, 11, 1))).total.finished == 0


def test_who_shows_one_month_reads_one_month(engine, run_case):
    run_case("2026-10-12 09:00", "2026-10-14 09:00")
    run_case("2026-11-23 09:00", "2026-11-25 09:00")
    month = Period.month(date(2026, 11, 1))
    with engine.reading() as conn:
        whole = figures.figures(conn, true(), month, engine.calendar, engine.clock())
        one = figures.figures(conn, true(), month, engine.calendar, engine.clock(), trend=1)
    assert (one.total, one.sections) == (whole.total, whole.sections)
    assert list(one.months) == [date(2026, 11, 1)] and sum(each.finished for each in whole.months.values()) > one.total.finished
