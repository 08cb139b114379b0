"""What the models say: every reference leads somewhere, every task can be done by somebody, every limit has a rule."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from engine.bpmn.reader import read_bpmn
from engine.bpmn.validation import check
from engine.feel import compile_expression

HOST_FUNCTIONS = ("add workdays", "workdays between", "section of", "name of")
ROLES = {
    "enterprise", "citizen", "county_clerk", "county_leader", "clerk", "section_chief", "vice_director", "director", "party_group", "office", "legal",
    "hr_discipline", "window", "hotline_clerk", "supervisor", "expert", "inspector", "reviewer", "admin", "designer", "auditor",
}  # fmt: skip
SECTIONS = {
    "office", "hr", "zhengce", "guihua", "gaoxin", "nongcun", "shefa", "chengguo", "yinzhi", "qingbao", "leaders", "jijian",
    "chuanhui", "huaiyang", "xiangcheng", "fugou", "xihua", "shangshui", "shenqiu", "dancheng", "taikang", "luyi",
    "tax", "finance", "emergency", "market", "eco", "credit",
}  # fmt: skip
PROPERTIES = {
    "deadline", "deadline.start", "ladder", "clock.start", "clock.start.from", "clock.stop", "clock.pause", "clock.pause.kind", "clock.pause.reason", "clock.pause.document", "clock.pause.until", "clock.resume", "clock.restart",
    "clock.extend", "clock.extend.by",
    "clock.extend.reason", "outcomes", "outcome.variable", "outcomes.opinion", "outcomes.confirm", "outcomes.unchecked", "exclude", "status", "result", "accepted", "notify",
    "notify.text", "document", "extendable",
}  # fmt: skip
SHARED = ("sub_correction", "sub_extension", "sub_countersign", "sub_reply_visit")
GROUP = re.compile(r"[a-z_]+(@[a-z]+)?|section:[a-z]+")
RULE_ID = re.compile(r"\b(?:gk|cmp|hnte|ft|hot|norm|dec|sup|xf)\.[A-Za-z_.]+[A-Za-z_]")
DURATION = re.compile(r"P\d+[DWMY]|PT\d+[HM]|duration\s*\(", re.IGNORECASE)


def expressions(drawing):
    for element in drawing.root.iter():
        values = [*element.attrib.values(), element.text or ""]
        for text in (value.strip() for value in values if isinstance(value, str)):
            if text.startswith("="):
                yield text[1:]


def known_group(name):
    role, _, section = name.partition("@")
    if name.startswith("section:"):
        return name[8:] in SECTIONS
    return role in ROLES and (not section or section in SECTIONS)


def literal_groups(expression):
    """The complete group names written in an expression; a piece that ends in ``@`` or ``:`` is completed by a variable."""
    return [text for text in re.findall(r'"([^"]*)"', expression) if GROUP.fullmatch(text)]


def test_the_engine_finds_nothing_wrong(drawing):
    model = read_bpmn(drawing.path.read_bytes(), drawing.path.name)
    assert [str(problem) for problem in check(model)] == []


def test_every_expression_can_be_read(drawing):
    for text in expressions(drawing):
        compile_expression(text, names=HOST_FUNCTIONS)


def test_every_file_is_executable_and_names_its_platform(drawing):
    assert drawing.process.get("isExecutable") == "true"
    assert drawing.root.get("{http://camunda.org/schema/modeler/1.0}executionPlatform") == "Camunda Cloud"
    assert drawing.root.get("expressionLanguage") is None


def test_every_user_task_has_a_form_somebody_to_do_it_and_buttons(drawing, forms):
    for task in drawing.every("userTask"):
        id = task.get("id")
        assert drawing.extension(task, "userTask") is not None, f"{id} lacks zeebe:userTask"
        assert drawing.extension(task, "formDefinition").get("formId") in forms, id
        assignment = drawing.extension(task, "assignmentDefinition")
        assert assignment is not None and set(assignment.attrib) & {"assignee", "candidateGroups", "candidateUsers"}, f"nobody may do {id}"
        assert drawing.outcomes(task), f"{id} has no buttons"
        assert all(re.search("[\u4e00-\u9fff]", label) for label in drawing.outcomes(task).values())


def test_candidate_groups_are_roles_and_sections_that_exist(drawing):
    for assignment in drawing.process.iter("{http://camunda.org/schema/zeebe/1.0}assignmentDefinition"):
        groups = assignment.get("candidateGroups", "")
        names = literal_groups(groups) if groups.startswith("=") else [name.strip() for name in groups.split(",") if name.strip()]
        assert [name for name in names if not known_group(name)] == []


def test_groups_passed_to_shared_processes_exist(drawing):
    for mapping in drawing.process.iter("{http://camunda.org/schema/zeebe/1.0}input"):
        if mapping.get("target").endswith("_groups"):
            assert [name for name in literal_groups(mapping.get("source")) if not known_group(name)] == []


def test_only_known_properties_are_used(drawing):
    for node in drawing.nodes.values():
        assert set(drawing.properties(node)) <= PROPERTIES, node.get("id")


def test_every_rule_that_is_named_is_in_the_rule_table(drawing, rules):
    named = set()
    for node in drawing.nodes.values():
        properties = drawing.properties(node)
        named |= {properties[name] for name in ("deadline", "clock.start", "clock.stop", "clock.restart", "extendable") if name in properties}
    named = {name for name in named if not name.startswith("=") and name != "*"}
    for text in expressions(drawing):
        named |= set(RULE_ID.findall(text)) if "@" not in text else set()
    assert {name for name in named if name not in rules and not name.endswith(".")} == set()


def test_grades_have_a_rule_each(rules):
    assert {"cmp.A", "cmp.B", "cmp.C"} <= rules


def test_no_number_of_days_stands_in_a_model(drawing):
    assert [text for text in expressions(drawing) if DURATION.search(text)] == []
    assert not list(drawing.process.iter("{*}timeDuration", "{*}timeCycle"))


def test_timers_ask_the_rule_table(drawing):
    for timer in drawing.process.iter("{*}timeDate"):
        assert timer.text.startswith("=overdue(")


def test_messages_are_found_by_the_case_number(drawing):
    for message in drawing.root.iter("{http://www.omg.org/spec/BPMN/20100524/MODEL}message"):
        assert message.find(".//{*}subscription").get("correlationKey") == "=case_no"


def test_every_called_process_and_decision_exists(drawing, drawings, decisions):
    for call in drawing.every("callActivity"):
        assert drawing.extension(call, "calledElement").get("processId") in drawings
    for task in drawing.every("businessRuleTask"):
        assert drawing.extension(task, "calledDecision").get("decisionId") in decisions


def test_a_called_process_is_given_every_variable_that_it_reads(drawing, drawings):
    """The variables of a called process are its own: what it needs must be mapped in."""
    made = {
        "sub_correction": {"case_no", "correction_rule", "correction_max", "supplier_groups", "reviewer_groups"},
        "sub_extension": {"case_no", "extension_rule", "applicant_groups", "chief_groups", "leader_groups"},
        "sub_countersign": {"case_no", "topic", "members", "candidates", "quorum_needed", "quorum_of", "vote_mode", "secretary_groups", "recused"},
        "sub_reply_visit": {"case_no", "reply_draft", "reply_groups", "visit_groups", "judge_groups", "handled_by", "contactable", "reply_round", "reply_max"},
    }
    for call in drawing.every("callActivity"):
        given = {item.get("target") for item in call.iter("{http://camunda.org/schema/zeebe/1.0}input")}
        assert given == made[drawing.extension(call, "calledElement").get("processId")], call.get("id")


@pytest.mark.parametrize("shared", SHARED)
def test_every_procedure_uses_every_shared_process(shared, sheets, drawings):
    for process in sheets:
        called = {drawings[process].extension(call, "calledElement").get("processId") for call in drawings[process].every("callActivity")}
        assert shared in called, process


def test_task_ids_are_unique_within_a_case(sheets, drawings):
    """``handler("…")`` and the trail name elements of the whole case, shared processes included."""
    for process in sheets:
        ids = Counter(task.get("id") for name in (process, *SHARED) for task in drawings[name].every("userTask"))
        assert [id for id, count in ids.items() if count > 1] == []


def test_gateways_decide_by_the_outcomes_that_the_task_before_them_offers(drawing):
    """``outcome = "x"`` after a task whose buttons have no ``x`` would never be true."""
    for gateway in drawing.every("exclusiveGateway"):
        before = [drawing.nodes[flow.get("sourceRef")] for flow in drawing.flows.values() if flow.get("targetRef") == gateway.get("id")]
        tasks = [node for node in before if drawing.outcomes(node)]
        for flow in (flow for flow in drawing.flows.values() if flow.get("sourceRef") == gateway.get("id")):
            condition = flow.findtext("{*}conditionExpression") or ""
            for task in tasks:
                name = drawing.properties(task).get("outcome.variable", "outcome")
                for value in re.findall(rf'\b{name} = "(\w+)"', condition):
                    assert value in drawing.outcomes(task), f"{flow.get('id')} waits for {value}"


def test_confirmations_and_opinions_name_outcomes(drawing):
    for task in drawing.every("userTask"):
        properties, outcomes = drawing.properties(task), drawing.outcomes(task)
        confirm = {part.split("=", 1)[0] for part in properties.get("outcomes.confirm", "").split(";") if part}
        opinion = {part.strip() for part in properties.get("outcomes.opinion", "").split(",") if part.strip()} - {"*"}
        assert confirm | opinion <= set(outcomes), task.get("id")


def test_every_end_of_a_procedure_says_its_result(sheets, drawings):
    for process in sheets:
        drawing = drawings[process]
        for end in drawing.every("endEvent"):
            inner = [drawing.nodes[id] for id in drawing.ancestors(end.get("id"))]
            if end.find("{*}errorEventDefinition") is None and (not inner or inner[0].get("id") == "withdrawal"):
                assert "result" in drawing.properties(end), end.get("id")


def test_the_start_event_shows_the_form_of_the_sheet(sheets, drawings):
    for process, sheet in sheets.items():
        drawing = drawings[process]
        start = next(event for event in drawing.every("startEvent") if not drawing.ancestors(event.get("id")))
        assert drawing.extension(start, "formDefinition").get("formId") == sheet["start"]["form"]
