"""A file from outside becomes the drawing of a draft: its process gets the draft's id, and what is drawn on leaves it complete."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from engine import Engine
from engine.runtime.design import drafts
from tests.support.browser import Desk
from tests.support.drafting import DESIGNER, find, opened, save, stored

MODEL = 'xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" targetNamespace="http://example.org" id="d"'
WITHOUT_LISTS = (
    f'<?xml version="1.0" encoding="UTF-8"?>\n<definitions {MODEL}><process id="brought" isExecutable="true"><startEvent id="s" name="开始"/>'
    '<sequenceFlow id="f" sourceRef="s" targetRef="a"/><userTask id="a" name="甲"/><sequenceFlow id="g" sourceRef="a" targetRef="b"/>'
    '<userTask id="b" name="乙"/><sequenceFlow id="h" sourceRef="b" targetRef="e"/><endEvent id="e" name="结束"/></process>DRAWN</definitions>'
)
DRAWN = (
    '<BPMNDiagram xmlns="http://www.omg.org/spec/BPMN/20100524/DI" xmlns:dc="http://www.omg.org/spec/DD/20100524/DC" '
    'xmlns:di="http://www.omg.org/spec/DD/20100524/DI" id="dia"><BPMNPlane id="plane" bpmnElement="brought">'
    + "".join(
        f'<BPMNShape id="{id}_di" bpmnElement="{id}"><dc:Bounds x="{x}" y="100" width="{w}" height="{w}"/></BPMNShape>'
        for id, x, w in (("s", 100, 36), ("a", 200, 80), ("b", 350, 80), ("e", 500, 36))
    )
    + "".join(
        f'<BPMNEdge id="{id}_di" bpmnElement="{id}"><di:waypoint x="{x}" y="118"/><di:waypoint x="{to}" y="118"/></BPMNEdge>'
        for id, x, to in (("f", 136, 200), ("g", 280, 350), ("h", 430, 500))
    )
    + "</BPMNPlane></BPMNDiagram>"
)
POOL = (
    f'<?xml version="1.0" encoding="UTF-8"?>\n<definitions {MODEL}><collaboration id="c"><participant id="pool" name="科技局" processRef="brought"/></collaboration>'
    '<process id="brought" isExecutable="true"><startEvent id="s"/><sequenceFlow id="f" sourceRef="s" targetRef="e"/><endEvent id="e"/></process>'
    '<BPMNDiagram xmlns="http://www.omg.org/spec/BPMN/20100524/DI" xmlns:dc="http://www.omg.org/spec/DD/20100524/DC" '
    'xmlns:di="http://www.omg.org/spec/DD/20100524/DI" id="dia"><BPMNPlane id="plane" bpmnElement="c">'
    '<BPMNShape id="pool_di" bpmnElement="pool" isHorizontal="true"><dc:Bounds x="50" y="50" width="600" height="200"/></BPMNShape>'
    '<BPMNShape id="s_di" bpmnElement="s"><dc:Bounds x="150" y="130" width="36" height="36"/></BPMNShape>'
    '<BPMNShape id="e_di" bpmnElement="e"><dc:Bounds x="350" y="130" width="36" height="36"/></BPMNShape>'
    '<BPMNEdge id="f_di" bpmnElement="f"><di:waypoint x="186" y="148"/><di:waypoint x="350" y="148"/></BPMNEdge></BPMNPlane></BPMNDiagram></definitions>'
)
UNKNOWN = '[data-findings] [data-rule="procedure.unknown-process"]'
WANTED = "brought_here"


@pytest.fixture
def key(designing: Engine) -> int:
    return drafts.create(designing.desk, process_id=WANTED, title="带来的流程", by=DESIGNER).key


@pytest.fixture
def page(desk: Desk, key: int) -> Page:
    return opened(desk.person(DESIGNER), key)


def bring(page: Page, folder: Path, text: str) -> None:
    file = folder / "brought.bpmn"
    file.write_text(text)
    page.locator("[data-import-file]").set_input_files(file)
    expect(page.locator("[data-note=imported]")).to_contain_text("已导入")


def check(page: Page) -> None:
    page.locator("[data-act=check]").click()
    expect(page.locator("[data-findings]")).to_have_attribute("data-state", "fresh")


def drawing(designing: Engine, key: int) -> str:
    return next(text for name, text in stored(designing, key).files.items() if name.endswith(".bpmn"))


@pytest.mark.parametrize("text", [WITHOUT_LISTS.replace("DRAWN", ""), POOL], ids=["no drawing", "a pool"])
def test_the_process_of_a_file_keeps_its_id_until_it_is_renamed_at_the_note_or_at_the_finding(
    page: Page, key: int, designing: Engine, tmp_path: Path, text: str
):
    bring(page, tmp_path, text)
    note = page.locator("[data-note=imported]")
    expect(note).to_contain_text("文件中的流程编号是“brought”")
    save(page)
    assert re.search(r'<(\w+:)?process id="brought"', drawing(designing, key))
    note.get_by_role("button", name=f"把“brought”改为“{WANTED}”").click()
    save(page)
    assert re.search(rf'<(\w+:)?process id="{WANTED}"', drawing(designing, key))
    assert '"brought"' not in drawing(designing, key)
    check(page)
    expect(page.locator(UNKNOWN)).to_have_count(0)

    page.locator("[data-act=undo]").click()
    save(page)
    assert re.search(r'<(\w+:)?process id="brought"', drawing(designing, key))
    line = page.locator(UNKNOWN)
    expect(line).to_have_count(1)
    line.get_by_role("button", name=f"把“brought”改为“{WANTED}”").click()
    expect(line).to_have_count(0)
    save(page)
    assert re.search(rf'<(\w+:)?process id="{WANTED}"', drawing(designing, key))


def test_a_file_without_lists_of_flows_is_complete_after_a_step_was_appended(page: Page, key: int, designing: Engine):
    draft = stored(designing, key)
    name = next(name for name in draft.files if name.endswith(".bpmn"))
    text = WITHOUT_LISTS.replace("DRAWN", DRAWN).replace('"brought"', f'"{WANTED}"')
    drafts.save(designing.desk, key, {name: text}, revision=draft.revision, by=DESIGNER)
    page.reload()
    expect(page.locator("#designer[data-ready]")).to_be_attached()
    page.keyboard.press("Control+s")
    expect(page.locator("[data-save-state]")).to_have_text("已全部保存")
    assert drawing(designing, key) == text

    find(page, "乙")
    page.locator('.djs-context-pad .entry[data-action="append"]').click()
    page.locator('.djs-popup .entry[data-id="append-user-task"]').click()
    page.keyboard.press("Escape")
    save(page)
    left = drawing(designing, key)
    assert len(re.findall("<(?:\\w+:)?incoming>", left)) == len(re.findall("<(?:\\w+:)?outgoing>", left)) == 4
    assert not [each for each in drafts.examine(designing.desk, stored(designing, key).files) if "flows”" in each.message]
    # What it would be without: the lists of the tool alone are found fault with.
    half = re.sub(r"<(?:\w+:)?(?:incoming|outgoing)>[fgh]</(?:\w+:)?(?:incoming|outgoing)>", "", left)
    assert [each for each in drafts.examine(designing.desk, {**stored(designing, key).files, name: half}) if "outgoing flows" in each.message]
