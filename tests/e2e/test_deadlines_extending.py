"""More time for a limit, asked for by the handler on the page of the case and granted by another."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.support.browser import Desk

REASON = "需向第三方核实账目"


def test_a_handler_asks_for_more_time_and_the_chief_grants_it_on_the_case_page(desk: Desk, by_requests):
    player = by_requests("complaint_c")
    player.play_until("handle")
    task = player.open_tasks("handle")[0]
    handler = desk.person("liqiang")
    handler.open_task(player.case_no, task.key)
    case = f"/case/{player.case_key}#clocks"

    asking = handler.go(case)
    asking.get_by_role("link", name="申请延期…").first.click()
    expect(asking.get_by_role("heading", name="申请延期")).to_be_visible()
    desk.expects(422)
    asking.locator("[name=amount]").fill("400")
    asking.locator("[name=reason]").fill(REASON)
    asking.get_by_role("button", name="提交申请").click()
    expect(asking.locator(".form-errors")).to_contain_text("最多")
    expect(asking.locator("[name=reason]")).to_have_value(REASON)
    asking.locator("[name=amount]").fill("10")
    asking.get_by_role("button", name="查看结果").click()
    before, after = (asking.locator("tbody tr").nth(row).locator("td").last for row in (0, 1))
    expect(before).to_have_text(re.compile(r"\d{4}年"))
    until_now, extended = before.inner_text(), after.inner_text()
    assert until_now != extended
    asking.get_by_role("button", name="提交申请").click()
    expect(asking.locator("main .alert-success")).to_contain_text("延期申请已提交")

    granting = desk.person("guotao").go(case)
    granting.get_by_role("link", name="查看申请").click()
    expect(granting.locator("main")).to_contain_text(REASON)
    expect(granting.locator("tbody tr").last.locator("td").last).to_have_text(extended)
    granting.get_by_role("button", name="同意", exact=True).click()
    expect(granting.locator("main .alert-success")).to_contain_text("时限已延长")
    expect(granting.locator("#clocks")).to_contain_text(REASON)

    # The address differs from the shown one by nothing, so going there would not ask the server again.
    asking.reload()
    expect(asking.locator("#clocks")).to_contain_text(REASON)
    expect(asking.locator("#clocks")).to_contain_text(re.compile("延期 10 "))
