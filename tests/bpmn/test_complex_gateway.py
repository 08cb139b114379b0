"""Complex gateways (BPMN 2.0 §10.6.5, §13.4.5)."""

from __future__ import annotations

import pytest

from tests.bpmn.builder import both, boundary, complex_, conditional, end, script, some, start, sub, xor
from tests.bpmn.stage import Stage


def n_of_m(needed: int, total: int = 3, **more) -> Stage:
    """``total`` parallel tasks ``t1`` … that meet in a gateway which ``needed`` of them activate."""
    flows = "; ".join(["start -> f", *(f"f -> t{n} -> c" for n in range(1, total + 1)), "c -> after -> end"])
    return Stage.of("p", flows, f=both(), c=complex_(f"=activationCount >= {needed}"), **more).start()


@pytest.mark.parametrize("needed", [1, 2, 3])
def test_n_of_m_tokens_activate_and_the_rest_is_consumed(needed):
    stage = n_of_m(needed)
    for n in range(1, needed + 1):
        assert "after" not in stage.open
        stage.do(f"t{n}")
    assert stage.open.count("after") == 1
    for n in range(needed + 1, 4):
        stage.do(f"t{n}")
    assert stage.open == ["after"]
    stage.do("after")
    assert stage.ended and stage.times("end") == 1


def test_the_process_ends_only_when_the_late_ones_have_come():
    stage = n_of_m(1).do("t2").do("after")
    assert not stage.ended
    assert stage.do("t1").do("t3").ended


def test_without_a_condition_the_first_activates():
    stage = Stage.of("p", "start -> f; f -> a -> c; f -> b -> c; c -> after -> end", f=both(), c=complex_()).start().do("b")
    assert stage.open == ["a", "after"]
    assert stage.do("a").do("after").ended


def test_in_a_loop_it_works_in_each_round():
    stage = Stage.of(
        "p", "start -> m -> f; f -> a -> c; f -> b -> c; c -> w -> x -[n < 3]-> m; x -[*]-> end", m=xor(), f=both(), x=xor(),
        c=complex_("=activationCount >= 1"), w=script("{n: n + 1}"),
    ).start(n=0)  # fmt: skip
    # The second round begins while the late token of the first is still on its way: it belongs to the first.
    stage.do("a").do("b").do("a").do("b").do("b").do("a")
    assert stage.times("end") == 1 and stage.times("w") == 3
    assert stage.ended


def test_what_cannot_come_any_more_is_not_waited_for():
    stage = Stage.of(
        "p", "start -> f -[true]-> a -> c; f -[go]-> b -> c; c -> after -> end", f=some(), c=complex_("=activationCount >= 1")
    ).start(go=False)  # fmt: skip
    stage.do("a").do("after")
    assert stage.ended


def test_one_that_can_never_be_activated_is_one_incident_that_a_correction_cures():
    stage = Stage.of(
        "p", "start -> f; f -> a -> c; f -> b -> c; c -> after -> end", f=both(), c=complex_("=activationCount >= needed")
    ).start(needed=3)
    stage.do("a")
    assert stage.incidents == []
    stage.do("b")
    assert stage.incidents == [("c", "CONDITION_ERROR")]
    stage.set(needed=2)
    stage.retry("c")
    assert stage.incidents == [] and stage.open == ["after"]
    assert stage.do("after").ended


def test_as_a_split_it_takes_every_flow_whose_condition_holds_or_the_default():
    def stage(**given):
        flows = "start -> c -[a]-> ta -> e1; c -[b]-> tb -> e2; c -[*]-> td -> e3"
        return Stage.of("p", flows, c=complex_(), e1=end(), e2=end(), e3=end()).start(**given)

    assert stage(a=True, b=True).open == ["ta", "tb"]
    assert stage(a=False, b=True).open == ["tb"]
    assert stage(a=False, b=False).open == ["td"]


def test_flows_may_tell_the_phases_apart():
    stage = Stage.of(
        "p", "start -> f; f -> a -> c; f -> b -> c; c -[waitingForStart]-> first -> e1; c -[not(waitingForStart)]-> rest -> e2",
        f=both(), c=complex_("=activationCount >= 1"), e1=end(), e2=end(),
    ).start()  # fmt: skip
    stage.do("a")
    assert stage.open == ["b", "first"]
    stage.do("b")
    assert stage.open == ["first", "rest"]
    assert stage.do("first").do("rest").ended


def test_the_condition_may_use_variables():
    stage = Stage.of(
        "p", "start -> f; f -> a -> c; f -> b -> c; c -> after -> end", f=both(), c=complex_("=amount > 10 or activationCount = 2")
    ).start(amount=0)
    stage.do("a", amount=11)
    assert stage.open == ["after", "b"]


def test_a_failed_choice_is_retried_with_nothing_joined_twice():
    stage = Stage.of(
        "p", "start -> f; f -> a -> c; f -> b -> c; c -[go]-> after -> end", f=both(), c=complex_("=activationCount = 2")
    ).start(go=False).do("a").do("b")  # fmt: skip
    assert stage.incidents == [("c", "CONDITION_ERROR")]
    stage.set(go=True)
    stage.retry("c")
    assert stage.open == ["after"]
    assert stage.do("after").ended and stage.times("c") == 1


def test_tokens_from_boundary_events_count_as_coming():
    stage = Stage.of(
        "p", "start -> f; f -> a -> c; f -> b -> stop; x -> c; c -> after -> end", f=both(), c=complex_("=activationCount >= 1"), stop=end(),
        x=boundary("b", conditional("=late")),
    ).start(late=False).do("a")  # fmt: skip
    stage.set(late=True)
    assert stage.open == ["after"]
    assert stage.do("after").ended


def test_inside_a_subprocess_each_run_has_its_own_phase():
    stage = Stage.of(
        "p", "start -> m -> x -> g -[n < 2]-> m; g -[*]-> end", m=xor(), g=xor(),
        x=sub("s -> f; f -> a -> c; f -> b -> c; c -> w -> e", s=start(), e=end(), f=both(), c=complex_("=activationCount >= 1"), w=script("{n: n + 1}")),
    ).start(n=0)  # fmt: skip
    stage.do("a").do("b").do("b").do("a")
    assert stage.ended and stage.times("w") == 2
