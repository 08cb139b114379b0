"""The process monitor in Chinese, in a real browser: from the menu to one instance, its variables, its tokens, and a batch."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from engine import Engine
from tests.bpmn.builder import bpmn, process, user, xor
from tests.support.browser import PHONE, Desk, Person
from tests.support.server import RunningServer

ENGLISH = re.compile(r"[A-Za-z]{3,}")
FRAME = ".page-head h1, main h2, main label, main th, main button, main a.btn, main [role=tab], .filters__tabs a, main dt, .light, title, .work__empty"
"""What the program says, in contrast to what is in the cases."""


@pytest.fixture
def case(by_requests):
    """A complaint that waits for its acceptance review."""
    player = by_requests("complaint_c")
    player.play_until("accept_review")
    return player


@pytest.fixture
def stuck(server: RunningServer) -> Iterator[Engine]:
    """Three instances of a small process that no flow lets through; its drawing was never made."""
    engine = server.onlooker()
    model = process("monitored", "start -> ask -> sure -[amount > 100]-> boss -> end; sure -[amount <= 100]-> end",
                    ask=user(assignee="wangfang"), sure=xor())  # fmt: skip
    engine.deploy({"monitored.bpmn": bpmn(model).replace(b'"The ', b'"\xe7\x8e\xaf\xe8\x8a\x82 ')}, by="yaojing")
    for number in range(3):
        made = engine.start("monitored", business_key=f"JK-{number}", by="wangfang")
        engine.complete(engine.user_tasks(made.key)[0].key, {}, by="wangfang")
    yield engine
    engine.dispose()


def is_chinese(page: Page) -> None:
    """Everything the program says on the page is Chinese; names of processes and variables are data."""
    for each in page.locator(FRAME).all():
        text = each.inner_text() if each.is_visible() or each.evaluate("node => node.tagName") == "TITLE" else ""
        said = re.sub(r"JSON|BPMN|v\d+|[A-Z0-9]+-[A-Z0-9-]+|monitored\\w*|facts", "", text)
        assert not ENGLISH.search(said), f"{page.url}: {text!r}"


def fits(page: Page) -> None:
    """Nothing sticks out at the side."""
    wide, inner = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert wide <= inner, page.url


def confirm(page: Page) -> None:
    page.locator('dialog[open] button[value="yes"]').click()


def done(page: Page, words: str) -> None:
    expect(page.locator("main .alert-success")).to_contain_text(words)


def test_a_case_is_found_held_corrected_and_moved(case, desk: Desk):
    page = desk.person("admin").go("/home")
    page.locator(".frame__menu a", has_text="运行监控").click()
    expect(page.locator("table caption")).to_contain_text("流程")
    is_chinese(page)
    page.locator(".filters__tabs a", has_text="实例").click()
    page.get_by_label("办件编号、业务编号").fill(case.case_no)
    page.locator("form.filters button[type=submit]").click()
    page.wait_for_url(re.compile("q="))
    is_chinese(page)
    listed = page.url
    page.locator("tbody td.code a").click()

    # The drawing shows where it stands; a line of the tree and the drawing show each other.
    expect(page.locator("[data-diagram][data-drawn=yes]")).to_be_attached()
    expect(page.locator('.djs-element.is-current[data-element-id="accept_review"]')).to_be_attached()
    expect(page.locator(".diagram__tokens").first).to_have_text("1")
    page.locator(".token-tree li", has_text="受理审查").focus()
    page.keyboard.press("Enter")
    expect(page.locator('.djs-element.is-picked[data-element-id="accept_review"]')).to_be_attached()

    # A variable: refused, compared, saved; confidential ones stand without a button.
    page.get_by_role("tab", name="变量").click()
    is_chinese(page)
    row = page.locator("#variables tr", has=page.locator("td.code", has_text="complainant_name"))
    expect(row).to_contain_text("保密")
    expect(row.locator("a.btn")).to_have_count(0)
    page.get_by_role("link", name="编辑 facts").click()
    page.locator("#kind").select_option("number")
    page.locator("#value").fill("不是数字")
    desk.expects(422)
    page.get_by_role("button", name="对比新旧").click()
    expect(page.locator("#value-error")).to_contain_text("不是数字")
    page.locator("#kind").select_option("text")
    page.locator("#value").fill("更正后的事实")
    page.get_by_label("理由").fill("录入有误")
    page.get_by_role("button", name="对比新旧").click()
    expect(page.locator(".old-new pre").nth(1)).to_have_text("更正后的事实")
    is_chinese(page)
    page.get_by_role("button", name="保存").click()
    done(page, "已修改")
    expect(page.locator("#variables")).to_contain_text("更正后的事实")

    # Held and released, with the reason in the log.
    page.get_by_role("link", name="挂起").click()
    page.get_by_label("理由").fill("核对材料")
    page.get_by_role("button", name="挂起").click()
    done(page, "已挂起")
    page.get_by_role("tab", name="操作记录").click()
    expect(page.locator("#log")).to_contain_text("核对材料")
    page.get_by_role("link", name="恢复").click()
    page.get_by_role("button", name="恢复").click()
    done(page, "恢复")

    # Moved by clicks in the drawing.
    page.get_by_role("link", name="流程跳转").click()
    expect(page.locator("[data-diagram][data-drawn=yes]")).to_be_attached()
    is_chinese(page)
    page.locator('.djs-element[data-element-id="accept_review"] .djs-hit').first.click()
    expect(page.locator("input[name=cancel]:checked")).to_have_count(1)
    page.locator("input[name=start][value=handle]").check()
    page.get_by_role("button", name="流程跳转").click()
    confirm(page)
    done(page, "已跳转")
    expect(page.locator('.token-tree li[data-element-id="handle"]')).to_be_visible()

    page.locator(".page-head a").first.click()
    assert page.url == listed


def test_incidents_of_one_kind_are_tried_again_together_and_the_progress_moves_by_itself(stuck: Engine, desk: Desk):
    page = desk.person("yaojing").go("/operations/incidents?process=monitored")
    is_chinese(page)
    row = page.locator("tbody tr")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("没有一条流出的顺序流可走")
    keys = [each.key for each in stuck.instances() if each.process_id == "monitored"]
    for key in keys[:2]:
        stuck.set_variables(key, {"amount": 500})

    row.get_by_role("button").click()
    confirm(page)
    expect(page.locator("#progress")).to_contain_text("已完成")
    assert page.locator("#progress[hx-get]").count() == 0
    expect(page.locator("#progress")).to_contain_text("成功 3")
    is_chinese(page)
    assert len([each for each in stuck.incidents() if each.process_id == "monitored"]) == 1

    # All of the process are cancelled from the list, with a reason.
    page = desk.person("yaojing").go("/operations/instances?process=monitored&state=running")
    page.locator("[data-select-all]").check()
    page.get_by_role("button", name="终止实例").click()
    is_chinese(page)
    page.get_by_label("理由").fill("测试数据")
    page.get_by_role("button", name="终止实例").click()
    expect(page.locator("#progress")).to_contain_text("已完成")
    assert {stuck.instance(key).state for key in keys} == {"TERMINATED"}

    # And one is deleted for good, by typing its number.
    page = desk.person("yaojing").go(f"/operations/instances/{keys[0]}/delete")
    page.get_by_label("理由").fill("测试数据")
    page.get_by_label("以确认").fill("JK-0")
    page.get_by_role("button", name="彻底删除").click()
    done(page, "已删除")


def test_the_ticked_instances_are_brought_to_a_new_version(server: RunningServer, desk: Desk):
    engine = server.onlooker()
    for step in ("ask", "review"):
        model = process("monitored_moving", f"start -> {step} -> end", **{step: user(assignee="wangfang")})
        engine.deploy({"moving.bpmn": bpmn(model).replace(b'"The ', "\"环节 ".encode())}, by="yaojing")
    keys = [engine.start("monitored_moving", version=1, business_key=f"QY-{number}").key for number in range(2)]

    page = desk.person("yaojing").go("/operations/migration?process=monitored_moving")
    expect(page.locator("main")).to_contain_text("不能迁移")
    page.locator("select[name='to.ask']").select_option("review")
    page.get_by_role("button", name="重新生成").click()
    expect(page.locator("main")).to_contain_text("人工指定")
    expect(page.locator("tbody .light--green")).to_have_count(2)
    is_chinese(page)
    button = page.get_by_role("button", name="迁移所选")
    expect(button).to_be_disabled()
    page.locator("tr", has_text="QY-1").locator("[data-select]").check()
    expect(button).to_be_enabled()
    button.click()
    confirm(page)
    expect(page.locator("#progress")).to_contain_text("已完成")
    assert [engine.instance(key).version for key in keys] == [1, 2]
    engine.dispose()


def test_every_page_of_the_monitor_fits_a_desk_and_a_phone(case, desk: Desk):
    pages = ["", "/instances", "/incidents", "/migration", "/batches", "/cleanup", f"/instances/{case.case_key}"]
    phone = desk.visitor("admin", viewport=PHONE).sign_in()
    for person in (desk.person("admin"), phone):
        _looked_over(person, pages)
    expect(phone.page.locator(".frame__bar a", has_text="运行监控")).to_be_visible()


def _looked_over(person: Person, pages: list[str]) -> None:
    for path in pages:
        page = person.go(f"/operations{path}")
        fits(page)
        is_chinese(page)


def test_a_supervisor_looks_on_and_a_clerk_is_not_let_in(case, desk: Desk):
    page = desk.person("duqiang").go(f"/operations/instances/{case.case_key}")
    expect(page.locator(".page-head__tools")).to_contain_text("查看办件")
    assert page.get_by_role("link", name="流程跳转").count() == 0
    desk.expects(404)
    page = desk.person("wangfang").go("/operations")
    expect(page.locator("main")).to_contain_text("未找到")
