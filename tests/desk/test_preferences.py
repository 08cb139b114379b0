"""Quiet hours: when a message may go out, over nights, weekends and public holidays."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.deadlines.calendar import OFFICE_ZONE, seed_years
from engine.runtime.telling.preferences import Preference

CALENDAR = seed_years()


def office(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=OFFICE_ZONE)


@pytest.mark.parametrize(
    ("now", "ready"),
    [
        ("2026-11-23 12:00", "2026-11-23 12:00"),
        ("2026-11-23 21:59", "2026-11-23 21:59"),
        ("2026-11-23 22:00", "2026-11-24 07:30"),
        ("2026-11-24 03:00", "2026-11-24 07:30"),
        ("2026-11-24 07:30", "2026-11-24 07:30"),
        ("2026-11-27 22:30", "2026-11-30 07:30"),  # Friday night to Monday morning
        ("2026-11-28 12:00", "2026-11-30 07:30"),
        ("2026-09-30 23:00", "2026-10-08 07:30"),  # over the National Day holidays
        ("2026-10-10 12:00", "2026-10-10 12:00"),  # a Saturday that is worked
    ],
)
def test_messages_wait_for_the_end_of_the_quiet_hours(now, ready):
    assert Preference().ready_at(office(now), CALENDAR) == office(ready)


def test_weekends_are_quiet_only_for_who_wants_it():
    assert Preference(quiet_rest_days=False).ready_at(office("2026-11-28 12:00"), CALENDAR) == office("2026-11-28 12:00")


def test_quiet_hours_in_the_middle_of_the_day_and_none_at_all():
    noon = Preference(quiet_from=time(12), quiet_to=time(14, 30))
    assert noon.ready_at(office("2026-11-23 13:00"), CALENDAR) == office("2026-11-23 14:30")
    assert Preference(quiet_from=time(9), quiet_to=time(9)).ready_at(office("2026-11-23 09:00"), CALENDAR) == office("2026-11-23 09:00")


def test_urgent_messages_break_them_where_that_is_allowed():
    moment = office("2026-11-28 23:00")
    assert Preference(urgent_anytime=True).ready_at(moment, CALENDAR, urgent=True) == moment
    assert Preference(urgent_anytime=True).ready_at(moment, CALENDAR) == Preference().ready_at(moment, CALENDAR, urgent=True) > moment


times = st.times().map(lambda at: at.replace(second=0, microsecond=0, tzinfo=None, fold=0))


@given(
    start=times, end=times, rest=st.booleans(),
    minutes=st.integers(0, 333 * 24 * 60),
)  # fmt: skip
def test_a_message_is_never_early_never_in_quiet_time_and_ready_at_once_asked_again(start, end, rest, minutes):
    now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    choice = Preference(quiet_from=start, quiet_to=end, quiet_rest_days=rest)
    ready = choice.ready_at(now, CALENDAR)
    assert now <= ready <= now + timedelta(days=14)
    assert choice.ready_at(ready, CALENDAR) == ready
    assert not rest or CALENDAR.is_workday(CALENDAR.local(ready).date())


def test_what_was_chosen_comes_back_as_it_was_stored():
    choice = Preference({("urged", "mail"): False, ("rung", "sms"): True}, time(21), time(6, 45), False, True, False)
    assert Preference.of_choices(choice.as_choices()) == choice
    assert Preference.of_choices({}) == Preference()
