"""Procedure sheets, forms and scenarios: what they name exists."""

from __future__ import annotations

import re
from pathlib import Path

from engine.feel import compile_expression
from engine.runtime.sheets import parse_sheet

ROOT = Path(__file__).resolve().parents[2]
CHINESE = re.compile(r"[\u4e00-\u9fff]")
HOST_FUNCTIONS = ("add workdays", "workdays between", "section of", "name of")
SHARED = ("sub_correction", "sub_extension", "sub_countersign", "sub_reply_visit")


def fields(components):
    """Every component of a form, those inside lists and groups included."""
    for component in components:
        yield component
        yield from fields(component.get("components", ()))


def keys(form):
    return {component.get("key") or component.get("path") for component in form["components"]} - {None}


def reachable(drawings, process):
    """Element id → (drawing, element) of a procedure and the shared processes that it calls."""
    return {id: (drawings[name], node) for name in (process, *SHARED) for id, node in drawings[name].nodes.items()}


# --- sheets ------------------------------------------------------------------------------------------------------------


def test_the_engine_reads_the_sheet_without_findings(sheet):
    path = ROOT / "processes" / sheet["process"] / "procedure.yaml"
    parsed, problems = parse_sheet(path.name, path.read_bytes())
    assert problems == [] and parsed.process == sheet["process"]


def test_a_sheet_names_elements_messages_forms_and_rules_that_exist(sheet, drawings, forms, rules):
    nodes = reachable(drawings, sheet["process"])
    messages = {item.get("name") for item in drawings[sheet["process"]].root.iter("{http://www.omg.org/spec/BPMN/20100524/MODEL}message")}
    assert sheet["start"]["form"] in forms
    assert {item["rule"] for item in sheet["deadlines"]} <= rules
    assert {document["at"] for document in sheet["documents"]} <= set(nodes)
    for action in (sheet["withdraw"], *sheet.get("actions", ())):
        assert action["message"] in messages and action["form"] in forms


def test_a_sheet_says_how_its_cases_are_found_and_what_of_them_is_public(sheet, drawings, forms):
    """Values by which cases are found come from a field of some form, and a case can reach a status after which it is public."""
    asked = {field.get("key") for form in forms.values() for field in fields(form["components"])}
    for row in sheet["search"]:
        names = compile_expression(row["value"].removeprefix("=")).names
        assert names <= asked | {"innovation_score", "grade"}, row
    words = {drawings[sheet["process"]].properties(node).get("status") for node in drawings[sheet["process"]].nodes.values()}
    assert sheet["public"]["show"] in ("none", "status", "columns") and set(sheet["public"].get("after", ())) <= words


def test_every_message_of_a_procedure_has_a_button(sheet, drawings):
    """Except the request for an extension, which the desk publishes from a task."""
    messages = {item.get("name") for item in drawings[sheet["process"]].root.iter("{http://www.omg.org/spec/BPMN/20100524/MODEL}message")}
    buttons = {action["message"] for action in (sheet["withdraw"], *sheet.get("actions", ()))}
    assert messages - {"extension_requested"} == buttons


def test_documents_of_the_models_stand_in_the_sheet(sheet, drawings):
    offered = {drawings[sheet["process"]].properties(node).get("document") for node in drawings[sheet["process"]].nodes.values()} - {None}
    assert offered <= {document["id"] for document in sheet["documents"]}


def test_confidential_fields_are_fields_of_the_start_form(sheet, forms):
    hidden = sheet.get("confidential", {}).get("fields", ())
    assert set(hidden) <= keys(forms[sheet["start"]["form"]])


# --- forms -------------------------------------------------------------------------------------------------------------


def test_a_form_is_named_like_its_file_and_used(form, forms, drawings, sheets):
    used = {item.get("formId") for drawing in drawings.values() for item in drawing.root.iter("{http://camunda.org/schema/zeebe/1.0}formDefinition")}
    used |= {action["form"] for sheet in sheets.values() for action in (sheet["withdraw"], *sheet.get("actions", ()))}
    assert forms[form["id"]] is form
    assert form["id"] in used, "no task, start or button shows it"
    assert form["schemaVersion"] == 19 and form["type"] == "default"


def test_a_form_explains_how_to_fill_it_in(form):
    texts = [component["text"] for component in form["components"] if component["type"] == "text"]
    assert texts and "填报说明" in texts[0]


def test_labels_are_chinese_and_keys_are_identifiers(form):
    for component in fields(form["components"]):
        if component["type"] != "text":
            label = component.get("label") or component.get("dateLabel")
            assert CHINESE.search(label), component
            assert re.fullmatch(r"[a-z][a-z0-9_]*", component.get("key") or component.get("path"))
        for option in component.get("values", ()):
            assert re.search("[\u4e00-\u9fffⅠⅡ]", option["label"])


def test_no_key_stands_twice_in_a_form(form):
    names = [component.get("key") or component.get("path") for component in form["components"] if component["type"] != "text"]
    assert len(names) == len(set(names))
    ids = [component["id"] for component in fields(form["components"])]
    assert len(ids) == len(set(ids))


def test_conditions_and_option_expressions_can_be_read(form):
    for component in fields(form["components"]):
        for text in (component.get("conditional", {}).get("hide"), component.get("valuesExpression")):
            if text:
                assert text.startswith("=")
                compile_expression(text[1:], names=HOST_FUNCTIONS)
        for place in re.findall(r"\{\{(.*?)\}\}", component.get("text", "")):
            compile_expression(place, names=HOST_FUNCTIONS)


# --- scenarios ---------------------------------------------------------------------------------------------------------


def test_a_scenario_uses_tasks_buttons_and_fields_that_exist(scenario, drawings, forms, sheets, rules):
    sheet = sheets[scenario["process"]]
    nodes = reachable(drawings, scenario["process"])
    actions = {action["message"]: action["form"] for action in (sheet["withdraw"], *sheet.get("actions", ()))}
    assert set(scenario["start"]) <= keys(forms[sheet["start"]["form"]])
    for step in scenario["steps"]:
        if step["do"] == "message":
            assert set(step["data"]) <= keys(forms[actions[step["name"]]])
        elif step["do"] == "wait":
            assert step["due"] in rules
        elif step["do"] == "extend":
            drawing, task = nodes[step["element"]]
            assert drawing.properties(task)["extendable"] in rules
        else:
            drawing, task = nodes[step["element"]]
            assert step["outcome"] in drawing.outcomes(task), step["element"]
            assert set(step.get("data", ())) <= keys(forms[drawing.extension(task, "formDefinition").get("formId")]), step["element"]
            needs = drawing.properties(task).get("outcomes.opinion", "")
            assert "opinion" in step or not (needs == "*" or step["outcome"] in needs.split(",")), step["element"]
    expected = scenario["expect"]
    assert set(expected["path"]) <= set(nodes)
    if expected["state"] == "COMPLETED":
        drawing, end = nodes[expected["path"][-1]]
        result = drawing.properties(end)["result"]
        assert result == expected["result"] or result.startswith("=")


def test_every_end_of_every_procedure_is_reached_by_a_scenario(sheets, drawings, scenarios):
    reached = {(scenario["process"], scenario["expect"]["path"][-1]) for scenario in scenarios.values()}
    for process in sheets:
        ends = {end.get("id") for end in drawings[process].every("endEvent") if "result" in drawings[process].properties(end)}
        assert {end for end in ends if (process, end) not in reached} == set()
