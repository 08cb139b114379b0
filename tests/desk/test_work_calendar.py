"""Changing the work calendar: proposed, approved by another, worked into every open limit; and the alarm while a year is missing."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest
from sqlalchemy import select, update

from engine import Engine
from engine.deadlines import OfficeHours, due_day
from engine.deadlines.arrangement import HOURS, STANDING, ArrangedDay
from engine.deadlines.calendar import CLOSED, MAKEUP, WORKDAY
from engine.deadlines.notices_of_holidays import read_notice
from engine.errors import Conflict, InvalidState, NotPermitted, ValidationFailed
from engine.runtime.limits import batches, calendar_proposals, recalculation, worktime
from engine.store import tables
from tests.deadlines.holiday_notices import IMAGINED_2027
from tests.desk import desk_models as models
from tests.desk.conftest import SETTINGS
from tests.desk.test_two_nodes import together

CLOSURE = {"kind": "closure", "notice": "市政府通告", "reason": "雪灾"}
SNOW = ArrangedDay(date(2026, 11, 25), CLOSED, "雪灾")
WORK_SATURDAY = ArrangedDay(date(2026, 11, 28), MAKEUP, "补班")


@pytest.fixture
def engine(engine):
    engine.desk.people.import_organisation(
        sections=[], roles=[], people=[models.person("admin2", "管理乙", "office", "admin")], by="system"
    )
    return engine


@pytest.fixture
def other(database_url, engine, clock):
    made = Engine(database_url, clock=clock, settings=SETTINGS, node="other")
    yield made
    made.dispose()


@pytest.fixture
def change(desk):
    """Propose as one administrator and approve as the other; gives the key of the recalculation."""

    def run(*days, **options):
        key = calendar_proposals.propose(desk, days, by="admin", **{**CLOSURE, **options})
        return calendar_proposals.approve(desk, key, by="admin2")

    return run


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text + "+08:00").astimezone(UTC)


def clock_of(rows, case, rule):
    return rows(tables.clock, case_key=case.key, rule_id=rule)[-1]


def states(rows, key):
    return {row["clock_key"]: row["state"] for row in rows(tables.recalculation_item, recalculation_key=key)}


# --- proposing and approving -----------------------------------------------------------------------------------------------


def test_nobody_approves_what_they_proposed_and_nothing_changes_before(desk, engine, in_handling, rows):
    with pytest.raises(NotPermitted):
        calendar_proposals.propose(desk, [SNOW], by="li", **CLOSURE)
    before = rows(tables.clock), rows(tables.calendar_day)
    key = calendar_proposals.propose(desk, [SNOW], by="admin", **CLOSURE)
    with engine.reading() as conn:
        shown = calendar_proposals.preview(desk, conn, [SNOW], (), "市政府通告")
    assert shown.later == 2 and shown.earlier == 0 and {each.label for each in shown.moved} == {"承办", "办结"}
    for refused in ("admin", "li", "du"):
        with pytest.raises(NotPermitted):
            calendar_proposals.approve(desk, key, by=refused)
    assert (rows(tables.clock), rows(tables.calendar_day)) == before
    assert "calendar" in {row["kind"] for row in rows(tables.notification, login="admin2")}
    calendar_proposals.approve(desk, key, by="admin2", seen_version=shown.version)
    assert not engine.calendar.is_workday(date(2026, 11, 25)) and engine.calendar.version == 1
    with pytest.raises(InvalidState):
        calendar_proposals.approve(desk, key, by="admin2")
    actions = [row["action"] for row in rows(tables.audit)]
    assert {"calendar.propose", "calendar.approve", "access.refused"} <= set(actions)


def test_a_preview_that_is_no_longer_true_cannot_be_approved(desk, engine, change):
    key = calendar_proposals.propose(desk, [SNOW], by="admin", **CLOSURE)
    change(WORK_SATURDAY)
    engine.run_due()
    with pytest.raises(Conflict):
        calendar_proposals.approve(desk, key, by="admin2", seen_version=0)
    calendar_proposals.approve(desk, key, by="admin2", seen_version=1)


def test_a_proposal_is_rejected_with_a_reason_or_withdrawn_by_its_author(desk, rows):
    first = calendar_proposals.propose(desk, [SNOW], by="admin", **CLOSURE)
    with pytest.raises(ValidationFailed):
        calendar_proposals.reject(desk, first, " ", by="admin2")
    with pytest.raises(NotPermitted):
        calendar_proposals.reject(desk, first, "不同意", by="admin")
    calendar_proposals.reject(desk, first, "日期有误", by="admin2")
    second = calendar_proposals.propose(desk, [SNOW], by="admin", **CLOSURE)
    with pytest.raises(NotPermitted):
        calendar_proposals.withdraw(desk, second, by="admin2")
    calendar_proposals.withdraw(desk, second, by="admin")
    assert [row["state"] for row in rows(tables.calendar_proposal)] == ["REJECTED", "WITHDRAWN"]
    assert not rows(tables.recalculation)


@pytest.mark.parametrize(
    "days, options, field",
    [
        ([], {}, "days"),
        ([SNOW, SNOW], {}, "2026-11-25"),
        ([ArrangedDay(date(2026, 11, 25), "party")], {}, "2026-11-25"),
        ([ArrangedDay(date(2026, 11, 25), HOURS, hours=((time(12), time(9)),))], {}, "2026-11-25"),
        ([ArrangedDay(date(1999, 1, 1), CLOSED)], {}, "1999-01-01"),
        ([SNOW], {"notice": " "}, "notice"),
        ([SNOW], {"reason": ""}, "reason"),
        ([SNOW], {"kind": "whim"}, "kind"),
        ([ArrangedDay(date(2026, 11, 25), WORKDAY)], {}, "days"),
    ],
)
def test_what_cannot_be_entered_is_refused_by_field(desk, days, options, field, rows):
    with pytest.raises(ValidationFailed) as refusal:
        calendar_proposals.propose(desk, days, by="admin", **{**CLOSURE, **options})
    assert field in refusal.value.errors
    assert not rows(tables.calendar_proposal)


def test_a_notice_that_contradicts_itself_cannot_be_proposed(desk):
    reading = read_notice("2027年放假：\n一、元旦：1月1日至3日放假。\n1月3日上班。")
    days = [ArrangedDay(each.day, each.kind, each.name, each.line) for each in reading.days]
    with pytest.raises(ValidationFailed) as refusal:
        calendar_proposals.propose(desk, days, kind="notice", notice="x", whole_years=[2027], findings=reading.findings, by="admin")
    assert "source_text" in refusal.value.errors


def test_a_past_day_names_its_line_and_the_cases_closed_on_it(desk, engine, in_handling, clock):
    desk.case_action(in_handling.key, "withdrawn", {"why": "不办了"}, by="wang")
    clock.office("2026-11-27 09:00")
    day = ArrangedDay(date(2026, 11, 23), CLOSED, "雪灾", line=4)
    with engine.reading() as conn:
        shown = calendar_proposals.preview(desk, conn, [day], (), "x")
        number = conn.execute(select(tables.case_file.c.case_no)).scalar_one()
    assert shown.past == ((4, date(2026, 11, 23)),)
    assert shown.closed == ((4, date(2026, 11, 23), in_handling.key, number),) and shown.closed_total == 1


def test_the_notice_of_a_missing_year_makes_it_official_and_keeps_the_closures(desk, engine, change, rows):
    flood = ArrangedDay(date(2027, 7, 21), CLOSED, "防汛")
    change(flood)
    engine.run_due()
    assert engine.calendar.year_status(2027) == "provisional"
    reading = read_notice(IMAGINED_2027)
    days = [ArrangedDay(each.day, each.kind, each.name, each.line) for each in reading.days]
    change(*days, kind="notice", notice=reading.notice, whole_years=[2027], findings=reading.findings, source_text=IMAGINED_2027)
    calendar = engine.calendar
    assert calendar.year_status(2027) == "official" and calendar.kind(date(2027, 7, 21)) == CLOSED
    assert calendar.is_workday(date(2027, 2, 20)) and not calendar.is_workday(date(2027, 2, 12))
    (year,) = rows(tables.calendar_year, year=2027)
    assert year["notice"] == "国办发明电〔2026〕9号"
    assert rows(tables.calendar_day, day=date(2027, 7, 21))[0]["source"] == "市政府通告"
    assert rows(tables.calendar_day, day=date(2027, 2, 12))[0]["source"] == "国办发明电〔2026〕9号"
    assert len([row for row in rows(tables.calendar_day) if row["day"].year == 2027]) == 365


def test_a_day_may_have_hours_of_its_own(desk, engine, in_handling, change, rows):
    due = clock_of(rows, in_handling, "lic.handle")["due_at"]
    day = due.astimezone(desk.zone).date()
    change(ArrangedDay(day, HOURS, hours=((time(9), time(12)), (time(14), time(18)))))
    engine.run_due()
    assert clock_of(rows, in_handling, "lic.handle")["due_at"] == instant(f"{day}T18:00")
    change(ArrangedDay(day, HOURS))
    engine.run_due()
    assert engine.calendar.hours.days == {}


# --- recalculating ------------------------------------------------------------------------------------------------------------


def test_a_closure_moves_open_due_dates_and_says_so(desk, engine, in_handling, rows, open_task, change):
    key = change(SNOW)
    old = clock_of(rows, in_handling, "lic.handle")["due_at"]
    engine.run_due()
    handle = clock_of(rows, in_handling, "lic.handle")
    assert handle["due_at"] == open_task(in_handling.key, "handle").due_at == instant("2026-12-01T17:30") > old
    assert handle["calendar_version"] == 1
    assert sum(row["action"] == "recalculate" for row in rows(tables.trail)) == 2
    with engine.reading() as conn:
        progress = recalculation.get(conn, key)
        listed = recalculation.items(conn, key, ["MOVED"], 10)
    assert (progress.state, progress.done, progress.total) == (
        "DONE",
        progress.total,
        sum(row["state"] != "STOPPED" for row in rows(tables.clock)),
    )
    assert (old, handle["due_at"]) in {(row.old_due_at, row.new_due_at) for row in listed}
    engine.run_due()
    assert sum(row["action"] == "recalculate" for row in rows(tables.trail)) == 2


def test_what_would_become_earlier_is_held_until_it_is_decided(desk, engine, in_handling, rows, open_task, change, clock):
    told = clock_of(rows, in_handling, "lic.handle")
    key = change(WORK_SATURDAY)
    engine.run_due()
    handle = clock_of(rows, in_handling, "lic.handle")
    assert handle["due_at"] == told["due_at"] == open_task(in_handling.key, "handle").due_at
    (item,) = rows(tables.recalculation_item, recalculation_key=key, clock_key=handle["key"])
    assert item["state"] == "HELD" and item["new_due_at"] < item["old_due_at"] == told["due_at"]
    assert any("held" in row["msgid"] for row in rows(tables.notification, login="du"))
    for refused in ("li", "wang"):
        with pytest.raises(NotPermitted):
            recalculation.decide(desk, key, [handle["key"]], accept=True, reason="依法", by=refused)
    with pytest.raises(ValidationFailed):
        recalculation.decide(desk, key, [handle["key"]], accept=True, reason=" ", by="du")
    assert recalculation.decide(desk, key, [handle["key"]], accept=True, reason="节前多上一天班", by="du") == 1
    shortened = clock_of(rows, in_handling, "lic.handle")
    assert shortened["due_at"] == item["new_due_at"] == open_task(in_handling.key, "handle").due_at
    entry = next(row for row in rows(tables.trail) if row["action"] == "recalculate_accept")
    assert (entry["actor"], entry["opinion"], entry["case_key"]) == ("du", "节前多上一天班", in_handling.key)
    assert recalculation.decide(desk, key, [handle["key"]], accept=False, reason="再想想", by="du") == 0


def test_a_kept_date_stays_through_pauses_rungs_and_later_changes(desk, engine, in_handling, rows, change, clock):
    told = clock_of(rows, in_handling, "lic.close")
    key = change(WORK_SATURDAY)
    engine.run_due()
    recalculation.decide(desk, key, [told["key"]], accept=False, reason="已告知申请人", by="admin")
    kept = clock_of(rows, in_handling, "lic.close")
    assert (
        kept["due_at"] == told["due_at"] and kept["ledger"]["kept"]["by"] == "admin" and kept["ledger"]["kept"]["reason"] == "已告知申请人"
    )
    clock.office("2026-11-27 16:00")
    engine.run_due()
    assert clock_of(rows, in_handling, "lic.close")["due_at"] == told["due_at"] == instant("2026-12-21T17:30")
    desk.extend_clock(told["key"], 2, "案情复杂", by="chen")
    assert clock_of(rows, in_handling, "lic.close")["due_at"] == instant("2026-12-23T17:30")
    again = change(ArrangedDay(date(2026, 12, 5), MAKEUP, "补班"))
    engine.run_due()
    assert clock_of(rows, in_handling, "lic.close")["due_at"] == instant("2026-12-23T17:30")
    assert states(rows, again)[told["key"]] == "SAME"


def test_a_command_before_the_recalculation_shortens_nothing_either(desk, engine, in_handling, rows, change):
    told = clock_of(rows, in_handling, "lic.close")
    key = change(WORK_SATURDAY)
    desk.extend_clock(told["key"], 1, "案情复杂", by="chen")
    assert clock_of(rows, in_handling, "lic.close")["due_at"] == instant("2026-12-22T17:30")
    engine.run_due()
    assert clock_of(rows, in_handling, "lic.close")["due_at"] == instant("2026-12-22T17:30")
    assert states(rows, key)[told["key"]] == "HELD"
    assert "OPEN" not in states(rows, key).values()


def test_undoing_is_another_proposal_and_makes_the_question_moot(desk, engine, in_handling, rows, change):
    told = clock_of(rows, in_handling, "lic.handle")
    first = change(WORK_SATURDAY)
    with pytest.raises(InvalidState):
        change(ArrangedDay(date(2026, 11, 28), "weekend"), kind="correction")
    engine.run_due()
    assert states(rows, first)[told["key"]] == "HELD"
    with engine.reading() as conn:
        waiting = [proposal for proposal in calendar_proposals.find(conn) if proposal.state == "PROPOSED"]
    calendar_proposals.approve(desk, waiting[0].key, by="admin2")
    engine.run_due()
    now = clock_of(rows, in_handling, "lic.handle")
    assert now["due_at"] == told["due_at"] and "kept" not in now["ledger"]
    assert states(rows, first)[told["key"]] == "MOOT"


def test_two_nodes_recalculate_each_clock_once_and_a_stopped_one_is_continued(desk, engine, other, rows, change, monkeypatch):
    for _ in range(6):
        desk.start_case("licence", models.START, by="wang")
    clocks = [row for row in rows(tables.clock) if row["state"] != "STOPPED"]
    key = change(SNOW)
    monkeypatch.setattr(batches, "SLICE", 2)
    # The first node is killed after two slices: nothing runs any more, what is done is done.
    assert recalculation.run(desk, limit=4) == 4
    assert list(states(rows, key).values()).count("OPEN") == len(clocks) - 4
    done = together(lambda: recalculation.run(desk), lambda: recalculation.run(other.desk))
    assert all(isinstance(each, int) for each in done), done
    while any(state == "OPEN" for state in states(rows, key).values()):
        recalculation.run(other.desk)
    recalculation.run(other.desk)
    moved = [row for row in rows(tables.clock) if row["due_at"] != {each["key"]: each["due_at"] for each in clocks}[row["key"]]]
    assert moved and sum(row["action"] == "recalculate" for row in rows(tables.trail)) == len(moved)
    assert rows(tables.recalculation)[0]["state"] == "DONE"
    assert sum(row["action"] == "calendar.recalculated" for row in rows(tables.audit)) == 1


def test_what_a_node_writes_by_the_calendar_of_a_minute_ago_is_done_again(desk, engine, other, rows, change):
    assert other.calendar.is_workday(date(2026, 11, 25))  # it knows the old calendar now, and keeps it for a while
    key = change(SNOW)
    engine.run_due()
    late = other.desk.start_case("licence", models.START, by="wang")
    stale = clock_of(rows, late, "lic.accept")
    assert stale["calendar_version"] == 0
    engine.run_due()
    straight = rows(tables.clock, key=stale["key"])[0]
    assert straight["calendar_version"] == 1 and straight["due_at"] >= stale["due_at"]
    assert states(rows, key)[stale["key"]] in ("MOVED", "SAME")


def test_a_ledger_that_cannot_be_read_holds_up_nobody(desk, engine, in_handling, rows, change):
    broken = clock_of(rows, in_handling, "lic.handle")["key"]
    key = change(SNOW)
    with engine.transaction() as tx:
        tx.execute(update(tables.clock).where(tables.clock.c.key == broken).values(ledger={"rule": "nonsense"}, next_rung_at=None))
    engine.run_due()
    engine.run_due()
    assert states(rows, key)[broken] == "FAILED"
    assert set(states(rows, key).values()) == {"FAILED", "MOVED"}


# --- the alarm -----------------------------------------------------------------------------------------------------------------


def alarms(rows):
    return [row for row in rows(tables.notification) if row["kind"] == "alarm" and "holiday notice" in row["msgid"]]


def test_from_november_on_administrators_are_told_weekly_that_next_year_is_missing(engine, other, clock, rows, change):
    clock.office("2026-10-31 12:00")
    engine.run_due()
    assert alarms(rows) == []
    clock.office("2026-11-01 09:00")
    for node in (engine, other, engine):
        node.run_due()
    assert sorted(row["login"] for row in alarms(rows)) == ["admin", "admin2"]
    clock.office("2026-11-02 09:00")  # Monday: the next week
    together(engine.run_due, other.run_due)
    assert len(alarms(rows)) == 4
    reading = read_notice(IMAGINED_2027)
    days = [ArrangedDay(each.day, each.kind, each.name, each.line) for each in reading.days]
    change(*days, kind="notice", notice=reading.notice, whole_years=[2027])
    clock.office("2026-11-09 09:00")
    engine.run_due()
    assert len(alarms(rows)) == 4


# --- the vectors of the proof ----------------------------------------------------------------------------------------------------


def test_the_three_holiday_vectors(desk, engine):
    calendar = engine.calendar
    assert calendar.add_workdays(date(2026, 9, 21), 15) == due_day(15, date(2026, 9, 21), calendar) == date(2026, 10, 19)
    assert due_day(30, date(2026, 9, 2), calendar, unit="d") == date(2026, 10, 8)
    assert due_day(28, date(2026, 11, 23), calendar) == date(2026, 12, 31) and not calendar.is_provisional(date(2026, 12, 31))
    beyond = due_day(29, date(2026, 11, 23), calendar)
    assert beyond == date(2027, 1, 4) and calendar.is_provisional(beyond)


# --- usual office hours ----------------------------------------------------------------------------------------------------

HOURS_ORDER = {"kind": "hours", "notice": "周科办〔2026〕12号", "reason": "冬季作息"}
SHORTER = OfficeHours(((time(8, 30), time(12)), (time(14), time(17))))
LONGER = OfficeHours(((time(8, 30), time(12)), (time(14, 30), time(18))))


def usual(day, hours):
    return ArrangedDay(day, STANDING, "作息调整", standing=hours)


def test_longer_usual_hours_move_what_is_due_from_their_day_on(desk, engine, in_handling, rows, change):
    due = clock_of(rows, in_handling, "lic.handle")["due_at"]
    since = engine.calendar.local(due).date()
    with engine.reading() as conn:
        shown = calendar_proposals.preview(desk, conn, [usual(since, LONGER)], (), "周科办〔2026〕12号")
    assert [(each.since, each.until, each.new) for each in shown.hours] == [(since, None, LONGER)]
    assert not shown.changes and shown.later >= 1 and not shown.earlier
    change(usual(since, LONGER), **HOURS_ORDER)
    engine.run_due()
    moved = clock_of(rows, in_handling, "lic.handle")["due_at"]
    assert engine.calendar.local(moved).time() == time(18) and engine.calendar.local(moved).date() == since
    assert engine.calendar.closing(date(2026, 11, 23)) == instant("2026-11-23 17:30")


def test_shorter_usual_hours_take_nothing_from_what_was_told_without_a_decision(desk, engine, in_handling, rows, change):
    told = clock_of(rows, in_handling, "lic.handle")
    batch = change(usual(date(2026, 11, 24), SHORTER), **HOURS_ORDER)
    engine.run_due()
    assert states(rows, batch)[told["key"]] == "HELD"
    assert clock_of(rows, in_handling, "lic.handle")["due_at"] == told["due_at"]
    recalculation.decide(desk, batch, [told["key"]], accept=True, reason="按新作息", by="admin")
    assert clock_of(rows, in_handling, "lic.handle")["due_at"] == told["due_at"] - timedelta(minutes=30)


def test_usual_hours_outlive_a_restart_and_go_before_those_of_the_configuration(engine, other, change):
    change(usual(date(2026, 12, 1), SHORTER), **HOURS_ORDER)
    other.desk.forget_calendar()
    assert other.calendar.closing(date(2026, 12, 1)) == instant("2026-12-01 17:00")
    assert other.calendar.closing(date(2026, 11, 30)) == instant("2026-11-30 17:30")
    with engine.reading() as conn:
        assert [(each["from"], each["source"]) for each in worktime.standing(conn)] == [("2026-12-01", "周科办〔2026〕12号")]


def test_usual_hours_that_say_nothing_new_or_begin_in_the_past_are_refused(desk, engine, rows, change):
    for day, hours, field in ((date(2026, 11, 22), SHORTER, "since"), (date(2026, 12, 1), OfficeHours(), "days")):
        with pytest.raises(ValidationFailed) as refused:
            calendar_proposals.propose(desk, [usual(day, hours)], by="admin", **HOURS_ORDER)
        assert field in refused.value.errors
    change(usual(date(2026, 12, 1), SHORTER), **HOURS_ORDER)
    engine.run_due()
    change(usual(date(2026, 12, 1), LONGER), **HOURS_ORDER)
    assert engine.calendar.closing(date(2026, 12, 1)) == instant("2026-12-01 18:00")
    assert len(rows(tables.calendar_proposal)) == 2


def test_usual_hours_change_only_when_another_administrator_agrees(desk, engine):
    key = calendar_proposals.propose(desk, [usual(date(2026, 12, 1), SHORTER)], by="admin", **HOURS_ORDER)
    with pytest.raises(NotPermitted):
        calendar_proposals.approve(desk, key, by="admin")
    assert not engine.calendar.hours.standing
