"""Migrating running instances to another version."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from engine import Conflict, InvalidState, NotFound, ValidationFailed
from engine.store import tables
from tests.bpmn.builder import (
    both,
    boundary,
    call,
    catch,
    compensate,
    conditional,
    each,
    message,
    process,
    service,
    some,
    sub,
    throw,
    timer,
    undoing,
    undone_by,
    user,
    xor,
)
from tests.support.race import race

__all__ = ["race"]

HOUR = timedelta(hours=1)


def open_elements(engine) -> list[str]:
    return sorted(item.element_id for item in engine.user_tasks())


def rows(engine, table) -> list[dict]:
    with engine.reading() as conn:
        return [dict(row) for row in conn.execute(select(table).order_by(table.c.key)).mappings()]


def messages_of(problems) -> list[tuple[str, str]]:
    return [(problem.element_id, problem.severity) for problem in problems]


# --- the plan ------------------------------------------------------------------------------------------------------------------


def test_a_plan_pairs_what_has_the_same_id_and_kind_and_lists_the_rest(engine, deploy):
    deploy("p", "start -> a -> b -> s -> end", s=sub("start1 -> c -> end1"))
    deploy("p", "start -> a -> b -> s -> end", b=service("x"), s=sub("start1 -> d -> end1"))
    plan = engine.plan_migration("p", 1, 2)
    assert plan.mapping == {"start": "start", "a": "a", "s": "s", "end": "end", "start1": "start1", "end1": "end1"}
    assert plan.sound and messages_of(plan.problems) == [("b", "warning"), ("c", "warning")]
    assert plan.candidates["c"] == ("a", "d")
    assert engine.plan_migration(**plan.to_dict()) == plan
    assert {item.old: item.new for item in plan.elements}["b"] is None


def test_a_wrong_plan_says_all_its_mistakes_and_cannot_be_used(engine, deploy):
    deploy("p", "start -> a -> b -> s -> end; t -> end", s=sub("start1 -> c -> end1"), t=boundary("a", timer("PT1H")))
    deploy("p", "start -> a -> b -> s -> end; t -> end", s=sub("start1 -> c -> end1"), t=boundary("b", timer("PT1H")))
    plan = engine.plan_migration("p", 1, 2, {"nobody": "a", "a": "nowhere", "c": "b", "b": "s"})
    assert not plan.sound
    assert messages_of(problem for problem in plan.problems if problem.severity == "error") == [
        ("nobody", "error"), ("a", "error"), ("c", "error"), ("b", "error"), ("t", "error"),
    ]  # fmt: skip
    one = engine.start("p", version=1)
    for attempt in (lambda: engine.check_migration(plan), lambda: engine.migrate_instance(plan, one.key), lambda: engine.migrate_many(plan)):
        with pytest.raises(ValidationFailed) as refused:
            attempt()
        assert set(refused.value.errors) == {"nobody", "a", "b", "c", "t"}
    with pytest.raises(ValidationFailed):
        engine.plan_migration("p", 1, 1)
    with pytest.raises(NotFound):
        engine.plan_migration("p", 1, 9)


def test_an_automatic_pair_can_be_taken_away(engine, deploy):
    deploy("p", "start -> a -> end")
    deploy("p", "start -> a -> b -> end")
    one = engine.start("p", version=1)
    plan = engine.plan_migration("p", 1, 2, {"a": ""})
    (check,) = engine.check_migration(plan)
    assert (check.instance_key, check.ok, messages_of(check.problems), check.tokens) == (one.key, False, [("a", "error")], ("a",))
    with pytest.raises(InvalidState, match="no place"):
        engine.migrate_instance(plan, one.key)
    assert engine.instance(one.key).version == 1


# --- one instance ----------------------------------------------------------------------------------------------------------------


def test_a_case_goes_on_in_the_new_version(engine, deploy, do, history):
    deploy("p", "start -> a -> b -> end")
    one = engine.start("p", {"x": 1})
    deploy("p", "start -> a2 -> new -> end", a2=user(name="Check it again"))
    plan = engine.plan_migration("p", 1, 2, {"a": "a2"})
    assert engine.check_migration(plan)[0].ok
    after = engine.migrate_instance(plan, one.key, by="admin", reason="new order")
    assert (after.version, after.variables, after.state) == (2, {"x": 1}, "ACTIVE")
    (task,) = engine.user_tasks()
    assert (task.element_id, task.name) == ("a2", "Check it again")
    (row,) = rows(engine, tables.user_task)
    assert row["definition_key"] == engine.definition("process", "p", 2).key
    assert history(one.key)[-1] == ("a2", "ACTIVE")
    engine.complete(task.key)
    assert open_elements(engine) == ["new"]
    (audit,) = [row for row in rows(engine, tables.audit) if row["action"] == "instance.migrate"]
    assert (audit["by"], audit["details"]["old"], audit["details"]["new"], audit["details"]["elements"]) == ("admin", 1, 2, {"a": "a2"})
    with pytest.raises(InvalidState, match="version 2"):
        engine.migrate_instance(plan, one.key)


def test_the_holder_of_a_task_keeps_it(engine, deploy):
    deploy("p", "start -> a -> end")
    engine.start("p")
    (task,) = engine.user_tasks()
    engine.claim(task.key, by="li")
    deploy("p", "start -> a -> b -> end")
    engine.migrate_instance(engine.plan_migration("p", 1, 2), task.instance_key)
    engine.complete(task.key, by="li")
    assert open_elements(engine) == ["b"]


def test_an_unchanged_timer_keeps_its_instant_a_new_one_is_armed_and_a_gone_one_closed(engine, deploy, clock):
    gone = boundary("a", message("gone"), interrupting=False)
    deploy("p", "start -> a -> end; t -> b -> end; g -> d -> end", t=boundary("a", timer("PT2H")), g=gone)
    one = engine.start("p")
    due = engine.clock() + 2 * HOUR
    clock.advance(HOUR)
    new = boundary("a", message("new"), interrupting=False)
    deploy("p", "start -> a -> end; t2 -> b -> end; n -> c -> end", t2=boundary("a", timer("PT9H")), n=new)
    engine.migrate_instance(engine.plan_migration("p", 1, 2, {"t": "t2"}), one.key)
    (row,) = rows(engine, tables.timer)
    assert (row["element_id"], row["due_at"]) == ("t2", due)
    assert engine.publish_message("gone") == 0
    assert engine.publish_message("new") == 1
    assert open_elements(engine) == ["a", "c"]
    clock.advance(HOUR)
    assert engine.run_due() == 1
    assert open_elements(engine) == ["b", "c"]


def test_an_event_that_has_fired_is_not_armed_again(engine, deploy, clock):
    late = boundary("a", timer("PT1H"), interrupting=False)
    deploy("p", "start -> a -> end; t -> b -> end", t=late)
    one = engine.start("p")
    clock.advance(HOUR)
    engine.run_due()
    deploy("p", "start -> a -> c -> end; t -> b -> end", t=late)
    engine.migrate_instance(engine.plan_migration("p", 1, 2), one.key)
    assert rows(engine, tables.timer) == []
    clock.advance(9 * HOUR)
    assert engine.run_due() == 0


def test_a_message_of_another_name_is_waited_for_anew(engine, deploy):
    deploy("p", "start -> w -> a -> end", w=catch(message("old", "=id")))
    one = engine.start("p", {"id": 7})
    deploy("p", "start -> w -> a -> end", w=catch(message("young", "=id")))
    engine.migrate_instance(engine.plan_migration("p", 1, 2), one.key)
    assert engine.publish_message("old", "7") == 0
    assert engine.publish_message("young", "7") == 1
    assert open_elements(engine) == ["a"]


def test_an_event_that_cannot_be_armed_leaves_the_case_as_it_was(engine, deploy):
    deploy("p", "start -> a -> end")
    one = engine.start("p")
    deploy("p", "start -> a -> end; m -> end", m=boundary("a", message("m", "=nothing")))
    with pytest.raises(InvalidState, match="has no value"):
        engine.migrate_instance(engine.plan_migration("p", 1, 2), one.key)
    assert engine.instance(one.key).version == 1
    assert rows(engine, tables.subscription) == []


@pytest.mark.parametrize("gateway", [both, some])
def test_a_branch_that_waits_at_a_join_comes_along(engine, deploy, do, gateway):
    flows = "start -> fork -[true]-> a -> join -> c -> end; fork -[true]-> b -> join" if gateway is some else (
        "start -> fork -> a -> join -> c -> end; fork -> b -> join"
    )  # fmt: skip
    deploy("p", flows, fork=gateway(), join=gateway())
    one = engine.start("p")
    do(one, "a")
    deploy("p", flows.replace("a ->", "a2 ->").replace("join", "meet"), fork=gateway(), meet=gateway())
    plan = engine.plan_migration("p", 1, 2, {"a": "a2", "join": "meet"})
    assert engine.check_migration(plan)[0].ok
    engine.migrate_instance(plan, one.key)
    assert open_elements(engine) == ["b"]
    do(one, "b")
    assert open_elements(engine) == ["c"]


def test_a_join_without_a_flow_for_the_waiting_branch_is_refused(engine, deploy, do):
    deploy("p", "start -> fork -> a -> join -> c -> end; fork -> b -> join", fork=both(), join=both())
    one = engine.start("p")
    do(one, "a")
    deploy("p", "start -> fork -> d -> join -> c -> end; fork -> b -> join", fork=both(), join=both())
    plan = engine.plan_migration("p", 1, 2)
    assert messages_of(engine.check_migration(plan)[0].problems) == [("join", "error")]


def test_scopes_jobs_repetitions_and_calls_come_along(engine, deploy, do):
    inner = "start1 -> fork1 -> j -> end1; fork1 -> m -> end1; fork1 -> c -> end1"
    deploy(
        process("p", "start -> s -> end", s=sub(inner, fork1=both(), j=service("mail"), m=each(user(), times="2"), c=call("q"))),
        process("q", "start -> z -> end"),
    )
    one = engine.start("p")
    inner2 = "start1 -> fork1 -> j2 -> end1; fork1 -> m2 -> end1; fork1 -> c2 -> end1"
    two = process("p", "start -> s2 -> last -> end", s2=sub(inner2, fork1=both(), j2=service("mail"), m2=each(user(), times="2"), c2=call("q")))
    deploy(two)
    plan = engine.plan_migration("p", 1, 2, {"s": "s2", "j": "j2", "m": "m2", "c": "c2"})
    assert plan.problems == ()
    engine.migrate_instance(plan, one.key)
    (job,) = engine.activate_jobs("mail", "w")
    assert job.element_id == "j2"
    engine.complete_job(job.key)
    tasks = engine.user_tasks(instance_key=one.key)
    assert [task.element_id for task in tasks] == ["m2", "m2"]
    for task in tasks:
        engine.complete(task.key)
    do(one, "z")
    assert open_elements(engine) == ["last"]


def test_a_suspended_case_is_migrated_and_stays_suspended(engine, deploy, do):
    deploy("p", "start -> a -> end")
    one = engine.start("p")
    engine.suspend(one.key)
    deploy("p", "start -> a -> b -> end")
    assert engine.migrate_instance(engine.plan_migration("p", 1, 2), one.key).state == "SUSPENDED"
    engine.resume(one.key)
    do(one, "a")
    assert open_elements(engine) == ["b"]


def test_an_incident_comes_along_and_can_be_cured_there(engine, deploy):
    deploy("p", "start -> g -[x = 1]-> a -> end", g=xor())
    one = engine.start("p", {"x": 0})
    deploy("p", "start -> g2 -[x = 0]-> b -> end", g2=xor())
    engine.migrate_instance(engine.plan_migration("p", 1, 2, {"g": "g2"}), one.key)
    (incident,) = engine.incidents()
    assert incident.element_id == "g2"
    engine.retry_incident(incident.key)
    assert open_elements(engine) == ["b"]


def test_conditions_come_along_and_new_ones_are_asked(engine, deploy):
    late = boundary("a", conditional("=x > 3"))
    deploy("p", "start -> a -> end; c -> b -> end", c=late)
    one = engine.start("p", {"x": 1})
    deploy("p", "start -> a -> end; c2 -> b -> end; n -> d -> end", c2=late, n=boundary("a", conditional("=y = 1"), interrupting=False))
    engine.migrate_instance(engine.plan_migration("p", 1, 2, {"c": "c2"}), one.key)
    engine.set_variables(one.key, {"y": 1})
    assert open_elements(engine) == ["a", "d"]
    engine.set_variables(one.key, {"x": 4})
    assert open_elements(engine) == ["b", "d"]


def test_what_was_completed_can_still_be_undone_in_the_new_version(engine, deploy, do):
    flows = "start -> a -> b -> undo -> end; back; u"
    elements = {"back": undoing(user()), "u": undone_by("a", "back"), "undo": throw(compensate())}
    deploy("p", flows, **elements)
    one = engine.start("p")
    do(one, "a")
    renamed = {"back2": undoing(user()), "u2": undone_by("a2", "back2"), "undo": throw(compensate())}
    deploy("p", "start -> a2 -> b -> undo -> end; back2; u2", **renamed)
    lost = engine.plan_migration("p", 1, 2)
    assert messages_of(engine.check_migration(lost)[0].problems) == [("p", "error")]
    plan = engine.plan_migration("p", 1, 2, {"a": "a2", "u": "u2", "back": "back2"})
    engine.migrate_instance(plan, one.key)
    do(one, "b")
    assert open_elements(engine) == ["back2"]
    do(one, "back2")
    assert engine.instance(one.key).state == "COMPLETED"


# --- many ------------------------------------------------------------------------------------------------------------------------


def test_all_running_cases_are_migrated_and_those_that_cannot_say_why(engine, deploy, do):
    deploy("p", "start -> a -> b -> end")
    keys = [engine.start("p").key for _ in range(4)]
    do(engine.instance(keys[1]), "a")
    deploy("p", "start -> a -> c -> end")
    plan = engine.plan_migration("p", 1, 2)
    batch = engine.migrate_many(plan, by="admin", reason="new order")
    assert (batch.kind, batch.state, batch.total, batch.open, batch.progress) == ("migrate", "RUNNING", 4, 4, 0.0)
    do(engine.instance(keys[2]), "a")
    do(engine.instance(keys[2]), "b")
    assert engine.run_due() == 4
    done = engine.batch(batch.key)
    assert (done.state, done.done, done.failed, done.ended_at, done.progress) == ("DONE", 2, 2, engine.clock(), 1.0)
    assert {item.instance_key for item in engine.batch_items(batch.key, "FAILED")} == {keys[1], keys[2]}
    assert all(item.message for item in engine.batch_items(batch.key, "FAILED"))
    assert [engine.instance(key).version for key in keys] == [2, 1, 1, 2]


@pytest.mark.parametrize("order", ["migrate first", "complete first"])
def test_migrating_and_completing_at_once_leave_one_whole_outcome(engine, deploy, race, order):
    deploy("p", "start -> a -> b -> end")
    (task,) = engine.user_tasks(engine.start("p").key)
    deploy("p", "start -> a -> c -> end")
    plan = engine.plan_migration("p", 1, 2)
    migrate, complete = (lambda one: one.migrate_instance(plan, task.instance_key)), (lambda two: two.complete(task.key, {"x": 1}))
    _, second = race(migrate, complete) if order == "migrate first" else race(complete, migrate)
    if order == "migrate first":
        # The one who completes had seen the old task, or sees the new one: never half of each.
        if isinstance(second, Conflict):
            assert open_elements(engine) == ["a"]
            engine.complete(task.key, {"x": 1})
        assert (engine.instance(task.instance_key).version, open_elements(engine)) == (2, ["c"])
    else:
        assert isinstance(second, InvalidState)
        assert (engine.instance(task.instance_key).version, open_elements(engine)) == (1, ["b"])

