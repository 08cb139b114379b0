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
from tests.support.player import ROOT
from tests.support.server import RunningServer
from tests.support.signing import terms

DESIGNER = "yaojing"
NS = {"b": "http://www.omg.org/spec/BPMN/20100524/MODEL", "z": "http://camunda.org/schema/zeebe/1.0"}
ASSIGNMENT = json.loads((ROOT / "web/assets/designer/panel/assignment_terms.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def designing(server: RunningServer):
    """An engine on the served database, to make drafts and to read what was saved."""
    engine = Engine(server.database)
    yield engine
    engine.dispose()


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


def find(page: Page, name: str) -> None:
    page.locator("[data-canvas] svg").first.focus()
    page.keyboard.press("Control+f")
    search = page.locator(".djs-search-input input")
    search.fill(name)
    expect(page.locator(".djs-search-result-selected")).to_be_visible()
    search.press("Enter")
    expect(page.locator(".bio-properties-panel-header-label")).to_have_text(name)


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
