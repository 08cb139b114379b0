"""Incidents and their retries, endless loops, deep nesting: nothing is lost, nothing is done twice."""

from __future__ import annotations

import pytest

from engine.bpmn import execution as execution_module
from tests.bpmn.builder import (
    boundary,
    call,
    compensate,
    conditional,
    each,
    end,
    error,
    mapped,
    process,
    script,
    signal,
    start,
    sub,
    throw,
    timer,
    undoing,
    undone_by,
    user,
    xor,
)
from tests.bpmn.stage import Stage


def test_a_script_that_failed_runs_again_and_counts_once():
    stage = Stage.of("p", "start -> a -> b -> end", a=script("s"), b=script("{n: n + 1}")).start(s=None, n=0)
    assert stage.incidents == [("a", "SCRIPT_ERROR")] and not stage.ended
    stage.retry("a")
    assert stage.incidents == [("a", "SCRIPT_ERROR")]
    stage.set(s={"n": 5})
    stage.retry("a")
    assert stage.ended and stage.variables["n"] == 6 and stage.times("a") == 1


def test_a_choice_that_failed_after_the_work_does_not_repeat_the_work():
    stage = Stage.of("p", "start -> a -[x = 1]-> b -> end; a -[x = 2]-> c -> end2", a=script("{n: n + 1}")).start(n=0, x=0)
    assert stage.incidents == [("a", "CONDITION_ERROR")]
    stage.set(x=2)
    stage.retry("a")
    assert stage.open == ["c"] and stage.variables["n"] == 1


def test_a_user_task_whose_way_on_fails_is_not_opened_again():
    stage = Stage.of("p", "start -> a -> g -[x = 1]-> b -> end; g -[x = 2]-> c -> end2", g=xor()).start(x=0).do("a")
    assert stage.incidents == [("g", "CONDITION_ERROR")]
    stage.set(x=1)
    stage.retry("g")
    assert stage.open == ["b"] and stage.times("a") == 1


def test_a_boundary_event_still_ends_an_activity_that_stands_in_an_incident():
    stage = Stage.of("p", "start -> a -> end; x -> after -> end2", a=script("s"), x=boundary("a", timer("PT1H"))).start(s=1)
    assert stage.incidents and stage.waits == ["x"]
    assert stage.fire("x").open == ["after"]
    assert stage.waits == []


def test_a_retried_activity_has_its_boundary_events_once():
    stage = Stage.of(
        "p", "start -> a -> end; x -> e2; y -> h -> e3", a=each(user(), "=list"), x=boundary("a", timer("PT1H")),
        y=boundary("a", conditional("=go"), interrupting=False), e2=end(), e3=end(),
    ).start(list=1, go=False)  # fmt: skip
    stage.set(list=[1, 2])
    stage.retry("a")
    assert stage.waits == ["x"] and stage.open == ["a", "a"]
    stage.set(go=True)
    assert stage.open == ["a", "a", "h"]


def test_an_uncaught_error_is_an_incident_and_a_retry_throws_it_again():
    stage = Stage.of("p", "start -> f -> end", f=sub("s -> e", s=start(), e=end(error("E")))).start()
    assert stage.incidents == [("e", "UNHANDLED_ERROR")]
    stage.retry("e")
    assert stage.incidents == [("e", "UNHANDLED_ERROR")]


def test_a_user_task_that_threw_an_uncaught_error_is_opened_anew():
    stage = Stage.of("p", "start -> a -> end").start().fail("a", "E")
    assert stage.incidents == [("a", "UNHANDLED_ERROR")]
    stage.retry("a")
    assert stage.open == ["a"] and stage.do("a").ended


def test_a_signal_thrown_before_a_failing_choice_is_thrown_once():
    stage = Stage.of("p", "start -> t -> g -[go]-> end", t=throw(signal("S")), g=xor()).start(go=False)
    stage.set(go=True)
    stage.retry("g")
    assert stage.sent == ["S"] and stage.ended


def test_an_endless_loop_is_stopped_and_can_be_taken_up(monkeypatch):
    monkeypatch.setattr(execution_module, "MAX_STEPS", 50)
    stage = Stage.of("p", "start -> m -> a -> x -[go]-> m; x -[*]-> end", m=xor(), x=xor(), a=script("{n: n + 1}")).start(n=0, go=True)
    assert [kind for _, kind in stage.incidents] == ["ENDLESS_LOOP"]
    (element, _) = stage.incidents[0]
    stage.set(go=False)
    stage.retry(element)
    assert stage.ended and stage.times("a") == stage.variables["n"]


def test_an_endless_loop_beside_another_branch_stops_neither_for_ever(monkeypatch):
    monkeypatch.setattr(execution_module, "MAX_STEPS", 50)
    from tests.bpmn.builder import both

    stage = Stage.of(
        "p", "start -> f; f -> m -> a -> x -[go]-> m; x -[*]-> end; f -> b -> c -> end2", f=both(), m=xor(), x=xor(), a=script("{n: n + 1}"), b=script("{}")
    ).start(n=0, go=True)  # fmt: skip
    stage.set(go=False)
    stage.retry(stage.incidents[0][0])
    stage.do("c")
    assert stage.ended


@pytest.mark.parametrize("depth", [50, 190])
def test_deeply_nested_subprocesses_open_and_close(depth):
    made = sub("s0 -> w -> e0", s0=start(), e0=end(), w=user())
    for n in range(1, depth):
        made = sub(f"s{n} -> x{n} -> e{n}", **{f"s{n}": start(), f"e{n}": end(), f"x{n}": made})
    stage = Stage.of("p", "start -> x -> end; b -> after -> end2", x=made, b=boundary("x", timer("PT1H"))).start()
    assert stage.open == ["w"]
    other = Stage(stage.specs).start().fire("b")
    assert other.open == ["after"] and other.killed.count("w") == 1
    assert stage.do("w").ended


def test_deeply_nested_repetition_opens_and_closes():
    made = each(user(), times="=1")
    for n in range(60):
        made = each(sub(f"s{n} -> x{n} -> e{n}", **{f"s{n}": start(), f"e{n}": end(), f"x{n}": made}), times="=1")
    assert Stage.of("p", "start -> x -> end", x=made).start().do("x0").ended


def test_a_deeply_nested_subprocess_can_be_undone():
    made = sub("s0 -> w -> e0", s0=start(), e0=end(), w=user(), on_w=undone_by("w", "u"), u=undoing(user()))
    for n in range(1, 60):
        made = sub(f"s{n} -> x{n} -> e{n}", **{f"s{n}": start(), f"e{n}": end(), f"x{n}": made})
    stage = Stage.of("p", "start -> x -> t -> end", x=made, t=throw(compensate())).start().do("w")
    assert stage.open == ["u"]
    assert stage.do("u").ended


def test_a_called_process_that_fails_is_called_anew_by_a_retry_of_the_caller():
    stage = Stage.of(
        process("p", "start -> k -> end", k=mapped(call("c"), {"n": "=n + 1"})), process("c", "start -> e", e=end(error("E")))
    ).start("p", n=1)
    assert stage.incidents == [("e", "UNHANDLED_ERROR")]


def test_ten_thousand_tokens_in_one_scope():
    stage = Stage.of("p", "start -> a -> end", a=each(script("{}"), times="=10000")).start()
    assert stage.ended and stage.times("a") == 10_000
