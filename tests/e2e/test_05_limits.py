"""Limits passing in the browser: the administrator moves the demo clock, and things happen by themselves, once."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect
from sqlalchemy import func, select

from engine.store import tables
from tests.support.browser import BrowserPlayer, Desk


def test_a_complaint_not_reviewed_in_three_working_days_counts_as_accepted(in_browser, desk: Desk, onlooker):
    player: BrowserPlayer = in_browser("complaint_deemed")

    player.play()

    player.check()
    page = desk.person("duqiang").go(f"/case/{player.case_key}")
    expect(page.locator(".demo-banner")).to_contain_text("演示")
    expect(page.locator("#facts")).to_contain_text("视为受理")
    page.get_by_role("tab", name="流转").click()
    expect(page.locator("#flow ol.trail li[data-element-id=review_expired]")).to_have_count(1)
    happened = [each.element_id for each in onlooker.activities(player.case_key)]
    assert happened.count("deem_accepted") == 1
    assert "register_acceptance" not in happened
    firing = tables.rung_firing
    with onlooker.reading() as conn:
        twice = (
            select(firing.c.clock_key, firing.c.rung)
            .where(firing.c.case_key == player.case_key)
            .group_by(firing.c.clock_key, firing.c.rung)
        )
        assert conn.execute(twice.having(func.count() > 1)).all() == []


def light_of(page: Page, case_key: int) -> str:
    return page.locator(f"#case-{case_key} .light").first.inner_text().strip()


def live(page: Page) -> None:
    """Let the board ask now, as it does when the window is looked at again, and wait for the answer."""
    with page.expect_response(re.compile("/supervision/board")):
        page.dispatch_event("[data-poll][hx-target='#board']", "awake")
    # The answer has come; the page still has to put it in its place.
    page.wait_for_function("() => !document.querySelector('.htmx-request, .htmx-swapping, .htmx-settling')")


def test_a_supervisor_sees_the_light_turn_yellow_then_red_and_urges(by_requests, in_browser, desk: Desk, onlooker):
    player = by_requests("complaint_c")
    player.play_until("handle")
    key, case_no = player.case_key, player.case_no
    board = desk.person("duqiang").go("/supervision?sort=-case_no")
    row = board.locator(f"#case-{key}")
    expect(row).to_be_visible()
    clockmaker = in_browser("complaint_c")

    for before, wanted in ((("正常", "预估"), "临期"), (("临期",), "超期")):
        assert light_of(board, key) in before
        for _ in range(40):
            live(board)
            if light_of(board, key) not in before:
                break
            clockmaker.move_clock(step="workday")
        expect(row.locator(".light").first).to_have_text(wanted)

    told = row.locator("td[data-label='已触发']")
    expect(told).to_contain_text("李强")
    expect(told).to_contain_text(re.compile(r"\d\d-\d\d \d\d:\d\d"))
    expect(row.locator("td[data-label='接下来']")).to_contain_text(re.compile(r"\d\d-\d\d \d\d:\d\d"))
    with board.expect_response(re.compile(f"/supervision/{key}/urge")):
        row.get_by_role("button", name=re.compile("催办")).click()
    expect(board.locator("#toasts")).to_contain_text("李强")

    handler = desk.person("liqiang")
    expect(handler.go("/notices").locator("main")).to_contain_text("杜强")
    task = player.open_tasks("handle")[0]
    handler.open_task(case_no, task.key)
    expect(handler.page.locator(".task__side")).to_contain_text("杜强")

    ledger = desk.person("duqiang").go(f"/supervision/{key}")
    expect(ledger.locator("main")).to_contain_text("已触发")
    firing = tables.rung_firing
    with onlooker.reading() as conn:
        rungs = conn.execute(select(firing.c.clock_key, firing.c.rung).where(firing.c.case_key == key)).all()
    assert len(rungs) == len(set(rungs)) >= 3
