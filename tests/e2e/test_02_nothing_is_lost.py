"""Drafts, lost sessions, rivals, stale pages: whatever happens, nobody's work is gone and everybody is told."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.support.browser import Desk, field

OPINION = "经核实，反映情况属实，已当场办结并向投诉人致歉。"


@pytest.fixture
def at_handling(by_requests):
    """A complaint that 李强 of 高新技术科 has signed for and must handle now; the player with it."""
    player = by_requests("complaint_c")
    player.play_until("handle")
    return player


def test_a_draft_survives_a_reload(at_handling, desk: Desk):
    task = at_handling.open_tasks("handle")[0]
    person = desk.person("liqiang")
    page = person.open_task(at_handling.case_no, task.key)
    field(page, "handling_opinion").fill(OPINION)
    field(page, "handling_opinion").blur()
    page.locator("[data-opinion]").fill("已联系投诉人")
    expect(page.locator("[data-draft-state]")).to_contain_text(re.compile(r"已保存 \d\d:\d\d"))

    page.reload()

    person.form_stands()
    expect(field(page, "handling_opinion")).to_have_value(OPINION)
    expect(page.locator("[data-opinion]")).to_have_value("已联系投诉人")


def test_an_expired_session_loses_nothing(at_handling, desk: Desk):
    desk.expects(400, 401)
    task = at_handling.open_tasks("handle")[0]
    person = desk.person("liqiang")
    page = person.open_task(at_handling.case_no, task.key)
    person.context.clear_cookies()
    person.fill(at_handling.answers(next(step for step in at_handling.scenario.steps if step.get("element") == "handle")["data"]))

    dialog = page.locator("dialog[open]")
    expect(dialog).to_contain_text("请重新登录")
    with person.context.expect_page() as opened:
        dialog.get_by_role("link", name="登录（新标签页）").click()
    person.fill_sign_in(opened.value)
    expect(opened.value.locator("main")).to_contain_text("已登录")
    opened.value.close()
    page.bring_to_front()
    if dialog.count():  # it goes by itself when the window gets the focus
        dialog.get_by_role("button", name="已登录，继续").click()
    expect(dialog).to_have_count(0)
    expect(page.locator("[data-draft-state]")).to_contain_text("已保存")

    expect(field(page, "handling_opinion")).to_have_value(re.compile("反映属实"))
    person.press("submit")
    assert [
        each.state for each in at_handling.engine.user_tasks(instance_key=task.instance_key, state="COMPLETED") if each.key == task.key
    ] == ["COMPLETED"]


def test_of_two_clerks_finishing_the_same_task_the_second_is_told_who_and_when(by_requests, desk: Desk):
    desk.expects(409)
    player = by_requests("complaint_c")
    player.play_until("accept_review")
    task = player.open_tasks("accept_review")[0]
    faster, slower = desk.person("wangfang"), desk.visitor("wangfang").sign_in()
    for person in (faster, slower):
        person.open_task(player.case_no, task.key)
        person.fill({"in_scope": "yes", "in_duty": "yes"})
        person.page.locator("[data-opinion]").fill("符合受理条件，拟受理。")
    faster.press("accept")

    slower.page.locator('button[data-outcome="accept"]').click()

    told = slower.page.locator("main")
    expect(told).to_contain_text("王芳")
    expect(told).to_contain_text(re.compile(r"\d\d-\d\d \d\d:\d\d|\d\d:\d\d"))
    expect(told).to_contain_text("符合受理条件，拟受理。")


def test_of_two_clerks_claiming_one_row_the_second_is_told_who_was_faster(by_requests, desk: Desk):
    desk.expects(409)
    player = by_requests("complaint_c")
    player.play_until("accept_review")
    task = player.open_tasks("accept_review")[0]
    faster, slower = desk.person("wangfang"), desk.person("hejing")
    for person in (faster, slower):
        person.go(f"/inbox?q={player.case_no}")
    faster.page.locator(f"#row-{task.key} [data-action=claim]").click()
    expect(faster.page.locator(f"#row-{task.key}")).to_contain_text("办理")

    slower.page.locator(f"#row-{task.key} [data-action=claim]").click()

    expect(slower.page.locator(f"#row-{task.key}")).to_contain_text("王芳")


def test_a_stale_page_is_told_and_keeps_what_was_typed(by_requests, desk: Desk):
    desk.expects(409)
    player = by_requests("complaint_c")
    player.play_until("accept_review")
    task = player.open_tasks("accept_review")[0]
    person = desk.person("hejing")
    page = person.open_task(player.case_no, task.key)
    person.fill({"in_scope": "yes", "in_duty": "yes"})
    other = person.context.new_page()
    other.goto(f"{desk.url}/task/{task.key}")
    other.locator("details.menu", has=other.locator(f'form[action="/task/{task.key}/unclaim"]')).locator("summary").click()
    other.locator(f'form[action="/task/{task.key}/unclaim"] button').click()
    expect(other.locator("main .alert")).not_to_have_count(0)
    other.close()

    page.locator('button[data-outcome="accept"]').click()

    told = page.locator(".toast, [data-draft-state], main [role=alert]")
    expect(told.filter(has_text=re.compile("已|改|刷新|重新")).first).to_be_visible()
    assert [each.state for each in player.engine.user_tasks(state="CREATED") if each.key == task.key] == ["CREATED"]
