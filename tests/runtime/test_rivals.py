"""Two commands at once, held at the moment before the first commits: one wins, the other is told (see tests/support/race.py)."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from engine import Conflict, EngineError
from tests.bpmn.builder import boundary, bpmn, call, catch, each, message, process, service, start, timer, user
from tests.support.race import LONG, race

__all__ = ["race"]


@pytest.fixture
def task(engine, deploy):
    deploy("p", "start -> a -> b -> end; m -> c -> end; t -> d -> end", m=boundary("a", message("stop")), t=boundary("a", timer("PT1H")))
    return engine.user_tasks(engine.start("p").key)[0]


def open_elements(engine) -> list[str]:
    return [item.element_id for item in engine.user_tasks()]


def test_two_people_complete_at_once(engine, task, race, clock):
    done, refused = race(lambda one: one.complete(task.key, {"x": 1}, by="li"), lambda two: two.complete(task.key, {"x": 2}, by="wang"))
    assert done.variables == {"x": 1}
    assert isinstance(refused, Conflict)
    assert (refused.by, refused.at) == ("li", clock()) and "li" in str(refused)
    assert open_elements(engine) == ["b"]
    assert engine.instance(task.instance_key).variables == {"x": 1}


def test_two_people_claim_at_once(task, race, clock):
    done, refused = race(lambda one: one.claim(task.key, by="li"), lambda two: two.claim(task.key, by="wang"))
    assert done.assignee == "li"
    assert isinstance(refused, Conflict) and (refused.by, refused.at) == ("li", clock())


def test_completing_what_is_being_cancelled(engine, task, race):
    done, refused = race(lambda one: one.cancel(task.instance_key, by="chief"), lambda two: two.complete(task.key, by="wang"))
    assert done.state == "TERMINATED"
    assert isinstance(refused, Conflict) and "no longer needed" in str(refused)
    assert open_elements(engine) == []


def test_cancelling_what_is_being_completed(engine, task, race):
    done, cancelled = race(lambda one: one.complete(task.key, by="li"), lambda two: two.cancel(task.instance_key, by="chief"))
    assert (done.state, cancelled.state) == ("ACTIVE", "TERMINATED")
    assert open_elements(engine) == []
    states = {item.element_id: item.state for item in engine.activities(task.instance_key)}
    assert (states["a"], states["b"]) == ("COMPLETED", "TERMINATED")


def test_a_timer_while_the_task_is_being_completed(engine, task, race, clock):
    clock.advance(timedelta(hours=1))
    _, fired = race(lambda one: one.complete(task.key, by="li"), lambda two: two.run_due())
    assert fired + engine.run_due() == 0
    assert open_elements(engine) == ["b"]


def test_completing_while_the_timer_is_firing(engine, task, race, clock):
    clock.advance(timedelta(hours=1))
    fired, refused = race(lambda one: one.run_due(), lambda two: two.complete(task.key, by="li"))
    assert fired == 1
    assert isinstance(refused, Conflict)
    assert open_elements(engine) == ["d"]


def test_two_acquirers_meet_at_the_same_timer(engine, task, race, clock):
    clock.advance(timedelta(hours=1))
    assert sum(race(lambda one: one.run_due(), lambda two: two.run_due())) == 1
    assert engine.run_due() == 0
    assert open_elements(engine) == ["d"]


def test_two_acquirers_meet_at_the_same_timer_start(engine, deploy, race, clock):
    deploy("q", "start -> a -> end", start=start(timer(cycle="R3/PT1H")))
    clock.advance(timedelta(hours=1))
    assert sum(race(lambda one: one.run_due(), lambda two: two.run_due())) == 1
    assert len(engine.instances("q")) == 1


def test_two_messages_for_one_receiver(engine, deploy, race):
    deploy("q", "start -> m -> a -> end", m=catch(message("reply", key="=no")))
    instance = engine.start("q", {"no": "N"})
    one, two = race(lambda one: one.publish_message("reply", "N", {"x": 1}), lambda two: two.publish_message("reply", "N", {"x": 2}))
    assert (one, two) == (1, 0)
    assert engine.instance(instance.key).variables["x"] == 1
    assert open_elements(engine) == ["a"]


def test_a_message_and_its_receiver_come_at_once(engine, deploy, race):
    """Neither transaction sees the other on PostgreSQL; the next round of due work brings them together."""
    deploy("q", "start -> m -> a -> end", m=catch(message("reply", key="=no")))
    hour = timedelta(hours=1)
    race(lambda one: one.publish_message("reply", "N", {"x": 1}, time_to_live=hour), lambda two: two.start("q", {"no": "N"}))
    engine.run_due()
    assert open_elements(engine) == ["a"]
    assert engine.instances("q")[0].variables["x"] == 1
    engine.start("q", {"no": "N"})
    assert (engine.run_due(), open_elements(engine)) == (0, ["a"])


def test_the_same_message_id_at_once(engine, race):
    hour = timedelta(hours=1)
    publish = lambda which: which.publish_message("reply", "N", time_to_live=hour, message_id="1")  # noqa: E731
    one, two = race(publish, publish)
    assert one == 0 and isinstance(two, Conflict)


def test_a_message_while_the_task_is_being_completed(engine, task, race):
    done, received = race(lambda one: one.complete(task.key, by="li"), lambda two: two.publish_message("stop"))
    assert (done.state, received) == ("ACTIVE", 0)
    assert open_elements(engine) == ["b"]


def test_two_branches_of_one_instance_are_completed_at_once_and_join(engine, deploy, race):
    deploy("q", "start -> a -> b -> end", a=each(user(), "=[1, 2]", "item", results="all", result="=item"))
    one, two = engine.user_tasks(engine.start("q").key)
    first, second = race(lambda which: which.complete(one.key), lambda which: which.complete(two.key))
    assert not isinstance(first, Exception) and not isinstance(second, Exception)
    assert open_elements(engine) == ["b"]
    assert second.variables == {"all": [1, 2]}


def test_two_called_instances_return_at_once(engine, deploy, race):
    called = each(call("child", all_out=False), "=[1, 2]", "item", results="all", result="=item")
    deploy(process("q", "start -> c -> b -> end", c=called), process("child", "start -> a -> end"))
    engine.start("q")
    one, two = engine.user_tasks()
    first, second = race(lambda which: which.complete(one.key), lambda which: which.complete(two.key))
    assert (first.state, second.state) == ("COMPLETED", "COMPLETED")
    assert open_elements(engine) == ["b"]


def test_a_called_instance_returns_while_its_caller_is_cancelled(engine, deploy, race):
    deploy(process("q", "start -> c -> b -> end", c=call("child")), process("child", "start -> a -> end"))
    parent = engine.start("q")
    (task,) = engine.user_tasks()
    cancelled, refused = race(lambda one: one.cancel(parent.key), lambda two: two.complete(task.key))
    assert cancelled.state == "TERMINATED"
    assert isinstance(refused, EngineError)
    assert open_elements(engine) == []


def test_a_caller_is_cancelled_while_its_called_instance_returns(engine, deploy, race):
    deploy(process("q", "start -> c -> b -> end", c=call("child")), process("child", "start -> a -> end"))
    parent = engine.start("q")
    (task,) = engine.user_tasks()
    done, cancelled = race(lambda one: one.complete(task.key), lambda two: two.cancel(parent.key))
    assert (done.state, cancelled.state) == ("COMPLETED", "TERMINATED")
    assert open_elements(engine) == []


def test_two_workers_ask_at_once(engine, deploy, race):
    deploy("q", "start -> j -> end", j=service("mail"))
    for _ in range(3):
        engine.start("q")
    ask = lambda which: [job.key for job in which.activate_jobs("mail", which.node, max_jobs=2)]  # noqa: E731
    one, two = race(ask, ask)
    assert len(one) == 2 and not set(one) & set(two)
    assert len({*one, *two, *ask(engine)}) == 3


def test_two_workers_report_the_same_job_at_once(engine, deploy, race):
    deploy("q", "start -> j -> a -> end", j=service("mail"))
    engine.start("q")
    (job,) = engine.activate_jobs("mail", "w")
    _, refused = race(lambda one: one.complete_job(job.key), lambda two: two.complete_job(job.key))
    assert isinstance(refused, EngineError)
    assert open_elements(engine) == ["a"]


def test_the_same_file_is_deployed_at_once(engine, race):
    files = {"q.bpmn": bpmn(process("q", "start -> a -> end"))}
    one, two = race(lambda one: one.deploy(files, by="li"), lambda two: two.deploy(files, by="wang"))
    assert [item.definitions[0].new for item in (one, two)] == [True, False]
    assert one.definitions[0].key == two.definitions[0].key


def test_two_versions_are_deployed_at_once(engine, race):
    one, two = (
        lambda which, tasks=tasks: which.deploy({"q.bpmn": bpmn(process("q", f"start -> {tasks} -> end"))}, by="li")
        for tasks in ("a", "a -> b")
    )
    versions = [item.definitions[0].version for item in race(one, two)]
    assert versions == [1, 2]
    assert engine.start("q").version == 2


def test_a_key_that_another_node_has_made_is_made_anew(engine, deploy, monkeypatch):
    deploy("q", "start -> a -> end")
    taken = [engine.start("q").key]
    from engine.runtime import unit

    real = unit.new_key
    monkeypatch.setattr(unit, "new_key", lambda: taken.pop() if taken else real())
    engine.start("q")
    assert (taken, len(engine.instances("q"))) == ([], 2)


def test_eight_threads_work_on_one_engine(engine, deploy):
    deploy("q", "start -> a -> b -> end")
    failures: list[Exception] = []

    def work(number: int) -> None:
        try:
            for _ in range(5):
                instance = engine.start("q", {"number": number})
                for _ in range(2):
                    (task,) = engine.user_tasks(instance.key)
                    engine.complete(task.key, by=str(number))
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONG)
    assert failures == []
    assert {item.state for item in engine.instances()} == {"COMPLETED"} and len(engine.instances()) == 40
