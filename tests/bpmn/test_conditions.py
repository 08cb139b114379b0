"""Conditional events (BPMN 2.0 tables 10.84 and 10.93): they fire when their condition becomes true."""

from __future__ import annotations

import pytest

from tests.bpmn.builder import (
    both,
    boundary,
    catch,
    conditional,
    each,
    end,
    first,
    mapped,
    message,
    on,
    script,
    start,
    sub,
    timer,
    user,
    xor,
)
from tests.bpmn.stage import Stage


@pytest.mark.parametrize("how", ["outside", "task", "script", "message"])
def test_a_catch_event_goes_on_when_its_condition_becomes_true_whoever_sets_it(how):
    stage = Stage.of(
        "p", "start -> f; f -> c -> after -> end; f -> a -> s -> end2; f -> m -> end3", f=both(), c=catch(conditional("=go")),
        s=script("{go: ready = 1}"), m=catch(message("M")),
    ).start(go=False)  # fmt: skip
    assert stage.open == ["a"]
    {
        "outside": lambda: stage.set(go=True),
        "task": lambda: stage.do("a", go=True),
        "script": lambda: stage.do("a", ready=1),
        "message": lambda: stage.message("M", go=True),
    }[how]()
    assert "after" in stage.open


def test_one_that_is_true_already_passes_at_once():
    assert Stage.of("p", "start -> c -> end", c=catch(conditional("=go"))).start(go=True).ended


def test_null_is_not_true():
    assert not Stage.of("p", "start -> c -> end", c=catch(conditional("=go"))).start().ended
    assert not Stage.of("p", "start -> c -> end", c=catch(conditional("=go"))).start(go="true").ended


@pytest.mark.parametrize("host", ["user", "sub", "multi"])
def test_an_interrupting_one_on_a_border_ends_the_activity(host):
    made = {"user": user, "sub": lambda: sub("s -> w -> e", s=start(), e=end(), w=user()), "multi": lambda: each(user(), times="=2")}[
        host
    ]()
    stage = Stage.of("p", "start -> a -> end; x -> after -> end2", a=made, x=boundary("a", conditional("=go"))).start(go=False).set(go=True)
    assert stage.open == ["after"] and "a" in stage.killed
    assert stage.do("after").ended


def test_one_that_does_not_interrupt_fires_once_for_each_time_it_becomes_true():
    stage = Stage.of("p", "start -> a -> end; x -> h -> end2", a=user(), x=boundary("a", conditional("=n > 2"), interrupting=False)).start(
        n=0
    )
    for value, fired in ((1, 0), (3, 1), (4, 1), (2, 1), (3, 2), (5, 2)):
        stage.set(n=value)
        assert stage.open.count("h") == fired, value
    stage.do("a").do("h").do("h")
    assert stage.ended


def test_an_event_subprocess_fires_once_for_each_time_too():
    stage = Stage.of(
        "p", "start -> a -> end", es_=on("es -> h -> he", es=start(conditional("=go"), interrupting=False), he=end(), h=user())
    ).start(go=True)  # fmt: skip
    assert stage.open == ["a", "h"]
    stage.set(go=True).set(go=False).set(go=True)
    assert stage.open == ["a", "h", "h"]


def test_a_condition_sees_the_variables_of_its_scope():
    inner = mapped(
        sub("s -> w -> e", s=start(), e=end(), w=user(), es_=on("es -> h -> he", es=start(conditional("=local")), he=end(), h=user())),
        {"local": "=false"},
    )
    stage = Stage.of("p", "start -> x -> end", x=inner).start(local=True)
    assert stage.open == ["w"]
    stage.set(local=False).set(local=True)
    assert stage.open == ["w"]


def test_a_condition_set_inside_its_scope_interrupts_it_before_the_next_step():
    inner = mapped(
        sub("s -> w -> t -> never -> e", s=start(), e=end(), w=user(), t=script("{local: true}"), never=script("{}")), {"local": "=false"}
    )
    stage = Stage.of("p", "start -> x -> end; b -> after -> end2", x=inner, b=boundary("x", conditional("=local"))).start().do("w")
    assert stage.open == ["after"] and stage.times("never") == 0


def test_behind_an_event_based_gateway_the_first_wins():
    flows = "start -> g; g -> c -> a -> e1; g -> t -> b -> e2; g -> m -> d -> e3"
    made = {
        "g": first(),
        "c": catch(conditional("=go")),
        "t": catch(timer("PT1H")),
        "m": catch(message("M")),
        "e1": end(),
        "e2": end(),
        "e3": end(),
    }
    assert Stage.of("p", flows, **made).start(go=False).set(go=True).open == ["a"]
    assert Stage.of("p", flows, **made).start(go=False).fire("t").set(go=True).open == ["b"]
    assert Stage.of("p", flows, **made).start(go=False).message("M").set(go=True).open == ["d"]
    assert Stage.of("p", flows, **made).start(go=True).open == ["a"]


def test_one_that_waits_again_in_a_loop_looks_afresh():
    stage = Stage.of("p", "start -> m -> c -> a -> x -[n < 2]-> m; x -[*]-> end", m=xor(), x=xor(), c=catch(conditional("=go"))).start(
        go=True, n=0
    )
    assert stage.open == ["a"]
    stage.do("a", n=1)
    assert stage.open == ["a"]
    assert stage.do("a", n=2).ended


def test_two_conditions_that_become_true_together_both_fire():
    stage = Stage.of(
        "p", "start -> a -> end; x -> h -> end2; y -> k -> end3", a=user(), x=boundary("a", conditional("=go"), interrupting=False),
        y=boundary("a", conditional("=go"), interrupting=False),
    ).start(go=False).set(go=True)  # fmt: skip
    assert stage.open == ["a", "h", "k"]


def test_a_start_event_with_a_condition_can_also_be_started_by_hand():
    stage = Stage.of("p", "start -> a -> end", start=start(conditional("=go"))).start()
    assert stage.open == ["a"]


def test_a_condition_that_cannot_be_evaluated_stops_its_element_and_not_the_command():
    hostile = '=if go then count(for i in 1..10000000 return matches("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", "(a+)+$")) > 0 else false'
    stage = Stage.of("p", "start -> f; f -> c -> end; f -> a -> end2", f=both(), c=catch(conditional(hostile))).start(go=False)
    stage.set(go=True)
    assert [element for element, _ in stage.incidents] == ["c"]
    stage.do("a")
    stage.set(go=False)
    stage.retry("c")
    assert stage.incidents == [] and not stage.ended
