"""Errors and escalations: who catches, what is ended, what goes on (BPMN 2.0 §10.5.6, §13.5.3)."""

from __future__ import annotations

import pytest

from tests.bpmn.builder import (
    both,
    boundary,
    call,
    each,
    end,
    error,
    escalation,
    on,
    process,
    script,
    start,
    sub,
    terminate,
    throw,
    transaction,
    user,
)
from tests.bpmn.stage import Stage


def failing(name: str = "E") -> object:
    return sub("s -> e", s=start(), e=end(error(name)))


def test_the_innermost_catcher_with_the_code_goes_before_a_catch_all_in_the_same_place():
    stage = Stage.of(
        "p", "start -> o -> end; far -> a -> e1; x -> b -> e2; y -> c -> e3", far=boundary("o", error("E")), e1=end(), e2=end(), e3=end(),
        o=sub("so -> i -> eo; all -> w -> ew; own -> v -> ev", so=start(), eo=end(), ew=end(), ev=end(), w=user(), v=user(), i=failing(),
              all=boundary("i", error()), own=boundary("i", error("E"))),
        x=boundary("o", error()), y=boundary("o", error("F")),
    ).start()  # fmt: skip
    assert stage.open == ["v"]


def test_a_foreign_code_goes_on_outwards():
    stage = Stage.of(
        "p", "start -> o -> end; far -> a -> e1", far=boundary("o", error("E")), e1=end(),
        o=sub("so -> i -> eo; own -> v -> ev", so=start(), eo=end(), ev=end(), v=user(), i=failing(), own=boundary("i", error("F"))),
    ).start()  # fmt: skip
    assert stage.open == ["a"]


@pytest.mark.parametrize("container", ["sub", "transaction", "each", "call"])
def test_an_error_ends_everything_in_the_activity_it_leaves(container):
    flows, parts = (
        "s -> f; f -> w -> e; f -> v -> e2",
        {"s": start(), "f": both(), "e": end(), "e2": end(error("E")), "w": user(), "v": user()},
    )
    child = process("c", flows, **parts)
    made = {"sub": lambda: sub(flows, **parts), "transaction": lambda: transaction(flows, **parts), "each": lambda: each(sub(flows, **parts), times="=2"),
            "call": lambda: call("c")}[container]()  # fmt: skip
    stage = Stage.of(process("p", "start -> x -> end; b -> after -> end2", x=made, b=boundary("x", error("E"))), child).start("p")
    stage.do("v")
    assert stage.open == ["after"] and stage.killed.count("w") == (2 if container == "each" else 1)
    assert stage.do("after").ended


def test_an_error_passes_several_called_processes():
    stage = Stage.of(
        process("p", "start -> k -> end; b -> after -> end2", k=call("c"), b=boundary("k", error("E"))), process("c", "start -> k2 -> end", k2=call("d")),
        process("d", "start -> w -> e", e=end(error("E"))),
    ).start("p")  # fmt: skip
    stage.do("w")
    assert stage.open == ["after"]
    assert stage.do("after").ended


def test_an_event_subprocess_inside_goes_before_the_border():
    stage = Stage.of(
        "p", "start -> x -> end; b -> after -> end2", b=boundary("x", error()),
        x=sub("s -> w -> e", s=start(), e=end(), w=user(), es_=on("es -> h -> he", es=start(error("E")), he=end(), h=user())),
    ).start()  # fmt: skip
    stage.fail("w", "E")
    assert stage.open == ["h"]
    assert Stage(stage.specs).start().fail("w", "other").open == ["after"]


def test_an_error_that_brings_variables():
    stage = Stage.of("p", "start -> a -> end; b -> end2", b=boundary("a", error("E"))).start().fail("a", "E", reason="late")
    assert stage.ended and stage.variables == {"reason": "late"}


@pytest.mark.parametrize("position", ["throw", "end"])
def test_an_escalation_that_does_not_interrupt_leaves_the_thrower_going(position):
    inner = (
        sub("s -> t -> w -> e", s=start(), e=end(), t=throw(escalation("E")), w=user())
        if position == "throw"
        else sub("s -> e", s=start(), e=end(escalation("E")))
    )
    stage = Stage.of(
        "p", "start -> x -> after -> end; b -> h -> end2", x=inner, b=boundary("x", escalation("E"), interrupting=False)
    ).start()
    assert stage.open == (["h", "w"] if position == "throw" else ["after", "h"])


@pytest.mark.parametrize("position", ["throw", "end"])
def test_an_interrupting_escalation_ends_the_activity(position):
    inner = (
        sub("s -> t -> w -> e", s=start(), e=end(), t=throw(escalation("E")), w=user())
        if position == "throw"
        else sub("s -> e", s=start(), e=end(escalation("E")))
    )
    stage = Stage.of("p", "start -> x -> after -> end; b -> h -> end2", x=inner, b=boundary("x", escalation("E"))).start()
    assert stage.open == ["h"] and "x" in stage.killed


def test_a_terminate_end_event_ends_its_own_scope_and_only_that():
    stage = Stage.of(
        "p", "start -> f; f -> a -> end; f -> x -> after -> end2", f=both(),
        x=sub("s -> g; g -> w -> e; g -> v -> stop", s=start(), g=both(), e=end(), stop=end(terminate()), w=user(), v=user()),
    ).start()  # fmt: skip
    stage.do("v")
    assert stage.open == ["a", "after"] and stage.killed == ["w"]


def test_a_terminate_end_event_at_top_level_ends_everything_and_called_processes_with_it():
    stage = Stage.of(
        process("p", "start -> f; f -> k -> end; f -> m -> end3; f -> a -> stop", f=both(), k=call("c"), m=each(user(), times="=3"), stop=end(terminate())),
        process("c", "start -> w -> end"),
    ).start("p")  # fmt: skip
    stage.do("a")
    assert stage.open == [] and stage.ended


def test_terminating_a_called_process_returns_to_the_caller():
    stage = Stage.of(
        process("p", "start -> k -> after -> end", k=call("c")),
        process("c", "start -> f; f -> w -> end; f -> v -> stop", f=both(), stop=end(terminate())),
    ).start("p")
    assert stage.do("v").open == ["after"]


def test_an_error_in_a_script_after_a_boundary_event_belongs_to_the_outer_scope():
    stage = Stage.of(
        "p", "start -> x -> end; b -> e2; c -> after -> end3", x=sub("s1 -> i -> e1; ib -> ie", s1=start(), e1=end(), i=failing(), ib=boundary("i", error("E")), ie=end(error("F"))),
        b=boundary("x", error("E")), e2=end(), c=boundary("x", error("F")),
    ).start()  # fmt: skip
    assert stage.open == ["after"]


def test_an_error_end_event_that_nobody_catches_ends_the_other_threads_of_its_scope():
    """BPMN 2.0 §10.5.3: all threads of the (sub-)process are ended; what more happens without a catcher is left to the engine: an incident."""
    stage = (
        Stage.of("p", "start -> f; f -> a -> end; f -> x -> end3; f -> b -> e", f=both(), x=each(user(), times="=2"), e=end(error("E")))
        .start()
        .do("b")
    )
    assert stage.incidents == [("e", "UNHANDLED_ERROR")] and stage.open == [] and sorted(set(stage.killed)) == ["a", "x"]
    inner = sub("s -> g; g -> v -> e2; g -> w -> e", s=start(), g=both(), e2=end(), e=end(error("E")), v=user(), w=user())
    stage = Stage.of("p", "start -> f; f -> a -> end; f -> x -> end3", f=both(), x=inner).start().do("w")
    assert stage.incidents == [("e", "UNHANDLED_ERROR")] and stage.open == ["a"] and stage.killed == ["v"]


def test_an_uncaught_escalation_is_noted_and_the_process_goes_on():
    stage = Stage.of("p", "start -> t -> a -> end", t=throw(escalation("E"))).start()
    assert stage.open == ["a"] and stage.incidents == [("t", "UNHANDLED_ESCALATION")]


def test_a_script_in_the_handler_runs_in_the_scope_of_the_boundary_event():
    stage = Stage.of("p", "start -> x -> end; b -> r -> end2", x=failing(), b=boundary("x", error("E")), r=script("{done: true}")).start()
    assert stage.ended and stage.variables == {"done": True}
