"""Very many timers and rungs due at one instant, nodes killed while they fire them, and one that cannot be fired: each exactly once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from engine import Engine
from engine.store import tables
from tests.bpmn.builder import boundary, catch, end, process, task, timer, user
from tests.support.storm import SETTINGS, Node, Storm

TIMERS, RUNGS = 450, 600
ONLY_POSTGRESQL = pytest.mark.parametrize("database_kind", [pytest.param("postgresql", marks=pytest.mark.postgres)])


@pytest.fixture
def storm(database_url, clock):
    engine = Engine(database_url, clock=clock, settings=SETTINGS, node="survivor")
    yield Storm(engine, TIMERS, RUNGS)
    engine.dispose()


@pytest.fixture
def node(database_url, request):
    def start(name: str) -> Node:
        made = Node(database_url, name)
        request.addfinalizer(made.close)
        return made

    return start


@ONLY_POSTGRESQL
@pytest.mark.parametrize("commits", [9, 14], ids=["among its timers", "among its rungs"])
def test_of_two_nodes_one_is_killed_half_way_and_everything_fires_exactly_once(storm, node, commits):
    first, second = node("first"), node("second")
    second.go(until=commits)
    first.go()
    second.kill()
    first.wait()
    # What the dead node held when the living one came by is left to the next wake of any node.
    storm.engine.run_due()
    assert storm.ledger() == storm.expected()
    shares = storm.by_node()
    assert sum(shares.values()) == TIMERS + RUNGS
    assert shares["first"] and shares["second"]


@pytest.mark.parametrize("commits", [9, 30], ids=["among its timers", "among its rungs"])
def test_a_lone_node_that_is_killed_leaves_the_rest_to_its_successor(storm, node, commits):
    victim = node("victim")
    victim.go(until=commits)
    victim.kill()
    assert 0 < storm.by_node().get("victim", 0) < TIMERS + RUNGS
    storm.engine.run_due()
    assert storm.ledger() == storm.expected()
    assert set(storm.by_node()) == {"victim", "survivor"}


def test_a_timer_that_cannot_be_fired_stops_no_other_and_is_audited(engine, deploy, clock):
    deploy("p", "start -> t -> end", t=catch(timer("PT1H")))
    keys = [engine.start("p").key for _ in range(60)]
    broken = keys[7]
    with engine.transaction() as tx:
        snapshot = tx.execute(select(tables.instance.c.snapshot).where(tables.instance.c.key == broken)).scalar_one()
        tx.execute(update(tables.instance).where(tables.instance.c.key == broken).values(snapshot="unreadable"))
    clock.advance(timedelta(hours=2))
    assert engine.run_due() == 59
    with engine.reading() as conn:
        audited = conn.execute(select(tables.audit.c.subject).where(tables.audit.c.action == "timer.failed")).scalars().all()
        (left,) = conn.execute(select(tables.timer.c.key)).scalars().all()
    assert audited == [f"timer:{left}"]
    assert {engine.instance(key).state for key in keys if key != broken} == {"COMPLETED"}
    with engine.transaction() as tx:
        tx.execute(update(tables.instance).where(tables.instance.c.key == broken).values(snapshot=snapshot))
    assert engine.run_due() == 1
    assert engine.instance(broken).state == "COMPLETED"


def test_a_limit_on_due_work_is_kept_and_the_rest_comes_later(engine, deploy, clock):
    deploy("p", "start -> t -> end", t=catch(timer("PT1H")))
    for _ in range(60):
        engine.start("p")
    clock.advance(timedelta(hours=2))
    assert [engine.run_due(limit) for limit in (1, 27, 100, 5)] == [1, 27, 32, 0]


def test_missed_rounds_of_a_cycle_and_later_timers_of_the_same_case_keep_their_order(engine, deploy, clock, history):
    deploy(
        process(
            "p", "start -> a -> end; every -> noted -> seen; last -> over",
            a=user(), noted=task(), seen=end(), over=end(), every=boundary("a", timer(cycle="R/PT1H"), interrupting=False), last=boundary("a", timer("PT3H30M")),
        )
    )  # fmt: skip
    instance = engine.start("p")
    clock.advance(timedelta(days=2))
    engine.run_due()
    fired = [element for element, _ in history(instance.key) if element in ("every", "last")]
    assert fired == ["every", "every", "every", "last"]
    assert engine.instance(instance.key).state == "COMPLETED"
