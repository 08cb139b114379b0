"""More commands that meet at the last moment: whoever commits first, nothing is doubled and nothing is lost.

Each pair is run in both orders; :mod:`tests.support.race` holds the first just before its commit and compares all rows afterwards.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from engine import Conflict, EngineError, InvalidState
from engine.store import tables
from tests.bpmn.builder import both, boundary, bpmn, catch, first, message, process, service, signal, start, timer
from tests.support.race import race

__all__ = ["race"]

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


def passed(engine) -> Counter[str]:
    """How often each element of any instance was completed or is being worked on."""
    return Counter(item.element_id for one in engine.instances() for item in engine.activities(one.key) if item.state != "TERMINATED")


def open_elements(engine) -> list[str]:
    return [item.element_id for item in engine.user_tasks()]


def count(engine, table) -> int:
    with engine.reading() as conn:
        return conn.execute(select(func.count()).select_from(table)).scalar_one()


# --- joins ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [("a", "b"), ("b", "a")])
def test_the_last_two_branches_of_a_split_are_completed_at_once(engine, deploy, race, order):
    deploy("p", "start -> fork -> a -> join -> c -> end; fork -> b -> join", fork=both(), join=both())
    engine.start("p")
    tasks = {task.element_id: task.key for task in engine.user_tasks()}
    results = race(*(lambda which, key=tasks[name], name=name: which.complete(key, {name: 1}) for name in order))
    assert [result.state for result in results] == ["ACTIVE", "ACTIVE"]
    assert open_elements(engine) == ["c"]
    assert (passed(engine)["join"], passed(engine)["c"]) == (1, 1)
    assert engine.instances()[0].variables == {"a": 1, "b": 1}


def test_three_branches_two_at_once_still_wait_for_the_third(engine, deploy, race):
    deploy("p", "start -> fork -> a -> join -> d -> end; fork -> b -> join; fork -> c -> join", fork=both(), join=both())
    engine.start("p")
    tasks = {task.element_id: task.key for task in engine.user_tasks()}
    race(lambda one: one.complete(tasks["a"]), lambda two: two.complete(tasks["b"]))
    assert open_elements(engine) == ["c"]
    engine.complete(tasks["c"])
    assert open_elements(engine) == ["d"]


# --- messages against cancelling and others ---------------------------------------------------------------------------------------


@pytest.fixture
def waiting(engine, deploy):
    """An instance that waits for the message ``reply`` with the key ``N``."""
    deploy("p", "start -> m -> a -> end", m=catch(message("reply", key="=no")))
    return engine.start("p", {"no": "N"}).key


def test_a_message_for_what_is_being_cancelled_is_kept_for_others(engine, waiting, race):
    cancelled, received = race(lambda one: one.cancel(waiting), lambda two: two.publish_message("reply", "N", time_to_live=HOUR))
    assert (cancelled.state, received) == ("TERMINATED", 0)
    assert count(engine, tables.message) == 1
    engine.start("p", {"no": "N"})
    assert open_elements(engine) == ["a"] and count(engine, tables.message) == 0


def test_cancelling_what_is_receiving_a_message(engine, waiting, race):
    received, cancelled = race(lambda one: one.publish_message("reply", "N", {"x": 1}), lambda two: two.cancel(waiting))
    assert (received, cancelled.state) == (1, "TERMINATED")
    states = {item.element_id: item.state for item in engine.activities(waiting)}
    assert (states["m"], states["a"]) == ("COMPLETED", "TERMINATED")


def test_two_kept_messages_and_two_receivers_find_one_another_once_each(engine, deploy, race):
    deploy("p", "start -> m -> a -> end", m=catch(message("reply", key="=no")))
    for x in (1, 2):
        engine.publish_message("reply", "N", {"x": x}, time_to_live=HOUR)
    race(lambda one: one.start("p", {"no": "N"}), lambda two: two.start("p", {"no": "N"}))
    engine.run_due()
    engine.run_due()
    assert sorted(item.variables.get("x") for item in engine.instances()) == [1, 2]
    assert count(engine, tables.message) == 0


def test_one_kept_message_and_two_receivers(engine, deploy, race):
    deploy("p", "start -> m -> a -> end", m=catch(message("reply", key="=no")))
    engine.publish_message("reply", "N", {"x": 1}, time_to_live=HOUR)
    race(lambda one: one.start("p", {"no": "N"}), lambda two: two.start("p", {"no": "N"}))
    engine.run_due()
    assert open_elements(engine) == ["a"] and count(engine, tables.message) == 0


@pytest.mark.parametrize("first_one", ["message", "timer"])
def test_an_event_based_gateway_lets_exactly_one_event_through(engine, deploy, race, clock, first_one):
    deploy("p", "start -> g -> m -> a -> end; g -> t -> b -> end", g=first(), m=catch(message("reply", key="=no")), t=catch(timer("PT1H")))
    engine.start("p", {"no": "N"})
    clock.advance(HOUR)
    commands = {"message": lambda which: which.publish_message("reply", "N"), "timer": lambda which: which.run_due()}
    other = "timer" if first_one == "message" else "message"
    assert race(commands[first_one], commands[other]) == (1, 0)
    assert engine.run_due() == 0
    assert open_elements(engine) == ["a" if first_one == "message" else "b"]


@pytest.mark.parametrize("first_one", ["signal", "complete"])
def test_a_signal_while_the_task_is_being_completed(engine, deploy, race, first_one):
    deploy("p", "start -> a -> b -> end; s -> c -> end2", s=boundary("a", signal("alarm")))
    (task,) = engine.user_tasks(engine.start("p").key)
    commands = {"signal": lambda which: which.broadcast_signal("alarm"), "complete": lambda which: which.complete(task.key, by="li")}
    other = "complete" if first_one == "signal" else "signal"
    won, lost = race(commands[first_one], commands[other])
    if first_one == "signal":
        assert won == 1 and isinstance(lost, Conflict) and open_elements(engine) == ["c"]
    else:
        assert won.state == "ACTIVE" and lost == 0 and open_elements(engine) == ["b"]


# --- suspending ------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def task(engine, deploy):
    deploy("p", "start -> a -> b -> end; m -> c -> end; t -> d -> end", m=boundary("a", message("stop")), t=boundary("a", timer("PT1H")))
    return engine.user_tasks(engine.start("p").key)[0]


def test_completing_what_is_being_suspended(engine, task, race):
    suspended, refused = race(lambda one: one.suspend(task.instance_key, by="chief"), lambda two: two.complete(task.key, {"x": 1}, by="li"))
    assert suspended.state == "SUSPENDED"
    assert isinstance(refused, InvalidState) and "suspended" in str(refused)
    assert open_elements(engine) == ["a"] and engine.instance(task.instance_key).variables == {}
    engine.resume(task.instance_key)
    engine.complete(task.key, by="li")
    assert open_elements(engine) == ["b"]


def test_suspending_what_is_being_completed(engine, task, race):
    done, suspended = race(lambda one: one.complete(task.key, by="li"), lambda two: two.suspend(task.instance_key, by="chief"))
    assert (done.state, suspended.state) == ("ACTIVE", "SUSPENDED")
    assert open_elements(engine) == ["b"]
    (after,) = engine.user_tasks(task.instance_key)
    with pytest.raises(InvalidState):
        engine.complete(after.key)
    engine.resume(task.instance_key)
    assert engine.complete(after.key).state == "COMPLETED"


@pytest.mark.parametrize("first_one", ["suspend", "due"])
def test_a_timer_and_a_suspension_at_once(engine, task, race, clock, first_one):
    clock.advance(HOUR)
    commands = {"suspend": lambda which: which.suspend(task.instance_key), "due": lambda which: which.run_due()}
    other = "due" if first_one == "suspend" else "suspend"
    results = dict(zip((first_one, other), race(commands[first_one], commands[other]), strict=True))
    assert results["suspend"].state == "SUSPENDED"
    assert results["due"] == (0 if first_one == "suspend" else 1)
    engine.resume(task.instance_key)
    assert results["due"] + engine.run_due() == 1
    assert open_elements(engine) == ["d"]


def test_a_kept_message_and_a_suspension_at_once(engine, deploy, race):
    deploy("p", "start -> m -> a -> end", m=catch(message("reply", key="=no")))
    key = engine.start("p", {"no": "N"}).key
    _, received = race(lambda one: one.suspend(key), lambda two: two.publish_message("reply", "N", {"x": 1}, time_to_live=HOUR))
    assert received == 0
    engine.resume(key)
    engine.run_due()
    assert open_elements(engine) == ["a"] and count(engine, tables.message) == 0


def test_it_is_cancelled_twice_at_once(engine, task, race):
    cancelled, refused = race(lambda one: one.cancel(task.instance_key), lambda two: two.cancel(task.instance_key))
    assert cancelled.state == "TERMINATED" and isinstance(refused, InvalidState)


# --- jobs ------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def leased(engine, deploy, clock):
    """A job that the worker ``late`` holds, at the moment its lease ends."""
    deploy("p", "start -> j -> a -> end; t -> b -> end2", j=service("mail"), t=boundary("j", timer("PT2H")))
    engine.start("p")
    (job,) = engine.activate_jobs("mail", "late", timeout=MINUTE)
    clock.advance(MINUTE)
    return job


def ask(which):
    return [job.key for job in which.activate_jobs("mail", which.node)]


def test_two_workers_ask_when_a_lease_ends(engine, leased, race):
    assert sorted(race(ask, ask)) == [[], [leased.key]]


def test_a_late_worker_reports_while_another_takes_the_job(engine, leased, race):
    taken, reported = race(ask, lambda two: two.complete_job(leased.key, {"by": "late"}))
    assert (taken, reported) == ([leased.key], None)
    with pytest.raises(InvalidState):
        engine.complete_job(leased.key, {"by": "first"})
    assert open_elements(engine) == ["a"] and engine.instances()[0].variables == {"by": "late"}


def test_a_worker_asks_while_a_late_one_reports(engine, leased, race):
    reported, taken = race(lambda one: one.complete_job(leased.key), ask)
    assert (reported, taken) == (None, [])
    assert open_elements(engine) == ["a"] and passed(engine)["a"] == 1


@pytest.mark.parametrize("first_one", ["complete", "fail"])
def test_a_job_is_reported_done_and_failed_at_once(engine, leased, race, first_one):
    """A failure that leaves retries does not undo a report; two different last words are one too many."""
    commands = {"complete": lambda which: which.complete_job(leased.key), "fail": lambda which: which.fail_job(leased.key, 1, "down")}
    other = "fail" if first_one == "complete" else "complete"
    results = dict(zip((first_one, other), race(commands[first_one], commands[other]), strict=True))
    assert results["complete"] is None
    assert isinstance(results["fail"], InvalidState) if first_one == "complete" else results["fail"] is None
    assert open_elements(engine) == ["a"] and passed(engine)["a"] == 1
    assert ask(engine) == []


@pytest.mark.parametrize("first_one", ["complete", "due"])
def test_a_job_is_reported_while_its_timer_fires(engine, leased, race, clock, first_one):
    clock.advance(2 * HOUR)
    commands = {"complete": lambda which: which.complete_job(leased.key), "due": lambda which: which.run_due()}
    other = "due" if first_one == "complete" else "complete"
    results = dict(zip((first_one, other), race(commands[first_one], commands[other]), strict=True))
    if first_one == "complete":
        assert results["complete"] is None and results["due"] + engine.run_due() == 0
    else:
        assert results["due"] == 1 and isinstance(results["complete"], EngineError)
    assert open_elements(engine) == (["a"] if first_one == "complete" else ["b"])


# --- deploying ---------------------------------------------------------------------------------------------------------------------


def file(process_id: str, flows: str, **elements) -> dict[str, bytes]:
    return {f"{process_id}.bpmn": bpmn(process(process_id, flows, **elements))}


@pytest.mark.parametrize("first_one", ["deploy", "start"])
def test_a_new_version_is_deployed_while_an_instance_starts(engine, race, first_one):
    """Either version may be taken, but wholly; the next start takes the new one."""
    engine.deploy(file("q", "start -> a -> end"), by="designer")
    engine.start("q")
    commands = {
        "deploy": lambda which: which.deploy(file("q", "start -> b -> end"), by="designer"),
        "start": lambda which: which.start("q"),
    }
    other = "start" if first_one == "deploy" else "deploy"
    results = dict(zip((first_one, other), race(commands[first_one], commands[other]), strict=True))
    assert [item.version for item in results["deploy"].definitions] == [2]
    started = results["start"]
    assert (started.version, [task.element_id for task in engine.user_tasks(started.key)]) in [(1, ["a"]), (2, ["b"])]
    engine.catalogue.forget()
    assert engine.start("q").version == 2
    assert len(engine.instances()) == 3


@pytest.mark.parametrize("first_one", ["deploy", "publish"])
def test_a_message_starts_one_version_while_the_next_is_deployed(engine, race, first_one):
    engine.deploy(file("q", "start -> a -> end", start=start(message("new"))), by="designer")
    commands = {
        "deploy": lambda which: which.deploy(file("q", "start -> b -> end", start=start(message("new"))), by="designer"),
        "publish": lambda which: which.publish_message("new", time_to_live=HOUR),
    }
    other = "publish" if first_one == "deploy" else "deploy"
    race(commands[first_one], commands[other])
    engine.run_due()
    assert len(engine.instances("q")) == 1
    engine.publish_message("new")
    assert [item.version for item in engine.instances("q")][1:] == [2]


@pytest.mark.parametrize("first_one", ["deploy", "due"])
def test_a_timer_starts_one_version_while_the_next_is_deployed(engine, race, clock, first_one):
    engine.deploy(file("q", "start -> a -> end", start=start(timer(cycle="R/PT1H"))), by="designer")
    clock.advance(HOUR)
    commands = {
        "deploy": lambda which: which.deploy(file("q", "start -> b -> end", start=start(timer(cycle="R/PT1H"))), by="designer"),
        "due": lambda which: which.run_due(),
    }
    other = "due" if first_one == "deploy" else "deploy"
    race(commands[first_one], commands[other])
    # What was due before the new version came may still start the old one, or be dropped with it.
    assert len(engine.instances("q")) in ([1] if first_one == "due" else [0, 1])
    assert engine.run_due() == 0
    clock.advance(HOUR)
    assert engine.run_due() == 1
    assert engine.instances("q")[-1].version == 2
    assert count(engine, tables.timer) == 1
