"""Dry runs: a sandbox touches nothing real, a scenario fires what falls due in its order, and failures name the step and the field."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from engine.errors import DeploymentRejected, ValidationFailed
from engine.runtime.design import scenarios, trying
from engine.runtime.design.coverage import coverage
from engine.runtime.design.judging import suggested
from engine.runtime.design.playing import specimen
from engine.runtime.design.sandbox import Sandbox, process_of
from engine.runtime.design.story import run
from engine.store import tables
from tests.bpmn.builder import bpmn, process, service, xor
from tests.desk import desk_models as models

AT = "2026-11-23T09:00:00+08:00"
START = {name: value for name, value in models.START.items() if name != "received"}
ACCEPT = {"do": "complete", "element": "accept", "by": "wang", "outcome": "accept"}
HANDLE = {"do": "complete", "element": "handle", "by": "clerk@gaoxin", "outcome": "submit"}


def draft() -> dict[str, str]:
    """The small procedure of the desk's tests as a draft: without rules and ladders, which belong to the office."""
    return {
        name.rpartition("/")[2]: content.decode()
        for name, content in models.files().items()
        if not name.endswith(("rules.yaml", "ladders.yaml"))
    }


def scenario(*steps: dict, expect: dict | None = None, **more) -> scenarios.Scenario:
    value = {"title": "许可", "at": AT, "by": "wang", "start": START, "steps": list(steps), "expect": expect or {}, **more}
    return scenarios.read("one", value)


def counts(engine) -> dict[str, int]:
    with engine.reading() as conn:
        return {table.name: conn.execute(select(func.count()).select_from(table)).scalar_one() for table in tables.metadata.sorted_tables}


# --- nothing real ------------------------------------------------------------------------------------------------------------


def test_a_dry_run_changes_no_row_of_the_real_store_and_sends_nothing(engine, desk):
    from dataclasses import replace

    desk.settings = replace(desk.settings, outbox_channels=("mail", "wecom"))
    desk.start_case("licence", models.START, by="wang")
    before = counts(engine)
    told = run(desk, draft(), scenario(ACCEPT, {"do": "wait", "days": 90}))
    assert told.failure is None and told.rungs and told.told
    assert counts(engine) == before


def test_a_sandbox_has_no_channel_no_password_and_no_address(desk):
    with Sandbox(desk, draft(), datetime(2026, 11, 23, 1, tzinfo=UTC)) as sandbox:
        assert sandbox.engine.desk.settings.outbox_channels == ()
        with sandbox.engine.reading() as conn:
            people = conn.execute(select(tables.person)).all()
            assert len(people) == len(models.PEOPLE)
            assert {(row.password_hash, row.phone, row.email) for row in people} == {(None, None, None)}
            assert conn.execute(select(func.count()).select_from(tables.case_file)).scalar_one() == 0
            assert conn.execute(select(func.count()).select_from(tables.calendar_day)).scalar_one() > 1000


def test_two_sandboxes_of_one_draft_know_nothing_of_each_other(desk):
    at = datetime(2026, 11, 23, 1, tzinfo=UTC)
    with Sandbox(desk, draft(), at) as one, Sandbox(desk, draft(), at) as other:
        one.desk.start_case("licence", START, by="wang")
        assert len(one.engine.instances()) == 1
        assert other.engine.instances() == []


def test_a_sandbox_sees_what_the_office_changed_since_the_last_one(engine, desk):
    at = datetime(2026, 11, 23, 1, tzinfo=UTC)
    Sandbox(desk, draft(), at).close()
    desk.people.save_person("neu", name="新人", section_code="office", roles=["window"], by="system")
    with Sandbox(desk, draft(), at) as sandbox:
        assert sandbox.desk.start_case("licence", START, by="neu").state == "ACTIVE"


def test_the_draft_counts_not_what_is_deployed(desk):
    changed = draft() | {"licence.bpmn": draft()["licence.bpmn"].replace('name="受理审查"', 'name="窗口受理"')}
    assert changed != draft()
    with Sandbox(desk, changed, datetime(2026, 11, 23, 1, tzinfo=UTC)) as sandbox:
        sandbox.desk.start_case("licence", START, by="wang")
        assert [task.name for task in sandbox.engine.user_tasks()] == ["窗口受理"]
    assert desk.engine.definition("process", "licence").version == 1


def test_a_draft_that_cannot_be_deployed_is_refused_with_its_problems(desk):
    broken = draft() | {"licence.bpmn": "<nonsense"}
    with pytest.raises(DeploymentRejected) as refusal:
        Sandbox(desk, broken, datetime(2026, 11, 23, 1, tzinfo=UTC))
    assert refusal.value.problems
    result = scenarios.run_all(desk, broken | {"scenarios/a.json": scenarios.written({"title": "x", "at": AT, "by": "wang"})})
    assert [each.ok for each in result] == [False] and "cannot be tried yet" in str(result[0].problems[0])


def test_a_prepared_sandbox_is_ready_at_once(desk):
    at = datetime(2026, 11, 23, 1, tzinfo=UTC)
    Sandbox(desk, draft(), at).close()
    began = time.perf_counter()
    for _ in range(5):
        Sandbox(desk, draft(), at).close()
    assert (time.perf_counter() - began) / 5 < 0.5


# --- playing -------------------------------------------------------------------------------------------------------------------


def test_a_run_tells_who_did_what_and_what_came_of_it(desk):
    told = run(desk, draft(), scenario(ACCEPT))
    assert [record.step["do"] for record in told.records] == ["start", "complete"]
    kinds = [each.kind for each in told.records[1].happenings]
    assert "finished" in kinds and "opened" in kinds
    assert told.records[1].by == "wang"
    assert told.state == "ACTIVE" and told.open == ["handle"]
    assert told.turns == ["accept"]


def test_waiting_stops_at_every_due_instant_in_its_order(desk):
    told = run(desk, draft(), scenario(ACCEPT, {"do": "wait", "days": 60}))
    waited = told.records[-1]
    times = [each.at for each in waited.happenings]
    assert times == sorted(times) and len(set(times)) > 1
    assert told.rungs
    assert waited.at == datetime(2027, 1, 22, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({"days": 7}, datetime(2026, 11, 30, 1, tzinfo=UTC)),
        ({"workdays": 5}, datetime(2026, 11, 30, 1, tzinfo=UTC)),
        ({"until": "2026-12-01T10:00:00+08:00"}, datetime(2026, 12, 1, 2, tzinfo=UTC)),
    ],
)
def test_time_can_be_moved_by_days_working_days_or_to_an_instant(desk, how, expected):
    assert run(desk, draft(), scenario({"do": "wait", **how})).records[-1].at == expected


def test_the_next_due_is_where_something_happens(desk):
    told = run(desk, draft(), scenario(ACCEPT, {"do": "wait", "next": 1}))
    assert told.records[-1].happenings


def test_a_refused_form_names_the_step_and_its_fields(desk):
    told = run(desk, draft(), scenario({**ACCEPT, "outcome": "nonsense"}))
    assert told.failure.number == 1 and "outcome" in told.failure.errors
    assert str(told.problems[0]).startswith("Step 1 (")


@pytest.mark.parametrize(
    ("step", "field"),
    [
        ({**ACCEPT, "element": "sign"}, "element"),
        ({**ACCEPT, "by": "nobody"}, "by"),
        ({**ACCEPT, "nth": 2}, "nth"),
        ({"do": "message", "name": "licence_nothing", "by": "wang"}, "do"),
        ({"do": "wait", "due": "no.rule"}, "due"),
        ({"do": "job", "element": "accept"}, "element"),
        ({**ACCEPT, "data": {"note": "=(("}}, "data"),
    ],
)
def test_a_step_that_cannot_be_done_says_which_part_is_wrong(desk, step, field):
    told = run(desk, draft(), scenario(step))
    assert (told.failure.number, told.failure.field) == (1, field)


def test_the_start_may_fail_too(desk):
    told = run(desk, draft(), scenario(by="li"))
    assert told.failure.number == 0 and str(told.problems[0]).startswith("The start:")


def test_a_text_that_begins_with_an_equals_sign_can_be_written_as_feel(desk):
    told = run(desk, draft(), scenario(start={**START, "subject": '="=1+1"'}))
    assert told.failure is None and told.variables["subject"] == "=1+1"


# --- judging -------------------------------------------------------------------------------------------------------------------


def test_what_happened_is_offered_as_the_expectation_and_then_holds(desk):
    steps = (ACCEPT, {"do": "wait", "days": 60}, HANDLE)
    told = run(desk, draft(), scenario(*steps))
    assert told.problems == []
    assert run(desk, draft(), scenario(*steps, expect=suggested(told))).problems == []


@pytest.mark.parametrize(
    ("expect", "words"),
    [
        ({"path": ["accept", "sign"]}, "After “"),
        ({"path": ["sign"]}, "was never finished"),
        ({"state": "COMPLETED"}, "State is “in progress”; expected: “completed”"),
        ({"open": ["sign"]}, "Open at the end are"),
        ({"variables": {"outcome": "reject"}}, "outcome is “accept”"),
        ({"rungs": ["yellow"]}, "did not fire"),
        ({"avoid": ["handle"]}, "it should not be"),
        ({"told": ["zheng"]}, "was not told"),
        ({"extended": [{"rule": "x", "amount": 5}]}, "Extended: –"),
        ({"status": "已办结"}, "Case status is"),
    ],
)
def test_the_first_difference_is_said_in_words(desk, expect, words):
    told = run(desk, draft(), scenario(ACCEPT, expect=expect))
    assert len(told.problems) == 1 and words in str(told.problems[0])


def test_expected_values_may_be_computed(desk):
    assert run(desk, draft(), scenario(ACCEPT, expect={"variables": {"outcome": '="acc" + "ept"'}})).problems == []


# --- service tasks and loops -----------------------------------------------------------------------------------------------------


def plain(flow: str, **elements) -> dict[str, str]:
    return {"p.bpmn": bpmn(process("p", flow, **elements)).decode()}


SERVICE = plain("start -> call -> end", call=service("lookup"))


def playing(files: dict[str, str], desk, *steps, **more):
    return run(desk, files, scenarios.read("p", {"title": "p", "at": AT, "by": "wang", "steps": list(steps), **more}))


def test_a_service_task_waits_for_its_answer_as_a_step(desk):
    waiting = playing(SERVICE, desk)
    assert waiting.state == "ACTIVE" and [each.kind for each in waiting.records[0].happenings] == ["job"]
    answered = playing(SERVICE, desk, {"do": "job", "element": "call", "data": {"found": 3}})
    assert answered.state == "COMPLETED" and answered.variables == {"found": 3}


def test_a_declared_answer_is_given_by_itself(desk):
    told = playing(SERVICE, desk, mocks={"lookup": {"data": {"found": 1}}})
    assert told.state == "COMPLETED" and told.variables["found"] == 1


def test_an_error_that_nobody_catches_is_an_incident_that_nobody_expected(desk):
    told = playing(SERVICE, desk, {"do": "job", "element": "call", "error": "GONE"})
    assert told.incidents == ["call"] and "stands still" in str(told.problems[0])


def test_a_run_that_takes_too_long_is_stopped(desk):
    told = run(desk, draft(), scenario(ACCEPT), seconds=-1)
    assert told.failure is not None and "too long" in str(told.failure)


def test_service_tasks_without_end_do_not_hang_the_server(desk):
    loop = plain("start -> call -> again -[*]-> call; again -[done = true]-> end", call=service("lookup"), again=xor())
    told = playing(loop, desk, mocks={"call": {"data": {}}})
    assert told.failure is not None and "without end" in str(told.failure)


# --- reading files -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("{", None),
        ("[]", None),
        ("{}", {"title", "at", "by"}),
        (json.dumps({"title": "x", "at": "2026-11-23T09:00:00", "by": "a"}), {"at"}),
        (json.dumps({"title": "x", "at": AT, "by": "a", "steps": [{"do": "dance"}]}), {"steps.1.do"}),
        (json.dumps({"title": "x", "at": AT, "by": "a", "steps": [{"do": "complete", "element": "a"}]}), {"steps.1.by"}),
        (json.dumps({"title": "x", "at": AT, "by": "a", "steps": [{"do": "wait"}]}), {"steps.1.do"}),
        (json.dumps({"title": "x", "at": AT, "by": "a", "steps": [{"do": "wait", "days": 1, "workdays": 1}]}), {"steps.1.do"}),
        (json.dumps({"title": "x", "at": AT, "by": "a", "steps": [{"do": "wait", "days": True}]}), {"steps.1.days"}),
        (json.dumps({"title": "x", "at": AT, "by": "a", "steps": [{"do": []}]}), {"steps.1.do"}),
        (json.dumps({"title": "x", "at": AT, "by": "a", "expect": {"pathh": []}}), {"expect.pathh"}),
        (json.dumps({"title": "x", "at": AT, "by": "a", "mocks": {"a": 1}}), {"mocks.a"}),
        (json.dumps({"title": "x", "at": AT, "by": "a", "stepz": []}), {"stepz"}),
        (json.dumps({"title": "x", "at": AT, "by": "a", "steps": [{"do": "wait", "days": 1}] * (scenarios.MAX_STEPS + 1)}), {"steps"}),
        ("[" * 100_000, None),
        ('"' + "x" * scenarios.MAX_BYTES + '"', None),
    ],
)
def test_a_scenario_that_cannot_be_read_says_where(text, places):
    with pytest.raises(ValidationFailed) as refusal:
        scenarios.read("x", text)
    assert places is None or set(refusal.value.errors) == places


KEYS = ["do", "by", "at", "steps", "title", "element", "expect", "until", "x"]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(json_values)
def test_whatever_a_file_says_it_is_read_or_refused_in_words(value):
    try:
        assert scenarios.read("x", json.dumps(value)).title
    except ValidationFailed as refusal:
        assert str(refusal)


def test_one_broken_scenario_does_not_keep_the_others_from_being_played(desk):
    good = scenarios.written({"title": "好", "at": AT, "by": "wang", "start": START, "expect": {"state": "ACTIVE"}})
    results = scenarios.run_all(desk, draft() | {"scenarios/a.json": "{", "scenarios/b.json": good})
    assert [(each.name, each.ok) for each in results] == [("a", False), ("b", True)]
    assert results[1].visited >= {"accept"} and results[1].flows


def test_specimens_are_taken_by_the_desk_for_what_their_names_say():
    from engine.runtime.casework.attachments import KINDS

    assert {suffix: KINDS[suffix][1](specimen(f"a.{suffix}")) for suffix in KINDS} == dict.fromkeys(KINDS, True)


# --- coverage ----------------------------------------------------------------------------------------------------------------------


BRANCHES = plain("start -> choose -[way = 1]-> a -> end; choose -[way = 2]-> b -> end; choose -[*]-> c -> end", choose=xor())


def test_coverage_is_what_tokens_really_passed(desk):
    told = playing(BRANCHES, desk, start={"way": 2})
    (found,) = coverage(BRANCHES, told.visited, told.flows)
    assert {each.id for each in found.elements} >= {"start", "choose", "a", "b", "c", "end"}
    assert told.visited == {"start", "choose", "b"}
    missed = {each.id for each in found.missed}
    assert {"a", "c", "end"} <= missed and missed.isdisjoint(told.visited | told.flows)
    assert len(told.flows) == 2
    assert 0 < found.percent < 100


def test_a_draft_without_scenarios_covers_nothing(desk):
    (found,) = coverage(BRANCHES, (), ())
    assert found.percent == 0 and len(found.missed) == found.total


# --- the page's data ------------------------------------------------------------------------------------------------------------------


def test_the_situation_offers_only_what_can_be_done_now(desk):
    shown = trying.try_out(desk, draft(), scenario())
    (task,) = shown["tasks"]
    assert task["element"] == "accept"
    assert {"wang"} <= {each["login"] for each in task["people"]}
    assert task["outcomes"][0]["value"] == "accept"
    assert shown["coming"] and shown["clocks"] and shown["case"]["no"]
    assert shown["diagrams"][0]["current"] == ["accept"]


def test_the_beginning_shows_the_start_form_and_who_may_open_a_case(desk):
    begin = trying.beginning(desk, draft())
    assert begin["process"] == process_of(draft()) == "licence"
    assert begin["form"]["components"]
    assert "wang" in {each["login"] for each in begin["starters"]}


def test_limits_are_paused_and_go_on_by_decision(desk):
    pause = {"do": "pause", "by": "supervisor", "kind": "expert_review", "reason": "专家评审"}
    told = run(
        desk, draft(), scenario(ACCEPT, pause, {"do": "wait", "days": 5}, {"do": "resume", "by": "supervisor", "kind": "expert_review"})
    )
    assert told.failure is None, told.problems
    assert [each.kind for record in (told.records[2], told.records[4]) for each in record.happenings if each.kind == "limit"] == [
        "limit",
        "limit",
    ]
    refused = run(desk, draft(), scenario(ACCEPT, {**pause, "rule": "no.rule"}))
    assert refused.failure.field == "rule"
