"""决策依据 as a browser draws it: readable on an office's screen, inert whatever stands in the cells."""

from __future__ import annotations

import threading

import pytest
from werkzeug.serving import make_server

from engine import Engine
from tests.desk import desk_models as models
from tests.web.rooms import PEOPLE, app, clock, open_case, settings  # noqa: F401  fixtures
from tests.web.test_decisions import graded  # noqa: F401  a fixture


@pytest.fixture
def engine(clock, tmp_path):
    """On a file: the browser's requests come from other threads than the test."""
    made = Engine(f"sqlite:///{tmp_path / 'office.db'}", clock=clock, settings={"cache_seconds": 60, "password_memory_kib": 64}, node="test")
    made.migrate()
    made.desk.people.import_organisation(sections=models.SECTIONS, roles=models.ROLES, people=PEOPLE, by="system")
    yield made
    made.dispose()


@pytest.fixture
def address(app):
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()


@pytest.mark.usefixtures("graded")
def test_a_fired_row_can_be_seen_and_hostile_cells_do_nothing(browser, address, open_case):
    case = open_case(accepted=False)
    context = browser.new_context(viewport={"width": 1366, "height": 768}, locale="zh-CN")
    try:
        page = context.new_page()
        alarms: list[str] = []
        page.on("dialog", lambda dialog: (alarms.append(dialog.message), dialog.dismiss()))
        page.on("pageerror", lambda error: alarms.append(str(error)))
        page.goto(f"{address}/login")
        page.fill("[name=login]", "wang")
        page.fill("[name=password]", models.PASSWORD)
        page.click("button[type=submit]")
        page.goto(f"{address}/case/{case.key}#decisions")
        page.wait_for_selector("html[data-ready]")
        page.click("[role=tab][aria-controls=decisions]")
        page.evaluate("for (const each of document.querySelectorAll('.dmn-case')) each.open = true")
        fired = page.locator("tr.is-fired")
        assert fired.count() == 2
        plain = page.locator(".dmn__table tbody tr:not(.is-fired) td").first
        colour = "element => getComputedStyle(element).backgroundColor"
        assert fired.first.locator("td").first.evaluate(colour) != plain.evaluate(colour), "marked by colour, and by weight for who sees none"
        assert int(fired.first.locator("td").first.evaluate("element => getComputedStyle(element).fontWeight")) >= 600
        assert page.evaluate("document.documentElement.scrollWidth") <= 1366
        assert page.locator("#decisions img, #decisions script").count() == 0
        assert alarms == []
    finally:
        context.close()
