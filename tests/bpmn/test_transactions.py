"""Transactions: cancelled, failed, completed (BPMN 2.0 §10.3.5, §13.5.3)."""

from __future__ import annotations

import pytest

from tests.bpmn.builder import (
    again,
    both,
    boundary,
    cancel,
    compensate,
    conditional,
    each,
    end,
    error,
    on,
    script,
    signal,
    start,
    sub,
    throw,
    transaction,
    undoing,
    undone_by,
    user,
    xor,
)
from tests.bpmn.stage import Stage


def booking(**more):
    """A transaction: hotel and flight in parallel, then a decision to go on or to cancel."""
    return transaction(
        "s -> f; f -> hotel -> j; f -> flight -> j; j -> decide -> x; x -[ok]-> e; x -[*]-> stop",
        s=start(), f=both(), j=both(), x=xor(), e=end(), stop=end(cancel()),
        on_hotel=undone_by("hotel", "un_hotel"), un_hotel=undoing(user()),
        on_flight=undone_by("flight", "un_flight"), un_flight=undoing(user()), hotel=user(), flight=user(), decide=user(), **more,
    )  # fmt: skip


def test_a_transaction_that_succeeds_goes_on_normally():
    stage = Stage.of("p", "start -> t -> after -> end; c -> never -> end2", t=booking(), c=boundary("t", cancel())).start(ok=True)
    stage.do("hotel").do("flight").do("decide")
    assert stage.open == ["after"]


def test_a_cancelled_one_is_undone_backwards_before_it_is_left_by_its_cancel_event():
    stage = Stage.of("p", "start -> t -> never -> end; c -> after -> end2", t=booking(), c=boundary("t", cancel())).start(ok=False)
    stage.do("hotel").do("flight").do("decide")
    assert stage.open == ["un_flight"]
    stage.do("un_flight")
    assert stage.open == ["un_hotel"] and stage.times("c") == 0
    stage.do("un_hotel")
    assert stage.open == ["after"] and "t" in stage.killed
    assert stage.do("after").ended


def test_what_runs_is_ended_what_never_ran_is_left_alone():
    body = transaction(
        "s -> f; f -> a -> b -> e; f -> w -> e3; f -> stopper -> stop", s=start(), f=both(), e=end(), e3=end(), stop=end(cancel()), a=user(),
        b=user(), w=user(), stopper=user(), **{f"on_{x}": undone_by(x, f"u_{x}") for x in "abw"}, **{f"u_{x}": undoing(user()) for x in "abw"},
    )  # fmt: skip
    stage = Stage.of("p", "start -> t -> never -> end; c -> end2", t=body, c=boundary("t", cancel())).start()
    stage.do("a").do("stopper")
    assert stage.open == ["u_a"]
    assert stage.killed.count("b") == stage.killed.count("w") == 1
    assert stage.do("u_a").ended


def test_cancelling_from_a_nested_subprocess_undoes_what_it_had_completed_even_if_it_could_be_undone_itself():
    """A running sub-process is not completed: its handler and its compensation event sub-process are not enabled (§10.7.1)."""
    inner = sub(
        "s2 -> a -> e2", s2=start(), e2=end(cancel()), a=user(), on_a=undone_by("a", "u_a"), u_a=undoing(user()),
        how=on("s3 -> wrong2 -> e3", s3=start(compensate()), e3=end(), wrong2=user()),
    )  # fmt: skip
    body = transaction("s -> b -> x -> e", s=start(), e=end(), x=inner, b=user(), on_b=undone_by("b", "u_b"), u_b=undoing(user()),
                       on_x=undone_by("x", "wrong"), wrong=undoing(user()))  # fmt: skip
    stage = Stage.of("p", "start -> t -> never -> end; c -> end2", t=body, c=boundary("t", cancel())).start()
    stage.do("b").do("a")
    assert stage.open == ["u_a"]
    stage.do("u_a")
    assert stage.open == ["u_b"]
    assert stage.do("u_b").ended and stage.times("c") == 1


@pytest.mark.parametrize("one_by_one", [True, False])
def test_one_cancelled_instance_of_a_multi_instance_transaction_ends_all_of_them(one_by_one):
    body = transaction("s -> a -> x -[item = 2]-> stop; x -[*]-> e", s=start(), x=xor(), e=end(), stop=end(cancel()), a=user(),
                       on_a=undone_by("a", "u_a"), u_a=undoing(user()))  # fmt: skip
    stage = Stage.of(
        "p",
        "start -> t -> never -> end; c -> after -> end2",
        t=each(body, "=[1, 2, 3]", "item", one_by_one=one_by_one),
        c=boundary("t", cancel()),
    ).start()
    stage.do("a").do("a")
    assert "u_a" in stage.open
    stage.do("u_a")
    assert stage.open == ["after"]
    assert stage.do("after").ended


def test_a_looping_transaction_can_be_cancelled():
    body = transaction("s -> a -> x -[n = 2]-> stop; x -[*]-> e", s=start(), x=xor(), e=end(), stop=end(cancel()), a=script("{n: n + 1}"))
    stage = Stage.of("p", "start -> t -> never -> end; c -> after -> end2", t=again(body, maximum=5), c=boundary("t", cancel())).start(n=0)
    assert stage.open == ["after"] and stage.variables["n"] == 2


def test_an_error_out_of_a_transaction_undoes_nothing():
    """A hazard (BPMN 2.0 §10.3.5): the transaction is interrupted without compensation."""
    stage = Stage.of("p", "start -> t -> end; h -> after -> end2", t=booking(), h=boundary("t", error("E"))).start(ok=True)
    stage.do("hotel").fail("flight", "E")
    assert stage.open == ["after"] and "un_hotel" not in stage.entered


def test_a_completed_transaction_is_undone_like_a_subprocess():
    stage = Stage.of("p", "start -> t -> end; c -> end2", t=booking(), c=boundary("t", cancel()), end=end(compensate())).start(ok=True)
    stage.do("hotel").do("flight").do("decide").do("un_flight").do("un_hotel")
    assert stage.ended and stage.times("c") == 0


def test_no_other_event_disturbs_a_transaction_that_is_being_cancelled():
    stage = Stage.of(
        "p", "start -> t -> never -> end; c -> after -> end2; b1 -> never2 -> end3; b2 -> never3 -> end4", t=booking(), c=boundary("t", cancel()),
        b1=boundary("t", signal("S")), b2=boundary("t", conditional("=late")),
    ).start(ok=False, late=False)  # fmt: skip
    stage.do("hotel").do("flight").do("decide").signal("S").set(late=True)
    assert stage.open == ["un_flight"]
    stage.do("un_flight").do("un_hotel")
    assert stage.open == ["after"]


def test_cancelling_with_nothing_done_leaves_at_once():
    stage = Stage.of(
        "p", "start -> t -> end; c -> after -> end2", t=transaction("s -> stop", s=start(), stop=end(cancel())), c=boundary("t", cancel())
    )
    assert stage.start().open == ["after"]


def test_cancel_comes_after_everything_else_an_end_event_throws():
    body = transaction(
        "s -> a -> stop", s=start(), a=user(), stop=end(cancel(), signal("S")), on_a=undone_by("a", "u_a"), u_a=undoing(user())
    )
    stage = Stage.of("p", "start -> t -> end; c -> after -> end2", t=body, c=boundary("t", cancel())).start().do("a")
    assert stage.sent == ["S"] and stage.open == ["u_a"]


def test_a_completed_multi_instance_part_is_undone_item_by_item():
    body = transaction("s -> m -> stop", s=start(), stop=end(cancel()), m=each(user(), "=[1, 2]", "item"), on_m=undone_by("m", "u_m"),
                       u_m=undoing(script("{seen: append(seen, item)}")))  # fmt: skip
    stage = Stage.of("p", "start -> t -> end; c -> end2", t=body, c=boundary("t", cancel())).start(seen=[]).do("m").do("m")
    assert stage.variables["seen"] == [2, 1] and stage.ended


def test_the_completed_items_of_a_running_multi_instance_part_are_undone():
    body = transaction("s -> f; f -> m -> e; f -> w -> stop", s=start(), f=both(), e=end(), stop=end(cancel()), w=user(),
                       m=each(user(), "=[1, 2, 3]", "item"), on_m=undone_by("m", "u_m"), u_m=undoing(script("{seen: append(seen, item)}")))  # fmt: skip
    stage = Stage.of("p", "start -> t -> end; c -> end2", t=body, c=boundary("t", cancel())).start(seen=[]).do("m").do("m").do("w")
    assert stage.variables["seen"] == [2, 1] and stage.ended


def test_a_throw_inside_the_transaction_undoes_and_the_transaction_goes_on():
    body = transaction("s -> a -> t2 -> b -> e", s=start(), e=end(), a=user(), b=user(), t2=throw(compensate()), on_a=undone_by("a", "u_a"),
                       u_a=undoing(user()))  # fmt: skip
    stage = Stage.of("p", "start -> t -> end; c -> end2", t=body, c=boundary("t", cancel())).start().do("a").do("u_a").do("b")
    assert stage.ended and stage.times("c") == 0
