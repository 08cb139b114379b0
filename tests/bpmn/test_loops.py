"""Standard loops (BPMN 2.0 §10.3.2, §13.3.6)."""

from __future__ import annotations

import pytest

from tests.bpmn.builder import (
    ad_hoc,
    again,
    boundary,
    call,
    conditional,
    end,
    error,
    escalation,
    mapped,
    message,
    process,
    receive,
    script,
    start,
    sub,
    throw,
    timer,
    user,
)
from tests.bpmn.stage import Stage


def counting():
    return script("{n: n + 1}")


@pytest.mark.parametrize(
    ("condition", "before", "maximum", "runs"),
    [
        ("=n < 3", False, None, 3),
        ("=n < 3", True, None, 3),
        ("=false", False, None, 1),
        ("=false", True, None, 0),
        ("=true", False, 4, 4),
        ("=true", True, 4, 4),
        (None, False, 2, 2),
        (None, True, 2, 2),
        ("=n < 3", False, 2, 2),
        ("=loopCounter < 5", False, None, 5),
        ("=loopCounter < 5", True, None, 5),
        ("=unknown", False, None, 1),
        ("=unknown", True, None, 0),
    ],
)
def test_it_runs_as_often_as_its_condition_and_maximum_say(condition, before, maximum, runs):
    stage = Stage.of("p", "start -> a -> end", a=again(counting(), condition, before=before, maximum=maximum)).start(n=0)
    assert stage.ended and (stage.variables["n"], stage.times("a"), stage.times("end")) == (runs, runs, 1)
    assert set(stage.variables) == {"n"}


def test_a_loop_of_tasks_for_people_waits_in_each_run():
    stage = Stage.of("p", "start -> a -> end", a=again(user(), "=not(ok)")).start(ok=False)
    stage.do("a").do("a")
    assert stage.open == ["a"]
    assert stage.do("a", ok=True).ended


def test_a_subprocess_loops_with_fresh_variables_of_its_own():
    inner = mapped(
        sub("s -> b -> e", s=start(), e=end(), b=script("{local: local + 1, total: total + local + 1}")), {"local": "=loopCounter * 10"}
    )
    stage = Stage.of("p", "start -> a -> end", a=again(inner, "=loopCounter < 3")).start(total=0)
    assert stage.ended and stage.variables == {"total": 66}


def test_a_call_activity_loops():
    stage = Stage.of(
        process("p", "start -> a -> end", a=again(call("c"), "=n < 3")), process("c", "start -> b -> w -> end", b=counting(), w=user())
    ).start("p", n=0)
    stage.do("w").do("w").do("w")
    assert stage.ended and stage.variables["n"] == 3


def test_a_receive_task_and_an_ad_hoc_subprocess_loop():
    stage = Stage.of(
        "p", "start -> a -> b -> end", a=again(receive(message("M")), maximum=2), b=again(ad_hoc("c", c=user()), maximum=2)
    ).start()
    stage.message("M").message("M").do("c").do("c")
    assert stage.ended


@pytest.mark.parametrize("event", ["timer", "conditional", "error"])
def test_an_event_on_its_border_ends_the_whole_loop(event):
    definition = {"timer": timer("PT1H"), "conditional": conditional("=stop"), "error": error("E")}[event]
    stage = Stage.of("p", "start -> a -> end; x -> after -> end2", a=again(user(), maximum=9), x=boundary("a", definition)).start(
        stop=False
    )
    stage.do("a")
    {"timer": lambda: stage.fire("x"), "conditional": lambda: stage.set(stop=True), "error": lambda: stage.fail("a", "E")}[event]()
    assert stage.open == ["after"] and stage.waits == []


def test_an_event_that_does_not_interrupt_leaves_the_loop_running():
    inner = sub("s -> t -> w -> e", s=start(), e=end(), t=throw(escalation("E")), w=user())
    stage = Stage.of(
        "p",
        "start -> a -> end; x -> n -> end2",
        a=again(inner, maximum=2),
        x=boundary("a", escalation("E"), interrupting=False),
        n=counting(),
    ).start(n=0)
    stage.do("w").do("w")
    assert stage.ended and stage.variables["n"] == 2


def test_the_timer_on_the_border_runs_over_all_rounds():
    stage = Stage.of("p", "start -> a -> end; x -> after -> end2", a=again(user(), maximum=3), x=boundary("a", timer("PT1H"))).start()
    assert stage.waits == ["x"]
    stage.do("a")
    assert stage.waits == ["x"]


def test_outputs_are_seen_by_the_condition():
    stage = Stage.of("p", "start -> a -> end", a=again(mapped(user(), outputs={"done": "=answer = 7"}), "=not(done)")).start(done=False)
    stage.do("a", answer=1)
    assert stage.open == ["a"]
    assert stage.do("a", answer=7).ended


def test_a_failing_run_is_retried_and_counted_once():
    stage = Stage.of("p", "start -> a -> end", a=again(script("s", None), "=loopCounter < 3")).start(s=1)
    assert stage.incidents == [("a", "SCRIPT_ERROR")]
    stage.set(s={"x": 1})
    stage.retry("a")
    assert stage.ended and stage.times("a") == 3


def test_a_loop_in_a_loop():
    inner = sub("s -> b -> e", s=start(), e=end(), b=again(counting(), "=loopCounter < 2"))
    stage = Stage.of("p", "start -> a -> end", a=again(inner, "=loopCounter < 3")).start(n=0)
    assert stage.ended and stage.variables == {"n": 6}
