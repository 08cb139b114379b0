"""Figures, forecast, heat map and big screen of the supervisor's room."""

from __future__ import annotations

import io

import openpyxl
import pytest

from tests.web.rooms import app, browse, clock, engine, open_case, selects, statements  # noqa: F401  fixtures

PAGES = ("/supervision/figures", "/supervision/forecast", "/supervision/heat", "/supervision/screen", "/supervision/screen/part")


@pytest.fixture
def finished(engine, open_case, clock):
    """Five cases that took 18 days, and one that has just begun."""
    made = []
    for number in range(5):
        clock.office("2026-10-12 09:00")
        made.append(open_case(subject=f"旧件{number}"))
    clock.office("2026-10-30 09:00")
    for case in made:
        for element, outcome, by in (("handle", "submit", "li"), ("sign", "approve", "wu")):
            task = next(task for task in engine.user_tasks(case.key) if task.element_id == element)
            engine.desk.complete_task(task.key, {}, outcome=outcome, by=by)
    clock.office("2026-11-20 09:00")
    made.append(open_case(subject="新件"))
    clock.office("2026-11-23 09:00")
    return made


@pytest.mark.parametrize("page", PAGES)
def test_every_page_stands_without_a_case_and_with_many_at_the_same_cost(browse, engine, open_case, page):
    client = browse("du")
    assert client.get(page).status_code == 200
    for number in range(12):
        open_case(subject=f"件{number}")
    client.get(page)
    with statements(engine) as sent:
        assert client.get(page).status_code == 200
    assert len(selects(sent)) <= 8, "\n\n".join(selects(sent))


@pytest.mark.parametrize("page", PAGES)
def test_only_supervision_may_look(browse, page):
    assert browse("li").get(page).status_code == 403
    assert browse("auditor").get(page).status_code == 200


def test_the_league_and_the_months_stand_as_tables_beside_the_chart(browse, finished):
    client = browse("du")
    page = client.get("/supervision/figures?period=quarter").get_data(as_text=True)
    for text in ("高新技术科", "On-time rate", "<svg", "2026-10", "Together"):
        assert text in page, text
    assert "无此县" in client.get("/supervision/figures?county=无此县&period=nonsense").get_data(as_text=True)
    rows = list(openpyxl.load_workbook(io.BytesIO(client.get("/supervision/figures.xlsx?period=last_month").data)).active.iter_rows(values_only=True))
    assert rows[1][1] == "高新技术科" and rows[1][3] == "15"


def test_the_forecast_names_the_case_and_its_evidence(browse, finished):
    page = browse("du").get("/supervision/forecast").get_data(as_text=True)
    assert "关于新件的许可" in page and "from here usually 18 days (5 cases); 3 days used" in page
    assert "关于新件的许可" not in browse("zhou").get("/supervision/forecast").get_data(as_text=True)


def test_the_heat_map_says_who_waits_where_and_how_long_it_takes(browse, finished):
    client = browse("du")
    page = client.get("/supervision/heat?process=nonsense").get_data(as_text=True)
    assert '"handle": {"text": "1 · 18 d", "level": 1}' in page.replace("\\u00b7", "·")
    assert "licence" in client.get("/supervision/heat/licence.bpmn").get_data(as_text=True)
    assert client.get("/supervision/heat/nothing.bpmn").status_code == 404
    assert browse("zhou").get("/supervision/heat/licence.bpmn").status_code == 404


def test_the_big_screen_shows_no_title(browse, finished):
    page = browse("du").get("/supervision/screen").get_data(as_text=True)
    assert "411600-XK-" in page and "新件" not in page
