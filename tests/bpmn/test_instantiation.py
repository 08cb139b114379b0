"""What starts a process or a sub-process (BPMN 2.0 §10.5.2, §10.6.6, §13.1): none, implicit, several, by events."""

from __future__ import annotations

from tests.bpmn.builder import (
    both,
    call,
    catch,
    end,
    first,
    message,
    process,
    receive,
    script,
    signal,
    start,
    sub,
    task,
    timer,
    xor,
)
from tests.bpmn.stage import Stage


def begin(event: str, *what, **elements) -> Stage:
    """Start the process at ``event``, as a message or timer of its definition does."""
    stage = Stage.of(*what, **elements)
    stage.begin(next(iter(stage.specs)), {"brought": 1}, event)
    return stage._settle()


def test_without_a_start_event_everything_no_flow_leads_to_begins():
    stage = Stage.of("p", "a -> c; b -> c").start()
    assert stage.open == ["a", "b"]
    stage.do("a").do("b")
    assert stage.open == ["c", "c"]
    assert stage.do("c").do("c").ended


def test_without_an_end_event_it_ends_with_its_last_token():
    assert Stage.of("p", "a -> b").start().do("a").do("b").ended


def test_a_subprocess_without_start_and_end_events():
    stage = Stage.of("p", "start -> x -> end", x=sub("a -> b; c")).start()
    assert stage.open == ["a", "c"]
    assert stage.do("a").do("c").do("b").ended and stage.times("x") == 1


def test_a_lone_task_is_a_process():
    assert Stage.of("p", "a", a=task()).start().ended
    assert Stage.of("p", "start -> x -> end", x=sub("a", a=script("{}"))).start().ended


def test_of_several_start_events_one_begins():
    flows = "start -> a -> end; start2 -> b -> a; start3 -> c -> a"
    made = {"start2": start(message("M")), "start3": start(signal("S"))}
    assert Stage.of("p", flows, **made).start().open == ["a"]
    assert Stage.of("p", flows, **made).message("M").open == ["b"]
    assert Stage.of("p", flows, **made).signal("S").open == ["c"]
    assert begin("start2", "p", flows, **made).variables == {"brought": 1}


def test_only_events_and_no_none_start_begin_at_the_first_when_started_by_hand():
    assert Stage.of("p", "s1 -> a -> end; s2 -> b -> end", s1=start(message("M")), s2=start(timer("PT1H"))).start().open == ["a"]


def test_a_start_event_with_several_definitions_begins_at_each_of_them():
    stage = Stage.of("p", "start -> a -> end", start=start(message("M"), signal("S")))
    stage.message("M").signal("S")
    assert stage.open == ["a", "a"]


def test_a_parallel_multiple_start_event_goes_on_when_all_has_happened():
    stage = Stage.of("p", "start -> a -> end", start=start(message("M"), signal("S"), timer("PT1H"), all_needed=True))
    stage.begin("p", {"s": 1}, "start#1")
    stage._settle()
    assert stage.open == [] and stage.waits == ["start", "start#2"]
    stage.message("M", m=2)
    assert stage.open == [] and len(stage.actors) == 1
    stage.fire("start#2")
    assert stage.open == ["a"] and stage.variables == {"s": 1, "m": 2}
    assert stage.do("a").ended and stage.times("start") == 1


def test_a_parallel_multiple_event_behind_an_instantiating_gateway_needs_all_too():
    stage = Stage.of("p", "g -> m -> a -> e1; g -> s -> b -> e2", g=first(instantiate=True), m=catch(message("M"), message("N"), all_needed=True),
                     s=catch(signal("S")), e1=end(), e2=end())  # fmt: skip
    stage.begin("p", {}, "m#1")
    assert stage._settle().open == [] and stage.waits == ["m"]
    assert stage.message("M").open == ["a"] and len(stage.actors) == 1


def test_a_receive_task_starts_a_process():
    stage = Stage.of("p", "r -> a -> end", r=receive(message("M"), instantiate=True)).message("M", x=1)
    assert stage.open == ["a"] and stage.done[0] == "r" and stage.variables == {"x": 1}


def test_a_receive_task_that_started_the_process_waits_like_any_other_the_second_time():
    stage = Stage.of(
        "p",
        "r -> a -> x -[again]-> m; m -> r2 -> end; x -[*]-> end2",
        x=xor(),
        m=xor(),
        r=receive(message("M"), instantiate=True),
        r2=receive(message("N")),
    )
    stage.message("M").do("a", again=True)
    assert stage.waits == ["r2"]
    assert stage.message("N").ended


def test_an_event_based_gateway_starts_a_process_by_its_first_event():
    flows = "g -> m -> a -> e1; g -> s -> b -> e2; g -> r -> c -> e3"
    made = {
        "g": first(instantiate=True),
        "m": catch(message("M")),
        "s": catch(signal("S")),
        "r": catch(message("R")),
        "e1": end(),
        "e2": end(),
        "e3": end(),
    }
    assert Stage.of("p", flows, **made).message("M").open == ["a"]
    assert Stage.of("p", flows, **made).signal("S").open == ["b"]
    stage = Stage.of("p", flows, **made).message("R", x=1)
    assert stage.open == ["c"] and stage.waits == [] and stage.done == ["g", "r"] and stage.variables == {"x": 1}


def test_a_parallel_one_needs_all_its_events():
    """BPMN 2.0 §10.6.6: the first starts the process, which is done only when all have happened."""
    flows = "g -> m -> a -> e1; g -> s -> b -> e2; g -> r -> c -> e3"
    made = {"g": first(instantiate=True, all_needed=True), "m": catch(message("M")), "s": catch(signal("S")), "r": catch(message("R")),
            "e1": end(), "e2": end(), "e3": end()}  # fmt: skip
    stage = Stage.of("p", flows, **made)
    stage.begin("p", {}, "s")
    stage._settle()
    assert stage.open == ["b"] and stage.waits == ["m", "r"]
    stage.message("R").message("M")
    assert stage.open == ["a", "b", "c"] and len(stage.actors) == 1
    assert stage.do("a").do("b").do("c").ended


def test_a_called_process_begins_at_its_none_start_event():
    stage = Stage.of(
        process("p", "start -> k -> end", k=call("c")), process("c", "s2 -> b -> end; start -> a -> end", s2=start(message("M")))
    ).start("p")  # fmt: skip
    assert stage.open == ["a"]


def test_a_start_event_may_lead_several_ways():
    stage = Stage.of("p", "start -> a -> j; start -> b -> j; j -> end", j=both()).start()
    assert stage.open == ["a", "b"]
    assert stage.do("a").do("b").ended and stage.times("end") == 1
