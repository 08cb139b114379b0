"""The search box and the filters by a procedure's own fields, on both databases."""

from __future__ import annotations

import io
import re

import pytest
from openpyxl import load_workbook

from engine.store import tables
from tests.desk import desk_models as models

SEARCH = """
search:
  - {key: subject, label: 申请事项, value: '=subject'}
  - {key: code, label: 项目编号, value: '=if subject = "孵化器" then "XM-2026-01" else "XM-2026-011"', kind: exact}
  - {key: size, label: 规模, value: '=if subject = "孵化器" then 12.5 else 3', kind: number}
  - {key: received, label: 收到日期, value: '=received_at', kind: date}
"""


@pytest.fixture
def searchable(office, new_case):
    office.deploy({"processes/licence/procedure.yaml": (models.SHEET + SEARCH).encode()}, by="designer")
    return new_case(subject="大棚改造"), new_case(subject="孵化器")


def titles(page: str) -> list[str]:
    return sorted(re.findall(r"关于([^<“”]*?)的许可</", page))


def test_the_box_finds_whole_values_and_parts_of_texts_but_no_parts_of_what_is_exact(sign_in, searchable):
    client = sign_in("wang")
    assert titles(client.get("/search?q=ｘm-2026-01").text) == ["孵化器"]
    assert titles(client.get("/search?q=XM-2026").text) == []
    assert titles(client.get("/search?q=2026年11月2日").text) == ["大棚改造", "孵化器"]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("by.subject=棚", ["大棚改造"]),
        ("by.code=xm-2026-011", ["大棚改造"]),
        ("by.size.from=3.1", ["孵化器"]),
        ("by.size.to=3", ["大棚改造"]),
        ("by.size.from=3&by.size.to=13&by.subject=孵", ["孵化器"]),
        ("by.received.from=2026-11-02&by.received.to=2026-11-02", ["大棚改造", "孵化器"]),
        ("by.received.to=2026-11-01", []),
        ("by.subject=%25", []),
        ("q=改造&by.code=XM-2026-01", []),
        ("", ["大棚改造", "孵化器"]),
    ],
)
def test_a_procedure_is_searched_by_its_own_fields(sign_in, searchable, asked, expected):
    assert titles(sign_in("wang").get(f"/search?procedure=licence&{asked}").text) == expected


def test_a_field_with_options_is_chosen_from_them_and_found_by_their_words(sign_in, office, new_case):
    extra = "search:\n  - {key: urgency, label: 紧急程度, value: '=urgency', kind: exact}\n"
    office.deploy({"processes/licence/procedure.yaml": (models.SHEET + extra).encode()}, by="designer")
    new_case(subject="大棚改造", urgency="urgent")
    new_case(subject="孵化器", urgency="normal")
    client = sign_in("wang")
    page = client.get("/search?procedure=licence").text
    labels = re.findall(r"<option>([^<]+)</option>", page)
    assert len(labels) >= 2
    found = [title for label in labels for title in titles(client.get("/search", query_string={"procedure": "licence", "by.urgency": label}).text)]
    assert sorted(found) == ["大棚改造", "孵化器"]


def test_bounds_that_cannot_be_used_say_so_and_narrow_nothing(sign_in, searchable):
    page = sign_in("wang").get("/search?procedure=licence&by.size.from=viel&by.received.from=2026-12-01&by.received.to=2026-11-01").text
    assert "viel" in page and page.count("is-invalid") == 4
    assert titles(page) == ["大棚改造", "孵化器"]


def test_the_register_is_narrowed_by_the_same_fields_and_so_is_its_export(sign_in, searchable):
    client = sign_in("du")
    page = client.get("/register?procedure=licence&by.subject=孵").text
    assert titles(page) == ["孵化器"] and "by.subject=" in re.search(r'href="([^"]*export[^"]*)"', page)[1]
    assert titles(client.get("/register?procedure=licence").text) == ["大棚改造", "孵化器"]
    book = load_workbook(io.BytesIO(client.get("/register/export.xlsx?procedure=licence&by.subject=孵").data)).active
    assert book.max_row == 2
    assert titles(client.get("/register?procedure=licence&by.subject=无此").text) == []


def test_fields_find_nothing_that_one_may_not_read(sign_in, searchable):
    assert titles(sign_in("sun").get("/search?procedure=licence&by.code=XM-2026-01").text) == []
    assert titles(sign_in("sun").get("/search?q=XM-2026-01").text) == []


def test_cases_that_have_not_followed_the_changed_sheet_yet_are_told_of(sign_in, office, new_case):
    new_case(subject="孵化器")
    office.deploy({"processes/licence/procedure.yaml": (models.SHEET + SEARCH).encode()}, by="designer")
    client = sign_in("wang")
    page = client.get("/search?procedure=licence&by.subject=孵").text
    assert titles(page) == [] and 'role="status">' in page and "alert-info" in page
    office.run_due()
    page = client.get("/search?procedure=licence&by.subject=孵").text
    assert titles(page) == ["孵化器"] and "alert-info" not in page


def test_the_search_uses_the_index_for_whole_values(office, searchable):
    """Of many cases the database must not read all to find one number."""
    from sqlalchemy import text

    from engine.runtime.casework import terms
    from web.cases import queries

    if office.database.sa.dialect.name != "sqlite":
        # With a handful of rows PostgreSQL rightly reads the whole table; that it has the same indexes is held by the test of migrations.
        pytest.skip("the plan of PostgreSQL depends on how many rows there are")
    statement = tables.case_file.select().where(queries.with_word("code", terms.folded("XM-2026-01"), part=False))
    with office.reading() as conn:
        compiled = str(statement.compile(conn, compile_kwargs={"literal_binds": True}))
        plan = " ".join(row[-1] for row in conn.execute(text(f"EXPLAIN QUERY PLAN {compiled}")))
    assert "ix_case_term" in plan and "SCAN case_file" not in plan
