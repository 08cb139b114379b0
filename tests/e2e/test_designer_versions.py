"""The versions of a procedure in Chromium, in Chinese: a second one, running cases brought to it after a look, and the way back."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from engine import Engine
from engine.runtime.design import drafts, publishing
from tests.support.browser import Desk
from tests.support.drafting import DESIGNER
from tests.support.server import RunningServer

PROCESS, TITLE = "versions_walk", "版本演练"
APPROVER, STARTER = "admin", "liqiang"


@pytest.fixture
def engine(server: RunningServer) -> Iterator[Engine]:
    """An engine on the served database, to see what the pages did."""
    opened = Engine(server.database)
    yield opened
    opened.dispose()


@pytest.fixture
def procedure(engine: Engine) -> Engine:
    """The procedure in its first version, with two running cases."""
    draft = drafts.create(engine.desk, process_id=PROCESS, title=TITLE, by=DESIGNER)
    sent = publishing.submit(engine.desk, draft.key, revision=draft.revision, reason="新建", warnings_seen=True, by=DESIGNER)
    publishing.approve(engine.desk, sent.key, revision=sent.revision, by=APPROVER)
    for subject in ("第一件", "第二件"):
        engine.desk.start_case(PROCESS, {"subject": subject}, by=STARTER)
    return engine


def second(files: dict[str, str]) -> dict[str, str]:
    """The step has another name, one more follows it, and the form has another question."""
    drawing = files[f"{PROCESS}.bpmn"].replace('name="办理"', 'name="初审"')
    step = (
        '<bpmn:userTask id="again" name="复核"><bpmn:extensionElements><zeebe:userTask />'
        '<zeebe:assignmentDefinition assignee="=starter" /></bpmn:extensionElements>'
        "<bpmn:incoming>handle_done</bpmn:incoming><bpmn:outgoing>again_done</bpmn:outgoing></bpmn:userTask>"
    )
    drawing = drawing.replace('<bpmn:endEvent id="done"', step + '<bpmn:endEvent id="done"')
    drawing = drawing.replace("<bpmn:incoming>handle_done</bpmn:incoming>\n    </bpmn:endEvent>", "<bpmn:incoming>again_done</bpmn:incoming></bpmn:endEvent>")
    drawing = drawing.replace('targetRef="done" />', 'targetRef="again" /><bpmn:sequenceFlow id="again_done" sourceRef="again" targetRef="done" />')
    shapes = (
        '<bpmndi:BPMNShape id="again_di" bpmnElement="again"><dc:Bounds x="520" y="140" width="100" height="80" /></bpmndi:BPMNShape>'
        '<bpmndi:BPMNEdge id="again_done_di" bpmnElement="again_done"><di:waypoint x="520" y="180" /><di:waypoint x="480" y="180" /></bpmndi:BPMNEdge>'
    )
    drawing = drawing.replace("</bpmndi:BPMNPlane>", shapes + "</bpmndi:BPMNPlane>")
    form = f"{PROCESS}_handle.form"
    return {f"{PROCESS}.bpmn": drawing, form: files[form].replace("办理情况", "初审意见")}


def answered_yes(page: Page) -> None:
    """The question before something large is answered, and the next page stands."""
    page.locator('dialog[open] button[value="yes"]').click()


def row_of(page: Page, version: int):
    """The line that says how many cases run on a version of the process."""
    return page.locator("#instances tbody tr").filter(has_text=f"v{version}").first


def approved(desk: Desk, submission: str) -> Page:
    """Another person looks at a submission and agrees."""
    page = desk.person(APPROVER).go(submission)
    page.get_by_role("button", name="批准").click()
    answered_yes(page)
    expect(page.locator(".toast, .alert").filter(has_text=re.compile("启用"))).to_be_visible()
    return page


def test_a_second_version_takes_running_cases_along_and_the_first_comes_back_with_its_forms(desk: Desk, procedure: Engine):
    designer = desk.person(DESIGNER)
    draft = drafts.branch(procedure.desk, PROCESS, by=DESIGNER)
    drafts.save(procedure.desk, draft.key, second(draft.files), revision=draft.revision, by=DESIGNER)

    page = designer.go(f"/designer/drafts/{draft.key}/submit")
    page.locator("[name=reason]").fill("增加复核")
    page.locator("[name=warnings]").check()
    page.locator('main button[type=submit].btn-primary').click()
    page.wait_for_url(re.compile("/designer/submissions/"))
    told = page.locator("[data-design-diff-list] li")
    expect(told.filter(has_text="新增：复核")).to_be_visible()
    expect(told.filter(has_text="初审（名称：办理 → 初审）")).to_be_visible()
    form = page.locator("details.panel", has_text=f"{PROCESS}_handle.form")
    expect(form).to_contain_text("“初审意见”")
    expect(form.locator("[data-original] table")).to_be_hidden()
    form.locator("[data-original] summary").click()
    expect(form.locator("[data-original] table")).to_be_visible()
    page = approved(desk, page.url.removeprefix(desk.url))
    assert procedure.definition("process", PROCESS).version == 2

    # Who runs on what; the two cases are looked at one by one, then brought along.
    page = designer.go(f"/designer/procedures/{PROCESS}")
    expect(row_of(page, 1)).to_contain_text("2")
    row_of(page, 1).locator("a[href*='/operations/instances']").click()
    expect(page.locator("main table tbody tr")).to_have_count(2)
    page = designer.go(f"/designer/procedures/{PROCESS}")
    row_of(page, 1).get_by_role("link", name="迁到 v2").click()
    report = page.locator("main table").filter(has=page.locator("[name=only]"))
    expect(report.locator("tbody tr")).to_have_count(2)
    expect(report.locator("tbody .light--green")).to_have_count(2)
    expect(report.locator("tbody tr").first).to_contain_text("办理 → 初审")
    page.locator("main [name=reason]").first.fill("按新流程办理")
    page.locator('button[name=which][value="all"]').click()
    answered_yes(page)
    page.wait_for_url(re.compile("/operations/batches/"))
    expect(page.locator("main")).to_contain_text("完成")
    page = designer.go(f"/designer/procedures/{PROCESS}")
    expect(row_of(page, 2).locator("a[href*='state=running']")).to_have_text("2")

    # Back to the first version, with the form that went with it; the second person agrees.
    page.locator("details.menu summary", has_text="恢复旧版").first.click()
    page.locator("form[action$='/rollback'] [name=reason]").first.fill("复核环节暂缓")
    page.locator("form[action$='/rollback'] button").first.click()
    answered_yes(page)
    page.wait_for_url(re.compile("/designer/submissions/"))
    expect(page.locator("main")).to_contain_text("复核环节暂缓")
    approved(desk, page.url.removeprefix(desk.url))
    page = designer.go(f"/designer/procedures/{PROCESS}")
    expect(page.locator("main tbody tr").first).to_contain_text("复核环节暂缓")
    expect(row_of(page, 2).locator("a[href*='state=running']")).to_have_text("2")
    begun = procedure.desk.start_case(PROCESS, {"subject": "第三件"}, by=STARTER)
    assert begun.version == 3
    assert [task.name for task in procedure.user_tasks(begun.key)] == ["办理"]
    form = procedure.catalogue.find("form", f"{PROCESS}_handle")
    assert form.version == 3
    assert page.evaluate("[...(window.__missingTranslations ?? [])]") == []


def test_the_administrator_who_approves_sees_the_versions_and_changes_none(desk: Desk, server: RunningServer):
    page = desk.person(APPROVER).go("/designer/procedures/complaint")

    expect(page.locator("#instances")).to_be_visible()
    expect(page.locator("form[action$='/change'], form[action$='/rollback']")).to_have_count(0)
