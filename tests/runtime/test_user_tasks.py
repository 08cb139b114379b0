"""User tasks: who gets them, taking and giving back, completing, and what the loser of a race is told."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from engine import Conflict, InvalidState, NotFound, ValidationFailed
from tests.bpmn.builder import mapped, noted, script, user


@pytest.fixture
def task(engine, deploy):
    """An open task on ``a`` of a chain of two."""
    deploy("p", "start -> a -> b -> end")
    return engine.user_tasks(engine.start("p", {"x": 1}, by="starter").key)[0]


def test_a_task_says_where_it_belongs(engine, deploy, clock):
    element = noted(
        user("审查", assignee="=handler", groups="section-a, section-b", users='=["li", "wang"]', due="=deadline", priority="80"), hint="=1 + 1"
    )
    deploy("p", "start -> a -> end", a=element)
    instance = engine.start("p", {"handler": "zhao", "deadline": "2026-11-05T17:30:00+08:00"})
    (task,) = engine.user_tasks(instance.key)
    assert (task.name, task.element_id, task.process_id, task.instance_key) == ("审查", "a", "p", instance.key)
    assert (task.assignee, task.candidate_groups, task.candidate_users) == ("zhao", ("section-a", "section-b"), ("li", "wang"))
    assert task.due_at == datetime.fromisoformat("2026-11-05T17:30:00+08:00")
    assert (task.priority, task.created_at, task.state, task.properties["hint"]) == (80, clock(), "CREATED", 2)


def test_tasks_are_found_by_person_group_and_state(engine, deploy):
    deploy("p", "start -> a -> b -> end", a=user(groups="window"), b=user(assignee="li"))
    instance = engine.start("p")
    (a,) = engine.user_tasks(candidate="window")
    assert engine.user_tasks(candidate="nobody") == engine.user_tasks(assignee="li") == []
    engine.complete(a.key, by="wang")
    assert [task.element_id for task in engine.user_tasks(assignee="li")] == ["b"]
    assert [task.element_id for task in engine.user_tasks(instance.key, state="COMPLETED")] == ["a"]
    assert [task.element_id for task in engine.user_tasks(instance.key, state=None)] == ["a", "b"]
    assert engine.user_tasks(candidate="window") == []


def test_claiming_twice_by_the_same_person_is_no_error(engine, task):
    assert engine.claim(task.key, by="li").assignee == "li"
    assert engine.claim(task.key, by="li").assignee == "li"


def test_the_second_to_claim_is_told_who_has_it_and_since_when(engine, task, clock):
    engine.claim(task.key, by="li")
    taken = clock()
    clock.advance(timedelta(minutes=5))
    with pytest.raises(Conflict, match="li") as told:
        engine.claim(task.key, by="wang")
    assert (told.value.by, told.value.at) == ("li", taken)
    with pytest.raises(Conflict, match="li"):
        engine.unclaim(task.key, by="wang")


def test_a_task_given_back_is_free_again(engine, task):
    engine.claim(task.key, by="li")
    assert engine.unclaim(task.key, by="li").assignee is None
    assert engine.claim(task.key, by="wang").assignee == "wang"


def test_assigning_takes_it_from_whoever_has_it(engine, task):
    engine.claim(task.key, by="li")
    assert engine.assign(task.key, "wang", by="chief").assignee == "wang"
    assert engine.assign(task.key, None, by="chief").assignee is None


def test_the_second_to_complete_is_told_who_did_and_when(engine, task, clock):
    engine.complete(task.key, by="li")
    done = clock()
    clock.advance(timedelta(minutes=5))
    for late in (engine.complete, engine.claim, engine.unclaim, lambda key, by: engine.assign(key, "x", by=by)):
        with pytest.raises(Conflict, match="li") as told:
            late(task.key, by="wang")
        assert (told.value.by, told.value.at) == ("li", done)


def test_a_cancelled_task_says_so(engine, task):
    engine.cancel(task.instance_key, by="chief", reason="withdrawn")
    with pytest.raises(Conflict, match="no longer needed"):
        engine.complete(task.key, by="li")
    assert [item.state for item in engine.user_tasks(task.instance_key, state=None)] == ["CANCELED"]


def test_an_unknown_task_is_not_found(engine, task):
    for command in (engine.complete, engine.claim, engine.unclaim):
        with pytest.raises(NotFound):
            command(1, by="li")


def test_completing_brings_variables_and_moves_on(engine, task):
    instance = engine.complete(task.key, {"ok": True, "x": 2}, by="li")
    assert (instance.state, instance.variables) == ("ACTIVE", {"ok": True, "x": 2})
    assert engine.instance(instance.key) == instance
    (b,) = engine.user_tasks(instance.key)
    assert b.element_id == "b"
    assert engine.complete(b.key, by="li").state == "COMPLETED"


@pytest.mark.parametrize("value", [object(), {1, 2}, float("nan"), b"bytes", [object()]])
def test_a_variable_without_a_json_form_is_refused_and_nothing_moves(engine, task, value):
    with pytest.raises(ValidationFailed):
        engine.complete(task.key, {"x": value}, by="li")
    with pytest.raises(ValidationFailed):
        engine.start("p", {"x": value})
    assert [item.key for item in engine.user_tasks()] == [task.key]


def test_a_suspended_task_waits_for_the_resumption(engine, task):
    engine.suspend(task.instance_key, by="chief", reason="court")
    with pytest.raises(InvalidState, match="resume"):
        engine.complete(task.key, by="li")
    engine.resume(task.instance_key, by="chief")
    assert engine.complete(task.key, by="li").state == "ACTIVE"


def test_history_keeps_order_states_and_instants(engine, task, clock, history):
    key, began = task.instance_key, clock()
    clock.advance(timedelta(hours=1))
    engine.complete(task.key, by="li")
    assert history(key) == [("start", "COMPLETED"), ("a", "COMPLETED"), ("b", "ACTIVE")]
    a = engine.activities(key)[1]
    assert (a.element_type, a.started_at, a.ended_at) == ("userTask", began, clock())


def test_mappings_make_local_variables_and_choose_what_goes_out(engine, deploy, do):
    element = mapped(user(), {"amount": "=case.amount * 2", "note.text": '="hi"'}, {"result": "=amount + bonus"})
    deploy("p", "start -> a -> b -> end", a=element)
    instance = do(engine.start("p", {"case": {"amount": 10}}), "a", bonus=1)
    assert instance.variables == {"case": {"amount": 10}, "result": 21}


def test_a_script_reads_and_writes_the_instance(engine, deploy):
    deploy("p", "start -> s -> t -> end", s=script("x + 1", "y"), t=script('{ z: y * 2, 申请人: "李" }'))
    assert engine.start("p", {"x": 1}).variables == {"x": 1, "y": 2, "z": 4, "申请人": "李"}
