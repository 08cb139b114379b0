"""The weekly and monthly report as Excel, Word and PDF."""

from __future__ import annotations

import io
from dataclasses import replace

import docx
import openpyxl
import pytest

from tests.web.rooms import app, browse, clock, engine, open_case, selects, statements  # noqa: F401  fixtures
from web.supervision import documents


@pytest.fixture
def late(open_case, clock):
    case = open_case(subject="逾期件")
    clock.office("2026-12-02 09:00")
    return case


@pytest.mark.parametrize("kind", ["week", "last_week", "month", "last_month"])
def test_word_has_title_period_sections_overdue_cases_and_signature(browse, late, kind):
    answer = browse("du", "zh").get(f"/supervision/report/{kind}.docx")
    assert answer.status_code == 200
    document = docx.Document(io.BytesIO(answer.data))
    assert "科技局" in document.paragraphs[0].text
    assert "2026年1" in document.paragraphs[1].text
    cells = {cell.text for table in document.tables for row in table.rows for cell in row.cells}
    assert {"高新技术科", "关于逾期件的许可"} <= cells
    assert "____" in "".join(paragraph.text for paragraph in document.paragraphs)


def test_excel_has_the_same_tables(browse, late):
    rows = list(openpyxl.load_workbook(io.BytesIO(browse("du").get("/supervision/report/month.xlsx").data)).active.iter_rows(values_only=True))
    assert rows[0][1] == "Section" and rows[1][1] == "高新技术科"
    assert any(row[1] == "关于逾期件的许可" for row in rows)


# .ci/run installs such a font, so there this always runs; a developer's machine may have none, and then no PDF is offered.
@pytest.mark.skipif(documents.font() is None, reason="no open CJK font on this machine")
def test_pdf_embeds_its_characters(browse, late):
    answer = browse("du", "zh").get("/supervision/report/week.pdf")
    assert answer.status_code == 200 and answer.data.startswith(b"%PDF-") and b"/FontFile" in answer.data
    assert len(answer.data) < 500_000


def test_without_a_font_the_pdf_is_not_offered_and_the_page_says_why(browse, late, monkeypatch):
    monkeypatch.setattr(documents, "FONT_PLACES", ())
    client = browse("du")
    page = client.get("/supervision/figures").get_data(as_text=True)
    assert "week.pdf" not in page and "no open Chinese font" in page
    assert client.get("/supervision/report/week.pdf").status_code == 302


def test_a_chief_reports_the_own_section_only_and_a_clerk_nothing(browse, late):
    data = browse("zhou").get("/supervision/report/week.xlsx").data
    assert "关于逾期件的许可" not in str(list(openpyxl.load_workbook(io.BytesIO(data)).active.iter_rows(values_only=True)))
    assert browse("li").get("/supervision/report/week.docx").status_code == 403
    assert browse("du").get("/supervision/report/century.docx").status_code == 404


def test_a_title_never_becomes_a_formula(browse, engine, open_case, clock):
    open_case(subject="=HYPERLINK(1)")
    clock.office("2026-12-02 09:00")
    data = browse("du").get("/supervision/report/week.xlsx").data
    cells = [cell for row in openpyxl.load_workbook(io.BytesIO(data)).active.iter_rows() for cell in row if cell.value and "HYPERLINK" in str(cell.value)]
    assert cells and all(cell.data_type == "s" for cell in cells)


def test_a_report_costs_few_statements(browse, engine, late):
    client = browse("du")
    client.get("/supervision/report/week.xlsx")
    with statements(engine) as sent:
        assert client.get("/supervision/report/week.xlsx").status_code == 200
    assert len(selects(sent)) <= 10, "\n\n".join(selects(sent))


def test_the_same_pdf_asked_for_twice_is_set_once(monkeypatch):
    if documents.font() is None:
        pytest.skip("no open CJK font on this machine")
    monkeypatch.setattr(documents, "_made", {})
    set_, times = documents._set, []
    monkeypatch.setattr(documents, "_set", lambda report, found: times.append(report) or set_(report, found))
    report = documents.Report("周报", "科技局", "2026年11月", ["本期办结 1 件。"], [], "签字", "制表")
    assert documents.pdf(report) == documents.pdf(report) and len(times) == 1
    documents.pdf(replace(report, footer="另一时刻"))
    assert len(times) == 2
