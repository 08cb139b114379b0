"""The editor of a draft in Chromium, in Chinese: drawing, choosing, saving, and everything that could lose work."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from engine import Engine
from engine.runtime.design import drafts
from tests.support.browser import Desk
from tests.support.drafting import DESIGNER, find, stored

LATIN = re.compile(r"[A-Za-z]{3,}")
NAMES = re.compile(r"Powered by bpmn\.io|BPMN(\.iO)?|FEEL|XML|SVG|PNG|DMN|JSON|Ctrl|Shift|Esc|Delete|MB", re.IGNORECASE)
"""What stays as it is in a Chinese sentence: formats, keys, the mark of the drawing tool."""


@pytest.fixture
def new_draft(designing: Engine) -> Callable[[str], int]:
    return lambda process: drafts.branch(designing.desk, process, by=DESIGNER).key


def opened(page: Page, key: int) -> Page:
    page.goto(f"{page.url.split('/', 3)[0]}//{page.url.split('/', 3)[2]}/designer/drafts/{key}/edit")
    expect(page.locator("#designer[data-ready]")).to_be_attached()
    return page


def group(page: Page, title: str) -> Locator:
    """A group of the properties panel, unfolded."""
    found = page.locator(".bio-properties-panel-group").filter(
        has=page.locator(".bio-properties-panel-group-header-title", has_text=re.compile(f"^{title}$"))
    )
    if not found.locator(".bio-properties-panel-group-entries.open, .bio-properties-panel-list.open").count():
        found.locator(".bio-properties-panel-group-header-title").first.click()
    return found


def entry(page: Page, name: str) -> Locator:
    return page.locator(f"#bio-properties-panel-{name}")


def rename(page: Page, old: str, new: str) -> None:
    find(page, old)
    group(page, "常规")
    box = entry(page, "name")
    box.fill(new)
    box.press("Tab")
    expect(page.locator("[data-save-state]")).to_have_text("尚未保存")


def save(page: Page) -> None:
    page.keyboard.press("Control+s")
    expect(page.locator("[data-save-state]")).to_have_text(re.compile("^已保存"))


def test_a_rule_chosen_from_the_list_is_saved_and_still_there_after_a_reload(desk: Desk, new_draft, designing):
    key = new_draft("complaint")
    page = opened(desk.person(DESIGNER).go("/designer"), key)

    rename(page, "受理审查", "受理审查与登记")
    group(page, "本环节时限")
    entry(page, "banjie-deadline").select_option("cmp.C")
    save(page)

    kept = stored(designing, key)
    assert kept.revision == 2
    assert 'name="受理审查与登记"' in kept.files["complaint.bpmn"]
    opened(page, key)
    find(page, "受理审查与登记")
    group(page, "本环节时限")
    expect(entry(page, "banjie-deadline")).to_have_value("cmp.C")
    assert page.evaluate("[...window.__missingTranslations]") == []


def test_opening_and_saving_without_a_change_leaves_the_file_as_it_was(desk: Desk, new_draft, designing):
    key = new_draft("complaint")
    before = stored(designing, key)
    page = opened(desk.person(DESIGNER).go("/designer"), key)

    page.keyboard.press("Control+s")

    expect(page.locator("[data-save-state]")).to_have_text("已全部保存")
    assert stored(designing, key).files == before.files
    assert stored(designing, key).revision == before.revision


def test_an_assignment_is_chosen_in_words_and_taken_back_in_one_step(desk: Desk, new_draft, designing):
    key = new_draft("complaint")
    page = opened(desk.person(DESIGNER).go("/designer"), key)
    find(page, "受理审查")
    group(page, "办理人")

    entry(page, "banjie-assign").select_option("role_in")
    expect(entry(page, "banjie-assign-section")).to_be_visible()
    page.locator("[data-act=undo]").click()

    expect(entry(page, "banjie-assign")).to_have_value("role")
    page.locator("[data-act=redo]").click()
    expect(entry(page, "banjie-assign")).to_have_value("role_in")
    group(page, "多人办理")
    entry(page, "banjie-signing").select_option("ballot")
    expect(entry(page, "banjie-signing-share")).to_have_value("1/2")
    save(page)
    text = stored(designing, key).files["complaint.bpmn"]
    assert 'inputElement="signer"' in text and "completionCondition" in text and 'assignee="=signer"' in text


def test_work_that_was_never_saved_is_offered_after_a_crash(desk: Desk, new_draft):
    key = new_draft("complaint")
    person = desk.person(DESIGNER)
    page = opened(person.go("/designer"), key)
    rename(page, "受理审查", "受理审查一")
    expect(page.locator("[data-save-state]")).to_have_text(re.compile("已自动保存"))
    page.close()

    person.page = page = person.context.new_page()
    page.goto(desk.url + "/designer")
    opened(page, key)
    page.locator("[data-note=recovery] button", has_text="比较").click()
    expect(page.locator("dialog[open]")).to_contain_text("修改：受理审查一")
    page.locator("dialog[open] button[value=restore]").click()

    find(page, "受理审查一")
    save(page)
    expect(page.locator("[data-note=recovery]")).to_have_count(0)


def test_two_designers_meet_and_both_versions_can_be_compared(desk: Desk, new_draft, designing):
    key = new_draft("complaint")
    page = opened(desk.person(DESIGNER).go("/designer"), key)
    rename(page, "受理审查", "我的审查")
    with designing.reading() as conn:
        theirs = drafts.get(designing.desk, conn, key, DESIGNER)
    text = theirs.files["complaint.bpmn"].replace('name="科长审核"', 'name="科长复核"')
    drafts.save(designing.desk, key, {"complaint.bpmn": text}, revision=theirs.revision, by=DESIGNER)
    desk.expects(409)

    page.keyboard.press("Control+s")

    note = page.locator("[data-note=conflict]")
    expect(note).to_contain_text("保存了这份设计稿")
    note.get_by_role("button", name="比较").click()
    expect(page.locator("dialog[open]")).to_contain_text("我的审查")
    expect(page.locator("dialog[open]")).to_contain_text("科长审核")
    page.locator("dialog[open] button[value=mine]").click()
    expect(page.locator("[data-save-state]")).to_have_text(re.compile("^已保存"))
    assert 'name="我的审查"' in stored(designing, key).files["complaint.bpmn"]


def test_an_expired_session_keeps_the_work_and_signs_in_again_in_place(desk: Desk, new_draft, designing):
    key = new_draft("complaint")
    person = desk.visitor(DESIGNER).sign_in()
    page = opened(person.go("/designer"), key)
    rename(page, "受理审查", "过期前的修改")
    desk.expects(401, 400)
    person.context.clear_cookies()

    page.keyboard.press("Control+s")

    dialog = page.locator("dialog[open]")
    expect(dialog).to_contain_text("请重新登录")
    other = person.context.new_page()
    other.goto(desk.url + "/login")
    person.fill_sign_in(other)
    expect(other.locator(".frame__person")).to_be_visible()
    other.close()
    dialog.get_by_role("button", name=re.compile("继续")).click()
    expect(page.locator("[data-save-state]")).to_have_text(re.compile("^已保存"))
    assert 'name="过期前的修改"' in stored(designing, key).files["complaint.bpmn"]


def test_a_finding_is_shown_on_the_drawing_and_cured_from_the_list(desk: Desk, new_draft, designing):
    key = new_draft("complaint")
    text = stored(designing, key).files["complaint.bpmn"].replace('value="cmp.review"', 'value="no.such.rule"', 1)
    drafts.save(designing.desk, key, {"complaint.bpmn": text}, revision=1, by=DESIGNER)
    page = opened(desk.person(DESIGNER).go("/designer"), key)

    line = page.locator("[data-finding=accept_review]")
    expect(line).to_contain_text("no.such.rule")
    expect(page.locator(".designer__badge--warning")).to_have_text("1")
    line.get_by_role("button", name="去选择").click()
    entry(page, "banjie-deadline").select_option("cmp.review")

    expect(line).to_have_count(0)
    expect(page.locator(".designer__badge--warning")).to_have_count(0)


def test_a_file_of_another_tool_is_laid_out_and_what_is_foreign_is_named(desk: Desk, new_draft, tmp_path: Path):
    key = new_draft("complaint")
    page = opened(desk.person(DESIGNER).go("/designer"), key)
    foreign = tmp_path / "foreign.bpmn"
    foreign.write_text(
        '<?xml version="1.0"?><definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:flowable="http://flowable.org/bpmn" '
        'targetNamespace="x" id="d"><process id="leave" isExecutable="true"><startEvent id="s"/><sequenceFlow id="f" sourceRef="s" targetRef="t"/>'
        '<userTask id="t" name="外来任务" flowable:assignee="kermit"/><sequenceFlow id="g" sourceRef="t" targetRef="e"/><endEvent id="e"/></process></definitions>'
    )
    broken = tmp_path / "broken.bpmn"
    broken.write_text("<definitions><process></definitions>")

    page.locator("[data-import-file]").set_input_files(broken)
    expect(page.locator("[data-note=imported]")).to_contain_text("图没有改变")
    page.locator("[data-import-file]").set_input_files(foreign)

    note = page.locator("[data-note=imported]")
    expect(note).to_contain_text("自动排版")
    expect(note).to_contain_text("Flowable")
    find(page, "外来任务")
    note.get_by_role("button", name="撤销导入").click()
    find(page, "受理审查")


def test_every_pattern_goes_into_the_drawing_and_out_again(desk: Desk, new_draft):
    key = new_draft("complaint")
    page = opened(desk.person(DESIGNER).go("/designer"), key)
    shapes = page.locator("[data-canvas] .djs-shape")
    before = shapes.count()
    names = page.locator("[data-snippet]").evaluate_all("nodes => nodes.map((each) => each.dataset.snippet)")
    assert len(names) == 11
    for name in names:
        page.locator("details:has([data-snippets]) > summary").click()
        page.locator(f"[data-snippet={name}]").click()
        expect(shapes.nth(before)).to_be_attached()
        assert page.locator("[data-canvas] .djs-shape.selected").count() > 0, name
        page.locator("[data-act=undo]").click()
        expect(shapes).to_have_count(before)


def test_another_kind_of_step_is_chosen_without_a_word_in_the_console(desk: Desk, new_draft):
    """The drawing tool calls a function of its own that it has given up, and says so at every click."""
    page = opened(desk.person(DESIGNER).go("/designer"), new_draft("complaint"))
    find(page, "受理审查")
    page.locator('.djs-context-pad .entry[data-action="replace"]').click()
    expect(page.locator(".djs-popup")).to_be_visible()
    pad, menu = page.locator(".djs-context-pad").bounding_box(), page.locator(".djs-popup").bounding_box()
    assert pad and menu and pad["x"] == menu["x"], "the list opens at the signs"


def test_the_drawing_leaves_as_bpmn_and_as_pictures(desk: Desk, new_draft):
    key = new_draft("complaint")
    page = opened(desk.person(DESIGNER).go("/designer"), key)
    for act, begins in (("export-bpmn", b"<?xml"), ("export-svg", b"<?xml"), ("export-png", b"\x89PNG")):
        page.locator(f"details:has([data-act={act}]) > summary").click()
        with page.expect_download() as loading:
            page.locator(f"[data-act={act}]").click()
        assert Path(loading.value.path()).read_bytes().startswith(begins), act


def test_no_english_word_stands_in_the_chinese_editor(desk: Desk, new_draft):
    key = new_draft("complaint")
    page = opened(desk.person(DESIGNER).go("/designer"), key)
    texts = [page.locator("#designer").inner_text()]
    for name in ("受理审查", "是否受理？", "自动定级", "作出受理决定", "补正", "逾期未审查"):
        find(page, name)
        for each in page.locator(".bio-properties-panel-group-header-title").all_inner_texts():
            group(page, re.escape(each))
        panel = page.locator(".bio-properties-panel")
        labels = panel.locator("label, .bio-properties-panel-description, .bio-properties-panel-group-header-title, option")
        texts += labels.all_inner_texts()
        texts += panel.locator("[title]").evaluate_all("nodes => nodes.map((each) => each.title)")
    page.locator("[data-act=keys]").click()
    texts.append(page.locator("dialog[open]").inner_text())
    titles = page.locator("#designer [title], .djs-palette [title], .djs-context-pad [title]").evaluate_all(
        "nodes => nodes.map((each) => each.title)"
    )
    english = {text for text in [*texts, *titles] for word in LATIN.findall(NAMES.sub("", text)) if not is_value(text, word)}

    assert page.evaluate("[...window.__missingTranslations]") == []
    assert english == set(), json.dumps(sorted(english), ensure_ascii=False)


def is_value(text: str, word: str) -> bool:
    """Ids of rules, variables, elements and file names are values, not words: they carry a dot, an underscore or brackets, or stand in lower case."""
    return bool(re.search(rf"[\w.@-]*[._(]{word}|{word}[\w-]*[._)@]|^[a-z_]+$", text)) or word.islower()


def test_hostile_names_are_only_text_and_the_mark_stays_uncovered(desk: Desk, new_draft, tmp_path: Path):
    key = new_draft("complaint")
    page = opened(desk.person(DESIGNER).go("/designer"), key)
    evil = "&lt;img src=x onerror=alert(1)&gt;&lt;script&gt;alert(2)&lt;/script&gt;"
    hostile = tmp_path / "hostile.bpmn"
    hostile.write_text(
        '<?xml version="1.0"?><definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" '
        f'targetNamespace="x" id="d"><process id="p" isExecutable="true" name="{evil}"><documentation>{evil}</documentation><startEvent id="s"/>'
        f'<sequenceFlow id="f" sourceRef="s" targetRef="t"/><userTask id="t" name="{evil}"><extensionElements><zeebe:formDefinition formId="{evil}"/>'
        "</extensionElements></userTask></process></definitions>"
    )
    alarms: list[str] = []
    page.on("dialog", lambda box: (alarms.append(box.message), box.dismiss()))

    page.locator("[data-import-file]").set_input_files(hostile)

    expect(page.locator("[data-note=imported]")).to_contain_text("自动排版")
    expect(page.locator("[data-finding=t]").first).to_contain_text("<img src=x")
    find(page, "<img src=x onerror=alert(1)><script>alert(2)</script>")
    assert page.locator("#designer img[src=x], #designer script").count() == 0
    assert alarms == []
    mark = page.locator(".bjs-powered-by")
    box = mark.bounding_box()
    assert box and box["y"] + box["height"] <= page.viewport_size["height"]
    assert page.evaluate(
        "([x, y]) => Boolean(document.elementFromPoint(x, y).closest('.bjs-powered-by'))",
        [box["x"] + box["width"] / 2, box["y"] + box["height"] / 2],
    )


def test_leaving_with_unsaved_work_asks_first(desk: Desk, new_draft):
    key = new_draft("complaint")
    page = opened(desk.person(DESIGNER).go("/designer"), key)
    rename(page, "受理审查", "还没有保存")
    asked: list[str] = []
    page.on("dialog", lambda box: (asked.append(box.type), box.accept()))

    page.goto(desk.url + "/designer")

    assert asked == ["beforeunload"]
