"""The demo clock: it moves forward only, all nodes agree, and it outlives a database that cannot be read."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

import pytest

from engine.deadlines.calendar import WorkCalendar, official_year
from engine.errors import ValidationFailed
from web.demo_clock import DemoClock, target_of

NOW = datetime(2026, 11, 27, 2, 15, tzinfo=UTC)  # Friday 10:15 in the office
CALENDAR = WorkCalendar({2026: official_year(2026)})


class Stopwatch:
    seconds = 0.0

    def __call__(self):
        return self.seconds


def test_without_a_source_it_is_the_real_clock():
    assert DemoClock(real=lambda: NOW)() == NOW


def test_the_offset_is_read_at_most_once_a_second():
    stopwatch, readings = Stopwatch(), []
    clock = DemoClock(real=lambda: NOW, stopwatch=stopwatch)

    def read():
        readings.append(stopwatch.seconds)
        return 3600 * len(readings)

    clock.follow(read)
    assert clock() == clock() == NOW + timedelta(hours=1)
    stopwatch.seconds = 0.99
    assert clock() == NOW + timedelta(hours=1)
    stopwatch.seconds = 1.0
    assert clock() == NOW + timedelta(hours=2)
    clock.refresh()
    assert clock() == NOW + timedelta(hours=3)
    assert readings == [0.0, 1.0, 1.0]


def test_two_nodes_that_read_the_same_setting_agree():
    first, second = DemoClock(real=lambda: NOW), DemoClock(real=lambda: NOW)
    for clock in (first, second):
        clock.follow(lambda: 86400)
    assert first() == second() == NOW + timedelta(days=1)


def test_it_never_goes_back_even_when_the_setting_does():
    answers = iter([7200, 60])
    clock = DemoClock(real=lambda: NOW)
    clock.follow(lambda: next(answers))
    assert clock() == NOW + timedelta(hours=2)
    clock.refresh()
    assert clock() == NOW + timedelta(hours=2)


def test_a_reading_that_fails_keeps_the_last_offset(caplog):
    answers = iter([60, RuntimeError("locked")])

    def read():
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    clock = DemoClock(real=lambda: NOW)
    clock.follow(read)
    assert clock() == NOW + timedelta(minutes=1)
    clock.refresh()
    with caplog.at_level(logging.WARNING):
        assert clock() == NOW + timedelta(minutes=1)
    assert "could not read its offset" in caplog.text


@pytest.mark.parametrize(
    ("step", "expected"),
    [("hour", NOW + timedelta(hours=1)), ("workday", NOW + timedelta(days=3)), ("days", NOW + timedelta(days=3))],
)
def test_the_steps(step, expected):
    assert target_of(step, None, NOW, CALENDAR) == expected  # Friday + 1 working day is Monday, the same time of day


def test_a_date_means_the_opening_of_the_office():
    assert target_of(None, "2026-12-01", NOW, CALENDAR) == datetime(2026, 12, 1, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize("day", ["2026-11-27", "2026-11-01", "2036-01-01", "soon", "", None])
def test_a_date_that_is_past_or_far_or_no_date_is_refused(day):
    with pytest.raises(ValidationFailed):
        target_of(None, day, NOW, CALENDAR)


def test_an_unknown_step_is_refused():
    with pytest.raises(ValidationFailed, match="no step"):
        target_of("back", None, NOW, CALENDAR)
