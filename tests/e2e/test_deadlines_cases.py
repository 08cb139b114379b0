"""The limits of a case as designers, clerks, chiefs and supervision work with them: pauses, extensions, lights, rungs."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect
from sqlalchemy import func, select

from engine import Engine
from engine.runtime.design import drafts
from engine.store import tables
from tests.support.browser import Desk
from tests.support.server import RunningServer

LIVE = "实时更新"
PUBLISHING = 120_000
"""Milliseconds for a publication: all scenarios of the procedure are played before it."""
REASON = "征求第三方意见"


@pytest.fixture
def new_draft(server: RunningServer) -> Iterator[int]:
    """A draft of the complaint procedure, as “change” in the designer's room makes one."""
    engine = Engine(server.database)
    yield drafts.branch(engine.desk, "complaint", by="yaojing").key
    engine.dispose()


def select_element(page: Page, name: str) -> None:
    """Find an element on the canvas by the search, as Ctrl+F does, and show its properties."""
    page.locator("[data-canvas] svg").first.focus()
    page.keyboard.press("Control+f")
    search = page.locator(".djs-search-input input")
    search.fill(name)
    expect(page.locator(".djs-search-result-selected")).to_be_visible()
    search.press("Enter")
    expect(page.locator(".bio-properties-panel-header-label")).to_have_text(name)


def property_of(page: Page, name: str) -> Locator:
    return page.locator(f'[id="bio-properties-panel-{name}"]')


def board_of(desk: Desk) -> Page:
    """The supervisor's board, connected to its stream, marked so that a reload would be noticed."""
    board = desk.person("duqiang").go("/supervision?sort=-case_no")
    expect(board.locator("[data-live-state]")).to_have_text(LIVE)
    board.evaluate("() => { window.sameDocument = true; }")
    return board


def test_a_designer_draws_a_pause_and_the_board_shows_it_while_the_step_lasts(desk: Desk, new_draft: int, by_requests):
    page = desk.person("yaojing").go("/designer")
    page.goto(f"{desk.url}/designer/drafts/{new_draft}/edit")
    expect(page.locator("#designer[data-ready]")).to_be_attached()
    select_element(page, "签收")
    page.locator(".bio-properties-panel-group-header-title", has_text=re.compile("^办件时限$")).click()
    property_of(page, "banjie-clock.pause.kind").select_option("consultation")
    property_of(page, "banjie-clock.pause.reason").fill(REASON)
    property_of(page, "banjie-clock.pause.reason").press("Tab")
    page.keyboard.press("Control+s")
    expect(page.locator("[data-save-state]")).to_have_text(re.compile("^已保存"))

    submitting = desk.person("yaojing").go(f"/designer/drafts/{new_draft}/submit")
    submitting.locator("textarea#reason").fill("征求第三方意见期间不计时")
    if (seen := submitting.locator("input[type=checkbox][name=warnings]")).count():
        seen.check()
    submitting.get_by_role("button", name="提交", exact=True).click()
    # The scenarios are played first; the page of their run goes on by itself.
    submitting.wait_for_url(re.compile(r"/designer/submissions/\d+"), timeout=PUBLISHING)
    approving = desk.person("admin2").go(submitting.url.removeprefix(desk.url))
    approving.get_by_role("button", name="批准").click()
    approving.locator('dialog[open] button[value="yes"]').click()
    expect(approving.locator("main")).to_contain_text("已发布", timeout=PUBLISHING)

    board = board_of(desk)
    player = by_requests("complaint_c")
    player.play_until("sign_in")
    row = board.locator(f"#case-{player.case_key}")
    expect(row.locator(".light").first).to_have_text("暂停")
    case = desk.person("duqiang").context.new_page()
    case.goto(f"{desk.url}/case/{player.case_key}#clocks")
    expect(case.locator("#clocks")).to_contain_text(REASON)
    expect(case.locator("#clocks")).to_contain_text("按流程")
    case.close()

    player.step(next(each for each in player.scenario.steps if each.get("element") == "sign_in"))

    expect(row.locator(".light").first).to_have_text(re.compile("正常|预估"))
    assert board.evaluate("window.sameDocument") is True


def test_a_chief_pauses_by_decision_and_the_light_follows_without_reload(desk: Desk, by_requests):
    player = by_requests("complaint_c")
    player.play_until("handle")
    board = board_of(desk)
    light = board.locator(f"#case-{player.case_key} .light").first
    expect(light).to_have_text(re.compile("正常|预估"))

    chief = desk.person("guotao").go(f"/case/{player.case_key}#clocks")
    chief.get_by_role("link", name="暂停时限").click()
    desk.expects(422)
    chief.locator("input[name=kind][value=suspension]").check()
    chief.locator("[name=reason]").fill("等待法院裁判")
    chief.get_by_role("button", name="暂停", exact=True).click()
    expect(chief.locator(".form-errors")).to_be_visible()
    expect(chief.locator("[name=reason]")).to_have_value("等待法院裁判")
    chief.locator("[name=document]").fill("周科函〔2026〕9号")
    chief.get_by_role("button", name="暂停", exact=True).click()
    clocks = chief.locator("#clocks")
    expect(clocks).to_contain_text("等待法院裁判")
    expect(clocks).to_contain_text("周科函〔2026〕9号")
    expect(light).to_have_text("暂停")

    clocks.get_by_role("link", name="恢复：中止").click()
    chief.get_by_role("button", name="恢复", exact=True).click()
    expect(light).to_have_text(re.compile("正常|预估"))
    assert board.evaluate("window.sameDocument") is True


def test_a_clerk_asks_for_an_extension_and_the_ledger_and_the_bar_have_it(desk: Desk, in_browser, by_requests):
    filed, player = by_requests("complaint_extension"), in_browser("complaint_extension")
    filed.play_until("apply_extension")
    player.take_over(filed)
    steps = player.scenario.steps
    begins = next(index for index, each in enumerate(steps) if each.get("element") == "apply_extension")
    board = board_of(desk)
    used = board.locator(f"#case-{player.case_key} td[data-label='已用/限']")
    before = used.inner_text()

    for each in steps[begins : begins + 3]:
        player.step(each)

    expect(used).not_to_have_text(before)
    ledger = desk.person("duqiang").go(f"/supervision/{player.case_key}")
    expect(ledger.locator("main")).to_contain_text("需要第三方鉴定")
    expect(ledger.locator("main")).to_contain_text("延期 10 个自然日")
    clerk = desk.person("liqiang").go(f"/case/{player.case_key}#clocks")
    expect(clerk.locator("#clocks")).to_contain_text("需要第三方鉴定")


def test_the_ladder_fires_and_the_ledger_names_rung_people_and_what_is_next(desk: Desk, in_browser, by_requests, onlooker):
    player = by_requests("complaint_c")
    player.play_until("handle")
    handler = desk.person("liqiang")
    handler.open_task(player.case_no, player.open_tasks("handle")[0].key)
    board = board_of(desk)
    light = board.locator(f"#case-{player.case_key} .light").first
    clockmaker = in_browser("complaint_c")
    for wanted in ("临期", "超期"):
        for _ in range(20):
            if light.inner_text().strip() == wanted:
                break
            clockmaker.move_clock(step="workday")
            expect(board.locator("[data-live-state]")).to_have_text(LIVE)
            shown = board.request.get(f"{desk.url}/supervision/board?sort=-case_no").text()
            found = re.search(rf'id="case-{player.case_key}".*?<span class="light[^>]*>(.*?)</span>', shown, re.DOTALL)
            assert found
            expect(light).to_have_text(re.sub(r"<[^>]+>", "", found[1]).strip())
        expect(light).to_have_text(wanted)
    assert board.evaluate("window.sameDocument") is True

    ledger = desk.person("duqiang").go(f"/supervision/{player.case_key}")
    fired = ledger.locator("tr", has_text="已触发")
    expect(fired.filter(has_text="即将到期，请抓紧办理").first).to_contain_text("李强")
    expect(fired.filter(has_text="已超期，通知科长").first).to_contain_text("陈刚")
    expect(ledger.locator("tr", has_text="待触发").first).to_be_visible()
    firing = tables.rung_firing
    with onlooker.reading() as conn:
        times = select(func.count()).where(firing.c.case_key == player.case_key).group_by(firing.c.clock_key, firing.c.rung)
        assert set(conn.execute(times).scalars()) == {1}
