"""Operations over many instances, deleting, history levels and the clean-up."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select

from engine import Engine, InvalidState, NotFound, ValidationFailed
from engine.runtime.operations import batches
from engine.store import tables
from tests.bpmn.builder import Process, boundary, bpmn, call, message, process, script, service, sub, tag, timer, user, xor
from tests.support.race import race

__all__ = ["race"]

DAY = timedelta(days=1)


def count(engine, table) -> int:
    with engine.reading() as conn:
        return len(conn.execute(select(*table.primary_key.columns)).all())


def kept(made: Process, **properties: str) -> Process:
    """A process with ``zeebe:properties`` of its own."""
    rows = "".join(tag("zeebe:property", {"name": name, "value": value}) for name, value in properties.items())
    head, rest = made.xml.split(">", 1)
    extension = tag("bpmn:extensionElements", {}, tag("zeebe:properties", {}, rows))
    return Process(made.id, f"{head}>{extension}{rest}", made.roots)


@pytest.fixture
def keys(engine, deploy):
    deploy("p", "start -> a -> end")
    return [engine.start("p").key for _ in range(5)]


# --- batches ---------------------------------------------------------------------------------------------------------------------


def test_many_are_cancelled_suspended_and_resumed(engine, keys):
    one = engine.suspend_many(keys[:2], by="admin", reason="holiday")
    assert engine.run_due() == 2
    assert [engine.instance(key).state for key in keys] == ["SUSPENDED", "SUSPENDED", "ACTIVE", "ACTIVE", "ACTIVE"]
    engine.resume_many(keys[:3])
    two = engine.cancel_many(keys[3:])
    assert engine.run_due() == 5
    assert [engine.instance(key).state for key in keys] == ["ACTIVE", "ACTIVE", "ACTIVE", "TERMINATED", "TERMINATED"]
    assert [item.key for item in engine.batches()][::2] == [two.key, one.key]
    assert [item.state for item in engine.batches()] == ["DONE"] * 3
    (failed,) = engine.batch_items(engine.batches()[1].key, "FAILED")
    assert failed.instance_key == keys[2] and "ACTIVE" in failed.message
    assert engine.run_due() == 0


def test_many_are_tried_again(engine, deploy):
    deploy("p", "start -> j -> end", j=service("mail"))
    found = [engine.start("p").key for _ in range(3)]
    for job in engine.activate_jobs("mail", "w"):
        engine.fail_job(job.key, 0, "down")
    engine.retry_many(found, retries=2, by="admin")
    engine.run_due()
    assert engine.incidents() == []
    assert [job.retries for job in engine.activate_jobs("mail", "w")] == [2, 2, 2]


def test_a_batch_goes_on_on_a_node_that_is_started_anew(engine, keys, database_url, clock, monkeypatch):
    batch = engine.cancel_many(keys)
    assert engine.run_due(limit=2) == 2
    half = engine.batch(batch.key)
    assert (half.state, half.done, half.open, half.progress) == ("RUNNING", 2, 3, 0.4)
    other = Engine(database_url, clock=clock)
    assert other.run_due() == 3
    assert other.batch(batch.key).state == "DONE"
    other.dispose()
    with engine.reading() as conn:
        done = [row.subject for row in conn.execute(select(tables.audit).where(tables.audit.c.action == "instance.cancel"))]
    assert sorted(done) == [f"instance:{key}" for key in keys]


def test_two_nodes_do_each_item_once(engine, keys, race):
    batch = engine.cancel_many(keys, by="admin")
    one, two = race(lambda first: first.run_due(), lambda second: second.run_due())
    assert one + two == 5
    assert (engine.batch(batch.key).done, engine.batch(batch.key).failed) == (5, 0)


def test_a_mistake_of_ours_fails_its_item_and_not_the_batch(engine, keys, monkeypatch):
    def broken(unit, key, parameters):
        if key == keys[0]:
            raise KeyError("oops")

    monkeypatch.setitem(batches.ACTIONS, "cancel", broken)
    batch = engine.cancel_many(keys)
    engine.run_due()
    assert (engine.batch(batch.key).done, engine.batch(batch.key).failed) == (4, 1)
    assert "KeyError" in engine.batch_items(batch.key, "FAILED")[0].message


def test_a_cancelled_batch_leaves_the_rest_alone(engine, keys):
    batch = engine.cancel_many(keys)
    engine.run_due(limit=1)
    stopped = engine.cancel_batch(batch.key, by="admin", reason="mistake")
    assert (stopped.state, stopped.done, stopped.open) == ("CANCELED", 1, 4)
    assert engine.run_due() == 0
    assert sum(engine.instance(key).state == "ACTIVE" for key in keys) == 4
    with pytest.raises(InvalidState):
        engine.cancel_batch(batch.key)
    with pytest.raises(NotFound):
        engine.batch(1)


def test_a_batch_over_nothing_is_refused(engine):
    with pytest.raises(ValidationFailed):
        engine.cancel_many([])
    assert engine.batches() == []


# --- deleting --------------------------------------------------------------------------------------------------------------------


def rows_left(engine) -> dict[str, int]:
    ignored = {"deployment", "resource", "definition", "audit", "setting", "calendar_day", "calendar_year", "role", "section", "firing"}
    counts = {table.name: count(engine, table) for table in tables.metadata.tables.values() if table.name not in ignored}
    return {name: number for name, number in counts.items() if number}


def test_an_ended_case_is_deleted_with_all_that_hangs_on_it(engine, deploy, do):
    deploy(
        process("p", "start -> a -> j -> c -> g -[x = 9]-> end", a=user(groups="g"), j=service("mail"), c=call("q"), g=xor()),
        process("q", "start -> b -> end; t -> end; m -> end", t=boundary("b", timer("PT1H")), m=boundary("b", message("m"))),
    )
    one = engine.start("p")
    do(one, "a")
    (job,) = engine.activate_jobs("mail", "w")
    engine.complete_job(job.key)
    with pytest.raises(InvalidState, match="Cancel"):
        engine.delete_instance(one.key)
    child = engine.instances("q")[0]
    engine.cancel(one.key)
    with pytest.raises(InvalidState, match=str(one.key)):
        engine.delete_instance(child.key)
    deleted = engine.delete_instance(one.key, by="admin", reason="test case", address="10.0.0.1")
    assert (deleted["instance"], deleted["user_task"], deleted["job"]) == (2, 2, 1)
    assert rows_left(engine) == {}
    with engine.reading() as conn:
        row = conn.execute(select(tables.audit).where(tables.audit.c.action == "instance.delete")).mappings().one()
    assert (row["by"], row["address"], row["details"]["deleted"], row["details"]["process"]) == ("admin", "10.0.0.1", deleted, "p")
    with pytest.raises(NotFound):
        engine.instance(one.key)
    with pytest.raises(NotFound):
        engine.delete_instance(one.key)


def test_a_running_case_is_deleted_by_force_only(engine, keys):
    engine.delete_instance(keys[0], force=True)
    assert len(engine.instances()) == len(engine.user_tasks()) == 4


def test_completing_a_task_of_a_case_that_is_being_deleted(engine, keys, race):
    task = next(item for item in engine.user_tasks() if item.instance_key == keys[0])
    _, refused = race(lambda one: one.delete_instance(keys[0], force=True), lambda two: two.complete(task.key))
    assert isinstance(refused, Exception)
    assert len(engine.instances()) == 4


def test_many_are_deleted(engine, keys, do):
    for key in keys[:3]:
        engine.cancel(key)
    batch = engine.delete_many(keys)
    engine.run_due()
    assert (engine.batch(batch.key).done, engine.batch(batch.key).failed, len(engine.instances())) == (3, 2, 2)


# --- history ---------------------------------------------------------------------------------------------------------------------


def test_without_a_rule_nothing_is_ever_deleted(engine, keys, clock):
    engine.cancel(keys[0])
    clock.advance(40_000 * DAY)
    assert engine.run_due() == 0
    assert engine.clean_up() == 0
    waiting = engine.clean_up_waiting()
    assert (waiting.due, waiting.dated, waiting.next_at) == (0, 0, None)


def test_a_case_is_deleted_when_its_days_are_over(engine, clock):
    engine.deploy({"p.bpmn": bpmn(kept(process("p", "start -> a -> end"), historyDays="30"))}, by="designer")
    one, two = engine.start("p"), engine.start("p")
    engine.cancel(one.key)
    clock.advance(DAY)
    engine.cancel(two.key)
    clock.advance(29 * DAY - timedelta(seconds=1))
    assert engine.run_due() == 0
    waiting = engine.clean_up_waiting()
    assert (waiting.due, waiting.dated, waiting.next_at) == (0, 2, clock() + timedelta(seconds=1))
    clock.advance(timedelta(seconds=1))
    assert engine.clean_up_waiting().due == 1
    assert engine.run_due() == 1
    assert [item.key for item in engine.instances()] == [two.key]
    clock.advance(DAY)
    assert engine.clean_up() == 1
    assert rows_left(engine) == {}
    with engine.reading() as conn:
        actions = list(conn.execute(select(tables.audit.c.subject).where(tables.audit.c.action == "instance.remove")).scalars())
    assert actions == [f"instance:{one.key}", f"instance:{two.key}"]


def test_the_clean_up_goes_in_slices(engine, clock):
    engine.deploy({"p.bpmn": bpmn(kept(process("p", "start -> end"), historyDays="0"))}, by="designer")
    for _ in range(25):
        engine.start("p")
    assert engine.run_due() == 20
    assert engine.run_due(limit=3) == 3
    assert engine.clean_up() == 2


def test_the_setting_counts_where_the_process_says_nothing(database_url, clock):
    engine = Engine(database_url, clock=clock, settings={"history_level": "none", "history_ttl_days": 1})
    quiet, loud = process("p", "start -> a -> end"), kept(process("q", "start -> a -> end"), history="activity", historyDays="nonsense")
    engine.deploy({"p.bpmn": bpmn(quiet), "q.bpmn": bpmn(loud)}, by="designer")
    one, two = engine.start("p"), engine.start("q")
    for task in engine.user_tasks():
        engine.complete(task.key)
    assert engine.activities(one.key) == []
    assert [(item.element_id, item.state) for item in engine.activities(two.key)] == [("start", "COMPLETED"), ("a", "COMPLETED"), ("end", "COMPLETED")]
    clock.advance(DAY)
    assert engine.run_due() == 2
    engine.dispose()


def test_at_level_full_each_change_of_a_variable_is_kept(engine, do):
    made = process("p", "start -> a -> s -> b -> end", s=sub("start1 -> k -> c -> end1", k=script("2", "y")))
    engine.deploy({"p.bpmn": bpmn(kept(made, history="full"))}, by="designer")
    one = engine.start("p", {"x": 1, "same": [1]}, by="li")
    do(one, "a", x=2, same=[1])
    engine.set_variables(one.key, {"z": None}, scope="s", by="admin")
    changes = [(item.scope, item.name, item.value, item.by) for item in engine.variable_changes(one.key)]
    assert sorted(changes[:2], key=str) == [("*", "same", [1], "li"), ("*", "x", 1, "li")]
    assert sorted(change for change in changes[2:] if change[3] == "li") == [("", "same", [1], "li"), ("", "x", 1, "li")]
    assert sorted(change for change in changes if change[3] == "worker") == [("", "x", 2, "worker"), ("", "y", 2, "worker")]
    assert changes[-1] == ("s", "z", None, "admin")


def test_a_restart_takes_the_variables_of_the_start_where_they_were_kept(engine, do):
    engine.deploy({"p.bpmn": bpmn(kept(process("p", "start -> a -> end"), history="full"))}, by="designer")
    exact = Decimal("0.10000000000000000001")
    one = engine.start("p", {"x": 1, "d": [exact]})
    do(one, "a", x=2, y=3)
    assert engine.restart(one.key).variables == {"x": 1, "d": [exact]}
    two = engine.start("p")
    engine.complete(engine.user_tasks(two.key)[0].key, {"y": 3})
    assert engine.restart(two.key).variables == {}
    assert [item.name for item in engine.variable_changes(one.key) if item.by == "worker"] == ["x", "y"], "what is the same is no change"
