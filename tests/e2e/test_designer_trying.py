"""The dry run of a draft in Chromium, in Chinese: opened, walked, wound back, kept as a scenario, and refused when the drawing has changed."""

from __future__ import annotations

import re
from pathlib import Path
from zlib import crc32

import pytest
from playwright.sync_api import Locator, Page, expect

from engine import Engine
from engine.runtime.design import drafts
from tests.support.browser import PHONE, SCREEN, Desk
from tests.support.designing import DESIGNER, SampleProcedure

TITLE = "设备采购"
PATIENCE = 60_000
"""Milliseconds that a run of the scenarios may take on a busy machine."""

PROPERTIES = """<zeebe:properties><zeebe:property name="deadline" value="hot.reply"/><zeebe:property name="ladder" value="standard"/>
<zeebe:property name="outcomes" value="agree=同意;back=退回"/></zeebe:properties></bpmn:extensionElements>
      <bpmn:incoming>begin_handle</bpmn:incoming>"""

FLOW = """<bpmn:exclusiveGateway id="agreed" name="同意吗？" default="agreed_returned">
      <bpmn:incoming>handle_done</bpmn:incoming><bpmn:outgoing>agreed_review</bpmn:outgoing><bpmn:outgoing>agreed_returned</bpmn:outgoing>
    </bpmn:exclusiveGateway>
    <bpmn:userTask id="review" name="复核">
      <bpmn:extensionElements><zeebe:userTask/><zeebe:assignmentDefinition candidateGroups="section_chief"/></bpmn:extensionElements>
      <bpmn:incoming>agreed_review</bpmn:incoming><bpmn:outgoing>review_done</bpmn:outgoing>
    </bpmn:userTask>
    <bpmn:endEvent id="returned" name="退回"><bpmn:incoming>agreed_returned</bpmn:incoming></bpmn:endEvent>
    <bpmn:endEvent id="done" name="办结"><bpmn:incoming>review_done</bpmn:incoming></bpmn:endEvent>
    <bpmn:sequenceFlow id="begin_handle" sourceRef="begin" targetRef="handle" />
    <bpmn:sequenceFlow id="handle_done" sourceRef="handle" targetRef="agreed" />
    <bpmn:sequenceFlow id="agreed_review" sourceRef="agreed" targetRef="review">
      <bpmn:conditionExpression xsi:type="bpmn:tFormalExpression">=outcome = "agree"</bpmn:conditionExpression>
    </bpmn:sequenceFlow>
    <bpmn:sequenceFlow id="agreed_returned" sourceRef="agreed" targetRef="returned" />
    <bpmn:sequenceFlow id="review_done" sourceRef="review" targetRef="done" />
  </bpmn:process>"""

SHAPES = """<bpmndi:BPMNShape id="agreed_di" bpmnElement="agreed" isMarkerVisible="true"><dc:Bounds x="440" y="155" width="50" height="50" /></bpmndi:BPMNShape>
      <bpmndi:BPMNShape id="review_di" bpmnElement="review"><dc:Bounds x="550" y="140" width="100" height="80" /></bpmndi:BPMNShape>
      <bpmndi:BPMNShape id="returned_di" bpmnElement="returned"><dc:Bounds x="447" y="262" width="36" height="36" /></bpmndi:BPMNShape>
      <bpmndi:BPMNShape id="done_di" bpmnElement="done"><dc:Bounds x="712" y="162" width="36" height="36" /></bpmndi:BPMNShape>
      <bpmndi:BPMNEdge id="agreed_review_di" bpmnElement="agreed_review"><di:waypoint x="490" y="180" /><di:waypoint x="550" y="180" /></bpmndi:BPMNEdge>
      <bpmndi:BPMNEdge id="agreed_returned_di" bpmnElement="agreed_returned"><di:waypoint x="465" y="205" /><di:waypoint x="465" y="262" /></bpmndi:BPMNEdge>
      <bpmndi:BPMNEdge id="review_done_di" bpmnElement="review_done"><di:waypoint x="650" y="180" /><di:waypoint x="712" y="180" /></bpmndi:BPMNEdge>"""


def drawing(text: str) -> str:
    """The smallest procedure with a limit, a way back and a second step, drawn."""
    text = text.replace('xmlns:zeebe="', 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:zeebe="', 1)
    text = re.sub(r"</bpmn:extensionElements>\s*<bpmn:incoming>begin_handle</bpmn:incoming>", PROPERTIES, text, count=1)
    text = re.sub(r'<bpmn:endEvent id="done".*?</bpmn:process>', FLOW, text, count=1, flags=re.DOTALL)
    text = re.sub(r'<bpmndi:BPMNShape id="done_di".*?</bpmndi:BPMNShape>', SHAPES, text, count=1, flags=re.DOTALL)
    return text.replace('<di:waypoint x="444" y="180" />', '<di:waypoint x="440" y="180" />')


@pytest.fixture
def draft(designing: Engine, request: pytest.FixtureRequest) -> int:
    """A new draft of its own procedure, with the drawing above; its key."""
    process = f"purchase_{crc32(request.node.name.encode())}"
    made = drafts.create(designing.desk, process_id=process, title=TITLE, by=DESIGNER)
    name = f"{process}.bpmn"
    return drafts.save(designing.desk, made.key, {name: drawing(made.files[name])}, revision=made.revision, by=DESIGNER).key


class DryRun:
    """The page of a dry run as a designer uses it."""

    def __init__(self, desk: Desk, draft: int) -> None:
        self.desk, self.draft = desk, draft
        self.page: Page = desk.person(DESIGNER).page

    def open(self, more: str = "") -> DryRun:
        self.page.goto(f"{self.desk.url}/designer/drafts/{self.draft}/try{more}")
        expect(self.page.locator("html[data-try-ready]")).to_be_attached(timeout=PATIENCE)
        return self

    @property
    def work(self) -> Locator:
        return self.page.locator("#now")

    @property
    def log(self) -> Locator:
        return self.page.locator("[data-try-log]")

    def begin(self, subject: str) -> None:
        self.work.get_by_label("事项").fill(subject)
        self.work.get_by_label("事项").press("Tab")
        self.work.get_by_role("button", name="发起办件").click()
        expect(self.task("handle")).to_be_visible()

    def task(self, element: str) -> Locator:
        return self.work.locator(f'details[data-element="{element}"]')

    def tool(self, name: str) -> None:
        self.page.locator(f"[data-try={name}]").click()

    def steps(self, count: int) -> None:
        """The run has come so far: the opening and ``count`` steps."""
        expect(self.log.locator("> li")).to_have_count(count + 1)

    def week(self) -> None:
        self.page.locator("[data-try-clock]").get_by_role("button", name="+1 周").click()

    def agree(self) -> None:
        box = self.task("handle").get_by_label("办理情况")
        box.fill("情况属实。")
        box.press("Tab")
        self.task("handle").get_by_role("button", name="同意").click()
        expect(self.task("review")).to_be_visible()

    def keep(self, title: str, name: str) -> None:
        self.tool("keep")
        dialog = self.page.locator("dialog[open]")
        dialog.get_by_label("标题").fill(title)
        dialog.get_by_label("文件名").fill(name)
        dialog.locator("button[value=keep]").click()
        expect(self.page.locator(f'#kept tr[data-scenario="{name}"]')).to_have_count(1)

    def run_all(self, name: str) -> Locator:
        """All scenarios; the light of one of them."""
        self.page.locator("#tab-kept").click()
        self.page.locator("#kept").get_by_role("button", name="运行全部").click()
        light = self.page.locator(f'#kept tr[data-scenario="{name}"] .light')
        expect(light).to_be_visible(timeout=PATIENCE)
        expect(self.page.locator("#kept progress")).to_have_count(0, timeout=PATIENCE)
        return light

    def settled(self) -> None:
        """Nothing is being played for this page."""
        expect(self.page.locator("#trying")).not_to_have_attribute("aria-busy", "true")

    def fits(self) -> None:
        """Nothing leads out of the page sideways."""
        self.settled()
        wide = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, wide


def test_a_draft_is_tried_kept_as_a_scenario_and_refused_once_the_drawing_differs(desk: Desk, draft: int, tmp_path: Path):
    run = DryRun(desk, draft)
    page = desk.person(DESIGNER).go(f"/designer/drafts/{draft}")
    page.get_by_role("link", name="试运行").first.click()
    expect(page.locator("html[data-try-ready]")).to_be_attached(timeout=PATIENCE)

    # Walk: open the case, let a week pass so that the ladder speaks, take it back, do it again.
    run.begin("购买打印机")
    expect(page.locator('.djs-shape[data-element-id="handle"].is-current')).to_be_visible()
    run.week()
    run.steps(1)
    expect(run.log.locator(".kind-rung").first).to_be_visible()
    page.locator("#tab-limits").click()
    expect(page.locator("#limits")).to_contain_text("热线工单答复")
    page.locator("#tab-now").click()
    run.tool("back")
    run.steps(0)
    expect(run.log.locator(".kind-rung")).to_have_count(0)
    run.tool("again")
    run.steps(1)
    expect(run.log.locator(".kind-rung").first).to_be_visible()

    # A click on the drawing opens what is to be done there; the button without its form is refused at the field.
    run.task("handle").locator("summary").click()
    expect(run.task("handle")).not_to_have_attribute("open", "")
    page.locator('.djs-element[data-element-id="handle"]').first.click()
    expect(run.task("handle")).to_have_attribute("open", "")
    run.task("handle").get_by_role("button", name="同意").click()
    expect(run.task("handle").locator(".fjs-has-errors")).to_be_visible()
    run.agree()
    run.steps(2)
    run.settled()
    page.screenshot(path=tmp_path / "walking-1366.png")
    run.task("review").locator("summary").click()
    if run.task("review").get_attribute("open") is None:
        run.task("review").locator("summary").click()
    run.task("review").get_by_role("button", name="办结此步").click()
    run.steps(3)
    expect(run.work.locator(".alert-success")).to_be_visible()

    # Back to any step, and forward again without filling anything in anew.
    run.log.locator("> li").nth(1).locator(".trying__rewind").click()
    run.steps(1)
    for number in (2, 3):
        run.tool("again")
        run.steps(number)

    # Kept, played, and what it covers drawn on the diagram.
    run.keep("同意并复核", "agreed")
    light = run.run_all("agreed")
    expect(light).to_have_text("通过")
    page.locator("[data-try-coverage]").check()
    expect(page.locator('.djs-shape[data-element-id="review"].is-covered')).to_be_visible()
    expect(page.locator('.djs-shape[data-element-id="returned"].is-missed')).to_be_visible()
    expect(page.locator("[data-try-missed]")).to_contain_text("退回")
    page.screenshot(path=tmp_path / "coverage-1366.png")
    run.fits()

    # The drawing changes under the scenario: it says what differs and where, and nothing is published.
    way = SampleProcedure(desk)
    way.draft = draft
    way.open_editor()
    way.select("复核")
    page.keyboard.press("Delete")
    way.save()
    run.open()
    expect(run.run_all("agreed")).to_have_text("未通过")
    row = page.locator('#kept tr[data-scenario="agreed"]')
    expect(row).to_contain_text("第 3 步")
    row.get_by_role("button", name="打开").click()
    expect(page.locator("[data-try-trouble]")).to_contain_text("第 3 步（复核）")
    run.steps(3)
    page.set_viewport_size(PHONE)
    run.fits()
    page.screenshot(path=tmp_path / "failing-390.png", full_page=True)
    page.set_viewport_size(SCREEN)

    desk.expects(422)
    desk.person(DESIGNER).go(f"/designer/drafts/{draft}/submit")
    page.locator("textarea[name=reason]").fill("去掉复核")
    confirm = page.locator("main input[name=warnings][type=checkbox]")
    if confirm.count():
        confirm.check()
    page.locator("main aside form button.btn-primary").click()
    expect(page.locator(".form-errors")).to_contain_text("同意并复核")
    expect(page.locator("textarea[name=reason]")).to_have_value("去掉复核")
    assert page.evaluate("[...(window.banjieMissingWords ?? [])]") == []


def test_an_expectation_that_does_not_hold_shows_its_place_on_the_drawing(desk: Desk, draft: int):
    run = DryRun(desk, draft).open()
    run.begin("购买服务器")
    run.agree()
    run.keep("只到复核", "half")
    run.tool("back")
    run.task("handle").get_by_label("办理情况").fill("材料不齐。")
    run.task("handle").get_by_role("button", name="退回").click()
    expect(run.work.locator(".alert-success")).to_be_visible()
    run.tool("keep")
    dialog = run.page.locator("dialog[open]")
    dialog.get_by_label("标题").fill("退回")
    dialog.get_by_label("文件名").fill("returned")
    # What a designer would expect, and this run does not do.
    dialog.get_by_label("依次办理", exact=True).fill("handle, review")
    dialog.locator("button[value=keep]").click()
    expect(run.run_all("returned")).to_have_text("未通过")
    expect(run.page.locator('#kept tr[data-scenario="half"] .light')).to_have_text("通过")
    row = run.page.locator('#kept tr[data-scenario="returned"]')
    expect(row).to_contain_text("复核")
    row.get_by_role("button", name="打开").click()
    trouble = run.page.locator("[data-try-trouble]")
    expect(trouble).to_contain_text("复核")
    trouble.get_by_role("button", name="显示").click()
    expect(run.page.locator(".djs-element.is-picked")).to_have_count(1)


def test_publishing_waits_for_its_scenarios_and_goes_on_without_scripts_and_without_the_page(desk: Desk, draft: int, designing: Engine):
    run = DryRun(desk, draft).open()
    run.begin("购买电脑")
    run.agree()
    run.keep("到复核", "half")
    visitor = desk.visitor(DESIGNER, java_script_enabled=False)
    page = visitor.page
    page.goto(f"{desk.url}/login")
    visitor.fill_sign_in(page)
    expect(page.locator(".frame__person")).to_be_visible()
    page.goto(f"{desk.url}/designer/drafts/{draft}/submit")
    page.locator("textarea[name=reason]").fill("新建")
    confirm = page.locator("main input[name=warnings][type=checkbox]")
    if confirm.count():
        confirm.check()
    page.locator("main aside form button.btn-primary").click()
    page.wait_for_url(re.compile(r"/designer/submissions/\d+"), timeout=PATIENCE)
    expect(page.locator("main .alert-success")).to_be_visible()
    expect(page.locator("dl.facts")).to_contain_text("到复核")
