"""A worker process whose machine's clock is wrong warns and does no job before its time."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest

from engine import Engine
from engine.runtime.nodeclock import NodeClock, utc_now
from engine.store import tables
from engine.workers import Runner
from engine.workers.registry import Worker
from tests.bpmn.builder import bpmn, process, service
from tests.runtime.test_due_wrong_clock import ONLY_POSTGRESQL, ONLY_SQLITE, Machine


@pytest.fixture
def machine():
    return Machine()


@pytest.fixture
def astray(database_url, machine):
    """An engine that lives by the machine's clock and never looks for due work, as that of ``banjie worker``."""
    made = Engine(database_url, clock=NodeClock(machine.now, machine.stopwatch, timedelta(seconds=30)), node="astray")
    yield made
    made.dispose()


@pytest.fixture
def later_job(database_url):
    """A job that failed and is to be tried again in ten minutes of true time; gives a runner's engine its instance."""
    engine = Engine(database_url)
    engine.deploy({"p.bpmn": bpmn(process("p", "start -> a -> end", a=service("send")))}, by="designer")
    key = engine.start("p").key
    (job,) = engine.activate_jobs("send", "w")
    engine.fail_job(job.key, 2, "busy", timedelta(minutes=10))
    yield key
    engine.dispose()


def runner_of(engine, done: list[int]) -> Runner:
    return Runner(engine, {"send": Worker("send", lambda context: done.append(context.key))}, threads=1)


@ONLY_POSTGRESQL
def test_a_worker_whose_clock_is_ahead_warns_and_does_nothing_early(later_job, astray, machine, caplog):
    done: list[int] = []
    machine.off = timedelta(hours=1)
    with caplog.at_level(logging.WARNING):
        assert runner_of(astray, done).run_once() == 0
    assert done == []
    assert "ahead of the database" in caplog.text
    assert astray.clock.last.wrong
    machine.off = timedelta(0)
    assert runner_of(astray, done).run_once() == 0
    assert not astray.clock.last.wrong


@ONLY_POSTGRESQL
def test_a_worker_that_cannot_compare_its_clock_takes_nothing(later_job, astray, monkeypatch):
    monkeypatch.setattr(astray.clock, "_with_database", lambda conn: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        runner_of(astray, []).run_once()


@ONLY_SQLITE
def test_on_sqlite_a_worker_behind_what_is_written_warns(later_job, astray, machine, caplog):
    with astray.transaction() as tx:
        tx.audit("something", "somewhere:1")
    machine.off = -timedelta(days=1)
    with caplog.at_level(logging.WARNING):
        runner_of(astray, []).run_once()
    assert astray.clock.last.wrong
    assert "behind what has been written" in caplog.text


def test_a_right_clock_is_compared_by_a_worker_too(later_job, astray):
    runner_of(astray, []).run_once()
    assert astray.clock.last is not None and not astray.clock.last.wrong
    assert astray.clock() - utc_now() < timedelta(seconds=1)
    with astray.reading() as conn:
        assert conn.execute(tables.notification.select()).first() is None
