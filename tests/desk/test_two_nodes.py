"""Two nodes over one database: nothing fires twice, nothing is lost, nobody overwrites anybody."""

from __future__ import annotations

import threading

import pytest

from engine import Engine
from engine.errors import Conflict
from engine.store import tables
from tests.desk import desk_models as models
from tests.desk.conftest import SETTINGS


@pytest.fixture
def other(database_url, engine, clock):
    made = Engine(database_url, clock=clock, settings=SETTINGS, node="other")
    yield made
    made.dispose()


def together(*actions):
    """Run the actions at the same moment, each in its own thread; returns what each gave or raised."""
    gate = threading.Barrier(len(actions))
    results: list = [None] * len(actions)

    def run(index, action):
        gate.wait()
        try:
            results[index] = action()
        except Exception as error:  # the test looks at it
            results[index] = error

    threads = [threading.Thread(target=run, args=each) for each in enumerate(actions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results


def test_rungs_that_two_nodes_find_due_fire_once(engine, other, in_handling, clock, rows):
    clock.office("2026-12-09 09:00")
    answers = together(engine.run_due, other.run_due, engine.run_due, other.run_due)
    assert all(isinstance(answer, int) for answer in answers), answers
    # What one node left because the other held the row, the next round takes.
    engine.run_due()
    (clock_row,) = rows(tables.clock, rule_id="lic.handle")
    fired = [row["rung"] for row in rows(tables.rung_firing) if row["clock_key"] == clock_row["key"]]
    assert sorted(fired) == ["bulletin", "half", "leader", "red", "yellow"]
    told = [row for row in rows(tables.notification, login="wu") if row["kind"] == "rung" and row["params"]["limit"] == "承办"]
    assert len(told) == 1


def test_two_clerks_who_claim_at_the_same_moment_get_one_holder_and_one_conflict(desk, other, in_handling, open_task):
    key = open_task(in_handling.key, "handle").key
    answers = together(lambda: desk.claim(key, by="li"), lambda: other.desk.claim(key, by="zhao"))
    assert sum(answer is None for answer in answers) == 1
    assert sum(isinstance(answer, Conflict) for answer in answers) == 1, answers


def test_cases_opened_at_the_same_moment_get_different_numbers(desk, other, rows):
    start = [lambda each=each: each.start_case("licence", models.START, by="wang") for each in (desk, other.desk) * 3]
    answers = together(*start)
    numbers = sorted(answer.variables["case_no"] for answer in answers)
    assert numbers == [f"411600-XK-20261123-{serial:04d}" for serial in range(1, 7)]


def test_a_task_finished_twice_at_the_same_moment_is_finished_once(desk, other, in_handling, open_task, rows):
    key = open_task(in_handling.key, "handle").key
    answers = together(
        lambda: desk.complete_task(key, {}, outcome="submit", by="li"),
        lambda: other.desk.complete_task(key, {}, outcome="submit", by="zhao"),
    )
    assert sum(isinstance(answer, Conflict) for answer in answers) == 1, answers
    assert len([row for row in rows(tables.trail) if row["task_key"] == key and row["action"] == "complete"]) == 1
