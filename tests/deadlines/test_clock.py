"""Clocks: the ledger, what may be done to it, and what it says."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.deadlines import Clock, ExtensionRule, Rule, derive, explain, extend, pause, resume, seed_years, start, stop
from engine.errors import EngineError, InvalidState, ValidationFailed
from engine.words import translate

CALENDAR = seed_years(2020, 2026)


def local(text: str) -> datetime:
    return datetime.fromisoformat(text + "+08:00").astimezone(UTC)


TWENTY = Rule("gk.reply", "依申请公开答复", 20, "wd", extension=ExtensionRule(20, "wd"))
MONDAY = local("2026-11-23T10:00:00")


def test_days_used_and_left_add_up_and_the_light_turns(calendar):
    clock = start(TWENTY, MONDAY)
    expected = [("2026-11-23T11:00:00", 0, 20, "green"), ("2026-12-14T11:00:00", 15, 5, "green"), ("2026-12-15T11:00:00", 16, 4, "yellow"),
                ("2026-12-21T17:30:00", 20, 0, "yellow"), ("2026-12-21T17:30:01", 20, -1, "red"), ("2026-12-24T09:00:00", 23, -3, "red")]  # fmt: skip
    for now, used, remaining, light in expected:
        said = derive(clock, calendar, local(now))
        assert (said.used, said.remaining, said.light) == (used, remaining, light), now
        assert said.overdue == (light == "red")


def test_a_light_always_comes_with_a_word(calendar):
    clock = start(TWENTY, MONDAY)
    assert derive(clock, calendar, MONDAY).word == "On time"
    assert derive(pause(clock, MONDAY, "x"), calendar, MONDAY).word == "Paused"
    assert derive(stop(clock, MONDAY), calendar, MONDAY + timedelta(days=90)).light == "blue"
    late = stop(clock, local("2026-12-22T09:00:00"))
    assert (derive(late, calendar, MONDAY + timedelta(days=90)).light, derive(late, calendar, MONDAY + timedelta(days=90)).word) == (
        "red", "Closed late",
    )  # fmt: skip


def test_a_provisional_due_date_says_so_beside_its_light(calendar):
    said = derive(start(Rule("r", "r", 29, "wd"), MONDAY), calendar, MONDAY)
    assert (said.due_day, said.provisional, said.light) == (date(2027, 1, 4), True, "green")


def test_a_paused_clock_is_grey_and_has_no_due_day(calendar):
    paused = pause(start(TWENTY, MONDAY), local("2026-11-25T10:00:00"), "征求第三方意见")
    said = derive(paused, calendar, local("2026-12-30T10:00:00"))
    assert (said.due_at, said.due_day, said.overdue_at, said.light, said.paused) == (None, None, None, "grey", True)
    assert (said.used, said.remaining) == (1, 19)


def test_a_resumed_clock_is_later_by_the_paused_working_days(calendar):
    clock = resume(pause(start(TWENTY, MONDAY), local("2026-11-25T10:00:00"), "x"), local("2026-12-02T09:00:00"), "x")
    assert derive(clock, calendar, MONDAY).due_day == date(2026, 12, 28)


def test_pausing_after_the_due_day_does_not_hide_the_overrun(calendar):
    clock = pause(start(Rule("r", "r", 5, "wd"), local("2026-11-02T10:00:00")), MONDAY, "x")
    said = derive(clock, calendar, MONDAY)
    assert (said.light, said.paused, said.due_day) == ("red", True, date(2026, 11, 9))


def test_pauses_for_two_reasons_may_overlap_and_end_apart(calendar):
    clock = pause(pause(start(TWENTY, MONDAY), local("2026-11-24T09:00:00"), "听证"), local("2026-11-25T09:00:00"), "鉴定")
    clock = resume(clock, local("2026-11-26T09:00:00"), "听证")
    assert clock.paused
    clock = resume(clock, local("2026-11-27T09:00:00"))
    assert not clock.paused
    assert derive(clock, calendar, MONDAY).due_day == date(2026, 12, 24)


def test_what_cannot_happen_to_a_clock_is_refused_in_words(calendar):
    clock = start(TWENTY, MONDAY)
    for refused in (
        lambda: resume(clock, MONDAY),
        lambda: pause(pause(clock, MONDAY, "x"), MONDAY, "x"),
        lambda: pause(start(Rule("r", "r", 5, "wd", pauses=False), MONDAY), MONDAY),
        lambda: pause(stop(clock, MONDAY), MONDAY),
        lambda: stop(stop(clock, MONDAY), MONDAY),
        lambda: resume(pause(clock, MONDAY, "x"), MONDAY - timedelta(hours=1)),
        lambda: extend(start(Rule("r", "r", 5, "wd"), MONDAY), 5, "wd", "忙", "li", MONDAY, calendar),
    ):
        with pytest.raises(InvalidState):
            refused()
    with pytest.raises(EngineError, match="time zone"):
        start(TWENTY, datetime(2026, 11, 23, 9, 0))  # noqa: DTZ001


def test_an_extension_may_be_granted_on_the_due_day_but_not_after(calendar):
    clock = start(TWENTY, MONDAY)
    extended = extend(clock, 10, "wd", "情况复杂", "wang", local("2026-12-21T16:00:00"), calendar)
    assert derive(extended, calendar, MONDAY).due_day == date(2027, 1, 5)
    with pytest.raises(InvalidState):
        extend(clock, 10, "wd", "情况复杂", "wang", local("2026-12-22T09:00:00"), calendar)


def test_a_second_extension_needs_a_rule_that_allows_it(calendar):
    once = extend(start(TWENTY, MONDAY), 5, "wd", "忙", "wang", MONDAY, calendar)
    with pytest.raises(InvalidState):
        extend(once, 5, "wd", "忙", "wang", MONDAY, calendar)
    twice = Rule("r", "r", 5, "wd", extension=ExtensionRule(5, "wd", max_times=2))
    clock = start(twice, MONDAY)
    for _ in range(2):
        clock = extend(clock, 5, "wd", "忙", "wang", MONDAY, calendar)
    assert derive(clock, calendar, MONDAY).total == 15


@pytest.mark.parametrize(("amount", "unit"), [(0, "wd"), (-1, "wd"), (float("nan"), "wd"), (21, "wd"), (5, "d"), ("5", "wd"), (5, "week")])
def test_an_extension_of_a_refused_amount_is_an_error_in_words(calendar, amount, unit):
    with pytest.raises(ValidationFailed):
        extend(start(TWENTY, MONDAY), amount, unit, "忙", "wang", MONDAY, calendar)


def test_the_arithmetic_is_explained(calendar):
    clock = resume(pause(start(TWENTY, MONDAY), local("2026-11-25T10:00:00"), "x"), local("2026-12-02T09:00:00"), "x")
    said = explain(clock, calendar, MONDAY)
    assert said == "20 working day(s) from 2026-11-23, first day not counted, paused for 5 working day(s) → 2026-12-28"
    chinese = {
        "%(amount)s working day(s)": "%(amount)s 工作日", "%(limit)s from %(start)s": "%(limit)s, 自 %(start)s 起",
        "%(year)d-%(month)02d-%(day)02d": "%(month)d月%(day)d日", "first day not counted": "不含首日", "paused for %(amount)s": "暂停 %(amount)s",
    }  # fmt: skip
    assert translate(said, lambda msgid: chinese.get(msgid, msgid)) == "20 工作日, 自 11月23日 起, 不含首日, 暂停 5 工作日 → 12月28日"


def test_every_state_can_be_explained(calendar, rules):
    for rule in rules.values():
        clock = start(rule, MONDAY)
        assert explain(clock, calendar, MONDAY)
        if rule.pauses:
            assert "no due day" in explain(pause(clock, MONDAY), calendar, MONDAY) or rule.by or rule.direction == "before", rule.id


steps = st.lists(
    st.tuples(st.sampled_from(["pause", "resume", "extend", "stop"]), st.integers(0, 60 * 24 * 6), st.sampled_from(["听证", "鉴定"])), max_size=8
)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(["wd", "d", "m", "h", "ch"]), st.integers(1, 30), st.booleans(), steps)
def test_any_history_round_trips_and_its_days_add_up(unit, limit, first_counts, history):
    rule = Rule("r", "r", limit, unit, count_first_day=first_counts, extension=ExtensionRule(None, unit, max_times=3))
    clock, now = start(rule, MONDAY), MONDAY
    for verb, minutes, reason in history:
        now += timedelta(minutes=minutes)
        try:
            clock = {
                "pause": lambda c=clock, n=now, r=reason: pause(c, n, r),
                "resume": lambda c=clock, n=now, r=reason: resume(c, n, r),
                "extend": lambda c=clock, n=now: extend(c, 3, unit, "忙", "wang", n, CALENDAR),
                "stop": lambda c=clock, n=now: stop(c, n),
            }[verb]()
        except InvalidState:
            continue
    assert Clock.from_dict(json.loads(json.dumps(clock.to_dict()))) == clock
    said = derive(clock, CALENDAR, now)
    assert explain(clock, CALENDAR, now)
    assert (said.due_at is None) == (said.due_day is None) == (said.overdue_at is None)
    if said.overdue:
        assert (said.remaining < 0) and said.light == "red"
    elif unit == "wd":
        assert said.used + said.remaining == said.total == limit + 3 * len(clock.extensions)
