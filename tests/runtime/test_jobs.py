"""Jobs: leases, reports, failures."""

from __future__ import annotations

from datetime import timedelta

import pytest

from engine import InvalidState, NotFound
from tests.bpmn.builder import boundary, mapped, script, service, timer

MINUTE = timedelta(minutes=1)


@pytest.fixture
def instance(engine, deploy):
    """An instance that waits for a worker on ``mail``."""
    deploy("p", "start -> j -> a -> end", j=mapped(service("mail", retries="2", subject="Hello"), {"to": "=applicant"}))
    return engine.start("p", {"applicant": "li", "x": 1})


def test_a_job_carries_headers_and_the_visible_variables(engine, instance):
    (job,) = engine.activate_jobs("mail", "w")
    assert (job.type, job.element_id, job.instance_key, job.retries) == ("mail", "j", instance.key, 2)
    assert (job.headers, job.variables) == ({"subject": "Hello"}, {"applicant": "li", "x": 1, "to": "li"})


def test_a_leased_job_is_nobody_elses_until_the_lease_ends(engine, instance, clock):
    (job,) = engine.activate_jobs("mail", "one", timeout=5 * MINUTE)
    assert (job.worker, job.leased_until) == ("one", clock() + 5 * MINUTE)
    clock.advance(5 * MINUTE - timedelta(seconds=1))
    assert engine.activate_jobs("mail", "two") == []
    clock.advance(timedelta(seconds=1))
    assert [again.key for again in engine.activate_jobs("mail", "two")] == [job.key]


def test_completing_brings_variables_and_moves_on(engine, instance, history):
    (job,) = engine.activate_jobs("mail", "w")
    engine.complete_job(job.key, {"sent": True})
    assert engine.instance(instance.key).variables == {"applicant": "li", "x": 1, "sent": True}
    assert history(instance.key)[-1] == ("a", "ACTIVE")
    with pytest.raises(InvalidState):
        engine.complete_job(job.key)
    with pytest.raises(InvalidState):
        engine.fail_job(job.key, 1)
    assert engine.activate_jobs("mail", "w") == []


def test_a_late_worker_whose_lease_ended_may_still_report(engine, instance, clock):
    (job,) = engine.activate_jobs("mail", "w", timeout=MINUTE)
    clock.advance(2 * MINUTE)
    engine.complete_job(job.key)
    assert engine.activate_jobs("mail", "w") == []


def test_a_failed_job_comes_back_after_its_pause(engine, instance, clock):
    (job,) = engine.activate_jobs("mail", "w")
    engine.fail_job(job.key, 1, "server down", backoff=10 * MINUTE)
    assert engine.activate_jobs("mail", "w") == []
    clock.advance(10 * MINUTE)
    (again,) = engine.activate_jobs("mail", "w")
    assert (again.key, again.retries) == (job.key, 1)
    assert engine.incidents(instance.key) == []


def test_without_retries_it_is_an_incident(engine, instance):
    (job,) = engine.activate_jobs("mail", "w")
    engine.fail_job(job.key, 0, "server gone")
    (incident,) = engine.incidents(instance.key)
    assert (incident.type, incident.element_id, incident.message) == ("JOB_NO_RETRIES", "j", "server gone")
    assert engine.activate_jobs("mail", "w") == []
    assert engine.instance(instance.key).state == "ACTIVE"


def test_an_uncaught_error_of_a_worker_is_an_incident(engine, instance):
    (job,) = engine.activate_jobs("mail", "w")
    engine.throw_error(job.key, "E9", "no such address")
    assert [incident.type for incident in engine.incidents(instance.key)] == ["UNHANDLED_ERROR"]
    with pytest.raises(InvalidState):
        engine.complete_job(job.key)


def test_the_oldest_jobs_go_first_and_no_more_than_asked(engine, deploy):
    deploy("p", "start -> j -> end", j=service("mail"))
    keys = [engine.start("p").key for _ in range(5)]
    assert [job.instance_key for job in engine.activate_jobs("mail", "w", max_jobs=2)] == keys[:2]
    assert [job.instance_key for job in engine.activate_jobs("mail", "w", max_jobs=9)] == keys[2:]
    assert engine.activate_jobs("other", "w") == []


def test_a_job_of_an_interrupted_task_is_gone(engine, deploy, clock):
    deploy("p", "start -> j -> end; late -> a -> end2", j=service("mail"), late=boundary("j", timer("PT1H")))
    engine.start("p")
    (job,) = engine.activate_jobs("mail", "w")
    clock.advance(60 * MINUTE)
    engine.run_due()
    with pytest.raises(InvalidState):
        engine.complete_job(job.key)


def test_a_suspended_instance_takes_no_report(engine, instance):
    (job,) = engine.activate_jobs("mail", "w")
    engine.suspend(instance.key)
    with pytest.raises(InvalidState, match="resume"):
        engine.complete_job(job.key)
    engine.resume(instance.key)
    engine.complete_job(job.key)


def test_jobs_of_a_suspended_instance_are_not_handed_out(engine, instance):
    engine.suspend(instance.key)
    assert engine.activate_jobs("mail", "w") == []
    engine.resume(instance.key)
    assert len(engine.activate_jobs("mail", "w")) == 1


def test_an_unknown_job_is_not_found(engine):
    with pytest.raises(NotFound):
        engine.complete_job(1)
    with pytest.raises(NotFound):
        engine.throw_error(1, "E")


def test_an_expression_that_fails_is_an_incident_not_a_crash(engine, deploy):
    deploy("p", "start -> s -> end", s=script("[1, 2]"))
    (incident,) = engine.incidents(engine.start("p").key)
    assert incident.type == "SCRIPT_ERROR" and "The s" in incident.message
