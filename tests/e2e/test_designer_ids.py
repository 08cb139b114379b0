"""Ids in Chinese in the editor: a file that has them is drawn, changed and saved with them, and the panel takes new ones."""

from __future__ import annotations

from playwright.sync_api import expect

from engine import Engine
from engine.runtime.design import drafts
from tests.support.browser import Desk
from tests.support.interchange import DESIGNER, Editor

FLOW = """<?xml version="1.0" encoding="UTF-8"?>
<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:bpmndi="http://www.omg.org/spec/BPMN/20100524/DI" xmlns:dc="http://www.omg.org/spec/DD/20100524/DC" xmlns:di="http://www.omg.org/spec/DD/20100524/DI" id="定义" targetNamespace="urn:t">
<process id="办件流程" name="办件" isExecutable="true"><startEvent id="开始"/><sequenceFlow id="流1" sourceRef="开始" targetRef="受理"/><userTask id="受理" name="受理申请"/>
<sequenceFlow id="流2" sourceRef="受理" targetRef="䶮_结束"/><endEvent id="䶮_结束"/></process>
<bpmndi:BPMNDiagram id="图"><bpmndi:BPMNPlane id="面" bpmnElement="办件流程">
<bpmndi:BPMNShape id="图_开始" bpmnElement="开始"><dc:Bounds x="160" y="100" width="36" height="36"/></bpmndi:BPMNShape>
<bpmndi:BPMNShape id="图_受理" bpmnElement="受理"><dc:Bounds x="260" y="78" width="100" height="80"/></bpmndi:BPMNShape>
<bpmndi:BPMNShape id="图_结束" bpmnElement="䶮_结束"><dc:Bounds x="420" y="100" width="36" height="36"/></bpmndi:BPMNShape>
<bpmndi:BPMNEdge id="图_流1" bpmnElement="流1"><di:waypoint x="196" y="118"/><di:waypoint x="260" y="118"/></bpmndi:BPMNEdge>
<bpmndi:BPMNEdge id="图_流2" bpmnElement="流2"><di:waypoint x="360" y="118"/><di:waypoint x="420" y="118"/></bpmndi:BPMNEdge>
</bpmndi:BPMNPlane></bpmndi:BPMNDiagram></definitions>"""


def test_ids_in_chinese_are_drawn_changed_and_saved(desk: Desk, designing: Engine):
    draft = drafts.create(designing.desk, title="中文编号", by=DESIGNER, files={"办件.bpmn": FLOW})
    page = Editor(desk.person(DESIGNER).page, desk.url, draft.key).open().page
    for id in ("开始", "受理", "䶮_结束", "流1", "流2"):
        expect(page.locator(f"[data-canvas] [data-element-id='{id}']")).to_be_attached()
    page.locator("[data-canvas] [data-element-id='受理']").click()
    field = page.locator("[data-panel] [data-entry-id=id] input")
    if not field.is_visible():
        page.locator("[data-panel] [data-group-id=group-general] .bio-properties-panel-group-header").click()
    expect(field).to_have_value("受理")
    field.fill("窗口 受理")
    expect(page.locator("[data-panel] [data-entry-id=id] .bio-properties-panel-error")).to_be_visible()
    field.fill("窗口受理")
    field.press("Tab")
    expect(page.locator("[data-canvas] [data-element-id='窗口受理']")).to_be_attached()
    page.keyboard.press("Control+s")
    expect(page.locator("[data-save-state]")).to_contain_text("已保存", timeout=30_000)
    with designing.reading() as conn:
        saved = drafts.get(designing.desk, conn, draft.key, DESIGNER).files["办件.bpmn"]
    assert 'id="窗口受理"' in saved and 'targetRef="窗口受理"' in saved and 'id="䶮_结束"' in saved
