"""Forms, decisions and the simulation beside the drawing, in Chromium, in Chinese: made from the palette, edited, saved, found again."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from collections.abc import Callable

import pytest
from lxml import etree
from playwright.sync_api import Page, expect

from engine import Engine
from engine.forms.components import TYPES
from engine.runtime.design import drafts
from tests.support.browser import Desk
from tests.support.drafting import DESIGNER, find, open_file, row, stored, unfold
from tests.support.player import ROOT

LATIN = re.compile(r"[A-Za-z]{3,}")
NAMES = re.compile(r"Powered by|bpmn\.io|FEEL|BPMN|DMN|[\w-]+\.(form|dmn|bpmn|md|yaml|json)|https?|HTML", re.IGNORECASE)
"""What stays as it is in a Chinese sentence: file names, formats, the mark of the drawing tool."""

VISIBLE_TEXTS = """(root) => {
  const seen = new Set();
  const isShown = (node) => node.checkVisibility();
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const parent = walker.currentNode.parentElement;
    if (isShown(parent) && !parent.closest('code, pre, .cm-editor, .bts-scope')) seen.add(walker.currentNode.textContent.trim());
  }
  root.querySelectorAll('[title], [placeholder], [aria-label]').forEach((node) => {
    if (isShown(node)) ['title', 'placeholder', 'aria-label'].forEach((name) => seen.add(node.getAttribute(name) ?? ''));
  });
  return [...seen];
}"""


@pytest.fixture
def new_draft(designing: Engine) -> Callable[[str], int]:
    return lambda process: drafts.branch(designing.desk, process, by=DESIGNER).key


@pytest.fixture
def editor(desk: Desk, new_draft: Callable[[str], int]) -> Callable[[str], tuple[Page, int]]:
    """``editor("complaint")``: the page of a new draft of that procedure, and the draft's key."""

    def opened(process: str) -> tuple[Page, int]:
        key = new_draft(process)
        page = desk.person(DESIGNER).go("/designer")
        return again(page, desk, key), key

    return opened


def again(page: Page, desk: Desk, key: int) -> Page:
    page.goto(f"{desk.url}/designer/drafts/{key}/edit")
    expect(page.locator("#designer[data-ready]")).to_be_attached()
    return page


def save(page: Page) -> None:
    page.keyboard.press("Control+s")
    expect(page.locator("[data-save-state]")).to_have_text(re.compile("^已保存"))


def add(page: Page, part: str) -> None:
    """A component from the palette, by the keyboard: it goes to the end of the form."""
    before = page.locator("[data-form-canvas] .fjs-editor-container .fjs-element[data-id]").count()
    page.locator(f'.fjs-palette-field[data-field-type="{part}"]').press("Enter")
    expect(page.locator("[data-form-canvas] .fjs-editor-container .fjs-element[data-id]")).to_have_count(before + 1)


def english(page: Page, allowed: set[str] = frozenset()) -> list[str]:
    """Texts, titles and labels of the open editor that a Chinese reader would not expect."""
    place = page.locator("#designer [data-files]:visible, #designer [data-simulation]:visible")
    texts = [NAMES.sub("", text) for text in place.evaluate(VISIBLE_TEXTS)]
    return [text for text in texts if LATIN.search(text) and text not in allowed]


def words_missing(page: Page) -> list[str]:
    return page.evaluate("[...window.__missingTranslations]")


# --- forms ------------------------------------------------------------------------------------------------------------


def test_a_form_of_a_step_is_made_from_the_palette_bound_saved_and_found_again(desk: Desk, editor, designing):
    page, key = editor("complaint")
    find(page, "受理审查")
    unfold(page, "[data-panel]", "表单")
    page.locator("#bio-properties-panel-banjie-formId").select_option("")
    page.locator("[data-open=make]").click()
    page.locator("#managing-title").fill("受理补充登记")
    page.locator("#managing-id").fill("accept_supplement")
    page.locator("dialog[open] button[value=yes]").click()
    expect(page.locator("[data-form-canvas]")).to_be_visible()
    assert english(page, {"accept_supplement"}) == []

    for part in ("textfield", "select", "datetime"):
        add(page, part)
    page.locator('[data-form-canvas] .fjs-element[data-field-type="datetime"]').click()
    unfold(page, "[data-form-canvas]", "常规")
    label = page.locator("[data-form-canvas] #bio-properties-panel-date-label")
    label.fill("受理日期")
    label.press("Tab")
    assert english(page, {"accept_supplement"}) == []
    page.get_by_role("button", name=re.compile("^返回“受理审查”")).click()
    expect(page.locator("[data-panel] .bio-properties-panel-header-label")).to_have_text("受理审查")
    expect(page.locator("#bio-properties-panel-banjie-formId")).to_have_value("accept_supplement")
    save(page)

    files = stored(designing, key).files
    form = json.loads(files["accept_supplement.form"])
    assert [each["type"] for each in form["components"]] == ["textfield", "select", "datetime"]
    assert form["name"] == "受理补充登记"
    assert form["components"][2]["dateLabel"] == "受理日期"
    assert 'formId="accept_supplement"' in files["complaint.bpmn"]
    again(page, desk, key)
    opened = open_file(page, "forms", "accept_supplement.form")
    expect(opened.locator(".fjs-editor-container")).to_contain_text("受理日期")
    page.locator("[data-act=check]").click()
    expect(page.locator("[data-findings]")).to_have_attribute("data-state", "fresh")
    assert words_missing(page) == []


def test_no_english_word_stands_at_any_kind_of_field(editor):
    page, _key = editor("complaint")
    open_file(page, "forms", "complaint_handle.form")
    kinds = page.locator("[data-form-canvas] .fjs-palette-field").evaluate_all("nodes => nodes.map((each) => each.dataset.fieldType)")
    known = set(english(page))
    found: dict[str, list[str]] = {}
    for kind in kinds:
        add(page, kind)
        added = page.locator(f'[data-form-canvas] .fjs-editor-container .fjs-element[data-field-type="{kind}"]').last
        added.click(position={"x": 4, "y": 4})
        groups = page.locator("[data-form-canvas] .bio-properties-panel-group-header")
        expect(groups.first).to_be_visible()
        for index in range(groups.count()):
            if not page.locator("[data-form-canvas] .bio-properties-panel-group").nth(index).locator(".open").count():
                groups.nth(index).click()
        # What the editor makes up as a key is a value: the kind and a random end, "textfield_1abc2de".
        texts = {text for text in english(page) if not re.fullmatch(r"\s*[A-Za-z]+_[a-z0-9]+\s*", text)}
        if texts - known:
            found[kind] = sorted(texts - known)
    assert len(kinds) > 15
    assert found == {}
    assert words_missing(page) == []


def test_opening_a_form_and_a_decision_changes_neither(editor, designing):
    page, key = editor("complaint")
    before = stored(designing, key)
    open_file(page, "forms", "complaint_handle.form")
    opened = open_file(page, "decisions", "complaint.dmn")
    opened.locator("[data-view]").first.click()
    expect(opened.locator(".dmn-drd-container")).to_be_visible()

    page.keyboard.press("Control+s")

    expect(page.locator("[data-save-state]")).to_have_text("已全部保存")
    assert stored(designing, key).files == before.files


def test_a_changed_label_is_saved_and_everything_else_of_the_form_stays(editor, designing):
    page, key = editor("complaint")
    before = json.loads(stored(designing, key).files["complaint_handle.form"])
    opened = open_file(page, "forms", "complaint_handle.form")
    opened.locator('.fjs-element[data-id="methods"]').click()
    unfold(page, "[data-form-canvas]", "常规")
    label = opened.locator("#bio-properties-panel-label")
    label.fill("调查的方式")
    label.press("Tab")
    expect(opened.locator('.fjs-element[data-id="methods"]')).to_contain_text("调查的方式")
    save(page)

    after = json.loads(stored(designing, key).files["complaint_handle.form"])
    assert after["components"][1].pop("label") == "调查的方式"
    before["components"][1].pop("label")
    # The editor says of a list what the viewer takes for granted.
    after["components"][2].pop("isRepeating")
    assert after.pop("schemaVersion") == 19
    before.pop("schemaVersion", None)
    assert after == before


def test_a_finding_stands_at_its_component_and_leads_to_it(editor):
    page, _key = editor("complaint")
    opened = open_file(page, "forms", "complaint_handle.form")
    opened.locator('.fjs-element[data-id="methods"]').click()
    unfold(page, "[data-form-canvas]", "固定选项")
    for _ in range(4):
        # The button shows itself under the pointer; pressed from here it need not.
        opened.locator(".bio-properties-panel-group .bio-properties-panel-remove-entry").first.evaluate("(button) => button.click()")

    finding = opened.locator("[data-file-findings] [data-rule='form.no-options']")
    expect(finding).to_be_visible()
    expect(opened.locator('.fjs-element[data-id="methods"]')).to_have_attribute("data-problem", "error")
    opened.locator(".fjs-element").first.click()
    finding.get_by_role("button").click()
    expect(opened.locator('.fjs-element[data-id="methods"].fjs-editor-selected')).to_be_visible()


def test_the_preview_draws_with_the_viewer_of_the_task_page(editor):
    page, _key = editor("complaint")
    opened = open_file(page, "forms", "complaint_handle.form")
    opened.get_by_role("button", name="预览").click()

    expect(opened.locator("[data-form-preview]")).to_contain_text("调查方式")
    opened.get_by_role("button", name="校验填写内容").click()
    expect(opened.locator("[data-form-preview] .fjs-form-field-error").first).to_be_visible()
    expect(opened.locator("[data-form-preview] .fjs-powered-by")).to_be_visible()
    assert english(page, {"complaint_handle"}) == []
    opened.get_by_role("button", name="编辑").click()
    expect(opened.locator(".fjs-palette-field").first).to_be_visible()
    assert words_missing(page) == []


def test_a_renamed_form_is_followed_by_the_drawing_and_a_removed_one_is_told(editor, designing):
    page, key = editor("complaint")
    page.locator("#tab-forms").click()
    row(page, "complaint_handle.form").locator("summary").click()
    row(page, "complaint_handle.form").get_by_role("button", name=re.compile("^改名")).click()
    page.locator("#managing-id").fill("complaint_assign")
    assert page.locator("#managing-id").evaluate("(field) => field.validationMessage") == "这个名称已被使用。"
    page.locator("#managing-id").fill("investigation")
    page.locator("#managing-title").fill("调查处理表")
    page.locator("dialog[open] button[value=yes]").click()
    expect(page.locator("[data-note=managing]")).to_contain_text("complaint.bpmn")
    expect(row(page, "investigation.form")).to_be_visible()
    row(page, "investigation.form").get_by_role("button", name=re.compile("^移除")).click()
    expect(page.locator("dialog[open]")).to_contain_text("complaint.bpmn")
    page.locator("dialog[open] button[value='']").click()
    save(page)

    files = stored(designing, key).files
    assert "complaint_handle.form" not in files and json.loads(files["investigation.form"])["id"] == "investigation"
    assert 'formId="investigation"' in files["complaint.bpmn"] and 'formId="complaint_handle"' not in files["complaint.bpmn"]
    assert drafts.examine(designing.desk, files) == drafts.examine(designing.desk, stored(designing, key).files)


def test_a_file_that_is_no_form_is_shown_as_it_is_and_stays_so(desk: Desk, new_draft, designing):
    key = new_draft("complaint")
    drafts.save(designing.desk, key, {"complaint_handle.form": "{ 不是表单"}, revision=1, by=DESIGNER)
    page = again(desk.person(DESIGNER).go("/designer"), desk, key)
    page.locator("#tab-forms").click()
    row(page, "complaint_handle.form").locator("summary").click()

    expect(row(page, "complaint_handle.form").get_by_role("alert")).to_contain_text("不能作为表单打开")
    page.keyboard.press("Control+s")
    expect(page.locator("[data-save-state]")).to_have_text("已全部保存")
    assert stored(designing, key).files["complaint_handle.form"] == "{ 不是表单"


def test_the_palette_offers_only_what_the_server_compiles():
    text = (ROOT / "web/assets/designer/forms/parts.js").read_text(encoding="utf-8")
    offered = set(re.findall(r"'(\w+)',", text))
    assert {"textfield", "select", "datetime", "dynamiclist", "filepicker"} <= offered <= set(TYPES)


def test_hostile_names_are_inert_in_the_editors(desk: Desk, new_draft, designing):
    """Script in a label, a description, a link or a name of a step would speak up in the console, which fails the test."""
    key = new_draft("complaint")
    files = stored(designing, key).files
    evil = '"><img src=x onerror=alert(1)><script>alert(2)</script>'
    form = json.loads(files["complaint_handle.form"])
    form["components"][0]["text"] = f"{evil} [link](javascript:alert(3))"
    form["components"][1]["label"] = evil
    form["components"].append({"type": "html", "id": "evil", "content": f"<a href='javascript:alert(4)'>x</a>{evil}"})
    drawing = files["complaint.bpmn"].replace('name="受理审查"', f'name="{html.escape(evil)}"')
    table = files["complaint.dmn"].replace('name="投诉等级"', f'name="{html.escape(evil)}"')
    changed = {"complaint_handle.form": json.dumps(form), "complaint.bpmn": drawing, "complaint.dmn": table}
    drafts.save(designing.desk, key, changed, revision=1, by=DESIGNER)
    page = again(desk.person(DESIGNER).go("/designer"), desk, key)
    # A form may have pictures; this one is not there.
    page.route(re.compile(r"/x$"), lambda asked: asked.fulfill(status=204))
    page.on("dialog", lambda asked: desk.troubles.append(f"dialog: {asked.message}"))

    opened = open_file(page, "forms", "complaint_handle.form")
    opened.get_by_role("button", name="预览").click()
    expect(opened.locator("[data-form-preview]")).to_contain_text("onerror=alert(1)")
    # form-js takes the text apart in a document of its own before it cleans it; Chromium reports the handlers it meets there, which run
    # nowhere.
    assert all("inline event handler" in each for each in desk.troubles)
    desk.troubles.clear()
    open_file(page, "decisions", "complaint.dmn").locator("[data-view]").first.click()
    page.locator("#tab-flow").click()
    page.locator("[data-act=simulate]").click()
    page.locator("[data-simulation] .bts-entry[title=模拟记录]").click()
    page.locator("[data-simulation] .bts-context-pad[title='在此继续']").first.click()
    expect(page.locator("[data-simulation] .bts-log")).to_contain_text("onerror=alert(1)")
    assert page.locator("#designer [onerror], #designer a[href^=javascript], #designer script:not([type='application/json'])").count() == 0


@pytest.mark.parametrize(
    ("text", "outcome"), [("x = { label: 'Yes' }", "const"), ("x = { label: 'No' }", 'expected \\"Yes\\" 1 times, found it 0 times')]
)
def test_a_package_that_no_longer_says_a_word_we_translate_fails_the_build(text: str, outcome: str):
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node.js is not on this machine's path; the build that uses it checks the same each time")
    script = f"""
      import {{ withOfficeWords }} from './web/assets/literals.mjs';
      const entry = {{ file: 'package.js', words: {{ Yes: 1 }}, replace: [{{ from: 'x =', to: 'const x =', times: 1 }}] }};
      try {{ console.log(withOfficeWords({json.dumps(text)}, entry)); }} catch (error) {{ console.log(JSON.stringify(error.message)); }}
    """
    done = subprocess.run([node, "--input-type=module", "-e", script], cwd=ROOT, capture_output=True, text=True, check=True, timeout=30)
    assert outcome in done.stdout
    assert "found it" in done.stdout or 'label: officeWords("Yes")' in done.stdout


# --- decisions --------------------------------------------------------------------------------------------------------


def test_a_cell_of_a_table_is_edited_and_saved(editor, designing):
    page, key = editor("complaint")
    before = etree.fromstring(stored(designing, key).files["complaint.dmn"].encode())
    opened = open_file(page, "decisions", "complaint.dmn")
    cell = opened.locator('td[data-element-id="complaint_grade_r2_i2"]')
    cell.click()
    cell.locator("[contenteditable=true]").first.fill('"superior", "inspection"')
    opened.locator(".decision-table-name").click()
    expect(page.locator("[data-save-state]")).to_have_text(re.compile("尚未保存|已自动保存"))
    assert [text for text in english(page) if not text.startswith('"') and text != "true"] == []
    save(page)

    after = etree.fromstring(stored(designing, key).files["complaint.dmn"].encode())

    def texts(root):
        return {node.getparent().get("id"): node.text for node in root.iter("{*}text") if node.getparent().get("id")}

    changed = {name for name, text in texts(after).items() if texts(before).get(name) != text}
    assert changed == {"complaint_grade_r2_i2"}
    assert texts(after)["complaint_grade_r2_i2"] == '"superior", "inspection"'
    assert texts(after).keys() == texts(before).keys()
    assert len(list(after.iter("{*}DMNShape"))) == len(list(before.iter("{*}DMNShape")))
    assert words_missing(page) == []


def test_a_rule_that_cannot_be_read_is_found_and_shown_in_its_cell(editor):
    page, _key = editor("complaint")
    opened = open_file(page, "decisions", "complaint.dmn")
    cell = opened.locator('td[data-element-id="complaint_grade_r2_i2"]')
    cell.click()
    cell.locator("[contenteditable=true]").first.fill('"superior", (')
    opened.locator(".decision-table-name").click()

    finding = opened.locator("[data-file-findings] .designer__finding--error")
    expect(finding.first).to_be_visible()
    finding.first.get_by_role("button").click()
    expect(opened.locator("[data-problem]")).to_be_visible()


def test_the_decision_of_a_step_opens_in_place_and_leads_back(editor):
    page, _key = editor("complaint")
    find(page, "自动定级")
    unfold(page, "[data-panel]", "决策表")
    page.locator("[data-open=open]").click()
    expect(page.locator("[data-decision-canvas] .decision-table-name")).to_have_text("投诉等级")
    page.get_by_role("button", name=re.compile("^返回“自动定级”")).click()
    expect(page.locator("[data-panel] .bio-properties-panel-header-label")).to_have_text("自动定级")


def test_a_new_decision_is_accepted_by_the_check(editor, designing):
    page, key = editor("complaint")
    page.locator("#tab-decisions").click()
    page.get_by_role("button", name="新建决策表", exact=True).click()
    page.locator("#managing-title").fill("退回次数判断")
    page.locator("#managing-id").fill("returns")
    page.locator("dialog[open] button[value=yes]").click()
    expect(page.locator('[data-file="returns.dmn"] .decision-table-name')).to_have_text("退回次数判断")
    save(page)

    assert "returns.dmn" in stored(designing, key).files
    found = drafts.examine(designing.desk, stored(designing, key).files)
    # Only what the column tests is still to be said.
    assert {each.rule for each in found if each.file == "returns.dmn" and each.severity == "error"} == {"dmn.input"}


# --- the simulation ---------------------------------------------------------------------------------------------------


def test_a_token_runs_over_the_drawing_and_the_draft_stays_as_it_was(editor, designing):
    page, key = editor("complaint")
    before = stored(designing, key).files
    page.locator("[data-act=simulate]").click()
    simulation = page.locator("[data-simulation]")
    trigger = simulation.locator(".bts-context-pad[title='在此继续']").first
    expect(trigger).to_be_visible()
    trigger.click()
    expect(simulation.locator(".bts-token-count, .bts-scope").first).to_be_visible()
    simulation.locator(".bts-entry[title=模拟记录]").click()
    expect(simulation.locator(".bts-log")).to_be_visible()
    assert english(page) == []
    page.locator("[data-act=simulate]").click()
    expect(page.locator("[data-canvas] .djs-palette")).to_be_visible()
    page.keyboard.press("Control+s")
    expect(page.locator("[data-save-state]")).to_have_text("已全部保存")
    assert stored(designing, key).files == before
    assert words_missing(page) == []


def test_the_editors_are_fetched_only_when_they_are_opened(desk: Desk, new_draft):
    """The inbox and the drawing load neither the form editor nor the decision editor."""
    key = new_draft("complaint")
    person = desk.person(DESIGNER)
    loaded: list[str] = []
    person.page.on("response", lambda answer: loaded.append(answer.url) if "/build/" in answer.url else None)
    person.go("/inbox")
    inbox = set(loaded)
    page = again(person.page, desk, key)
    drawing = set(loaded)
    open_file(page, "forms", "complaint_handle.form")
    assert not any("designer" in each for each in inbox)
    assert not any("designer_form" in each or "designer_decision" in each for each in drawing)
    assert any("designer_form" in each for each in set(loaded) - drawing)
