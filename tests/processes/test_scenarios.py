"""Every scenario, played by people at the desk from the start form to the end event.

A scenario is data (``scenarios/NAME.yaml``): who starts the case with which answers, then one step a line.

* ``element``, ``who``, ``outcome``, ``data``, ``opinion``: somebody finishes the open task of that element.  ``who`` is a group
  (``clerk@gaoxin``), or ``assignee`` / ``candidate``.  ``times: all`` finishes every open task of the element.
* ``message``, ``who``, ``data``: a button of the case page.
* ``extend``, ``who``: 申请延期 from that task.
* ``overdue`` (rule id), ``from`` (FEEL): the clock passes that limit, counted from there or from now.

Answers that start with ``=`` are FEEL over the case's variables; ``people(group)`` lists logins.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from engine import Engine, NotPermitted
from engine.deadlines import due
from engine.runtime.moments import moment
from engine.store import tables

ROOT = Path(__file__).resolve().parents[2]
UNITS = {
    "leaders": "局领导", "office": "办公室", "hr": "机关党委（人事科）", "zhengce": "政策法规与监督科", "guihua": "规划与资源配置科", "gaoxin": "高新技术科",
    "nongcun": "农村科技科", "shefa": "社会发展科技科", "chengguo": "成果转化与区域创新科", "jijian": "派驻纪检监察组",
}  # fmt: skip
OUTSIDE = {"chuanhui": ("county", "川汇区"), "tax": ("agency", "税务局"), "credit": ("agency", "发展改革委")}
STAFF = {
    "li_clerk": ("gaoxin", "clerk"), "chen_chief": ("gaoxin", "section_chief"), "sun_clerk": ("nongcun", "clerk"), "zhou_chief": ("nongcun", "section_chief"),
    "he_clerk": ("shefa", "clerk"), "gu_clerk": ("guihua", "clerk"), "ma_clerk": ("chengguo", "clerk"), "luo_chief": ("chengguo", "section_chief"),
    "qian_legal": ("zhengce", "legal", "section_chief"), "zhao_hr": ("hr", "hr_discipline"), "feng_chief": ("hr", "section_chief"),
    "han_jijian": ("jijian", "hr_discipline"), "wang_hotline": ("office", "hotline_clerk"), "tian_office": ("office", "office"),
    "yuan_chief": ("office", "section_chief"), "du_supervisor": ("office", "supervisor"), "wu_vice": ("leaders", "vice_director", "party_group"),
    "zheng_director": ("leaders", "director", "party_group"), "qin_member": ("leaders", "party_group"), "xu_county": ("chuanhui", "county_clerk"),
    "bai_leader": ("chuanhui", "county_leader"), "tao_tax": ("tax", "reviewer"), "jin_credit": ("credit", "reviewer"), "firm": ("chuanhui", "enterprise"),
    "gong_both": ("gaoxin", "clerk", "hotline_clerk"), "ding_both": ("chengguo", "section_chief", "vice_director"),
}  # fmt: skip


class Clock:
    """Monday 2026-11-23, 09:00 in Shanghai, until a scenario moves it."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def engine(tmp_path):
    clock = Clock()
    made = Engine("sqlite://", clock=clock, node="test")
    made.migrate()
    sections = [{"code": "bureau", "name": "科技局", "kind": "bureau"}]
    sections += [{"code": code, "name": name, "kind": "section", "parent_code": "bureau"} for code, name in UNITS.items()]
    sections += [{"code": code, "name": name, "kind": kind} for code, (kind, name) in OUTSIDE.items()]
    roles = sorted({role for _, *held in STAFF.values() for role in held} | {"designer", "admin"})
    people = [
        {"login": login, "name": login, "section": section, "title": "", "roles": held}
        for login, (section, *held) in STAFF.items()
    ]
    made.desk.people.import_organisation(sections=sections, roles=[{"code": role, "name": role} for role in roles], people=people, by="system")
    files = [*(ROOT / "processes").rglob("*.*"), *(ROOT / "forms").glob("*.form")]
    deployment = made.deploy(
        {str(path.relative_to(ROOT)): path.read_bytes() for path in files if path.suffix in (".bpmn", ".dmn", ".yaml", ".form")}, by="designer"
    )
    assert [str(problem) for problem in deployment.warnings] == []
    yield made
    made.dispose()


def members(group: str) -> list[str]:
    """The logins of a group of the candidate notation, in the order of :data:`STAFF`."""
    if group.startswith("section:"):
        return [login for login, (section, *_) in STAFF.items() if section == group[8:]]
    role, _, place = group.partition("@")
    return [login for login, (section, *held) in STAFF.items() if role in held and place in ("", section)]


class Play:
    """One scenario on one engine."""

    def __init__(self, engine: Engine, scenario: dict) -> None:
        self.engine, self.desk, self.scenario = engine, engine.desk, scenario
        start = scenario["start"]
        self.case = self.desk.start_case(scenario["process"], start["data"], by=members(start["by"])[0])

    @property
    def variables(self) -> dict:
        return self.engine.instance(self.case.key).variables

    def answers(self, data: dict | None) -> dict:
        scope = {**self.variables, "people": members}
        return {
            key: self.engine.evaluate(value, scope) if isinstance(value, str) and value.startswith("=") else value for key, value in (data or {}).items()
        }

    def open_tasks(self, element: str | None = None) -> list:
        return [task for task in self.engine.user_tasks() if task.root_key == self.case.key and element in (None, task.element_id)]

    def step(self, step: dict) -> None:
        if "message" in step:
            self.desk.case_action(self.case.key, step["message"], step["data"], by=members(step["who"])[0])
        elif "overdue" in step:
            self.pass_limit(step["overdue"], step.get("from"))
        elif "extend" in step:
            self.desk.request_extension(self.one(step["extend"], step["who"]).key, by=members(step["who"])[0])
        elif step.get("times") == "all":
            for task in self.open_tasks(step["element"]):
                self.finish(task, step)
        else:
            self.finish(self.one(step["element"], step["who"]), step)
        with self.engine.reading() as conn:
            stuck = conn.execute(select(tables.incident.c.element_id, tables.incident.c.message)).all()
        assert stuck == []

    def one(self, element: str, who: str):
        """The open task of an element; of several, one that ``who`` is a candidate of."""
        found = self.open_tasks(element)
        assert found, f"no open task {element}; open: {[task.element_id for task in self.open_tasks()]}"
        mine = [task for task in found if who in task.candidate_groups]
        return (mine or found)[0]

    def finish(self, task, step: dict) -> None:
        who = step["who"]
        candidates = {
            "assignee": [task.assignee],
            "candidate": [*task.candidate_users, *(login for group in task.candidate_groups for login in members(group))],
        }.get(who) or members(who)
        self.desk.complete_task(task.key, self.answers(step.get("data")), outcome=step["outcome"], opinion=step.get("opinion", ""), by=candidates[0])

    def pass_limit(self, rule: str, start: str | None) -> None:
        with self.engine.reading() as conn:
            limit = self.desk.book(conn).rules[rule]
        since = moment(self.engine.evaluate(start, self.variables), self.desk.zone) if start else self.engine.clock()
        limit_at = due(limit, since, self.engine.calendar).overdue_at
        self.engine.clock.now = max(self.engine.clock.now, limit_at) + timedelta(seconds=1)
        self.engine.run_due()


def test_the_scenario_runs_to_its_end(scenario, engine):
    play = Play(engine, scenario)
    for step in scenario["steps"]:
        play.step(step)
    expected = scenario["expect"]
    instance = engine.instance(play.case.key)
    assert instance.state == expected.get("state", "COMPLETED"), [task.element_id for task in play.open_tasks()]
    assert sorted({task.element_id for task in play.open_tasks()}) == expected.get("waiting", [])
    for name, value in expected.get("variables", {}).items():
        assert instance.variables.get(name) == value, name
    for name, value in expected.get("tally", {}).items():
        assert instance.variables["ballot_tally"][name] == value, name
    if "end" in expected:
        assert expected["end"] in [activity.element_id for activity in engine.activities(play.case.key)]
    with engine.reading() as conn:
        case = conn.execute(select(tables.case_file).where(tables.case_file.c.key == play.case.key)).one()
        clocks = conn.execute(select(tables.clock).where(tables.clock.c.case_key == play.case.key)).all()
    assert case.result == expected.get("result")
    if instance.state == "COMPLETED":
        assert {clock.rule_id for clock in clocks if clock.state != "STOPPED"} == set()
    if "extended" in expected:
        granted = [each for clock in clocks if clock.rule_id == expected["extended"]["rule"] for each in clock.ledger["extensions"]]
        assert [each["amount"] for each in granted] == [expected["extended"]["amount"]]


def played_until(engine, scenarios, name: str, element: str) -> Play:
    """A scenario played up to, and not including, the first step of ``element``."""
    play = Play(engine, scenarios[name])
    for step in play.scenario["steps"]:
        if step.get("element") == element:
            return play
        play.step(step)
    raise AssertionError(f"{name} has no step {element}")


def test_who_handled_a_complaint_may_not_call_the_complainant_back(engine, scenarios):
    play = played_until(engine, scenarios, "complaint_c", "handle")
    step = next(step for step in play.scenario["steps"] if step.get("element") == "handle")
    engine.desk.complete_task(play.one("handle", "").key, step["data"], outcome="submit", by="gong_both")
    for step in play.scenario["steps"]:
        if step.get("element") in ("chief_review", "vice_review", "issue_reply"):
            play.step(step)
    step = next(step for step in play.scenario["steps"] if step.get("element") == "visit")
    with pytest.raises(NotPermitted):
        engine.desk.complete_task(play.one("visit", "").key, step["data"], outcome="record", by="gong_both")
    play.step(step)
    assert not play.open_tasks("visit")


def test_the_section_complained_about_may_not_hand_out_its_own_complaint(engine, scenarios):
    play = played_until(engine, scenarios, "complaint_c", "assign_section")
    data = {"handler_section": "gaoxin", "assign_instruction": "请办理。"}
    with pytest.raises(NotPermitted):
        engine.desk.complete_task(play.one("assign_section", "").key, data, outcome="assign", by="ding_both")


def test_a_deemed_acceptance_is_marked_and_the_clerk_is_told(engine, scenarios):
    play = played_until(engine, scenarios, "complaint_deemed", "confirm_grade")
    with engine.reading() as conn:
        case = conn.execute(select(tables.case_file).where(tables.case_file.c.key == play.case.key)).one()
        notices = conn.execute(select(tables.notification).where(tables.notification.c.case_key == play.case.key)).all()
        clocks = {clock.rule_id: clock for clock in conn.execute(select(tables.clock).where(tables.clock.c.case_key == play.case.key))}
    assert case.accepted_at is not None and play.variables["acceptance"] == "deemed"
    assert {"wang_hotline", "du_supervisor"} <= {notice.login for notice in notices if "视为受理" in f"{notice.msgid}{notice.params}"}
    assert clocks["cmp.close"].state == "RUNNING"


def test_a_supplement_has_a_limit_of_its_own(engine, scenarios):
    play = played_until(engine, scenarios, "hnte_correction", "supply_materials")
    assert [(task.element_id, task.due_at is not None) for task in play.open_tasks()] == [("supply_materials", True)]
