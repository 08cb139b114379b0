"""Bulletins and deductions: drafted by the ladder, heard, approved by a second person, issued with a number; reversed by two."""

from __future__ import annotations

import io

import openpyxl
import pytest
from docx import Document
from sqlalchemy import select

from engine.store.tables import assessment_entry, audit, bulletin, notification, rung_firing, trail
from tests.desk import desk_models as models
from tests.web.rooms import app, browse, clock, engine, open_case, selects, statements  # noqa: F401  fixtures

DEDUCTING = models.LADDERS.replace("actions: [draft_bulletin]", 'actions: [draft_bulletin, "assessment_deduction:0.5"]')


def rows(engine, table):
    with engine.reading() as conn:
        return conn.execute(select(table).order_by(table.c.key)).all()


@pytest.fixture
def late(engine, clock, open_case):
    """A case in handling, eight working days after its step was due, with what its ladder has made of it."""
    engine.deploy({"ladders.yaml": DEDUCTING.encode()}, by="designer")
    case = open_case()
    clock.office("2026-12-09 09:00")
    engine.run_due()
    return case


@pytest.fixture
def draft(late, engine):
    return rows(engine, bulletin)[-1]


def act(client, row, action, text="", **values):
    return client.post(f"/bulletins/{row.key}/{action}", data={"text": text, "revision": values.pop("revision", row.revision), **values})


def test_the_ladder_drafts_a_bulletin_from_the_facts_of_the_case(browse, late, engine, draft):
    assert draft.state == "DRAFT" and draft.number is None and draft.drafted_by is None
    with engine.reading() as conn:
        labels = conn.execute(select(rung_firing.c.label).where(rung_firing.c.clock_key == draft.clock_key, rung_firing.c.level > 0)).scalars().all()
    assert draft.facts["days"] == 7 and len(draft.facts["rungs"]) == len(labels) - 1  # the one that asks for the bulletin is no reminder
    for word in (draft.facts["case_no"], "承办", "2026年11月30日", "已超期7个工作日", "既未办结，也未说明理由", "临近期限，请抓紧办理", "通报批评"):
        assert word in draft.text, draft.text
    assert models.START["applicant_name"] not in draft.text
    page = browse("du").get("/bulletins").get_data(as_text=True)
    assert draft.title in page and "by the escalation ladder" in page
    told = {row.login for row in rows(engine, notification) if row.kind == "bulletin"}
    assert {"chen", "du"} <= told


def test_one_limit_has_one_bulletin(browse, late, engine, draft):
    client = browse("du")
    answer = client.post("/supervision/act", data={"act": "bulletin", "case": late.key, "text": "再通报一次"}, follow_redirects=True)
    assert "already" in answer.get_data(as_text=True)
    assert len([row for row in rows(engine, bulletin) if row.clock_key == draft.clock_key]) == 1


def test_supervision_drafts_one_from_the_board_and_only_about_a_limit_that_is_overrun(browse, engine, clock, open_case):
    case = open_case()
    client = browse("du")
    answer = client.post("/supervision/act", data={"act": "bulletin", "case": case.key, "text": "拖延"}, follow_redirects=True)
    assert "No limit of the case" in answer.get_data(as_text=True) and rows(engine, bulletin) == []
    clock.office("2026-12-01 09:00")
    client = browse("du")
    assert client.post("/supervision/act", data={"act": "bulletin", "case": case.key, "text": " "}).status_code == 422
    assert client.post("/supervision/act", data={"act": "bulletin", "case": case.key, "text": "拖延"}).status_code == 302
    (made,) = rows(engine, bulletin)
    assert made.drafted_by == "du" and made.reason == "拖延"
    assert browse("chen").post("/supervision/act", data={"act": "bulletin", "case": case.key, "text": "拖延"}).status_code == 404


def test_a_bulletin_is_written_heard_approved_by_a_second_person_and_issued_with_a_number(browse, engine, clock, draft):
    du, chen, wu = browse("du"), browse("chen"), browse("wu")
    page = du.get(f"/bulletins/{draft.key}").get_data(as_text=True)
    assert "Save the text" in page and "Approve</button>" not in page and "Issue</button>" not in page
    assert act(du, draft, "change", "通报正文", title="", reason="理由").status_code == 422
    assert act(du, draft, "change", "通报正文", title="关于超期的通报", reason="理由").status_code == 302
    assert act(chen, draft, "object", "专家会推迟", revision=2).status_code == 302
    page = du.get("/bulletins?shown=heard").get_data(as_text=True)
    assert "关于超期的通报" in page
    assert act(wu, draft, "approve", "", revision=3).status_code == 302
    act(du, draft, "issue", revision=4)
    assert rows(engine, bulletin)[-1].state == "APPROVED"
    assert "stated its view" in du.get(f"/bulletins/{draft.key}").get_data(as_text=True)
    assert act(du, draft, "weigh", "理由不成立", revision=4).status_code == 302
    # The section was heard, so nobody waits for the day.
    assert act(du, draft, "issue", revision=5).status_code == 302
    issued = rows(engine, bulletin)[-1]
    assert (issued.state, issued.number, issued.approved_by, issued.issued_by) == ("ISSUED", "周科通报〔2026〕1号", "wu", "du")
    assert "bulletin" in {row.action for row in rows(engine, trail)}
    assert "周科通报〔2026〕1号" in chen.get(f"/bulletins/{draft.key}/print").get_data(as_text=True)
    paper = Document(io.BytesIO(chen.get(f"/bulletins/{draft.key}/bulletin.docx").data))
    assert [each.text for each in paper.paragraphs[:3]] == ["关于超期的通报", "周科通报〔2026〕1号", "通报正文"]
    act(du, draft, "withdraw", "事实有误", revision=6)
    assert rows(engine, bulletin)[-1].state == "WITHDRAWN"


def test_nobody_approves_what_they_wrote_themselves_and_nothing_is_issued_before_the_section_was_waited_for(browse, engine, clock, draft):
    wu, du = browse("wu"), browse("du")
    act(wu, draft, "change", "正文", title="标题", reason="理由")
    assert act(wu, draft, "approve", revision=2).status_code == 403
    act(du, draft, "change", "正文二", title="标题", reason="理由", revision=2)
    assert act(du, draft, "approve", revision=3).status_code == 403
    assert act(wu, draft, "approve", revision=3).status_code == 302
    answer = du.post(f"/bulletins/{draft.key}/issue", data={"revision": 4}, follow_redirects=True).get_data(as_text=True)
    assert "may state its view until 2026-12-11" in answer
    clock.office("2026-12-14 09:00")
    du = browse("du")
    assert act(du, draft, "issue", revision=4).status_code == 302
    assert rows(engine, bulletin)[-1].number == "周科通报〔2026〕1号"


def test_saving_the_text_of_another_as_it_stands_makes_nobody_its_author(browse, engine, draft):
    wu, du = browse("wu"), browse("du")
    act(wu, draft, "change", "第一行\r\n第二行", title="标题\r\n续", reason="理由")
    assert act(du, draft, "change", "第一行\r\n第二行", title="标题 续", reason="理由", revision=2).status_code == 302
    row = rows(engine, bulletin)[-1]
    assert (row.changed_by, row.revision, row.text, row.title) == ("wu", 2, "第一行\n第二行", "标题 续")
    assert act(wu, draft, "approve", revision=2).status_code == 403
    assert wu.get(f"/bulletins/{draft.key}/bulletin.docx").status_code == 200


def test_only_who_was_reached_counts_as_reminded(browse, engine, clock, open_case):
    noted = "      - {id: noted, when: {after_due: 1}, level: 3, light: red, recipients: [], channel: log, actions: [silent], text: 只作登记}\n"
    sheet = models.LADDERS.replace("      - {id: bulletin", noted + "      - {id: bulletin")
    assert noted in sheet
    engine.deploy({"ladders.yaml": sheet.encode()}, by="designer")
    open_case()
    clock.office("2026-12-09 09:00")
    engine.run_due()
    drafted = rows(engine, bulletin)[-1]
    assert "只作登记" not in drafted.text and "只作登记" not in {each["label"] for each in drafted.facts["rungs"]}


def test_a_draft_that_is_withdrawn_draws_no_number_and_makes_room_for_another(browse, late, engine, draft):
    du = browse("du")
    assert act(du, draft, "withdraw", " ").status_code == 422
    act(du, draft, "withdraw", "已办结")
    (gone,) = [row for row in rows(engine, bulletin) if row.key == draft.key]
    assert gone.state == "WITHDRAWN" and gone.number is None and gone.only_key is None
    du.post("/supervision/act", data={"act": "bulletin", "case": late.key, "text": "仍未办结"})
    assert [row.state for row in rows(engine, bulletin) if row.clock_key == draft.clock_key] == ["WITHDRAWN", "DRAFT"]


def test_a_stale_page_changes_nothing_and_loses_nothing(browse, engine, draft):
    du = browse("du")
    act(du, draft, "change", "第一稿", title="标题", reason="理由")
    answer = act(du, draft, "change", "第二稿，写了很久", title="标题", reason="理由")
    assert answer.status_code == 409 and "第二稿，写了很久" in answer.get_data(as_text=True)
    assert rows(engine, bulletin)[-1].text == "第一稿"


def test_who_is_not_concerned_does_not_learn_of_a_bulletin(browse, engine, draft):
    assert browse("wang").get(f"/bulletins/{draft.key}").status_code == 404
    assert draft.title not in browse("wang").get("/bulletins").get_data(as_text=True)
    assert act(browse("wang"), draft, "withdraw", "x").status_code == 404
    assert act(browse("li"), draft, "withdraw", "x").status_code == 403
    assert "access.refused" in {row.action for row in rows(engine, audit)}


def test_a_reason_that_is_stated_after_the_draft_is_noted_once_and_told(browse, engine, clock, draft):
    engine.desk.state_reason(draft.clock_key, "省厅专家未到", by="li")
    engine.run_due()
    engine.run_due()
    page = browse("du").get(f"/bulletins/{draft.key}").get_data(as_text=True)
    assert page.count("省厅专家未到") == 1 and rows(engine, bulletin)[-1].state == "DRAFT"
    told = [row for row in rows(engine, notification) if row.login == "du" and "stated a reason after" in row.msgid]
    assert len(told) == 1


def test_a_draft_about_a_limit_that_is_no_longer_overrun_withdraws_of_itself(browse, engine, clock, draft):
    from datetime import timedelta

    from sqlalchemy import update

    from engine.store.tables import clock as clocks

    with engine.transaction() as tx:
        tx.execute(update(clocks).where(clocks.c.key == draft.clock_key).values(overdue_at=clock.now + timedelta(days=3)))
    engine.run_due()
    gone = next(row for row in rows(engine, bulletin) if row.key == draft.key)
    assert gone.state == "WITHDRAWN" and gone.ended_by is None
    assert "no longer overrun" in browse("du").get(f"/bulletins/{draft.key}").get_data(as_text=True)


def test_the_list_filters_exports_and_costs_few_statements(browse, engine, draft):
    du = browse("du")
    du.get("/bulletins")
    with statements(engine) as seen:
        page = du.get("/bulletins").get_data(as_text=True)
    assert draft.title in page and len(selects(seen)) <= 8
    assert draft.title not in du.get("/bulletins?shown=ISSUED").get_data(as_text=True)
    assert "Nothing matches these filters." in du.get("/bulletins?section=moon").get_data(as_text=True)
    sheet = openpyxl.load_workbook(io.BytesIO(du.get("/bulletins/export.xlsx").data)).active
    assert draft.title in [cell.value for cell in sheet[2]]


def test_the_ledger_of_the_case_and_the_bell_lead_to_the_bulletin(browse, late, draft):
    du = browse("du")
    assert f"/bulletins/{draft.key}" in du.get(f"/supervision/{late.key}").get_data(as_text=True)
    assert f"/bulletins/{draft.key}" in browse("chen").get("/notices").get_data(as_text=True)


# -- deductions ----------------------------------------------------------------------------------------------------------


def test_the_ladder_deducts_points_once_and_the_month_has_the_totals(browse, late, engine):
    engine.run_due()
    (entry,) = [row for row in rows(engine, assessment_entry) if "承办" in row.reason]
    assert (entry.tenths, entry.state, entry.section_code) == (5, "VALID", "gaoxin")
    page = browse("du").get("/assessment").get_data(as_text=True)
    assert entry.reason in page and "0.5" in page
    sheet = openpyxl.load_workbook(io.BytesIO(browse("du").get("/assessment/export.xlsx").data)).active
    assert any(cell.value == "0.5" for line in sheet for cell in line)
    assert "Nothing was deducted" in browse("du").get("/assessment?month=2026-10").get_data(as_text=True)
    assert browse("li").get("/assessment").status_code == 403


def test_a_deduction_is_reversed_by_two_people(browse, late, engine):
    entry = rows(engine, assessment_entry)[-1]
    du, wu, chen = browse("du"), browse("wu"), browse("chen")
    assert du.post(f"/assessment/{entry.key}/ask", data={"text": " ", "revision": 1}).status_code == 422
    assert chen.post(f"/assessment/{entry.key}/ask", data={"text": "专家未到", "revision": 1}).status_code == 302
    assert chen.post(f"/assessment/{entry.key}/reverse", data={"text": "同意", "revision": 2}).status_code == 403
    assert du.post(f"/assessment/{entry.key}/keep", data={"text": "理由不成立", "revision": 2}).status_code == 302
    assert du.post(f"/assessment/{entry.key}/ask", data={"text": "复核后属实", "revision": 3}).status_code == 302
    assert du.post(f"/assessment/{entry.key}/reverse", data={"text": "同意", "revision": 4}).status_code == 403
    assert wu.post(f"/assessment/{entry.key}/reverse", data={"text": "同意", "revision": 4}).status_code == 302
    entry = next(row for row in rows(engine, assessment_entry) if row.key == entry.key)
    assert (entry.state, entry.asked_by, entry.decided_by) == ("REVERSED", "du", "wu")
    assert browse("wang").get(f"/assessment/{entry.key}").status_code == 404
