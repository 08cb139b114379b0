"""Ids and names in the letters of any script, as XML Schema allows them: 受理 is as good an id as Task_1."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import DeploymentRejected
from engine.bpmn.reader import read_bpmn
from engine.bpmn.validation import check
from engine.bpmn.xml import NCNAME

FLOW = """<?xml version="1.0" encoding="UTF-8"?>
<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" id="定义" targetNamespace="urn:t">
<bpmn:process id="办件流程" name="办件" isExecutable="true"><bpmn:laneSet id="泳道组"><bpmn:lane id="窗口"><bpmn:flowNodeRef>{id}</bpmn:flowNodeRef></bpmn:lane></bpmn:laneSet>
<bpmn:startEvent id="开始"/><bpmn:sequenceFlow id="流1" sourceRef="开始" targetRef="{id}"/>
<bpmn:userTask id="{id}" name="受理"><bpmn:extensionElements><zeebe:userTask/><zeebe:formDefinition formId="受理表"/></bpmn:extensionElements></bpmn:userTask>
<bpmn:boundaryEvent id="超时.1" attachedToRef="{id}"><bpmn:timerEventDefinition id="计时"><bpmn:timeDuration>PT1H</bpmn:timeDuration></bpmn:timerEventDefinition></bpmn:boundaryEvent>
<bpmn:sequenceFlow id="流2" sourceRef="{id}" targetRef="判-断"/><bpmn:sequenceFlow id="流4" sourceRef="超时.1" targetRef="结束"/>
<bpmn:businessRuleTask id="判-断"><bpmn:extensionElements><zeebe:calledDecision decisionId="判定" resultVariable="结果"/></bpmn:extensionElements></bpmn:businessRuleTask>
<bpmn:sequenceFlow id="流3" sourceRef="判-断" targetRef="结束"/><bpmn:endEvent id="结束"/>
</bpmn:process></bpmn:definitions>"""
TABLE = """<?xml version="1.0" encoding="UTF-8"?>
<definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/" id="决策图" name="决策图" namespace="urn:n">
<decision id="判定" name="判定 一"><decisionTable id="表"><input id="入"><inputExpression id="式" typeRef="string"><text>情况</text></inputExpression></input><output id="出" name="去向" typeRef="string"/>
<rule id="规则一"><inputEntry id="格一"><text>"急"</text></inputEntry><outputEntry id="格二"><text>"科长"</text></outputEntry></rule></decisionTable></decision></definitions>"""
FORM = json.dumps(
    {"id": "受理表", "type": "default", "schemaVersion": 18, "components": [{"type": "textfield", "key": "情况", "label": "情况", "id": "字段一"}]},
    ensure_ascii=False,
)
RARE = ["受理", "䶮", "𠮷村", "鿋", "Ωμέγα", "Приём", "（甲）", "ａ", "_受-理.1·", "é"]
"""The second to fourth, and full-width letters, came after the edition of XML that libxml2 knows."""
WRONG = ["1受理", "-受理", "受 理", "受:理", "步骤①", "受理!", "受+理"]


@pytest.mark.parametrize("id", RARE)
def test_a_process_with_ids_in_any_script_is_deployed_and_runs(engine, id):
    deployed = engine.deploy({"办件.bpmn": FLOW.format(id=id), "判定.dmn": TABLE, "受理表.form": FORM}, by="designer")
    assert deployed.warnings == ()
    instance = engine.start("办件流程")
    (task,) = engine.user_tasks(instance.key)
    assert (task.element_id, task.form_id) == (id, "受理表")
    done = engine.complete(task.key, {"情况": "急"}, by="worker")
    assert (done.state, done.variables["结果"]) == ("COMPLETED", "科长")
    assert [each.element_id for each in engine.activities(done.key)] == ["开始", id, "判-断", "结束"]


@pytest.mark.parametrize("id", WRONG)
def test_what_is_no_name_of_xml_is_refused_on_the_element_and_says_what_is_needed(engine, id):
    with pytest.raises(DeploymentRejected) as refused:
        engine.deploy({"a.bpmn": FLOW.format(id=id), "判定.dmn": TABLE, "受理表.form": FORM}, by="designer")
    (about,) = [each for each in refused.value.problems if each.element_id == id and "of id" in str(each.message)]
    assert "no spaces or colons" in str(about.message)


LETTERS = st.characters(codec="utf-8", exclude_categories=("Cs", "Cc"))


@settings(max_examples=150, deadline=None)
@given(st.text(LETTERS, min_size=1, max_size=6).filter(lambda text: not set(text) & set("<>&\"'{}") and text == text.strip()))
def test_the_schema_refuses_exactly_the_ids_that_are_no_names(text):
    problems = check(read_bpmn(FLOW.format(id=text).encode(), "a.bpmn"))
    assert NCNAME.match(text) is not None or any(each.severity == "error" for each in problems)
    if NCNAME.match(text):
        assert [str(each) for each in problems if each.severity == "error"] == []


def test_a_new_procedure_may_have_an_id_in_chinese_and_deploys_as_it_is(engine):
    from engine.runtime.design.drafts import _is_id
    from engine.runtime.design.skeleton import skeleton

    files = skeleton("公平竞争审查", "公平竞争审查")
    assert engine.deploy({name: text for name, text in files.items() if not name.endswith(".md")}, by="designer").definitions
    assert engine.start("公平竞争审查", variables={"subject": "x"}, by="li").state == "ACTIVE"
    assert [_is_id(id) for id in ("公平竞争", "a1_b", "1a", "a b", "a.b", "", "甲" * 61)] == [True, True, False, False, False, False, False]
