"""Supervision orders, and what is done to cases chosen on the board."""

from __future__ import annotations

import io

import openpyxl
import pytest
from sqlalchemy import select

from engine.store.tables import notification, supervision_order, trail, user_task
from tests.web.rooms import app, browse, clock, engine, open_case, selects, statements  # noqa: F401  fixtures


def issue(client, *cases, **changes):
    data = {"act": "order", "case": [case.key for case in cases], "level": "red", "text": "请说明进展", "due_on": "2026-11-27", "to": "", **changes}
    return client.post("/supervision/act", data=data)


def orders(engine):
    with engine.reading() as conn:
        return conn.execute(select(supervision_order).order_by(supervision_order.c.key)).all()


def test_an_order_is_issued_for_many_cases_and_comes_back_to_the_filtered_board(browse, engine, open_case):
    one, two = open_case(subject="甲"), open_case(subject="乙")
    client = browse("du")
    client.get("/supervision?section=gaoxin&sort=-due")
    page = client.get("/supervision/act", query_string={"act": "order", "case": [one.key, two.key]}).get_data(as_text=True)
    assert "2 cases" in page and "关于甲的许可" in page
    answer = issue(client, one, two)
    assert answer.status_code == 302 and answer.location == "/supervision?section=gaoxin&sort=-due"
    assert [row.number for row in orders(engine)] == ["周科督〔2026〕1号", "周科督〔2026〕2号"]
    assert {row.to_section for row in orders(engine)} == {"gaoxin"}
    board = client.get(answer.location).get_data(as_text=True)
    assert "Supervision order: 2 cases done." in board


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [({"text": " "}, "Say what is asked for."), ({"level": "x"}, "Choose blue"), ({"due_on": "2026-11-01"}, "in the past"), ({"due_on": ""}, "by which day"), ({"to": "section:moon"}, "no such section")],
)
def test_a_wrong_order_is_refused_at_its_field_and_keeps_what_was_typed(browse, engine, open_case, wrong, sentence):
    answer = issue(browse("du"), open_case(), **wrong)
    assert answer.status_code == 422
    assert sentence in answer.get_data(as_text=True)
    assert "请说明进展" in answer.get_data(as_text=True) or "text" in wrong
    assert orders(engine) == []


def test_the_chief_may_urge_and_reassign_but_issues_no_order(browse, engine, open_case):
    case = open_case()
    client = browse("chen")
    board = client.get("/supervision").get_data(as_text=True)
    assert 'value="urge"' in board and 'value="reassign"' in board and 'value="order"' not in board
    assert issue(client, case).status_code == 404
    assert orders(engine) == []
    assert browse("auditor").get("/supervision").get_data(as_text=True).count('name="case"') == 0
    assert issue(browse("auditor"), case).status_code == 403


def test_a_recipient_answers_and_the_supervisor_sends_back_and_settles(browse, engine, open_case):
    case = open_case()
    issue(browse("du"), case)
    (row,) = orders(engine)
    clerk, du = browse("li"), browse("du")
    assert row.number in clerk.get("/orders").get_data(as_text=True)
    page = clerk.get(f"/orders/{row.key}").get_data(as_text=True)
    assert "Send answer" in page and "Settle" not in page and "Withdraw" not in page
    assert clerk.post(f"/orders/{row.key}/answer", data={"text": " ", "revision": "1"}).status_code == 422
    assert clerk.post(f"/orders/{row.key}/answer", data={"text": "已约谈企业", "revision": "1"}).status_code == 302
    page = du.get(f"/orders/{row.key}").get_data(as_text=True)
    assert "已约谈企业" in page and "Settle" in page and "Send answer" not in page
    du.post(f"/orders/{row.key}/return", data={"text": "请附记录", "revision": "2"})
    clerk.post(f"/orders/{row.key}/answer", data={"text": "附后", "revision": "3"})
    du.post(f"/orders/{row.key}/close", data={"text": "", "revision": "4"})
    (row,) = orders(engine)
    assert row.state == "CLOSED"
    assert "No open supervision order." in clerk.get("/orders").get_data(as_text=True)
    assert row.number in clerk.get("/orders?shown=ended").get_data(as_text=True)
    paper = clerk.get(f"/orders/{row.key}/print").get_data(as_text=True)
    for text in (row.number, "请附记录", "附后", "Signature"):
        assert text in paper
    with engine.reading() as conn:
        found = conn.execute(select(trail.c.action).where(trail.c.case_key == case.key, trail.c.action.like("order%")).order_by(trail.c.key)).scalars().all()
    assert found == ["order", "order_answer", "order_return", "order_answer", "order_close"]


def test_who_is_not_addressed_does_not_learn_of_an_order(browse, engine, open_case):
    issue(browse("du"), open_case())
    (row,) = orders(engine)
    stranger = browse("sun")
    assert stranger.get(f"/orders/{row.key}").status_code == 404
    assert stranger.get(f"/orders/{row.key}/print").status_code == 404
    assert stranger.post(f"/orders/{row.key}/answer", data={"text": "x"}).status_code == 404
    assert row.number not in stranger.get("/orders?shown=all").get_data(as_text=True)
    assert browse("du").post(f"/orders/{row.key}/burn").status_code == 404


def test_a_stale_page_overwrites_nothing(browse, engine, open_case):
    issue(browse("du"), open_case())
    (row,) = orders(engine)
    browse("li").post(f"/orders/{row.key}/answer", data={"text": "一", "revision": "1"})
    answer = browse("du").post(f"/orders/{row.key}/withdraw", data={"text": "误发", "revision": "1"}, follow_redirects=True)
    assert "changed by somebody else" in answer.get_data(as_text=True)
    assert orders(engine)[0].state == "ANSWERED"


def test_many_are_urged_and_reassigned_with_a_reason(browse, engine, open_case):
    cases = [open_case(subject="甲"), open_case(subject="乙")]
    client = browse("du")
    data = {"case": [case.key for case in cases], "text": "本周务必办结"}
    assert client.post("/supervision/act", data={**data, "act": "urge", "text": ""}).status_code == 422
    assert client.post("/supervision/act", data={**data, "act": "urge"}).status_code == 302
    assert client.post("/supervision/act", data={**data, "act": "reassign", "person": "nobody"}).status_code == 422
    assert client.post("/supervision/act", data={**data, "act": "reassign", "person": "zhao"}).status_code == 302
    with engine.reading() as conn:
        holders = conn.execute(select(user_task.c.assignee).where(user_task.c.state == "CREATED")).scalars().all()
        urged = conn.execute(select(trail.c.opinion).where(trail.c.action == "urge")).scalars().all()
    assert holders == ["zhao", "zhao"] and urged == ["本周务必办结"] * 2


def test_what_cannot_be_done_is_told_and_the_rest_is_done(browse, engine, open_case):
    taken, free = open_case(subject="甲"), open_case(subject="乙")
    client = browse("du")
    client.post("/supervision/act", data={"act": "reassign", "case": [taken.key], "text": "换人", "person": "zhao"})
    answer = client.post("/supervision/act", data={"act": "reassign", "case": [taken.key, free.key], "text": "换人", "person": "zhao"}, follow_redirects=True)
    page = answer.get_data(as_text=True)
    assert "Reassign: 1 case done." in page and "赵敏 already has this task." in page


def test_nothing_chosen_goes_back_to_the_board(browse, engine, open_case):
    case = open_case()
    client = browse("du")
    assert client.get("/supervision/act?act=urge").location == "/supervision"
    assert client.get(f"/supervision/act?act=burn&case={case.key}").status_code == 404
    assert browse("zhou").get(f"/supervision/act?act=urge&case={case.key}").location == "/supervision"


def test_the_list_costs_at_most_eight_statements_and_exports(browse, engine, open_case):
    issue(browse("du"), *[open_case(subject=f"件{number}") for number in range(12)])
    client = browse("du")
    client.get("/orders")
    with statements(engine) as sent:
        assert client.get("/orders").status_code == 200
    assert len(selects(sent)) <= 8, "\n\n".join(selects(sent))
    rows = list(openpyxl.load_workbook(io.BytesIO(client.get("/orders/export.xlsx?level=red").data)).active.iter_rows(values_only=True))
    assert len(rows) == 13 and rows[1][1] == "Red"


def test_the_ledger_of_a_case_names_its_orders(browse, engine, open_case):
    case = open_case()
    issue(browse("du"), case, to="person:li", level="blue")
    page = browse("du").get(f"/supervision/{case.key}").get_data(as_text=True)
    assert "周科督〔2026〕1号" in page and "李强" in page


def test_the_board_counts_by_section_county_and_procedure_and_what_is_due_this_week(browse, open_case, clock):
    open_case(subject="甲")
    client = browse("du")
    page = client.get("/supervision").get_data(as_text=True)
    assert "Lights by section, county and procedure" in page
    assert 'href="/supervision?section=gaoxin&amp;light=green"' in page
    assert "Nothing matches these filters." in client.get("/supervision?paused_long=1").get_data(as_text=True)
    clock.office("2026-11-27 10:00")
    assert "关于甲的许可" in client.get("/supervision?week=1").get_data(as_text=True)


def test_a_section_that_may_not_read_the_case_sees_its_number_and_procedure_but_no_title(browse, engine, open_case):
    case = open_case(subject="实名举报张某")
    assert issue(browse("du"), case, to="section:nongcun").status_code == 302
    (row,) = orders(engine)
    for login, reads in (("du", True), ("sun", False), ("zhou", False)):
        client = browse(login)
        pages = [client.get(address) for address in ("/orders", f"/orders/{row.key}", f"/orders/{row.key}/print", "/notices")]
        book = openpyxl.load_workbook(io.BytesIO(client.get("/orders/export.xlsx").data)).active
        texts = [*(page.get_data(as_text=True) for page in pages[:3]), str(list(book.iter_rows(values_only=True)))]
        for text in texts:
            assert ("实名举报张某" in text) is reads, (login, reads)
            assert row.number in text
            assert reads or "许可" in text
        assert (f"/case/{case.key}" in texts[1]) is reads
        assert reads or "实名举报张某" not in pages[3].get_data(as_text=True)
    with engine.reading() as conn:
        told = conn.execute(select(notification.c.login, notification.c.params).where(notification.c.kind == "order")).all()
    assert {each.login: each.params["title"] for each in told}["zhou"] == engine.desk.book().procedure("licence")[1].name
