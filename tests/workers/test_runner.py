"""The runner: what is reported of each outcome, how long jobs are kept, how it stops.  Nobody sleeps."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlalchemy import select

from engine import Conflict
from engine.store import tables
from engine.workers import BpmnError, JobFailed, Runner
from engine.workers.registry import Worker
from tests.bpmn.builder import boundary, error, mapped, service

LONG = 30
MINUTE = timedelta(minutes=1)


@pytest.fixture
def start(engine, deploy):
    """Deploy the process once; start an instance whose job of type ``t`` is to be done."""
    deploy(
        "p", "start -> j -> a -> end; e -> sorry -> end2",
        j=mapped(service("t", retries="3", city="周口"), {"n": "=x + 1"}), e=boundary("j", error("E")),
    )  # fmt: skip
    return lambda x=1: engine.start("p", {"x": x})


@pytest.fixture
def runner(engine):
    """``runner(function, **options)``: a runner with one worker for ``t``, which is not started."""
    made = []

    def make(function, *, threads=1, wait=None, **options):
        made.append(Runner(engine, {"t": Worker("t", function, **options)}, threads=threads, poll_seconds=0.02, wait=wait))
        return made[-1]

    yield make
    for each in made:
        each.stop(LONG)


@pytest.fixture
def row(engine):
    def read():
        with engine.reading() as conn:
            return conn.execute(select(tables.job).order_by(tables.job.c.key)).mappings().first()

    return read


def open_elements(engine):
    return sorted(item.element_id for item in engine.user_tasks())


def test_a_function_gets_its_job_and_its_variables_go_on(engine, start, runner):
    instance = start()
    seen = []

    def work(job):
        seen.append((job.type, job.element_id, job.instance_key, job.case_key, job.variables, job.headers, job.retries, job.attempts))
        return {"answer": job.variables["n"] * 2}

    subject = runner(work)
    assert subject.run_once() == 1
    assert seen == [("t", "j", instance.key, instance.key, {"x": 1, "n": 2}, {"city": "周口"}, 3, 1)]
    assert engine.instance(instance.key).variables == {"x": 1, "answer": 4}
    assert open_elements(engine) == ["a"]
    assert (subject.run_once(), subject.done, subject.failed, subject.busy) == (0, 1, 0, 0)


def test_a_function_may_return_nothing(engine, start, runner):
    start()
    runner(lambda job: None).run_once()
    assert open_elements(engine) == ["a"]


def test_only_the_variables_it_asks_for_are_fetched(start, runner):
    start()
    seen = []
    runner(lambda job: seen.append(job.variables), fetch=("n",)).run_once()
    assert seen == [{"n": 2}]


def test_a_bpmn_error_is_caught_by_the_process(engine, start, runner):
    instance = start()

    def work(job):
        raise BpmnError("E", "no such address", {"why": "moved"})

    runner(work).run_once()
    assert open_elements(engine) == ["sorry"]
    assert engine.instance(instance.key).variables["why"] == "moved"


def test_a_failure_is_tried_again_after_pauses_that_double_then_somebody_is_told(engine, start, runner, clock, row):
    instance = start()
    keys = []

    def work(job):
        keys.append((job.idempotency_key, job.attempts))
        raise ConnectionError("line down")

    subject = runner(work, backoff=MINUTE)
    for pause in (1, 2):
        assert subject.run_once() == 1
        assert row()["available_at"] == clock() + pause * MINUTE
        assert subject.run_once() == 0
        clock.advance(pause * MINUTE)
    assert engine.incidents(instance.key) == []
    assert subject.run_once() == 1
    (incident,) = engine.incidents(instance.key)
    assert (incident.type, incident.message) == ("JOB_NO_RETRIES", "ConnectionError: line down")
    clock.advance(600 * MINUTE)
    assert subject.run_once() == 0
    assert [attempts for _, attempts in keys] == [1, 2, 3]
    assert len({key for key, _ in keys}) == 1


def test_the_traceback_is_for_the_details_of_the_incident_only(engine, start, runner):
    instance = start()

    def work_of_the_office(job):
        raise ValueError("odd \x00 value")

    runner(work_of_the_office, retries=1).run_once()
    (incident,) = engine.incidents(instance.key)
    assert incident.message == "ValueError: odd � value"
    with engine.reading() as conn:
        details = conn.execute(select(tables.incident.c.details)).scalar_one()
    assert details["error"] == "ValueError" and "work_of_the_office" in details["traceback"]


def test_what_cannot_get_better_is_not_tried_again(engine, start, runner):
    instance = start()

    def work(job):
        raise JobFailed("The address %(place)s is wrong.", retry=False, place="x")

    runner(work).run_once()
    assert [incident.message for incident in engine.incidents(instance.key)] == ["The address x is wrong."]
    with engine.reading() as conn:
        details = conn.execute(select(tables.incident.c.details)).scalar_one()
    assert details["words"] == {"msgid": "The address %(place)s is wrong.", "params": {"place": "x"}}


def test_a_worker_may_say_when_to_come_again(start, runner, clock, row):
    start()

    def work(job):
        raise JobFailed("busy", after=7 * MINUTE)

    runner(work).run_once()
    assert row()["available_at"] == clock() + 7 * MINUTE


@pytest.mark.parametrize("answer", [[1, 2], "text", {"x": object()}, {"": 1}, {"x": float("nan")}])
def test_an_answer_that_is_no_set_of_variables_is_a_failure(engine, start, runner, answer):
    instance = start()
    runner(lambda job: answer, retries=1).run_once()
    assert [incident.type for incident in engine.incidents(instance.key)] == ["JOB_NO_RETRIES"]
    assert open_elements(engine) == []


def test_an_error_with_variables_that_cannot_be_kept_is_a_failure(engine, start, runner):
    instance = start()

    def work(job):
        raise BpmnError("E", "gone", {"x": object()})

    runner(work).run_once()
    assert [incident.type for incident in engine.incidents(instance.key)] == ["JOB_NO_RETRIES"]


@pytest.mark.parametrize("after", [timedelta.max, timedelta.min])
def test_an_impossible_pause_is_bounded(start, runner, clock, row, after):
    start()

    def work(job):
        raise JobFailed("odd \x00 %(what)s", what="\ud800", after=after)

    runner(work).run_once()
    assert clock() <= row()["available_at"] <= clock() + timedelta(days=366)
    assert row()["message"] == "odd � ?"


def test_work_on_a_case_that_was_cancelled_meanwhile_is_dropped(engine, start, runner):
    instance = start()
    subject = runner(lambda job: engine.cancel(instance.key) and None)
    subject.run_once()
    assert engine.instance(instance.key).state == "TERMINATED"
    assert (subject.done, subject.failed) == (0, 0)


def test_a_late_worker_that_lost_its_job_changes_nothing(engine, start, runner, clock):
    instance = start()

    def slow(job):
        clock.advance(10 * MINUTE)
        assert len(engine.activate_jobs("t", "another")) == 1
        subject.beat()
        assert job.lost
        return {"by": "slow"}

    subject = runner(slow)
    subject.run_once()
    assert open_elements(engine) == []
    assert "by" not in engine.instance(instance.key).variables


def test_long_work_keeps_its_job_by_a_heartbeat(engine, start, runner, clock):
    start()

    def slow(job):
        for _ in range(5):
            clock.advance(4 * MINUTE)
            subject.beat()
            assert engine.activate_jobs("t", "another") == []
        assert not job.lost

    subject = runner(slow, timeout=5 * MINUTE)
    subject.run_once()
    assert open_elements(engine) == ["a"]


def test_the_heartbeat_comes_by_itself(engine, start, runner):
    start()
    prolonged, extend = threading.Event(), engine.extend_job

    def extended(*arguments):
        prolonged.set()
        return extend(*arguments)

    engine.extend_job = extended
    subject = runner(lambda job: {"prolonged": prolonged.wait(LONG)}, timeout=timedelta(milliseconds=150))
    subject.start()
    until(lambda: subject.done + subject.failed)
    assert engine.instances("p")[0].variables["prolonged"] is True


def until(condition):
    """Wait for what another thread does, without guessing how long it takes."""
    waiting = threading.Event()
    for _ in range(LONG * 100):
        if condition():
            return
        waiting.wait(0.01)
    raise AssertionError("it never came")


def test_a_report_is_repeated_until_the_database_answers(engine, start, runner, monkeypatch):
    start()
    pauses, complete, answers = [], engine.complete_job, iter([RuntimeError("no database"), Conflict("at the same moment"), None])

    def flaky(*arguments):
        if (trouble := next(answers)) is not None:
            raise trouble
        return complete(*arguments)

    monkeypatch.setattr(engine, "complete_job", flaky)
    subject = runner(lambda job: {}, wait=pauses.append)
    subject.run_once()
    assert pauses == [1.0, 2.0]
    assert open_elements(engine) == ["a"]


def test_a_result_that_can_never_be_reported_is_a_failure_in_the_end(engine, start, runner, monkeypatch, row):
    start()

    def never(*arguments):
        raise RuntimeError("broken for good")

    monkeypatch.setattr(engine, "complete_job", never)
    runner(lambda job: {}, wait=lambda seconds: None).run_once()
    assert row()["retries"] == 2 and "broken for good" in row()["message"]


def test_jobs_are_done_side_by_side_on_as_many_threads_as_there_are(engine, start, runner):
    for x in range(5):
        start(x)
    meet, most, now, lock = threading.Barrier(2, timeout=LONG), [0], [0], threading.Lock()

    def work(job):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        if job.variables["x"] < 4:
            meet.wait()
        with lock:
            now[0] -= 1

    subject = runner(work, threads=2)
    subject.start()
    until(lambda: subject.done == 5)
    assert most == [2]
    assert open_elements(engine) == ["a"] * 5


def test_no_type_starves_another(engine, deploy):
    for type in ("one", "two"):
        deploy(type, "start -> j -> end", j=service(type))
    for _ in range(4):
        engine.start("one")
        engine.start("two")
    seen = []
    work = lambda job: seen.append(job.type)  # noqa: E731
    subject = Runner(engine, {type: Worker(type, work) for type in ("one", "two")}, threads=1)
    for _ in range(4):
        subject.run_once()
    assert sorted(seen) == ["one", "one", "two", "two"]


def test_an_idle_runner_only_reads(engine, start, runner):
    from tests.runtime.conftest import counted

    subject = runner(lambda job: {})
    with counted(engine) as sql:
        assert subject.run_once() == 0
    assert len(sql.statements) == 1 and sql.statements[0].startswith("SELECT")


def test_stopping_finishes_the_job_in_work_and_takes_no_other(engine, start, runner):
    for x in range(3):
        start(x)
    begun, go_on = threading.Event(), threading.Event()

    def work(job):
        begun.set()
        assert go_on.wait(LONG)

    subject = runner(work)
    subject.start()
    assert begun.wait(LONG)
    stopping = threading.Thread(target=subject.stop)
    stopping.start()
    assert not subject._stopped.is_set()
    go_on.set()
    stopping.join(LONG)
    assert not stopping.is_alive() and not subject.running
    assert open_elements(engine) == ["a"]
    assert len(engine.activate_jobs("t", "another")) == 2


def test_what_is_not_finished_in_time_is_given_back(engine, start, runner):
    start()
    begun, go_on = threading.Event(), threading.Event()

    def work(job):
        begun.set()
        assert go_on.wait(LONG)

    subject = runner(work)
    subject.start()
    assert begun.wait(LONG)
    assert subject.stop(0) is False
    (job,) = engine.activate_jobs("t", "another")
    assert job.attempts == 1
    go_on.set()
    until(lambda: subject.busy == 0)
    assert open_elements(engine) == []
    engine.complete_job(job.key, worker="another")
    assert open_elements(engine) == ["a"]


def test_a_look_that_fails_is_logged_and_the_next_one_works(engine, start, runner, caplog, monkeypatch):
    start()
    answers, really = iter([RuntimeError("no database")]), engine.waiting_jobs

    def waiting(types):
        if (trouble := next(answers, None)) is not None:
            raise trouble
        return really(types)

    monkeypatch.setattr(engine, "waiting_jobs", waiting)
    subject = runner(lambda job: {})
    subject.start()
    until(lambda: subject.done == 1)
    assert "looking for jobs failed" in caplog.text


def test_what_was_leased_is_done_although_the_next_type_fails(engine, deploy, monkeypatch):
    for type in ("one", "two"):
        deploy(type, "start -> j -> end", j=service(type))
        engine.start(type)
    really, seen = engine.activate_jobs, []

    def activate(type, *rest):
        if seen and seen[0] != type:
            raise RuntimeError("no database")
        seen.append(type)
        return really(type, *rest)

    monkeypatch.setattr(engine, "activate_jobs", activate)
    subject = Runner(engine, {type: Worker(type, lambda job: {}) for type in ("one", "two")}, threads=4)
    assert subject.run_once() == 1
    assert (subject.done, subject.busy) == (1, 0)


def test_two_runners_have_different_names_and_one_is_started_once(engine, runner):
    one, two = runner(print), runner(print)
    assert one.name != two.name and len(one.name) <= 100
    one.start()
    with pytest.raises(RuntimeError):
        one.start()


def test_a_bpmn_error_where_no_process_listens_is_an_incident_of_the_case(engine, start, runner, row):
    from sqlalchemy import insert

    from engine.store.types import new_key

    instance = start()
    engine.cancel(instance.key)
    with engine.transaction() as tx:
        tx.execute(
            insert(tables.job).values(
                key=new_key(), root_key=instance.key, type="t", state="CREATED", retries=3, headers={}, payload={}, available_at=tx.now,
                created_at=tx.now,
            )
        )  # fmt: skip

    def work(job):
        raise BpmnError("E", "no such person")

    runner(work).run_once()
    assert [incident.message for incident in engine.incidents(instance.key)] == ["E: no such person"]
