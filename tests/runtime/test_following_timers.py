"""Timers of a model follow the limits they were worked out from: pauses, extensions, another version of the rule, the calendar."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from engine import Engine
from engine.deadlines.arrangement import ArrangedDay
from engine.deadlines.calendar import CLOSED, MAKEUP
from engine.deadlines.sheettext import rule_rows
from engine.errors import InvalidState
from engine.runtime.casework.casestate import after_clock_change
from engine.runtime.limits import calendar_proposals, clocks, recalculation, rule_changes, rulebook
from engine.runtime.limits.clocks import ClockState
from engine.store import tables
from tests.desk import desk_models as models
from tests.desk.conftest import SETTINGS, clock, desk, engine, open_task, rows  # noqa: F401  fixtures
from tests.desk.conftest import case as opened  # noqa: F401
from tests.support.storm import INSTANT, Node

SECOND = timedelta(seconds=1)
SNOW = ArrangedDay(date(2026, 11, 25), CLOSED, "雪灾")
LATER_SATURDAY = ArrangedDay(date(2026, 11, 28), MAKEUP, "补班")

HANDLE, CLOSE, FROM_START = '=overdue("lic.handle")', '=overdue("lic.close", received_at)', '=due("lic.close", "2026-11-20T09:00:00")'
FIXED, CYCLE = "2027-01-05T09:00:00+08:00", "R/P9D"

CONSULTING = b"""
<bpmn:subProcess id="consulting" triggeredByEvent="true">
  <bpmn:startEvent id="asked" isInterrupting="false"><bpmn:messageEventDefinition id="asked_m" messageRef="consult"/></bpmn:startEvent>
  <bpmn:userTask id="consult_task" name="\xe5\xbe\x81\xe6\xb1\x82\xe6\x84\x8f\xe8\xa7\x81"><bpmn:extensionElements><zeebe:userTask/>
    <zeebe:assignmentDefinition candidateGroups="clerk"/><zeebe:properties><zeebe:property name="clock.pause" value="\xe5\xbe\x81\xe6\xb1\x82\xe6\x84\x8f\xe8\xa7\x81"/></zeebe:properties>
  </bpmn:extensionElements></bpmn:userTask>
  <bpmn:endEvent id="consulted"/>
  <bpmn:sequenceFlow id="c1" sourceRef="asked" targetRef="consult_task"/><bpmn:sequenceFlow id="c2" sourceRef="consult_task" targetRef="consulted"/>
</bpmn:subProcess></bpmn:process><bpmn:message id="consult" name="consult"><bpmn:extensionElements>
<zeebe:subscription correlationKey="=case_no"/></bpmn:extensionElements></bpmn:message>"""
"""An event sub-process that pauses the limits of the case while somebody else is consulted."""


def watching(**timers: str) -> bytes:
    """The licence with further timers on the border of its handling task, and with consultations."""
    added = "".join(
        f'<bpmn:boundaryEvent id="{id}" name="{id}" attachedToRef="handle" cancelActivity="false"><bpmn:timerEventDefinition id="{id}_t">'
        + ("<bpmn:timeCycle>{0}</bpmn:timeCycle>" if text.startswith("R/") else "<bpmn:timeDate>{0}</bpmn:timeDate>").format(
            text.replace('"', "&quot;")
        )
        + f'</bpmn:timerEventDefinition></bpmn:boundaryEvent><bpmn:endEvent id="{id}_end"/>'
        f'<bpmn:sequenceFlow id="{id}_on" sourceRef="{id}" targetRef="{id}_end"/>'
        for id, text in timers.items()
    )
    border = b'<bpmn:boundaryEvent id="late_handling"'
    return models.bpmn().replace(border, added.encode() + border).replace(b"</bpmn:process>", CONSULTING)


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text + "+08:00").astimezone(UTC)


@pytest.fixture
def watched(engine, desk, open_task):
    """A case that is being handled, with these timers (element → expression)."""

    def start(**timers: str):
        engine.deploy({"processes/licence/licence.bpmn": watching(**timers)}, by="designer")
        case = desk.start_case("licence", models.START, by="wang")
        desk.complete_task(open_task(case.key, "accept").key, {}, outcome="accept", by="wang")
        return case

    return start


@pytest.fixture
def timer_of(rows):
    """The row of a waiting timer; ``None`` when it waits no more."""
    return lambda element: next(iter(rows(tables.timer, element_id=element)), None)


@pytest.fixture
def clock_of(rows):
    return lambda rule: rows(tables.clock, rule_id=rule)[-1]


@pytest.fixture
def change(engine, desk, open_task):
    """Change the calendar: one administrator proposes, another approves; the recalculation is worked off."""

    def run(*days: ArrangedDay) -> int:
        engine.desk.people.import_organisation(
            sections=[], roles=[], people=[models.person("admin2", "管理乙", "office", "admin")], by="system"
        )
        proposal = calendar_proposals.propose(desk, days, by="admin", kind="closure", notice="市政府通告", reason="雪灾")
        return calendar_proposals.approve(desk, proposal, by="admin2")

    return run


def consult(engine, case) -> None:
    number = engine.instance(case.key).variables["case_no"]
    assert engine.publish_message("consult", number) == 1


def altered(desk, clock_key: int, act) -> None:
    """Do something to one clock, as a command of the desk does."""

    def work(tx, note):
        place = tx.execute(select(tables.clock.c.instance_key).where(tables.clock.c.key == clock_key)).scalar_one()
        note.unit.load(place)
        state = ClockState.of_row(tx.execute(select(tables.clock).where(tables.clock.c.key == clock_key)).mappings().one())
        act(state, tx.now)
        state.derive(desk.engine.calendar, desk.book(tx.conn).ladder(state.row["ladder_id"]))
        clocks.write(tx.conn, [state])
        after_clock_change(desk, tx, [state])

    desk.command(work, by="wu")


# --- which clock ---------------------------------------------------------------------------------------------------------------


def test_a_timer_that_asks_for_a_limit_follows_the_clock_that_begins_with_it(watched, timer_of, clock_of):
    watched(h=HANDLE, c=CLOSE, f=FROM_START)
    assert timer_of("h")["due_at"] == clock_of("lic.handle")["overdue_at"] == instant("2026-11-30T17:30:01")
    assert timer_of("c")["due_at"] == clock_of("lic.close")["overdue_at"]
    assert timer_of("h")["follows"]["asks"] == [
        {"rule": "lic.handle", "start": None, "clock": clock_of("lic.handle")["key"], "due": clock_of("lic.handle")["due_at"].isoformat()}
    ]
    assert timer_of("c")["follows"]["asks"][0]["clock"] == clock_of("lic.close")["key"]
    # Of no clock: it counts from a start of its own.
    assert timer_of("f")["follows"]["asks"][0]["clock"] is None


def test_what_the_expression_read_is_kept_and_nothing_else(watched, timer_of, engine):
    case = watched(c=CLOSE)
    seen = json.loads(timer_of("c")["follows"]["seen"])
    assert seen == {"received_at": engine.instance(case.key).variables["received_at"]}


def test_fixed_dates_and_cycles_follow_nothing(watched, timer_of, desk, clock_of, change, engine):
    watched(d=FIXED, y=CYCLE, c=CLOSE)
    before = timer_of("d"), timer_of("y")
    assert all(row["follows"] is row["case_key"] is row["calendar_version"] is None for row in before)
    desk.extend_clock(clock_of("lic.close")["key"], 3, "案情复杂", by="wu")
    change(SNOW)
    engine.run_due()
    assert (timer_of("d"), timer_of("y")) == before


def test_elsewhere_a_question_without_a_start_means_the_clock_too(watched, clock_of, engine, desk, clock):
    case = watched(c=CLOSE)

    def asked(*question):
        with engine.transaction() as tx:
            found = desk.functions(tx, case.key)["due"](*question)
        return found and found.to_datetime().astimezone(UTC)

    clock.office("2026-11-25 09:00")
    assert asked("lic.close") == clock_of("lic.close")["due_at"]
    # With a start it is counted from there, null meaning now; and so it is for a rule of which no clock runs.
    assert asked("lic.close", None) == instant("2026-12-23T17:30:00")
    assert asked("lic.strict") == instant("2026-12-25T17:30:00")
    consult(engine, case)
    assert asked("lic.close") is None


# --- extensions, pauses, ends ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["a person", "the model"])
def test_an_extension_moves_the_timer(watched, timer_of, clock_of, desk, engine, clock, open_task, way):
    case = watched(c=CLOSE, h=HANDLE)
    before, other = timer_of("c")["due_at"], timer_of("h")
    if way == "a person":
        desk.extend_clock(clock_of("lic.close")["key"], 3, "案情复杂", by="wu")
    else:
        desk.claim(open_task(case.key, "handle").key, by="li")
        desk.request_extension(open_task(case.key, "handle").key, by="li")
    assert timer_of("c")["due_at"] == clock_of("lic.close")["overdue_at"] > before
    assert timer_of("h") == other
    clock.now = before
    engine.run_due()
    assert timer_of("c") is not None
    clock.now = timer_of("c")["due_at"]
    engine.run_due()
    assert timer_of("c") is None
    assert [each.element_id for each in engine.activities(case.key)].count("c") == 1


def test_a_pause_puts_the_timer_to_sleep_and_the_resumption_wakes_it(watched, timer_of, clock_of, engine, clock, open_task, desk):
    case = watched(c=CLOSE, h=HANDLE, f=FROM_START)
    unmoved = timer_of("f")["due_at"]
    consult(engine, case)
    assert timer_of("c")["due_at"] is timer_of("h")["due_at"] is None
    assert timer_of("f")["due_at"] == unmoved
    clock.office("2027-03-01 09:00")
    engine.run_due()
    assert timer_of("c") and timer_of("h")
    desk.complete_task(open_task(case.key, "consult_task").key, {}, by="li")
    for element, rule in (("c", "lic.close"), ("h", "lic.handle")):
        assert timer_of(element)["due_at"] == clock_of(rule)["overdue_at"] > clock.now
    clock.now = timer_of("h")["due_at"] - SECOND
    engine.run_due()
    assert timer_of("h")
    clock.now += SECOND
    engine.run_due()
    assert timer_of("h") is None and timer_of("c")


def test_a_timer_armed_while_its_limit_is_paused_sleeps_from_the_beginning(watched, timer_of, clock_of, engine, desk, open_task):
    engine.deploy({"processes/licence/licence.bpmn": watching(c='=overdue("lic.close")')}, by="designer")
    case = desk.start_case("licence", models.START, by="wang")
    desk.complete_task(open_task(case.key, "accept").key, {}, outcome="accept", by="wang")
    task = open_task(case.key, "handle")
    consult(engine, case)
    desk.complete_task(task.key, {}, outcome="submit", by="li")
    desk.complete_task(open_task(case.key, "sign").key, {}, outcome="return", opinion="请补充。", by="wu")
    # Signing stops the clocks; handling begins another one, which nothing holds.
    assert timer_of("c")["due_at"] == clock_of("lic.close")["overdue_at"]
    consult(engine, case)
    assert timer_of("c")["due_at"] is None


def test_a_clock_that_ends_while_it_is_paused_wakes_its_timers(watched, timer_of, clock_of, desk, engine):
    case = watched(h=HANDLE, c=CLOSE)
    consult(engine, case)

    def end(state, now):
        state.stop(now)

    altered(desk, clock_of("lic.close")["key"], end)
    assert timer_of("h")["due_at"] is None
    assert timer_of("c")["due_at"] == clock_of("lic.close")["overdue_at"] is not None


CALLING = (
    CONSULTING.partition(b"<bpmn:userTask")[0]
    + b"""
  <bpmn:callActivity id="call"><bpmn:extensionElements><zeebe:calledElement processId="sub"/></bpmn:extensionElements></bpmn:callActivity>
  <bpmn:endEvent id="consulted"/>
  <bpmn:sequenceFlow id="c1" sourceRef="asked" targetRef="call"/><bpmn:sequenceFlow id="c2" sourceRef="call" targetRef="consulted"/>
"""
    + CONSULTING.partition(b'targetRef="consulted"/>')[2]
)
CALLED = b"""<?xml version="1.0"?><bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL"
  xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" id="called" targetNamespace="urn:test"><bpmn:process id="sub" name="sub" isExecutable="true">
  <bpmn:startEvent id="s"/><bpmn:sequenceFlow id="s_u" sourceRef="s" targetRef="u"/><bpmn:userTask id="u" name="u"><bpmn:extensionElements>
  <zeebe:userTask/><zeebe:assignmentDefinition candidateGroups="clerk"/><zeebe:properties><zeebe:property name="deadline" value="lic.handle"/></zeebe:properties>
  </bpmn:extensionElements></bpmn:userTask><bpmn:sequenceFlow id="u_e" sourceRef="u" targetRef="e"/><bpmn:endEvent id="e"/>
  <bpmn:boundaryEvent id="inner" name="inner" attachedToRef="u"><bpmn:timerEventDefinition id="inner_t"><bpmn:timeDate>=overdue("lic.handle")</bpmn:timeDate>
  </bpmn:timerEventDefinition></bpmn:boundaryEvent><bpmn:sequenceFlow id="i_e" sourceRef="inner" targetRef="e"/></bpmn:process></bpmn:definitions>"""


def test_the_timer_of_a_called_process_follows_its_own_clock_whoever_moves_it(engine, desk, open_task, clock, timer_of, clock_of):
    model = watching(h=HANDLE).replace(CONSULTING, CALLING)
    engine.deploy({"processes/licence/licence.bpmn": model, "processes/licence/sub.bpmn": CALLED}, by="designer")
    case = desk.start_case("licence", models.START, by="wang")
    desk.complete_task(open_task(case.key, "accept").key, {}, outcome="accept", by="wang")
    clock.office("2026-11-24 09:00")
    consult(engine, case)
    own = clock_of("lic.handle")
    assert own["instance_key"] != case.key
    assert timer_of("inner")["due_at"] == own["overdue_at"] > timer_of("h")["due_at"]
    outer = timer_of("h")
    desk.pause_clocks(case.key, [own["key"]], "hearing", "等待听证", by="wu")
    assert timer_of("inner")["due_at"] is None
    assert timer_of("h") == outer
    clock.office("2026-11-26 09:00")
    desk.resume_clocks(case.key, [own["key"]], "hearing", by="wu")
    assert timer_of("inner")["due_at"] == clock_of("lic.handle")["overdue_at"] > own["overdue_at"]


# --- rules and calendar ----------------------------------------------------------------------------------------------------------


def test_another_version_of_the_rule_moves_the_timer(watched, timer_of, clock_of, desk, engine):
    watched(h=HANDLE)
    sheet = rulebook.sheet(desk, "rules")
    row = rulebook.row_of(rule_rows(sheet.text), "lic.handle", None)
    row = {**row, "limit": 8, "effective_from": date(2026, 11, 24)}
    rulebook.save_rule(desk, row, replaces=("lic.handle", None), reason="新规", based_on=sheet.version, by="admin")
    before = timer_of("h")["due_at"]
    with engine.reading() as conn:
        marks = {
            move.clock_key: move.mark
            for move in rule_changes.moves(desk, conn, rule_changes.version_of(desk, conn, "lic.handle", date(2026, 11, 24)))
        }
    assert rule_changes.apply_version(desk, "lic.handle", date(2026, 11, 24), marks, reason="新规", by="du") == (1, [])
    assert timer_of("h")["due_at"] == clock_of("lic.handle")["overdue_at"] > before


def test_a_corrected_calendar_moves_the_timers_of_clocks_and_those_that_count_by_themselves(watched, timer_of, clock_of, change, engine):
    watched(h=HANDLE, c=CLOSE, f=FROM_START)
    before = {name: timer_of(name)["due_at"] for name in "hcf"}
    change(SNOW)
    engine.run_due()
    assert timer_of("h")["due_at"] == clock_of("lic.handle")["overdue_at"]
    assert timer_of("c")["due_at"] == clock_of("lic.close")["overdue_at"]
    assert all(timer_of(name)["due_at"] > before[name] for name in "hcf")
    assert {timer_of(name)["calendar_version"] for name in "hcf"} == {1}


def test_a_calendar_that_would_shorten_what_was_told_moves_no_timer_before_it_is_decided(watched, timer_of, clock_of, change, engine, desk):
    watched(h=HANDLE, f=FROM_START)
    before = {name: timer_of(name)["due_at"] for name in "hf"}
    key = change(LATER_SATURDAY)
    engine.run_due()
    assert {name: timer_of(name)["due_at"] for name in "hf"} == before
    recalculation.decide(desk, key, [clock_of("lic.handle")["key"]], accept=True, reason="经研究", by="du")
    assert timer_of("h")["due_at"] == clock_of("lic.handle")["overdue_at"] < before["h"]
    assert timer_of("f")["due_at"] == before["f"]


def test_what_a_node_with_an_old_calendar_has_armed_is_done_again(watched, timer_of, change, engine, database_url, clock, desk, open_task):
    watched(f=FROM_START)
    other = Engine(database_url, clock=clock, settings=SETTINGS, node="other")
    assert other.calendar.version == 0
    change(SNOW)
    engine.run_due()
    task = other.desk.start_case("licence", models.START, by="wang")
    other.desk.complete_task(open_task(task.key, "accept").key, {}, outcome="accept", by="wang")
    other.dispose()
    with engine.reading() as conn:
        found = dict(
            conn.execute(select(tables.timer.c.calendar_version, tables.timer.c.due_at).where(tables.timer.c.element_id == "f")).all()
        )
    assert set(found) == {0, 1}
    engine.run_due()
    with engine.reading() as conn:
        again = conn.execute(select(tables.timer.c.calendar_version, tables.timer.c.due_at).where(tables.timer.c.element_id == "f")).all()
    assert {tuple(row) for row in again} == {(1, found[1])}


def test_the_delivered_silence_follows_its_limit(opened, timer_of, clock_of, change, engine, clock):
    before = timer_of("silent_accept")["due_at"]
    change(SNOW)
    engine.run_due()
    assert timer_of("silent_accept")["due_at"] == clock_of("lic.accept")["overdue_at"] > before
    clock.now = before
    engine.run_due()
    assert timer_of("silent_accept")


# --- what may go wrong -----------------------------------------------------------------------------------------------------------


def test_a_node_that_is_killed_among_the_recalculation_loses_nothing(watched, change, engine, database_url, clock, desk, rows, request):
    clock.office("2026-11-27 09:00")
    watched(h=HANDLE, c=CLOSE, f=FROM_START)
    for _ in range(59):
        case = desk.start_case("licence", models.START, by="wang")
        desk.complete_task(next(task for task in engine.user_tasks(instance_key=case.key)).key, {}, outcome="accept", by="wang")
    clock.now = INSTANT
    change(ArrangedDay(date(2026, 12, 2), CLOSED, "雪灾"))
    for number, until in enumerate((1, 2, 1)):
        victim = Node(database_url, f"victim {number}")
        request.addfinalizer(victim.close)
        victim.go(until=until)
        victim.kill()
    while engine.run_due():
        continue
    clock_rows = {row["key"]: row for row in rows(tables.clock)}
    waiting = [row for row in rows(tables.timer) if row["follows"]]
    assert len(waiting) == 180
    for row in waiting:
        (ask,) = row["follows"]["asks"]
        if ask["clock"]:
            assert row["due_at"] == clock_rows[ask["clock"]]["overdue_at"]
    assert {row["calendar_version"] for row in waiting} == {1}
    assert "OPEN" not in {row["state"] for row in rows(tables.recalculation_item)}


@pytest.mark.parametrize("database_kind", [pytest.param("postgresql", marks=pytest.mark.postgres)])
def test_a_case_that_somebody_is_working_on_is_left_to_the_next_round(watched, change, engine, timer_of, clock_of, rows):
    case = watched(h=HANDLE)
    before = timer_of("h")["due_at"]
    change(SNOW)
    with engine.database.sa.begin() as somebody:
        somebody.execute(select(tables.instance.c.key).where(tables.instance.c.key == case.key).with_for_update())
        recalculation.run(engine.desk)
        assert timer_of("h")["due_at"] == before
        assert {row["state"] for row in rows(tables.recalculation)} == {"RUNNING"}
    recalculation.run(engine.desk)
    assert timer_of("h")["due_at"] == clock_of("lic.handle")["overdue_at"] > before


def test_an_expression_that_can_be_read_no_more_stays_where_it_was_and_is_audited(watched, timer_of, clock_of, engine, desk, rows):
    watched(c=CLOSE)
    before = timer_of("c")
    with engine.transaction() as tx:
        tx.execute(
            update(tables.timer)
            .where(tables.timer.c.key == before["key"])
            .values(follows={**before["follows"], "text": '"nonsense " + due("lic.close")'})
        )
    desk.extend_clock(clock_of("lic.close")["key"], 3, "案情复杂", by="wu")
    assert timer_of("c")["due_at"] == before["due_at"]
    assert [row["subject"] for row in rows(tables.audit, action="timer.not_moved")] == [f"timer:{before['key']}"]


STEPS = st.lists(st.sampled_from(["pause a", "pause b", "resume a", "resume b", "extend", "a day", "three days"]), min_size=1, max_size=12)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_after_any_pauses_resumptions_and_extensions_the_timer_stands_where_the_clock_does(
    steps, watched, rows, desk, engine, clock, database_kind
):
    clock.office("2026-11-23 09:00")
    case = watched(c=CLOSE)
    (row,) = rows(tables.clock, rule_id="lic.close", case_key=case.key)
    for step in steps:
        verb, _, what = step.partition(" ")
        if verb in ("a", "three"):
            clock.now += timedelta(days=1 if verb == "a" else 3)
            engine.run_due()
        else:

            def act(state, now, verb=verb, what=what):
                if verb == "pause":
                    state.hold((case.key, ord(what)), now, what)
                elif verb == "resume":
                    state.release((case.key, ord(what)), now)
                else:
                    state.extend(2, None, "案情复杂", "wu", now, desk.engine.calendar)

            with contextlib.suppress(InvalidState):
                altered(desk, row["key"], act)
        (now,) = rows(tables.clock, key=row["key"])
        found = [each for each in rows(tables.timer, element_id="c") if each["case_key"] == case.key]
        if now["overdue_at"] and now["overdue_at"] <= clock.now:
            assert found == []
            return
        assert found[0]["due_at"] == now["overdue_at"], step
