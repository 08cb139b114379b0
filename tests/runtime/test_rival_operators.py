"""An operator's hand and somebody's work on the same instance at the last moment: whoever commits first, nothing is doubled or lost.

As in ``test_rival_operations.py``, both orders of every pair, on both databases.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from engine import EngineError, InvalidState
from engine.store import tables
from tests.bpmn.builder import boundary, bpmn, message, process, service, timer, xor
from tests.support.race import race

__all__ = ["race"]

HOUR = timedelta(hours=1)
OUTSIDE = {"m": boundary("a", message("stop")), "t": boundary("a", timer("PT1H"))}
OLD = "start -> a -> b -> end; m -> c -> end; t -> d -> end"
NEW = "start -> a -> x -> b -> end; m -> c -> end; t -> d -> end"


def open_elements(engine) -> list[str]:
    return [item.element_id for item in engine.user_tasks()]


def both_ways(race, first_one: str, commands: dict[str, Any]) -> dict[str, Any]:
    """Race the two commands with ``first_one`` held before its commit; the results by name."""
    (other,) = set(commands) - {first_one}
    return dict(zip((first_one, other), race(commands[first_one], commands[other]), strict=True))


@pytest.fixture
def task(engine, deploy):
    deploy("p", OLD, **OUTSIDE)
    return engine.user_tasks(engine.start("p").key)[0]


@pytest.fixture
def plan(engine, task):
    engine.deploy({"p.bpmn": bpmn(process("p", NEW, **OUTSIDE))}, by="designer")
    return engine.plan_migration("p", 1, 2)


# --- migrating -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first_one", ["migrate", "complete"])
def test_an_instance_is_migrated_while_its_task_is_completed(engine, task, plan, race, first_one):
    """Migrated first, the task leads along the new version; completed first, its follower is migrated.  Never both, never neither."""
    key = task.instance_key
    results = both_ways(race, first_one, {
        "migrate": lambda which: which.migrate_instance(plan, key, by="chief"),
        "complete": lambda which: which.complete(task.key, {"x": 1}, by="li"),
    })  # fmt: skip
    assert not isinstance(results["migrate"], Exception) and not isinstance(results["complete"], Exception)
    instance = engine.instance(key)
    assert (instance.version, instance.state, instance.variables) == (2, "ACTIVE", {"x": 1})
    assert open_elements(engine) == (["x"] if first_one == "migrate" else ["b"])
    assert [item.element_id for item in engine.activities(key) if item.state == "COMPLETED"] == ["start", "a"]
    while engine.instance(key).state == "ACTIVE":
        engine.complete(engine.user_tasks(key)[0].key)
    assert engine.instance(key).state == "COMPLETED"


@pytest.mark.parametrize("first_one", ["migrate", "due"])
def test_an_instance_is_migrated_while_its_timer_fires(engine, task, plan, race, clock, first_one):
    clock.advance(HOUR)
    results = both_ways(race, first_one, {
        "migrate": lambda which: which.migrate_instance(plan, task.instance_key),
        "due": lambda which: which.run_due(),
    })  # fmt: skip
    assert results["due"] + engine.run_due() == 1
    assert engine.instance(task.instance_key).version == 2
    assert open_elements(engine) == ["d"]


@pytest.mark.parametrize("first_one", ["migrate", "publish"])
def test_an_instance_is_migrated_while_its_message_comes(engine, task, plan, race, first_one):
    results = both_ways(race, first_one, {
        "migrate": lambda which: which.migrate_instance(plan, task.instance_key),
        "publish": lambda which: which.publish_message("stop", time_to_live=HOUR),
    })  # fmt: skip
    assert results["publish"] + engine.run_due() == 1
    assert engine.instance(task.instance_key).version == 2
    assert open_elements(engine) == ["c"]


def test_an_instance_is_migrated_twice_at_once(engine, task, plan, race):
    one, two = race(*[lambda which: which.migrate_instance(plan, task.instance_key)] * 2)
    assert one.version == 2 and isinstance(two, EngineError)
    assert open_elements(engine) == ["a"]


def test_two_nodes_work_on_the_same_batch(engine, task, plan, race):
    for _ in range(3):
        engine.start("p", version=1)
    batch = engine.migrate_many(plan, by="chief")
    race(lambda one: one.run_due(), lambda two: two.run_due())
    engine.run_due()
    done = engine.batch(batch.key)
    assert (done.state, done.total, done.done, done.failed) == ("DONE", 4, 4, 0)
    assert {item.version for item in engine.instances()} == {2}
    assert open_elements(engine) == ["a"] * 4


# --- moving, writing, deleting ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first_one", ["move", "complete"])
def test_a_token_is_moved_while_its_task_is_completed(engine, task, race, first_one):
    results = both_ways(race, first_one, {
        "move": lambda which: which.move(task.instance_key, cancel=["a"], start=["c"]),
        "complete": lambda which: which.complete(task.key, by="li"),
    })  # fmt: skip
    (other,) = {"move", "complete"} - {first_one}
    assert isinstance(results[other], EngineError)
    assert open_elements(engine) == (["c"] if first_one == "move" else ["b"])


@pytest.mark.parametrize("first_one", ["write", "complete"])
def test_variables_are_written_while_the_task_is_completed(engine, task, race, first_one):
    """Both are kept; nobody overwrites what the other has brought."""
    results = both_ways(race, first_one, {
        "write": lambda which: which.set_variables(task.instance_key, {"y": 2, "both": "chief"}),
        "complete": lambda which: which.complete(task.key, {"x": 1, "both": "li"}, by="li"),
    })  # fmt: skip
    assert not any(isinstance(result, Exception) for result in results.values())
    assert engine.instance(task.instance_key).variables == {"x": 1, "y": 2, "both": "li" if first_one == "write" else "chief"}


@pytest.mark.parametrize("first_one", ["delete", "complete"])
def test_a_case_is_deleted_while_its_task_is_completed(engine, task, race, first_one):
    results = both_ways(race, first_one, {
        "delete": lambda which: which.delete_instance(task.instance_key, force=True),
        "complete": lambda which: which.complete(task.key, by="li"),
    })  # fmt: skip
    assert not isinstance(results["delete"], Exception)
    assert isinstance(results["complete"], EngineError) == (first_one == "delete")
    with engine.reading() as conn:
        for table in (tables.instance, tables.activity, tables.user_task, tables.timer):
            assert conn.execute(select(table)).all() == []
        assert conn.execute(select(tables.subscription).where(tables.subscription.c.instance_key.is_not(None))).all() == []


# --- incidents and definitions -----------------------------------------------------------------------------------------------------


def test_an_incident_is_retried_twice_at_once(engine, deploy, race):
    deploy("q", "start -> g -[x > 1]-> a -> end; g -[x < 0]-> end", g=xor())
    key = engine.start("q", {"x": 0}).key
    (incident,) = engine.incidents(key)
    engine.set_variables(key, {"x": 2})
    one, two = race(*[lambda which: which.retry_incident(incident.key)] * 2)
    assert one.resolved_at is not None and isinstance(two, EngineError)
    assert open_elements(engine) == ["a"] and engine.incidents(key) == []


@pytest.mark.parametrize("first_one", ["retry", "cancel"])
def test_an_incident_is_retried_while_its_instance_is_cancelled(engine, deploy, race, first_one):
    deploy("q", "start -> j -> a -> end", j=service("mail"))
    key = engine.start("q").key
    (job,) = engine.activate_jobs("mail", "w")
    engine.fail_job(job.key, 0, "down")
    (incident,) = engine.incidents(key)
    results = both_ways(race, first_one, {
        "retry": lambda which: which.retry_incident(incident.key),
        "cancel": lambda which: which.cancel(key),
    })  # fmt: skip
    assert results["cancel"].state == "TERMINATED"
    assert isinstance(results["retry"], EngineError) == (first_one == "cancel")
    assert engine.activate_jobs("mail", "w") == []


@pytest.mark.parametrize("first_one", ["suspend", "start"])
def test_a_definition_is_suspended_while_an_instance_starts(engine, deploy, race, first_one):
    deploy("q", "start -> a -> end")
    results = both_ways(race, first_one, {
        "suspend": lambda which: which.suspend_definition("q", by="chief"),
        "start": lambda which: which.start("q"),
    })  # fmt: skip
    assert results["suspend"] == 1
    assert not isinstance(results["start"], Exception) or isinstance(results["start"], InvalidState)
    engine.catalogue.forget()
    with pytest.raises(InvalidState):
        engine.start("q")
    assert len(engine.instances()) == (0 if isinstance(results["start"], InvalidState) else 1)
