"""Multiple events: the first counts; parallel multiple ones: all are needed (BPMN 2.0 §10.5.1, table 10.93)."""

from __future__ import annotations

import itertools

import pytest

from tests.bpmn.builder import (
    boundary,
    catch,
    conditional,
    end,
    error,
    escalation,
    first,
    message,
    on,
    signal,
    start,
    sub,
    terminate,
    throw,
    timer,
    user,
)
from tests.bpmn.stage import Stage

EVENTS = (message("M"), signal("S"), timer("PT1H"), conditional("=go"))


def happen(stage: Stage, which: int, element: str) -> None:
    (
        lambda: stage.message("M", m=1),
        lambda: stage.signal("S", s=1),
        lambda: stage.fire(f"{element}#2"),
        lambda: stage.set(go=True),
    )[which]()


def positions(all_needed: bool) -> dict[str, Stage]:
    several = {"all_needed": all_needed}
    return {
        "catch": lambda: Stage.of("p", "start -> x -> after -> end", x=catch(*EVENTS, **several)).start(go=False),
        "boundary": lambda: Stage.of("p", "start -> a -> end; x -> after -> end2", x=boundary("a", *EVENTS, **several), a=user()).start(go=False),
        "beside": lambda: Stage.of(
            "p", "start -> a -> end; x -> after -> end2", x=boundary("a", *EVENTS, interrupting=False, **several), a=user()
        ).start(go=False),
        "event sub-process": lambda: Stage.of(
            "p", "start -> a -> end", x_=on("x -> after -> xe", x=start(*EVENTS, **several), xe=end(), after=user())
        ).start(go=False),
        "in a sub-process": lambda: Stage.of(
            "p", "start -> o -> end", o=sub("s -> a -> e", s=start(), e=end(), a=user(), x_=on("x -> after -> xe", x=start(*EVENTS, **several), xe=end(), after=user()))
        ).start(go=False),
        "gateway": lambda: Stage.of(
            "p", "start -> g; g -> x -> after -> end; g -> y -> other -> end2", g=first(), x=catch(*EVENTS, **several), y=catch(message("other"))
        ).start(go=False),
    }  # fmt: skip


POSITIONS = pytest.mark.parametrize("position", list(positions(False)))


@POSITIONS
@pytest.mark.parametrize("which", range(4))
def test_of_a_multiple_event_the_first_counts(position, which):
    stage = positions(False)[position]()
    happen(stage, which, "x")
    assert stage.open.count("after") == 1
    if position not in ("beside",):
        assert stage.waits == []


@POSITIONS
@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1)])
def test_of_a_parallel_multiple_event_all_must_happen_in_any_order(position, order):
    stage = positions(True)[position]()
    for which in order[:-1]:
        happen(stage, which, "x")
        assert "after" not in stage.open
    happen(stage, order[-1], "x")
    assert stage.open.count("after") == 1


def test_the_same_part_twice_is_not_two_parts():
    stage = positions(True)["catch"]()
    for _ in range(4):
        stage.message("M")
    assert stage.open == []


def test_a_parallel_one_that_does_not_interrupt_starts_counting_anew():
    stage = Stage.of(
        "p", "start -> a -> end; x -> h -> end2", a=user(), x=boundary("a", message("M"), signal("S"), interrupting=False, all_needed=True)
    ).start()
    for number, happening in enumerate(itertools.islice(itertools.cycle([stage.message, stage.signal]), 6)):
        happening("M" if happening == stage.message else "S")
        assert stage.open.count("h") == (number + 1) // 2


def test_what_the_parts_brought_comes_together():
    stage = Stage.of("p", "start -> x -> end", x=catch(message("M"), signal("S"), all_needed=True)).start()
    stage.message("M", m=1).signal("S", s=2)
    assert stage.ended and stage.variables == {"m": 1, "s": 2}


def test_two_timers_are_two_parts():
    stage = Stage.of("p", "start -> x -> end", x=catch(timer("PT1H"), timer("PT2H"), all_needed=True)).start()
    assert stage.waits == ["x", "x#1"]
    stage.fire("x")
    assert not stage.ended
    assert stage.fire("x#1").ended


@pytest.mark.parametrize("position", ["end", "throw"])
def test_a_throwing_one_throws_all(position):
    made = {"end": end, "throw": throw}[position]
    stage = Stage.of(
        "p", "start -> x -> t; t -> after -> end" if position == "throw" else "start -> x -> t", x=sub("s -> e", s=start(), e=end()),
        t=made(message("A"), signal("B"), escalation("E")), es_=on("es -> h -> he", es=start(escalation("E"), interrupting=False), he=end(), h=user()),
    ).start()  # fmt: skip
    assert stage.sent == ["A", "B"] and "h" in stage.open


def test_what_ends_the_scope_is_thrown_last_and_nothing_is_thrown_twice_when_it_is_retried():
    stage = Stage.of("p", "start -> x -> end; b -> after -> end2", b=boundary("x", error("E")),
                     x=sub("s -> e", s=start(), e=end(error("E"), signal("S"), message("M")))).start()  # fmt: skip
    assert sorted(stage.sent) == ["M", "S"] and stage.open == ["after"]
    stage = Stage.of("p", "start -> e", e=end(error("E"), signal("S"))).start()
    assert stage.incidents == [("e", "UNHANDLED_ERROR")] and stage.sent == ["S"]
    stage.retry("e")
    assert stage.incidents == [("e", "UNHANDLED_ERROR")] and stage.sent == ["S"]


def test_terminate_with_others():
    from tests.bpmn.builder import both

    stage = Stage.of("p", "start -> f; f -> a -> end; f -> e", f=both(), e=end(terminate(), signal("S"))).start()
    assert stage.sent == ["S"] and stage.ended and stage.killed == ["a"]


def test_errors_and_escalations_on_one_border():
    stage = Stage.of(
        "p", "start -> a -> end; x -> h -> end2", a=user(), x=boundary("a", escalation("E"), escalation("F"), interrupting=False)
    ).start()
    stage.escalate("a", "E").escalate("a", "F")
    assert stage.open == ["a", "h", "h"]
