"""Statistics as a layer of the editor: figures of the versions until now under the elements of the version being drawn."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from engine import Engine
from engine.runtime.design import drafts
from engine.runtime.design.statistics import statistics
from tests.support.browser import Desk

DESIGNER = "yaojing"
PROCESS = "complaint"
FOLDER = Path(__file__).resolve().parents[2] / "processes" / PROCESS
SCENARIO, DRAWING = FOLDER / "scenarios" / "complaint_c.json", FOLDER / f"{PROCESS}.bpmn"


@pytest.fixture
def draft(designing: Engine) -> Callable[..., int]:
    """A draft of the procedure, of which at least one case has begun, with its drawing changed by ``change``."""

    def make(change: Callable[[str], str] = lambda text: text) -> int:
        desk = designing.desk
        clerk = sorted(desk.people.directory().members("hotline_clerk"))[0]
        desk.start_case(PROCESS, json.loads(SCENARIO.read_text())["start"], by=clerk)
        made = drafts.branch(desk, PROCESS, by=DESIGNER)
        text = change(made.files[f"{PROCESS}.bpmn"])
        if text != made.files[f"{PROCESS}.bpmn"]:
            drafts.save(desk, made.key, {f"{PROCESS}.bpmn": text}, revision=made.revision, by=DESIGNER)
        return made.key

    return make


def opened(desk: Desk, key: int) -> Page:
    page = desk.person(DESIGNER).go(f"/designer/drafts/{key}/edit")
    expect(page.locator("#designer[data-ready]")).to_be_attached()
    return page


def badge(page: Page, id: str):
    return page.locator(f'[data-figures="{id}"]')


def lay(page: Page) -> None:
    page.locator('[data-act="statistics"]').click()
    expect(page.locator("[data-statistics-legend]")).to_be_visible()


def test_figures_lie_on_the_drawing_by_choice_and_go_again_without_touching_the_draft(desk: Desk, draft, designing):
    page = opened(desk, draft())
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "statistics.json" in request.url else None)
    key = page.locator('[data-act="statistics"]')
    expect(key).to_have_attribute("aria-pressed", "false")

    with page.expect_response(re.compile(r"statistics\.json")) as answered:
        lay(page)

    expect(key).to_have_attribute("aria-pressed", "true")
    assert len(asked) == 1  # only on demand, and once
    # The period is the page's own: other tests of this server have moved its clock.
    told = answered.value.json()
    since, until = date.fromisoformat(told["since"]), date.fromisoformat(told["until"])
    with designing.reading() as conn:
        found = statistics(conn, PROCESS, since, until, designing.calendar)
    busiest = max(found.steps.values(), key=lambda step: step.reached)
    assert busiest.reached > 0
    expect(badge(page, busiest.element_id)).to_contain_text(f"{busiest.reached} 次")
    # The colour follows what is chosen.
    page.get_by_label("着色依据").select_option("reached")
    expect(page.locator(f'[data-element-id="{busiest.element_id}"].statistics-4').first).to_be_attached()
    # A version and a period in which nothing happened show it.
    with page.expect_response(re.compile(r"statistics\.json.*period=365")):
        page.get_by_label("统计期间").select_option("365")
    expect(badge(page, busiest.element_id)).to_contain_text("次")
    with page.expect_response(re.compile(r"statistics\.json.*version=1")):
        page.get_by_label("版本").focus()
        page.get_by_label("版本").select_option("1")
    expect(page.get_by_label("版本")).to_be_focused()

    page.get_by_role("button", name="关闭统计").click()

    expect(page.locator("[data-figures]")).to_have_count(0)
    expect(page.locator('[class*="statistics-"]:not(.designer__statistics)')).to_have_count(0)
    expect(page.locator("[data-statistics]")).to_be_hidden()
    page.keyboard.press("Control+s")
    expect(page.locator("[data-save-state]")).to_have_text("已全部保存")


def test_what_is_new_in_the_draft_says_so_and_what_is_gone_is_named(desk: Desk, draft):
    id = re.search(r'<bpmn:startEvent id="(\w+)" name="([^"]+)"', DRAWING.read_text())
    # Another id for the start event: as if it had been taken away and another drawn.
    page = opened(desk, draft(lambda text: re.sub(rf'(?<=[">]){id[1]}(?=["<])', "drawn_anew", text)))

    lay(page)

    expect(badge(page, "drawn_anew")).to_have_text("新增")
    expect(page.locator("[data-statistics] [role=status]")).to_contain_text("已不再画出：")
    expect(page.locator("[data-statistics] [role=status]")).to_contain_text(id[2])


def test_the_layer_follows_the_pen(desk: Desk, draft):
    page = opened(desk, draft())
    lay(page)
    name = "受理审查"
    id = re.search(rf'<bpmn:userTask id="(\w+)" name="{name}"', DRAWING.read_text())[1]
    expect(badge(page, id)).to_have_count(1)
    page.locator("[data-canvas] svg").first.focus()
    page.keyboard.press("Control+f")
    search = page.locator(".djs-search-input input")
    search.fill(name)
    expect(page.locator(".djs-search-result-selected")).to_be_visible()
    search.press("Enter")
    expect(page.locator("[data-panel] .bio-properties-panel-header-label")).to_have_text(name)
    page.locator("[data-canvas] svg").first.focus()
    page.keyboard.press("Delete")
    expect(badge(page, id)).to_have_count(0)
    page.locator('[data-act="undo"]').click()
    expect(badge(page, id)).to_have_count(1)


def test_figures_that_cannot_be_read_say_so_and_are_asked_for_again(desk: Desk, draft):
    page = opened(desk, draft())
    desk.expects(503)
    page.route("**/statistics.json*", lambda route: route.fulfill(status=503, json={"message": "正在维护"}))
    page.locator('[data-act="statistics"]').click()
    expect(page.locator("[data-statistics] [role=alert]")).to_contain_text("统计数据没有读出：正在维护")
    page.unroute("**/statistics.json*")
    page.get_by_role("button", name="重试").click()
    expect(page.locator("[data-statistics-legend]")).to_be_visible()
