"""Starting by messages and conditions: one running instance per correlation key, kept messages, conditional start events."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.bpmn.builder import Definition as EventOf
from tests.bpmn.builder import bpmn, catch, message, process, signal, start, tag

HOUR = timedelta(hours=1)


@pytest.fixture
def ordered(deploy):
    deploy("order", "start -> pack -> end", start=start(message("ordered")))


def running(engine):
    return engine.instances(process_id="order", state="ACTIVE")


def test_a_key_has_one_running_instance_at_a_time(engine, ordered):
    assert engine.publish_message("ordered", "A-1") == 1
    assert engine.publish_message("ordered", "A-1") == 0
    assert engine.publish_message("ordered", "A-2") == 1
    assert len(running(engine)) == 2


def test_messages_without_a_key_start_as_many_as_come(engine, ordered):
    assert [engine.publish_message("ordered") for _ in range(3)] == [1, 1, 1]


def test_a_kept_message_starts_the_next_when_the_first_has_ended(engine, ordered, do):
    engine.publish_message("ordered", "A-1", {"n": 1})
    assert engine.publish_message("ordered", "A-1", {"n": 2}, time_to_live=HOUR) == 0
    assert engine.publish_message("ordered", "A-1", {"n": 3}, time_to_live=HOUR) == 0
    (first,) = running(engine)
    do(first, "pack")
    (second,) = running(engine)
    assert second.variables["n"] == 2
    do(second, "pack")
    (third,) = running(engine)
    assert third.variables["n"] == 3
    do(third, "pack")
    assert running(engine) == []
    assert engine.publish_message("ordered", "A-1") == 1


def test_a_cancelled_instance_frees_its_key_too(engine, ordered):
    engine.publish_message("ordered", "A-1")
    engine.publish_message("ordered", "A-1", {"n": 2}, time_to_live=HOUR)
    (first,) = running(engine)
    engine.cancel(first.key, by="chief", reason="double")
    (second,) = running(engine)
    assert second.variables["n"] == 2


def test_a_kept_message_that_is_too_old_starts_nothing(engine, clock, ordered, do):
    engine.publish_message("ordered", "A-1")
    engine.publish_message("ordered", "A-1", time_to_live=HOUR)
    clock.advance(2 * HOUR)
    do(running(engine)[0], "pack")
    assert running(engine) == []


def test_the_due_run_finds_a_message_whose_key_was_freed_at_the_same_moment(engine, ordered):
    from sqlalchemy import delete

    from engine.store import tables

    engine.publish_message("ordered", "A-1")
    engine.publish_message("ordered", "A-1", {"n": 2}, time_to_live=HOUR)
    with engine.transaction() as tx:
        # As if the instance had ended in a transaction that did not see the message yet.
        tx.execute(delete(tables.message_start))
    assert engine.run_due() == 1
    assert [instance.variables.get("n") for instance in running(engine)] == [None, 2]


def test_a_message_goes_to_the_running_instance_rather_than_starting_another(engine, deploy):
    deploy("talk", "start -> more -> end", start=start(message("said")), more=catch(message("said", key="=who")))
    engine.publish_message("said", "li", {"who": "li"})
    assert engine.publish_message("said", "li", {"text": "again"}) == 1
    (only,) = engine.instances(process_id="talk")
    assert (only.state, only.variables["text"]) == ("COMPLETED", "again")


def conditional(text: str) -> EventOf:
    return EventOf(tag("bpmn:conditionalEventDefinition", {}, tag("bpmn:condition", {"xsi:type": "bpmn:tFormalExpression"}, text)))


def test_a_conditional_start_event_starts_where_its_condition_holds(engine, deploy):
    deploy("hot", "start -> a -> end", start=start(conditional("=temperature &gt; 30")))
    deploy("cold", "start -> a -> end", start=start(conditional("=temperature &lt; 0")))
    assert engine.evaluate_conditions({"temperature": 35}) == 1
    assert [instance.process_id for instance in engine.instances()] == ["hot"]
    assert engine.evaluate_conditions({"temperature": 10}) == engine.evaluate_conditions() == 0


def test_only_the_latest_version_is_started_by_a_condition(engine):
    for limit in (30, 40):
        model = bpmn(process("hot", "start -> a -> end", start=start(conditional(f"=temperature &gt; {limit}"))))
        engine.deploy({"hot.bpmn": model}, by="designer")
    assert engine.evaluate_conditions({"temperature": 35}) == 0
    assert engine.evaluate_conditions({"temperature": 45}) == 1


def test_the_signals_of_a_parallel_multiple_start_event_make_one_instance(engine, deploy):
    deploy("both", "start -> a -> end", start=start(signal("A"), signal("B"), all_needed=True))
    assert engine.broadcast_signal("A", {"a": 1}) == 1
    assert engine.user_tasks() == []
    assert engine.broadcast_signal("B", {"b": 2}) == 1
    (only,) = engine.instances(process_id="both")
    assert (only.variables, [task.element_id for task in engine.user_tasks()]) == ({"a": 1, "b": 2}, ["a"])
    assert engine.broadcast_signal("B") == 1
    assert len(engine.instances(process_id="both")) == 2
