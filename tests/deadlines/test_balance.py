"""What is used and what is left of a limit: the two make up the budget, in every unit, paused, extended and rolled on."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.deadlines import Clock, ExtensionRule, Rule, balance, extend, left_words, pause, resume, seed_years, start, stop
from engine.deadlines.balance import amounts
from engine.deadlines.clock import Kept
from engine.words import translate

CALENDAR = seed_years(2020, 2027)
BEGUN = st.integers(0, 272 * 24 * 60).map(lambda minutes: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes))


def local(text: str) -> datetime:
    return datetime.fromisoformat(text + "+08:00").astimezone(UTC)


def said(clock: Clock, now: str) -> str:
    return translate(left_words(balance(clock, CALENDAR, local(now)), CALENDAR, local(now)), lambda msgid: msgid)


def numbers(clock: Clock, now: str) -> tuple[int | None, int, int | None]:
    found = balance(clock, CALENDAR, local(now))
    return found.budget, found.used, found.left


FIVE = Rule("r", "r", 5, "wd", extension=ExtensionRule(5, "wd"))


def test_what_comes_after_closing_has_its_whole_limit_left_and_says_from_when_it_counts():
    # Received on Monday after closing: Tuesday is the first day, which does not count, so the count begins on Wednesday.
    clock = start(FIVE, local("2026-11-23T18:37:00"))
    assert numbers(clock, "2026-11-23T18:40:00") == (5, 0, 5)
    assert said(clock, "2026-11-23T18:40:00") == "5 working day(s) left (counted from 11-25)"
    assert said(clock, "2026-11-24T10:00:00") == "5 working day(s) left (counted from 11-25)"
    assert said(clock, "2026-11-25T10:00:00") == "4 working day(s) left"
    assert (said(clock, "2026-12-01T17:30:00"), said(clock, "2026-12-01T17:31:00")) == ("due today", "1 working day(s) over")


def test_a_last_day_that_rolls_on_is_said_beside_the_budget_and_not_added_to_it():
    clock = start(Rule("r", "r", 30, "d"), date(2026, 12, 3))
    assert numbers(clock, "2026-12-03T10:00:00") == (30, 0, 30)
    assert said(clock, "2026-12-03T10:00:00") == "30 day(s) left (counted from 12-04, rolled on to 2027-01-04)"
    assert said(clock, "2026-12-20T10:00:00") == "13 day(s) left (rolled on to 2027-01-04)"
    assert (numbers(clock, "2027-01-03T10:00:00"), said(clock, "2027-01-03T10:00:00")) == ((30, 30, 0), "rolled on to 01-04")
    assert said(clock, "2027-01-04T10:00:00") == "due today"
    assert said(clock, "2027-01-05T10:00:00") == "1 working day(s) over"


def test_months_are_counted_in_days_without_the_days_they_roll_on():
    clock = start(Rule("r", "r", 1, "m"), date(2026, 9, 2))
    assert numbers(clock, "2026-09-12T10:00:00") == (30, 10, 20)
    assert numbers(clock, "2026-10-06T10:00:00") == (30, 30, 0)
    assert said(clock, "2026-10-06T10:00:00") == "rolled on to 10-08"


def test_hours_are_said_in_hours_and_minutes_of_the_office():
    clock = start(Rule("r", "r", 4, "h"), local("2026-11-23T11:15:00"))
    assert amounts(balance(clock, CALENDAR, local("2026-11-23T15:00:00"))) == "1:15/4:00"
    assert said(clock, "2026-11-23T15:00:00") == "2 h 45 min left"
    assert said(clock, "2026-11-23T12:30:00") == "3 h 15 min left"
    assert said(clock, "2026-11-24T08:40:00") == "5 min left"
    assert said(clock, "2026-11-24T09:05:00") == "20 min over"
    assert said(clock, "2026-11-26T09:05:00") == "2 working day(s) over"


def test_hours_that_have_not_begun_say_when_they_do():
    clock = start(Rule("r", "r", 4, "h"), local("2026-11-23T12:30:00"))
    assert said(clock, "2026-11-23T12:40:00") == "4 h 0 min left (counted from 14:30)"
    late = start(Rule("r", "r", 4, "h"), local("2026-11-27T18:30:00"))
    assert said(late, "2026-11-28T12:40:00") == "4 h 0 min left (counted from 11-30 08:30)"


def test_a_paused_clock_keeps_what_was_left_and_an_extended_one_has_more():
    clock = start(FIVE, local("2026-11-23T10:00:00"))
    held = pause(clock, local("2026-11-26T10:00:00"), "x")
    assert (numbers(held, "2026-12-30T10:00:00"), said(held, "2026-12-30T10:00:00")) == ((5, 2, 3), "paused")
    more = extend(resume(held, local("2026-12-30T10:00:00")), 5, "wd", "x", "wang", local("2026-12-30T11:00:00"), CALENDAR)
    assert numbers(more, "2026-12-30T12:00:00") == (10, 3, 7)
    other = extend(start(Rule("r", "r", 10, "d", extension=ExtensionRule(3, "wd")), date(2026, 11, 23)), 3, "wd", "x", "wang", local("2026-11-24T10:00:00"), CALENDAR)
    found = balance(other, CALENDAR, local("2026-11-24T10:00:00"))
    assert (found.budget, found.used, found.left) == (15, 1, 14)  # three working days after Thursday 12-03 end on Tuesday 12-08


def test_a_day_that_was_told_and_is_kept_adds_nothing_to_the_budget():
    clock = start(FIVE, local("2026-11-23T10:00:00"))
    kept = Clock(clock.rule, clock.started_at, kept=Kept(local("2026-12-02T17:30:00"), date(2026, 11, 30)))
    assert numbers(kept, "2026-12-01T10:00:00") == (5, 5, 0)
    assert said(kept, "2026-12-01T10:00:00") == "kept at 12-02"
    assert said(kept, "2026-11-27T10:00:00") == "1 working day(s) left (kept at 12-02)"


def test_a_limit_before_an_event_has_its_days_up_to_its_end():
    clock = start(Rule("r", "r", 5, "wd", direction="before"), date(2026, 12, 21))  # due 12-14
    assert numbers(clock, "2026-11-23T10:00:00") == (5, 0, 5)
    assert said(clock, "2026-11-23T10:00:00") == "5 working day(s) left (counted from 12-08)"
    assert numbers(clock, "2026-12-10T10:00:00") == (5, 3, 2)
    assert said(clock, "2026-12-14T10:00:00") == "due today"


def test_a_stopped_clock_stands_where_it_stopped():
    clock = stop(start(FIVE, local("2026-11-23T10:00:00")), local("2026-11-25T10:00:00"))
    assert numbers(clock, "2027-01-25T10:00:00") == (5, 2, 3)


# -- the property, against counting day by day and minute by minute -------------------------------------------------------------


def _counts(day: date, unit: str) -> bool:
    return unit != "wd" or CALENDAR.is_workday(day)


@settings(max_examples=250, deadline=None)
@given(
    unit=st.sampled_from(["wd", "d"]), limit=st.integers(1, 40), first=st.booleans(), roll=st.booleans(),
    begun=BEGUN, pauses=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 20)), max_size=3),
    more=st.integers(0, 10), later=st.integers(0, 60 * 24 * 90),
)
def test_used_and_left_make_up_the_budget_while_it_is_counted(unit, limit, first, roll, begun, pauses, more, later):
    clock = start(Rule("r", "r", limit, unit, count_first_day=first, roll_forward=roll, pauses=("x",), extension=ExtensionRule(10, unit)), begun)
    if more:
        clock = extend(clock, more, unit, "x", "wang", begun, CALENDAR)
    at = begun
    for wait, length in pauses:
        clock = pause(clock, at + timedelta(days=wait), "x")
        at = at + timedelta(days=wait + length)
        clock = resume(clock, at, "x")
    now = begun + timedelta(minutes=later)
    found = balance(clock, CALENDAR, now)
    assert found.budget == limit + more
    assert 0 <= found.left <= found.budget
    assert (found.over == 0) == (found.used <= found.budget and now <= CALENDAR.closing(found.due_day))
    if found.over:
        return
    assert found.used + found.left == found.budget
    # Day by day: what lies between today and the last day, without the paused days, is what is left.
    held = {day for each in clock.pauses for day in _days_of(CALENDAR.local(each.start).date(), CALENDAR.local(each.end).date())}
    day = CALENDAR.office_day(begun) - timedelta(days=int(first))
    last, open_days = found.due_day - timedelta(days=found.rolled), []
    while day < last:
        day += timedelta(days=1)
        if _counts(day, unit) and day not in held:
            open_days.append(day)
    assert len(open_days) == found.budget
    today = CALENDAR.local(now).date()
    assert found.left == sum(each > today for each in open_days)
    assert (found.begins is not None) == (open_days[0] > today)
    assert found.begins in (None, open_days[0])


def _days_of(first: date, until: date) -> list[date]:
    return [first + timedelta(days=number) for number in range((until - first).days)]


@settings(max_examples=100, deadline=None)
@given(
    unit=st.sampled_from(["h", "ch"]), quarters=st.integers(1, 160), begun=BEGUN,
    wait=st.integers(0, 2000), length=st.integers(0, 3000), later=st.integers(0, 60 * 24 * 20),
)
def test_minutes_used_and_left_make_up_the_budget_too(unit, quarters, begun, wait, length, later):
    clock = pause(start(Rule("r", "r", Decimal(quarters) / 4, unit, pauses=("x",)), begun), begun + timedelta(minutes=wait), "x")
    clock = resume(clock, begun + timedelta(minutes=wait + length))
    now = begun + timedelta(minutes=later)
    found = balance(clock, CALENDAR, now)
    assert found.budget == quarters * 15
    assert 0 <= found.left <= found.budget
    held = (begun + timedelta(minutes=wait), begun + timedelta(minutes=wait + length))
    reference, minute = 0, begun
    while minute < now:
        reference += _open(minute, unit) and not held[0] <= minute < held[1]
        minute += timedelta(minutes=1)
    if not found.over:
        assert found.used + found.left == found.budget
        assert found.used == min(reference, found.budget)


def _open(minute: datetime, unit: str) -> bool:
    here = CALENDAR.local(minute)
    if unit == "ch":
        return True
    return CALENDAR.is_workday(here.date()) and (time(8, 30) <= here.time() < time(12) or time(14, 30) <= here.time() < time(17, 30))


@pytest.mark.parametrize(("minutes", "budget"), [(Decimal("0.01"), 1), (Decimal("1.5"), 90)])
def test_a_limit_in_parts_of_an_hour_is_whole_minutes(minutes, budget):
    assert balance(start(Rule("r", "r", minutes, "h"), local("2026-11-23T10:00:00")), CALENDAR, local("2026-11-23T10:00:00")).budget == budget
