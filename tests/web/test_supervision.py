"""The supervisor's room."""

from __future__ import annotations

import io
import json

import openpyxl
import pytest
from sqlalchemy import select

from engine.store.tables import trail
from tests.web.rooms import app, browse, clock, engine, open_case, selects, statements  # noqa: F401  fixtures
from web.supervision import queries
from web.supervision.state import BoardState


@pytest.fixture
def office(open_case, clock, engine):
    """Three cases: one overdue at its handling, one not yet accepted, one paused for a correction."""
    late = open_case(subject="逾期件")
    paused = open_case(accepted=False, subject="补正件")
    task = next(task for task in engine.user_tasks(paused.key))
    engine.desk.complete_task(task.key, {}, outcome="supplement", by="wang")
    clock.office("2026-12-02 09:00")
    engine.run_due()
    fresh = open_case(accepted=False, subject="新件")
    return {"late": late, "paused": paused, "fresh": fresh}


def test_the_board_shows_the_most_urgent_first_with_who_was_told_and_what_comes_next(browse, office):
    page = browse("du").get("/supervision").get_data(as_text=True)
    rows = page[page.index("<tbody>") :]
    assert rows.index("逾期件") < rows.index("新件")
    for text in ("Overdue", "level 3", "高新技术科", "About to happen", "the supervisor"):
        assert text in page, text


def test_only_supervision_may_enter(browse, office):
    for login, status in {"du": 200, "zheng": 200, "wu": 200, "chen": 200, "li": 403, "admin": 403, "designer": 403}.items():
        assert browse(login).get("/supervision").status_code == status, login


def test_a_chief_sees_the_own_section_only(browse, open_case):
    open_case(subject="高新件")
    open_case(subject="农村件", handler_section="nongcun")
    page = browse("chen").get("/supervision").get_data(as_text=True)
    assert "高新件" in page
    assert "农村件" not in page
    page = browse("zhou").get("/supervision").get_data(as_text=True)
    assert "农村件" in page
    assert "高新件" not in page


@pytest.mark.parametrize(
    ("query", "shown", "hidden"),
    [
        ("light=red", "逾期件", "新件"),
        ("light=grey", "补正件", "逾期件"),
        ("section=gaoxin&procedure=licence&county=川汇区", "逾期件", "无此件"),
        ("unclaimed=1", "新件", "补正件"),
    ],
)
def test_filters_narrow_the_board_and_stay_in_the_address(browse, office, query, shown, hidden):
    client = browse("du")
    board = client.get(f"/supervision?{query}").get_data(as_text=True)
    rows = board[board.index("<tbody>") :]
    assert shown in rows
    assert hidden not in rows
    assert client.get("/supervision?section=nongcun").get_data(as_text=True).count("<tr id=") == 0


def test_counts_agree_with_the_board(engine, clock, office):
    from sqlalchemy import true

    with engine.reading() as conn:
        numbers = queries.counts(conn, true(), BoardState(), clock(), engine.calendar)
        for code, number in numbers.lights.items():
            lines, total = queries.board(conn, true(), BoardState(light=code), clock(), engine.calendar)
            assert len(lines) == total == number, code
        assert numbers.total == 3
        assert numbers.unclaimed == queries.board(conn, true(), BoardState(unclaimed=True), clock(), engine.calendar)[1]
        assert numbers.today == queries.board(conn, true(), BoardState(today=True), clock(), engine.calendar)[1]


def test_pages_never_overlap_whatever_the_order(engine, clock, open_case, monkeypatch):
    from sqlalchemy import true

    for number in range(5):
        open_case(subject=f"件{number}")
    monkeypatch.setattr(queries, "PAGE_SIZE", 2)
    with engine.reading() as conn:
        for sort in ("", "due", "-due", "case_no", "-level", "procedure", "received"):
            seen = []
            for page in (1, 2, 3):
                lines, total = queries.board(conn, true(), BoardState(sort=sort, page=page), clock(), engine.calendar)
                assert total == 5
                seen += [line.case.case_no for line in lines]
            assert len(set(seen)) == 5, sort


def test_a_page_costs_at_most_six_statements_however_many_cases(browse, engine, open_case):
    for number in range(12):
        open_case(subject=f"件{number}")
    client = browse("du")
    client.get("/supervision")  # fills the caches of organisation and definitions
    with statements(engine) as sent:
        assert client.get("/supervision").status_code == 200
    assert len(selects(sent)) <= 6, "\n\n".join(selects(sent))


def test_urging_takes_one_click_is_recorded_and_counted(browse, engine, office):
    client = browse("du")
    for count in (1, 2):
        answer = client.post(f"/supervision/{office['late'].key}/urge", headers={"HX-Request": "true"})
        assert answer.status_code == 200
        assert f"Urge {count}" in " ".join(answer.get_data(as_text=True).split())
    toast = json.loads(answer.headers["HX-Trigger"])["toast"]
    assert toast["kind"] == "success"
    assert "李强" in toast["text"]
    with engine.reading() as conn:
        rows = conn.execute(select(trail).where(trail.c.action == "urge")).all()
    assert [row.actor for row in rows] == ["du", "du"]


def test_a_vice_director_may_urge_too(browse, office):
    client = browse("wu")
    assert "/urge" in client.get("/supervision").get_data(as_text=True)
    assert client.post(f"/supervision/{office['late'].key}/urge", headers={"HX-Request": "true"}).status_code == 200


def test_the_audit_sees_the_board_and_urges_nobody(browse, office, engine):
    from engine.runtime.desk import OPERATOR

    engine.desk.people.save_person("audit", name="审计", section_code="office", roles=["auditor"], password="audit-password-1", by=OPERATOR)
    client = browse("audit")
    assert "/urge" not in client.get("/supervision").get_data(as_text=True)
    assert client.post(f"/supervision/{office['late'].key}/urge", headers={"HX-Request": "true"}).status_code == 403


def test_who_may_not_see_the_case_is_not_told_that_it_exists(browse, office):
    assert browse("zhou").post(f"/supervision/{office['late'].key}/urge").status_code == 404


def test_the_live_part_announces_only_lights_that_changed(browse, engine, clock, open_case):
    open_case(subject="将超期")
    client = browse("du")
    first = client.get("/supervision/board").get_data(as_text=True)
    assert "data-announce" not in first
    seen = first.split('name="seen" value="')[1].split('"')[0]
    assert "data-announce" not in client.get("/supervision/board", query_string={"seen": seen}).get_data(as_text=True)
    clock.office("2026-12-10 09:00")
    with client.session_transaction() as session:
        session["seen"] = 2**40
    text = client.get("/supervision/board", query_string={"seen": seen}).get_data(as_text=True)
    assert "is now: Overdue" in text


def test_the_ledger_tells_the_arithmetic_the_rungs_fired_and_those_to_come(browse, office):
    page = browse("du").get(f"/supervision/{office['late'].key}").get_data(as_text=True)
    for text in ("5 working day(s) from", "fired", "to come", "已超期", "临近期限", "陈刚", "escalation in the process", "办结"):
        assert text in page, text
    page = browse("du").get(f"/supervision/{office['paused'].key}").get_data(as_text=True)
    assert "等待补正" in page
    assert "no due day while paused" in page
    assert browse("chen").get(f"/supervision/{2**40}").status_code == 404


def test_the_board_exports_what_is_filtered(browse, office):
    answer = browse("du").get("/supervision/export.xlsx?light=red")
    sheet = openpyxl.load_workbook(io.BytesIO(answer.data)).active
    rows = list(sheet.iter_rows(values_only=True))
    assert rows[0][0] == "Light"
    assert [row[2] for row in rows[1:]] == ["关于逾期件的许可"]
    assert "李强" in rows[1][12] or "李强" in rows[1][7] or "高新技术科" in rows[1][7]


def test_the_register_has_the_columns_of_the_sheet_and_exports(browse, office):
    client = browse("du")
    page = client.get("/register").get_data(as_text=True)
    for text in ("许可", "等级", "关于逾期件的许可"):
        assert text in page
    answer = client.get("/register/export.xlsx?procedure=licence")
    rows = list(openpyxl.load_workbook(io.BytesIO(answer.data)).active.iter_rows(values_only=True))
    assert {"县区", "等级"} <= set(rows[0])
    assert len(rows) == 4
    assert client.get("/register/export.xlsx?procedure=nothing").status_code == 404
    assert browse("li").get("/register").status_code == 403


def test_a_senseless_address_is_read_as_the_plain_board(browse, office):
    client = browse("du")
    assert client.get("/supervision?light=purple&page=x&sort=drop&section=%27").status_code == 200
    assert client.get("/supervision?page=9").status_code == 302
