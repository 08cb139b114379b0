"""Office hours: the usual ones, those of summer, and arrangements that apply from some day on."""

from __future__ import annotations

from datetime import date, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.deadlines import OfficeHours, WorkCalendar
from engine.deadlines.arrangement import STANDING, ArrangedDay, arranged, checked
from engine.errors import ValidationFailed

EARLY = ((time(8), time(12)), (time(13), time(16, 30)))
LATE = ((time(9), time(12)), (time(15), time(18)))
DAYS = st.dates(date(2024, 1, 1), date(2030, 12, 31))


def test_an_arrangement_applies_from_its_day_until_the_next_one_does():
    hours = OfficeHours(standing=((date(2026, 12, 1), OfficeHours(EARLY)), (date(2027, 3, 1), OfficeHours(LATE))))
    assert hours.closing(date(2026, 11, 30)) == time(17, 30)
    assert hours.closing(date(2026, 12, 1)) == hours.closing(date(2027, 2, 28)) == time(16, 30)
    assert hours.opening(date(2027, 3, 1)) == time(9)


def test_a_day_with_hours_of_its_own_keeps_them_whatever_is_usual():
    own = ((time(10), time(11)),)
    hours = OfficeHours(days={date(2026, 12, 2): own}, standing=((date(2026, 12, 1), OfficeHours(EARLY)),))
    assert hours.on(date(2026, 12, 2)) == own


def test_summer_belongs_to_the_arrangement_that_names_it():
    summer = OfficeHours(EARLY, LATE, (6, 1), (9, 30))
    hours = OfficeHours(standing=((date(2026, 12, 1), summer), (date(2028, 1, 1), OfficeHours(EARLY))))
    assert hours.closing(date(2026, 7, 1)) == time(17, 30)
    assert hours.closing(date(2027, 7, 1)) == time(18)
    assert hours.closing(date(2028, 7, 1)) == time(16, 30)


@given(st.lists(st.tuples(DAYS, st.sampled_from([EARLY, LATE])), max_size=6), DAYS)
def test_what_applies_is_what_a_walk_from_the_beginning_finds(changes, day):
    standing = tuple(sorted({since: OfficeHours(sessions) for since, sessions in changes}.items(), key=lambda each: each[0]))
    hours = OfficeHours(standing=standing)
    usual = hours.sessions
    for since, change in standing:
        if since <= day:
            usual = change.sessions
    assert hours.on(day) == usual


def test_an_arranged_change_moves_no_day_and_replaces_the_one_of_the_same_day(calendar: WorkCalendar):
    since = date(2026, 12, 1)
    once = arranged(calendar, [ArrangedDay(since, STANDING, standing=OfficeHours(EARLY))])
    again = arranged(once, [ArrangedDay(since, STANDING, standing=OfficeHours(LATE))])
    assert once.closing(since) == calendar.instant(since, time(16, 30))
    assert again.hours.standing == ((since, OfficeHours(LATE)),)
    assert all(again.kind(since + timedelta(days=n)) == calendar.kind(since + timedelta(days=n)) for n in range(400))


def test_an_arranged_day_comes_back_from_its_stored_form():
    named = ArrangedDay(date(2026, 12, 1), STANDING, "冬季作息", standing=OfficeHours(EARLY, LATE, (6, 15), (9, 15)))
    assert ArrangedDay.from_dict(named.to_dict()) == named


@pytest.mark.parametrize("kind, standing", [(STANDING, None), ("closed", OfficeHours())])
def test_usual_hours_and_their_kind_come_together(kind, standing):
    with pytest.raises(ValidationFailed) as refused:
        checked([ArrangedDay(date(2026, 12, 1), kind, standing=standing)])
    assert "2026-12-01" in refused.value.errors
