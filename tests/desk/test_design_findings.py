"""What stands against publishing a draft from the room: steps for nobody, what nobody has, codes that two procedures share."""

from __future__ import annotations

import json
from xml.sax.saxutils import quoteattr

import pytest

from engine.runtime.design import checking, drafts
from engine.runtime.design.skeleton import skeleton
from engine.words import Words
from tests.desk import desk_models as models
from tests.support.player import ROOT

STRATEGIES = json.loads((ROOT / "web/assets/designer/panel/assignment_terms.json").read_text())["strategies"]


@pytest.fixture
def designers(desk):
    desk.people.save_person("mei", name="梅", section_code="office", roles=["designer"], password=models.PASSWORD, by="system")
    return desk


def drawn(process_id: str, steps: str) -> str:
    """A process that runs through ``steps`` (of which ``x`` is the only one)."""
    return f"""<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:zeebe="http://camunda.org/schema/zeebe/1.0"
 xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" id="d" targetNamespace="x" exporter="Banjie"><bpmn:process id="{process_id}" name="试" isExecutable="true">
 <bpmn:startEvent id="begin" name="开始"/>{steps}<bpmn:endEvent id="done" name="办结"/>
 <bpmn:sequenceFlow id="f1" sourceRef="begin" targetRef="x"/><bpmn:sequenceFlow id="f2" sourceRef="x" targetRef="done"/></bpmn:process></bpmn:definitions>"""


def person(assignment: str = "", inside: str = "", form: str = "") -> str:
    return f"""<bpmn:userTask id="x" name="会商"><bpmn:extensionElements><zeebe:userTask/>{assignment}{form}</bpmn:extensionElements>{inside}</bpmn:userTask>"""


def found(desk, steps: str) -> list[tuple[str, str, str | None]]:
    draft = drafts.create(desk, process_id="tried", title="试", by="mei")
    files = {name: text for name, text in draft.files.items() if not name.endswith(".form")} | {"tried.bpmn": drawn("tried", steps)}
    files["procedure.yaml"] = files["procedure.yaml"].replace("form: tried_start", "roles: [window]")
    return [(each.rule, each.severity, each.element_id) for each in drafts.examine(desk, files)]


NOBODY = [("assignment.nobody", "error", "x")]


@pytest.mark.parametrize("assignment", ["", '<zeebe:assignmentDefinition />', '<zeebe:assignmentDefinition assignee="" candidateGroups=" , " />',
                                        '<zeebe:assignmentDefinition assignee="=null" candidateUsers="= []" />'])  # fmt: skip
def test_a_step_that_nobody_does_cannot_be_published(designers, assignment):
    assert found(designers, person(assignment)) == NOBODY


@pytest.mark.parametrize("strategy", STRATEGIES, ids=[each["id"] for each in STRATEGIES])
def test_every_way_of_the_editor_to_say_who_does_a_step_counts(designers, strategy):
    chosen = {"$role": "window", "$section": "office", "$step": "begin", "$person": "wang", "$field": "chosen", "$text": '=[\"window\"]'}
    text = strategy["write"]
    for place, value in chosen.items():
        text = text.replace(place, value)
    definition = f'<zeebe:assignmentDefinition {strategy["in"]}={quoteattr(text)} />'
    assert "assignment.nobody" not in {rule for rule, _, _ in found(designers, person(definition))}


def test_each_of_several_people_of_a_collection_is_somebody(designers):
    each = """<bpmn:multiInstanceLoopCharacteristics><bpmn:extensionElements>
      <zeebe:loopCharacteristics inputCollection="=people(&quot;clerk&quot;)" inputElement="signer" /></bpmn:extensionElements></bpmn:multiInstanceLoopCharacteristics>"""
    assert found(designers, person('<zeebe:assignmentDefinition assignee="=signer" />', each)) == []
    assert found(designers, person("", each)) == NOBODY


def test_steps_that_are_not_work_of_a_person_in_the_inbox_need_nobody(designers):
    for step in ('<bpmn:manualTask id="x" name="邮寄"/>', '<bpmn:task id="x" name="其他"/>'):
        assert "assignment.nobody" not in {rule for rule, _, _ in found(designers, step)}


def test_a_step_inside_an_adhoc_sub_process_needs_somebody_too(designers):
    inner = person().replace('id="x"', 'id="inner"')
    assert found(designers, f'<bpmn:adHocSubProcess id="x" name="自行安排">{inner}</bpmn:adHocSubProcess>') == [("assignment.nobody", "error", "inner")]


WHO = '<zeebe:assignmentDefinition candidateGroups="window" />'
MISSING = [
    (person(WHO, form='<zeebe:formDefinition formId="nowhere" />'), "deploy.unknown-form", "form"),
    ('<bpmn:businessRuleTask id="x" name="判断"><bpmn:extensionElements><zeebe:calledDecision decisionId="nowhere" resultVariable="y" /></bpmn:extensionElements></bpmn:businessRuleTask>', "deploy.unknown-decision", "decision table"),
    ('<bpmn:callActivity id="x" name="子流程"><bpmn:extensionElements><zeebe:calledElement processId="nowhere" /></bpmn:extensionElements></bpmn:callActivity>', "deploy.unknown-process", "process"),
]  # fmt: skip


@pytest.mark.parametrize(("step", "rule", "kind"), MISSING)
def test_what_is_neither_in_the_draft_nor_in_use_cannot_be_published_from_the_room(designers, engine, step, rule, kind):
    assert found(designers, step) == [(rule, "error", "x")]
    # A deployment goes on with it: what is named may come with the next one.
    (warning,) = engine.deploy({"alone.bpmn": drawn("alone", step).encode()}, by="designer").warnings
    assert (warning.rule, warning.severity) == (rule, "warning")
    assert isinstance(warning.message.params["kind"], Words) and warning.message.params["kind"] == kind


def test_a_deployment_goes_on_with_a_step_for_nobody(designers, engine):
    (warning,) = engine.deploy({"alone.bpmn": drawn("alone", person()).encode()}, by="designer").warnings
    assert (warning.rule, warning.severity, warning.element_id) == ("assignment.nobody", "warning", "x")


def test_two_procedures_with_one_code_are_told_of_each_other(designers, engine):
    files = drafts.create(designers, process_id="leave", title="请假", by="mei").files
    (problem,) = drafts.examine(designers, files | {"procedure.yaml": files["procedure.yaml"].replace("code: LE", "code: XK")})
    assert (problem.rule, problem.severity, problem.file) == ("procedure.code-taken", "warning", "procedure.yaml")
    assert problem.message.params["name"] == engine.desk.book().procedure("licence")[1].name


def test_a_new_procedure_takes_a_code_that_no_other_has(designers, engine):
    for taken, expected in ((set(), "XK"), ({"XK"}, "XZ"), ({"XK", "XZ"}, "XK2"), ({"XK", "XZ", "XK2"}, "XK3")):
        assert f"code: {expected}\n" in skeleton("xkz", "新许可", taken)["procedure.yaml"]
    draft = drafts.create(designers, process_id="xk_new", title="新许可", by="mei")
    assert "code: XK\n" not in draft.files["procedure.yaml"] and drafts.examine(designers, draft.files) == []


def test_of_very_many_findings_the_first_are_listed_and_the_number_is_told(designers, monkeypatch):
    monkeypatch.setattr(checking, "LISTED", 2)
    steps = person() + "".join(person().replace('id="x"', f'id="y{number}"') for number in range(3))
    draft = drafts.create(designers, process_id="tried", title="试", by="mei")
    listed = drafts.examine(designers, draft.files | {"tried.bpmn": drawn("tried", steps)})
    assert len(listed) == 3 and all(each.severity == "error" for each in listed)
    assert listed[2].rule == "design.too-many" and listed[2].message.params["count"] > 3


def test_findings_are_kept_until_something_changes_that_they_depend_on(designers, engine, monkeypatch):
    files = {"tried.bpmn": drawn("tried", person(WHO, form='<zeebe:formDefinition formId="later" />'))}
    asked = []
    examined = checking._examined
    monkeypatch.setattr(checking, "_examined", lambda *given: asked.append(1) or examined(*given))
    assert [drafts.examine(designers, files)[0].rule for _ in range(3)] == ["deploy.unknown-form"] * 3
    assert asked == [1] and checking.at_hand(designers, files)
    engine.deploy({"later.form": json.dumps({"id": "later", "type": "default", "components": []})}, by="designer")
    assert drafts.examine(designers, files) == [] and len(asked) == 2
    drafts.examine(designers, files | {"README.md": "x"})
    assert len(asked) == 2  # what is not executed changes nothing
    for number in range(checking.KEPT + 5):
        drafts.examine(designers, {"README.md": "x", "procedure.yaml": f"process: x{number}"})
    assert len(checking._kept) <= checking.KEPT
