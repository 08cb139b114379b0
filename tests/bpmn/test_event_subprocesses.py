"""Event sub-processes (BPMN 2.0 §10.3.3, §13.5.4): interrupting or not, in every container, by every kind of event."""

from __future__ import annotations

import pytest

from tests.bpmn.builder import (
    both,
    boundary,
    conditional,
    each,
    end,
    error,
    escalation,
    mapped,
    message,
    on,
    process,
    script,
    signal,
    start,
    sub,
    terminate,
    throw,
    timer,
    transaction,
    user,
)
from tests.bpmn.stage import Stage


def triggers(stage: Stage, kind: str) -> Stage:
    """Let the event of ``kind`` happen."""
    return {
        "message": lambda: stage.message("M", got=1),
        "signal": lambda: stage.signal("M", got=1),
        "timer": lambda: stage.fire("es"),
        "conditional": lambda: stage.set(go=True),
        "escalation": lambda: stage.escalate("a", "E"),
        "error": lambda: stage.fail("a", "E"),
    }[kind]()


KINDS = {
    "message": message("M"),
    "signal": signal("M"),
    "timer": timer("PT1H"),
    "conditional": conditional("=go"),
    "escalation": escalation("E"),
    "error": error("E"),
}


def inside(container: str, flows: str, **elements) -> Stage:
    """``flows`` at top level or in a container ``x``."""
    if container == "process":
        return Stage.of("p", flows, **elements).start(go=False)
    made = {"sub": sub, "transaction": transaction, "multi": sub}[container](flows, **elements)
    return Stage.of(
        "p", "begin -> x -> finish", begin=start(), finish=end(), x=each(made, times="=1") if container == "multi" else made
    ).start(go=False)


CONTAINERS = ["process", "sub", "transaction", "multi"]


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("kind", list(KINDS))
def test_an_interrupting_one_ends_the_rest_of_its_scope(kind, container):
    stage = inside(container, "s -> f; f -> a -> e; f -> b -> e", s=start(), f=both(), e=end(), a=user(), b=user(),
                   es_=on("es -> h -> he", es=start(KINDS[kind]), he=end(), h=user()))  # fmt: skip
    triggers(stage, kind)
    assert stage.open == ["h"] and sorted(stage.killed) == ["a", "b"]
    assert stage.waits == []
    assert stage.do("h").ended
    if container != "process":
        assert stage.times("finish") == 1


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "error"])
def test_a_non_interrupting_one_runs_beside_and_its_scope_waits_for_it(kind, container):
    stage = inside(container, "s -> a -> e", s=start(), e=end(), a=user(),
                   es_=on("es -> h -> he", es=start(KINDS[kind], interrupting=False), he=end(), h=user()))  # fmt: skip
    triggers(stage, kind)
    assert stage.open == ["a", "h"]
    stage.do("a")
    assert stage.open == ["h"] and not stage.ended
    assert stage.do("h").ended


@pytest.mark.parametrize("kind", ["message", "signal", "escalation"])
def test_a_non_interrupting_one_may_start_again_and_again(kind):
    stage = inside("sub", "s -> a -> e", s=start(), e=end(), a=user(),
                   es_=on("es -> h -> he", es=start(KINDS[kind], interrupting=False), he=end(), h=user()))  # fmt: skip
    for _ in range(3):
        triggers(stage, kind)
    assert stage.open == ["a", "h", "h", "h"]
    stage.do("a").do("h").do("h")
    # It still listens while one of them runs: its scope is still open.
    if kind != "escalation":
        triggers(stage, kind)
        stage.do("h")
    assert not stage.ended
    assert stage.do("h").ended


def test_a_cycle_starts_it_each_time():
    stage = inside("sub", "s -> a -> e", s=start(), e=end(), a=user(),
                   es_=on("es -> h -> he", es=start(timer(cycle="R/PT1H"), interrupting=False), he=end(), h=script("{n: n + 1}"))).set(n=0)  # fmt: skip
    stage.tick("es").tick("es")
    assert stage.variables["n"] == 2
    assert stage.do("a").ended


def test_the_events_on_the_border_still_listen_while_an_interrupting_one_runs():
    """The sub-process is active until its event sub-process is done (BPMN 2.0 §13.5.4), so its boundary events are too (§13.3.2)."""
    stage = Stage.of(
        "p", "start -> x -> end; b1 -> after -> end2; b2 -> beside -> end3; b3 -> late -> end4",
        x=sub("s -> a -> e", s=start(), e=end(), a=user(), es_=on("es -> h -> he", es=start(signal("S")), he=end(), h=user()),
              es2_=on("es2 -> h2 -> he2", es2=start(signal("T")), he2=end(), h2=user()),
              es3_=on("es3 -> h3 -> he3", es3=start(conditional("=go")), he3=end(), h3=user())),
        b1=boundary("x", timer("PT1H")), b2=boundary("x", signal("T"), interrupting=False), b3=boundary("x", conditional("=late"), interrupting=False),
    ).start(go=False, late=False)  # fmt: skip
    stage.signal("S").signal("T").set(go=True).set(late=True)
    assert stage.open == ["beside", "h", "late"]
    stage.fire("b1")
    assert stage.open == ["after", "beside", "late"]
    assert stage.do("after").do("beside").do("late").ended


def test_an_interrupting_one_runs_once_and_closes_the_others():
    stage = inside("sub", "s -> a -> e", s=start(), e=end(), a=user(), one_=on("one -> h -> he", one=start(signal("S")), he=end(), h=user()),
                   two_=on("two -> k -> ke", two=start(message("M")), ke=end(), k=user()),
                   three_=on("three -> l -> le", three=start(timer("PT1H"), interrupting=False), le=end(), l=user()))  # fmt: skip
    stage.signal("S").signal("S").message("M")
    assert stage.open == ["h"] and stage.waits == []
    assert stage.do("h").ended


def test_what_a_non_interrupting_one_began_is_ended_by_an_interrupting_one():
    stage = inside("sub", "s -> a -> e", s=start(), e=end(), a=user(),
                   one_=on("one -> h -> he", one=start(signal("S"), interrupting=False), he=end(), h=user()),
                   two_=on("two -> k -> ke", two=start(message("M")), ke=end(), k=user()))  # fmt: skip
    stage.signal("S").message("M")
    assert stage.open == ["k"] and sorted(stage.killed) == ["a", "h", "one_"]


def test_an_error_in_an_event_subprocess_goes_past_its_own_scope():
    stage = Stage.of(
        "p", "start -> x -> end; b -> after -> end2", b=boundary("x", error("E")),
        x=sub("s -> a -> e", s=start(), e=end(), a=user(), es_=on("es -> h -> he", es=start(error("E")), he=end(), h=user())),
    ).start()  # fmt: skip
    stage.fail("a", "E")
    assert stage.open == ["h"]
    stage.fail("h", "E")
    assert stage.open == ["after"]


def test_an_error_of_a_non_interrupting_one_is_caught_by_its_neighbour():
    stage = inside("sub", "s -> a -> e", s=start(), e=end(), a=user(),
                   one_=on("one -> h -> he", one=start(signal("S"), interrupting=False), he=end(), h=user()),
                   two_=on("two -> k -> ke", two=start(error()), ke=end(), k=user())).signal("S").fail("h", "any")  # fmt: skip
    assert stage.open == ["k"]


def test_event_subprocesses_may_be_nested():
    stage = inside("sub", "s -> a -> e", s=start(), e=end(), a=user(),
                   one_=on("one -> h -> he", one=start(signal("S")), he=end(), h=user(),
                           two_=on("two -> k -> ke", two=start(error("E")), ke=end(), k=user()))).signal("S").fail("h", "E")  # fmt: skip
    assert stage.open == ["k"]
    assert stage.do("k").ended


def test_terminating_inside_one_ends_it_and_not_what_is_around():
    stage = inside("sub", "s -> a -> e", s=start(), e=end(), a=user(),
                   es_=on("es -> f; f -> h -> he; f -> k -> ke", es=start(signal("S"), interrupting=False), f=both(), h=user(), k=user(),
                          he=end(terminate()), ke=end())).signal("S")  # fmt: skip
    stage.do("h")
    assert stage.open == ["a"] and "k" in stage.killed
    assert stage.do("a").ended


def test_its_variables_are_its_own_and_what_it_sets_outside_is_seen_there():
    stage = inside("sub", "s -> a -> e", s=start(), e=end(), a=user(),
                   es_=on("es -> h -> he", es=start(message("M"), interrupting=False), he=end(), h=script("{go: got = 1}"))).message("M", got=1)  # fmt: skip
    assert stage.variables == {"go": True}


def test_it_starts_before_the_thrower_takes_another_step():
    stage = Stage.of(
        "p", "start -> t -> never -> end", t=throw(escalation("E")), never=script("{}"),
        es_=on("es -> h -> he", es=start(escalation("E")), he=end(), h=user()),
    ).start()  # fmt: skip
    assert stage.open == ["h"] and stage.times("never") == 0 and "t" in stage.killed + stage.done


@pytest.mark.parametrize("position", ["end", "throw"])
def test_an_escalation_in_a_called_process_starts_one_of_the_caller(position):
    from tests.bpmn.builder import call

    child = (
        process("c", "start -> t -> go -> end", t=throw(escalation("E")), go=user())
        if position == "throw"
        else process("c", "start -> end", end=end(escalation("E")))
    )
    stage = Stage.of(
        process("p", "start -> k -> end", k=call("c"), es_=on("es -> h -> he", es=start(escalation("E"), interrupting=False), he=end(), h=user())), child
    ).start("p")  # fmt: skip
    assert "h" in stage.open
    if position == "throw":
        stage.do("go")
    assert stage.do("h").ended


def test_the_output_of_its_start_event_goes_to_the_scope():
    stage = inside("process", "s -> a -> e", s=start(), e=end(), a=user(),
                   es_=on("es -> he", es=mapped(start(message("M"), interrupting=False), outputs={"result": "=got + 1"}), he=end())).message("M", got=1)  # fmt: skip
    assert "got" not in stage.variables
