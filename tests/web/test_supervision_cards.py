"""The pages of electronic supervision: cards, one card, appeal and decision, figures, rules."""

from __future__ import annotations

import io

import openpyxl
import pytest
from sqlalchemy import select

from engine.store.tables import card as card_table
from engine.store.tables import notification
from tests.desk.test_cards import only
from tests.web.rooms import app, browse, clock, engine, open_case, selects, statements  # noqa: F401  fixtures


def cards(engine):
    with engine.reading() as conn:
        return conn.execute(select(card_table).order_by(card_table.c.key)).all()


@pytest.fixture
def one(engine, open_case, clock):
    """A warning to Li because a step ran out."""
    engine.deploy(only("step"), by="designer")
    case = open_case()
    engine.desk.claim(next(task.key for task in engine.user_tasks(case.key) if task.element_id == "handle"), by="li")
    clock.office("2026-12-01 09:00")
    engine.run_due()
    (row,) = cards(engine)
    return row


def test_the_list_shows_filters_counts_and_exports(browse, engine, one):
    client = browse("du")
    page = client.get("/cards").get_data(as_text=True)
    assert one.number in page and "环节超时" in page and "李强" in page and "Warning card 1" in page
    for query in ("rule=step", "degree=warning", "section=gaoxin", "person=li", "month=2026-12", "state=ISSUED", "state=counting"):
        assert one.number in client.get(f"/cards?{query}").get_data(as_text=True), query
    for query in ("rule=x", "degree=red", "section=office", "person=zhao", "month=2026-11", "state=REVOKED"):
        assert "Nothing matches these filters." in client.get(f"/cards?{query}").get_data(as_text=True), query
    assert client.get("/cards?month=moon&page=7&degree=x").status_code == 302
    rows = list(openpyxl.load_workbook(io.BytesIO(client.get("/cards/export.xlsx?rule=step").data)).active.iter_rows(values_only=True))
    assert rows[1][0] == one.number and "not finished" in rows[1][-1]


def test_the_page_of_a_card_gives_the_evidence_and_prints(browse, one):
    page = browse("du").get(f"/cards/{one.key}").get_data(as_text=True)
    for text in (one.number, "5 working day(s) from", "The limit of the whole case was not exceeded", "as soon as it is overdue", "The limit now:"):
        assert text in page, text
    assert "Revoke the card without an appeal" in page and ">Appeal<" not in page
    paper = browse("li").get(f"/cards/{one.key}/print").get_data(as_text=True)
    assert one.number in paper and "Signature" in paper


def test_the_person_appeals_without_the_permission_to_supervise_and_supervision_decides(browse, engine, one):
    li, du = browse("li"), browse("du")
    assert one.number in li.get("/cards").get_data(as_text=True)
    assert li.get("/cards/figures").status_code == 403
    assert "Supervision rules" in li.get("/cards/rules").get_data(as_text=True)
    answer = li.post(f"/cards/{one.key}/appeal", data={"text": " ", "revision": "1"})
    assert answer.status_code == 422 and "Say why the card should be revoked." in answer.get_data(as_text=True)
    wrong = li.post(f"/cards/{one.key}/appeal", data={"text": "停电", "revision": "1", "file": (io.BytesIO(b"x"), "a.exe")})
    assert wrong.status_code == 422 and "停电" in wrong.get_data(as_text=True) and "cannot be uploaded" in wrong.get_data(as_text=True)
    done = li.post(f"/cards/{one.key}/appeal", data={"text": "停电", "revision": "1", "file": (io.BytesIO("通知".encode()), "停电通知.txt")})
    assert done.status_code == 302
    page = du.get(f"/cards/{one.key}").get_data(as_text=True)
    assert "停电通知.txt" in page and "Uphold the card" in page
    link = page.split('/papers/')[1].split('"')[0]
    file = du.get(f"/cards/{one.key}/papers/{link}")
    assert file.data.decode() == "通知" and "attachment" in file.headers["Content-Disposition"]
    assert browse("sun").get(f"/cards/{one.key}/papers/{link}").status_code == 404
    assert du.get(f"/cards/{one.key}/papers/1").status_code == 404
    assert du.post(f"/cards/{one.key}/revoke", data={"text": "属实", "revision": "2"}).status_code == 302
    assert cards(engine)[0].state == "REVOKED"
    again = du.post(f"/cards/{one.key}/uphold", data={"text": "又改", "revision": "3"}, follow_redirects=True).get_data(as_text=True)
    assert "has been decided already" in again and "does not count" in again


def test_who_is_not_concerned_learns_nothing(browse, one):
    stranger = browse("zhao")  # a colleague of the same section
    assert one.number not in stranger.get("/cards").get_data(as_text=True)
    assert stranger.get(f"/cards/{one.key}").status_code == 404
    assert stranger.post(f"/cards/{one.key}/appeal", data={"text": "x"}).status_code == 404
    assert one.number in browse("chen").get("/cards").get_data(as_text=True)  # the chief
    assert browse("du").post(f"/cards/{one.key}/burn").status_code == 404
    assert browse("chen").post(f"/cards/{one.key}/revoke", data={"text": "x"}).status_code == 403
    assert browse("auditor").get(f"/cards/{one.key}").status_code == 200


def test_after_its_time_the_appeal_is_refused_in_words(browse, engine, one, clock):
    clock.office("2026-12-09 09:00")
    page = browse("li").get(f"/cards/{one.key}").get_data(as_text=True)
    assert "The time for an appeal is over." in page and ">Appeal<" not in page
    answer = browse("li").post(f"/cards/{one.key}/appeal", data={"text": "晚了", "revision": "1"}, follow_redirects=True)
    assert "ended on 2026-12-08" in answer.get_data(as_text=True)
    assert cards(engine)[0].state == "ISSUED"


def test_the_figures_leave_out_revoked_cards(browse, engine, one):
    client = browse("du")
    page = client.get("/cards/figures").get_data(as_text=True)
    assert "Cards by section" in page and "高新技术科" in page and "环节超时" in page
    client.post(f"/cards/{one.key}/revoke", data={"text": "规则设错", "revision": "1"})
    rows = list(openpyxl.load_workbook(io.BytesIO(client.get("/cards/figures.xlsx?month=2026-12").data)).active.iter_rows(values_only=True))
    assert rows[1] == ("高新技术科", "0", "0", "0", "0", "0", "1")
    assert "No card was issued." in client.get("/cards/figures?month=2026-11").get_data(as_text=True)


def test_the_rules_in_force_are_shown_with_their_source(browse, engine):
    assert "No supervision rules are deployed." in browse("du").get("/cards/rules").get_data(as_text=True)
    engine.deploy(only("acceptance", "no_reason", "month", "unopened", source="《条例》第九条", status="已核"), by="designer")
    page = browse("du").get("/cards/rules").get_data(as_text=True)
    for text in ("受理超时", "《条例》第九条", "Limits: 受理审查", "no reason at all", "counted by section and calendar month", "the light is yellow"):
        assert text in page, text


def test_the_list_costs_few_statements(browse, engine, one):
    client = browse("du")
    client.get("/cards")
    with statements(engine) as sent:
        assert client.get("/cards").status_code == 200
    assert len(selects(sent)) <= 8, "\n\n".join(selects(sent))


def test_a_hostile_opinion_is_inert_on_the_card(browse, engine, open_case):
    engine.deploy(only("no_reason"), by="designer")
    case = open_case(accepted=False)
    task = next(task for task in engine.user_tasks(case.key) if task.element_id == "accept")
    engine.desk.complete_task(task.key, {}, outcome="decline", opinion="<b>x", by="wang")
    engine.run_due()
    (row,) = cards(engine)
    page = browse("du").get(f"/cards/{row.key}").get_data(as_text=True)
    assert "&lt;b&gt;x" in page and "<b>x" not in page


def test_the_bell_leads_to_the_card_and_not_to_a_case_the_reader_may_not_see(browse, engine, one):
    browse("li").post(f"/cards/{one.key}/appeal", data={"text": "系统故障", "revision": "1"})
    for login in ("li", "du"):
        page = browse(login).get("/notices").get_data(as_text=True)
        assert f'href="/cards/{one.key}"' in page
    with engine.reading() as conn:
        told = conn.execute(select(notification).where(notification.c.kind == "card")).all()
    assert {row.params["card"] for row in told} == {one.key}


@pytest.mark.parametrize("query", ["month=0001-01", "month=9999-12", "month=２０２６-11", "page=9" * 3])
def test_a_senseless_address_is_no_failure(browse, one, query):
    assert browse("du").get(f"/cards?{query}").status_code in (200, 302)


def test_a_revision_that_no_row_can_have_is_no_failure(browse, one):
    for text in ("9" * 30, "9" * 5000, "-1", "x"):
        assert browse("li").post(f"/cards/{one.key}/appeal", data={"text": "理由", "revision": text}).status_code < 500


def test_a_stale_page_of_a_card_loses_nothing_that_was_typed(browse, engine, one):
    li = browse("li")
    answer = li.post(f"/cards/{one.key}/appeal", data={"text": "系统故障，写了很久", "revision": "7"})
    assert answer.status_code == 409 and "系统故障，写了很久" in answer.get_data(as_text=True)
    assert cards(engine)[0].state == "ISSUED"


def test_a_card_to_a_section_that_may_not_read_the_case_names_no_title(browse, engine, one):
    with engine.transaction() as tx:
        tx.execute(card_table.update().values(to_login=None, to_section="nongcun"))
    title = "关于大棚改造的许可"
    assert title in browse("du").get(f"/cards/{one.key}").get_data(as_text=True)
    sun = browse("sun")
    for address in ("/cards", f"/cards/{one.key}", f"/cards/{one.key}/print"):
        page = sun.get(address).get_data(as_text=True)
        assert one.number in page and title not in page and "大棚改造" not in page, address
    book = openpyxl.load_workbook(io.BytesIO(sun.get("/cards/export.xlsx").data)).active
    assert "大棚改造" not in str(list(book.iter_rows(values_only=True)))
