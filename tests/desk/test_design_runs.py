"""All scenarios of a draft in the background: visible, kept, one at a time, taken over; and what follows them."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlalchemy import update

from engine import Engine
from engine.errors import InvalidState, NotFound, ValidationFailed
from engine.runtime.design import drafts, following, publishing, runs, scenarios
from engine.runtime.design.publishing import Submission
from engine.runtime.design.runs import ScenarioRun
from engine.store import tables
from tests.desk import desk_models as models
from tests.desk.conftest import SETTINGS
from tests.desk.test_design_publishing import change, designers, state_of  # noqa: F401  a fixture

PATIENCE = 120
START = {name: value for name, value in models.START.items() if name != "received"}
ACCEPT = {"do": "complete", "element": "accept", "by": "wang", "outcome": "accept"}
REASON = "依据新规定"


def written(title: str, path: list[str]) -> str:
    run = {"title": title, "at": "2026-11-23T09:00:00+08:00", "by": "wang", "start": START, "steps": [ACCEPT], "expect": {"path": path}}
    return scenarios.written(run)


def with_scenarios(desk, draft, *, failing: bool = False):
    """The draft with two scenarios, the second of which may fail."""
    files = {"scenarios/a.json": written("受理", ["accept"]), "scenarios/b.json": written("签发", ["sign" if failing else "accept"])}
    return drafts.save(desk, draft.key, files, revision=draft.revision, by="mei")


def hand_in(desk, draft, **values):
    return following.submit(desk, draft.key, **{"revision": draft.revision, "reason": REASON, "warnings_seen": True, "by": "mei", **values})


def finished(desk, run: ScenarioRun) -> ScenarioRun:
    assert desk.scenario_runs.finish(PATIENCE)
    with desk.engine.reading() as conn:
        return runs.get(desk, conn, run.key, "mei")


def told(rows, login: str) -> str:
    return " ".join(f"{row['msgid']} {row['params']}" for row in rows(tables.notification, login=login))


def submission_of(desk, key: int) -> Submission:
    with desk.engine.reading() as conn:
        return publishing.submission(desk, conn, key, "mei")


def set_run(engine, run: ScenarioRun, **values) -> None:
    with engine.transaction() as tx:
        tx.execute(update(tables.design_run).where(tables.design_run.c.key == run.key).values(**values))


def dismiss_wang(desk) -> None:
    """The office without the clerk whom the scenarios name."""
    desk.people.save_person("wang", name="王", section_code="office", roles=["auditor"], by="system")


def test_a_run_says_how_each_scenario_went_and_what_it_visited(designers):
    draft = with_scenarios(designers, change(designers), failing=True)
    run = finished(designers, runs.start(designers, draft.key, by="mei"))
    assert (run.state, run.total, run.done, run.failed) == ("DONE", 2, 2, 1)
    assert [(each.title, each.ok) for each in run.results] == [("受理", True), ("签发", False)]
    assert "never finished" in str(run.results[1].problems[0]) and "accept" in run.results[0].visited


def test_kept_results_are_used_as_long_as_playing_again_would_come_to_the_same(designers, monkeypatch):
    draft = with_scenarios(designers, change(designers))
    finished(designers, runs.start(designers, draft.key, by="mei"))
    monkeypatch.setattr(scenarios, "run_all", lambda *_, **__: pytest.fail("played again"))
    found = hand_in(designers, draft)
    assert isinstance(found, Submission) and found.state == "WAITING" and found.scenarios == (("a", "受理", True), ("b", "签发", True))
    done = following.approve(designers, found.key, revision=1, by="tao")
    assert isinstance(done, Submission) and done.state == "PUBLISHED"


def test_signing_in_does_not_make_results_stale_but_another_organisation_does(designers):
    draft = with_scenarios(designers, change(designers))
    run = finished(designers, runs.start(designers, draft.key, by="mei"))

    def kept():
        with designers.engine.reading() as conn:
            return runs.kept(designers, conn, draft.key, draft.files)

    designers.people.authenticate("tao", models.PASSWORD)
    assert kept() is not None and kept().key == run.key
    designers.people.save_person("newcomer", name="新", section_code="office", roles=["clerk"], by="system")
    assert kept() is None


def test_without_results_submitting_starts_a_run_and_goes_on_by_itself(designers, rows):
    draft = with_scenarios(designers, change(designers))
    run = hand_in(designers, draft)
    assert isinstance(run, ScenarioRun)
    ended = finished(designers, run)
    assert ended.outcome is not None and ended.outcome.ok and state_of(designers, draft) == "SUBMITTED"
    found = submission_of(designers, ended.outcome.submission)
    assert (found.state, found.reason, found.submitted_by) == ("WAITING", REASON, "mei")
    designers.people.save_person("newcomer", name="新", section_code="office", roles=["clerk"], by="system")
    second = following.approve(designers, found.key, revision=1, note="同意", by="tao")
    assert isinstance(second, ScenarioRun)
    assert finished(designers, second).outcome.ok
    done = submission_of(designers, found.key)
    assert (done.state, done.decided_by, done.note) == ("PUBLISHED", "tao", "同意")


def test_a_scenario_that_fails_leaves_the_draft_open_and_tells_who_asked(designers, rows):
    draft = with_scenarios(designers, change(designers), failing=True)
    ended = finished(designers, hand_in(designers, draft))
    assert ended.state == "DONE" and not ended.outcome.ok and "签发" in str(ended.outcome.message)
    assert state_of(designers, draft) == "OPEN" and rows(tables.design_submission) == []
    assert "was not submitted" in told(rows, "mei") and "签发" in told(rows, "mei")
    # Known by now: refused at once.
    with pytest.raises(ValidationFailed, match="签发"):
        hand_in(designers, draft)


def test_other_faults_are_said_before_anything_is_played(designers, rows):
    draft = with_scenarios(designers, change(designers))
    with pytest.raises(ValidationFailed):
        hand_in(designers, draft, reason=" ")
    with pytest.raises(ValidationFailed):
        runs.start(designers, change(designers, "又一份").key, by="mei")  # without a scenario
    with pytest.raises(NotFound):
        runs.start(designers, draft.key, by="wang")
    assert rows(tables.design_run) == []


@pytest.fixture
def held(monkeypatch):
    """Scenarios that wait: ``held.begun`` is released for each that begins, ``held.go`` lets them end."""

    class Held:
        def __init__(self):
            self.begun, self.go, self.present, self.most = threading.Semaphore(0), threading.Event(), 0, 0

        def begun_in_time(self):
            assert self.begun.acquire(timeout=PATIENCE)

    made, play, lock = Held(), scenarios.run_all, threading.Lock()

    def run_all(desk, files, names=None, *, told=None):
        with lock:
            made.present += 1
            made.most = max(made.most, made.present)
        made.begun.release()
        assert made.go.wait(PATIENCE)
        try:
            return play(desk, files, names, told=told)
        finally:
            with lock:
                made.present -= 1

    monkeypatch.setattr(scenarios, "run_all", run_all)
    yield made
    made.go.set()


def test_a_draft_has_one_run_at_a_time_and_a_later_save_takes_its_place(designers, held):
    draft = with_scenarios(designers, change(designers))
    run = runs.start(designers, draft.key, by="mei")
    held.begun_in_time()
    assert runs.start(designers, draft.key, by="tao").key == run.key
    joined = hand_in(designers, draft)
    assert joined.key == run.key and joined.act == "submit"
    with pytest.raises(InvalidState):
        hand_in(designers, draft, reason="另一个原因")
    saved = drafts.save(designers, draft.key, {"README.md": "x"}, revision=draft.revision, by="mei")
    later = runs.start(designers, draft.key, by="mei")
    assert later.key != run.key and later.revision == saved.revision
    held.go.set()
    assert finished(designers, later).state == "DONE"
    assert finished(designers, run).state == "CANCELED" and state_of(designers, draft) == "OPEN"


def test_a_node_plays_no_more_runs_at_once_than_it_is_told(designers, held):
    made = [runs.start(designers, with_scenarios(designers, change(designers, f"{number}")).key, by="mei") for number in range(3)]
    held.begun_in_time()
    with designers.engine.reading() as conn:
        assert runs.before_it(conn, made[2]) == 2
    held.go.set()
    assert [finished(designers, run).state for run in made] == ["DONE"] * 3
    assert held.most == 1


def test_a_cancelled_run_ends_without_what_was_to_follow(designers, held):
    draft = with_scenarios(designers, change(designers))
    run = hand_in(designers, draft)
    held.begun_in_time()
    assert runs.cancel(designers, run.key, by="tao").state == "CANCELED"
    held.go.set()
    assert finished(designers, run).state == "CANCELED" and state_of(designers, draft) == "OPEN"
    with pytest.raises(InvalidState):
        runs.cancel(designers, run.key, by="mei")


def test_the_run_of_a_dead_node_is_taken_over_and_one_that_kills_nodes_is_given_up(designers, engine, clock, rows, monkeypatch):
    draft = with_scenarios(designers, change(designers))
    monkeypatch.setattr(designers.scenario_runs, "wake", lambda: None)
    run = hand_in(designers, draft)
    gone = {"state": "RUNNING", "node": "gone:1", "attempts": 1, "seen_at": clock.now}
    set_run(engine, run, **gone)
    engine.run_due()
    assert rows(tables.design_run)[0]["state"] == "RUNNING"  # it may still be at work
    clock.now += timedelta(minutes=3)
    engine.run_due()
    assert rows(tables.design_run)[0]["state"] == "QUEUED"
    set_run(engine, run, **{**gone, "attempts": 3})
    engine.run_due()
    assert finished(designers, run).state == "BROKEN" and "was not submitted" in told(rows, "mei")
    monkeypatch.undo()
    again = hand_in(designers, draft)
    set_run(engine, again, **{**gone, "node": designers.scenario_runs.mark})  # claimed by ourselves, and dropped
    engine.run_due()
    assert finished(designers, again).outcome.ok


def test_processes_that_share_a_name_leave_each_others_runs_alone(designers, engine, held, clock, database_url):
    twin = Engine(database_url, clock=clock, settings=SETTINGS, node=engine.node)
    try:
        run = runs.start(twin.desk, with_scenarios(designers, change(designers)).key, by="mei")
        held.begun_in_time()
        engine.run_due()
        with engine.reading() as conn:
            assert runs.get(designers, conn, run.key, "mei").attempts == 1
        held.go.set()
        assert finished(twin.desk, run).attempts == 1
    finally:
        twin.dispose()


def test_a_node_that_stops_gives_its_run_back(designers, engine, held, clock, database_url):
    other = Engine(database_url, clock=clock, settings=SETTINGS, node="other")
    try:
        draft = with_scenarios(designers, change(designers))
        run = runs.start(other.desk, draft.key, by="mei")
        held.begun_in_time()
        other.desk.scenario_runs.stop(0)
        held.go.set()
        assert other.desk.scenario_runs.finish(PATIENCE)
        with engine.reading() as conn:
            assert runs.get(designers, conn, run.key, "mei").state == "QUEUED"
        engine.run_due()
        assert finished(designers, run).state == "DONE"
    finally:
        other.dispose()


# --- the day to come ----------------------------------------------------------------------------------------------------


@pytest.fixture
def scheduled(designers, engine, clock):
    """A submission that was approved for three days later; (draft, submission)."""
    draft = with_scenarios(designers, change(designers))
    run = hand_in(designers, draft, effective_at=clock.now + timedelta(days=3))
    found = submission_of(designers, finished(designers, run).outcome.submission)
    approved = following.approve(designers, found.key, revision=1, by="tao")
    assert approved.state == "SCHEDULED"
    return draft, approved


def test_on_its_day_the_scenarios_are_played_again_before_anything_is_deployed(designers, engine, clock, scheduled, rows):
    draft, found = scheduled
    before = len(rows(tables.design_run))
    clock.now += timedelta(days=3, seconds=1)
    engine.run_due()
    assert designers.scenario_runs.finish(PATIENCE)
    assert len(rows(tables.design_run)) == before + 1
    assert submission_of(designers, found.key).state == "PUBLISHED" and state_of(designers, draft) == "PUBLISHED"
    assert engine.definition("form", "licence_step").version == 2
    engine.run_due()
    assert designers.scenario_runs.finish(PATIENCE)
    assert engine.definition("form", "licence_step").version == 2


def test_what_fails_on_its_day_is_not_deployed_and_everybody_concerned_hears_why(designers, engine, clock, scheduled, rows):
    draft, found = scheduled
    dismiss_wang(designers)
    clock.now += timedelta(days=3, seconds=1)
    engine.run_due()
    assert designers.scenario_runs.finish(PATIENCE)
    failed = submission_of(designers, found.key)
    assert failed.state == "FAILED" and "受理" in str(failed.note) and failed.note.msgid != str(failed.note)
    assert engine.definition("form", "licence_step").version == 1
    for login in ("mei", "tao"):
        assert "could not be published on its day" in told(rows, login), login
    assert state_of(designers, draft) == "OPEN"
    # Open again: corrected (here: tried no more) and handed in once more.
    without = {f"scenarios/{name}.json": None for name in "ab"}
    mended = drafts.save(designers, draft.key, without, revision=draft.revision, by="mei")
    again = hand_in(designers, mended, effective_at=clock.now + timedelta(days=1))
    assert isinstance(again, Submission) and again.state == "WAITING"


def test_two_nodes_play_and_publish_what_was_scheduled_once(designers, engine, clock, scheduled, database_url, rows):
    _draft, found = scheduled
    clock.now += timedelta(days=3, seconds=1)
    before = len(rows(tables.design_run))
    other = Engine(database_url, clock=clock, settings=SETTINGS, node="other")
    try:
        gate = threading.Barrier(2)

        def run(node):
            gate.wait()
            publishing.run_due(node.desk)

        threads = [threading.Thread(target=run, args=(node,)) for node in (engine, other)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for node in (engine, other):
            assert node.desk.scenario_runs.finish(PATIENCE)
    finally:
        other.dispose()
    engine.catalogue.forget()
    assert len(rows(tables.design_run)) == before + 1
    assert submission_of(designers, found.key).state == "PUBLISHED" and engine.definition("form", "licence_step").version == 2


def test_a_run_of_the_day_that_cannot_be_played_fails_the_publication(designers, engine, clock, scheduled, rows, monkeypatch):
    draft, found = scheduled
    monkeypatch.setattr(designers.scenario_runs, "wake", lambda: None)
    clock.now += timedelta(days=3, seconds=1)
    engine.run_due()
    with engine.reading() as conn:
        run = runs.open_run(conn, draft.key)
    with pytest.raises(InvalidState):
        runs.cancel(designers, run.key, by="mei")
    set_run(engine, run, state="RUNNING", node="gone:1", attempts=3, seen_at=clock.now - timedelta(minutes=10))
    engine.run_due()
    assert submission_of(designers, found.key).state == "FAILED" and state_of(designers, draft) == "OPEN"
    assert "could not be published on its day" in told(rows, "tao")
