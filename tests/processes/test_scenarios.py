"""Every delivered scenario, played as it will be before a procedure is published: from the start form to the end, in a sandbox.

The organisation here is not the demonstration's: a scenario names groups, and must run in any office that has them.
"""

from __future__ import annotations

import pytest
from sqlalchemy import select

from engine import Engine, NotPermitted
from engine.runtime.design import scenarios as design_scenarios
from engine.store import tables
from tests.support.player import ROOT, Player, delivered_files, named

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"])

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


@pytest.fixture
def engine(database_url, clock):
    made = Engine(database_url, clock=clock, node="test")
    sections = [{"code": "bureau", "name": "科技局", "kind": "bureau"}]
    sections += [{"code": code, "name": name, "kind": "section", "parent_code": "bureau"} for code, name in UNITS.items()]
    sections += [{"code": code, "name": name, "kind": kind} for code, (kind, name) in OUTSIDE.items()]
    roles = sorted({role for _, *held in STAFF.values() for role in held} | {"designer", "admin"})
    people = [{"login": login, "name": login, "section": section, "title": "", "roles": held} for login, (section, *held) in STAFF.items()]
    made.desk.people.import_organisation(sections=sections, roles=[{"code": role, "name": role} for role in roles], people=people, by="system")
    deployment = made.deploy(delivered_files(), by="designer")
    assert [str(problem) for problem in deployment.warnings] == []
    yield made
    made.dispose()


def draft_of(process: str) -> dict[str, str]:
    """The files of a delivered procedure, as a draft has them."""
    folder = ROOT / "processes" / process
    return {str(path.relative_to(folder)): path.read_text(encoding="utf-8") for path in folder.rglob("*") if path.is_file()}


def test_the_scenarios_of_a_procedure_pass_in_an_office_of_their_groups(engine, sheets):
    for process in sheets:
        results = design_scenarios.run_all(engine.desk, draft_of(process))
        assert [each.name for each in results]
        assert {each.name: [str(problem) for problem in each.problems] for each in results if not each.ok} == {}


@pytest.fixture
def played_until(engine, clock):
    """``played_until("complaint_c", "handle")``: a player before the first step of that element."""

    def play(name: str, element: str) -> Player:
        player = Player(engine, clock, named(name))
        player.play_until(element)
        return player

    return play


def data_of(play: Player, element: str) -> dict:
    return play.answers(next(step for step in play.scenario.steps if step.get("element") == element)["data"])


def key_of(play: Player, element: str) -> int:
    return play.open_tasks(element)[0].key


def test_who_handled_a_complaint_may_not_call_the_complainant_back(engine, played_until):
    play = played_until("complaint_c", "handle")
    engine.desk.complete_task(key_of(play, "handle"), data_of(play, "handle"), outcome="submit", by="gong_both")
    for step in play.scenario.steps:
        if step.get("element") in ("chief_review", "vice_review", "issue_reply"):
            play.step(step)
    with pytest.raises(NotPermitted):
        engine.desk.complete_task(key_of(play, "visit"), data_of(play, "visit"), outcome="record", by="gong_both")
    play.step(next(step for step in play.scenario.steps if step.get("element") == "visit"))
    assert not play.open_tasks("visit")


def test_the_section_complained_about_may_not_hand_out_its_own_complaint(engine, played_until):
    play = played_until("complaint_c", "assign_section")
    data = {"handler_section": "gaoxin", "assign_instruction": "请办理。"}
    with pytest.raises(NotPermitted):
        engine.desk.complete_task(key_of(play, "assign_section"), data, outcome="assign", by="ding_both")


def test_a_deemed_acceptance_is_marked_and_the_clerk_is_told(engine, played_until):
    play = played_until("complaint_deemed", "confirm_grade")
    with engine.reading() as conn:
        case = conn.execute(select(tables.case_file).where(tables.case_file.c.key == play.case_key)).one()
        notices = conn.execute(select(tables.notification).where(tables.notification.c.case_key == play.case_key)).all()
        clocks = {clock.rule_id: clock for clock in conn.execute(select(tables.clock).where(tables.clock.c.case_key == play.case_key))}
    assert case.accepted_at is not None and play.variables()["acceptance"] == "deemed"
    assert {"wang_hotline", "du_supervisor"} <= {notice.login for notice in notices if "视为受理" in f"{notice.msgid}{notice.params}"}
    assert clocks["cmp.close"].state == "RUNNING"


def test_a_supplement_has_a_limit_of_its_own(engine, played_until):
    play = played_until("hnte_correction", "supply_materials")
    assert [(task.element_id, task.due_at is not None) for task in play.open_tasks()] == [("supply_materials", True)]
