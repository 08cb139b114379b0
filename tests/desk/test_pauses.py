"""Pauses with a kind, a reason and a document: by the model, by a person; resumption, restart, phases, promises."""

from __future__ import annotations

from datetime import UTC, datetime
from io import BytesIO
from zipfile import ZipFile

import pytest

from engine.errors import DeploymentRejected, InvalidState, NotFound, NotPermitted, ValidationFailed
from engine.runtime.limits.pausing import Paper, may_pause
from engine.store import tables
from tests.desk import desk_models, pause_models


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text + "+08:00").astimezone(UTC)


@pytest.fixture
def opened(engine, desk):
    """A case at its first step, received on Monday 2026-11-23 at 09:00."""
    engine.deploy(pause_models.files(), by="designer")
    return desk.start_case("opening", desk_models.START, by="wang")


@pytest.fixture
def clock_of(rows):
    def find(case, rule, index=-1):
        return rows(tables.clock, case_key=case.key, rule_id=rule)[index]

    return find


@pytest.fixture
def at(desk, opened, open_task):
    """Brings the case to a step."""

    def go(element):
        for step in ("receive", "correct", "ask", "weigh", "meet", "answer"):
            if step == element:
                return open_task(opened.key, step)
            desk.complete_task(open_task(opened.key, step).key, {}, by="wang")
        raise AssertionError(element)

    return go


def trail_of(rows, *actions):
    return [row for row in rows(tables.trail) if row["action"] in actions]


# -- by the model --------------------------------------------------------------------------------------------------------------


def test_a_step_pauses_with_its_kind_reason_and_document(opened, at, clock_of, rows):
    at("ask")
    held = clock_of(opened, "open.reply")
    (pause,) = held["ledger"]["pauses"]
    assert held["state"] == "PAUSED" and held["due_at"] is None and held["next_rung_at"] is None
    assert (pause["kind"], pause["reason"], pause["document"]) == ("consultation", "征求大棚改造意见", "周科函〔2026〕3号")
    assert "by" not in pause
    entry = trail_of(rows, "pause")[-1]
    assert (entry["opinion"], entry["details"]["kind"]) == ("征求大棚改造意见", "consultation")


def test_a_limit_that_does_not_pause_runs_on_whatever_the_model_says(opened, at, clock_of):
    at("ask")
    assert clock_of(opened, "lic.strict")["state"] == "RUNNING"
    assert clock_of(opened, "lic.strict")["ledger"]["pauses"] == []


def test_a_pause_that_outlives_its_step_ends_where_the_model_resumes_that_kind(engine, desk, clock, rows, open_task, clock_of):
    engine.deploy(pause_models.files(until="resume"), by="designer")
    case = desk.start_case("opening", desk_models.START, by="wang")
    for step in ("receive", "correct", "ask"):
        desk.complete_task(open_task(case.key, step).key, {}, by="wang")
    waiting = clock_of(case, "open.reply")
    assert waiting["state"] == "PAUSED"
    assert waiting["ledger"]["holds"] == []
    clock.office("2026-11-26 10:00")
    desk.complete_task(open_task(case.key, "weigh").key, {}, by="wang")
    going = clock_of(case, "open.reply")
    # Not counted are the 24th and 25th; the 23rd is the start.
    assert going["state"] == "RUNNING" and going["due_at"] == instant("2026-12-23T17:30")
    assert trail_of(rows, "resume")[-1]["details"]["kinds"] == ["consultation"]


def test_a_computed_kind_that_does_not_exist_still_pauses_and_is_noted(engine, desk, rows, open_task, clock_of):
    engine.deploy(pause_models.files(kind='="no such kind"'), by="designer")
    case = desk.start_case("opening", desk_models.START, by="wang")
    for step in ("receive", "correct"):
        desk.complete_task(open_task(case.key, step).key, {}, by="wang")
    assert clock_of(case, "open.reply")["state"] == "PAUSED"
    assert "clock.unknown_kind" in {row["action"] for row in rows(tables.audit)}


def test_a_restart_gives_the_whole_budget_again_from_that_moment(opened, at, desk, clock, rows, clock_of):
    first = clock_of(opened, "open.reply")
    step = at("correct")
    clock.office("2026-12-03 10:00")
    desk.complete_task(step.key, {}, by="wang")
    old, new = rows(tables.clock, case_key=opened.key, rule_id="open.reply")
    assert old["key"] == first["key"] and old["state"] == "STOPPED" and old["ledger"]["followed_by"] == new["key"]
    # The step after it consults at once; without that pause 20 working days after 12-03 is 12-31.
    assert new["state"] == "PAUSED" and new["ledger"]["follows"] == old["key"] and new["started_at"] == instant("2026-12-03T10:00")
    assert new["ledger"]["fired"] == []
    entry = trail_of(rows, "restart")[0]
    assert entry["details"]["rule"] == "open.reply"


def test_tasks_of_a_restarted_limit_go_over_to_the_new_one(engine, desk, opened, open_task, clock, clock_of, rows):
    desk.complete_task(open_task(opened.key, "receive").key, {}, by="wang")
    clock.office("2026-12-03 10:00")
    desk.complete_task(open_task(opened.key, "correct").key, {}, by="wang")
    desk.complete_task(open_task(opened.key, "ask").key, {}, by="wang")
    # Everything the new clock governs counts with it: the due day of the promise comes first and is that of the phase.
    assert clock_of(opened, "open.reply")["due_at"] == instant("2026-12-31T17:30")
    governed = {row["clock_key"] for row in rows(tables.user_task) if row["state"] == "CREATED"}
    live = {row["key"] for row in rows(tables.clock, case_key=opened.key) if row["state"] != "STOPPED"}
    assert governed <= live


@pytest.mark.parametrize(
    ("changes", "rule", "says"),
    [
        ({"kind": "holiday"}, "deploy.unknown-pause-kind", "发征求意见函"),
        ({"until": "tomorrow"}, "deploy.pause-until", "tomorrow"),
    ],
)
def test_a_model_with_an_unknown_kind_or_end_of_a_pause_is_refused_by_name(engine, changes, rule, says):
    with pytest.raises(DeploymentRejected) as refused:
        engine.deploy(pause_models.files(**changes), by="designer")
    problem = next(each for each in refused.value.problems if each.rule == rule)
    assert says in problem.message and problem.element_id == "ask"


def test_a_model_that_restarts_or_resumes_nonsense_is_refused(engine):
    files = pause_models.files()
    files["processes/opening/opening.bpmn"] = (
        pause_models.bpmn()
        .replace(b'name="clock.restart" value="open.reply"', b'name="clock.restart" value="open.nothing"')
        .replace(b'name="clock.resume" value="consultation"', b'name="clock.resume" value="tea"')
    )
    with pytest.raises(DeploymentRejected) as refused:
        engine.deploy(files, by="designer")
    found = {(each.element_id, each.rule) for each in refused.value.problems if each.severity == "error"}
    assert found == {("correct", "deploy.unknown-rule"), ("weigh", "deploy.unknown-pause-kind")}


def test_a_lasting_pause_without_a_kind_could_never_be_ended_and_is_refused(engine):
    files = pause_models.files(until="resume")
    model = files["processes/opening/opening.bpmn"].replace(b'<zeebe:property name="clock.pause.kind" value="consultation"/>', b"")
    with pytest.raises(DeploymentRejected) as refused:
        engine.deploy({**files, "processes/opening/opening.bpmn": model}, by="designer")
    assert {each.rule for each in refused.value.problems if each.severity == "error"} == {"deploy.pause-without-kind"}


# -- phases, called processes, promises ----------------------------------------------------------------------------------------


def test_the_limit_of_a_phase_begins_and_ends_with_it(desk, opened, at, clock_of):
    at("ask")
    phase = clock_of(opened, "open.phase")
    # The consultation inside the phase is what pauses it.
    assert phase["state"] == "PAUSED" and phase["ledger"]["scope"] == {"type": "subProcess", "name": "征求意见"}
    at_weigh = desk.complete_task(next(t.key for t in desk.engine.user_tasks() if t.element_id == "ask"), {}, by="wang")
    assert at_weigh.key == opened.key
    assert clock_of(opened, "open.phase")["state"] == "RUNNING"
    desk.complete_task(next(t.key for t in desk.engine.user_tasks() if t.element_id == "weigh"), {}, by="wang")
    assert clock_of(opened, "open.phase")["state"] == "STOPPED"


def test_the_limit_of_a_phase_ends_when_the_phase_is_called_off_from_outside(engine, opened, at, clock_of):
    at("ask")
    engine.publish_message("called_off", opened.variables["case_no"], {}, by="wang")
    assert clock_of(opened, "open.phase")["state"] == "STOPPED"
    assert clock_of(opened, "open.reply")["state"] == "RUNNING"
    assert clock_of(opened, "open.called")["state"] == "RUNNING"


def test_the_limit_of_a_called_process_ends_with_the_call(desk, opened, at, clock_of):
    meeting = at("meet")
    called = clock_of(opened, "open.called")
    assert called["state"] == "RUNNING" and called["ledger"]["scope"] == {"type": "callActivity", "name": "会商"}
    desk.complete_task(meeting.key, {}, by="wang")
    assert clock_of(opened, "open.called")["state"] == "STOPPED"


def test_a_limit_with_a_promise_starts_both_and_stops_both(desk, opened, at, clock_of):
    law, promise = clock_of(opened, "open.reply"), clock_of(opened, "open.reply.promise")
    assert law["due_at"] == instant("2026-12-21T17:30")
    assert promise["due_at"] == instant("2026-12-09T17:30")
    desk.complete_task(at("answer").key, {}, by="wang")
    assert {clock_of(opened, rule)["state"] for rule in ("open.reply", "open.reply.promise")} == {"STOPPED"}


def test_the_promise_is_what_the_list_of_tasks_shows(at, clock_of, opened):
    task = at("answer")
    assert task.due_at == clock_of(opened, "open.step.promise")["due_at"] == instant("2026-11-25T17:30")
    assert {clock_of(opened, rule)["task_key"] for rule in ("open.step", "open.step.promise")} == {task.key}


def test_a_restart_of_the_statutory_limit_gives_the_promise_its_budget_again_too(desk, opened, at, clock, clock_of, rows):
    step = at("correct")
    clock.office("2026-12-03 10:00")
    desk.complete_task(step.key, {}, by="wang")
    assert len(rows(tables.clock, case_key=opened.key, rule_id="open.reply.promise")) == 2
    assert clock_of(opened, "open.reply.promise")["started_at"] == instant("2026-12-03T10:00")


# -- by a person ---------------------------------------------------------------------------------------------------------------


def test_the_chief_pauses_with_a_document_and_lets_it_go_on(desk, in_handling, clock, rows, clock_of, open_task):
    key = clock_of(in_handling, "lic.close")["key"]
    clock.office("2026-11-24 10:00")
    labels = desk.pause_clocks(in_handling.key, [key], "suspension", "等待法院裁判", document="周科函〔2026〕9号", paper=Paper("决定.pdf", b"%PDF-1.7"), by="chen")
    assert labels == ["办结"]
    held = clock_of(in_handling, "lic.close")
    (pause,) = held["ledger"]["pauses"]
    assert held["state"] == "PAUSED" and held["due_at"] is None
    assert (pause["kind"], pause["reason"], pause["document"], pause["by"]) == ("suspension", "等待法院裁判", "周科函〔2026〕9号", "chen")
    (file,) = rows(tables.attachment)
    assert (file["key"], file["case_key"], file["filename"]) == (pause["attachment"], in_handling.key, "决定.pdf")
    entry = trail_of(rows, "pause")[-1]
    assert (entry["actor"], entry["opinion"], entry["details"]["document"]) == ("chen", "等待法院裁判", "周科函〔2026〕9号")
    assert "paused" in {row["kind"] for row in rows(tables.notification, login="li")}
    assert "clock.pause" in {row["action"] for row in rows(tables.audit)}
    clock.office("2026-11-26 10:00")
    desk.resume_clocks(in_handling.key, [key], "suspension", by="chen")
    going = clock_of(in_handling, "lic.close")
    # Not counted: the 24th and the 25th.
    assert going["state"] == "RUNNING" and going["due_at"] == instant("2026-12-23T17:30")
    assert trail_of(rows, "resume")[-1]["actor"] == "chen"


def test_a_task_shows_no_due_day_while_its_limit_is_paused_and_the_later_one_afterwards(desk, in_handling, clock, clock_of, open_task):
    step = clock_of(in_handling, "lic.handle")
    assert open_task(in_handling.key, "handle").due_at == step["due_at"] == instant("2026-11-30T17:30")
    clock.office("2026-11-24 10:00")
    desk.pause_clocks(in_handling.key, [step["key"]], "hearing", "听证", by="du")
    assert open_task(in_handling.key, "handle").due_at is None
    clock.office("2026-11-25 10:00")
    desk.resume_clocks(in_handling.key, [step["key"]], "hearing", by="wu")
    assert open_task(in_handling.key, "handle").due_at == instant("2026-12-01T17:30")


@pytest.mark.parametrize("login", ["li", "wang", "zhou", "admin"])
def test_only_who_leads_the_case_pauses_and_the_refusal_is_audited(desk, in_handling, clock_of, rows, login):
    with pytest.raises((NotPermitted, NotFound)):
        desk.pause_clocks(in_handling.key, [clock_of(in_handling, "lic.close")["key"]], "hearing", "听证", by=login)
    assert clock_of(in_handling, "lic.close")["state"] == "RUNNING"
    desk.flush_refusals()
    assert any(row["action"] == "access.refused" and row["by"] == login for row in rows(tables.audit))


def test_the_chief_of_the_section_that_has_the_case_in_hand_pauses_it_too(desk, open_task):
    case = desk.start_case("licence", {**desk_models.START, "handler_section": "nongcun"}, by="wang")
    desk.complete_task(open_task(case.key, "accept").key, {}, outcome="accept", by="wang")
    desk.claim(open_task(case.key, "handle").key, by="sun")
    with desk.engine.transaction() as tx:  # the office owns the case; another section has it in hand
        tx.execute(tables.case_file.update().where(tables.case_file.c.key == case.key).values(section_code="office"))
        row = tx.execute(tables.case_file.select().where(tables.case_file.c.key == case.key)).one()
        assert may_pause(desk, tx.conn, row, "zhou") and not may_pause(desk, tx.conn, row, "chen") and not may_pause(desk, tx.conn, row, "sun")


@pytest.mark.parametrize(
    ("kind", "reason", "document", "field"),
    [("holiday", "听证", "", "kind"), ("", "听证", "", "kind"), ("hearing", " ", "", "reason"), ("suspension", "停", " ", "document"),
     ("hearing", "长" * 501, "", "reason"), ("hearing", "听证", "号" * 201, "document")],
)  # fmt: skip
def test_a_decision_that_lacks_something_is_refused_by_field(desk, in_handling, clock_of, kind, reason, document, field):
    with pytest.raises(ValidationFailed) as refused:
        desk.pause_clocks(in_handling.key, [clock_of(in_handling, "lic.close")["key"]], kind, reason, document=document, by="chen")
    assert list(refused.value.errors) == [field]
    with pytest.raises(ValidationFailed):
        desk.pause_clocks(in_handling.key, [], "hearing", "听证", by="chen")


def test_a_document_of_a_forbidden_kind_pauses_nothing(desk, in_handling, clock_of, rows):
    with pytest.raises(ValidationFailed):
        desk.pause_clocks(in_handling.key, [clock_of(in_handling, "lic.close")["key"]], "hearing", "听证", paper=Paper("a.exe", b"MZ"), by="chen")
    assert clock_of(in_handling, "lic.close")["state"] == "RUNNING"
    assert rows(tables.attachment) == []


def test_a_second_pause_of_one_kind_and_one_of_an_unpausable_limit_are_refused(desk, opened, at, clock_of):
    at("ask")
    law, strict = clock_of(opened, "open.reply")["key"], clock_of(opened, "lic.strict")["key"]
    with pytest.raises(InvalidState, match="already paused"):
        desk.pause_clocks(opened.key, [law], "consultation", "再征求", by="chen")
    with pytest.raises(InvalidState, match="cannot be paused"):
        desk.pause_clocks(opened.key, [law, strict], "hearing", "听证", by="chen")
    desk.pause_clocks(opened.key, [law], "hearing", "听证", by="chen")
    with pytest.raises(InvalidState, match="already paused"):
        desk.pause_clocks(opened.key, [law], "hearing", "听证", by="chen")


def test_what_a_step_pauses_no_person_ends_and_what_a_person_pauses_no_step_ends(desk, opened, at, clock, clock_of):
    step = at("ask")
    law = clock_of(opened, "open.reply")["key"]
    with pytest.raises(InvalidState, match="step of the procedure"):
        desk.resume_clocks(opened.key, [law], "consultation", by="chen")
    desk.pause_clocks(opened.key, [law], "hearing", "听证", by="chen")
    desk.complete_task(step.key, {}, by="wang")
    assert clock_of(opened, "open.reply")["state"] == "PAUSED"
    clock.office("2026-11-25 10:00")
    desk.resume_clocks(opened.key, [law], "hearing", by="chen")
    assert clock_of(opened, "open.reply")["state"] == "RUNNING"
    with pytest.raises(InvalidState, match="not paused"):
        desk.resume_clocks(opened.key, [law], "hearing", by="chen")


def test_a_limit_of_another_case_is_not_found(desk, in_handling, clock_of):
    other = desk.start_case("licence", desk_models.START, by="wang")
    with pytest.raises(NotFound):
        desk.pause_clocks(in_handling.key, [clock_of(other, "lic.accept")["key"]], "hearing", "听证", by="du")


def test_a_limit_that_has_ended_is_not_paused(desk, in_handling, clock_of):
    with pytest.raises(InvalidState, match="already ended"):
        desk.pause_clocks(in_handling.key, [clock_of(in_handling, "lic.accept")["key"]], "hearing", "听证", by="chen")


def test_a_paused_limit_fires_no_rung_and_goes_on_where_it_stood(engine, desk, in_handling, clock, clock_of, rows):
    key = clock_of(in_handling, "lic.close")["key"]
    desk.pause_clocks(in_handling.key, [key], "inspection", "送检", by="chen")
    clock.office("2027-01-29 10:00")
    engine.run_due()
    assert rows(tables.rung_firing, clock_key=key) == []
    desk.resume_clocks(in_handling.key, [key], "inspection", by="chen")
    assert clock_of(in_handling, "lic.close")["next_rung"] == "half"


def test_holding_the_machine_does_not_hold_the_law(engine, in_handling, clock_of):
    before = clock_of(in_handling, "lic.close")["due_at"]
    engine.suspend(in_handling.key, by="admin", reason="维护")
    assert (clock_of(in_handling, "lic.close")["state"], clock_of(in_handling, "lic.close")["due_at"]) == ("RUNNING", before)
    engine.resume(in_handling.key, by="admin")
    assert clock_of(in_handling, "lic.close")["due_at"] == before


# -- extension -----------------------------------------------------------------------------------------------------------------


def test_after_the_due_day_no_extension_is_granted_by_command_or_button(desk, in_handling, clock, clock_of, open_task):
    key = clock_of(in_handling, "lic.close")["key"]
    clock.office("2026-12-21 17:31")
    with pytest.raises(InvalidState, match="must be granted by then"):
        desk.extend_clock(key, 5, "案情复杂", by="chen")
    with pytest.raises(InvalidState):
        desk.request_extension(open_task(in_handling.key, "handle").key, by="li")
    assert clock_of(in_handling, "lic.close")["due_at"] == instant("2026-12-21T17:30")


def test_who_handles_a_case_does_not_extend_its_limits_alone(desk, in_handling, clock_of, open_task):
    desk.transfer(open_task(in_handling.key, "handle").key, "chen", "改派", by="du")
    with pytest.raises(NotPermitted, match="Whoever handles"):
        desk.extend_clock(clock_of(in_handling, "lic.close")["key"], 5, "案情复杂", by="chen")
    desk.extend_clock(clock_of(in_handling, "lic.close")["key"], 5, "案情复杂", by="wu")


# -- ledgers of earlier versions -----------------------------------------------------------------------------------------------


def test_a_ledger_written_before_there_were_kinds_is_read_paused_and_written_back_the_same(desk, engine, case, open_task, rows, clock_of, clock):
    from engine.runtime.limits.clocks import ClockState

    desk.complete_task(open_task(case.key, "accept").key, {}, outcome="supplement", by="wang")
    row = clock_of(case, "lic.close")
    assert row["ledger"]["pauses"] == [{"start": "2026-11-23T01:00:00+00:00", "end": None, "reason": "等待补正"}]
    assert [len(hold) for hold in row["ledger"]["holds"]] == [3]
    assert ClockState.of_row(row).written_ledger() == row["ledger"]
    clock.office("2026-11-26 10:00")
    desk.complete_task(open_task(case.key, "correct").key, {}, by="wang")
    assert clock_of(case, "lic.close")["due_at"] == instant("2026-12-23T17:30")


def test_the_trail_of_an_uploaded_document_survives_as_evidence(desk, in_handling, clock_of):
    paper = BytesIO()
    with ZipFile(paper, "w") as archive:
        archive.writestr("word/document.xml", "<w/>")
    desk.pause_clocks(in_handling.key, [clock_of(in_handling, "lic.close")["key"]], "hearing", "听证", paper=Paper("听证通知.docx", paper.getvalue()), by="chen")
    (pause,) = clock_of(in_handling, "lic.close")["ledger"]["pauses"]
    assert desk.download(pause["attachment"], "chen").filename == "听证通知.docx"
