"""Inclusive gateways as joins (BPMN 2.0 §10.6.3, §13.4.3): also in graphs without structure."""

from __future__ import annotations

from tests.bpmn.builder import (
    both,
    boundary,
    catch,
    conditional,
    end,
    first,
    message,
    on,
    script,
    signal,
    some,
    start,
    sub,
    terminate,
    user,
    xor,
)
from tests.bpmn.stage import Stage


def test_it_waits_for_those_that_can_come_and_no_others():
    stage = Stage.of("p", "start -> f -[true]-> a -> j; f -[two]-> b -> j; f -[*]-> c -> j; j -> after -> end", f=some(), j=some()).start(
        two=True
    )
    stage.do("a")
    assert stage.open == ["b"]
    assert stage.do("b").do("after").ended


def test_a_branch_that_leaves_the_join_out_frees_it():
    stage = Stage.of(
        "p", "start -> f; f -> a -> j; f -> b -> x -[away]-> end2; x -[*]-> j; j -> after -> end", f=both(), x=xor(), j=some()
    ).start(away=True)
    stage.do("a")
    assert stage.open == ["b"]
    stage.do("b")
    assert stage.open == ["after"]


def test_tokens_in_subprocesses_and_before_events_are_on_their_way():
    stage = Stage.of(
        "p", "start -> f; f -> a -> j; f -> x -> j; f -> m -> j; f -> g; g -> m1 -> j; g -> m2 -> other -> end2; j -> after -> end", f=both(), j=some(), g=first(),
        m=catch(message("M")), m1=catch(message("M1")), m2=catch(message("M2")), x=sub("s -> w -> e", s=start(), e=end(), w=user()),
    ).start()  # fmt: skip
    stage.do("a").do("w").message("M")
    assert stage.open == []
    stage.message("M2")
    assert stage.open == ["after", "other"]
    assert stage.do("after").do("other").ended


def test_a_boundary_event_may_still_send_a_token():
    stage = Stage.of(
        "p", "start -> f; f -> a -> j; f -> b -> end2; x -> j; j -> after -> end", f=both(), j=some(), x=boundary("b", conditional("=late"))
    ).start(late=False)  # fmt: skip
    stage.do("a")
    assert stage.open == ["b"]
    stage.do("b")
    assert stage.open == ["after"]


def test_in_a_loop_a_token_behind_the_join_is_not_waited_for_unless_it_can_come_back_another_way():
    stage = Stage.of(
        "p", "start -> j -> a -> x -[n < 3]-> j; x -[*]-> end", j=some(), x=xor(), a=script("{n: n + 1}")
    ).start(n=0)  # fmt: skip
    assert stage.ended and stage.times("a") == 3


def test_two_joins_each_of_which_could_still_be_reached_from_the_other_wait_as_the_rule_says():
    """A deadlock by the letter of §13.4.3: the token before each join could reach the other's empty flow, and none of its filled ones."""
    stage = Stage.of(
        "p", "start -> f; f -> a -> j1; f -> b -> j2; j1 -> x1 -[loop]-> w1 -> j2; x1 -[*]-> e1; j2 -> x2 -[loop]-> w2 -> j1; x2 -[*]-> e2",
        f=both(), j1=some(), j2=some(), x1=xor(), x2=xor(), e1=end(), e2=end(),
    ).start(loop=False)  # fmt: skip
    stage.do("a").do("b")
    assert stage.open == [] and not stage.ended


def test_several_tokens_on_one_flow_are_joined_one_at_a_time():
    stage = Stage.of(
        "p", "start -> f; f -> a -> m; f -> b -> m; m -> j; f -> c -> j; j -> after -> end", f=both(), m=xor(), j=some()
    ).start()
    stage.do("a").do("b").do("c")
    assert stage.open == ["after", "after"]
    assert stage.do("after").do("after").ended


def test_a_join_with_one_flow_passes():
    assert Stage.of("p", "start -> j -> end", j=some()).start().ended


def test_a_join_that_is_also_a_split_chooses_by_conditions():
    stage = Stage.of("p", "start -> f; f -> a -> j; f -> b -> j; j -[one]-> x -> e1; j -[two]-> y -> e2; j -[*]-> z -> e3",
                     f=both(), j=some(), e1=end(), e2=end(), e3=end()).start(one=True, two=True)  # fmt: skip
    stage.do("a").do("b")
    assert stage.open == ["x", "y"]


def test_a_choice_that_failed_after_the_join_is_retried_with_nothing_joined_twice():
    stage = (
        Stage.of("p", "start -> f; f -> a -> j; f -> b -> j; j -[go]-> after -> end", f=both(), j=some()).start(go=False).do("a").do("b")
    )
    assert stage.incidents == [("j", "CONDITION_ERROR")]
    stage.set(go=True)
    stage.retry("j")
    assert stage.open == ["after"]
    assert stage.do("after").ended and stage.times("j") == 1


def test_a_terminated_branch_frees_the_join_in_its_scope():
    stage = Stage.of(
        "p", "start -> x -> end", x=sub("s -> f; f -> a -> j; f -> b -> stop; j -> after -> e", s=start(), f=both(), j=some(), e=end(), a=user(), b=user(),
                                         after=user(), stop=end(terminate())),
    ).start()  # fmt: skip
    stage.do("b")
    assert stage.ended


def test_an_event_subprocess_does_not_hold_up_the_join_of_its_scope():
    stage = Stage.of(
        "p", "start -> f; f -> a -> j; f -> b -> j; j -> after -> end", f=both(), j=some(),
        es_=on("es -> h -> he", es=start(signal("S"), interrupting=False), he=end(), h=user()),
    ).start()  # fmt: skip
    stage.signal("S").do("a").do("b")
    assert stage.open == ["after", "h"]


def test_two_joins_in_a_row_are_freed_one_after_the_other():
    stage = Stage.of(
        "p", "start -> f -[one]-> a -> j1; f -[two]-> b -> j1; f -[three]-> c -> j2; j1 -> d -> j2; j2 -> after -> end", f=some(), j1=some(), j2=some()
    ).start(one=True, two=True, three=True)  # fmt: skip
    stage.do("c").do("a").do("b")
    assert stage.open == ["d"]
    assert stage.do("d").do("after").ended
