"""What a rung does besides telling people; many clocks fired together; a changed ladder under running clocks."""

from __future__ import annotations

import pytest
import yaml
from sqlalchemy import update

from engine.deadlines.ladder import load_ladders
from engine.errors import DeploymentRejected
from engine.runtime.limits import batches, ladder_book, ladder_changes, rung_actions, rungs
from engine.store import tables
from tests.desk import desk_models as models


def ladder(*extra: dict, drop: tuple[str, ...] = ()) -> bytes:
    """The ladders of the desk's procedure with these rungs added at the end of the standard one."""
    sheet = yaml.safe_load(models.LADDERS)
    standard = sheet["ladders"]["standard"]["rungs"]
    sheet["ladders"]["standard"]["rungs"] = [each for each in standard if each["id"] not in drop] + list(extra)
    return yaml.safe_dump(sheet, allow_unicode=True).encode()


def rung(*actions: str, id: str = "act", days: int = 10, light: str = "red", recipients: tuple[str, ...] = ("handler",)) -> dict:
    return {
        "id": id, "when": {"after_due": days}, "level": 6, "light": light, "recipients": list(recipients), "channel": "inbox",
        "actions": list(actions), "text": "升级处置",
    }  # fmt: skip


@pytest.fixture
def late_with(engine, clock):
    """Deploy a rung with these actions and run the clock past it."""

    def run(*actions, **kwargs):
        engine.deploy({"ladders.yaml": ladder(rung(*actions, **kwargs))}, by="designer")
        clock.office("2026-12-16 09:00")
        engine.run_due()

    return run


def trail_of(rows, name="act"):
    return next(row["details"] for row in rows(tables.trail) if row["action"] == "rung" and row["details"]["rung"] == name and "lic.handle" in row["details"]["rule"])


# -- the actions -------------------------------------------------------------------------------------------------------


def test_a_rung_marks_the_open_tasks_urgent(in_handling, late_with, open_task, rows):
    late_with("raise_priority")
    assert open_task(in_handling.key, "handle").priority == rung_actions.URGENT
    assert trail_of(rows)["priority"] == rung_actions.URGENT


def test_a_rung_hands_the_task_to_the_chief_with_trail_and_notices(desk, in_handling, late_with, open_task, rows):
    desk.claim(open_task(in_handling.key, "handle").key, by="li")
    late_with("reassign:section_chief")
    assert open_task(in_handling.key, "handle").assignee == "chen"
    moved = rows(tables.trail, action="transfer")
    assert [(row["actor"], row["details"]["from"], row["details"]["to"]) for row in moved] == [(None, "li", "chen")]
    assert "transferred" in {row["kind"] for row in rows(tables.notification, login="li")}
    assert "assigned" in {row["kind"] for row in rows(tables.notification, login="chen")}


def test_a_task_is_never_handed_to_who_is_kept_away_by_a_conflict(engine, desk, clock, late_with, open_task, rows):
    case = desk.start_case("licence", {**models.START, "respondent": "gaoxin", "handler_section": "nongcun"}, by="wang")
    desk.complete_task(open_task(case.key, "accept").key, {}, outcome="accept", by="wang")
    key = open_task(case.key, "handle").key
    with engine.transaction() as tx:
        tx.execute(update(tables.user_task).where(tables.user_task.c.key == key).values(excluded=["section:nongcun"]))
    late_with("reassign:section_chief")
    assert open_task(case.key, "handle").assignee != "zhou"
    assert "“承办” of" in next(row["msgid"] % row["params"] for row in rows(tables.notification, kind="alarm") if "handed on by its ladder" in row["msgid"])


def test_who_has_the_role_already_keeps_the_task(desk, in_handling, late_with, open_task, rows):
    desk.transfer(open_task(in_handling.key, "handle").key, "chen", "请科长办", by="du")
    late_with("reassign:section_chief")
    assert open_task(in_handling.key, "handle").assignee == "chen"
    assert trail_of(rows)["reassigned"] == []


@pytest.mark.parametrize(("action", "light", "level"), [("supervision_order:yellow", "red", "yellow"), ("supervision_order", "red", "red"), ("supervision_order", "green", "blue")])
def test_the_colour_of_an_order_is_what_the_action_says_else_that_of_the_light(in_handling, late_with, rows, action, light, level):
    late_with(action, light=light)
    assert {row["level"] for row in rows(tables.supervision_order)} == {level}
    bell = rows(tables.notification, kind="order")
    assert bell and all(row["params"]["order"] in {order["key"] for order in rows(tables.supervision_order)} for row in bell)


def test_all_actions_of_a_rung_happen_in_the_one_transaction_that_claims_it(engine, desk, in_handling, late_with, rows, open_task, clock):
    desk.claim(open_task(in_handling.key, "handle").key, by="li")
    late_with("urge", "draft_bulletin", "assessment_deduction:2", "supervision_order:red", "reassign:section_chief", "raise_priority")
    # Those who had the case are named, although the task is somebody else's now.
    assert {row["login"] for row in rows(tables.assessment_entry) if "承办" in row["reason"]} == {"li"}
    engine.run_due()
    keys = {row["key"] for row in rows(tables.clock, rule_id="lic.handle")}
    for table in (tables.supervision_order, tables.assessment_entry):
        assert len([row for row in rows(table) if row["clock_key"] in keys]) == 1
    assert len([row for row in rows(tables.bulletin) if row["clock_key"] in keys]) == 1
    (fired,) = [row for row in rows(tables.rung_firing) if row["rung"] == "act" and row["clock_key"] in keys]
    assert len(fired["action"]) <= 60 and not fired["action"].endswith(":")


@pytest.mark.parametrize(
    ("action", "sentence"),
    [
        ("reassign", "is no role that a task can be handed to"), ("reassign:handler", "is no role that a task can be handed to"),
        ("supervision_order:green", "is no colour"), ("supervision_order:", "is no colour"), ("assessment_deduction:0", "is no number of points"),
        ("assessment_deduction:1.25", "is no number of points"), ("assessment_deduction:viel", "is no number of points"),
        ("assessment_deduction:1000", "is no number of points"), ("notify:x", "takes nothing after a colon"), ("shout", "must be a list of"),
        ("escalate:", "must be a list of"),
    ],
)  # fmt: skip
def test_an_action_with_a_senseless_parameter_is_refused_in_words(engine, action, sentence):
    with pytest.raises(DeploymentRejected) as refused:
        engine.deploy({"ladders.yaml": ladder(rung(action))}, by="designer")
    assert sentence in " ".join(str(problem.message) for problem in refused.value.problems)


def test_an_action_may_not_stand_twice(engine):
    with pytest.raises(DeploymentRejected) as refused:
        engine.deploy({"ladders.yaml": ladder(rung("supervision_order:red", "supervision_order:blue"))}, by="designer")
    assert "stands twice" in str(refused.value.problems[0].message)


def test_the_preview_says_what_would_happen(engine, desk, in_handling, open_task, rows):
    desk.claim(open_task(in_handling.key, "handle").key, by="li")
    draft = load_ladders(ladder(rung("reassign:section_chief", "supervision_order:red", "assessment_deduction", "draft_bulletin", "raise_priority")))["standard"]
    with engine.reading() as conn:
        case = next(row for row in conn.execute(tables.case_file.select()) if row.key == in_handling.key)
        shown = ladder_book.shown_on_case(desk, conn, case, draft)
    step = next(each for one in shown if one.state.rule_id == "lic.handle" for each in one.steps if each.rung.id == "act")
    said = "; ".join(str(words) for words in step.effects)
    for part in ("handed on to 陈刚", "a red supervision order to", "李强", "1 point(s) deducted", "a draft of a bulletin", "1 open task(s) marked urgent"):
        assert part in said, said
    assert open_task(in_handling.key, "handle").assignee == "li"


# -- many clocks in one transaction ------------------------------------------------------------------------------------


@pytest.fixture
def many(desk, open_task):
    """Cases in handling, each with clocks of its own."""
    made = [desk.start_case("licence", {**models.START, "subject": f"第{number}件"}, by="wang") for number in range(6)]
    for case in made:
        desk.complete_task(open_task(case.key, "accept").key, {}, outcome="accept", by="wang")
    return made


def test_one_clock_that_fails_does_not_keep_the_others_of_its_transaction_from_firing(engine, many, clock, rows, monkeypatch):
    broken = next(row["key"] for row in rows(tables.clock, case_key=many[2].key, rule_id="lic.handle"))
    real = rung_actions.Firing.run

    def run(self, state, until):
        if state.key == broken:
            raise RuntimeError("unreadable ledger")
        return real(self, state, until)

    monkeypatch.setattr(rung_actions.Firing, "run", run)
    clock.office("2026-11-27 09:00")
    engine.run_due()
    fired = {row["clock_key"] for row in rows(tables.rung_firing) if row["rung"] == "yellow"}
    handling = {row["key"] for row in rows(tables.clock, rule_id="lic.handle")}
    assert handling - fired == {broken}
    assert [row["subject"] for row in rows(tables.audit, action="rung.failed")] == [f"clock:{broken}"]
    monkeypatch.undo()
    engine.run_due()
    assert handling <= {row["clock_key"] for row in rows(tables.rung_firing) if row["rung"] == "yellow"}


def test_a_rung_that_was_claimed_elsewhere_makes_the_others_of_its_transaction_fire_alone_and_once(engine, many, clock, rows):
    clock.office("2026-11-27 09:00")
    first = next(row for row in rows(tables.clock, case_key=many[0].key, rule_id="lic.handle"))
    with engine.transaction() as tx:
        values = {
            "clock_key": first["key"], "rung": "yellow", "case_key": many[0].key, "label": "", "level": 1, "action": "urge", "channel": "inbox",
            "recipients": [], "planned_at": tx.now, "fired_at": tx.now, "late": False, "node": "other",
        }  # fmt: skip
        tx.execute(tables.rung_firing.insert().values(values))
    engine.run_due()
    yellow = [row for row in rows(tables.rung_firing) if row["rung"] == "yellow"]
    assert len(yellow) == len({row["clock_key"] for row in yellow}) and {row["node"] for row in yellow} == {"other", "test"}
    told = [row for row in rows(tables.notification, login="li") if row["kind"] == "rung" and row["case_key"] == many[0].key]
    assert told == []


def test_of_one_case_only_one_clock_fires_in_a_transaction():
    due = [(clock, clock % 3, None) for clock in range(10)]
    slices = list(rungs._slices(due))
    assert all(len({each[1] for each in chosen}) == len(chosen) <= rungs.TOGETHER for chosen in slices)
    assert sorted(each for chosen in slices for each in chosen) == due
    assert [len(chosen) for chosen in rungs._slices([(number, number, None) for number in range(60)])] == [25, 25, 10]


# -- a ladder that changes ---------------------------------------------------------------------------------------------


EARLY = {"id": "early", "when": {"used": 0.1}, "level": 0, "light": "green", "recipients": ["handler"], "channel": "inbox", "actions": ["notify"], "text": "已过一成"}


def changed(early: dict) -> bytes:
    sheet = yaml.safe_load(models.LADDERS)
    sheet["ladders"]["standard"]["rungs"].insert(0, early)
    return yaml.safe_dump(sheet, allow_unicode=True).encode()


def progress(engine):
    with engine.reading() as conn:
        return ladder_changes.find(conn)


def test_a_change_reaches_running_clocks_in_slices_and_says_how_far_it_is(engine, many, clock, rows, monkeypatch):
    monkeypatch.setattr(batches, "SLICE", 4)
    clock.office("2026-11-25 12:00")
    engine.run_due()
    engine.deploy({"ladders.yaml": changed(EARLY)}, by="designer")
    (batch,) = progress(engine)
    running = [row for row in rows(tables.clock) if row["state"] == "RUNNING"]
    assert batch.state == "RUNNING" and batch.total == len(running) > 8 and batch.done == 4 and batch.ladders == ("standard",)
    engine.run_due()
    (batch,) = progress(engine)
    assert batch.state == "DONE" and batch.done == batch.total and batch.ended_at is not None
    # What had passed for a clock when the ladder was changed does not fire any more.
    handling = {row["key"] for row in rows(tables.clock, rule_id="lic.handle")}
    assert not [row for row in rows(tables.rung_firing) if row["rung"] == "early" and row["clock_key"] in handling]
    assert [row["subject"].partition(":")[0] for row in rows(tables.audit, action="ladders.climbed")] == ["ladder_change"]


def test_a_clock_that_falls_due_before_its_turn_is_brought_to_the_ladder_first(engine, many, clock, rows, monkeypatch):
    monkeypatch.setattr(ladder_changes, "run", lambda desk, limit=None: 0)  # the batch has not come by yet
    clock.office("2026-11-25 12:00")
    engine.run_due()
    engine.deploy({"ladders.yaml": changed(EARLY)}, by="designer")
    clock.office("2026-11-27 09:00")
    engine.run_due()
    handling = {row["key"] for row in rows(tables.clock, rule_id="lic.handle")}
    fired = [row for row in rows(tables.rung_firing) if row["clock_key"] in handling]
    assert {row["rung"] for row in fired} == {"half", "yellow"}
    assert {row["state"] for row in rows(tables.ladder_change_item) if row["clock_key"] in handling} == {"MOVED"}


def test_a_rung_that_falls_due_between_the_change_and_its_batch_fires(engine, many, clock, rows, monkeypatch):
    clock.office("2026-11-24 08:00")
    engine.run_due()
    with monkeypatch.context() as stopped:
        stopped.setattr(ladder_changes, "run", lambda desk, limit=None: 0)  # the node was killed after the deployment
        engine.deploy({"ladders.yaml": changed({**EARLY, "when": {"used": 0.3}})}, by="designer")
    clock.office("2026-11-26 08:31")
    engine.run_due()
    handling = {row["key"] for row in rows(tables.clock, rule_id="lic.handle")}
    assert len([row for row in rows(tables.rung_firing) if row["rung"] == "early" and row["clock_key"] in handling]) == len(many)


def test_a_ladder_that_stays_as_it_is_touches_no_clock(engine, in_handling, rows):
    sheet = yaml.safe_load(models.LADDERS)
    sheet["ladders"]["other"] = {"label": "另一", "rungs": [sheet["ladders"]["standard"]["rungs"][1]]}
    engine.deploy({"ladders.yaml": yaml.safe_dump(sheet, allow_unicode=True).encode()}, by="designer")
    (batch,) = progress(engine)
    assert batch.ladders == ("other",) and batch.total == 0 and batch.state == "DONE"
