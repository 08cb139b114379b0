"""The browser bundle on small pages of its own, under the strict policy, in a real Chromium."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

ROOT = Path(__file__).parents[2]
STATIC = ROOT / "web" / "static"
ORIGIN = "http://banjie.test"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
KINDS = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}

pytestmark = pytest.mark.e2e


class Site:
    """A site made of strings: ``pages`` by path, ``answers`` in JSON by path; what was posted is kept in ``posted``."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.pages: dict[str, tuple[str, str]] = {}
        self.answers: dict[str, Callable[[], tuple[int, dict]]] = {}
        self.posted: list[tuple[str, str, dict]] = []
        self.complaints: list[str] = []
        page.on("console", lambda message: self.complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.route("**/*", self._answer)

    def _answer(self, route: Any) -> None:
        request = route.request
        path = request.url.removeprefix(ORIGIN).split("?")[0].split("#")[0]
        if path.startswith("/static/"):
            file = STATIC / path.removeprefix("/static/")
            route.fulfill(body=file.read_bytes(), content_type=KINDS[file.suffix])
        elif request.method == "POST":
            self.posted.append((path, request.post_data or "", request.headers))
            status, body = self.answers.get(path, lambda: (200, {}))()
            route.fulfill(status=status, body=json.dumps(body), content_type="application/json")
        elif path in self.answers:
            status, body = self.answers[path]()
            route.fulfill(status=status, body=json.dumps(body), content_type="application/json")
        elif path in self.pages:
            kind, text = self.pages[path]
            route.fulfill(body=text, content_type=kind, headers={"Content-Security-Policy": POLICY})
        else:
            route.fulfill(status=404, body="")

    def open(self, body: str, *entries: str, lang: str = "zh", path: str = "/page") -> Any:
        manifest = json.loads((STATIC / "build" / "manifest.json").read_text())
        head = "".join(
            f'<link rel="stylesheet" href="/static/{manifest[entry]}">' if entry.endswith(".css") else f'<script type="module" src="/static/{manifest[entry]}"></script>'
            for entry in ("app.css", "app.js", *entries)
        )
        html = (
            f'<!doctype html><html lang="{lang}" data-login-url="/login" data-session-url="/session"><head><meta charset="utf-8"><title>t</title>'
            f'<meta name="csrf-token" content="token-1"><link rel="icon" href="data:,">{head}</head><body>{body}</body></html>'
        )
        self.pages[path] = ("text/html", html)
        self.page.goto(ORIGIN + path)
        expect(self.page.locator("html[data-ready=app]")).to_be_attached()
        return self.page

    def posts(self, path: str) -> list[str]:
        return [body for where, body, _ in self.posted if where == path]


@pytest.fixture
def site(browser):
    if not (STATIC / "build" / "manifest.json").exists():
        pytest.skip("the browser bundle is not built; run `make assets`")
    context = browser.new_context(locale="zh-CN", viewport={"width": 1366, "height": 768})
    site = Site(context.new_page())
    site.page.set_default_timeout(5000)
    yield site
    complaints = [text for text in site.complaints if "status of 4" not in text]
    missing = site.page.evaluate("() => [...(window.banjieMissingWords ?? [])]") if site.page.locator("html[lang=zh]").count() else []
    context.close()
    assert complaints == []
    assert missing == []


def data(name: str, value: Any) -> str:
    return f'<script type="application/json" id="{name}">{json.dumps(value)}</script>'


LIST = """
<input data-search id="search">
<div x-data="rows"><table class="work"><tbody>
<tr data-row data-href="/case/1"><td><input type="checkbox" data-select value="1"></td><td id="one">一</td><td></td></tr>
<tr data-row data-href="/case/2"><td><input type="checkbox" data-select value="2"></td><td>二</td><td><button data-action="claim" hx-post="/claim/2" hx-swap="none">认领</button></td></tr>
</tbody></table><div class="bulkbar" x-show="any"><span id="count" x-text="count"></span><button type="button" id="clear" @click="clear()">清除</button></div></div>
"""


def test_a_list_is_worked_by_keyboard(site):
    page = site.open(LIST)
    expect(page.locator(".bulkbar")).to_be_hidden()
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(page.locator("#count")).to_have_text("1")
    page.keyboard.press("c")
    expect(page.locator("#count")).to_be_visible()
    page.wait_for_timeout(100)
    assert len(site.posts("/claim/2")) == 1
    assert site.posted[0][2]["x-csrftoken"] == "token-1"
    page.locator("#clear").click()
    expect(page.locator(".bulkbar")).to_be_hidden()
    page.keyboard.press("/")
    expect(page.locator("#search")).to_be_focused()
    page.keyboard.type("jkx")
    expect(page.locator("#search")).to_have_value("jkx")


def test_enter_opens_the_current_row(site):
    page = site.open(LIST)
    site.pages["/case/1"] = ("text/html", "<title>case one</title>")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url("**/case/1")


def test_a_question_is_asked_once_and_no_means_no(site):
    page = site.open('<form method="post" action="/do" data-confirm="退回后时限暂停。" data-idempotent><button id="go">退回</button></form>')
    page.locator("#go").click()
    expect(page.locator("dialog")).to_contain_text("退回后时限暂停。")
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_have_count(0)
    assert site.posted == []
    page.locator("#go").click()
    page.locator("dialog button", has_text="确定").click()
    page.wait_for_url("**/do")
    assert len(site.posts("/do")) == 1
    assert re.fullmatch(r"idempotency_key=[0-9a-f]{32}", site.posts("/do")[0])


SCHEMA = {
    "type": "default", "schemaVersion": 19, "components": [
        {"type": "textfield", "key": "name", "label": "企业名称", "id": "f1", "validate": {"required": True}},
        {"type": "number", "key": "amount", "label": "金额", "id": "f2"},
        {"type": "datetime", "subtype": "date", "key": "day", "dateLabel": "日期", "id": "f3"},
        {"type": "select", "key": "kind", "label": "类别", "id": "f4", "values": [{"label": "甲", "value": "a"}]},
        {"type": "filepicker", "key": "papers", "label": "材料", "id": "f5"},
    ],
}  # fmt: skip
TASK = """
<div data-form-errors class="form-errors" hidden></div><div id="task-form-fields" aria-busy="true"></div>
<form id="task-form" method="post" action="/complete"><input type="hidden" name="csrf_token" value="token-1"></form>
<div class="actions"><textarea data-opinion name="opinion" form="task-form"></textarea><span data-draft-state></span><span data-error-count></span>
<button form="task-form" data-outcome="back" data-outcome-unchecked data-needs-opinion>退回</button>
<button form="task-form" data-outcome="approve" data-confirm="同意后办结。">同意</button></div>
"""


def task(site: Site, lang: str = "zh", **more: Any) -> Any:
    values = {
        "key": "7", "revision": 3, "schema": SCHEMA, "data": {"name": "河南某科技"}, "readonly": False, "errors": {}, "draft": {"url": "/draft", "saved_at": None},
        "upload": {"url": "/files", "max_bytes": 1000}, "files": {}, **more,
    }  # fmt: skip
    page = site.open(TASK + data("task-data", values), "task.css", "task.js", lang=lang)
    expect(page.locator("html[data-task-ready]")).to_be_attached()
    return page


def name_field(page: Any) -> Any:
    return page.get_by_label("企业名称")


def test_a_task_keeps_a_draft_and_is_sent_once_after_the_question(site):
    site.answers["/draft"] = lambda: (200, {"saved_at": "2026-11-22T09:41:00+08:00"})
    page = task(site)
    name_field(page).fill("新名称")
    expect(page.locator("[data-draft-state]")).to_have_text("已保存 09:41")
    draft = json.loads(site.posts("/draft")[0])
    assert draft["data"]["name"] == "新名称"
    assert draft["revision"] == 3
    assert page.evaluate("localStorage.length") == 0
    page.locator("[data-opinion]").fill("同意 & 办理")
    page.locator("[data-outcome=approve]").click()
    page.locator("dialog button", has_text="确定").click()
    page.wait_for_url("**/complete")
    from urllib.parse import parse_qs

    fields = parse_qs(site.posts("/complete")[0], keep_blank_values=True)
    assert len(site.posts("/complete")) == 1
    assert fields["outcome"] == ["approve"]
    assert fields["opinion"] == ["同意 & 办理"]
    assert json.loads(fields["data"][0])["name"] == "新名称"
    assert fields["csrf_token"] == ["token-1"]


def test_an_incomplete_form_is_not_sent_and_says_where(site):
    page = task(site, data={})
    page.locator("[data-outcome=approve]").click()
    expect(page.locator("[data-error-count]")).to_have_text("有 1 处需要修改")
    expect(page.locator(".fjs-form-field-error")).to_have_text("此项为必填项。")
    expect(page.locator("dialog")).to_have_count(0)
    assert site.posts("/complete") == []


def test_sending_back_needs_an_opinion_but_no_complete_form(site):
    page = task(site, data={})
    page.locator("[data-outcome=back]").click()
    expect(page.locator("#toasts")).to_contain_text("请先填写意见")
    page.locator("[data-opinion]").fill("缺附件")
    page.locator("[data-outcome=back]").click()
    page.wait_for_url("**/complete")
    assert "outcome=back" in site.posts("/complete")[0]


def test_the_servers_errors_stand_at_their_fields_and_the_rest_above(site):
    page = task(site, errors={"name": ["名称与统一社会信用代码不符。"], "elsewhere": ["总额超出预算。"]})
    expect(page.locator(".fjs-form-field-error")).to_have_text("名称与统一社会信用代码不符。")
    expect(page.locator("[data-form-errors]")).to_have_text("总额超出预算。")
    name_field(page).focus()
    name_field(page).blur()
    page.wait_for_timeout(400)
    expect(page.locator(".fjs-form-field-error")).to_have_text("名称与统一社会信用代码不符。")
    name_field(page).fill("另一个名称")
    expect(page.locator(".fjs-form-field-error")).to_have_count(0)


def test_an_ended_session_loses_nothing(site):
    signed_in = []
    site.answers["/draft"] = lambda: (200, {"saved_at": "2026-11-22T09:41:00+08:00"}) if signed_in else (401, {})
    page = task(site)
    name_field(page).fill("不能丢的文字")
    expect(page.locator("dialog")).to_contain_text("登录已过期")
    assert "不能丢的文字" in page.evaluate("localStorage.getItem('banjie.draft:7:3')")
    page.locator("dialog button", has_text="稍后").click()
    expect(page.locator("dialog")).to_have_count(0)
    # Next morning, signed in again: the page brings back what the server never got, and hands it over.
    signed_in.append(True)
    task(site)
    expect(name_field(page)).to_have_value("不能丢的文字")
    expect(page.locator("[data-draft-state]")).to_have_text("已保存 09:41")
    assert page.evaluate("localStorage.length") == 0


def test_signing_in_elsewhere_continues_here_with_the_new_token(site):
    signed_in = []
    site.answers["/draft"] = lambda: (200, {}) if signed_in else (401, {})
    site.answers["/session"] = lambda: (200, {"login": "a", "csrf_token": "token-2"}) if signed_in else (401, {"csrf_token": "token-1"})
    page = task(site)
    name_field(page).fill("甲")
    expect(page.locator("dialog")).to_be_visible()
    page.locator("dialog button", has_text="已登录").click()
    expect(page.locator("dialog")).to_contain_text("尚未登录")
    signed_in.append(True)
    page.locator("dialog button", has_text="已登录").click()
    expect(page.locator("[data-draft-state]")).to_contain_text("已保存")
    assert site.posted[-1][2]["x-csrftoken"] == "token-2"
    assert page.locator("#task-form input[name=csrf_token]").input_value() == "token-2"


def test_documents_travel_when_chosen_and_large_ones_are_refused(site):
    page = task(site)
    page.locator("input[type=file]").set_input_files({"name": "a.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.4"})
    expect(page.locator(".fjs-filepicker-container")).to_contain_text("a.pdf")
    page.wait_for_timeout(300)
    assert len(site.posts("/files")) == 1
    assert 'filename="a.pdf"' in site.posts("/files")[0]
    page.locator("input[type=file]").set_input_files({"name": "b.pdf", "mimeType": "application/pdf", "buffer": b"x" * 2000})
    expect(page.locator("#toasts")).to_contain_text("b.pdf")
    assert len(site.posts("/files")) == 1


def test_documents_the_server_has_stay_in_their_field(site):
    page = task(site, data={"name": "n", "papers": "files::k1"}, files={"files::k1": [{"name": "许可证.pdf", "size": 3}]})
    expect(page.locator(".fjs-filepicker-container")).not_to_contain_text("未选择文件")
    assert site.posts("/files") == []


def test_the_form_speaks_chinese_and_the_calendar_too(site):
    page = task(site)
    expect(page.locator(".fjs-select-display")).to_have_text("请选择")
    expect(page.locator(".fjs-filepicker-button")).to_have_text("选择文件")
    expect(page.get_by_label("日期")).to_have_attribute("placeholder", "年/月/日")
    page.get_by_label("日期").click()
    expect(page.locator(".flatpickr-weekday").first).to_contain_text("周")
    expect(page.locator(".fjs-powered-by")).to_be_visible()


def test_the_english_form_stays_english(site):
    page = task(site, lang="en")
    expect(page.locator(".fjs-filepicker-button")).to_have_text("Browse")


def diagram_page(site: Site) -> Any:
    site.pages["/xml"] = ("application/xml", (Path(__file__).parent / "small.bpmn").read_text(encoding="utf-8"))
    about = {"url": "/xml", "done": ["Start", "Flow1", "Check"], "current": ["Decide"], "returned": ["Check"], "counts": {"Check": 2}}
    body = (
        '<div data-diagram-frame><div class="diagram" data-diagram="d"></div><button data-diagram-zoom="in">+</button></div>'
        '<ol class="trail"><li data-element-id="Check">审查</li><li data-element-id="Decide">决定</li></ol>'
    )
    page = site.open(body + data("d", about), "diagram.css", "diagram.js")
    expect(page.locator("[data-drawn]")).to_be_attached()
    return page


def test_a_diagram_shows_where_the_case_is(site):
    page = diagram_page(site)
    shape = lambda name: page.locator(f'.djs-element[data-element-id="{name}"]')  # noqa: E731
    expect(shape("Check")).to_have_class(re.compile("is-returned"))
    expect(shape("Decide")).to_have_class(re.compile("is-current"))
    expect(shape("End")).to_have_class(re.compile("is-unreached"))
    expect(page.locator(".diagram__count")).to_have_text("×2")
    expect(page.locator(".bjs-powered-by")).to_be_visible()


def test_trail_and_diagram_highlight_each_other(site):
    page = diagram_page(site)
    page.locator('.trail [data-element-id="Decide"]').click()
    expect(page.locator('.djs-element[data-element-id="Decide"]')).to_have_class(re.compile("is-picked"))
    page.locator('.djs-element[data-element-id="Check"] .djs-hit').first.click(force=True)
    expect(page.locator('.trail [data-element-id="Check"]')).to_have_class(re.compile("is-picked"))


def test_twenty_rows_fit_a_small_office_screen(site):
    rows = "".join(f'<tr data-row><td><span class="light light--red">超期</span></td><td class="code">411600-{n:04}</td><td><button class="btn">办理</button></td></tr>' for n in range(30))
    page = site.open(
        '<div class="frame__skip"></div><nav class="frame__side"></nav><header class="frame__top"></header><main class="frame__main"><div class="page-head"><h1>待办</h1></div>'
        f'<div class="filters"><select class="form-select"></select></div><table class="work"><thead><tr><th>灯</th></tr></thead><tbody>{rows}</tbody></table></main>'
        '<script type="application/json" id="x">1</script>'
    )
    page.evaluate("document.body.className = 'frame'")
    whole = page.evaluate("[...document.querySelectorAll('tbody tr')].filter((row) => row.getBoundingClientRect().bottom <= innerHeight).length")
    assert whole >= 20
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
