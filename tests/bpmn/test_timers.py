"""When timers are due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from engine.bpmn.elements import ElementFailure
from engine.bpmn.timers import first_due, next_due, readable

NOW = datetime(2026, 11, 2, 1, 0, tzinfo=UTC)  # Monday, nine o'clock at the office


@pytest.mark.parametrize(
    "kind, text, due",
    [
        ("date", "2026-11-03T09:00:00+08:00", datetime(2026, 11, 3, 1, tzinfo=UTC)),
        ("date", "2026-11-03T09:00:00", datetime(2026, 11, 3, 1, tzinfo=UTC)),
        ("date", "2026-11-03T09:00:00Z", datetime(2026, 11, 3, 9, tzinfo=UTC)),
        ("date", "2026-11-03", datetime(2026, 11, 2, 16, tzinfo=UTC)),
        ("date", "2020-01-01", datetime(2019, 12, 31, 16, tzinfo=UTC)),
        ("duration", "PT90S", NOW + timedelta(seconds=90)),
        ("duration", "P3DT2H", NOW + timedelta(days=3, hours=2)),
        ("duration", "P1M", datetime(2026, 12, 2, 1, tzinfo=UTC)),
        ("cycle", "R3/PT5M", NOW + timedelta(minutes=5)),
        ("cycle", "R/PT5M", NOW + timedelta(minutes=5)),
        ("cycle", "R2/2026-11-05T09:00:00+08:00/P1D", datetime(2026, 11, 5, 1, tzinfo=UTC)),
        ("cycle", "0 0 9 * * MON-FRI", NOW),
        ("cycle", "0 30 17 ? * 5", datetime(2026, 11, 6, 9, 30, tzinfo=UTC)),
    ],
)
def test_first_due(kind, text, due):
    assert first_due(kind, text, NOW, "it").at == due


def test_a_month_ends_on_its_last_day():
    assert first_due("duration", "P1M", datetime(2027, 1, 31, 1, tzinfo=UTC), "it").at == datetime(2027, 2, 28, 1, tzinfo=UTC)


@pytest.mark.parametrize("text, repeats", [("R3/PT5M", 2), ("R1/PT5M", 0), ("R/PT5M", -1), ("R-1/PT5M", -1), ("0 0 9 * * *", -1)])
def test_how_often_a_cycle_fires_again(text, repeats):
    assert first_due("cycle", text, NOW, "it").repeats == repeats


def test_a_cycle_counts_from_when_it_was_due():
    assert next_due("PT5M", NOW) == NOW + timedelta(minutes=5)
    assert next_due("0 0 9 * * MON-FRI", datetime(2026, 11, 6, 1, tzinfo=UTC)) == datetime(2026, 11, 9, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "kind, text", [("date", "tomorrow"), ("duration", "5 days"), ("duration", None), ("cycle", "R0/PT5M"), ("cycle", "* * * *"), ("cycle", "0 61 9 * * *"), ("date", 5)]
)
def test_what_is_no_time_fails_with_the_label(kind, text):
    with pytest.raises(ElementFailure, match="“it”") as caught:
        first_due(kind, text, NOW, "it")
    assert caught.value.type == "TIMER_ERROR"


def test_a_literal_is_checked_by_its_kind():
    assert readable("timeDuration", "PT1H")
    assert not readable("timeDuration", "2026-11-03")
