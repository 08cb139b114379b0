"""Plays scenarios in a real browser the way people work: the inbox, the form's fields, the button with the word on it.

:class:`Desk` is one browser at one server; each person has a context of their own, as on a machine of their own.
:class:`BrowserPlayer` plays a scenario file through it.  Nothing sleeps: each wait is for something that people can see, or for
``html[data-task-ready]``, which the page sets when its form stands.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect
from playwright.sync_api import TimeoutError as TooLate

from engine.runtime.demo import organisation
from tests.support.served import ServedPlayer
from tests.support.server import PASSWORD, RunningServer

PATIENCE = 30_000
"""Milliseconds that anything on a page may take on a busy machine; no test measures speed with it."""
expect.set_options(timeout=PATIENCE)

SLOWDOWN = float(os.environ.get("BANJIE_TEST_SLOWDOWN", "1"))
"""How many times slower than this machine the pages run, to meet what happens on a busy one: ``BANJIE_TEST_SLOWDOWN=4 pytest tests/e2e/…``."""

SCREEN = {"width": 1366, "height": 768}
PHONE = {"width": 390, "height": 844}

SMALL_PDF = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
)
FAILED_REQUEST = re.compile(r"Failed to load resource: the server responded with a status of (\d+)")
TEXTS = ("textfield", "textarea", "number")


class Person:
    """Somebody at their own browser: a context, its page, and what went wrong in the console."""

    def __init__(self, desk: Desk, login: str, context: BrowserContext) -> None:
        self.desk, self.login, self.context = desk, login, context
        context.set_default_timeout(PATIENCE)
        context.on("console", self._heard)
        context.on("weberror", lambda trouble: desk.troubles.append(f"{login}: {trouble.error}"))
        self.page: Page = context.new_page()
        if SLOWDOWN > 1:
            context.new_cdp_session(self.page).send("Emulation.setCPUThrottlingRate", {"rate": SLOWDOWN})

    def _heard(self, message: Any) -> None:
        if message.type not in ("error", "warning"):
            return
        failed = FAILED_REQUEST.match(message.text)
        if (failed and int(failed[1]) in self.desk.expected_statuses) or any(text in message.text for text in self.desk.forgiven):
            return
        self.desk.troubles.append(f"{self.login} at {self.page.url}: {message.type}: {message.text}")

    def sign_in(self) -> Person:
        """Through the sign-in page, to the workbench."""
        self.go("/login")
        self.fill_sign_in(self.page)
        expect(self.page.locator(".frame__person")).to_be_visible()
        return self

    def fill_sign_in(self, page: Page) -> None:
        page.get_by_label(re.compile("账号|Account")).fill(self.login)
        page.get_by_label(re.compile("密码|Password")).fill(PASSWORD)
        page.get_by_role("button", name=re.compile("登录|Sign in")).click()

    def go(self, path: str) -> Page:
        """Open an address and wait for the scripts of the page."""
        self.page.goto(self.desk.url + path)
        expect(self.page.locator("html[data-ready]")).to_be_attached()
        return self.page

    def go_to_form(self, path: str) -> Page:
        """Open an address and wait until its form can be filled in."""
        self.page.goto(self.desk.url + path)
        return self.form_stands()

    def form_stands(self) -> Page:
        expect(self.page.locator("html[data-task-ready]")).to_be_attached()
        return self.page

    def open_task(self, case_no: str, task_key: int) -> Page:
        """In the inbox: search by the case number, claim what nobody has, open the row."""
        page = self.page
        if not re.search(r"/inbox(\?|$)", page.url):
            self.go("/inbox")
        search = page.locator("form.filters input[name=q]")
        search.fill(case_no)
        search.press("Enter")
        page.wait_for_url(re.compile(rf"q={case_no}"), wait_until="commit")
        expect(page.locator("html[data-ready]")).to_be_attached()
        row = page.locator(f"#row-{task_key}")
        claim = row.locator("[data-action=claim]")
        if claim.count():
            claim.click()
            expect(row.get_by_role("link", name=re.compile("办理|Handle"))).to_be_visible()
        row.locator("td.code a").click()
        return self.form_stands()

    def press(self, outcome: str | None, opinion: str = "") -> None:
        """Write the opinion, press the button, answer the question; the page must go on to the list."""
        page = self.page
        if opinion:
            page.locator("[data-opinion]").fill(opinion)
        button = page.locator(f'button[data-outcome="{outcome or ""}"]')
        asks = button.get_attribute("data-confirm") is not None
        before = page.url
        button.click()
        if asks:
            page.locator('dialog[open] button[value="yes"]').click()
        try:
            page.wait_for_url(lambda url: url != before, wait_until="commit")
        except TooLate:
            raise AssertionError(f"“{outcome}” was not accepted at {page.url}: {self.complaints()}") from None
        expect(page.locator("html[data-ready]")).to_be_attached()

    def complaints(self) -> str:
        """What the page has against the form."""
        seen = self.page.locator(".fjs-has-errors, [data-form-errors]:not([hidden]), .alert, .toast, main [role=alert]")
        return " | ".join(text for each in seen.all_inner_texts() if (text := " ".join(each.split())))

    def fill(self, data: Mapping[str, Any]) -> None:
        """Fill the fields of the form on the page; ``data`` is by field key, as the server would store it."""
        schema = json.loads(self.page.locator("#task-data").text_content() or "{}")["schema"]
        left = dict(data)
        _fill_level(self.page, schema.get("components", []), left, "")
        assert not left, f"the form has no field {sorted(left)}"
        self._look_over(schema.get("components", []), data)

    def _look_over(self, components: list[dict[str, Any]], data: Mapping[str, Any]) -> None:
        """Before pressing a button: does every date still stand there?  A field that another one's answer redrew may be empty."""
        for component in _levels(components):
            name = component.get("key")
            if component["type"] == "datetime" and component.get("subtype") != "time" and data.get(name):
                place = field(self.page, component["id"], "-date")
                if not place.input_value():
                    _fill_datetime(self.page, component, component["id"], "", data[name])

    def close(self) -> None:
        self.context.close()


class Desk:
    """The desk of one server as several people see it."""

    def __init__(self, browser: Browser, server: RunningServer, **options: Any) -> None:
        self.server, self.url = server, server.url
        self.troubles: list[str] = []
        self.expected_statuses: set[int] = set()
        self.forgiven: list[str] = []
        self._browser = browser
        self._options = {"locale": "zh-CN", "timezone_id": "Asia/Shanghai", "viewport": SCREEN, "reduced_motion": "reduce", **options}
        self._people: dict[str, Person] = {}

    def person(self, login: str) -> Person:
        """The person at their browser, signed in."""
        if login not in self._people:
            self._people[login] = self.visitor(login).sign_in()
        return self._people[login]

    def visitor(self, login: str, **options: Any) -> Person:
        """A further browser for the person, not signed in yet."""
        person = Person(self, login, self._browser.new_context(**{**self._options, **options}))
        self._people.setdefault(f"{login} {id(person)}", person)
        return person

    def expects(self, *statuses: int) -> None:
        """Answers with these HTTP statuses are part of the test; the console may name them."""
        self.expected_statuses.update(statuses)

    def forgives(self, text: str) -> None:
        """A message of a library in the console that is part of the test."""
        self.forgiven.append(text)

    def close(self) -> None:
        for person in self._people.values():
            person.close()
        self._people.clear()


class BrowserPlayer(ServedPlayer):
    """A :class:`ServedPlayer` at the pages themselves."""

    def __init__(self, desk: Desk, scenario: Mapping[str, Any], document: bool = True) -> None:
        super().__init__(desk.server, scenario)
        self.desk, self.document = desk, document

    def open_case(self, process: str, data: dict[str, Any], by: str) -> int:
        person = self.desk.person(by)
        page = person.go("/start")
        page.locator(f'a[href="/start/{process}"]').click()
        person.form_stands()
        person.fill(data)
        if self.document:
            attach_first(page)
        person.press(None)
        found = re.search(r"/case/(\d+)", page.url)
        assert found, f"{page.url}: {person.complaints()}"
        return int(found[1])

    def finish(self, task: Any, data: dict[str, Any], outcome: str | None, opinion: str, by: str) -> None:
        person = self.desk.person(by)
        person.open_task(self.case_no, task.key)
        person.fill(data)
        person.press(outcome, opinion)
        told = person.page.locator("main .alert-success")
        expect(told).to_contain_text(f"已办理：{task.name}")

    def act(self, message: str, data: dict[str, Any], by: str) -> None:
        person = self.desk.person(by)
        page = person.go(f"/case/{self.case_key}")
        button = page.locator(f'a[href="/case/{self.case_key}/action/{message}"]')
        if button.count():
            button.click()
            person.form_stands()
            person.fill(data)
            person.press(None)
        else:
            page.locator(f'form[action="/case/{self.case_key}/action/{message}"] button').click()
            page.locator('dialog[open] button[value="yes"]').click()
            expect(page.locator("main .alert-success")).to_be_visible()

    def ask_extension(self, task: Any, by: str) -> None:
        person = self.desk.person(by)
        page = person.open_task(self.case_no, task.key)
        page.locator("details.menu", has=page.locator(f'form[action="/task/{task.key}/extension"]')).locator("summary").click()
        page.locator(f'form[action="/task/{task.key}/extension"] button').click()
        expect(page.locator("main .alert-success")).to_be_visible()

    def move_clock(self, step: str = "", day: str = "") -> None:
        page = self.desk.person("admin").go("/admin/clock")
        if step:
            page.locator(f'button[name=step][value="{step}"]').click()
        else:
            page.locator("input#day").fill(day)
            page.locator("form", has=page.locator("input#day")).locator("button[type=submit]").click()
        expect(page.locator("main .alert-success")).to_be_visible()
        self.server.hurry(self.engine)


# --- the fields of form-js ------------------------------------------------------------------------------------------------


def field(page: Page, component_id: str, suffix: str = "") -> Locator:
    """The control of a form-js field; ``suffix`` is the place in lists (``_0``) or the part of the field (``-date``)."""
    return page.locator(f'#task-form-fields [id^="fjs-form-"][id$="-{component_id}{suffix}"]')


def attach_first(page: Page, name: str = "证明.pdf", content: bytes = SMALL_PDF) -> None:
    """Choose a document in the first file field of the form, if it has one, and wait until the server has it."""
    picker = page.locator("#task-form-fields input[type=file]").first
    if picker.count():
        with page.expect_response(lambda response: response.url.endswith("/files")) as arrived:
            picker.set_input_files({"name": name, "mimeType": "application/pdf", "buffer": content})
        assert arrived.value.ok, arrived.value.text()


def _levels(components: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The fields of one level: groups are only frames on paper unless they have a path."""
    for component in components:
        if component["type"] == "group" and not component.get("path"):
            yield from _levels(component.get("components", []))
        else:
            yield component


def _fill_level(page: Page, components: list[dict[str, Any]], data: dict[str, Any], suffix: str) -> None:
    for component in _levels(components):
        name = component.get("key") or component.get("path")
        if name not in data:
            continue
        value = data.pop(name)
        if component["type"] == "dynamiclist":
            _fill_list(page, component, value)
        elif value is not None:
            _FILLERS[component["type"]](page, component, component["id"], suffix, value)


def _fill_list(page: Page, component: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    place = page.locator(".fjs-form-field-dynamiclist", has=page.locator(f'label[id$="-{component["id"]}"]'))
    for _ in range(len(rows) - int(component.get("defaultRepetitions", 1))):
        place.locator(".fjs-repeat-render-add").click()
    for number, row in enumerate(rows):
        _fill_level(page, component["components"], dict(row), f"_{number}")


def _fill_text(page: Page, component: dict[str, Any], name: str, suffix: str, value: Any) -> None:
    control = field(page, name, suffix)
    control.fill(str(value))
    control.blur()  # form-js takes over what was typed a moment later, or when the field is left, as a person leaves it


def _fill_checkbox(page: Page, component: dict[str, Any], name: str, suffix: str, value: bool) -> None:
    field(page, name, suffix).set_checked(value)


def _options(page: Page, component: dict[str, Any]) -> list[Any]:
    return [option["value"] for option in component.get("values", [])]


def _words_of(component: dict[str, Any], value: Any) -> re.Pattern[str]:
    """What a person reads for a value.  Options that the case brings along are people: listed by login, or by name and section."""
    label = next((option["label"] for option in component.get("values", []) if option["value"] == value), None)
    if label is not None:
        return re.compile(rf"^\s*{re.escape(label)}\s*$")
    name = next((row["name"] for row in organisation()["people"] if row["login"] == value), value)
    return re.compile(rf"^\s*({re.escape(str(value))}\s*$|{re.escape(str(name))})")


def _fill_radio(page: Page, component: dict[str, Any], name: str, suffix: str, value: Any) -> None:
    field(page, name, f"{suffix}-{_options(page, component).index(value)}").check()


def _fill_checklist(page: Page, component: dict[str, Any], name: str, suffix: str, values: list[Any]) -> None:
    for number, option in enumerate(_options(page, component)):
        field(page, name, f"{suffix}-{number}").set_checked(option in values)


def _frame_of(page: Page, name: str, suffix: str) -> Locator:
    return page.locator(f'#task-form-fields .fjs-form-field:has([id^="fjs-form-"][id$="-{name}{suffix}"])').last


def _fill_select(page: Page, component: dict[str, Any], name: str, suffix: str, value: Any) -> None:
    field(page, name, suffix if component.get("searchable") else f"{suffix}-display").click()
    _frame_of(page, name, suffix).locator(".fjs-dropdownlist-item").filter(has_text=_words_of(component, value)).first.click()


def _fill_taglist(page: Page, component: dict[str, Any], name: str, suffix: str, values: list[Any]) -> None:
    place, wanted = _frame_of(page, name, suffix), [_words_of(component, value) for value in values]
    tags = place.locator(".fjs-taglist-tag")
    for text in reversed(tags.all_inner_texts()):
        if not any(words.search(text) for words in wanted):
            tags.filter(has_text=text).locator(".fjs-taglist-tag-remove").click()
    for words in wanted:
        if not tags.filter(has_text=words).count():
            field(page, name, suffix).click()
            place.locator(".fjs-dropdownlist-item").filter(has_text=words).first.click()
    field(page, name, suffix).blur()


def _fill_datetime(page: Page, component: dict[str, Any], name: str, suffix: str, value: str) -> None:
    if component.get("subtype") in ("date", "datetime"):
        _type_moment(field(page, name, f"{suffix}-date"), value[:10].replace("-", "/"))
    if component.get("subtype") in ("time", "datetime"):
        _type_moment(field(page, name, f"{suffix}-time"), value[11:16] if "T" in value else value[:5])


def _type_moment(place: Locator, text: str) -> None:
    """Type a date or time and leave the field, as a person does who looks whether it stands there.

    The picker takes a text on leaving; when it is redrawn between the keys, which no person is fast enough to meet, it stays
    empty and is typed again.
    """
    for _ in range(3):
        place.fill(text)
        place.press("Enter")
        place.press("Tab")
        if place.input_value():
            return
    raise AssertionError(f"the field does not take {text}")


_FILLERS = {
    **dict.fromkeys(TEXTS, _fill_text),
    "checkbox": _fill_checkbox,
    "radio": _fill_radio,
    "checklist": _fill_checklist,
    "select": _fill_select,
    "taglist": _fill_taglist,
    "datetime": _fill_datetime,
}
