"""Taking, giving back, handing on and finishing tasks."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import event

from engine.errors import Conflict, InvalidState, NotFound, NotPermitted, ValidationFailed
from engine.store import tables
from tests.desk import desk_models as models


@pytest.fixture
def handle(in_handling, open_task):
    return open_task(in_handling.key, "handle")


def test_the_second_to_claim_is_told_who_was_faster(desk, handle, clock):
    desk.claim(handle.key, by="li")
    desk.claim(handle.key, by="li")
    with pytest.raises(Conflict) as refused:
        desk.claim(handle.key, by="zhao")
    assert refused.value.by == "li" and refused.value.at == clock.now
    assert "李强" in str(refused.value)


def test_a_claimed_task_is_finished_by_its_holder_only(desk, handle):
    desk.claim(handle.key, by="li")
    with pytest.raises(Conflict):
        desk.complete_task(handle.key, {}, outcome="submit", by="zhao")
    desk.complete_task(handle.key, {}, outcome="submit", by="li")
    with pytest.raises(Conflict) as refused:
        desk.complete_task(handle.key, {}, outcome="submit", by="li")
    assert refused.value.by == "li"


def test_a_task_given_back_can_be_taken_by_a_colleague(desk, handle, rows):
    desk.claim(handle.key, by="li")
    desk.unclaim(handle.key, by="li")
    desk.claim(handle.key, by="zhao")
    assert [row["action"] for row in rows(tables.trail) if row["task_key"] == handle.key] == ["claim", "unclaim", "claim"]


def test_a_stranger_is_not_told_that_the_task_exists_and_the_audit_knows(desk, handle, rows):
    with pytest.raises(NotFound):
        desk.complete_task(handle.key, {}, outcome="submit", by="sun")
    with pytest.raises(NotFound):
        desk.claim(1, by="li")
    refused = [row for row in rows(tables.audit) if row["action"] == "access.refused"]
    assert [(row["by"], row["subject"]) for row in refused] == [("sun", f"task:{handle.key}"), ("li", "task:1")]


def test_a_reader_of_the_case_who_is_no_candidate_may_not_work_on_the_task(desk, handle):
    with pytest.raises(NotPermitted):
        desk.complete_task(handle.key, {}, outcome="submit", by="du")


def test_an_outcome_must_be_one_of_the_buttons_and_some_need_an_opinion(desk, case, open_task, rows):
    task = open_task(case.key, "accept")
    with pytest.raises(ValidationFailed) as refused:
        desk.complete_task(task.key, {}, outcome="approve", by="wang")
    assert set(refused.value.errors) == {"outcome"}
    with pytest.raises(ValidationFailed) as refused:
        desk.complete_task(task.key, {}, outcome="decline", opinion="  ", by="wang")
    assert set(refused.value.errors) == {"opinion"}
    assert open_task(case.key, "accept").state == "CREATED"


def test_a_task_changed_meanwhile_is_a_conflict(desk, handle):
    desk.claim(handle.key, by="li")
    with pytest.raises(Conflict):
        desk.complete_task(handle.key, {}, outcome="submit", by="li", revision=handle.revision)


def test_who_is_complained_about_may_not_handle_the_case(desk, open_task, rows):
    case = desk.start_case("licence", {**models.START, "respondent": "gaoxin"}, by="wang")
    desk.complete_task(open_task(case.key, "accept").key, {}, outcome="accept", by="wang")
    task = open_task(case.key, "handle")
    with pytest.raises(NotFound):
        desk.claim(task.key, by="li")
    assert not rows(tables.notification, login="li")
    with pytest.raises(ValidationFailed) as refused:
        desk.transfer(task.key, "zhao", "请办", by="du")
    assert "conflict of interest" in str(refused.value)
    desk.transfer(task.key, "sun", "高新科回避，请农村科办理", by="du")
    desk.complete_task(task.key, {}, outcome="submit", by="sun")


def test_a_task_is_handed_on_with_a_reason_and_the_colleague_is_told(desk, handle, rows, engine):
    desk.claim(handle.key, by="li")
    with pytest.raises(ValidationFailed):
        desk.transfer(handle.key, "zhao", "", by="li")
    with pytest.raises(ValidationFailed):
        desk.transfer(handle.key, "nobody", "出差", by="li")
    desk.transfer(handle.key, "zhao", "出差", by="li")
    assert engine.user_tasks(assignee="zhao")[0].key == handle.key
    assert any(
        row["kind"] == "assigned" and "李强" in row["params"]["name"]
        for row in rows(tables.notification, login="zhao")
        if "name" in row["params"]
    )
    desk.transfer(handle.key, "li", "科长改派", by="chen")
    assert "transferred" in {row["kind"] for row in rows(tables.notification, login="zhao")}
    with pytest.raises(NotFound):
        desk.transfer(handle.key, "sun", "抢件", by="sun")


def test_a_deputy_acts_in_the_place_of_the_absent_and_the_trail_says_so(desk, handle, rows, clock):
    with pytest.raises(NotPermitted):
        desk.save_deputy("li", "sun", date(2026, 11, 24), date(2026, 11, 26), by="zhao")
    desk.save_deputy("li", "sun", date(2026, 11, 24), date(2026, 11, 26), by="li")
    with pytest.raises(NotFound):
        desk.claim(handle.key, by="sun")
    clock.office("2026-11-24 09:00")
    assert "clerk@gaoxin" in desk.groups("sun")
    desk.complete_task(handle.key, {}, outcome="submit", by="sun")
    entry = next(row for row in rows(tables.trail) if row["task_key"] == handle.key)
    assert (entry["actor"], entry["on_behalf_of"]) == ("sun", "li")
    clock.office("2026-11-27 09:00")
    assert "clerk@gaoxin" not in desk.groups("sun")


def test_a_task_nobody_needs_any_more_is_refused_in_words(desk, handle, in_handling):
    desk.case_action(in_handling.key, "withdrawn", {"why": "不办了"}, by="wang")
    with pytest.raises(InvalidState):
        desk.complete_task(handle.key, {}, outcome="submit", by="li")


def test_completing_a_task_stays_within_its_statement_budget(desk, engine, in_handling, open_task):
    """At most 14 statements and one commit, the engine's own included."""
    task = open_task(in_handling.key, "handle")
    desk.claim(task.key, by="li")
    desk.save_draft(f"task:{task.key}", {"note": "x"}, by="li")
    statements, commits = [], []
    record = lambda conn, cursor, statement, *rest: statements.append(statement)  # noqa: E731
    event.listen(engine.database.sa, "before_cursor_execute", record)
    event.listen(engine.database.sa, "commit", lambda conn: commits.append(1))
    desk.complete_task(task.key, {"note": "x"}, outcome="submit", by="li")
    event.remove(engine.database.sa, "before_cursor_execute", record)
    statements = [each for each in statements if not each.startswith(("BEGIN", "PRAGMA"))]
    assert len(commits) == 1
    assert len(statements) <= 14, "\n".join(each.splitlines()[0][:110] for each in statements)
