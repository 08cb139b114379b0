"""Calendar, rule table, supervision cards and bulletins as the people who answer for them work with them, in the browser and in Chinese."""

from __future__ import annotations

import re
from datetime import date, timedelta

from playwright.sync_api import Page, expect
from sqlalchemy import select

from engine.store import tables
from tests.support.browser import SMALL_PDF, Desk
from tests.support.by_requests import RequestsPlayer

WORKDAYS_AHEAD = 2
RULE = "gk.reply"
"""A rule that no delivered procedure uses: changing it disturbs no other test."""


def answer_question(page: Page) -> None:
    page.locator('dialog[open] button[value="yes"]').click()


def due_of(onlooker, case_key: int, rule: str) -> date:
    clock = tables.clock.c
    with onlooker.reading() as conn:
        due = conn.execute(select(clock.due_at).where(clock.case_key == case_key, clock.rule_id == rule)).scalar_one()
    return onlooker.calendar.local(due).date()


def overdue_from(onlooker, case_key: int, rule: str):
    clock = tables.clock.c
    with onlooker.reading() as conn:
        return conn.execute(select(clock.overdue_at).where(clock.case_key == case_key, clock.rule_id == rule)).scalar_one()


def propose(page: Page, text: str, number: str) -> None:
    """Paste a supplement to the notice, look at the preview, and send it to the second administrator."""
    page.locator("#f-text").fill(text)
    page.locator("#f-scope").select_option("days")
    page.locator("#f-notice").fill(number)
    page.locator("#f-reason").fill("按补充通知调整")
    page.get_by_role("button", name="预览").click()
    if (seen := page.locator("input[name=seen]")).count():
        seen.check()
    page.get_by_role("button", name="提交批准").click()
    expect(page.locator("h1")).to_have_text(number)


def approve(desk: Desk, page: Page, by: str) -> Page:
    """The second administrator approves; gives the list of recalculated limits, ended."""
    other = desk.person(by).go(page.url.removeprefix(desk.url))
    other.get_by_role("button", name="批准").click()
    answer_question(other)
    expect(other.locator("#progress .light").first).to_have_text("已结束", timeout=30_000)
    return other


def test_a_notice_is_pasted_previewed_approved_and_moves_the_limits_only_later(desk: Desk, by_requests, onlooker):
    player = by_requests("complaint_c")
    player.play_until("handle")
    before = due_of(onlooker, player.case_key, "cmp.C")
    closed = player.engine.calendar.add_workdays(player.local_now.date(), WORKDAYS_AHEAD)
    day = f"{closed.month}月{closed.day}日"
    title = f"国务院办公厅关于{closed.year}年部分节假日安排的补充通知"
    holiday = f"{title}\n一、国庆节：{day}放假。"
    desk.expects(422)

    page = desk.person("admin").go("/admin/calendar/import")
    page.locator("#f-text").fill(f"{holiday}\n二、{day}上班。")
    page.locator("#f-scope").select_option("days")
    page.get_by_role("button", name="预览").click()
    contradiction = page.locator("tr", has_text="必须改正")
    expect(contradiction.locator("td[data-label='行']")).to_have_text("3")
    expect(contradiction).to_contain_text(closed.isoformat())
    expect(page.get_by_role("button", name="提交批准")).to_have_count(0)
    expect(page.locator("#f-text")).to_have_value(f"{holiday}\n二、{day}上班。")
    assert due_of(onlooker, player.case_key, "cmp.C") == before

    propose(page, holiday, "国办发明电〔测试〕1号")
    expect(page.locator("main")).to_contain_text("须由另一名管理员批准")
    expect(page.locator("main tr", has_text=player.case_no).first).to_be_visible()
    done = approve(desk, page, "admin2")
    moved = done.locator("tr", has_text=player.case_no)
    expect(moved.first).to_contain_text("已调整")
    after = due_of(onlooker, player.case_key, "cmp.C")
    assert after > before

    # The day is worked after all: what people were told is not shortened before somebody decides.
    page = desk.person("admin").go("/admin/calendar/import")
    propose(page, f"{title}\n一、{day}上班。", "国办发明电〔测试〕2号")
    done = approve(desk, page, "admin2")
    expect(done.locator("tr", has_text=player.case_no).first).to_contain_text("待决定")
    assert due_of(onlooker, player.case_key, "cmp.C") == after
    deciding = desk.person("duqiang").go(done.url.removeprefix(desk.url))
    deciding.locator("input[name=all]").check()
    deciding.locator("#decide-reason").fill("已书面告知当事人")
    deciding.get_by_role("button", name="保留原日期").click()
    expect(deciding.locator("tr", has_text=player.case_no).first).to_contain_text("已书面告知当事人")
    assert due_of(onlooker, player.case_key, "cmp.C") == after


def test_a_rule_is_changed_from_a_day_on_compared_and_simulated(desk: Desk, onlooker):
    today = onlooker.calendar.local(onlooker.clock()).date()
    first_day = today + timedelta(days=30)
    page = desk.person("admin").go(f"/limits/rules/{RULE}/edit")
    page.locator("#f-limit").fill("-5")
    page.locator("#f-effective_from").fill(first_day.isoformat())
    page.locator("#f-reason").fill("办公会议定")
    desk.expects(422)
    page.get_by_role("button", name="保存").click()
    expect(page.locator("#d-limit")).to_be_visible()
    expect(page.locator("#f-limit")).to_have_value("-5")
    expect(page.locator("#f-reason")).to_have_value("办公会议定")

    page.locator("#f-limit").fill("15")
    page.locator("#f-sample").fill((first_day + timedelta(days=1)).isoformat())
    page.get_by_role("button", name="新旧对比").click()
    expect(page.locator("#comparison")).to_be_visible()
    expect(page.locator("main")).to_contain_text("15 个工作日")
    page.get_by_role("button", name="保存").click()

    expect(page.locator("main .alert-success")).to_be_visible()
    history = page.locator("table", has=page.locator("caption", has_text="历史"))
    expect(history.locator("tbody tr").first).to_contain_text("办公会议定")
    for received, days in ((today, "20 个工作日"), (first_day + timedelta(days=1), "15 个工作日")):
        page.goto(f"{desk.url}/limits/simulate?received={received.isoformat()}&rule={RULE}")
        row = page.locator("tbody tr", has_text=RULE)
        expect(row).to_contain_text(days)
        expect(row.locator("td[data-label='到期'] strong")).to_have_text(re.compile(r"\d\d-\d\d|\d{4}"))


def left_undone(desk: Desk, player: RequestsPlayer, onlooker) -> None:
    """A case whose handler has taken it and let its step run out."""
    player.play_until("handle")
    handler = desk.person("liqiang")
    handler.open_task(player.case_no, player.open_tasks("handle")[0].key)
    player.until(overdue_from(onlooker, player.case_key, "cmp.C"))


def test_a_card_is_issued_by_itself_appealed_with_a_paper_and_revoked(desk: Desk, by_requests, onlooker):
    player = by_requests("complaint_c")
    left_undone(desk, player, onlooker)

    handler = desk.person("liqiang").go("/cards?rule=step")
    handler.locator("tr", has_text=player.case_no).get_by_role("link").first.click()
    expect(handler.locator("main")).to_contain_text("环节超时（总时限未超）")
    expect(handler.locator("#evidence + dl + ol li").first).to_be_visible()
    handler.locator("#text-appeal").fill("当日系统停机，附通知")
    handler.locator("#file-appeal").set_input_files({"name": "停机通知.pdf", "mimeType": "application/pdf", "buffer": SMALL_PDF})
    handler.get_by_role("button", name="申诉").click()
    expect(handler.locator("main")).to_contain_text("停机通知.pdf")

    supervisor = desk.person("duqiang").go(handler.url.removeprefix(desk.url))
    expect(supervisor.locator("main")).to_contain_text("当日系统停机，附通知")
    supervisor.locator("#text-revoke").fill("情况属实")
    supervisor.get_by_role("button", name="撤销").click()
    answer_question(supervisor)
    expect(supervisor.locator("main")).to_contain_text("不计入")
    expect(desk.person("liqiang").go("/notices").locator("main")).to_contain_text("情况属实")


def test_a_bulletin_is_drafted_heard_approved_issued_and_printed(desk: Desk, by_requests, onlooker):
    player = by_requests("complaint_c")
    left_undone(desk, player, onlooker)
    board = desk.person("duqiang").go("/supervision?sort=-case_no")
    board.locator(f"#case-{player.case_key} [data-select]").check()
    board.locator(".bulkbar").get_by_role("button", name="拟通报").click()
    board.locator("#text").fill("调查处理超期，未说明理由")
    board.get_by_role("button", name="拟通报").click()
    expect(board.locator("main .alert-success")).to_be_visible()
    supervisor = desk.person("duqiang").go(f"/supervision/{player.case_key}")
    supervisor.locator("section[aria-labelledby=bulletins]").get_by_role("link").first.click()
    address = supervisor.url.removeprefix(desk.url)
    expect(supervisor.locator("#text-change")).to_have_value(re.compile(f"{player.case_no}.*投诉办理", re.DOTALL))

    chief = desk.person("chengang").go(address)
    chief.locator("#text-object").fill("当事人未到场，非承办人原因")
    chief.get_by_role("button", name="提交意见").click()
    supervisor.reload()
    supervisor.locator("#text-weigh").fill("理由不成立")
    supervisor.get_by_role("button", name="提交研究情况").click()
    leader = desk.person("liuwei").go(address)
    leader.get_by_role("button", name="批准").click()
    supervisor.reload()
    supervisor.get_by_role("button", name="印发").click()
    answer_question(supervisor)
    expect(supervisor.locator("h1")).to_contain_text("号")
    number = supervisor.locator("h1").inner_text().split(" ")[0]

    supervisor.get_by_role("link", name="打印").click()
    paper = supervisor.locator("article.bulletin-paper")
    expect(paper).to_contain_text(number)
    supervisor.emulate_media(media="print")
    expect(supervisor.locator("[data-print]")).to_be_hidden()
    expect(paper).to_be_visible()
    supervisor.emulate_media(media="screen")
    supervisor.evaluate("() => { window.print = () => { window.printed = true; }; }")
    supervisor.locator("[data-print]").click()
    assert supervisor.evaluate("window.printed") is True
