"""The smallest procedure that is valid: begin → one task with a form → end, with its drawing and its sheet."""

from __future__ import annotations

import json
from collections.abc import Collection
from html import escape
from itertools import chain, count

_BPMN = """<?xml version="1.0" encoding="UTF-8"?>
<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:bpmndi="http://www.omg.org/spec/BPMN/20100524/DI" \
xmlns:dc="http://www.omg.org/spec/DD/20100524/DC" xmlns:di="http://www.omg.org/spec/DD/20100524/DI" \
xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" xmlns:modeler="http://camunda.org/schema/modeler/1.0" id="{id}_definitions" \
targetNamespace="https://banjie.example/processes" exporter="Banjie" exporterVersion="1" \
modeler:executionPlatform="Camunda Cloud" modeler:executionPlatformVersion="8.6.0">
  <bpmn:process id="{id}" name="{title}" isExecutable="true">
    <bpmn:startEvent id="begin" name="开始">
      <bpmn:outgoing>begin_handle</bpmn:outgoing>
    </bpmn:startEvent>
    <bpmn:userTask id="handle" name="办理">
      <bpmn:extensionElements>
        <zeebe:userTask />
        <zeebe:formDefinition formId="{id}_handle" />
        <zeebe:assignmentDefinition assignee="=starter" />
      </bpmn:extensionElements>
      <bpmn:incoming>begin_handle</bpmn:incoming>
      <bpmn:outgoing>handle_done</bpmn:outgoing>
    </bpmn:userTask>
    <bpmn:endEvent id="done" name="办结">
      <bpmn:incoming>handle_done</bpmn:incoming>
    </bpmn:endEvent>
    <bpmn:sequenceFlow id="begin_handle" sourceRef="begin" targetRef="handle" />
    <bpmn:sequenceFlow id="handle_done" sourceRef="handle" targetRef="done" />
  </bpmn:process>
  <bpmndi:BPMNDiagram id="{id}_diagram">
    <bpmndi:BPMNPlane id="{id}_plane" bpmnElement="{id}">
      <bpmndi:BPMNShape id="begin_di" bpmnElement="begin">
        <dc:Bounds x="180" y="162" width="36" height="36" />
        <bpmndi:BPMNLabel><dc:Bounds x="187" y="205" width="22" height="14" /></bpmndi:BPMNLabel>
      </bpmndi:BPMNShape>
      <bpmndi:BPMNShape id="handle_di" bpmnElement="handle">
        <dc:Bounds x="280" y="140" width="100" height="80" />
      </bpmndi:BPMNShape>
      <bpmndi:BPMNShape id="done_di" bpmnElement="done">
        <dc:Bounds x="444" y="162" width="36" height="36" />
        <bpmndi:BPMNLabel><dc:Bounds x="451" y="205" width="22" height="14" /></bpmndi:BPMNLabel>
      </bpmndi:BPMNShape>
      <bpmndi:BPMNEdge id="begin_handle_di" bpmnElement="begin_handle">
        <di:waypoint x="216" y="180" />
        <di:waypoint x="280" y="180" />
      </bpmndi:BPMNEdge>
      <bpmndi:BPMNEdge id="handle_done_di" bpmnElement="handle_done">
        <di:waypoint x="380" y="180" />
        <di:waypoint x="444" y="180" />
      </bpmndi:BPMNEdge>
    </bpmndi:BPMNPlane>
  </bpmndi:BPMNDiagram>
</bpmn:definitions>
"""

_SHEET = """process: {id}
name: {title}
code: {code}
case_number: "{{region}}-{{code}}-{{date}}-{{serial:04d}}"
title: =subject
header:
  applicant: =applicant
start:
  form: {id}_start
"""

_README = """# {title}

（写给以后改流程的人：这项办件的依据、各步骤由谁办、为什么这样画。）
"""


def skeleton(process_id: str, title: str, taken: Collection[str] = ()) -> dict[str, str]:
    """File name → text of a new procedure called ``title``; it deploys as it is.  Its code is none of those that are ``taken``.

    The words in the drawing and the forms are Chinese: they are content that a designer goes on with, not interface.
    """
    quoted = json.dumps(title, ensure_ascii=False)  # a JSON text is a YAML text, whatever stands in it
    return {
        f"{process_id}.bpmn": _BPMN.format(id=process_id, title=escape(title, quote=True)),
        f"{process_id}_handle.form": _form(f"{process_id}_handle", f"{title}：办理", _HANDLE),
        f"{process_id}_start.form": _form(f"{process_id}_start", f"{title}：登记", _START),
        "procedure.yaml": _SHEET.format(id=process_id, title=quoted, code=_free_code(process_id, taken)),
        "README.md": _README.format(title=title),
    }


def _free_code(process_id: str, taken: Collection[str]) -> str:
    """Two letters of the id; where another procedure has them, other letters of it, else the first two with a number."""
    letters = "".join(letter for letter in process_id.upper() if letter.isascii() and letter.isalpha()) or "BJ"
    first = letters[:2]
    numbered = (f"{first}{number}" for number in count(2))
    return next(code for code in chain([first], (letters[0] + letter for letter in letters[2:]), numbered) if code not in taken)


_HANDLE = [
    {"type": "textarea", "key": "handled", "label": "办理情况", "validate": {"required": True, "maxLength": 2000}},
]
_START = [
    {"type": "textfield", "key": "applicant", "label": "申请单位（人）", "validate": {"maxLength": 200}},
    {"type": "textfield", "key": "subject", "label": "事项", "validate": {"required": True, "maxLength": 200}},
]


def _form(id: str, title: str, components: list[dict]) -> str:
    rows = [
        {**component, "id": f"Field_{component['key']}", "layout": {"row": f"row_{number}", "columns": None}}
        for number, component in enumerate(components, 1)
    ]
    form = {
        "id": id, "type": "default", "schemaVersion": 18, "name": title, "executionPlatform": "Camunda Cloud",
        "executionPlatformVersion": "8.6.0", "exporter": {"name": "Banjie", "version": "1"}, "components": rows,
    }  # fmt: skip
    return json.dumps(form, ensure_ascii=False, indent=2) + "\n"
