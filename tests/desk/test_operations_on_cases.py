"""What the operations do to a case of the desk: its clocks, its trail, its papers."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from engine import NotFound
from engine.store import tables
from tests.desk import desk_models as models

CASE_TABLES = (
    tables.instance, tables.activity, tables.user_task, tables.task_candidate, tables.timer, tables.subscription, tables.case_file,
    tables.trail, tables.draft, tables.attachment, tables.attachment_content, tables.clock, tables.rung_firing,
)  # fmt: skip


def left(engine) -> dict[str, int]:
    with engine.reading() as conn:
        counts = {table.name: len(conn.execute(select(*table.primary_key.columns)).all()) for table in CASE_TABLES}
    return {name: number for name, number in counts.items() if number}


def test_a_case_is_deleted_with_its_papers_and_who_looked_stays_known(engine, desk, clock, open_task, rows):
    case = desk.start_case("licence", {**models.START, "secret": True}, by="wang")
    task = open_task(case.key, "accept")
    desk.upload(f"task:{task.key}", "files::b", "核查.png", "", b"\x89PNG\r\n\x1a\n....", by="wang")
    desk.save_draft(f"task:{task.key}", {"x": "1"}, by="wang")
    desk.look(case.key, by="wang")
    desk.complete_task(task.key, {}, outcome="accept", by="wang")
    desk.save_draft(f"task:{open_task(case.key, 'handle').key}", {"x": "1"}, by="li")
    clock.office("2026-12-04 10:00")
    engine.run_due()
    assert {"case_file", "trail", "draft", "attachment", "attachment_content", "clock", "rung_firing"} <= left(engine).keys()
    looked = len(rows(tables.sensitive_view))
    engine.cancel(case.key, by="admin")
    engine.delete_instance(case.key, by="admin", reason="opened by mistake")
    assert left(engine) == {}
    assert rows(tables.notification, case_key=case.key) == []
    assert len(rows(tables.sensitive_view)) == looked >= 1
    (audit,) = rows(tables.audit, action="instance.delete")
    assert audit["details"]["case_no"]


def test_a_moved_case_has_the_clock_of_the_step_it_stands_on(engine, desk, case, rows, open_task):
    assert [(row["element_id"], row["state"]) for row in rows(tables.clock, case_key=case.key) if row["element_id"]] == [("accept", "RUNNING")]
    engine.move(case.key, cancel=["accept"], start=["handle"], by="admin", reason="accepted on paper")
    clocks = {(row["element_id"], row["rule_id"]): row["state"] for row in rows(tables.clock, case_key=case.key)}
    assert clocks[("accept", "lic.accept")] == "STOPPED" and clocks[("handle", "lic.handle")] == "RUNNING"
    assert open_task(case.key, "handle").state == "CREATED"


def test_a_migrated_case_keeps_its_clocks(engine, desk, case, rows, open_task):
    before = {row["key"]: (row["due_at"], row["state"]) for row in rows(tables.clock, case_key=case.key)}
    files = {name: content for name, content in models.files().items() if name.endswith(".bpmn")}
    engine.deploy({name: content.replace(b'"accept"', b'"examine"') for name, content in files.items()}, by="designer")
    plan = engine.plan_migration("licence", 1, 2, {"accept": "examine"})
    assert engine.check_migration(plan)[0].ok
    engine.migrate_instance(plan, case.key, by="admin")
    clocks = rows(tables.clock, case_key=case.key)
    assert {row["key"]: (row["due_at"], row["state"]) for row in clocks} == before
    assert "examine" in {row["element_id"] for row in clocks}
    desk.complete_task(open_task(case.key, "examine").key, {}, outcome="accept", by="wang")
    states = {row["element_id"]: row["state"] for row in rows(tables.clock, case_key=case.key)}
    assert (states["examine"], states["handle"]) == ("STOPPED", "RUNNING")


def test_a_restarted_case_is_a_case_of_its_own(engine, desk, case, rows):
    engine.cancel(case.key, by="admin")
    again = engine.restart(case.key, by="admin", reason="cancelled by mistake")
    numbers = {row["key"]: row["case_no"] for row in rows(tables.case_file)}
    assert numbers[case.key] != numbers[again.key]
    with pytest.raises(NotFound):
        engine.restart(1)


def test_a_deleted_case_leaves_no_row_in_any_table_that_speaks_of_it():
    from engine.runtime.operations.deletion import _rows
    from engine.store import tables

    # The audit's own, and the list of what a batch did: they must outlive the case.
    kept = {"sensitive_view", "batch_item"}
    speaking = {
        table.name
        for table in tables.metadata.tables.values()
        if {"case_key", "root_key", "instance_key", "clock_key", "task_key", "order_key"} & set(table.c.keys())
    }
    assert speaking - {table.name for table, _ in _rows(1)} == kept
