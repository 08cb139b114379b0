"""Undoing what was completed (BPMN 2.0 §10.7, §13.5.5)."""

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
    mapped,
    message,
    on,
    receive,
    script,
    send,
    service,
    some,
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


def undo(name: str):
    """A handler that passes at once."""
    return undoing(script("{}"))


def three(**more):
    """Three activities with handlers that wait, then a throw."""
    return {
        **{f"on_{x}": undone_by(x, f"un_{x}") for x in "abc"},
        **{f"un_{x}": undoing(user()) for x in "abc"},
        **more,
    }


def test_what_was_completed_is_undone_in_reverse_order_one_at_a_time():
    stage = Stage.of("p", "start -> a -> b -> c -> t -> last -> end", **three(t=throw(compensate()))).start()
    stage.do("a").do("b").do("c")
    for handler in ("un_c", "un_b", "un_a"):
        assert stage.open == [handler]
        stage.do(handler)
    assert stage.open == ["last"]
    assert stage.do("last").ended


def test_the_order_is_that_of_completion_not_of_the_drawing():
    stage = Stage.of(
        "p", "start -> f; f -> a -> j; f -> b -> j; f -> c -> j; j -> end", f=both(), j=both(), **three(end=end(compensate()))
    ).start()
    stage.do("b").do("a").do("c")
    for handler in ("un_c", "un_a", "un_b"):
        assert stage.open == [handler]
        stage.do(handler)
    assert stage.ended


def test_what_is_not_completed_is_not_undone():
    stage = Stage.of("p", "start -> f; f -> a -> t -> after -> end; f -> b -> c -> end2", f=both(), **three(t=throw(compensate()))).start()
    stage.do("a")
    assert stage.open == ["b", "un_a"]
    stage.do("un_a")
    assert stage.open == ["after", "b"]


def test_an_interrupted_activity_is_not_undone():
    stage = Stage.of(
        "p",
        "start -> a -> b -> end; x -> t -> end2",
        x=boundary("b", conditional("=stop")),
        t=throw(compensate()),
        on_a=undone_by("a", "un_a"),
        on_b=undone_by("b", "un_b"),
        un_a=undo("a"),
        un_b=undo("b"),
    )
    stage.start(stop=False).do("a").set(stop=True)
    assert stage.order("un_a", "un_b") == ["un_a"]
    assert stage.ended


def test_only_the_named_activity_is_undone_and_only_once():
    stage = Stage.of(
        "p",
        "start -> a -> b -> c -> t -> again -> all -> end",
        t=throw(compensate("b")),
        again=throw(compensate("b")),
        **three(all=throw(compensate())),
    ).start()
    stage.do("a").do("b").do("c")
    assert stage.open == ["un_b"]
    stage.do("un_b")
    assert stage.open == ["un_c"]
    stage.do("un_c").do("un_a")
    assert stage.ended and stage.times("un_b") == 1


def test_without_waiting_the_flow_goes_on_and_the_scope_waits_for_the_handlers():
    stage = Stage.of("p", "start -> a -> b -> c -> t -> last -> end", **three(t=throw(compensate(wait=False)))).start()
    stage.do("a").do("b").do("c")
    assert stage.open == ["last", "un_c"]
    stage.do("last")
    assert not stage.ended
    stage.do("un_c").do("un_b").do("un_a")
    assert stage.ended


def test_an_end_event_without_waiting_keeps_the_process_alive_until_all_is_undone():
    stage = Stage.of(
        "p", "start -> a -> end", a=user(), on_a=undone_by("a", "u"), u=undoing(user()), end=end(compensate(wait=False))
    ).start()
    stage.do("a")
    assert stage.open == ["u"] and "end" in stage.done
    assert stage.do("u").ended


def test_each_pass_of_a_drawn_loop_is_undone():
    stage = Stage.of(
        "p",
        "start -> m -> a -> x -[n < 3]-> m; x -[*]-> t -> end",
        m=xor(),
        a=script("{n: n + 1}"),
        x=xor(),
        on_a=undone_by("a", "u"),
        u=undoing(script("{n: n - 1, undone: undone + 1}")),
        t=throw(compensate()),
    ).start(n=0, undone=0)
    assert stage.ended and stage.variables == {"n": 0, "undone": 3}


@pytest.mark.parametrize("one_by_one", [True, False])
def test_a_handler_on_a_multi_instance_activity_runs_once_for_each_instance(one_by_one):
    """BPMN 2.0 §10.7.2: a boundary compensation handler is invoked once for each instance."""
    stage = Stage.of(
        "p",
        "start -> a -> t -> end",
        a=each(user(), "=[10, 20, 30]", "item", one_by_one=one_by_one),
        on_a=undone_by("a", "u"),
        u=undoing(script("{seen: append(seen, item)}")),
        t=throw(compensate("a")),
    ).start(seen=[])
    stage.do("a").do("a").do("a")
    assert stage.ended and stage.variables["seen"] == [30, 20, 10]


def test_a_handler_on_a_looping_activity_runs_once_for_each_run():
    stage = Stage.of(
        "p",
        "start -> a -> t -> end",
        a=again(script("{n: n + 1}"), "=n < 3"),
        on_a=undone_by("a", "u"),
        u=undoing(user()),
        t=throw(compensate()),
    ).start(n=0)
    assert stage.do("u").do("u").do("u").ended


@pytest.mark.parametrize("one_by_one", [True, False])
def test_the_activities_inside_a_multi_instance_subprocess_are_undone_with_each_item(one_by_one):
    inner = sub("s -> a -> e", s=start(), e=end(), a=user(), on_a=undone_by("a", "u"), u=undoing(script("{seen: append(seen, item)}")))
    stage = Stage.of("p", "start -> m -> t -> end", m=each(inner, "=[1, 2]", "item", one_by_one=one_by_one), t=throw(compensate())).start(
        seen=[]
    )
    stage.do("a").do("a")
    assert stage.ended and stage.variables["seen"] == [2, 1]


def test_a_looping_subprocess_is_undone_run_by_run_with_the_number_of_each():
    inner = sub(
        "s -> a -> e", s=start(), e=end(), a=script("{}"), on_a=undone_by("a", "u"), u=undoing(script("{seen: append(seen, loopCounter)}"))
    )
    stage = Stage.of("p", "start -> x -> t -> end", x=again(inner, maximum=3), t=throw(compensate("x"))).start(seen=[])
    assert stage.ended and stage.variables["seen"] == [3, 2, 1]


def test_nested_transactions_are_cancelled_one_by_one():
    inner = transaction("s2 -> b -> stop2", s2=start(), stop2=end(cancel()), b=user(), on_b=undone_by("b", "ub"), ub=undoing(user()))
    body = transaction(
        "s -> a -> i -> e; ci -> w -> stop",
        s=start(),
        e=end(),
        stop=end(cancel()),
        a=user(),
        w=user(),
        i=inner,
        ci=boundary("i", cancel()),
        on_a=undone_by("a", "ua"),
        ua=undoing(user()),
    )
    stage = Stage.of("p", "start -> t -> end; c -> e2", t=body, c=boundary("t", cancel()), e2=end()).start().do("a").do("b")
    for element in ("ub", "w", "ua"):
        assert stage.open == [element]
        stage.do(element)
    assert stage.ended and stage.times("end") == 0


def test_handlers_may_be_tasks_of_any_kind_and_map_their_data():
    stage = Stage.of(
        "p",
        "start -> a -> b -> c -> d -> t -> end",
        t=throw(compensate()),
        **{letter: script("{x: 1}") for letter in "abcd"},
        **{f"on_{letter}": undone_by(letter, f"u{letter}") for letter in "abcd"},
        ua=undoing(service("work")),
        ub=undoing(send(message("M"))),
        uc=undoing(receive(message("R"))),
        ud=mapped(undoing(script("{r: q}")), {"q": "=x + 1"}, {"undone": "=r"}),
    ).start()
    assert stage.variables == {"x": 1, "undone": 2} and stage.waits == ["uc"]
    stage.message("R")
    assert stage.sent == ["M"] and stage.open == ["ua"]
    assert stage.do("ua").ended


def test_a_completed_subprocess_is_undone_by_its_contents_with_its_variables_as_they_were():
    inner = mapped(
        sub("s -> a -> b -> e", s=start(), e=end(), a=script("{local: 1}"), b=script("{local: local + 1}"),
            on_a=undone_by("a", "ua"), on_b=undone_by("b", "ub"),
            ua=undoing(script("{seen: append(seen, local)}")), ub=undoing(script("{seen: append(seen, local), local: 7}"))),
        {"local": "=0"},
    )  # fmt: skip
    stage = Stage.of("p", "start -> x -> t -> end", x=inner, t=throw(compensate())).start(seen=[])
    assert stage.order("ua", "ub") == ["ub", "ua"]
    assert stage.ended and stage.variables["seen"] == [2, 7]


def test_nested_subprocesses_are_undone_from_within_and_between_waits():
    deep = sub("s2 -> a -> e2", s2=start(), e2=end(), a=user(), on_a=undone_by("a", "ua"), ua=undoing(user()))
    outer = sub("s1 -> deep -> b -> e1", s1=start(), e1=end(), deep=deep, b=user(), on_b=undone_by("b", "ub"), ub=undoing(user()))
    stage = Stage.of(
        "p",
        "start -> outer -> c -> t -> after -> end",
        outer=outer,
        t=throw(compensate()),
        c=user(),
        on_c=undone_by("c", "uc"),
        uc=undoing(user()),
    )
    stage.start().do("a").do("b").do("c")
    for handler in ("uc", "ub", "ua"):
        assert stage.open == [handler]
        stage.do(handler)
    assert stage.open == ["after"]


def test_a_handler_on_the_border_goes_before_the_contents():
    inner = sub("s -> a -> e", s=start(), e=end(), a=user(), on_a=undone_by("a", "ua"), ua=undoing(user()))
    stage = (
        Stage.of("p", "start -> x -> t -> end", x=inner, on_x=undone_by("x", "ux"), ux=undoing(user()), t=throw(compensate()))
        .start()
        .do("a")
    )
    assert stage.open == ["ux"]
    assert stage.do("ux").ended and stage.times("ua") == 0


def test_a_compensation_event_subprocess_undoes_in_the_place_of_the_default_and_sees_the_old_variables():
    inner = mapped(
        sub("s -> a -> e", s=start(), e=end(), a=script("{local: 5}"), on_a=undone_by("a", "ua"), ua=undoing(script("{}")),
            how=on("s2 -> w -> e2", s2=start(compensate()), e2=end(), w=user())),
        {"local": "=0"},
    )  # fmt: skip
    stage = Stage.of("p", "start -> x -> t -> after -> end", x=inner, t=throw(compensate("x"))).start()
    assert stage.open == ["w"]
    token = next(token for token in stage.execution.tasks.values() if token.task_spec.bpmn_id == "w")
    assert stage.execution.view(token)["local"] == 5
    stage.do("w")
    assert stage.times("ua") == 0 and stage.open == ["after"]


def test_a_compensation_event_subprocess_may_undo_the_contents_itself():
    inner = sub(
        "s -> a -> b -> e", s=start(), e=end(), a=user(), b=user(),
        on_a=undone_by("a", "ua"), ua=undoing(user()), on_b=undone_by("b", "ub"), ub=undoing(user()),
        how=on("s2 -> first -> t2 -> e2", s2=start(compensate()), e2=end(), first=user(), t2=throw(compensate())),
    )  # fmt: skip
    stage = Stage.of("p", "start -> x -> t -> after -> end", x=inner, t=throw(compensate())).start().do("a").do("b")
    for handler in ("first", "ub", "ua"):
        assert stage.open == [handler]
        stage.do(handler)
    assert stage.do("after").ended


def test_the_subprocess_opened_to_be_undone_hears_no_event_of_its_border():
    """A completed sub-process is not running: an error of a handler passes its boundary event by (BPMN 2.0 §13.5.5)."""
    inner = sub("s -> a -> e", s=start(), e=end(), a=script("{}"), on_a=undone_by("a", "ua"), ua=undoing(user()))
    stage = Stage.of(
        "p", "start -> o -> end; caught -> end3",
        o=sub("s1 -> x -> t -> e1; wrong -> e4", s1=start(), e1=end(), e4=end(), x=inner, wrong=boundary("x", error()), t=throw(compensate())),
        caught=boundary("o", error("E")),
    ).start()  # fmt: skip
    stage.fail("ua", "E")
    assert stage.times("caught") == 1 and stage.times("wrong") == 0 and stage.ended


def test_an_event_subprocess_undoes_what_its_scope_has_completed():
    stage = Stage.of(
        "p",
        "start -> o -> end",
        o=sub("s -> a -> b -> c -> e", s=start(), e=end(), **three(),
              failed=on("s2 -> d -> t -> e2", s2=start(error("E")), e2=end(), d=user(), on_d=undone_by("d", "un_d"), un_d=undoing(user()),
                        t=throw(compensate()))),
    ).start()  # fmt: skip
    stage.do("a").do("b").fail("c", "E").do("d")
    for handler in ("un_d", "un_b", "un_a"):
        assert stage.open == [handler]
        stage.do(handler)
    assert stage.ended


def test_a_throw_in_a_subprocess_undoes_only_that_subprocess():
    inner = sub("s -> b -> t -> e", s=start(), e=end(), b=user(), on_b=undone_by("b", "ub"), ub=undoing(user()), t=throw(compensate()))
    stage = (
        Stage.of("p", "start -> a -> x -> end", x=inner, a=user(), on_a=undone_by("a", "ua"), ua=undoing(user())).start().do("a").do("b")
    )
    assert stage.open == ["ub"]
    assert stage.do("ub").ended and stage.times("ua") == 0


def test_a_throw_in_a_subprocess_may_name_an_activity_outside():
    inner = sub("s -> b -> t -> e", s=start(), e=end(), b=user(), t=throw(compensate("a")))
    stage = (
        Stage.of("p", "start -> a -> x -> end", x=inner, a=user(), on_a=undone_by("a", "ua"), ua=undoing(user())).start().do("a").do("b")
    )
    assert stage.open == ["ua"]
    assert stage.do("ua").ended


@pytest.mark.parametrize("where", ["inside", "event sub-process"])
def test_who_names_the_subprocess_it_stands_in_undoes_what_that_has_completed(where):
    """“The current activity” of §10.7.2, said by name: the usual case is an error handler inside it."""
    parts = {"s": start(), "e": end(), "a": user(), "b": user(), "on_a": undone_by("a", "ua"), "ua": undoing(user())}
    if where == "inside":
        inner = sub("s -> a -> t -> b -> e", t=throw(compensate("x")), **parts)
        stage = Stage.of("p", "start -> x -> end", x=inner).start().do("a")
    else:
        inner = sub("s -> a -> b -> e", es_=on("es -> t -> he", es=start(error("E")), he=end(), t=throw(compensate("x"))), **parts)
        stage = Stage.of("p", "start -> x -> end", x=inner).start().do("a").fail("b", "E")
    assert stage.open == ["ua"]


def test_a_handler_may_be_a_subprocess_or_repeat():
    handler = undoing(sub("s -> h1 -> h2 -> e", s=start(), e=end(), h1=user(), h2=user()))
    stage = Stage.of(
        "p", "start -> a -> b -> t -> after -> end", a=user(), b=user(), t=throw(compensate()),
        on_a=undone_by("a", "ua"), ua=handler, on_b=undone_by("b", "ub"), ub=undoing(each(user(), times="=2")),
    ).start()  # fmt: skip
    stage.do("a").do("b")
    assert stage.open == ["ub", "ub"]
    stage.do("ub").do("ub")
    assert stage.open == ["h1"]
    stage.do("h1").do("h2")
    assert stage.do("after").ended


def test_a_handler_interrupted_by_its_own_boundary_event_does_not_hold_up_the_rest():
    stage = Stage.of(
        "p", "start -> a -> b -> t -> after -> end; x -> repair -> end2", a=user(), b=user(), t=throw(compensate()),
        on_a=undone_by("a", "ua"), ua=undoing(user()), on_b=undone_by("b", "ub"), ub=undoing(user()), x=boundary("ub", error("E")),
    ).start()  # fmt: skip
    stage.do("a").do("b").fail("ub", "E")
    assert stage.open == ["repair", "ua"]
    stage.do("ua")
    assert stage.open == ["after", "repair"]
    assert stage.do("after").do("repair").ended


def test_when_the_scope_ends_so_does_the_undoing():
    stage = Stage.of(
        "p", "start -> x -> end; stop -> end2", stop=boundary("x", conditional("=stop")),
        x=sub("s -> a -> t -> e", s=start(), e=end(), a=user(), on_a=undone_by("a", "ua"), ua=undoing(user()), t=throw(compensate())),
    ).start(stop=False)  # fmt: skip
    stage.do("a")
    assert stage.open == ["ua"]
    stage.set(stop=True)
    assert stage.open == [] and stage.ended


def test_an_inclusive_join_does_not_wait_for_a_subprocess_that_is_being_undone():
    inner = sub("s -> a -> e", s=start(), e=end(), a=user(), on_a=undone_by("a", "ua"), ua=undoing(user()))
    stage = Stage.of(
        "p", "start -> f; f -> x -> t -> j; f -> b -> j; j -> after -> end", f=both(), j=some(), x=inner, t=throw(compensate(wait=False))
    ).start()  # fmt: skip
    stage.do("a")
    assert stage.open == ["b", "ua"]
    stage.do("b")
    assert stage.open == ["after", "ua"]


def test_a_failed_handler_is_retried_and_the_rest_follows():
    stage = Stage.of(
        "p", "start -> a -> b -> t -> end", a=user(), b=user(), t=throw(compensate()),
        on_a=undone_by("a", "ua"), ua=undoing(user()), on_b=undone_by("b", "ub"), ub=undoing(script("wrong")),
    ).start(wrong=1)  # fmt: skip
    stage.do("a").do("b")
    assert stage.incidents == [("ub", "SCRIPT_ERROR")]
    stage.set(wrong={})
    stage.retry("ub")
    assert stage.open == ["ua"]
    assert stage.do("ua").ended and stage.times("ub") == 1
