"""Small ways through the editor of a draft, as its tests walk them."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect

from engine import Engine
from engine.runtime.design import drafts
from tests.support.browser import Person

DESIGNER = "yaojing"


def stored(engine: Engine, key: int) -> drafts.Draft:
    """The draft as the server has it."""
    with engine.reading() as conn:
        return drafts.get(engine.desk, conn, key, DESIGNER)


def opened(person: Person, key: int) -> Page:
    """The page of a draft, ready to be worked on."""
    page = person.page
    page.goto(f"{person.desk.url}/designer/drafts/{key}/edit")
    expect(page.locator("#designer[data-ready]")).to_be_attached()
    return page


def find(page: Page, name: str) -> None:
    """Select an element of the drawing by the search, as Ctrl+F does."""
    page.locator("[data-canvas] svg").first.focus()
    page.keyboard.press("Control+f")
    search = page.locator(".djs-search-input input")
    search.fill(name)
    expect(page.locator(".djs-search-result-selected")).to_be_visible()
    search.press("Enter")
    expect(page.locator("[data-panel] .bio-properties-panel-header-label")).to_have_text(name)


def unfold(page: Page, place: str, title: str) -> Locator:
    """A group of a properties panel, unfolded."""
    head = page.locator(f"{place} .bio-properties-panel-group-header-title", has_text=re.compile(f"^{title}$"))
    found = page.locator(f"{place} .bio-properties-panel-group").filter(has=head)
    if not found.locator(".bio-properties-panel-group-entries.open, .bio-properties-panel-list.open").count():
        head.first.click()
    return found


def entry(page: Page, name: str, place: str = "[data-panel]") -> Locator:
    """The field of one property."""
    return page.locator(f"{place} #bio-properties-panel-{name}")


def begin_name(page: Page, name: str) -> None:
    """The name of an element is open for writing and is selected, by the key E."""
    find(page, name)
    page.keyboard.press("e")
    expect(page.locator(".djs-direct-editing-content")).to_be_focused()
    page.keyboard.press("Control+a")


def rename(page: Page, old: str, new: str) -> None:
    """Give an element of the drawing another name, on the drawing."""
    begin_name(page, old)
    page.keyboard.type(new)
    page.keyboard.press("Enter")
    expect(page.locator("[data-panel] .bio-properties-panel-header-label")).to_have_text(new)


def state(page: Page) -> Locator:
    """Where the page says whether the work is saved."""
    return page.locator("[data-save-state]")


def save(page: Page) -> None:
    """Ctrl+S, until the server has it."""
    page.keyboard.press("Control+s")
    expect(state(page)).to_have_text(re.compile("^已保存"))


def row(page: Page, file: str) -> Locator:
    """The line of a file of the draft, with its editor when it is open."""
    return page.locator(f'details[data-file="{file}"]')


def open_file(page: Page, tab: str, file: str) -> Locator:
    """Open a form or a decision in its tab."""
    page.locator(f"#tab-{tab}").click()
    row(page, file).locator("summary").click()
    expect(row(page, file).locator("[data-form-canvas], [data-decision-canvas]")).to_be_visible()
    return row(page, file)
