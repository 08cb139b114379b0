"""The case file, its clocks and its trail follow what the engine does."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from engine.errors import Conflict, InvalidState, NotFound, NotPermitted, ValidationFailed
from engine.store import tables
from tests.desk import desk_models as models


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text + "+08:00").astimezone(UTC)


def clock_of(rows, case, rule, index=-1):
    return rows(tables.clock, case_key=case.key, rule_id=rule)[index]


def test_a_case_gets_a_number_a_title_and_a_header(case, rows):
    (file,) = rows(tables.case_file)
    assert file["key"] == case.key
    assert file["case_no"] == case.variables["case_no"] == "411600-XK-20261123-0001"
    assert file["title"] == "关于大棚改造的许可"
    assert (file["applicant"], file["county"], file["urgency"]) == ("张三", "川汇区", "加急")
    assert (file["section_code"], file["starter"], file["status"]) == ("gaoxin", "wang", "受理审查")
    assert file["received_at"] == instant("2026-11-23T09:00")
    assert case.variables["received_at"] == "2026-11-23T09:00:00+08:00"


def test_numbers_count_up_within_a_day_and_restart_on_the_next(desk, case, clock):
    assert desk.start_case("licence", models.START, by="wang").variables["case_no"].endswith("20261123-0002")
    clock.office("2026-11-24 09:00")
    assert desk.start_case("licence", models.START, by="wang").variables["case_no"].endswith("20261124-0001")


def test_a_start_that_fails_gives_its_number_back(desk, rows):
    with pytest.raises(ValidationFailed):
        desk.start_case("licence", {**models.START, "received": "2027-01-01T09:00:00+08:00"}, by="wang")
    assert desk.start_case("licence", models.START, by="wang").variables["case_no"].endswith("-0001")
    assert len(rows(tables.case_file)) == 1


def test_a_time_of_receipt_in_the_past_is_kept_and_starts_the_clock(desk, rows):
    case = desk.start_case("licence", {**models.START, "received": "2026-11-20T10:00"}, by="wang")
    assert rows(tables.case_file)[0]["received_at"] == instant("2026-11-20T10:00")
    assert clock_of(rows, case, "lic.accept")["due_at"] == instant("2026-11-25T17:30")


def test_only_the_named_roles_open_a_case_and_an_unknown_procedure_is_not_found(desk):
    with pytest.raises(NotPermitted):
        desk.start_case("licence", models.START, by="li")
    with pytest.raises(NotFound):
        desk.start_case("nothing", models.START, by="wang")


def test_a_page_sent_twice_opens_one_case(desk, rows):
    desk.start_case("licence", models.START, by="wang", token="page-1")
    with pytest.raises(Conflict):
        desk.start_case("licence", models.START, by="wang", token="page-1")
    assert len(rows(tables.case_file)) == 1


def test_the_confidential_applicant_is_masked_in_the_case_file(desk, rows):
    desk.start_case("licence", {**models.START, "secret": True}, by="wang")
    (file,) = rows(tables.case_file)
    assert file["applicant"] == "匿名(保密)"
    assert "张三" not in file["search"] and "张三" not in file["title"]


def test_an_element_clock_runs_while_the_element_is_active(desk, case, rows, open_task):
    task = open_task(case.key, "accept")
    clock = clock_of(rows, case, "lic.accept")
    assert clock["state"] == "RUNNING" and clock["task_key"] == task.key
    assert task.due_at == clock["due_at"] == instant("2026-11-26T17:30")
    desk.complete_task(task.key, {}, outcome="accept", by="wang")
    clock = clock_of(rows, case, "lic.accept")
    assert clock["state"] == "STOPPED" and clock["next_rung_at"] is None
    assert clock["stopped_at"] < clock["due_at"]  # closed in time: blue


def test_a_case_clock_starts_once_and_stops_when_the_model_says(desk, in_handling, rows, open_task):
    key = in_handling.key
    assert len(rows(tables.clock, rule_id="lic.close")) == 1
    desk.complete_task(open_task(key, "handle").key, {"grade": "A"}, outcome="submit", by="li")
    sign = open_task(key, "sign")
    assert sign.due_at == clock_of(rows, in_handling, "lic.close")["due_at"]
    desk.complete_task(sign.key, {}, outcome="return", opinion="补充依据", by="wu")
    # Clocks named by clock.stop end when the element completes, also on a return; the loop then starts a new one.
    assert [row["state"] for row in rows(tables.clock, rule_id="lic.close")] == ["STOPPED", "RUNNING"]


def test_a_pausing_step_holds_the_clocks_of_the_case_and_lets_them_go_on(desk, case, clock, open_task, rows):
    desk.complete_task(open_task(case.key, "accept").key, {}, outcome="supplement", by="wang")
    held = clock_of(rows, case, "lic.close")
    assert held["state"] == "PAUSED"
    assert held["due_at"] is None and held["next_rung_at"] is None and held["yellow_at"] is None
    assert rows(tables.case_file)[0]["status"] == "待补正"
    correct = open_task(case.key, "correct")
    assert correct.assignee == "wang" and correct.due_at is None
    clock.office("2026-11-26 10:00")
    desk.complete_task(correct.key, {}, by="wang")
    going = clock_of(rows, case, "lic.close")
    # Paused were the 23rd, which does not count as the first day, the 24th and the 25th: 12-21 becomes 12-23.
    assert going["state"] == "RUNNING" and going["due_at"] == instant("2026-12-23T17:30")
    assert [row["action"] for row in rows(tables.trail) if row["action"] in ("pause", "resume")] == ["pause", "resume"]
    assert len(rows(tables.clock, rule_id="lic.close")) == 1


def test_completing_writes_who_when_what_into_the_trail(desk, case, open_task, rows, clock):
    task = open_task(case.key, "accept")
    clock.office("2026-11-23 11:00")
    desk.complete_task(task.key, {"note": "齐全"}, outcome="decline", opinion="不属本局", by="wang", address="10.1.1.1")
    entry = next(row for row in rows(tables.trail) if row["task_key"] == task.key)
    assert (entry["action"], entry["actor"], entry["outcome"], entry["outcome_label"]) == ("complete", "wang", "decline", "不予受理")
    assert entry["opinion"] == "不属本局" and entry["address"] == "10.1.1.1"
    assert entry["received_at"] == instant("2026-11-23T09:00") and entry["at"] == instant("2026-11-23T11:00")
    assert entry["details"] == {"form_id": "licence_step", "data": {"note": "齐全"}}


def test_a_case_that_ends_is_closed_with_result_and_status(desk, case, open_task, rows):
    desk.complete_task(open_task(case.key, "accept").key, {}, outcome="decline", opinion="不属本局", by="wang")
    (file,) = rows(tables.case_file)
    assert file["closed_at"] is not None and (file["status"], file["result"]) == ("不予受理", "不予受理")
    assert file["accepted_at"] is not None
    assert {row["state"] for row in rows(tables.clock)} == {"STOPPED"}
    assert rows(tables.trail)[-1]["action"] == "close"


def test_a_cancelled_case_is_closed_as_terminated(engine, in_handling, rows):
    engine.cancel(in_handling.key, by="du", reason="并案")
    (file,) = rows(tables.case_file)
    assert file["status"] == "终止" and file["closed_at"] is not None
    assert {row["state"] for row in rows(tables.clock)} == {"STOPPED"}


def test_register_columns_follow_the_variables(desk, in_handling, open_task, rows):
    assert rows(tables.case_file)[0]["register"] == {"county": "川汇区", "grade": None, "rounds": 0}
    desk.complete_task(open_task(in_handling.key, "handle").key, {"grade": "B", "rounds": 2}, outcome="submit", by="li")
    assert rows(tables.case_file)[0]["register"] == {"county": "川汇区", "grade": "B", "rounds": 2}
    assert rows(tables.trail)[-1]["details"]["data"] == {"grade": "B", "rounds": 2}


def test_a_timer_that_accepts_by_silence_stands_in_the_trail(engine, case, clock, rows, open_task):
    clock.office("2026-11-26 17:30")
    assert engine.run_due() >= 0
    assert open_task(case.key, "accept")
    clock.office("2026-11-26 17:31")
    engine.run_due()
    entry = next(row for row in rows(tables.trail) if row["action"] == "timer")
    assert entry["element_name"] == "逾期视为受理" and entry["actor"] is None
    assert clock_of(rows, case, "lic.accept")["state"] == "STOPPED"
    assert open_task(case.key, "handle")


def test_a_process_without_a_sheet_makes_no_case(engine, rows):
    plain = models.bpmn().replace(b'process id="licence"', b'process id="plain"').replace(b"overdue(", b"due(")
    engine.deploy({"plain.bpmn": plain}, by="designer")
    engine.start("plain", {"received_at": "2026-11-23T09:00:00+08:00", "starter": "wang", "case_no": "x"}, by="wang")
    assert rows(tables.case_file) == [] and rows(tables.clock) == []


def test_a_late_extension_is_refused_and_a_timely_one_moves_the_due_day(desk, in_handling, clock, rows, open_task):
    key = clock_of(rows, in_handling, "lic.close")["key"]
    with pytest.raises(NotPermitted):
        desk.extend_clock(key, 5, "复杂", by="li")
    with pytest.raises(ValidationFailed):
        desk.extend_clock(key, 5, " ", by="chen")
    with pytest.raises(ValidationFailed):
        desk.extend_clock(key, 11, "复杂", by="chen")
    desk.extend_clock(key, 5, "案情复杂", by="chen")
    assert clock_of(rows, in_handling, "lic.close")["due_at"] == instant("2026-12-28T17:30")
    entry = next(row for row in rows(tables.trail) if row["action"] == "extend")
    assert entry["actor"] == "chen" and entry["opinion"] == "案情复杂"
    with pytest.raises(InvalidState):
        desk.extend_clock(key, 5, "再延", by="chen")
    assert "extended" in {row["kind"] for row in rows(tables.notification, login="li")}


def test_a_withdrawal_by_button_ends_the_case_and_names_who_pressed(desk, in_handling, rows):
    with pytest.raises(NotPermitted):
        desk.case_action(in_handling.key, "withdrawn", {"why": "不办了"}, by="li")
    desk.case_action(in_handling.key, "withdrawn", {"why": "不办了"}, by="wang")
    (file,) = rows(tables.case_file)
    assert (file["status"], file["result"]) == ("撤回", "撤回") and file["closed_at"] is not None
    entry = next(row for row in rows(tables.trail) if row["action"] == "message")
    assert entry["actor"] == "wang" and entry["details"]["data"] == {"why": "不办了"}
    with pytest.raises(InvalidState):
        desk.case_action(in_handling.key, "withdrawn", {"why": "不办了"}, by="wang")
    with pytest.raises(NotFound):
        desk.case_action(in_handling.key, "nonsense", {}, by="wang")


def test_an_extension_asked_from_a_task_is_granted_by_the_model_once(desk, in_handling, rows, open_task):
    task = open_task(in_handling.key, "handle")
    with pytest.raises(NotFound):
        desk.request_extension(task.key, by="sun")
    desk.request_extension(task.key, by="li")
    extended = clock_of(rows, in_handling, "lic.close")
    assert extended["due_at"] == instant("2026-12-24T17:30")
    actions = [(row["action"], row["actor"], row["opinion"]) for row in rows(tables.trail)][-2:]
    assert actions == [("message", "li", None), ("extend", "li", "案情复杂")]
    assert open_task(in_handling.key, "handle").key == task.key
    with pytest.raises(InvalidState):
        desk.request_extension(task.key, by="li")


def test_a_model_cannot_extend_beyond_the_rule_and_the_trail_says_why(desk, engine, in_handling, rows):
    for _ in range(2):
        number = in_handling.variables["case_no"]
        engine.publish_message("extension_requested", number, {"extension_rule": "lic.close"}, by="chen")
    assert clock_of(rows, in_handling, "lic.close")["due_at"] == instant("2026-12-24T17:30")
    refused = next(row for row in rows(tables.trail) if row["action"] == "extend_refused")
    assert "already been extended" in refused["opinion"]


def test_an_unreadable_start_does_not_stop_the_office(desk, engine, rows):
    model = models.bpmn().replace(b'name="deadline.start" value="=received_at"', b'name="deadline.start" value="=subject"')
    engine.deploy({"processes/licence/licence.bpmn": model}, by="designer")
    case = desk.start_case("licence", models.START, by="wang")
    assert clock_of(rows, case, "lic.accept")["due_at"] == instant("2026-11-26T17:30")
    assert "clock.unreadable_start" in {row["action"] for row in rows(tables.audit)}
