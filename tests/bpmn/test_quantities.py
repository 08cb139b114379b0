"""Start and completion quantities (BPMN 2.0 table 10.3)."""

from __future__ import annotations

import pytest

from tests.bpmn.builder import again, both, counted, each, end, mapped, script, start, sub, user, xor
from tests.bpmn.stage import Stage


def test_an_activity_begins_when_enough_tokens_have_come_and_sends_as_many_as_said():
    stage = Stage.of("p", "start -> f; f -> a -> t; f -> b -> t; t -> last -> end", f=both(), t=counted(user(), needs=2, sends=3)).start()
    stage.do("a")
    assert stage.open == ["b"]
    stage.do("b")
    assert stage.open == ["t"]
    assert stage.do("t").open == ["last"] * 3
    stage.do("last").do("last")
    assert not stage.ended
    assert stage.do("last").ended and stage.times("end") == 3


def test_too_few_tokens_wait_for_ever():
    stage = Stage.of("p", "start -> t -> end", t=counted(user(), needs=2)).start()
    assert stage.open == [] and not stage.ended


def test_tokens_beyond_the_number_wait_for_the_next_run():
    stage = Stage.of("p", "start -> s -> t -> end", s=counted(script("{}"), sends=5), t=counted(user(), needs=2)).start()
    assert stage.open == ["t", "t"]
    stage.do("t").do("t")
    assert stage.times("end") == 2 and not stage.ended


@pytest.mark.parametrize("kind", ["each", "again", "sub"])
def test_a_running_activity_is_not_mistaken_for_a_waiting_token(kind):
    made = {
        "each": lambda: each(user(), times="=2"),
        "again": lambda: again(user(), maximum=2),
        "sub": lambda: sub("s2 -> w1 -> w2 -> e2", s2=start(), e2=end(), w1=user(), w2=user()),
    }[kind]()
    stage = Stage.of(
        "p", "start -> f; f -> a -> t; f -> b -> t; f -> c -> t; f -> d -> t; t -> end", f=both(), t=counted(made, needs=2)
    ).start()
    stage.do("a").do("b")
    running = list(stage.open)
    assert len(running) > 2
    stage.do("c")
    assert len(stage.open) == len(running) - 1
    stage.do("d")
    while stage.open:
        stage.do(stage.open[0])
    assert stage.ended and stage.times("end") == 2


def test_in_a_loop_the_numbers_hold_in_each_round():
    stage = Stage.of(
        "p", "start -> m -> s -> t -> x -[n < 3]-> m; x -[*]-> end", m=xor(), x=xor(), s=counted(script("{}"), sends=2),
        t=counted(script("{n: n + 1}"), needs=2),
    ).start(n=0)  # fmt: skip
    assert stage.ended and stage.times("t") == 3


def test_a_failure_at_the_beginning_is_retried_without_waiting_for_new_tokens():
    stage = Stage.of("p", "start -> s -> t -> end", s=counted(script("{}"), sends=2), t=counted(each(user(), "=list"), needs=2)).start(
        list=1
    )
    assert stage.incidents == [("t", "MULTI_INSTANCE_ERROR")]
    stage.set(list=[1])
    stage.retry("t")
    assert stage.do("t").ended


def test_every_token_sent_has_the_same_variables():
    stage = Stage.of("p", "start -> s -> t -> end", s=mapped(counted(script("7", "x"), sends=2), outputs={"y": "=x"}), t=user()).start()
    assert stage.open == ["t", "t"] and stage.variables == {"y": 7}
