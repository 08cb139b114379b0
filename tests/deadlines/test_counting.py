"""Counting, against the vectors of ``domain.md`` §4.4 and against a slow reference that walks day by day."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.deadlines import Rule, due, due_day, seed_years, start_day
from engine.deadlines.counting import add_months
from engine.errors import EngineError, ValidationFailed

CALENDAR = seed_years(2020, 2026)
DAY = timedelta(days=1)


def local(text: str) -> datetime:
    return datetime.fromisoformat(text + "+08:00").astimezone(UTC)


VECTORS = [
    ("2026-02-09", 7, "2026-02-25", "2026-02-24"),
    ("2026-02-12", 20, "2026-03-18", "2026-03-17"),
    ("2026-04-28", 5, "2026-05-08", "2026-05-07"),
    ("2026-09-14", 10, "2026-09-28", "2026-09-24"),
    ("2026-09-21", 15, "2026-10-19", "2026-10-16"),
    ("2026-09-30", 1, "2026-10-08", "2026-09-30"),
    ("2026-11-23", 20, "2026-12-21", "2026-12-18"),
    ("2025-04-22", 10, None, "2025-05-07"),
    ("2023-11-10", 10, None, "2023-11-23"),
]


@pytest.mark.parametrize(("start", "amount", "excluded", "counted"), VECTORS)
def test_working_days_end_where_the_official_calendar_says(calendar, start, amount, excluded, counted):
    first = date.fromisoformat(start)
    if excluded:
        assert due_day(amount, first, calendar) == date.fromisoformat(excluded)
    assert due_day(amount, first, calendar, count_first_day=True) == date.fromisoformat(counted)


@pytest.mark.parametrize(
    ("start", "amount", "expected"), [("2026-09-02", 30, "2026-10-08"), ("2026-04-05", 30, "2026-05-06"), ("2026-08-03", 60, "2026-10-08")]
)
def test_calendar_days_roll_once_at_the_end(calendar, start, amount, expected):
    assert due_day(amount, date.fromisoformat(start), calendar, unit="d") == date.fromisoformat(expected)


def test_a_limit_that_crosses_into_an_unpublished_year_is_provisional(calendar):
    last = due(Rule("r", "r", 28, "wd"), date(2026, 11, 23), calendar)
    beyond = due(Rule("r", "r", 29, "wd"), date(2026, 11, 23), calendar)
    rolled = due(Rule("r", "r", 60, "d"), date(2026, 11, 23), calendar)
    assert (last.day, last.provisional) == (date(2026, 12, 31), False)
    assert (beyond.day, beyond.provisional) == (date(2027, 1, 4), True)
    assert (rolled.day, rolled.provisional) == (date(2027, 1, 22), True)


def test_a_day_is_due_at_closing_and_overdue_one_second_later(calendar):
    found = due(Rule("r", "r", 1, "wd"), date(2026, 11, 23), calendar)
    assert found.at == local("2026-11-24T17:30:00")
    assert found.overdue_at == local("2026-11-24T17:30:01")


def test_what_arrives_after_closing_starts_on_the_next_working_day_unless_the_rule_says_otherwise(calendar):
    rule = Rule("r", "r", 5, "wd")
    assert due_day(rule, local("2026-11-20T17:30:00"), calendar) == date(2026, 11, 27)
    assert due_day(rule, local("2026-11-20T17:30:01"), calendar) == date(2026, 11, 30)
    assert due_day(rule, local("2026-11-21T10:00:00"), calendar) == date(2026, 11, 30)
    assert start_day(Rule("r", "r", 5, "wd", rest_day_start="same_day"), local("2026-11-21T10:00:00"), calendar) == date(2026, 11, 21)


@pytest.mark.parametrize(
    ("start", "months", "first_counts", "expected"),
    [
        ("2026-01-31", 1, False, "2026-02-28"),
        ("2026-10-20", 1, False, "2026-11-20"),
        ("2026-10-20", 1, True, "2026-11-19"),
        ("2026-07-31", 2, False, "2026-09-30"),
        ("2024-02-29", 12, False, "2025-02-28"),
    ],
)
def test_months_end_on_the_same_day_number_or_the_last_day(calendar, start, months, first_counts, expected):
    rule = Rule("r", "r", months, "m", count_first_day=first_counts, roll_forward=False)
    assert due_day(rule, date.fromisoformat(start), calendar) == date.fromisoformat(expected)


def test_years_are_twelve_months(calendar):
    rule = Rule("r", "r", 3, "y", roll_forward=False)
    assert due_day(rule, date(2022, 12, 1), calendar) == date(2025, 12, 1)


def test_overlapping_pauses_count_once(calendar):
    pauses = [(date(2026, 11, 24), date(2026, 11, 26)), (date(2026, 11, 25), date(2026, 11, 27))]
    assert due_day(5, date(2026, 11, 23), calendar, pauses) == date(2026, 12, 3)


def test_a_pause_resumed_on_the_same_day_costs_nothing(calendar):
    assert due_day(5, date(2026, 11, 23), calendar, [(date(2026, 11, 24), date(2026, 11, 24))]) == date(2026, 11, 30)


def test_an_open_pause_has_no_due_day_unless_the_budget_was_reached_before(calendar):
    assert due_day(5, date(2026, 11, 23), calendar, [(date(2026, 11, 30), None)]) is None
    assert due_day(5, date(2026, 11, 23), calendar, [(date(2026, 12, 1), None)]) == date(2026, 11, 30)


def test_rolling_forward_never_ends_in_a_pause(calendar):
    # 2026-11-28 is a Saturday; the Monday and Tuesday after it are paused.
    pauses = [(date(2026, 11, 30), date(2026, 12, 2))]
    assert due_day(5, date(2026, 11, 23), calendar, pauses, unit="d") == date(2026, 12, 2)
    assert due_day(5, date(2026, 11, 23), calendar, [(date(2026, 11, 30), None)], unit="d") is None


def test_extensions_add_in_their_own_unit_before_the_only_roll(calendar):
    assert due_day(10, date(2026, 11, 2), calendar, extensions=[(10, "wd")]) == due_day(20, date(2026, 11, 2), calendar)
    # 30 d from 2026-09-02 ends on 2 October; 30 more from there, not from the rolled 8 October.
    assert due_day(30, date(2026, 9, 2), calendar, extensions=[(30, "d")], unit="d") == date(2026, 11, 2)
    assert due_day(1, date(2026, 1, 31), calendar, extensions=[(1, "m")], unit="m") == date(2026, 3, 31)


@pytest.mark.parametrize(
    ("start", "hours", "expected"),
    [
        ("2026-11-23T09:30:00", 2, "2026-11-23T11:30:00"),
        ("2026-11-23T11:30:00", 1, "2026-11-23T15:00:00"),
        ("2026-11-23T08:30:00", 6.5, "2026-11-23T17:30:00"),
        ("2026-11-20T17:00:00", 1, "2026-11-23T09:00:00"),
        ("2026-11-21T12:00:00", 3.5, "2026-11-23T12:00:00"),
    ],
)
def test_office_hours_run_only_while_the_office_is_open(calendar, start, hours, expected):
    assert due(Rule("r", "r", hours, "h"), local(start), calendar).at == local(expected)


def test_clock_hours_run_through_the_night_and_the_weekend(calendar):
    found = due(Rule("r", "r", 72, "ch"), local("2026-11-20T18:00:00"), calendar)
    assert found.at == local("2026-11-23T18:00:00")


def test_paused_hours_are_those_between_the_two_instants(calendar):
    pauses = [(local("2026-11-23T10:00:00"), local("2026-11-23T11:00:00"))]
    assert due(Rule("r", "r", 3, "h"), local("2026-11-23T08:30:00"), calendar, pauses).at == local("2026-11-23T15:00:00")
    assert due(Rule("r", "r", 3, "ch"), local("2026-11-23T08:30:00"), calendar, pauses).at == local("2026-11-23T12:30:00")
    assert due(Rule("r", "r", 3, "h"), local("2026-11-23T08:30:00"), calendar, [(pauses[0][0], None)]) is None


def test_a_minimum_before_an_event_counts_back_and_rolls_back(calendar):
    rule = Rule("r", "r", 7, "d", direction="before")
    assert due_day(rule, date(2026, 11, 27), calendar) == date(2026, 11, 20)
    assert due_day(rule, date(2026, 10, 14), calendar) == date(2026, 9, 30)


def test_a_fixed_day_of_the_year_is_the_next_one(calendar):
    rule = Rule("r", "r", None, "d", by=(5, 31))
    assert due_day(rule, date(2026, 1, 5), calendar) == date(2026, 6, 1)
    assert due_day(rule, date(2025, 6, 1), calendar) == date(2026, 6, 1)


@pytest.mark.parametrize("amount", [0, -1, float("nan"), float("inf"), "5", True, None, 1.5, 10**9])
def test_a_refused_amount_is_an_error_in_words(calendar, amount):
    with pytest.raises(ValidationFailed):
        due_day(amount, date(2026, 11, 23), calendar)


def test_a_count_past_the_last_year_is_refused_in_words(calendar):
    for unit in ("wd", "d", "m"):
        with pytest.raises(EngineError):
            due_day(200_000, date(9999, 1, 1), calendar, unit=unit)


# -- the slow reference ---------------------------------------------------------------------------------------------------


def walked(amount: int, unit: str, start: date, first_counts: bool, pauses: list[tuple[date, date | None]], extra: int) -> date | None:
    def paused(day: date) -> bool:
        return any(begin <= day and (end is None or day < end) for begin, end in pauses)

    total = amount + extra
    if unit == "m":
        total, unit = (add_months(start, total) - start).days, "d"
    day, counted = start - DAY, 0
    limit = start + timedelta(days=4000)
    while True:
        day += DAY
        if day > limit:
            return None
        if day == start and not first_counts:
            continue
        if not paused(day) and (unit == "d" or CALENDAR.is_workday(day)):
            counted += 1
        if counted == total:
            break
    while paused(day) or not CALENDAR.is_workday(day):
        day += DAY
        if day > limit:
            return None
    return day


days = st.dates(date(2024, 1, 1), date(2027, 6, 30))
spans = st.tuples(days, st.one_of(st.none(), st.integers(0, 40))).map(
    lambda each: (each[0], None if each[1] is None else each[0] + timedelta(days=each[1]))
)


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(["wd", "d", "m"]), st.integers(1, 40), days, st.booleans(), st.lists(spans, max_size=4), st.integers(0, 20)
)
def test_every_count_agrees_with_walking_day_by_day(unit, amount, start, first_counts, pauses, extra):
    extensions = [(extra, unit)] if extra else []
    found = due_day(amount, start, CALENDAR, pauses, extensions, unit=unit, count_first_day=first_counts)
    assert found == walked(amount, unit, start, first_counts, pauses, extra)


@settings(max_examples=150, deadline=None)
@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 1)).map(lambda each: each.replace(second=0, microsecond=0)),  # noqa: DTZ001
    st.integers(1, 12),
    st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 3000)), max_size=3),
)
def test_office_hours_agree_with_walking_minute_by_minute(start, hours, gaps):
    begin = start.replace(tzinfo=CALENDAR.zone).astimezone(UTC)
    pauses = [(begin + timedelta(minutes=at), begin + timedelta(minutes=at + length)) for at, length in gaps]
    now, left = begin, hours * 60
    while left:
        day = now.astimezone(CALENDAR.zone).date()
        open_now = any(opens <= now < closes for opens, closes in CALENDAR.sessions(day))
        left -= open_now and not any(a <= now < b for a, b in pauses)
        now += timedelta(minutes=1)
    assert due(Rule("r", "r", hours, "h"), begin, CALENDAR, pauses).at == now


def test_a_thousand_clocks_are_counted_in_a_blink(calendar):
    for amount in range(1, 1001):
        due_day(amount, date(2026, 11, 23), calendar, [(date(2026, 12, 1), date(2026, 12, 9))])
