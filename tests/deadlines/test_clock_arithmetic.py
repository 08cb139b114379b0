"""The printed arithmetic: its parts, counted out day by day, come to the due day; and the ledger of pauses with kinds."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.deadlines import Clock, ExtensionRule, Pause, Rule, explain, extend, load_rules, pause, resume, seed_years, start
from engine.deadlines.arithmetic import arithmetic, paused_amount
from engine.deadlines.clock import end_pauses, restart
from engine.deadlines.counting import add_months
from engine.errors import InvalidState, ValidationFailed

CALENDAR = seed_years(2020, 2026)
DAY = timedelta(days=1)


def local(text: str) -> datetime:
    return datetime.fromisoformat(text + "+08:00").astimezone(UTC)


MONDAY = local("2026-11-23T10:00:00")
TWENTY = Rule("gk.reply", "依申请公开答复", 20, "wd", extension=ExtensionRule(20, "wd"))


def counted_out(begin: date, first_day: bool, budget: int, unit: str, paused: int, paused_until) -> date:
    """The day on which the parts of the sum end, counted one day at a time from what is printed and nothing else."""
    if unit == "m":
        budget, unit = (add_months(begin, budget) - begin).days, "d"
    day, left = begin - DAY if first_day else begin, budget + paused
    while left:
        day += DAY
        left -= unit == "d" or CALENDAR.is_workday(day)
    while not CALENDAR.is_workday(day) or paused_until(day):
        day += DAY
    return day


steps = st.lists(st.tuples(st.sampled_from(["pause", "resume", "extend"]), st.integers(0, 9), st.sampled_from(["hearing", "inspection", "correction"])), max_size=9)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(["wd", "d", "m"]), st.integers(1, 25), st.booleans(), st.datetimes(datetime(2025, 1, 2), datetime(2026, 9, 1)), steps)  # noqa: DTZ001
def test_budget_pauses_and_extensions_as_printed_come_to_the_due_day(unit, limit, first_counts, begin, history):
    limit = min(limit, 3) if unit == "m" else limit
    rule = Rule("r", "r", limit, unit, count_first_day=first_counts, extension=ExtensionRule(None, unit, max_times=3))
    now = begin.replace(tzinfo=CALENDAR.zone).astimezone(UTC)
    clock = start(rule, now)
    for verb, days, kind in history:
        now += timedelta(days=days)
        try:
            if verb == "pause":
                clock = pause(clock, now, kind, kind=kind, by="wang")
            elif verb == "resume":
                clock = end_pauses(clock, now, lambda each, kind=kind: each.kind == kind)
            else:
                clock = extend(clock, 2, unit, "忙", "wang", now, CALENDAR)
        except InvalidState:
            continue
    if clock.paused:
        clock = resume(clock, now)
    parts = arithmetic(clock, CALENDAR, now)
    spans = [(CALENDAR.local(each.start).date(), CALENDAR.local(each.end).date()) for each in clock.pauses]

    def in_pause(day: date) -> bool:
        return any(low <= day < high for low, high in spans)

    budget = limit + sum(amount for amount, _ in parts.extensions)
    assert parts.derived.due_day == counted_out(parts.start, first_counts, budget, unit, parts.paused, in_pause)
    sentence = str(explain(clock, CALENDAR, now))
    assert ("paused for" in sentence) == (parts.paused > 0)
    assert sentence.count("extended by") == len(parts.extensions)
    assert ("rolled on" in sentence) == parts.rolled
    if unit == "wd":
        assert not parts.rolled
        assert re.findall(r"paused for (\d+)", sentence) == ([str(parts.paused)] if parts.paused else [])


def test_the_sentence_names_budget_start_pause_and_extension_in_this_order():
    clock = pause(start(TWENTY, MONDAY), local("2026-11-25T10:00:00"), "听证", kind="hearing")
    clock = resume(clock, local("2026-12-02T09:00:00"))
    clock = extend(clock, 10, "wd", "案情复杂", "wu", local("2026-12-03T09:00:00"), CALENDAR)
    said = explain(clock, CALENDAR, local("2026-12-03T09:00:00"))
    begins = "20 working day(s) from 2026-11-23, first day not counted, paused for 5 working day(s), extended by 10 working day(s) → 2027-01-1"
    assert said.startswith(begins)
    assert "estimated" in said


def test_a_last_day_that_is_moved_says_so():
    said = explain(start(Rule("r", "r", 30, "d"), date(2026, 9, 2)), CALENDAR, local("2026-09-03T09:00:00"))
    assert said == "30 calendar day(s) from 2026-09-02, first day not counted, rolled on to a working day → 2026-10-08"


def test_each_pause_says_how_many_days_it_took_and_the_sum_counts_common_days_once():
    clock = pause(start(TWENTY, MONDAY), local("2026-11-25T10:00:00"), kind="hearing")
    clock = pause(clock, local("2026-11-26T10:00:00"), kind="inspection")
    clock = end_pauses(clock, local("2026-11-30T10:00:00"), lambda each: each.kind == "hearing")
    clock = end_pauses(clock, local("2026-12-02T10:00:00"), lambda each: each.kind == "inspection")
    now = local("2026-12-02T10:00:00")
    assert [paused_amount(clock, each, CALENDAR, now) for each in clock.pauses] == [3, 4]
    assert arithmetic(clock, CALENDAR, now).paused == 5


# -- kinds ---------------------------------------------------------------------------------------------------------------------


def test_a_pause_of_a_person_and_one_of_the_procedure_stand_side_by_side_but_not_twice_of_one_kind():
    clock = pause(start(TWENTY, MONDAY), MONDAY, "等待补正", kind="correction")
    with pytest.raises(InvalidState):
        pause(clock, MONDAY, "等待补正", kind="correction", by="wang")
    with pytest.raises(InvalidState):
        pause(clock, MONDAY, "别的话", kind="correction")
    both = pause(pause(start(TWENTY, MONDAY), MONDAY, kind="correction", by="wang"), MONDAY, kind="correction")
    assert len(both.pauses) == 2
    with pytest.raises(ValidationFailed, match="no kind of pause"):
        pause(start(TWENTY, MONDAY), MONDAY, kind="holiday")


def test_a_ledger_without_kinds_is_read_and_written_as_it_always_was():
    old = {"start": "2026-11-23T02:00:00+00:00", "end": None, "reason": "等待补正"}
    ledger = {**start(TWENTY, MONDAY).to_dict(), "pauses": [old]}
    clock = Clock.from_dict(ledger)
    assert clock.pauses == (Pause(MONDAY, None, "等待补正"),)
    assert clock.to_dict() == ledger


def test_what_is_known_of_a_pause_is_kept():
    clock = pause(start(TWENTY, MONDAY), MONDAY, "鉴定", kind="inspection", document="周科函〔2026〕1号", attachment=7, by="wang", until="resume")
    assert Clock.from_dict(json.loads(json.dumps(clock.to_dict()))) == clock


def test_a_restarted_clock_has_its_whole_budget_and_still_waits_for_what_has_not_come():
    clock = pause(start(TWENTY, MONDAY), local("2026-11-25T10:00:00"), kind="correction")
    clock = pause(clock, local("2026-11-26T10:00:00"), kind="hearing", by="wu")
    later = local("2026-12-01T10:00:00")
    fresh = restart(end_pauses(clock, later, lambda each: each.kind == "correction"), later)
    assert [(each.kind, each.start, each.by) for each in fresh.pauses] == [("hearing", later, "wu")]
    assert (fresh.started_at, fresh.extensions) == (later, ())


# -- promises ------------------------------------------------------------------------------------------------------------------

STATUTORY = "  - {id: a.law, also: [a], label: 法定, limit: 20, unit: wd, status: 待核}\n"


def table(*rows: str) -> bytes:
    return ("rules:\n" + STATUTORY + "".join(f"  - {{{row}, status: 待核}}\n" for row in rows)).encode()


def test_a_rule_may_be_the_promise_for_another_under_any_of_its_ids():
    rules = load_rules(table("id: a.promise, label: 承诺, limit: 12, unit: wd, promise_of: a"))
    day = date(2026, 11, 23)
    assert rules.promise("a.law", day).id == rules.promise("a", day).id == "a.promise"
    assert rules.promise("a.promise", day) is None
    assert Rule.from_dict(rules["a.promise"].to_dict()) == rules["a.promise"]
    assert "promise_of" not in rules["a.law"].to_dict()


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (["id: p, label: p, limit: 5, unit: wd, promise_of: nothing"], "not in the table"),
        (["id: p, label: p, limit: 21, unit: wd, promise_of: a.law"], "more time"),
        (["id: p, label: p, limit: 5, unit: wd, promise_of: p"], "a promise itself"),
        (["id: p, label: p, limit: 9, unit: wd, promise_of: a.law", "id: q, label: q, limit: 5, unit: wd, promise_of: p"], "a promise itself"),
        (["id: p, label: p, limit: 9, unit: wd, promise_of: a.law", "id: q, label: q, limit: 5, unit: wd, promise_of: a"], "has a promise already"),
        (["id: p, label: p, limit: 9, unit: wd, promise_of: 7"], "must be text"),
    ],
)
def test_a_promise_that_makes_no_sense_is_refused_in_words(rows, says):
    with pytest.raises(ValidationFailed) as refused:
        load_rules(table(*rows))
    assert any(says in text for texts in refused.value.errors.values() for text in texts)


def test_a_rule_of_a_later_version_of_the_program_can_still_be_read():
    assert Rule.from_dict({**TWENTY.to_dict(), "something_new": 1}) == TWENTY
