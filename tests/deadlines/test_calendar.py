"""The work calendar: published years, years nobody has published, and the fast index of working days."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import chinese_calendar
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.deadlines import OfficeHours, WorkCalendar, official_year, provisional_year, seed_years
from engine.errors import EngineError, ValidationFailed

CALENDAR = seed_years(2020, 2026)


def test_every_day_of_the_seeded_years_agrees_with_the_published_arrangement(calendar):
    day = date(2020, 1, 1)
    while day.year < 2027:
        assert calendar.is_workday(day) == chinese_calendar.is_workday(day), day
        assert not calendar.is_provisional(day)
        day += timedelta(days=1)


@pytest.mark.parametrize(
    ("day", "kind"),
    [
        ("2026-02-14", "makeup_workday"),
        ("2026-02-16", "statutory"),
        ("2026-02-20", "in_lieu"),
        ("2026-02-07", "weekend"),
        ("2026-02-09", "workday"),
    ],
)
def test_a_published_day_has_its_kind(calendar, day, kind):
    assert calendar.kind(date.fromisoformat(day)) == kind


def test_an_unpublished_year_is_provisional_with_substitute_days_off_and_no_make_up_days(calendar):
    year = provisional_year(2027)
    assert calendar.is_provisional(date(2027, 6, 1))
    assert calendar.year_status(2027) == "missing"
    assert "makeup_workday" not in year.kinds
    assert calendar.kind(date(2027, 5, 3)) == "in_lieu"
    assert not calendar.is_workday(date(2027, 5, 3))


@pytest.mark.parametrize("year", [1, 1949, 1950, 2003, 2027, 2100, 2101, 9999])
def test_no_year_ever_raises(calendar, year):
    assert 200 < len(calendar.year(year).workdays) < 320
    assert calendar.next_workday(date(year, 5, 1)) >= date(year, 5, 1)


def test_there_is_no_official_year_beyond_the_published_data():
    with pytest.raises(EngineError, match="2027"):
        official_year(2027)


@given(st.dates(date(2018, 1, 1), date(2030, 12, 31)), st.integers(-600, 600))
def test_adding_working_days_agrees_with_walking(start, amount):
    day, left = start, abs(amount)
    while left:
        day += timedelta(days=1 if amount > 0 else -1)
        left -= CALENDAR.is_workday(day)
    assert CALENDAR.add_workdays(start, amount) == day


@given(st.dates(date(2018, 1, 1), date(2030, 12, 31)), st.integers(-900, 900))
def test_counting_working_days_agrees_with_walking(after, length):
    until = after + timedelta(days=length)
    low, high = sorted((after, until))
    walked = sum(CALENDAR.is_workday(low + timedelta(days=index)) for index in range(1, (high - low).days + 1))
    assert CALENDAR.workdays_between(after, until) == (walked if length >= 0 else -walked)


def test_counting_out_of_the_calendar_is_refused_in_words(calendar):
    with pytest.raises(EngineError, match="leaves the calendar"):
        calendar.add_workdays(date(9999, 12, 1), 100)


def test_a_calendar_survives_the_table_it_is_kept_in(calendar):
    rows = [row for year in calendar.years for row in calendar.rows_for_year(year)]
    again = WorkCalendar.from_rows(rows, dict.fromkeys(calendar.years, "正式"))
    assert again == calendar


def test_a_row_of_an_unknown_kind_is_refused_in_words():
    with pytest.raises(ValidationFailed) as refused:
        WorkCalendar.from_rows([{"date": date(2026, 1, 1), "kind": "holiday"}])
    assert "holiday" in refused.value.errors["2026-01-01"][0]


def test_a_later_notice_corrects_a_published_year_and_leaves_the_old_value_alone(calendar):
    corrected = calendar.with_days({date(2026, 11, 24): "statutory"}, name="临时放假")
    assert corrected.add_workdays(date(2026, 11, 23), 1) == date(2026, 11, 25)
    assert calendar.add_workdays(date(2026, 11, 23), 1) == date(2026, 11, 24)
    assert not corrected.is_provisional(date(2026, 11, 24))


def test_summer_hours_move_the_closing(calendar):
    summer = OfficeHours(summer_sessions=((time(8, 30), time(12)), (time(15), time(18))))
    moved = calendar.with_hours(summer)
    assert moved.closing(date(2026, 7, 1)) == datetime(2026, 7, 1, 10, 0, tzinfo=UTC)
    assert moved.closing(date(2026, 11, 2)) == datetime(2026, 11, 2, 9, 30, tzinfo=UTC)


def test_office_hours_out_of_order_are_refused():
    with pytest.raises(ValidationFailed):
        OfficeHours(sessions=((time(12), time(8)),))


@pytest.mark.parametrize(
    ("instant", "day"),
    [
        ("2026-11-23T17:30:00+08:00", "2026-11-23"),
        ("2026-11-23T17:30:01+08:00", "2026-11-24"),
        ("2026-11-21T09:00:00+08:00", "2026-11-23"),
        ("2026-09-30T18:00:00+08:00", "2026-10-08"),
        ("2026-11-22T16:30:00+00:00", "2026-11-23"),
    ],
)
def test_an_act_after_closing_or_on_a_rest_day_belongs_to_the_next_working_day(calendar, instant, day):
    assert calendar.office_day(datetime.fromisoformat(instant)) == date.fromisoformat(day)


def test_an_instant_without_a_zone_is_refused(calendar):
    with pytest.raises(EngineError, match="time zone"):
        calendar.office_day(datetime(2026, 11, 23, 9, 0))  # noqa: DTZ001
