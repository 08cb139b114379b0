"""A commit whose answer is lost: applied or not, the command is done exactly once and the caller hears of a success."""

from __future__ import annotations

import sqlite3
from datetime import timedelta

import psycopg
import pytest
from sqlalchemy import event, select
from sqlalchemy.exc import OperationalError

from engine.store import tables
from tests.bpmn.builder import boundary, error, service

MINUTE = timedelta(minutes=1)


@pytest.fixture
def break_commit(engine, monkeypatch):
    """The next commit of a command fails: ``break_commit(applied=True)`` after the database has done it, else before.

    Gives the list of the commits tried.
    """

    def arm(*, applied: bool, times: int = 1) -> list[str]:
        dialect, tried = engine.database.sa.dialect, []
        really = dialect.do_commit
        driver = sqlite3 if engine.database.is_sqlite else psycopg

        def commit(connection) -> None:
            tried.append("commit")
            if len(tried) > times:
                return really(connection)
            if applied:
                really(connection)
            raise driver.OperationalError("server closed the connection unexpectedly")

        monkeypatch.setattr(dialect, "do_commit", commit)
        return tried

    return arm


@pytest.fixture
def job(engine, deploy):
    deploy("p", "start -> j -> a -> end; e -> sorry -> end2", j=service("mail"), e=boundary("j", error("E")))
    engine.start("p")
    (made,) = engine.activate_jobs("mail", "w")
    return made


def history(engine, job):
    return [(item.element_id, item.state) for item in engine.activities(job.instance_key)]


both = pytest.mark.parametrize("applied", [True, False], ids=["applied", "not applied"])


@both
@pytest.mark.parametrize("worker", ["w", None])
def test_a_completion_whose_commit_was_lost_is_done_once(engine, job, break_commit, applied, worker):
    before = engine.instance(job.instance_key).revision
    break_commit(applied=applied)
    engine.complete_job(job.key, {"n": 1}, worker=worker)
    after = engine.instance(job.instance_key)
    assert (after.revision, after.variables) == (before + 1, {"n": 1})
    assert history(engine, job).count(("a", "ACTIVE")) == 1
    assert [task.element_id for task in engine.user_tasks()] == ["a"]


@both
def test_an_error_whose_commit_was_lost_is_thrown_once(engine, job, break_commit, applied):
    break_commit(applied=applied)
    engine.throw_error(job.key, "E", worker="w")
    assert [task.element_id for task in engine.user_tasks()] == ["sorry"]
    assert history(engine, job).count(("e", "COMPLETED")) == 1


@both
def test_a_failure_whose_commit_was_lost_costs_one_retry(engine, job, break_commit, applied):
    break_commit(applied=applied)
    engine.fail_job(job.key, job.retries - 1, "down", worker="w")
    (again,) = engine.activate_jobs("mail", "w")
    assert again.retries == job.retries - 1


@both
def test_the_last_failure_whose_commit_was_lost_makes_one_incident(engine, job, break_commit, applied):
    break_commit(applied=applied)
    engine.fail_job(job.key, 0, "down", worker="w")
    assert len(engine.incidents(job.instance_key)) == 1


@both
def test_a_lease_whose_commit_was_lost_is_still_handed_out(engine, job, break_commit, clock, applied):
    clock.advance(5 * MINUTE)
    break_commit(applied=applied)
    (again,) = engine.activate_jobs("mail", "two")
    assert (again.key, again.attempts) == (job.key, 2)
    with engine.reading() as conn:
        assert conn.execute(select(tables.job.c.attempts)).scalar_one() == 2


@both
def test_a_start_whose_commit_was_lost_starts_one_instance(engine, job, break_commit, applied):
    break_commit(applied=applied)
    started = engine.start("p", {"n": 1})
    assert len(engine.instances("p")) == 2
    assert engine.instance(started.key).variables == {"n": 1}


@both
def test_a_user_task_whose_completion_was_lost_is_completed_once(engine, job, break_commit, applied):
    engine.complete_job(job.key)
    (task,) = engine.user_tasks()
    break_commit(applied=applied)
    assert engine.complete(task.key, {"n": 1}, by="li").state == "COMPLETED"
    assert history(engine, job).count(("end", "COMPLETED")) == 1


@both
def test_a_suspension_whose_commit_was_lost_holds(engine, job, break_commit, applied):
    break_commit(applied=applied)
    assert engine.suspend(job.instance_key).state == "SUSPENDED"
    assert engine.instance(job.instance_key).state == "SUSPENDED"


def test_a_failure_on_the_way_to_the_commit_is_retried(engine, job):
    """SQLAlchemy says that it is about to commit; nothing has reached the database yet."""
    failed = []

    def fail(conn):
        if not failed:
            failed.append(conn)
            raise OperationalError("COMMIT", {}, Exception("the network is gone"))

    event.listen(engine.database.sa, "commit", fail)
    try:
        engine.complete_job(job.key, {"n": 1})
    finally:
        event.remove(engine.database.sa, "commit", fail)
    assert failed and engine.instance(job.instance_key).variables == {"n": 1}
    assert [task.element_id for task in engine.user_tasks()] == ["a"]


def test_an_error_that_is_none_of_the_database_is_not_retried(engine, job):
    seen = []

    def fail(conn):
        seen.append(conn)
        raise ZeroDivisionError

    event.listen(engine.database.sa, "commit", fail)
    try:
        with pytest.raises(ZeroDivisionError):
            engine.complete_job(job.key)
    finally:
        event.remove(engine.database.sa, "commit", fail)
    assert len(seen) == 1


def test_a_commit_that_fails_again_and_again_is_reported(engine, job, break_commit):
    tried = break_commit(applied=False, times=99)
    with pytest.raises(OperationalError):
        engine.complete_job(job.key, worker="w")
    assert len(tried) <= 4  # two commands; on a database the question whether the work is there ends with a commit, too


def test_a_connection_that_was_cut_off_is_made_anew(engine, job, monkeypatch):
    """As after a restart of the database server: the pool's old connections are dead when the next command comes."""
    dialect, cut = engine.database.sa.dialect, []
    really = dialect.do_execute
    driver = sqlite3 if engine.database.is_sqlite else psycopg

    def execute(cursor, statement, *rest, **more):
        if not cut and not statement.startswith("BEGIN"):
            cut.append(statement)
            raise driver.OperationalError("terminating connection due to administrator command")
        return really(cursor, statement, *rest, **more)

    monkeypatch.setattr(dialect, "do_execute", execute)
    monkeypatch.setattr(dialect, "is_disconnect", lambda error, *_: "terminating connection" in str(error))
    engine.complete_job(job.key, {"n": 1}, worker="w")
    assert cut and engine.instance(job.instance_key).variables == {"n": 1}
