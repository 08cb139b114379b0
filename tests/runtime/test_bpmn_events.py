"""Multiple and conditional events, event sub-processes, instantiating gateways against the database."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.bpmn.builder import (
    both,
    boundary,
    call,
    catch,
    conditional,
    each,
    end,
    escalation,
    first,
    message,
    on,
    process,
    receive,
    signal,
    start,
    sub,
    throw,
    timer,
    user,
)

HOUR = timedelta(hours=1)
PARTS = (message("M"), signal("S"), timer("PT1H"))


@pytest.fixture
def happen(engine, clock):
    """Let one of the three things happen."""

    def run(which: int) -> None:
        if which == 0:
            engine.publish_message("M", variables={"m": 1})
        elif which == 1:
            engine.broadcast_signal("S", {"s": 1})
        else:
            clock.advance(HOUR)
            engine.run_due()

    return run


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
@pytest.mark.parametrize("position", ["catch", "boundary", "event sub-process", "gateway"])
def test_a_parallel_multiple_event_needs_all_in_any_order_each_in_its_own_command(engine, deploy, tasks, happen, order, position):
    if position == "catch":
        deploy("p", "start -> x -> after -> end", x=catch(*PARTS, all_needed=True))
    elif position == "boundary":
        deploy("p", "start -> a -> end; x -> after -> end2", a=user(), x=boundary("a", *PARTS, all_needed=True))
    elif position == "gateway":
        deploy(
            "p",
            "start -> g; g -> x -> after -> end; g -> y -> end2",
            g=first(),
            x=catch(*PARTS, all_needed=True),
            y=catch(message("other")),
        )
    else:
        deploy("p", "start -> a -> end", a=user(), x_=on("x -> after -> e2", x=start(*PARTS, all_needed=True), e2=end()))
    instance = engine.start("p")
    for which in order:
        assert "after" not in tasks(instance.key)
        happen(which)
    assert set(tasks(instance.key)) == {"after"}
    assert engine.publish_message("M") == 0 and engine.run_due() == 0


@pytest.mark.parametrize("which", [0, 1, 2])
def test_of_a_multiple_event_the_first_counts_and_the_others_are_forgotten(engine, deploy, tasks, happen, which):
    deploy("p", "start -> x -> after -> end", x=catch(*PARTS))
    instance = engine.start("p")
    happen(which)
    assert set(tasks(instance.key)) == {"after"}
    assert engine.publish_message("M") == 0 and engine.broadcast_signal("S") == 0


def test_a_multiple_start_event_starts_by_each_of_its_parts(engine, deploy):
    deploy("p", "start -> a -> end", start=start(message("M"), signal("S")))
    engine.publish_message("M")
    engine.broadcast_signal("S")
    assert len(engine.instances("p")) == 2


def test_a_parallel_multiple_start_event_begins_one_instance_that_waits_for_the_rest(engine, deploy, tasks):
    deploy("p", "start -> a -> end", start=start(message("M"), message("N"), all_needed=True))
    engine.publish_message("N", variables={"n": 1})
    (instance,) = engine.instances("p")
    assert tasks(instance.key) == {}
    engine.publish_message("M", variables={"m": 2})
    assert len(engine.instances("p")) == 1 and set(tasks(instance.key)) == {"a"}
    assert engine.instance(instance.key).variables == {"n": 1, "m": 2}


def test_the_border_still_listens_while_an_interrupting_event_subprocess_runs(engine, deploy, tasks, clock):
    inner = sub("s -> a -> e", s=start(), e=end(), a=user(), es_=on("es -> h -> he", es=start(signal("S")), he=end(), h=user()),
                es2_=on("es2 -> h2 -> he2", es2=start(message("M")), he2=end(), h2=user()))  # fmt: skip
    deploy("p", "start -> x -> end; b -> after -> end2", x=inner, b=boundary("x", timer("PT1H")))
    instance = engine.start("p")
    engine.broadcast_signal("S")
    assert engine.publish_message("M") == 0
    assert engine.broadcast_signal("S") == 0
    assert set(tasks(instance.key)) == {"h"}
    clock.advance(HOUR)
    assert engine.run_due() == 1
    assert set(tasks(instance.key)) == {"after"}


def test_an_instantiating_gateway_starts_by_the_first_of_its_events(engine, deploy, tasks):
    deploy(
        "p",
        "g -> m -> a -> e1; g -> s -> b -> e2",
        g=first(instantiate=True),
        m=catch(message("M")),
        s=catch(message("S")),
        e1=end(),
        e2=end(),
    )
    assert engine.publish_message("S", variables={"x": 1}) == 1
    (instance,) = engine.instances("p")
    assert set(tasks(instance.key)) == {"b"} and instance.variables == {"x": 1}


def test_a_parallel_instantiating_gateway_needs_the_others_too(engine, deploy, tasks):
    deploy(
        "p",
        "g -> m -> a -> e1; g -> s -> b -> e2",
        g=first(instantiate=True, all_needed=True),
        m=catch(message("M")),
        s=catch(message("S")),
        e1=end(),
        e2=end(),
    )
    engine.publish_message("S")
    (instance,) = engine.instances("p")
    assert set(tasks(instance.key)) == {"b"}
    engine.publish_message("M")
    assert len(engine.instances("p")) == 1 and set(tasks(instance.key)) == {"a", "b"}


def test_an_instantiating_receive_task_starts_each_time(engine, deploy):
    deploy("p", "r -> a", r=receive(message("M"), instantiate=True))
    engine.publish_message("M")
    engine.publish_message("M")
    assert len(engine.instances("p")) == 2


@pytest.mark.parametrize("how", ["task", "message", "signal", "outside"])
def test_a_condition_is_asked_after_every_command(engine, deploy, do, tasks, how):
    deploy("p", "start -> f; f -> c -> after -> end; f -> a -> end2; f -> m -> end3; f -> s -> end4", f=both(), c=catch(conditional("=go")),
           m=catch(message("M")), s=catch(signal("S")))  # fmt: skip
    instance = engine.start("p", {"go": False})
    if how == "task":
        do(instance, "a", go=True)
    elif how == "message":
        engine.publish_message("M", variables={"go": True})
    elif how == "signal":
        engine.broadcast_signal("S", {"go": True})
    else:
        engine.set_variables(instance.key, {"go": True})
    assert "after" in tasks(instance.key)


def test_an_escalation_of_each_called_process_of_a_multi_instance_call_is_heard(engine, deploy, tasks):
    deploy(
        process("p", "start -> k -> end; b -> h -> end2", k=each(call("c"), times="=3"), b=boundary("k", escalation("E"), interrupting=False)),
        process("c", "start -> t -> end", t=throw(escalation("E"))),
    )  # fmt: skip
    instance = engine.start("p")
    assert [task.element_id for task in engine.user_tasks(instance.key)] == ["h", "h", "h"]


def test_a_cycle_of_an_event_subprocess_stops_with_its_scope(engine, deploy, do, tasks, clock):
    inner = sub(
        "s -> a -> e",
        s=start(),
        e=end(),
        a=user(),
        es_=on("es -> h -> he", es=start(timer(cycle="R/PT1H"), interrupting=False), he=end(), h=user()),
    )
    deploy("p", "start -> x -> after -> end", x=inner)
    instance = engine.start("p")
    for _ in range(2):
        clock.advance(HOUR)
        assert engine.run_due() == 1
    assert sorted(task.element_id for task in engine.user_tasks(instance.key)) == ["a", "h", "h"]
    for _ in range(3):
        engine.complete(engine.user_tasks(instance.key)[0].key)
    assert set(tasks(instance.key)) == {"after"}
    clock.advance(HOUR)
    assert engine.run_due() == 0
