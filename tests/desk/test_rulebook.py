"""The rule table and the ladders in use: versions by day of receipt, decisions, fall-backs, and rungs about unclaimed tasks."""

from __future__ import annotations

from datetime import date, datetime

import pytest

from engine.deadlines.sheettext import rule_rows
from engine.errors import Conflict, NotPermitted, ValidationFailed
from engine.runtime.limits import ladder_book, rule_changes, rulebook
from engine.store import tables
from tests.desk import desk_models as models


@pytest.fixture
def new_version(desk):
    """Give a rule another limit from a day on."""

    def save(rule_id: str, limit: int, since: str, **columns):
        sheet = rulebook.sheet(desk, "rules")
        old = desk.book().rules.versions(rule_id)[-1]
        row = rulebook.row_of(rule_rows(sheet.text), rule_id, old.effective_from)
        row = {**row, "limit": limit, "effective_from": date.fromisoformat(since), **columns}
        return rulebook.save_rule(desk, row, replaces=(rule_id, old.effective_from), reason="新规", based_on=sheet.version, by="admin")

    return save


@pytest.fixture
def climb(desk):
    """Change the rungs of the standard ladder."""

    def save(change, **values):
        version, body = _body(desk)
        change(body["rungs"])
        return ladder_book.save_ladder(
            desk, "standard", body, **{"new": False, "reason": "调整", "based_on": version, "by": "admin", **values}
        )

    return save


def _body(desk):
    with desk.engine.reading() as conn:
        return ladder_book.body_of(desk, conn, "standard")


def clock_of(rows, rule="lic.handle"):
    (row,) = rows(tables.clock, rule_id=rule)
    return row


def leave(engine, *logins):
    """People who have left the office."""
    for login in logins:
        person = engine.desk.person(login)
        engine.desk.people.save_person(
            login=login, name=person.name, section_code=person.section_code, title=person.title, phone=None, email=None, language="zh",
            active=False, roles=person.roles, by="system",
        )  # fmt: skip


def test_a_case_gets_the_version_in_force_on_the_day_it_was_received(desk, new_version, clock, rows, open_task):
    new_version("lic.handle", 9, "2026-11-25")
    for number, (day, limit) in enumerate([("2026-11-24", 5), ("2026-11-25", 9)]):
        clock.office(f"{day} 09:00")
        case = desk.start_case("licence", models.START, by="wang")
        clock.office("2026-11-26 09:00")
        desk.complete_task(open_task(case.key, "accept").key, {}, outcome="accept", by="wang")
        (row,) = [each for each in rows(tables.clock, rule_id="lic.handle") if each["case_key"] == case.key]
        expected = None if number == 0 and limit == 5 else "2026-11-25"
        assert row["ledger"]["rule"]["limit"] == limit
        assert row["ledger"]["rule"]["effective_from"] == expected
        assert row["ledger"]["rules_version"] == 2


def test_a_model_that_asks_for_a_due_date_gets_the_version_of_the_case(desk, case, new_version, clock, engine):
    new_version("lic.accept", 9, "2026-11-24")
    with engine.reading() as conn:
        from engine.runtime.transaction import Transaction

        tx = Transaction(conn, datetime.fromisoformat("2026-11-26T01:00:00+00:00"), None, None, "test")
        functions = desk.functions(tx, case.key)
        assert functions["due"]("lic.accept", None).date == date(2026, 12, 1)
        assert desk.functions(tx, None)["due"]("lic.accept", None).date == date(2026, 12, 9)


def test_only_editors_change_rules_and_a_refusal_is_noted(desk, new_version, rows):
    sheet = rulebook.sheet(desk, "rules")
    row = {"id": "lic.x", "label": "x", "limit": 1, "unit": "wd"}
    with pytest.raises(NotPermitted):
        rulebook.save_rule(desk, row, replaces=None, reason="x", based_on=sheet.version, by="li")
    assert [each["subject"] for each in rows(tables.audit, action="access.refused")] == ["rules:lic.x"]
    assert desk.book().rules_version == 1


def test_an_edit_keeps_the_other_characters_of_the_file_and_states_its_reason(desk, new_version, rows):
    before = rulebook.sheet(desk, "rules").text
    new_version("lic.handle", 9, "2026-12-01")
    after = rulebook.sheet(desk, "rules").text
    added = [line for line in after.splitlines() if line not in before.splitlines()]
    assert len(added) == 1
    assert "effective_from: 2026-12-01" in added[0]
    assert all(line in after.splitlines() for line in before.splitlines())
    with desk.engine.reading() as conn:
        (latest, first) = rulebook.rule_history(desk, conn, "lic.handle")
    assert (latest.by, latest.reason, latest.since, latest.fields) == ("admin", "新规", date(2026, 12, 1), (("limit", 5, 9),))
    assert first.new
    assert first.version == 1


def test_an_edit_of_an_old_version_of_the_table_is_refused(desk, new_version):
    row = {"id": "lic.x", "label": "x", "limit": 1, "unit": "wd"}
    new_version("lic.handle", 9, "2026-12-01")
    with pytest.raises(Conflict):
        rulebook.save_rule(desk, row, replaces=None, reason="x", based_on=1, by="admin")


def test_a_decision_brings_a_running_clock_under_the_new_version_and_keeps_its_pauses(desk, engine, in_handling, new_version, clock, rows):
    new_version("lic.handle", 9, "2026-11-24")
    with engine.reading() as conn:
        rule = rule_changes.version_of(desk, conn, "lic.handle", date(2026, 11, 24))
        (move,) = rule_changes.moves(desk, conn, rule)
    assert not move.shortened
    marks = {move.clock_key: move.mark}
    with pytest.raises(NotPermitted):
        rule_changes.apply_version(desk, "lic.handle", date(2026, 11, 24), marks, reason="决定", by="admin")
    assert rule_changes.apply_version(desk, "lic.handle", date(2026, 11, 24), marks, reason="决定", by="du") == (1, [])
    row = clock_of(rows)
    assert row["due_at"] == move.new_due
    assert row["ledger"]["rule"]["effective_from"] == "2026-11-24"
    entry = rows(tables.trail, action="rule_applied")[0]
    assert (entry["actor"], entry["opinion"], entry["details"]["from"]) == ("du", "决定", move.old_due.isoformat())
    assert "rule_applied" in {each["kind"] for each in rows(tables.notification, login="li")}
    # The open task shows the same day.
    assert {task.due_at for task in engine.user_tasks(in_handling.key)} == {move.new_due}


def test_a_case_that_has_moved_on_is_left_alone(desk, engine, in_handling, new_version, rows):
    new_version("lic.handle", 9, "2026-11-24")
    with engine.reading() as conn:
        rule = rule_changes.version_of(desk, conn, "lic.handle", date(2026, 11, 24))
        (move,) = rule_changes.moves(desk, conn, rule)
    stale = {move.clock_key: move.mark.replace("2026", "2025")}
    changed, left = rule_changes.apply_version(desk, "lic.handle", date(2026, 11, 24), stale, reason="决定", by="du")
    assert (changed, left) == (0, [move.case_no])
    assert clock_of(rows)["ledger"]["rule"]["limit"] == 5


def test_what_was_told_is_shortened_only_by_a_decision(desk, engine, in_handling, new_version, rows):
    new_version("lic.handle", 2, "2026-11-24")
    with engine.reading() as conn:
        (move,) = rule_changes.moves(desk, conn, rule_changes.version_of(desk, conn, "lic.handle", date(2026, 11, 24)))
    assert move.shortened
    with pytest.raises(ValidationFailed) as refused:
        rule_changes.apply_version(desk, "lic.handle", date(2026, 11, 24), {move.clock_key: move.mark}, reason="决定", by="du")
    assert list(refused.value.errors) == ["decision"]
    assert clock_of(rows)["due_at"] == move.old_due


def test_a_rule_may_name_its_ladder(desk, new_version, climb, clock, rows, open_task):
    version, body = _body(desk)
    ladder_book.save_ladder(desk, "quick", {**body, "label": "快"}, new=True, reason="急件", based_on=version, by="admin")
    new_version("lic.handle", 5, "2026-11-23", ladder="quick")
    case = desk.start_case("licence", models.START, by="wang")
    desk.complete_task(open_task(case.key, "accept").key, {}, outcome="accept", by="wang")
    assert clock_of(rows)["ladder_id"] == "quick"


# -- ladders -------------------------------------------------------------------------------------------------------------------


def test_a_role_with_nobody_behind_it_is_routed_to_the_supervisor_and_alarms_the_administrators(engine, in_handling, clock, rows):
    leave(engine, "wu", "zheng")
    clock.office("2026-12-03 09:00")
    engine.run_due()
    (leader,) = rows(tables.rung_firing, rung="leader", clock_key=clock_of(rows)["key"])
    assert [(each["login"], each["instead_of"]) for each in leader["recipients"]] == [("du", "vice_director")]
    alarms = [row for row in rows(tables.notification, login="admin") if row["msgid"].startswith("Nobody is %(role)s")]
    assert len(alarms) == 1
    assert rows(tables.audit, action="rung.fallback")[0]["details"]["role"] == "vice_director"
    entry = [each for each in rows(tables.trail, action="rung") if each["details"]["rung"] == "leader"][-1]
    assert entry["details"]["missing"][0]["role"] == "vice_director"


def test_without_a_supervisor_the_administrators_are_told(engine, in_handling, clock, rows):
    leave(engine, "wu", "zheng", "du")
    clock.office("2026-12-03 09:00")
    engine.run_due()
    (leader,) = rows(tables.rung_firing, rung="leader", clock_key=clock_of(rows)["key"])
    assert {(each["login"], each["role"]) for each in leader["recipients"]} == {("admin", "administrator")}


def test_a_handler_who_left_is_not_told_and_the_alarm_names_them(engine, desk, in_handling, clock, rows, open_task):
    desk.claim(open_task(in_handling.key, "handle").key, by="zhao")
    leave(engine, "zhao")
    clock.office("2026-11-27 09:00")
    engine.run_due()
    (yellow,) = rows(tables.rung_firing, rung="yellow", clock_key=clock_of(rows)["key"])
    assert [(each["login"], each["instead_of"]) for each in yellow["recipients"]] == [("du", "handler")]
    assert [row for row in rows(tables.notification, login="admin") if "has left and still holds a task" in row["msgid"]]


def test_a_changed_ladder_moves_the_next_rung_of_running_clocks(desk, in_handling, climb, rows):
    assert clock_of(rows)["next_rung"] == "half"

    def earlier(rungs):
        rungs[0]["when"] = {"used": 0.2}

    climb(earlier)
    row = clock_of(rows)
    assert (row["next_rung"], row["next_rung_at"].isoformat()) == ("half", "2026-11-24T00:30:00+00:00")


def test_a_rung_added_later_does_not_reach_back(engine, desk, in_handling, climb, clock, rows):
    clock.office("2026-11-26 09:00")
    engine.run_due()

    def add(rungs):
        rungs.insert(0, {**rungs[0], "id": "start", "when": {"used": 0.2}, "channel": "inbox", "text": "已开始", "actions": ["notify"]})

    climb(add)
    clock.office("2026-11-26 10:00")
    engine.run_due()
    assert not rows(tables.rung_firing, rung="start", clock_key=clock_of(rows)["key"])
    with engine.reading() as conn:
        from sqlalchemy import select

        case = conn.execute(select(tables.case_file)).one()
        shown = ladder_book.shown_on_case(desk, conn, case, desk.book(conn).ladders["standard"])
    (steps,) = [each.steps for each in shown if each.clock["rule_id"] == "lic.handle"]
    assert {step.rung.id: step.state for step in steps} == {
        "start": "passed", "half": "fired", "yellow": "next", "red": "coming", "leader": "coming", "bulletin": "coming",
    }  # fmt: skip
    assert [each["login"] for each in steps[4].people] == ["wu"]


@pytest.mark.parametrize("claimed", [False, True])
def test_a_rung_about_unclaimed_tasks_asks_when_it_fires(engine, desk, case, climb, clock, rows, open_task, claimed):
    def add(rungs):
        rungs.insert(
            0, {**rungs[0], "id": "taken", "when": {"unclaimed": 1}, "channel": "inbox", "text": "尚未认领", "actions": ["notify"]}
        )

    climb(add)
    desk.complete_task(open_task(case.key, "accept").key, {}, outcome="accept", by="wang")
    if claimed:
        desk.claim(open_task(case.key, "handle").key, by="li")
    clock.office("2026-11-24 08:30")
    engine.run_due()
    (fired,) = rows(tables.rung_firing, rung="taken", clock_key=clock_of(rows)["key"])
    assert fired["action"] == ("claimed" if claimed else "notify")
    assert {each["login"] for each in fired["recipients"]} == (set() if claimed else {"gone", "li", "zhao"})
