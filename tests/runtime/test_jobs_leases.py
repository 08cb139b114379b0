"""Who may report on a job: the worker that has it, late or twice; who may not: one whose job is somebody else's now."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import insert, select

from engine import Conflict, InvalidState, ValidationFailed
from engine.store import tables
from engine.store.types import new_key
from tests.bpmn.builder import boundary, each, error, mapped, service, timer
from tests.support.race import race

__all__ = ["race"]

MINUTE = timedelta(minutes=1)


@pytest.fixture
def instance(engine, deploy):
    """An instance that waits for a worker on ``mail``; error E goes to ``sorry``."""
    deploy("p", "start -> j -> a -> end; e -> sorry -> end2", j=service("mail"), e=boundary("j", error("E")))
    return engine.start("p", {"x": 1, "y": 2})


@pytest.fixture
def lease(engine, instance):
    """Lease the one job there is: ``lease("worker")``."""

    def take(worker, timeout=5 * MINUTE):
        (job,) = engine.activate_jobs("mail", worker, timeout=timeout)
        return job

    return take


@pytest.fixture
def row(engine):
    def read(key):
        with engine.reading() as conn:
            return conn.execute(select(tables.job).where(tables.job.c.key == key)).mappings().one()

    return read


@pytest.fixture
def outbox(engine):
    """A job that belongs to no instance, as the ladders write it."""

    def put(root_key=None, **payload):
        with engine.transaction() as tx:
            key = new_key()
            tx.execute(
                insert(tables.job).values(
                    key=key, instance_key=None, root_key=root_key, token=None, element_id=None, type="mail", state="CREATED", retries=3,
                    headers={}, payload=payload, available_at=tx.now, created_at=tx.now,
                )
            )  # fmt: skip
        return key

    return put


def open_elements(engine):
    return [item.element_id for item in engine.user_tasks()]


def test_a_worker_gets_the_variables_it_asked_for_and_no_others(engine, instance):
    (job,) = engine.activate_jobs("mail", "w", fetch=["y", "missing"])
    assert job.variables == {"y": 2}


def test_every_lease_counts_as_an_attempt(lease, clock):
    assert lease("w", MINUTE).attempts == 1
    clock.advance(MINUTE)
    assert lease("w", MINUTE).attempts == 2


def test_a_late_worker_may_report_while_nobody_else_has_the_job(engine, lease, clock):
    job = lease("one", MINUTE)
    clock.advance(2 * MINUTE)
    engine.complete_job(job.key, {"by": "one"}, worker="one")
    assert open_elements(engine) == ["a"]


def test_a_late_worker_is_refused_while_somebody_else_has_the_job(engine, instance, lease, clock):
    job = lease("one", MINUTE)
    clock.advance(2 * MINUTE)
    lease("two")
    for report in (
        lambda: engine.complete_job(job.key, worker="one"),
        lambda: engine.fail_job(job.key, 1, worker="one"),
        lambda: engine.throw_error(job.key, "E", worker="one"),
        lambda: engine.extend_job(job.key, "one"),
    ):
        with pytest.raises(Conflict, match="“two” has the job now") as refused:
            report()
        assert (refused.value.by, refused.value.at) == ("two", clock() + 5 * MINUTE)
    engine.complete_job(job.key, {"by": "two"}, worker="two")
    assert engine.instance(instance.key).variables["by"] == "two"


def test_of_two_late_workers_the_first_report_counts(engine, instance, lease, clock):
    job = lease("one", MINUTE)
    clock.advance(MINUTE)
    lease("two", MINUTE)
    clock.advance(MINUTE)
    engine.complete_job(job.key, {"by": "one"}, worker="one")
    with pytest.raises(InvalidState, match="already done"):
        engine.complete_job(job.key, {"by": "two"}, worker="two")
    engine.complete_job(job.key, {"by": "one"}, worker="one")
    assert engine.instance(instance.key).variables["by"] == "one"


def test_a_report_that_is_repeated_by_its_worker_is_a_success_and_changes_nothing(engine, instance, lease):
    job = lease("w")
    engine.complete_job(job.key, {"n": 1}, worker="w")
    before = engine.instance(instance.key)
    engine.complete_job(job.key, {"n": 2}, worker="w")
    assert engine.instance(instance.key) == before
    assert open_elements(engine) == ["a"]


def test_a_repeated_report_succeeds_also_when_the_case_has_ended_since(engine, instance, lease):
    job = lease("w")
    engine.complete_job(job.key, worker="w")
    engine.cancel(instance.key)
    engine.complete_job(job.key, worker="w")


def test_a_report_on_work_that_was_cancelled_says_so(engine, instance, lease):
    job = lease("w")
    engine.cancel(instance.key)
    for report in (
        lambda: engine.complete_job(job.key, worker="w"),
        lambda: engine.fail_job(job.key, 1),
        lambda: engine.throw_error(job.key, "E"),
    ):
        with pytest.raises(InvalidState, match="no longer needed"):
            report()


def test_a_report_on_a_step_that_was_left_says_so(engine, deploy, clock):
    deploy("q", "start -> j -> end; late -> b -> end2", j=service("slow"), late=boundary("j", timer("PT1H")))
    engine.start("q")
    (job,) = engine.activate_jobs("slow", "w", timeout=120 * MINUTE)
    clock.advance(60 * MINUTE)
    engine.run_due()
    with pytest.raises(InvalidState, match="no longer needed"):
        engine.complete_job(job.key, worker="w")
    with pytest.raises(InvalidState, match="no longer needed"):
        engine.extend_job(job.key, "w")


def test_a_worker_keeps_its_job_by_extending_the_lease(engine, lease, clock):
    job = lease("w", MINUTE)
    clock.advance(MINUTE / 2)
    assert engine.extend_job(job.key, "w", MINUTE) == clock() + MINUTE
    clock.advance(MINUTE * 3 / 4)
    assert engine.activate_jobs("mail", "two") == []
    clock.advance(MINUTE / 4)
    assert [again.key for again in engine.activate_jobs("mail", "two")] == [job.key]


def test_a_job_that_was_given_back_can_be_had_at_once_and_did_not_count(engine, lease, row):
    job = lease("w")
    assert engine.release_job(job.key, "somebody else") is False
    assert engine.release_job(job.key, "w") is True
    assert row(job.key)["attempts"] == 0
    with pytest.raises(InvalidState, match="given back"):
        engine.extend_job(job.key, "w")
    assert lease("two").attempts == 1
    assert engine.release_job(job.key, "w") is False


def test_what_can_be_had_is_told_by_type(engine, instance, outbox, clock):
    assert engine.waiting_jobs([]) == []
    assert engine.waiting_jobs(["other", "mail"]) == ["mail"]
    engine.suspend(instance.key)
    assert engine.waiting_jobs(["mail"]) == []
    outbox()
    assert engine.waiting_jobs(["mail"]) == ["mail"]


# --- failures ----------------------------------------------------------------------------------------------------------------


def test_retries_count_down_to_one_incident_that_names_the_job(engine, instance, lease, clock):
    for left in (2, 1, 0):
        job = lease("w")
        assert job.retries == left + 1
        engine.fail_job(job.key, left, f"{left} left", backoff=MINUTE, worker="w", details={"traceback": "…"})
        clock.advance(MINUTE)
    assert engine.activate_jobs("mail", "w") == []
    (incident,) = engine.incidents(instance.key)
    assert (incident.type, incident.element_id, incident.message) == ("JOB_NO_RETRIES", "j", "0 left")
    with engine.reading() as conn:
        stored = conn.execute(select(tables.incident)).mappings().one()
    assert (stored["job_key"], stored["details"]) == (job.key, {"traceback": "…"})


def test_a_failure_that_is_reported_again_makes_no_second_incident_and_revives_nothing(engine, instance, lease):
    job = lease("w")
    engine.fail_job(job.key, 0, "broken", worker="w")
    engine.fail_job(job.key, 0, "broken", worker="w")
    engine.fail_job(job.key, 3, "broken")
    assert len(engine.incidents(instance.key)) == 1
    assert engine.activate_jobs("mail", "w") == []


def test_a_late_success_closes_the_incident(engine, instance, lease, clock):
    job = lease("one", MINUTE)
    clock.advance(MINUTE)
    lease("two")
    engine.fail_job(job.key, 0, "broken", worker="two")
    engine.complete_job(job.key, worker="one")
    assert engine.incidents(instance.key) == []
    assert open_elements(engine) == ["a"]


def test_a_message_no_database_could_keep_is_kept_as_far_as_possible(engine, instance, lease):
    job = lease("w")
    engine.fail_job(job.key, 0, "nul \x00, half \ud800 " + "x" * 10_000)
    (incident,) = engine.incidents(instance.key)
    assert incident.message.startswith("nul �, half ?") and len(incident.message) == 4000


@pytest.mark.parametrize(
    "ask",
    [
        lambda engine: engine.activate_jobs("", "w"),
        lambda engine: engine.activate_jobs("mail", ""),
        lambda engine: engine.activate_jobs("mail", "w" * 101),
        lambda engine: engine.activate_jobs("mail", "w", timeout=-MINUTE),
        lambda engine: engine.activate_jobs("mail", "w", timeout=timedelta.max),
        lambda engine: engine.fail_job(1, 1, backoff=timedelta(days=-1)),
    ],
)
def test_senseless_requests_are_refused_in_words(engine, instance, ask):
    with pytest.raises(ValidationFailed):
        ask(engine)
    assert engine.activate_jobs("mail", "w", max_jobs=0) == []


def test_an_error_of_a_named_worker_is_caught(engine, lease):
    job = lease("w")
    engine.throw_error(job.key, "E", "no such address", {"why": "gone"}, worker="w")
    assert open_elements(engine) == ["sorry"]


# --- jobs without an instance ------------------------------------------------------------------------------------------------


def test_a_job_of_the_outbox_is_done_through_the_same_verbs(engine, outbox, row):
    key = outbox(text="hello")
    (job,) = engine.activate_jobs("mail", "w")
    assert (job.key, job.instance_key, job.variables) == (key, None, {"text": "hello"})
    engine.complete_job(key, {"ignored": 1}, worker="w")
    engine.complete_job(key, worker="w")
    assert row(key)["state"] == "COMPLETED"
    assert engine.activate_jobs("mail", "w") == []


def test_a_job_of_the_outbox_that_fails_is_an_incident_of_its_case(engine, instance, outbox):
    engine.cancel(instance.key)
    key = outbox(root_key=instance.key, text="hello")
    engine.activate_jobs("mail", "w")
    engine.fail_job(key, 0, "no server", worker="w")
    (incident,) = engine.incidents(instance.key)
    assert (incident.type, incident.element_id, incident.message) == ("JOB_NO_RETRIES", "mail", "no server")


def test_a_job_of_nobody_that_fails_stays_and_can_be_read(engine, outbox, row):
    key = outbox(text="hello")
    engine.activate_jobs("mail", "w")
    engine.fail_job(key, 0, "no server", worker="w")
    assert (row(key)["retries"], row(key)["message"]) == (0, "no server")
    assert engine.activate_jobs("mail", "w") == []


def test_nothing_can_catch_an_error_of_the_outbox(engine, outbox):
    key = outbox(text="hello")
    engine.activate_jobs("mail", "w")
    with pytest.raises(InvalidState, match="belongs to no step"):
        engine.throw_error(key, "E", worker="w")


# --- rivals ------------------------------------------------------------------------------------------------------------------


def test_two_workers_take_a_job_whose_lease_has_run_out_and_one_gets_it(lease, race, clock):
    lease("dead", MINUTE)
    clock.advance(MINUTE)
    one, two = race(lambda which: which.activate_jobs("mail", "one"), lambda which: which.activate_jobs("mail", "two"))
    assert len(one) + len(two) == 1


def test_a_late_report_against_a_new_lease_whichever_commits_first(engine, lease, race, clock):
    job = lease("late", MINUTE)
    clock.advance(MINUTE)
    taken, refused = race(lambda which: which.activate_jobs("mail", "new"), lambda which: which.complete_job(job.key, worker="late"))
    assert len(taken) == 1
    assert isinstance(refused, Conflict) and refused.by == "new"
    assert open_elements(engine) == []


def test_a_new_lease_against_a_late_report(engine, lease, race, clock):
    job = lease("late", MINUTE)
    clock.advance(MINUTE)
    done, taken = race(lambda which: which.complete_job(job.key, worker="late"), lambda which: which.activate_jobs("mail", "new"))
    assert (done, taken) == (None, [])
    assert open_elements(engine) == ["a"]


def test_one_worker_reports_the_same_job_twice_at_once(engine, lease, race):
    job = lease("w")
    report = lambda which: which.complete_job(job.key, {"n": which.node}, worker="w")  # noqa: E731
    assert race(report, report) == (None, None)
    assert open_elements(engine) == ["a"]
    assert engine.instances("p")[0].variables["n"] == "first"


@pytest.mark.parametrize("worker", ["w", None])
def test_the_last_failure_reported_twice_at_once_is_one_incident(engine, instance, lease, race, worker):
    job = lease("w")
    details = {"odd": ["\x00", "\ud800", object, 1.5, None], "n": 1}
    report = lambda which: which.fail_job(job.key, 0, "down", worker=worker, details=details)  # noqa: E731
    assert race(report, report) == (None, None)
    assert len(engine.incidents(instance.key)) == 1


def test_a_case_is_cancelled_while_its_job_is_reported(engine, instance, lease, race):
    job = lease("w")
    _, refused = race(lambda which: which.cancel(instance.key), lambda which: which.complete_job(job.key, worker="w"))
    assert isinstance(refused, InvalidState)
    assert engine.instance(instance.key).state == "TERMINATED"


def test_a_case_is_suspended_while_its_job_is_leased(engine, instance, race):
    _, jobs = race(lambda which: which.suspend(instance.key), lambda which: which.activate_jobs("mail", "w"))
    for job in jobs:
        with pytest.raises(InvalidState, match="suspended"):
            engine.complete_job(job.key, worker="w")
    engine.resume(instance.key)
    for job in jobs or engine.activate_jobs("mail", "w"):
        engine.complete_job(job.key, worker="w")
    assert open_elements(engine) == ["a"]


def test_two_acquirers_share_out_many_jobs_and_none_twice(engine, deploy, race):
    deploy("many", "start -> m -> end", m=each(mapped(service("item"), {"n": "=it"}), "=[1, 2, 3, 4, 5, 6, 7]", "it"))
    engine.start("many")
    ask = lambda which: [job.variables["n"] for job in which.activate_jobs("item", which.node, max_jobs=4)]  # noqa: E731
    one, two = race(ask, ask)
    assert len(one) == 4 and not set(one) & set(two)
    assert {*one, *two, *ask(engine)} == set(range(1, 8))
