"""The ladder: who is told when a limit is used up, once each, in order."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import insert

from engine.errors import NotPermitted
from engine.store import tables


def fired(rows, case, rule="lic.handle"):
    keys = {row["key"] for row in rows(tables.clock, case_key=case.key, rule_id=rule)}
    found = [row for row in rows(tables.rung_firing) if row["clock_key"] in keys]
    return sorted(found, key=lambda row: (row["planned_at"], row["level"]))


def test_a_rung_fires_once_when_it_is_due(engine, in_handling, clock, rows):
    clock.office("2026-11-27 08:29")
    engine.run_due()
    assert [row["rung"] for row in fired(rows, in_handling)] == ["half"]
    clock.office("2026-11-27 08:30")
    assert engine.run_due() == 1
    assert engine.run_due() == 0
    yellow = fired(rows, in_handling)[-1]
    assert yellow["rung"] == "yellow" and not yellow["late"] and yellow["node"] == "test"
    assert {person["login"] for person in yellow["recipients"]} == {"li", "zhao", "gone"}
    assert {person["role"] for person in yellow["recipients"]} == {"handler"}
    assert [row["kind"] for row in rows(tables.notification, login="li")][-1] == "rung"


def test_only_the_holder_of_a_task_is_urged(engine, desk, in_handling, clock, rows, open_task):
    desk.claim(open_task(in_handling.key, "handle").key, by="zhao")
    clock.office("2026-11-30 17:31")
    engine.run_due()
    red = fired(rows, in_handling)[-1]
    assert red["rung"] == "red"
    assert [(person["login"], person["role"]) for person in red["recipients"]] == [("zhao", "handler"), ("chen", "section_chief")]


def test_after_an_outage_all_missed_rungs_fire_in_order_and_are_marked_late(engine, in_handling, clock, rows):
    clock.office("2026-12-09 09:00")
    engine.run_due()
    ledger = fired(rows, in_handling)
    assert [row["rung"] for row in ledger] == ["half", "yellow", "red", "leader", "bulletin"]
    assert all(row["late"] for row in ledger)
    (clock_row,) = rows(tables.clock, rule_id="lic.handle")
    assert clock_row["level"] == 4 and clock_row["next_rung"] is None
    assert [person["login"] for person in ledger[3]["recipients"]] == ["wu"]
    assert [person["login"] for person in ledger[4]["recipients"]] == ["du"]


def test_after_an_outage_the_rungs_before_a_timer_fire_before_it_ends_their_limit(engine, case, clock, rows):
    # The step is deemed accepted when its limit has passed; the rungs before that day would otherwise never fire.
    clock.office("2026-12-09 09:00")
    engine.run_due()
    assert "silent_accept" in {activity.element_id for activity in engine.activities(case.key)}
    assert [row["rung"] for row in fired(rows, case, "lic.accept")] == ["half", "yellow"]
    (stopped,) = rows(tables.clock, case_key=case.key, rule_id="lic.accept")
    assert stopped["state"] == "STOPPED"


def test_a_rung_that_cannot_be_fired_does_not_hold_up_the_timer_after_it(engine, case, clock, rows, monkeypatch):
    from engine.runtime.limits import rung_actions

    def broken(*_args):
        raise RuntimeError("no directory")

    monkeypatch.setattr(rung_actions.Firing, "run", broken)
    clock.office("2026-12-09 09:00")
    engine.run_due()
    assert "silent_accept" in {activity.element_id for activity in engine.activities(case.key)}
    assert "rung.failed" in {row["action"] for row in rows(tables.audit)}


def test_a_rung_that_another_node_claimed_is_not_fired_again(engine, in_handling, clock, rows):
    (row,) = rows(tables.clock, rule_id="lic.handle")
    now = datetime(2026, 11, 26, 1, 0, tzinfo=UTC)
    with engine.transaction() as tx:
        values = {
            "clock_key": row["key"], "rung": "half", "case_key": in_handling.key, "label": "过半", "level": 0, "action": "silent",
            "channel": "log", "recipients": [], "planned_at": now, "fired_at": now, "late": False, "node": "other",
        }  # fmt: skip
        tx.execute(insert(tables.rung_firing).values(values))
    clock.office("2026-11-26 09:00")
    engine.run_due()
    assert [each["node"] for each in fired(rows, in_handling)] == ["other"]
    (row,) = rows(tables.clock, rule_id="lic.handle")
    assert row["next_rung"] == "yellow"


def test_a_stopped_clock_fires_nothing(engine, desk, in_handling, clock, rows, open_task):
    desk.complete_task(open_task(in_handling.key, "handle").key, {}, outcome="submit", by="li")
    clock.office("2026-12-01 09:00")
    engine.run_due()
    assert fired(rows, in_handling) == []


def test_a_stated_reason_withholds_the_bulletin(engine, desk, in_handling, clock, rows):
    (row,) = rows(tables.clock, rule_id="lic.handle")
    with pytest.raises(NotPermitted):
        desk.state_reason(row["key"], "等待专家", by="wang")
    desk.state_reason(row["key"], "等待省厅专家意见", by="li")
    clock.office("2026-12-09 09:00")
    engine.run_due()
    bulletin = fired(rows, in_handling)[-1]
    assert bulletin["action"] == "withheld" and bulletin["recipients"] == []


def test_an_escalation_of_the_ladder_reaches_the_model(engine, in_handling, clock, rows):
    clock.office("2026-11-30 17:31")
    engine.run_due()
    assert "late_handling" in {activity.element_id for activity in engine.activities(in_handling.key)}
    # A text from a model may hold a per cent sign.
    told = [row for row in rows(tables.notification, login="du") if row["kind"] == "notice"]
    assert len(told) == 1 and told[0]["params"]["text"].startswith("超期 100% ")
    assert engine.incidents(in_handling.key) == []


def test_the_next_due_instant_is_the_earliest_rung(engine, desk, in_handling):
    with engine.reading() as conn:
        assert desk.next_due(conn) == datetime(2026, 11, 26, 0, 30, tzinfo=UTC)


def test_urging_reaches_the_handlers_raises_the_priority_and_is_recorded(desk, in_handling, rows, open_task, engine):
    with pytest.raises(NotPermitted):
        desk.urge(in_handling.key, "快", by="li")
    assert desk.urge(in_handling.key, "请今天办结", by="du") == ["gone", "li", "zhao"]
    assert open_task(in_handling.key, "handle").priority == 60
    entry = rows(tables.trail)[-1]
    assert entry["action"] == "urge" and len(entry["details"]["recipients"]) == 3
    assert "urged" in {row["kind"] for row in rows(tables.notification, login="li")}


def test_the_digest_comes_once_on_the_morning_of_a_working_day(engine, desk, in_handling, clock, rows, open_task):
    desk.claim(open_task(in_handling.key, "handle").key, by="zhao")

    def digests() -> list[dict]:
        return [row["params"] for row in rows(tables.notification, login="zhao") if row["kind"] == "digest"]

    clock.office("2026-11-28 09:00")  # a Saturday
    engine.run_due()
    clock.office("2026-11-30 08:29")
    engine.run_due()
    assert digests() == []
    clock.office("2026-11-30 08:30")
    engine.run_due()
    desk.digested = None  # as another node, or this one after a restart
    engine.run_due()
    assert digests() == [{"due": 1, "total": 1, "overdue": 0}]
    clock.office("2026-12-01 10:00")
    engine.run_due()
    assert digests()[1:] == [{"due": 0, "total": 1, "overdue": 1}]
    assert not [row for row in rows(tables.notification, login="li") if row["kind"] == "digest"]
