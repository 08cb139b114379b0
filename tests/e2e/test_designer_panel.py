"""The properties panel in Chromium, in Chinese: rights to fields, several people, who does it; what it writes is what the engine's tests run."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from lxml import etree
from playwright.sync_api import Locator, Page, expect

from engine import Engine
from engine.runtime.design import drafts
from tests.support.browser import Desk
from tests.support.drafting import DESIGNER, find
from tests.support.player import ROOT
from tests.support.signing import terms

NS = {"b": "http://www.omg.org/spec/BPMN/20100524/MODEL", "z": "http://camunda.org/schema/zeebe/1.0"}
ASSIGNMENT = json.loads((ROOT / "web/assets/designer/panel/assignment_terms.json").read_text(encoding="utf-8"))


@pytest.fixture
def editor(desk: Desk, designing: Engine) -> Callable[[], tuple[Page, int]]:
    """``editor()``: the page of a new draft of the complaint procedure, and the draft's key."""

    def open_draft() -> tuple[Page, int]:
        key = drafts.branch(designing.desk, "complaint", by=DESIGNER).key
        page = desk.person(DESIGNER).go("/designer")
        page.goto(f"{desk.url}/designer/drafts/{key}/edit")
        expect(page.locator("#designer[data-ready]")).to_be_attached()
        return page, key

    return open_draft


@pytest.fixture
def saved(designing: Engine) -> Callable[[Page, int, str], etree._Element]:
    """``saved(page, key, id)`` saves and gives the element as it stands in the file; a deployment would not refuse it."""

    def save(page: Page, key: int, id: str) -> etree._Element:
        page.keyboard.press("Control+s")
        expect(page.locator("[data-save-state]")).to_have_text(re.compile("^(已保存|已全部保存)"))
        with designing.reading() as conn:
            files = drafts.get(designing.desk, conn, key, DESIGNER).files
        assert [each for each in drafts.examine(designing.desk, files) if each.severity == "error"] == []
        return etree.fromstring(files["complaint.bpmn"].encode()).xpath(f"//*[@id='{id}']")[0]

    return save


def group(page: Page, title: str) -> Locator:
    found = page.locator(".bio-properties-panel-group").filter(
        has=page.locator(".bio-properties-panel-group-header-title", has_text=re.compile(f"^{title}"))
    )
    if not found.locator(".bio-properties-panel-group-entries.open, .bio-properties-panel-list.open").count():
        found.locator(".bio-properties-panel-group-header-title").first.click()
    return found


def entry(page: Page, name: str) -> Locator:
    return page.locator(f"[id='bio-properties-panel-{name}']")


def properties(element: etree._Element) -> dict[str, str]:
    return {each.get("name"): each.get("value") for each in element.xpath("b:extensionElements/z:properties/z:property", namespaces=NS)}


def reopened(page: Page) -> None:
    page.reload()
    expect(page.locator("#designer[data-ready]")).to_be_attached()


def test_rights_to_fields_are_chosen_in_a_table_and_found_again(editor, saved):
    page, key = editor()
    find(page, "调查处理")
    rights = group(page, "字段权限")

    entry(page, "banjie-right-methods").select_option("hidden")
    entry(page, "banjie-right-interviews.talk_point").select_option("readonly")
    written = properties(saved(page, key, "handle"))

    assert (written["fields.hidden"], written["fields.readonly"]) == ("methods", "interviews.talk_point")
    reopened(page)
    find(page, "调查处理")
    group(page, "字段权限")
    expect(entry(page, "banjie-right-methods")).to_have_value("hidden")
    expect(entry(page, "banjie-right-interviews.talk_point")).to_have_value("readonly")
    expect(entry(page, "banjie-right-finding")).to_have_value("edit")
    rights = group(page, "字段权限")
    rights.get_by_role("button", name="全部只读").click()
    entry(page, "banjie-right-interviews.talk_on").select_option("edit")
    written = properties(saved(page, key, "handle"))
    locked = written["fields.readonly"].split(",")
    assert "interviews.talk_point" in locked and "interviews" not in locked and "interviews.talk_on" not in locked
    rights.get_by_role("button", name="全部可填").click()
    assert not {"fields.hidden", "fields.readonly"} & properties(saved(page, key, "handle")).keys()
    assert page.evaluate("[...window.__missingTranslations ?? []]") == []


def looped(element: etree._Element) -> tuple[str, str | None]:
    (loop,) = element.xpath("b:multiInstanceLoopCharacteristics", namespaces=NS)
    (about,) = loop.xpath("b:extensionElements/z:loopCharacteristics", namespaces=NS)
    ends = loop.xpath("string(b:completionCondition)", namespaces=NS)
    return about.get("inputCollection"), ends or None


@pytest.mark.parametrize("mode", ["all", "sequence", "any", "share", "ballot", "veto"])
def test_each_mode_of_several_people_writes_what_the_engine_is_tested_with_and_reads_it_back(editor, saved, mode):
    page, key = editor()
    find(page, "立卷归档")
    group(page, "多人办理")

    entry(page, "banjie-signing").select_option(mode)
    entry(page, "banjie-signing-members").select_option('people("section_chief")')
    plain = looped(saved(page, key, "archive_case"))
    entry(page, "banjie-signing-recused").select_option("starter")
    entry(page, "banjie-signing-present").select_option("methods")
    entry(page, "banjie-signing-quorum").select_option("2/3")
    full = looped(saved(page, key, "archive_case"))

    usual = {"members": 'people("section_chief")', "votes": "archive_case_votes"}
    wanted = terms(mode, **usual)
    assert plain == (wanted["called"], wanted["ends"])
    wanted = terms(mode, **usual, recused="starter", present="methods", quorum="2/3")
    assert full == (wanted["called"], wanted["ends"])
    reopened(page)
    find(page, "立卷归档")
    group(page, "多人办理")
    shown = {"": mode, "-members": usual["members"], "-recused": "starter", "-present": "methods", "-quorum": "2/3"}
    for name, value in shown.items():
        expect(entry(page, f"banjie-signing{name}")).to_have_value(value)
    assert page.evaluate("[...window.__missingTranslations ?? []]") == []


def test_what_follows_the_votes_is_drawn_follows_a_change_and_goes_with_one_undo(editor, saved):
    page, key = editor()
    find(page, "立卷归档")
    group(page, "多人办理")
    entry(page, "banjie-signing").select_option("ballot")
    entry(page, "banjie-signing-members").select_option('people("section_chief")')
    entry(page, "banjie-signing-recused").select_option("starter")

    page.locator("[data-signing-draw]").click()
    expect(entry(page, "banjie-signing-passed")).to_be_visible()
    entry(page, "banjie-signing-share").select_option("2/3")
    step = saved(page, key, "archive_case")

    wanted = terms("ballot", members='people("section_chief")', votes="archive_case_votes", recused="starter", share="2/3")
    root = step.getroottree()
    gateway = root.xpath("//b:exclusiveGateway[@name='是否通过']", namespaces=NS)[0]
    flows = root.xpath(f"//b:sequenceFlow[@sourceRef='{gateway.get('id')}']", namespaces=NS)
    asked = {flow.get("name"): flow.xpath("string(b:conditionExpression)", namespaces=NS) for flow in flows}
    assert sorted(text for text in asked.values() if text) == sorted([wanted["passed"], wanted["unmet"]])
    assert gateway.get("default") == next(flow.get("id") for flow in flows if not flow.xpath("b:conditionExpression", namespaces=NS))
    page.locator("[data-act=undo]").click()
    page.locator("[data-act=undo]").click()
    expect(page.locator("[data-signing-draw]")).to_be_visible()
    assert saved(page, key, "archive_case").getroottree().xpath("//b:exclusiveGateway[@name='是否通过']", namespaces=NS) == []


def drawn_ballot(page: Page) -> None:
    find(page, "立卷归档")
    group(page, "多人办理")
    entry(page, "banjie-signing").select_option("ballot")
    entry(page, "banjie-signing-members").select_option('people("section_chief")')
    entry(page, "banjie-signing-recused").select_option("starter")
    page.locator("[data-signing-draw]").click()
    expect(entry(page, "banjie-signing-passed")).to_be_visible()


def conditions(step: etree._Element) -> dict[str, str]:
    """What the flows marked as drawn for a way ask for."""
    flows = step.getroottree().xpath("//b:sequenceFlow[b:extensionElements]", namespaces=NS)
    return {properties(flow)["signing.way"]: flow.xpath("string(b:conditionExpression)", namespaces=NS) for flow in flows}


def test_a_button_that_is_renamed_takes_the_counting_of_votes_along(editor, saved):
    page, key = editor()
    drawn_ballot(page)
    before = saved(page, key, "archive_case")
    assert {name: properties(before)[name] for name in ("signing", "signing.agree", "signing.oppose")} == {
        "signing": "ballot", "signing.agree": "agree", "signing.oppose": "oppose",
    }  # fmt: skip

    buttons = group(page, "办理结果按钮")
    buttons.locator(".bio-properties-panel-collapsible-entry-header-title").first.click()
    for name, text in (("label", "我赞成"), ("value", "support")):
        entry(page, f"banjie-outcome-0-{name}").fill(text)
        entry(page, f"banjie-outcome-0-{name}").press("Tab")
    step = saved(page, key, "archive_case")

    assert properties(step)["signing.agree"] == "support" and properties(step)["outcomes"].startswith("support=我赞成;")
    wanted = terms("ballot", members='people("section_chief")', votes="archive_case_votes", recused="starter")
    assert looped(step) == (wanted["called"], wanted["ends"].replace('"agree"', '"support"'))
    assert conditions(step) == {"passed": wanted["passed"].replace('"agree"', '"support"'), "unmet": wanted["unmet"]}
    reopened(page)
    find(page, "立卷归档")
    group(page, "多人办理")
    expect(entry(page, "banjie-signing")).to_have_value("ballot")
    expect(entry(page, "banjie-signing-agree")).to_have_value("support")
    expect(entry(page, "banjie-signing-passed")).not_to_have_value("")
    expect(entry(page, "banjie-signing-unmet")).not_to_have_value("")


@pytest.mark.parametrize("marked", [True, False])
def test_what_votes_is_recognised_whatever_the_buttons_are_called_with_the_mark_and_without(editor, saved, designing, marked):
    page, key = editor()
    drawn_ballot(page)
    saved(page, key, "archive_case")
    with designing.reading() as conn:
        draft = drafts.get(designing.desk, conn, key, DESIGNER)
    # As another tool, or a hand, may leave it: other values everywhere, and maybe without our marks.
    text = re.sub(r'(&#34;|&quot;|")agree(&#34;|&quot;|")', r"\1zhichi\2", draft.files["complaint.bpmn"].replace("agree=", "zhichi=", 1))
    text = text if marked else re.sub(r'\s*<zeebe:property name="signing[^>]*/>', "", text)
    drafts.save(designing.desk, key, {"complaint.bpmn": text}, revision=draft.revision, by=DESIGNER)

    reopened(page)
    find(page, "立卷归档")
    group(page, "多人办理")
    expect(entry(page, "banjie-signing")).to_have_value("ballot")
    expect(entry(page, "banjie-signing-agree")).to_have_value("zhichi")
    expect(entry(page, "banjie-signing-passed")).not_to_have_value("")


def test_the_ends_of_a_vote_lie_in_the_lane_of_the_step_and_on_nothing_else(editor, saved):
    page, key = editor()
    drawn_ballot(page)

    root = saved(page, key, "archive_case").getroottree()
    (lane,) = root.xpath("//b:lane[b:flowNodeRef='archive_case']", namespaces=NS)
    names = {"未通过", "未达法定人数"} & {each.get("name") for each in root.xpath("//b:endEvent", namespaces=NS)}
    ends = [each.get("id") for each in root.xpath("//b:endEvent", namespaces=NS) if each.get("name") in names]
    assert len(ends) == 2 and set(ends) <= {each.text for each in lane.iter("{*}flowNodeRef")}
    boxes = {
        shape.get("bpmnElement"): tuple(float(shape.find("{*}Bounds").get(name)) for name in ("x", "y", "width", "height"))
        for shape in root.iter("{*}BPMNShape")
    }
    x, y, width, height = boxes[lane.get("id")]
    nodes = {each.get("id") for each in root.xpath("//b:process/*[@id]", namespaces=NS)}
    for end in ends:
        left, top, wide, high = boxes[end]
        assert x < left and y < top and left + wide < x + width and top + high < y + height
        for other, (a, b, c, d) in boxes.items():
            assert other == end or other not in nodes or left + wide <= a or a + c <= left or top + high <= b or b + d <= top, other


def test_what_a_step_asks_of_deputies_is_chosen_and_found_again(editor, saved):
    page, key = editor()
    find(page, "立卷归档")
    group(page, "办理人")
    for rule in ASSIGNMENT["deputies"]:
        entry(page, "banjie-deputy").select_option(rule["id"])
        assert properties(saved(page, key, "archive_case"))["deputy"] == rule["id"]
    reopened(page)
    find(page, "立卷归档")
    group(page, "办理人")
    expect(entry(page, "banjie-deputy")).to_have_value(ASSIGNMENT["deputies"][-1]["id"])
    entry(page, "banjie-deputy").select_option("")
    assert "deputy" not in properties(saved(page, key, "archive_case"))


CHOSEN = {"role": "legal", "section": "office", "step": "sign_in", "person": "wangfang", "field": "handler_section", "text": None}


def test_each_way_of_choosing_people_writes_what_the_engine_is_tested_with(editor, saved):
    page, key = editor()
    find(page, "立卷归档")
    group(page, "办理人")
    for strategy in ASSIGNMENT["strategies"]:
        if any(CHOSEN[name] is None for name, _, _ in strategy["asks"]):
            continue
        entry(page, "banjie-assign").select_option(strategy["id"])
        for name, _, _ in strategy["asks"]:
            entry(page, f"banjie-assign-{name}").select_option(CHOSEN[name])
        (written,) = saved(page, key, "archive_case").xpath("b:extensionElements/z:assignmentDefinition", namespaces=NS)
        assert dict(written.attrib) == {strategy["in"]: re.sub(r"\$(\w+)", lambda match: CHOSEN[match[1]], strategy["write"])}
        expect(entry(page, "banjie-assign")).to_have_value(strategy["id"])


def test_who_must_keep_away_is_put_together_from_several_choices(editor, saved):
    page, key = editor()
    find(page, "立卷归档")
    group(page, "办理人")

    entry(page, "banjie-exclude-starter").check()
    entry(page, "banjie-exclude-handler").select_option("handle")
    entry(page, "banjie-exclude-handler-1").select_option("sign_in")
    entry(page, "banjie-exclude-people").select_option("methods")

    written = properties(saved(page, key, "archive_case"))["exclude"]
    assert written == '=flatten([starter, handler("handle"), handler("sign_in"), methods])[item != null]'
    entry(page, "banjie-exclude-handler").select_option("")
    written = properties(saved(page, key, "archive_case"))["exclude"]
    assert written == '=flatten([starter, handler("sign_in"), methods])[item != null]'


def test_who_is_told_what_and_which_document_is_offered_are_chosen_from_lists(editor, saved):
    page, key = editor()
    find(page, "立卷归档")
    group(page, "状态、告知与文书")

    entry(page, "banjie-notify").select_option("group|supervisor")
    assert properties(saved(page, key, "archive_case"))["notify"] == "supervisor"
    entry(page, "banjie-notify-1").select_option("starter|")
    entry(page, "banjie-notify-2").select_option("handler|handle")
    entry(page, "banjie-document").select_option("forward_letter")

    written = properties(saved(page, key, "archive_case"))
    assert written["notify"] == '=flatten(["supervisor", starter, handler("handle")])[item != null]'
    assert written["document"] == "forward_letter"
    reopened(page)
    find(page, "立卷归档")
    group(page, "状态、告知与文书")
    for number, chosen in enumerate(("group|supervisor", "starter|", "handler|handle", "")):
        expect(entry(page, f"banjie-notify{f'-{number}' if number else ''}")).to_have_value(chosen)
    assert page.evaluate("[...window.__missingTranslations ?? []]") == []


def test_who_writes_slowly_keeps_the_field_although_each_pause_is_written_into_the_drawing(editor, saved):
    page, key = editor()
    find(page, "立卷归档")
    group(page, "状态、告知与文书")
    for name in ("status", "result"):
        field = entry(page, f"banjie-{name}")
        field.click()
        field.press("Control+a")
        for written in ("待", "待审", "待审核"):
            page.keyboard.type(written[-1])
            # A pause in which the drawing takes it over.
            expect(page.locator("[data-panel]")).to_be_visible()
            assert properties(saved(page, key, "archive_case"))[name] == written
        expect(field).to_be_focused()
    group(page, "本环节时限")
    entry(page, "banjie-deadline").select_option("=")
    box = page.locator("[data-entry-id='banjie-deadline-feel'] .cm-content")
    box.click()
    page.keyboard.type("a")
    page.keyboard.press("Backspace")
    expect(page.locator("[data-save-state]")).to_have_text(re.compile("未保存|已暂存|尚未"))
    expect(box).to_be_focused()


HELPLESS = """() => [...document.querySelectorAll('[data-panel] .bio-properties-panel-entry[data-entry-id]')]
    .filter((each) => !(each.querySelector('.bio-properties-panel-description')?.textContent.trim() || /^(以及|… and)$/.test(each.querySelector('label')?.textContent)))
    .map((each) => each.dataset.entryId)"""
UNFOLD = """() => { for (const group of document.querySelectorAll('[data-panel] .bio-properties-panel-group'))
    if (!group.querySelector(':scope > .open')) group.querySelector('.bio-properties-panel-group-header-title')?.click();
    for (const item of document.querySelectorAll('[data-panel] .bio-properties-panel-collapsible-entry'))
    if (!item.querySelector(':scope > .open')) item.querySelector('.bio-properties-panel-collapsible-entry-header-title')?.click(); }"""


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_property_of_the_panel_is_explained(editor, desk, language):
    page, _ = editor()
    # What the panel says is asked for anew whenever an element is selected.
    page.evaluate("(language) => { document.documentElement.lang = language }", language)
    for name in ("立卷归档", "是否受理？", "自动定级", "作出受理决定", "补正", "逾期未审查"):
        find(page, name)
        expect(page.locator("[data-panel] [data-group-id]").first).to_be_visible()
        # Opening a group may bring groups and list items of its own.
        for _ in range(3):
            page.evaluate(UNFOLD)
        assert page.evaluate(HELPLESS) == [], name


def test_the_functions_of_expressions_are_described_in_chinese(editor):
    page, _ = editor()
    find(page, "立卷归档")
    group(page, "本环节时限")
    entry(page, "banjie-deadline").select_option("=")
    box = page.locator("[data-entry-id='banjie-deadline-feel'] .cm-content")
    box.click()
    page.keyboard.type("string le")
    page.keyboard.press("Control+Space")
    listed = page.locator(".cm-tooltip-autocomplete")
    expect(listed).to_be_visible()
    # Which of them is offered first is the editor's choice.
    expect(page.locator(".cm-completionInfo")).to_contain_text(re.compile("文字|列表"))
