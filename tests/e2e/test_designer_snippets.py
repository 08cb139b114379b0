"""The patterns in Chromium: each put into an empty process and into the middle of a flow is connected, and the check finds nothing to correct."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from lxml import etree
from playwright.sync_api import Page, expect

from engine import Engine
from engine.runtime.design import drafts
from tests.support.browser import Desk
from tests.support.snippets import BESIDE, NAMES

DESIGNER = "yaojing"
NS = {"b": "http://www.omg.org/spec/BPMN/20100524/MODEL"}
BEGINNINGS = {
    "empty": '<bpmn:startEvent id="started" name="收件"/>',
    "middle": (
        '<bpmn:startEvent id="started" name="收件"/><bpmn:userTask id="work" name="办理甲"><bpmn:extensionElements><zeebe:userTask/>'
        '<zeebe:assignmentDefinition candidateGroups="clerk"/></bpmn:extensionElements></bpmn:userTask><bpmn:endEvent id="closed" name="办结"/>'
        '<bpmn:sequenceFlow id="begins" sourceRef="started" targetRef="work"/><bpmn:sequenceFlow id="goes_on" sourceRef="work" targetRef="closed"/>'
    ),
}


def drawing(body: str) -> str:
    shapes = "".join(
        f'<bpmndi:BPMNShape id="{id}_di" bpmnElement="{id}"><dc:Bounds x="{x}" y="{y}" width="{width}" height="{height}"/></bpmndi:BPMNShape>'
        for id, x, y, width, height in (("started", 100, 100, 36, 36), ("work", 200, 78, 100, 80), ("closed", 380, 100, 36, 36))
        if f'id="{id}"' in body
    )
    edges = "".join(
        f'<bpmndi:BPMNEdge id="{id}_di" bpmnElement="{id}"><di:waypoint x="{left}" y="118"/><di:waypoint x="{right}" y="118"/></bpmndi:BPMNEdge>'
        for id, left, right in (("begins", 136, 200), ("goes_on", 300, 380))
        if f'id="{id}"' in body
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?><bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL" '
        'xmlns:bpmndi="http://www.omg.org/spec/BPMN/20100524/DI" xmlns:dc="http://www.omg.org/spec/DD/20100524/DC" '
        'xmlns:di="http://www.omg.org/spec/DD/20100524/DI" xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" id="d" targetNamespace="urn:x">'
        f'<bpmn:process id="pattern_sample" name="片段" isExecutable="true">{body}</bpmn:process>'
        f'<bpmndi:BPMNDiagram id="dia"><bpmndi:BPMNPlane id="plane" bpmnElement="pattern_sample">{shapes}{edges}</bpmndi:BPMNPlane>'
        "</bpmndi:BPMNDiagram></bpmn:definitions>"
    )


@pytest.fixture
def editor(desk: Desk, designing: Engine) -> Callable[[str], tuple[Page, int]]:
    """``editor("empty" | "middle")``: the page of a draft with such a drawing, and the draft's key."""

    def open_draft(beginning: str) -> tuple[Page, int]:
        made = drafts.create(designing.desk, title="片段", process_id="pattern_sample", by=DESIGNER)
        (name,) = [each for each in made.files if each.endswith(".bpmn")]
        others = {each: None for each in made.files if each.endswith((".form", ".yaml"))}
        drafts.save(designing.desk, made.key, {name: drawing(BEGINNINGS[beginning]), **others}, revision=made.revision, by=DESIGNER)
        page = desk.person(DESIGNER).go("/designer")
        page.goto(f"{desk.url}/designer/drafts/{made.key}/edit")
        expect(page.locator("#designer[data-ready]")).to_be_attached()
        return page, made.key

    return open_draft


def put(page: Page, name: str) -> None:
    page.locator("details:has([data-snippets]) > summary").click()
    page.locator(f"[data-snippet={name}]").click()
    expect(page.locator("[data-canvas] .djs-shape.selected").first).to_be_attached()


@pytest.mark.parametrize("beginning", list(BEGINNINGS))
def test_each_pattern_is_connected_and_the_check_finds_no_error(editor, designing, beginning):
    page, key = editor(beginning)
    with designing.reading() as conn:
        files = drafts.get(designing.desk, conn, key, DESIGNER).files
    without = {each.rule for each in drafts.examine(designing.desk, files) if each.severity == "error"}
    for name in NAMES:
        if beginning == "middle":
            page.locator('[data-canvas] .djs-element[data-element-id="goes_on"] .djs-hit').first.click(force=True)
        put(page, name)
        page.keyboard.press("Control+s")
        expect(page.locator("[data-save-state]")).to_have_text(re.compile("^(已保存|已全部保存)"))
        with designing.reading() as conn:
            files = drafts.get(designing.desk, conn, key, DESIGNER).files
        # Beside nothing there is no way from start to end, with or without the pattern.
        known = without if name in BESIDE else set()
        errors = [each for each in drafts.examine(designing.desk, files) if each.severity == "error" and each.rule not in known]
        assert [(name, each.rule, str(each.message)) for each in errors] == []
        model = etree.fromstring(next(text for file, text in files.items() if file.endswith(".bpmn")).encode())
        nodes = model.xpath("//b:process/*[@name][not(self::b:sequenceFlow)]", namespaces=NS)
        if name not in BESIDE:
            alone = [each.get("name") for each in nodes if not each.xpath("b:outgoing|b:incoming", namespaces=NS)]
            assert alone == [], name
            dead = [each.get("name") for each in nodes if not each.xpath("b:outgoing", namespaces=NS) and not each.tag.endswith("endEvent")]
            assert dead == [], name
        page.locator("[data-act=undo]").click()
        count = {"empty": 1, "middle": 3}[beginning]
        expect(page.locator("[data-canvas] .djs-shape:not([data-element-id$=_label])")).to_have_count(count)
    assert page.evaluate("[...window.__missingTranslations ?? []]") == []
