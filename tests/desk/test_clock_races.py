"""Two commands that change the same limit at once: neither is written over by the other."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from engine.runtime.limits import clocks
from engine.runtime.limits.clocks import ClockState
from engine.runtime.unit import Stale
from engine.store import tables
from tests.desk import desk_models, pause_models
from tests.support.race import race

__all__ = ["race"]


@pytest.fixture
def opened(engine, desk):
    engine.deploy(pause_models.files(), by="designer")
    return desk.start_case("opening", desk_models.START, by="wang")


def only(rows, case, rule):
    (row,) = rows(tables.clock, case_key=case.key, rule_id=rule)
    return row


def test_a_pause_by_hand_is_not_written_over_by_a_task_that_is_finished_meanwhile(engine, opened, open_task, rows, race):
    clock, step = only(rows, opened, "open.reply"), open_task(opened.key, "receive")

    def pause(one):
        return one.desk.pause_clocks(opened.key, [clock["key"]], "hearing", "听证", document="周科听〔2026〕1号", by="chen")

    # The step that follows pauses the same limit for a correction.
    paused, done = race(pause, lambda two: two.desk.complete_task(step.key, {}, by="wang"))
    assert paused == ["答复"] and done.state == "ACTIVE"
    kinds = {each["kind"] for each in only(rows, opened, "open.reply")["ledger"]["pauses"]}
    assert kinds == {"hearing", "correction"}


def test_a_task_that_begins_while_its_limit_is_extended_shows_the_new_due_day(desk, open_task, rows, race):
    case = desk.start_case("licence", desk_models.START, by="wang")
    desk.complete_task(open_task(case.key, "accept").key, {}, by="wang", outcome="accept")
    clock, step = only(rows, case, "lic.close"), open_task(case.key, "handle")

    def extend(one):
        return one.desk.extend_clock(clock["key"], 5, "案情复杂", by="chen")

    race(extend, lambda two: two.desk.complete_task(step.key, {}, by="li", outcome="submit"))
    # The new step is governed by the limit of the case, which this command does not change.
    (task,) = [row for row in rows(tables.user_task, root_key=case.key) if row["state"] == "CREATED"]
    assert task["clock_key"] == clock["key"]
    assert task["due_at"] == only(rows, case, "lic.close")["due_at"] > clock["due_at"]


def test_a_step_of_a_called_process_waits_for_who_pauses_a_limit_of_the_case(engine, desk, opened, open_task, rows, race):
    for step in ("receive", "correct", "ask", "weigh"):
        desk.complete_task(open_task(opened.key, step).key, {}, by="wang")
    clock = next(row for row in rows(tables.clock, case_key=opened.key, rule_id="open.reply") if row["state"] != "STOPPED")
    meeting = open_task(opened.key, "meet")
    assert meeting.instance_key != clock["instance_key"]

    def pause(one):
        return one.desk.pause_clocks(opened.key, [clock["key"]], "hearing", "听证", document="周科听〔2026〕1号", by="chen")

    paused, done = race(pause, lambda two: two.desk.complete_task(meeting.key, {}, by="wang"))
    assert paused == ["答复"] and done.key == meeting.instance_key
    (after,) = [row for row in rows(tables.clock, case_key=opened.key, rule_id="open.reply") if row["state"] != "STOPPED"]
    assert after["state"] == "PAUSED" and after["ledger"]["pauses"][-1]["kind"] == "hearing"
    for task in rows(tables.user_task, root_key=opened.key):
        if task["state"] == "CREATED" and task["clock_key"] == clock["key"]:
            assert task["due_at"] is None


def test_a_limit_that_was_changed_since_it_was_read_is_not_written(engine, opened, rows):
    if engine.database.is_sqlite:
        pytest.skip("on SQLite nobody can write between a command's reading and its writing")
    row = only(rows, opened, "open.reply")
    first, second = ClockState.of_row(row), ClockState.of_row(row)
    at = datetime(2026, 11, 24, 1, tzinfo=UTC)
    for state, kind in ((first, "hearing"), (second, "suspension")):
        state.pause(at, "停", kind=kind, by="zhao")
        state.derive(engine.calendar, None)
    with engine.transaction() as tx:
        clocks.write(tx.conn, [first])
        clocks.write(tx.conn, [first])
    with pytest.raises(Stale), engine.transaction() as tx:
        clocks.write(tx.conn, [second])
    assert [each["kind"] for each in only(rows, opened, "open.reply")["ledger"]["pauses"]] == ["hearing"]
