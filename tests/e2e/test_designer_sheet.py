"""The procedure sheet in Chromium: the preview draws the form to begin with as the start page does."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from engine import Engine
from engine.runtime.design import drafts
from tests.support.browser import Desk
from tests.support.server import RunningServer

DESIGNER = "yaojing"


@pytest.fixture
def draft(server: RunningServer):
    engine = Engine(server.database)
    key = drafts.branch(engine.desk, "complaint", by=DESIGNER).key
    engine.dispose()
    return key


def test_the_preview_draws_the_start_form_read_only_and_anew_when_another_is_chosen(desk: Desk, draft):
    page = desk.person(DESIGNER).go(f"/designer/drafts/{draft}/sheet")
    form = page.locator("[data-sheet-form]")
    expect(form.locator(".fjs-form")).to_be_visible()
    expect(form.locator("label", has_text="被投诉单位").first).to_be_visible()
    expect(form.locator("textarea").first).not_to_be_editable()
    expect(form.get_by_label("被投诉人员")).not_to_be_editable()

    page.locator('[name="start.form"]').select_option("withdrawal_record")

    expect(form.locator("label", has_text="被投诉单位")).to_have_count(0)
    expect(form.locator(".fjs-form")).to_be_visible()
    page.locator('[name="start.form"]').select_option("")
    expect(form).to_be_hidden()


def test_searchable_fields_and_visibility_are_filled_in_and_kept(desk: Desk, draft):
    page = desk.person(DESIGNER).go(f"/designer/drafts/{draft}/sheet")
    rows = page.locator(".sheet__row--search")
    before = rows.count()
    page.locator('button[value="add:search"]').click()
    expect(rows).to_have_count(before + 1)
    page.locator(f'[name="search.{before}.key"]').fill("demand")
    page.locator(f'[name="search.{before}.label"]').fill("诉求")
    page.locator(f'[name="search.{before}.value"]').fill("=demand")
    page.locator(f'[name="search.{before}.kind"]').select_option("text")
    page.locator('[name="public.show"]').select_option("none")
    page.locator('.sheet__save button[value="save"]').click()
    expect(page.locator(f'[name="search.{before}.value"]')).to_have_value("=demand")
    page.goto(page.url.split("?")[0] + "?view=text")
    expect(page.locator("textarea[name=text]")).to_have_value(re.compile(r"key: demand, label: 诉求, value: =demand, kind: text[\s\S]*show: none"))
