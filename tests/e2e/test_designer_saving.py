"""Nothing that was written into a draft is lost: findings that come in under the pen, saves that meet each other, others at work on it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from engine import Engine
from engine.runtime.design import drafts
from tests.support.browser import Desk
from tests.support.drafting import DESIGNER, begin_name, entry, find, open_file, opened, rename, save, state, stored, unfold
from tests.support.server import PASSWORD
from web.designer.queries import drafts_listed

OTHER = "duqiang"
STEP = "accept_review"


@pytest.fixture
def key(designing: Engine) -> int:
    return drafts.branch(designing.desk, "complaint", by=DESIGNER).key


@pytest.fixture
def page(desk: Desk, key: int) -> Page:
    return opened(desk.person(DESIGNER), key)


class Held:
    """Requests that are answered when the test says so."""

    def __init__(self, page: Page, url: str | re.Pattern[str]) -> None:
        self.page = page
        self.waiting: list[Route] = []
        self.open = False
        page.route(url, self._asked)

    def _asked(self, route: Route) -> None:
        if self.open:
            route.continue_()
        else:
            self.waiting.append(route)

    def wait(self) -> None:
        """Until one has been asked for."""
        while not self.waiting:
            self.page.evaluate("() => new Promise((done) => setTimeout(done, 20))")

    def go(self) -> None:
        """Answer what waits, and everything from now on."""
        self.open = True
        for route in self.waiting:
            route.continue_()
        self.waiting.clear()


FOUND = [
    {"file": file, "line": None, "elementId": id, "rule": "test.found", "message": f"测试发现的问题 {number}", "severity": "error"}
    for number in range(3)
    for file, id in (("complaint.bpmn", STEP), ("complaint.dmn", "complaint_grade_r1_i1"), ("complaint_handle.form", "methods"))
]


class Findings(Held):
    """The server's check, whose answer comes in when the test says so."""

    def __init__(self, page: Page) -> None:
        super().__init__(page, "**/designer/lint")

    def come_in(self) -> None:
        self.wait()
        for route in self.waiting:
            route.fulfill(json={"problems": FOUND})
        self.waiting.clear()
        expect(self.page.locator('[data-findings] [data-rule="test.found"]')).to_have_count(len(FOUND))


def write_around(page: Page, findings: Findings, first: str, second: str) -> None:
    """Write ``first``; findings come in; go on with ``second`` without touching anything."""
    page.keyboard.type(first)
    page.evaluate("() => { window.pen = document.activeElement; }")
    place = page.evaluate("() => JSON.stringify(window.pen.getBoundingClientRect().toJSON())")
    findings.come_in()
    assert page.evaluate("() => window.pen.isConnected && document.activeElement === window.pen"), "the pen was taken away"
    top, was = page.evaluate("() => window.pen.getBoundingClientRect().top"), json.loads(place)["top"]
    assert abs(top - was) < 1, "what is written on has moved"
    page.keyboard.type(second)


def test_findings_that_come_in_leave_a_cell_of_a_table_alone(page: Page, key: int, designing: Engine):
    opened_file = open_file(page, "decisions", "complaint.dmn")
    findings = Findings(page)
    cell = opened_file.locator('td[data-element-id="complaint_grade_r2_i2"]')
    cell.click()
    page.keyboard.press("Control+a")
    write_around(page, findings, '"superior", ', '"inspection"')
    expect(cell.locator(".cm-content")).to_have_text('"superior", "inspection"')
    save(page)
    assert '>"superior", "inspection"<' in stored(designing, key).files["complaint.dmn"].replace("&#34;", '"').replace("&quot;", '"')


def test_findings_that_come_in_leave_a_label_of_a_form_alone(page: Page, key: int, designing: Engine):
    opened_file = open_file(page, "forms", "complaint_handle.form")
    opened_file.locator('.fjs-element[data-id="methods"]').click()
    unfold(page, "[data-form-canvas]", "常规")
    findings = Findings(page)
    entry(page, "label", "[data-form-canvas]").click()
    page.keyboard.press("Control+a")
    write_around(page, findings, "调查所用", "的方式")
    save(page)
    form = json.loads(stored(designing, key).files["complaint_handle.form"])
    assert next(each for each in form["components"] if each.get("id") == "methods")["label"] == "调查所用的方式"


def test_findings_that_come_in_leave_an_expression_alone(page: Page, key: int, designing: Engine):
    find(page, "受理")
    unfold(page, "[data-panel]", "条件")
    findings = Findings(page)
    page.locator('[data-panel] [data-entry-id="conditionExpression"] [contenteditable=true]').click()
    page.keyboard.press("Control+a")
    write_around(page, findings, 'outcome = "accept" and ', "days > 3")
    # Not left, and not a moment waited: what stands on the page is saved.
    save(page)
    assert '=outcome = "accept" and days &gt; 3<' in stored(designing, key).files["complaint.bpmn"]


def test_findings_that_come_in_leave_a_name_on_the_drawing_alone(page: Page, key: int, designing: Engine):
    findings = Findings(page)
    rename(page, "科长审核", "科长复核")
    begin_name(page, "受理审查")
    write_around(page, findings, "受理审查", "与登记")
    save(page)
    assert 'name="受理审查与登记"' in stored(designing, key).files["complaint.bpmn"]


def test_a_number_written_a_moment_ago_is_saved_by_the_button(page: Page, key: int, designing: Engine):
    """The fields for numbers of the form editor hand on late, and not even when they are left."""
    opened_file = open_file(page, "forms", "complaint_handle.form")
    opened_file.locator(".fjs-palette-field[data-field-type=number]").press("Enter")
    number = opened_file.locator('.fjs-element[data-field-type="number"]').last
    expect(number).to_be_visible()
    number.click()
    unfold(page, "[data-form-canvas]", "常规")
    page.locator("[data-form-canvas] input[id$=decimalDigits]").fill("2")
    page.locator("[data-act=save]").click()
    expect(state(page)).to_have_text(re.compile("^已保存"))
    form = json.loads(stored(designing, key).files["complaint_handle.form"])
    assert form["components"][-1]["decimalDigits"] == 2


def test_a_save_asked_for_during_a_save_takes_what_was_changed_between(page: Page, key: int, designing: Engine):
    saves = Held(page, re.compile("/files$"))
    rename(page, "受理审查", "受理审查一")
    page.keyboard.press("Control+s")
    saves.wait()
    rename(page, "科长审核", "科长复核")
    page.keyboard.press("Control+s")
    page.keyboard.press("Control+s")
    saves.go()
    expect(state(page)).to_have_text(re.compile("^已(全部)?保存"))
    kept = stored(designing, key)
    assert 'name="受理审查一"' in kept.files["complaint.bpmn"] and 'name="科长复核"' in kept.files["complaint.bpmn"]
    assert kept.revision == 3


def test_what_is_changed_during_a_save_is_not_called_saved(page: Page, key: int, designing: Engine):
    saves = Held(page, re.compile("/files$"))
    rename(page, "受理审查", "受理审查一")
    page.keyboard.press("Control+s")
    saves.wait()
    rename(page, "科长审核", "科长复核")
    saves.go()
    expect(state(page)).to_have_text(re.compile("^已自动保存|.*尚未正式保存"))
    assert 'name="科长复核"' not in stored(designing, key).files["complaint.bpmn"]
    save(page)
    assert 'name="科长复核"' in stored(designing, key).files["complaint.bpmn"]


def test_a_save_in_the_middle_of_an_import_waits_for_it(page: Page, key: int, designing: Engine, tmp_path: Path):
    foreign = tmp_path / "foreign.bpmn"
    foreign.write_text(
        '<?xml version="1.0"?><definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" targetNamespace="x" id="d">'
        '<process id="leave" isExecutable="true"><startEvent id="s"/><sequenceFlow id="f" sourceRef="s" targetRef="t"/>'
        '<userTask id="t" name="外来任务"/><sequenceFlow id="g" sourceRef="t" targetRef="e"/><endEvent id="e"/></process></definitions>'
    )
    rename(page, "受理审查", "受理审查一")
    # The layout of a file without a drawing is fetched when it is needed.
    layout = Held(page, re.compile(r"/build/.*\.js"))
    page.locator("[data-import-file]").set_input_files(foreign)
    layout.wait()
    page.keyboard.press("Control+s")
    layout.go()
    expect(page.locator("[data-note=imported]")).to_contain_text("已导入")
    expect(state(page)).to_have_text(re.compile("^已(全部)?保存"))
    assert 'name="外来任务"' in stored(designing, key).files["complaint.bpmn"]


def test_what_is_undone_after_a_save_is_a_change_again(page: Page, key: int, designing: Engine):
    rename(page, "受理审查", "受理审查一")
    save(page)
    page.locator("[data-act=undo]").click()
    expect(state(page)).not_to_have_text(re.compile("^已(全部)?保存"))
    save(page)
    text = stored(designing, key).files["complaint.bpmn"]
    assert 'name="受理审查"' in text and 'name="受理审查一"' not in text


def test_work_that_was_taken_back_is_not_offered_as_lost(desk: Desk, page: Page, key: int, designing: Engine):
    # The tool writes the file in its own manner, so that the text of the first save is what a step back leads to.
    rename(page, "受理审查", "受理审查一")
    save(page)
    rename(page, "受理审查一", "受理审查二")
    expect(state(page)).to_have_text(re.compile("已自动保存"))
    page.locator("[data-act=undo]").click()
    expect(state(page)).to_have_text("已全部保存")
    opened(desk.person(DESIGNER), key)
    expect(page.locator("[data-findings]")).to_have_attribute("data-state", "fresh")
    expect(page.locator("[data-note=recovery]")).to_have_count(0)


def test_who_puts_off_signing_in_is_asked_again_by_a_save_only(desk: Desk, key: int, designing: Engine):
    person = desk.visitor(DESIGNER).sign_in()
    page = opened(person, key)
    desk.expects(401, 400)
    cookies = person.context.cookies()
    person.context.clear_cookies()
    rename(page, "受理审查", "受理审查一")
    dialog = page.locator("dialog[open]")
    expect(dialog).to_contain_text("请重新登录")
    dialog.get_by_role("button", name="稍后").click()
    rename(page, "科长审核", "科长复核")
    expect(state(page)).to_have_text(re.compile("本浏览器"))
    expect(dialog).to_have_count(0)
    page.keyboard.press("Control+s")
    expect(dialog).to_contain_text("请重新登录")
    person.context.add_cookies(cookies)
    dialog.get_by_role("button", name=re.compile("继续")).click()
    expect(state(page)).to_have_text(re.compile("^已保存"))
    assert 'name="科长复核"' in stored(designing, key).files["complaint.bpmn"]


def sign_in_there(page: Page, login: str, password: str = PASSWORD) -> None:
    """The dialog that asks to sign in again, filled in."""
    dialog = page.locator("dialog[open]")
    expect(dialog).to_contain_text("请重新登录")
    dialog.get_by_label("账号").fill(login)
    dialog.get_by_label("密码").fill(password)
    dialog.get_by_role("button", name="登录", exact=True).click()


def test_signing_in_again_happens_on_the_page_itself(desk: Desk, key: int, designing: Engine):
    person = desk.visitor(DESIGNER).sign_in()
    page = opened(person, key)
    desk.expects(401, 400, 403)
    person.context.clear_cookies()
    rename(page, "受理审查", "受理审查一")
    page.keyboard.press("Control+s")
    sign_in_there(page, DESIGNER, "wrong")
    expect(page.locator("dialog[open] [role=status]")).not_to_be_empty()
    sign_in_there(page, DESIGNER)
    expect(page.locator("dialog[open]")).to_have_count(0)
    expect(state(page)).to_have_text(re.compile("^已保存"))
    assert 'name="受理审查一"' in stored(designing, key).files["complaint.bpmn"]
    assert len(person.context.pages) == 1


def test_a_save_in_the_name_of_somebody_else_asks_first(desk: Desk, key: int, designing: Engine):
    person = desk.visitor(DESIGNER).sign_in()
    page = opened(person, key)
    desk.expects(401, 400, 403)
    person.context.clear_cookies()
    rename(page, "受理审查", "受理审查一")
    page.keyboard.press("Control+s")
    sign_in_there(page, "wangfang")
    dialog = page.locator("dialog[open]")
    expect(dialog).to_contain_text("现在登录的是王芳，而本页是姚静打开的")
    assert stored(designing, key).revision == 1
    dialog.get_by_role("button", name="以王芳的身份继续").click()
    # A clerk saves no draft: it is said why, and the designer can come back without leaving the page.
    expect(dialog).to_contain_text("职责")
    sign_in_there(page, DESIGNER)
    expect(dialog).to_have_count(0)
    expect(state(page)).to_have_text(re.compile("^已保存"))
    assert stored(designing, key).saved_by == DESIGNER


# --- two at one draft ---------------------------------------------------------------------------------------------------------


def other_saves(designing: Engine, key: int, file: str, change: Callable[[str], str]) -> None:
    draft = stored(designing, key)
    drafts.save(designing.desk, key, {file: change(draft.files[file])}, revision=draft.revision, by=DESIGNER)


def look_up(page: Page) -> None:
    """Somebody comes back to the page from another tab."""
    page.evaluate("() => document.dispatchEvent(new Event('visibilitychange'))")


def test_what_only_one_of_two_changed_comes_together_by_itself(desk: Desk, page: Page, key: int, designing: Engine):
    open_file(page, "forms", "complaint_handle.form")
    page.locator("#tab-flow").click()
    rename(page, "受理审查", "我的审查")
    other_saves(designing, key, "complaint_handle.form", lambda text: text.replace("调查方式", "调查的方式"))
    draft = stored(designing, key)
    drafts.save(designing.desk, key, {"other_made.md": "新的"}, revision=draft.revision, by=DESIGNER)
    desk.expects(409)
    page.keyboard.press("Control+s")
    note = page.locator("[data-note=merged]")
    expect(note).to_contain_text("complaint_handle.form")
    expect(note).to_contain_text("other_made.md")
    expect(state(page)).to_have_text(re.compile("^已保存"))
    expect(page.locator("[data-note=conflict]")).to_have_count(0)
    files = stored(designing, key).files
    assert 'name="我的审查"' in files["complaint.bpmn"]
    assert "调查的方式" in files["complaint_handle.form"]
    assert files["other_made.md"] == "新的"
    expect(open_file(page, "forms", "complaint_handle.form")).to_contain_text("调查的方式")


def copies(designing: Engine) -> list[drafts.Draft]:
    """The drafts with what was not taken, the newest first."""
    with designing.reading() as conn:
        found = [each for each in drafts_listed(conn, ("OPEN",)) if "的版本）" in each.title]
    return [stored(designing, each.key) for each in sorted(found, key=lambda each: each.key, reverse=True)]


def test_of_files_that_both_changed_each_is_chosen_and_the_other_stays_as_a_draft(desk: Desk, page: Page, key: int, designing: Engine):
    before = {each.key for each in copies(designing)}
    form = open_file(page, "forms", "complaint_handle.form")
    form.locator('.fjs-element[data-id="methods"]').click()
    unfold(page, "[data-form-canvas]", "常规")
    entry(page, "label", "[data-form-canvas]").fill("我的方式")
    page.locator("#tab-flow").click()
    rename(page, "受理审查", "我的审查")
    other_saves(designing, key, "complaint_handle.form", lambda text: text.replace("调查方式", "对方的方式"))
    other_saves(designing, key, "complaint.bpmn", lambda text: text.replace('name="科长审核"', 'name="科长复核"'))
    desk.expects(409)
    page.keyboard.press("Control+s")
    note = page.locator("[data-note=conflict]")
    expect(note.locator("[data-conflict]")).to_have_count(2)
    note.locator('[data-conflict="complaint.bpmn"]').get_by_role("button", name="用对方的").click()
    expect(note.locator('[data-conflict="complaint.bpmn"] [data-choice=theirs]')).to_have_attribute("aria-pressed", "true")
    note.locator('[data-conflict="complaint_handle.form"]').get_by_role("button", name="用我的").click()

    expect(state(page)).to_have_text(re.compile("^已保存"))
    expect(page.locator("[data-note=kept] a")).to_have_count(2)
    expect(note).to_have_count(0)
    files = stored(designing, key).files
    assert 'name="科长复核"' in files["complaint.bpmn"] and 'name="我的审查"' not in files["complaint.bpmn"]
    assert "我的方式" in files["complaint_handle.form"]
    mine, theirs = [each for each in copies(designing) if each.key not in before]
    assert 'name="我的审查"' in mine.files["complaint.bpmn"] and "我的方式" in mine.files["complaint_handle.form"]
    assert "对方的方式" in theirs.files["complaint_handle.form"]
    find(page, "科长复核")


def test_a_save_while_the_two_versions_are_compared_changes_neither(desk: Desk, page: Page, key: int, designing: Engine):
    rename(page, "受理审查", "我的审查")
    other_saves(designing, key, "complaint.bpmn", lambda text: text.replace('name="科长审核"', 'name="科长复核"'))
    desk.expects(409)
    page.keyboard.press("Control+s")
    page.locator("[data-note=conflict]").get_by_role("button", name="比较").click()
    expect(page.locator("dialog[open]")).to_contain_text("我的审查")
    page.keyboard.press("Control+s")
    expect(state(page)).to_have_text(re.compile("期间已有人保存过"))
    page.locator("dialog[open] button[value=theirs]").click()
    expect(page.locator("[data-note=kept] a")).to_have_count(1)
    expect(page.locator("[data-note=merged]")).to_have_count(0)
    expect(state(page)).to_have_text("已全部保存")
    expect(state(page)).to_have_attribute("data-kind", "good")
    find(page, "科长复核")
    page.keyboard.press("Control+s")
    expect(state(page)).to_have_text("已全部保存")
    assert stored(designing, key).revision == 2
    expect(page.locator("[data-note=conflict]")).to_have_count(0)
    # What was given up stands in its own draft: this one does not offer it as lost work.
    opened(desk.person(DESIGNER), key)
    expect(page.locator("[data-findings]")).to_have_attribute("data-state", "fresh")
    expect(page.locator("[data-note=recovery]")).to_have_count(0)


def test_a_file_that_one_removed_and_the_other_changed_is_chosen_too(desk: Desk, page: Page, key: int, designing: Engine):
    draft = stored(designing, key)
    rename(page, "受理审查", "我的审查")
    drafts.save(designing.desk, key, {"complaint.bpmn": None}, revision=draft.revision, by=DESIGNER)
    desk.expects(409)
    page.keyboard.press("Control+s")
    page.locator("[data-note=conflict]").get_by_role("button", name="用我的").click()
    expect(state(page)).to_have_text(re.compile("^已保存"))
    assert 'name="我的审查"' in stored(designing, key).files["complaint.bpmn"]


def test_undoing_everything_leads_back_to_the_text_that_was_opened(page: Page, key: int, designing: Engine):
    before = stored(designing, key)
    rename(page, "受理审查", "受理审查一")
    expect(state(page)).to_have_text(re.compile("已自动保存"))
    page.locator("[data-act=undo]").click()
    expect(state(page)).to_have_text("已全部保存")
    page.keyboard.press("Control+s")
    expect(state(page)).to_have_text("已全部保存")
    assert (stored(designing, key).files, stored(designing, key).revision) == (before.files, before.revision)


def test_a_draft_that_was_closed_meanwhile_says_so_and_keeps_the_work(desk: Desk, page: Page, key: int, designing: Engine):
    rename(page, "受理审查", "关闭后的修改")
    drafts.discard(designing.desk, key, revision=1, by=DESIGNER)
    desk.expects(409)
    page.keyboard.press("Control+s")
    note = page.locator("[data-note=closed]")
    expect(note).to_contain_text("修改已留存")
    assert 'name="关闭后的修改"' not in stored(designing, key).files["complaint.bpmn"]
    page.on("dialog", lambda box: box.accept())
    drafts.restore(designing.desk, key, by=DESIGNER)
    opened(desk.person(DESIGNER), key)
    page.locator("[data-note=recovery]").get_by_role("button", name=re.compile("^恢复")).click()
    find(page, "关闭后的修改")
    save(page)
    assert 'name="关闭后的修改"' in stored(designing, key).files["complaint.bpmn"]


def test_who_else_is_here_and_what_they_saved_is_told(desk: Desk, page: Page, key: int, designing: Engine):
    drafts.touch(designing.desk, key, by=OTHER)
    look_up(page)
    expect(page.locator("[data-others]")).to_contain_text("杜强")
    rename(page, "受理审查", "受理审查一")
    save(page)
    with page.expect_response(re.compile("/here$")):
        look_up(page)
    expect(page.locator("[data-note=newer]")).to_have_count(0)
    other_saves(designing, key, "complaint.bpmn", lambda text: text.replace('name="科长审核"', 'name="科长复核"'))
    look_up(page)
    expect(page.locator("[data-note=newer]")).to_contain_text("姚静")
    drafts.discard(designing.desk, key, revision=3, by=DESIGNER)
    look_up(page)
    expect(page.locator("[data-note=closed]")).to_contain_text("不能再保存修改")


def test_ones_own_save_under_way_is_no_news_from_another(page: Page, key: int, designing: Engine):
    """The server may count a save before its answer has come."""
    saves = Held(page, re.compile("/files$"))
    rename(page, "受理审查", "受理审查一")
    page.keyboard.press("Control+s")
    saves.wait()
    draft = stored(designing, key)
    drafts.save(designing.desk, key, {"README.md": "改过"}, revision=draft.revision, by=DESIGNER)
    with page.expect_response(re.compile("/here$")):
        look_up(page)
    expect(page.locator("[data-note=newer]")).to_have_count(0)
    for route in saves.waiting:
        route.fulfill(json={"revision": 2, "savedAt": "2026-11-23T09:00:00+00:00", "problems": []})
    expect(state(page)).to_have_text(re.compile("^已保存"))
    with page.expect_response(re.compile("/here$")):
        look_up(page)
    expect(page.locator("[data-note=newer]")).to_have_count(0)
