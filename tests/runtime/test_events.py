"""Messages, signals, timers, errors and escalations."""

from __future__ import annotations

from datetime import timedelta

import pytest

from engine import Conflict, Engine, ValidationFailed
from tests.bpmn.builder import (
    both,
    boundary,
    call,
    catch,
    each,
    end,
    error,
    escalation,
    first,
    mapped,
    message,
    on,
    process,
    receive,
    script,
    service,
    signal,
    some,
    start,
    sub,
    terminate,
    throw,
    timer,
    user,
)

HOUR = timedelta(hours=1)


# --- messages --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def waiting(deploy):
    deploy("p", "start -> m -> end", m=catch(message("reply", key="=number")))


def test_a_message_finds_the_instance_by_its_key(engine, waiting):
    one, two = engine.start("p", {"number": "N1"}), engine.start("p", {"number": "N2"})
    assert engine.publish_message("reply", "N2", {"result": "yes"}) == 1
    assert engine.instance(one.key).state == "ACTIVE"
    assert (engine.instance(two.key).state, engine.instance(two.key).variables["result"]) == ("COMPLETED", "yes")
    assert engine.publish_message("reply", "N2") == engine.publish_message("reply", "N3") == engine.publish_message("other", "N1") == 0


def test_a_number_and_its_text_are_the_same_key(engine, waiting):
    engine.start("p", {"number": 7})
    assert engine.publish_message("reply", "7") == 1


def test_of_two_instances_that_wait_with_the_same_key_the_older_gets_the_message(engine, waiting):
    one, two = engine.start("p", {"number": "N"}), engine.start("p", {"number": "N"})
    assert engine.publish_message("reply", "N") == 1
    assert [engine.instance(one.key).state, engine.instance(two.key).state] == ["COMPLETED", "ACTIVE"]


def test_a_missing_key_is_an_incident_that_says_what_to_set(engine, waiting):
    instance = engine.start("p")
    (incident,) = engine.incidents(instance.key)
    assert (incident.type, incident.element_id) == ("CORRELATION_ERROR", "m")
    assert "number" in incident.message


def test_a_message_without_receiver_is_lost_unless_it_may_wait(engine, waiting):
    assert engine.publish_message("reply", "N", {"late": True}) == 0
    assert engine.start("p", {"number": "N"}).state == "ACTIVE"


def test_a_message_waits_for_its_receiver_and_is_handed_out_once(engine, waiting, clock):
    assert engine.publish_message("reply", "N", {"early": True}, time_to_live=HOUR) == 0
    clock.advance(HOUR / 2)
    assert engine.start("p", {"number": "N"}).variables["early"] is True
    assert engine.start("p", {"number": "N"}).state == "ACTIVE"


def test_a_waiting_message_expires(engine, waiting, clock):
    engine.publish_message("reply", "N", time_to_live=HOUR)
    clock.advance(HOUR)
    assert engine.start("p", {"number": "N"}).state == "ACTIVE"


def test_a_received_message_with_time_to_live_is_not_kept(engine, waiting):
    engine.start("p", {"number": "N"})
    assert engine.publish_message("reply", "N", time_to_live=HOUR) == 1
    assert engine.start("p", {"number": "N"}).state == "ACTIVE"


@pytest.mark.parametrize("received", [True, False])
def test_a_message_id_is_refused_while_it_is_remembered(engine, waiting, clock, received):
    if received:
        engine.start("p", {"number": "N"})
    engine.publish_message("reply", "N", time_to_live=HOUR, message_id="1")
    with pytest.raises(Conflict):
        engine.publish_message("reply", "N", time_to_live=HOUR, message_id="1")
    engine.publish_message("reply", "other key", time_to_live=HOUR, message_id="1")
    engine.publish_message("reply", "N", time_to_live=HOUR, message_id="2")
    clock.advance(HOUR)
    engine.publish_message("reply", "N", time_to_live=HOUR, message_id="1")


def test_a_message_starts_a_process(engine, deploy):
    deploy("p", "start -> a -> end", start=start(message("go")))
    assert engine.publish_message("go", variables={"x": 1}) == 1
    (instance,) = engine.instances("p")
    assert (instance.variables, instance.state) == ({"x": 1}, "ACTIVE")


def test_a_message_that_waited_for_nobody_starts_nothing_later(engine, deploy):
    deploy("p", "start -> a -> end; go -> a", go=start(message("go")))
    instance = engine.start("p")
    assert [item.element_id for item in engine.activities(instance.key)] == ["start", "a"]


def test_a_nameless_message_is_refused(engine):
    with pytest.raises(ValidationFailed):
        engine.publish_message("")
    with pytest.raises(ValidationFailed):
        engine.broadcast_signal("")


def test_a_receive_task_waits_for_its_message(engine, deploy):
    deploy("p", "start -> r -> end", r=mapped(receive(message("reply")), outputs={"answer": "=text"}))
    instance = engine.start("p")
    engine.publish_message("reply", variables={"text": "yes", "noise": 1})
    assert engine.instance(instance.key).variables == {"answer": "yes"}


def test_a_process_sends_to_another(engine, deploy):
    deploy(
        process("sender", "start -> t -> end", t=mapped(throw(message("order", key="=number")), {"what": '="book"'})),
        process("receiver", "start -> m -> end", m=catch(message("order", key="=number"))),
    )
    receiver = engine.start("receiver", {"number": 5})
    assert engine.start("sender", {"number": 5, "private": 1}).state == "COMPLETED"
    assert engine.instance(receiver.key).variables == {"number": 5, "what": "book"}


def test_a_suspended_instance_gets_no_message(engine, waiting):
    instance = engine.start("p", {"number": "N"})
    engine.suspend(instance.key)
    assert engine.publish_message("reply", "N") == 0
    engine.resume(instance.key)
    assert engine.publish_message("reply", "N") == 1


def test_a_message_that_came_during_a_suspension_is_handed_out_after_it(engine, waiting):
    instance = engine.start("p", {"number": "N"})
    engine.suspend(instance.key)
    assert engine.publish_message("reply", "N", {"answer": "yes"}, time_to_live=HOUR) == 0
    assert engine.run_due() == 0
    engine.resume(instance.key)
    assert (engine.run_due(), engine.run_due()) == (1, 0)
    assert engine.instance(instance.key).variables["answer"] == "yes"


# --- signals ---------------------------------------------------------------------------------------------------------------


def test_a_signal_reaches_all_who_wait_and_starts_what_it_starts(engine, deploy):
    deploy(process("p", "start -> s -> end", s=catch(signal("fire"))), process("q", "start -> a -> end", start=start(signal("fire"))))
    one, two = engine.start("p"), engine.start("p")
    assert engine.broadcast_signal("fire", {"x": 1}) == 3
    assert {engine.instance(item.key).state for item in (one, two)} == {"COMPLETED"}
    assert engine.instances("q")[0].variables == {"x": 1}
    assert engine.broadcast_signal("nothing") == 0


def test_a_thrown_signal_reaches_the_other_branch_too(engine, deploy, history):
    deploy("p", "start -> fork -> s -> end1; fork -> t -> end2", fork=both(), s=catch(signal("fire")), t=throw(signal("fire")))
    instance = engine.start("p")
    assert instance.state == "COMPLETED"
    assert ("end1", "COMPLETED") in history(instance.key)


# --- timers ----------------------------------------------------------------------------------------------------------------


def test_a_timer_fires_when_due_and_once(engine, deploy, clock):
    deploy("p", "start -> t -> a -> end", t=catch(timer("PT1H")))
    instance = engine.start("p")
    clock.advance(HOUR - timedelta(microseconds=1))
    assert engine.run_due() == 0
    clock.advance(timedelta(microseconds=1))
    assert engine.run_due() == 1
    assert engine.run_due() == 0
    assert [task.element_id for task in engine.user_tasks(instance.key)] == ["a"]


@pytest.mark.parametrize("value", ["2026-11-02T10:00:00+08:00", "2026-11-02T10:00:00"])
def test_a_date_may_come_from_a_variable(engine, deploy, clock, value):
    deploy("p", "start -> t -> end", t=catch(timer(date="=when")))
    instance = engine.start("p", {"when": value})
    engine.run_due()
    assert engine.instance(instance.key).state == "ACTIVE"
    clock.advance(HOUR)
    engine.run_due()
    assert engine.instance(instance.key).state == "COMPLETED"


def test_a_timer_that_cannot_be_read_is_an_incident(engine, deploy):
    deploy("p", "start -> t -> end", t=catch(timer("=when")))
    (incident,) = engine.incidents(engine.start("p", {"when": "soon"}).key)
    assert incident.type == "TIMER_ERROR" and "The t" in incident.message and "soon" in incident.message


def test_a_cycle_on_a_border_fires_as_often_as_it_says(engine, deploy, clock, history):
    deploy("p", "start -> a -> end; r -> end2", r=boundary("a", timer(cycle="R3/PT1H"), interrupting=False))
    instance = engine.start("p")
    for expected in (1, 2, 3, 3, 3):
        clock.advance(HOUR)
        engine.run_due()
        assert history(instance.key).count(("r", "COMPLETED")) == expected
    assert [task.element_id for task in engine.user_tasks(instance.key)] == ["a"]


def test_a_clock_that_jumps_fires_every_missed_round_once(engine, deploy, clock, history):
    deploy("p", "start -> a -> end; r -> end2", r=boundary("a", timer(cycle="R3/PT1H"), interrupting=False))
    instance = engine.start("p")
    clock.advance(10 * HOUR)
    assert engine.run_due() == 3
    clock.advance(-5 * HOUR)
    assert engine.run_due() == 0
    assert history(instance.key).count(("r", "COMPLETED")) == 3


def test_a_cron_timer_starts_a_process_every_working_morning(engine, deploy, clock):
    deploy("p", "start -> a -> end", start=start(timer(cycle="0 30 9 * * MON-FRI")))
    for _ in range(7 * 4):
        clock.advance(6 * HOUR)
        engine.run_due()
    assert len(engine.instances("p")) == 5


def test_a_timer_of_an_activity_that_ended_does_not_fire(engine, deploy, clock, do):
    deploy("p", "start -> a -> b -> end; late -> end2", late=boundary("a", timer("PT1H")))
    do(engine.start("p"), "a")
    clock.advance(2 * HOUR)
    assert engine.run_due() == 0


def test_a_suspended_instance_does_not_fire_until_resumed(engine, deploy, clock):
    deploy("p", "start -> t -> end", t=catch(timer("PT1H")))
    instance = engine.start("p")
    engine.suspend(instance.key)
    clock.advance(2 * HOUR)
    assert engine.run_due() == 0
    engine.resume(instance.key)
    assert engine.run_due() == 1


def test_a_limit_bounds_one_call(engine, deploy, clock):
    deploy("p", "start -> t -> end", t=catch(timer("PT1H")))
    for _ in range(5):
        engine.start("p")
    clock.advance(HOUR)
    assert [engine.run_due(limit=2), engine.run_due(limit=2), engine.run_due(limit=2)] == [2, 2, 1]


def test_two_engines_on_one_database_fire_each_timer_once(engine, database_url, deploy, clock):
    deploy("p", "start -> t -> a -> end", t=catch(timer("PT1H")))
    for _ in range(6):
        engine.start("p")
    other = Engine(database_url, clock=clock, node="other")
    clock.advance(HOUR)
    assert engine.run_due(limit=3) + other.run_due() == 6
    assert engine.run_due() + other.run_due() == 0
    assert len(engine.user_tasks()) == 6
    other.dispose()


# --- errors and escalations --------------------------------------------------------------------------------------------------


def test_an_error_goes_to_its_boundary_event(engine, deploy, history):
    deploy("p", "start -> s -> end; e -> a -> end2", s=sub("start1 -> bad", bad=end(error("E1"))), e=boundary("s", error("E1")))
    instance = engine.start("p")
    assert [task.element_id for task in engine.user_tasks(instance.key)] == ["a"]
    assert ("s", "TERMINATED") in history(instance.key)


def test_the_own_code_goes_before_the_catch_all_and_another_code_passes(engine, deploy):
    deploy(
        "p",
        "start -> s -> end; any -> a -> end1; own -> b -> end2; other -> c -> end3",
        s=sub("start1 -> bad", bad=end(error("E1"))),
        any=boundary("s", error()),
        own=boundary("s", error("E1")),
        other=boundary("s", error("E2")),
    )
    assert [task.element_id for task in engine.user_tasks(engine.start("p").key)] == ["b"]


def test_an_error_event_sub_process_goes_before_the_border(engine, deploy):
    deploy(
        "p",
        "start -> s -> end; e -> a -> end2",
        s=sub("start1 -> bad; ", bad=end(error("E1")), inner=on("caught -> b -> end1", caught=start(error("E1")))),
        e=boundary("s", error("E1")),
    )
    assert [task.element_id for task in engine.user_tasks(engine.start("p").key)] == ["b"]


def test_an_error_inside_its_own_handler_goes_outwards(engine, deploy):
    deploy(
        "p",
        "start -> s -> end; e -> a -> end2",
        s=sub("start1 -> bad; ", bad=end(error("E1")), inner=on("caught -> worse", caught=start(error("E1")), worse=end(error("E1")))),
        e=boundary("s", error("E1")),
    )
    assert [task.element_id for task in engine.user_tasks(engine.start("p").key)] == ["a"]


def test_an_error_comes_through_call_activities(engine, deploy):
    deploy(
        process("outer", "start -> c -> end; e -> a -> end2", c=call("middle"), e=boundary("c", error("E1"))),
        process("middle", "start -> d -> end", d=call("inner")),
        process("inner", "start -> bad", bad=end(error("E1"))),
    )
    instance = engine.start("outer")
    assert [task.element_id for task in engine.user_tasks(instance.key)] == ["a"]
    assert {item.state for item in engine.instances("middle") + engine.instances("inner")} == {"TERMINATED"}


def test_an_uncaught_error_is_an_incident(engine, deploy):
    deploy("p", "start -> bad", bad=end(error("E1")))
    instance = engine.start("p")
    (incident,) = engine.incidents(instance.key)
    assert (incident.type, incident.element_id) == ("UNHANDLED_ERROR", "bad")
    assert "E1" in incident.message and "The bad" in incident.message
    assert engine.instance(instance.key).state == "ACTIVE"


def test_an_uncaught_error_in_a_called_process_is_an_incident_too(engine, deploy):
    deploy(
        process("outer", "start -> c -> end", c=call("middle")),
        process("middle", "start -> d -> end", d=call("inner")),
        process("inner", "start -> bad", bad=end(error("E1"))),
    )
    outer = engine.start("outer")
    found = [incident for item in engine.instances() for incident in engine.incidents(item.key)]
    assert [incident.type for incident in found] == ["UNHANDLED_ERROR"]
    assert engine.instance(outer.key).state == "ACTIVE"


def test_a_person_or_a_worker_may_throw_an_error(engine, deploy):
    deploy(
        "p",
        "start -> a -> end; e -> j -> end1; f -> b -> end2",
        e=boundary("a", error("REFUSED")),
        j=service("mail"),
        f=boundary("j", error("BOUNCED")),
    )
    instance = engine.start("p")
    engine.throw_error(engine.user_tasks(instance.key)[0].key, "REFUSED", variables={"why": "late"})
    (job,) = engine.activate_jobs("mail", "w")
    assert job.variables == {"why": "late"}
    engine.throw_error(job.key, "BOUNCED")
    assert [task.element_id for task in engine.user_tasks(instance.key)] == ["b"]
    assert engine.activate_jobs("mail", "w") == []


def test_an_escalation_on_the_border_lets_the_work_go_on(engine, deploy):
    deploy(
        "p",
        "start -> s -> end; e -> a -> end2",
        s=sub("start1 -> up -> b -> end1", up=throw(escalation("LATE"))),
        e=boundary("s", escalation("LATE"), interrupting=False),
    )
    assert {task.element_id for task in engine.user_tasks(engine.start("p").key)} == {"a", "b"}


def test_an_interrupting_escalation_ends_the_work(engine, deploy):
    deploy(
        "p",
        "start -> s -> end; e -> a -> end2",
        s=sub("start1 -> up -> b -> end1", up=throw(escalation("LATE"))),
        e=boundary("s", escalation("LATE")),
    )
    assert {task.element_id for task in engine.user_tasks(engine.start("p").key)} == {"a"}


def test_an_escalation_comes_through_a_call_activity_and_the_called_goes_on(engine, deploy):
    deploy(
        process("outer", "start -> c -> end; e -> a -> end2", c=call("inner"), e=boundary("c", escalation(), interrupting=False)),
        process("inner", "start -> up -> b -> end", up=throw(escalation("LATE"))),
    )
    engine.start("outer")
    assert {task.element_id for task in engine.user_tasks()} == {"a", "b"}


def test_an_uncaught_escalation_says_so_and_goes_on(engine, deploy):
    deploy("p", "start -> up -> a -> end", up=throw(escalation("LATE")))
    instance = engine.start("p")
    assert [incident.type for incident in engine.incidents(instance.key)] == ["UNHANDLED_ESCALATION"]
    assert [task.element_id for task in engine.user_tasks(instance.key)] == ["a"]


# --- interrupting, terminating, choosing ---------------------------------------------------------------------------------------


def test_an_interrupted_sub_process_does_not_run_on(engine, deploy, history, do):
    """The event and the next automatic step are both ready: completing ``a`` throws the signal and readies ``t``."""
    deploy(
        "p",
        "start -> s -> end; stop -> b -> end2",
        s=sub(
            "start1 -> a -> fork -> t -> u -> end1; fork -> fire -> end3",
            fork=both(),
            fire=throw(signal("stop")),
            t=script("1", "ran"),
            u=script("1", "ran_on"),
        ),
        stop=boundary("s", signal("stop")),
    )
    instance = do(engine.start("p"), "a")
    assert [task.element_id for task in engine.user_tasks(instance.key)] == ["b"]
    assert "ran_on" not in instance.variables
    states = dict(history(instance.key))
    assert states["s"] == "TERMINATED" and "u" not in states


def test_an_interrupting_event_sub_process_ends_the_rest_of_its_scope(engine, deploy, history):
    deploy(
        "p",
        "start -> fork -> a -> end1; fork -> b -> end2",
        fork=both(),
        stop=on("halt -> c -> end3", halt=start(message("stop"))),
        note=on("hear -> d -> end4", hear=start(message("note"), interrupting=False)),
    )
    instance = engine.start("p")
    engine.publish_message("stop")
    assert [task.element_id for task in engine.user_tasks(instance.key)] == ["c"]
    assert engine.publish_message("note") == engine.publish_message("stop") == 0
    assert history(instance.key).count(("a", "TERMINATED")) == 1


def test_a_quiet_event_sub_process_runs_beside_and_again(engine, deploy, do):
    deploy("p", "start -> a -> end", note=on("hear -> d -> end4", hear=start(message("note"), interrupting=False)))
    instance = engine.start("p")
    assert engine.publish_message("note", variables={"n": 1}) == engine.publish_message("note", variables={"n": 2}) == 1
    assert sorted(task.element_id for task in engine.user_tasks(instance.key)) == ["a", "d", "d"]
    assert "n" not in engine.instance(instance.key).variables
    do(instance, "a")
    assert engine.instance(instance.key).state == "ACTIVE"
    do(instance, "d")
    assert do(instance, "d").state == "COMPLETED"
    assert engine.publish_message("note") == 0


def test_a_timer_event_sub_process(engine, deploy, clock):
    deploy("p", "start -> a -> end", late=on("tick -> d -> end4", tick=start(timer("PT1H"))))
    instance = engine.start("p")
    clock.advance(HOUR)
    engine.run_due()
    assert [task.element_id for task in engine.user_tasks(instance.key)] == ["d"]


def test_a_quiet_boundary_message_may_come_again(engine, deploy):
    deploy("p", "start -> a -> end; m -> b -> end2", m=boundary("a", message("more"), interrupting=False))
    instance = engine.start("p")
    for count in (1, 2, 3):
        assert engine.publish_message("more") == 1
        assert len(engine.user_tasks(instance.key)) == 1 + count


def test_an_interrupted_call_ends_the_called_process(engine, deploy, clock):
    deploy(
        process("p", "start -> c -> end; late -> a -> end2", c=call("q"), late=boundary("c", timer("PT1H"))),
        process("q", "start -> b -> end"),
    )
    instance = engine.start("p")
    clock.advance(HOUR)
    engine.run_due()
    assert [task.element_id for task in engine.user_tasks()] == ["a"]
    assert [item.state for item in engine.instances("q")] == ["TERMINATED"]
    assert engine.instance(instance.key).state == "ACTIVE"


@pytest.mark.parametrize("one_by_one", [True, False])
def test_a_border_event_ends_all_repetitions(engine, deploy, clock, history, one_by_one):
    element = each(user(), "=[1, 2, 3]", "item", results="all", result="=item", one_by_one=one_by_one)
    deploy("p", "start -> a -> end; late -> b -> end2", a=element, late=boundary("a", timer("PT1H")))
    instance = engine.start("p")
    engine.complete(engine.user_tasks(instance.key)[0].key)
    clock.advance(HOUR)
    assert engine.run_due() == 1
    assert [task.element_id for task in engine.user_tasks(instance.key)] == ["b"]
    states = [state for element_id, state in history(instance.key) if element_id == "a"]
    assert states == ["COMPLETED"] + ["TERMINATED"] * (1 if one_by_one else 2)


def test_terminate_ends_its_own_scope_only(engine, deploy):
    deploy(
        "p",
        "start -> s -> a -> end",
        s=sub("start1 -> fork -> b -> end1; fork -> stop", fork=both(), stop=end(terminate())),
    )
    assert [task.element_id for task in engine.user_tasks(engine.start("p").key)] == ["a"]


def test_the_first_event_wins_and_the_others_are_forgotten(engine, deploy, clock, history):
    deploy(
        "p",
        "start -> g -> m -> a -> end; g -> t -> b -> end2; g -> s -> c -> end3",
        g=first(),
        m=catch(message("reply")),
        t=catch(timer("PT1H")),
        s=catch(signal("fire")),
    )
    instance = engine.start("p")
    clock.advance(HOUR)
    assert engine.run_due() == 1
    assert engine.publish_message("reply") == engine.broadcast_signal("fire") == 0
    assert history(instance.key)[1:] == [("g", "COMPLETED"), ("t", "COMPLETED"), ("b", "ACTIVE")]


def test_cancelling_ends_everything_also_what_was_called(engine, deploy, clock, history):
    deploy(
        process(
            "p",
            "start -> fork -> a -> end; fork -> c -> end2; fork -> j -> end3; fork -> t -> end4",
            fork=both(),
            a=user(),
            c=call("q"),
            j=service("mail"),
            t=catch(timer("PT1H")),
        ),
        process("q", "start -> b -> end; late -> end2", late=boundary("b", timer("PT1H"))),
    )
    instance = engine.start("p")
    ended = engine.cancel(instance.key, by="chief", reason="withdrawn")
    assert (ended.state, ended.ended_at) == ("TERMINATED", clock())
    assert {item.state for item in engine.instances()} == {"TERMINATED"}
    assert engine.user_tasks() == engine.activate_jobs("mail", "w") == []
    clock.advance(HOUR)
    assert engine.run_due() == 0
    assert {state for item in engine.instances() for _, state in history(item.key)} == {"COMPLETED", "TERMINATED"}


def test_an_outer_inclusive_join_waits_for_what_an_inner_one_sends(engine, deploy, history):
    deploy(
        "p",
        "start -> x -[true]-> s -> y; x -[true]-> u -[true]-> t -> v; u -[*]-> a -> v; v -> y; x -[*]-> b -> y; y -> end",
        x=some(),
        y=some(),
        u=some(),
        v=some(),
        s=script("1", "s"),
        t=script("1", "t"),
    )
    instance = engine.start("p")
    assert instance.state == "COMPLETED"
    assert history(instance.key).count(("end", "COMPLETED")) == 1
