"""Compensation and transactions against the database: handlers that wait, timers and messages in them, called processes."""

from __future__ import annotations

from datetime import timedelta

from tests.bpmn.builder import (
    both,
    boundary,
    call,
    cancel,
    catch,
    compensate,
    each,
    end,
    error,
    message,
    on,
    process,
    signal,
    start,
    sub,
    throw,
    timer,
    transaction,
    undoing,
    undone_by,
    user,
    xor,
)

HOUR = timedelta(hours=1)


def completed(history, instance):
    return [element for element, state in history(instance.key) if state == "COMPLETED"]


def test_handlers_wait_for_people_messages_and_timers_one_after_another(engine, deploy, do, tasks, clock):
    deploy(
        "p", "start -> a -> b -> c -> t -> after -> end", t=throw(compensate()), a=user(), b=user(), c=user(),
        on_a=undone_by("a", "ua"), ua=undoing(user()),
        on_b=undone_by("b", "ub"), ub=undoing(sub("sb -> mb -> eb", sb=start(), eb=end(), mb=catch(message("refund", key="=number")))),
        on_c=undone_by("c", "uc"), uc=undoing(sub("sc -> tc -> ec", sc=start(), ec=end(), tc=catch(timer("PT1H")))),
    )  # fmt: skip
    instance = engine.start("p", {"number": 7})
    for element in "abc":
        do(instance, element)
    assert tasks(instance.key) == {}
    assert engine.publish_message("refund", "7") == 0
    clock.advance(HOUR)
    assert engine.run_due() == 1
    assert engine.publish_message("refund", "7") == 1
    do(instance, "ua")
    do(instance, "after")
    assert engine.instance(instance.key).state == "COMPLETED"


def test_a_cancelled_transaction_ends_its_tasks_timers_messages_and_called_processes(engine, deploy, do, tasks, history):
    body = transaction(
        "s -> f; f -> a -> b -> e1; f -> w -> e2; f -> m -> e3; f -> k -> e4; f -> g -> stop", s=start(), f=both(),
        e1=end(), e2=end(), e3=end(), e4=end(), stop=end(cancel()), a=user(), b=user(), w=catch(timer("PT1H")), m=catch(message("M")), k=call("c"), g=user(),
        on_a=undone_by("a", "ua"), ua=undoing(user()),
    )  # fmt: skip
    deploy(process("p", "start -> t -> end; x -> after -> end2", t=body, x=boundary("t", cancel())), process("c", "start -> deep -> end"))
    instance = engine.start("p")
    assert set(tasks(instance.key)) == {"a", "g", "deep"}
    do(instance, "a")
    do(instance, "g")
    assert set(tasks(instance.key)) == {"ua"}
    assert engine.publish_message("M") == 0
    child = next(item for item in engine.instances("c"))
    assert child.state == "TERMINATED"
    do(instance, "ua")
    assert set(tasks(instance.key)) == {"after"}
    do(instance, "after")
    assert engine.instance(instance.key).state == "COMPLETED"
    assert ("b", "TERMINATED") in history(instance.key) and ("t", "TERMINATED") in history(instance.key)


def test_a_called_process_that_is_completed_is_undone_by_the_handler_of_the_call(engine, deploy, do, tasks):
    deploy(
        process("p", "start -> k -> t -> end", k=call("c"), on_k=undone_by("k", "uk"), uk=undoing(call("undo")), t=throw(compensate("k"))),
        process("c", "start -> a -> end"), process("undo", "start -> b -> end"),
    )  # fmt: skip
    instance = engine.start("p")
    do(instance, "a", price=5)
    assert set(tasks(instance.key)) == {"b"}
    do(instance, "b", refunded=True)
    assert engine.instance(instance.key).variables == {"price": 5, "refunded": True}
    assert engine.instance(instance.key).state == "COMPLETED"


def test_a_multi_instance_transaction_of_which_one_is_cancelled(engine, deploy, do, tasks):
    body = transaction(
        "s -> a -> g -[bad]-> stop; g -[*]-> e",
        s=start(),
        g=xor(),
        e=end(),
        stop=end(cancel()),
        a=user(),
        on_a=undone_by("a", "ua"),
        ua=undoing(user()),
    )
    deploy("p", "start -> t -> end; x -> after -> end2", t=each(body, "=[1, 2]", "i"), x=boundary("t", cancel()))
    instance = engine.start("p", {"bad": False})
    engine.complete(engine.user_tasks(instance.key)[0].key, {"bad": True})
    assert sorted(task.element_id for task in engine.user_tasks(instance.key)) == ["a", "ua"]
    do(instance, "ua")
    assert [task.element_id for task in engine.user_tasks(instance.key)] == ["after"]


def test_an_error_in_a_handler_leaves_by_the_event_around_the_thrower(engine, deploy, do, tasks):
    inner = sub("s -> a -> t -> e", s=start(), e=end(), a=user(), t=throw(compensate()), on_a=undone_by("a", "ua"), ua=undoing(user()))
    deploy("p", "start -> x -> end; b -> after -> end2", x=inner, b=boundary("x", error("E")))
    instance = engine.start("p")
    do(instance, "a")
    engine.throw_error(tasks(instance.key)["ua"].key, "E")
    assert set(tasks(instance.key)) == {"after"}


def test_an_event_subprocess_undoes_after_a_signal(engine, deploy, do, tasks):
    deploy(
        "p", "start -> a -> b -> end", a=user(), b=user(), on_a=undone_by("a", "ua"), ua=undoing(user()),
        es_=on("es -> t -> he", es=start(signal("stop")), he=end(), t=throw(compensate())),
    )  # fmt: skip
    instance = engine.start("p")
    do(instance, "a")
    engine.broadcast_signal("stop")
    assert set(tasks(instance.key)) == {"ua"}
    do(instance, "ua")
    assert engine.instance(instance.key).state == "COMPLETED"
