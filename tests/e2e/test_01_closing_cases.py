"""All three procedures, in Chinese, in Chromium, from the start form to the archive."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from engine.store import tables
from tests.support.browser import SMALL_PDF, Desk


@pytest.mark.parametrize("name", ["complaint_c", "hnte_approved", "ft_exempt"])
def test_a_case_goes_from_registration_to_its_end_through_the_pages(name, in_browser, desk: Desk):
    player = in_browser(name)

    player.play()

    player.check()
    assert len(player.logins) >= 4
    page = desk.person("duqiang").go(f"/case/{player.case_key}")
    expect(page.locator(".page-head__tools")).to_contain_text(player.scenario.expect["result"])
    page.get_by_role("tab", name="流转").click()
    trail = page.locator("#flow ol.trail")
    for step in player.scenario.steps:
        if step.get("element"):
            expect(trail.locator(f'li[data-element-id="{step["element"]}"]').first).to_be_visible()
    expect(page.locator("[data-drawn=yes]").first).to_be_visible()
    assert page.locator(".djs-element.is-done, .djs-element[class*=done]").count() > 3


def test_the_document_of_the_start_form_can_be_read_again(in_browser, desk: Desk):
    player = in_browser("complaint_c")
    player.begin()

    page = desk.person("wangfang").go(f"/case/{player.case_key}")
    page.get_by_role("tab", name=re.compile("材料")).click()
    expect(page.locator("#files")).to_contain_text("证明.pdf")
    with page.expect_download() as saved:
        page.locator("#files").get_by_role("link", name="下载").click()
    assert saved.value.suggested_filename == "证明.pdf"
    assert Path(saved.value.path()).read_bytes() == SMALL_PDF


def test_more_time_is_asked_for_on_the_tasks_page_and_granted(by_requests, in_browser):
    filed, player = by_requests("complaint_extension"), in_browser("complaint_extension")
    filed.play_until("handle")
    player.take_over(filed)
    steps = player.scenario.steps
    first = next(number for number, step in enumerate(steps) if step["do"] == "extend")

    for step in steps[first : first + 4]:
        player.step(step)

    assert player.waiting() == ["handle"]
    clock = tables.clock
    with player.engine.reading() as conn:
        ledgers = (
            conn.execute(select(clock.c.ledger).where(clock.c.case_key == player.case_key, clock.c.rule_id == "cmp.close")).scalars().all()
        )
    assert [each["amount"] for ledger in ledgers for each in ledger["extensions"]] == [10]


def test_a_complaint_is_withdrawn_with_a_button_of_the_case_page(by_requests, in_browser):
    filed, player = by_requests("complaint_withdrawn"), in_browser("complaint_withdrawn")
    filed.play_until("complaint_withdrawn")
    player.take_over(filed)

    player.step(player.scenario.steps[-1])

    player.check()
