"""Lists that stay where they were, sheets that open, two languages, a phone, and identities that stay hidden."""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path

import pytest
from openpyxl import load_workbook
from playwright.sync_api import Page, expect

from tests.support.browser import PHONE, Desk

CHINESE = re.compile(r"[\u4e00-\u9fff]")
ENGLISH = re.compile(r"[A-Za-z]{3,}")
FRAME = (
    ".frame__menu a, .page-head h1, main h2, main label, main th, main button, main a.btn, main [role=tab], .filters__tabs a, .frame__bar a, "
    "main dt, .light, title"
)
"""What the program says, in contrast to what is in the cases."""

PAGES = {
    "wangfang": ("/home", "/inbox", "/inbox/done", "/inbox/started", "/start", "/notices", "/me"),
    "duqiang": ("/supervision",),
    "yaojing": ("/designer", "/designer/upload"),
    "admin": ("/admin", "/admin/clock"),
}


@pytest.fixture
def waiting(by_requests):
    """A complaint that waits for its acceptance review."""
    player = by_requests("complaint_c")
    player.play_until("accept_review")
    return player


def test_filters_and_order_stay_after_going_back(waiting, desk: Desk):
    task = waiting.open_tasks("accept_review")[0]
    person = desk.person("wangfang")
    page = person.go(f"/inbox?q={waiting.case_no}")
    # Green today; hollow where the limit ends in a year whose calendar is not published.
    light = re.search(r"light--(\w+)", page.locator(f"#row-{task.key} .light").get_attribute("class"))[1]
    page = person.go("/inbox?sort=-received")
    page.locator("form.filters input[name=q]").fill(waiting.case_no)
    page.locator("form.filters select[name=light]").select_option(light)
    page.locator("form.filters button[type=submit]").click()
    page.wait_for_url(re.compile("q="))
    before = page.url

    page.locator(f"#row-{task.key} td.code a").click()
    person.form_stands()
    page.locator(".page-head a").first.click()
    expect(page.locator(f"#row-{task.key}")).to_be_visible()
    assert page.url == before
    assert page.locator("form.filters input[name=q]").input_value() == waiting.case_no
    assert page.locator("form.filters select[name=light]").input_value() == light

    page.locator(f"#row-{task.key} td.code a").click()
    person.form_stands()
    page.go_back()
    expect(page.locator(f"#row-{task.key}")).to_be_visible()
    assert page.url == before


def test_the_page_of_a_list_stays_after_finishing_a_task(waiting, desk: Desk):
    person = desk.person("wangfang")
    task = waiting.open_tasks("accept_review")[0]
    page = person.open_task(waiting.case_no, task.key)
    person.fill({"in_scope": "yes", "in_duty": "yes"})

    person.press("accept")

    assert waiting.case_no in page.url
    expect(page.locator("main .alert-success")).to_contain_text("已办理")


def test_the_to_do_list_opens_as_a_workbook(waiting, desk: Desk):
    page = desk.person("wangfang").go(f"/inbox?q={waiting.case_no}")
    with page.expect_download() as saved:
        page.get_by_role("link", name="导出").click()
    sheet = load_workbook(BytesIO(Path(saved.value.path()).read_bytes())).active
    rows = [[cell.value for cell in row] for row in sheet.iter_rows()]

    assert saved.value.suggested_filename.endswith(".xlsx")
    head = next(row for row in rows if "办件编号" in row)
    line = next(row for row in rows if waiting.case_no in row)
    assert line[head.index("环节")] == "受理审查"
    assert line[head.index("剩余")]


def test_every_button_of_the_to_do_list_is_in_sight_on_the_offices_screens(waiting, desk: Desk):
    page = desk.person("wangfang").go(f"/inbox?q={waiting.case_no}")
    button = page.locator("[data-action=claim]").first.bounding_box()
    frame = page.locator(".work-frame").bounding_box()
    assert button["x"] + button["width"] <= frame["x"] + frame["width"]


def test_the_keyboard_moves_and_opens_the_list(waiting, desk: Desk):
    page = desk.person("wangfang").go(f"/inbox?q={waiting.case_no}")
    page.keyboard.press("j")
    expect(page.locator("[data-row].is-current")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/task/\d+"))


def spoken(page: Page) -> list[str]:
    """The program's own words on the page."""
    texts = page.locator(FRAME).evaluate_all(
        "nodes => nodes.filter(n => !n.closest('tbody, .frame__tools details, pre')).map(n => n.innerText || n.textContent)"
    )
    return [" ".join(text.split()) for text in texts if text.strip()]


@pytest.mark.parametrize("login", PAGES)
def test_the_chinese_interface_speaks_no_english(login, desk: Desk):
    person = desk.person(login)
    for path in PAGES[login]:
        page = person.go(path)
        assert page.locator("html").get_attribute("lang") == "zh"
        assert not [text for text in spoken(page) if ENGLISH.search(text) and not CHINESE.search(text) and text != "English"], path


@pytest.mark.parametrize("login", PAGES)
def test_the_english_interface_speaks_no_chinese(login, desk: Desk):
    person = desk.person(login)
    person.go("/language/en")
    for path in PAGES[login]:
        page = person.go(path)
        assert page.locator("html").get_attribute("lang") == "en"
        assert not [text for text in spoken(page) if CHINESE.search(text) and text != "中文"], path


def test_a_phone_shows_inbox_and_task_without_scrolling_sideways(waiting, desk: Desk):
    task = waiting.open_tasks("accept_review")[0]
    person = desk.visitor("wangfang", viewport=PHONE, has_touch=True, is_mobile=True).sign_in()
    wide = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"

    page = person.go("/inbox")
    assert page.evaluate(wide) <= 0
    expect(page.locator(".frame__bar")).to_be_visible()
    person.open_task(waiting.case_no, task.key)
    assert page.evaluate(wide) <= 0
    expect(page.locator('button[data-outcome="accept"]')).to_be_visible()


def test_the_complainant_is_hidden_from_who_need_not_know_and_each_look_is_recorded(waiting, desk: Desk):
    secrets = ("河南某某科技有限公司", "13800000000", "王某")
    outsider = desk.person("liuwei").go(f"/case/{waiting.case_key}")
    expect(outsider.locator("main")).to_contain_text("保密")
    assert not [secret for secret in secrets if secret in outsider.content()]

    insider = desk.person("hejing").go(f"/case/{waiting.case_key}")
    assert "河南某某科技有限公司" in insider.content()

    log = desk.person("shenji").go(f"/case/{waiting.case_key}#log").locator("#log")
    expect(log).to_contain_text("何静")
    assert not [secret for secret in secrets if secret in desk.person("shenji").page.content()]
