"""The values by which staff find a case: kept in step with it, brought up to a changed sheet, never anything confidential."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import DeploymentRejected
from engine.runtime.casework import terms
from engine.runtime.sheets import Formula, Searched, parse_sheet
from engine.store import tables
from tests.desk import desk_models as models

SEARCH = """
search:
  - {key: subject, label: 事项, value: '=subject'}
  - {key: county, label: 县区, value: '=county', kind: exact}
  - {key: rounds, label: 轮次, value: '=rounds', kind: number}
  - {key: received, label: 收到日期, value: '=received_at', kind: date}
"""


def deploy(engine, extra: str) -> None:
    engine.deploy({"processes/licence/procedure.yaml": (models.SHEET + extra).encode()}, by="designer")


def found(rows, key: int) -> dict[str, list]:
    """Name of the field → (word, kind, number) of a case, as the index has it."""
    answer: dict[str, list] = {}
    for row in rows(tables.case_term):
        if row["case_key"] == key:
            answer.setdefault(row["name"], []).append((row["word"], row["kind"], row["number"]))
    return answer


def test_opening_a_case_writes_its_values_into_the_index(engine, desk, rows):
    deploy(engine, SEARCH)
    case = desk.start_case("licence", {**models.START, "subject": "大棚　ＡＢＣ改造"}, by="wang")
    index = found(rows, case.key)
    assert index["subject"] == [("大棚 abc改造", "text", None)]
    assert index["received"] == [("2026-11-23", "date", None)]
    assert "rounds" not in index  # nobody has said anything about it yet


def test_a_step_that_changes_a_value_changes_the_index_and_a_value_once_known_stays(engine, desk, rows, open_task):
    deploy(engine, SEARCH.replace("'=rounds'", "'=if outcome = null then null else 2'"))
    case = desk.start_case("licence", models.START, by="wang")
    before = found(rows, case.key)
    desk.complete_task(open_task(case.key, "accept").key, {}, outcome="accept", by="wang")
    after = found(rows, case.key)
    assert after == {**before, "rounds": [("2", "number", 2.0)]}


def test_an_older_case_follows_a_changed_sheet_and_is_asked_for_only_once(engine, desk, rows, case):
    assert found(rows, case.key) == {}
    deploy(engine, SEARCH)
    with engine.reading() as conn:
        assert terms.behind(conn, desk.book(conn).sheets) == {"licence": 1}
    engine.run_due()
    assert found(rows, case.key)["subject"][0][0] == terms.folded(models.START["subject"])
    with engine.reading() as conn:
        assert terms.behind(conn, desk.book(conn).sheets) == {}
    assert terms.refill(desk) == 0
    deploy(engine, SEARCH.replace("key: subject", "key: matter"))
    assert terms.refill(desk) == 1 and set(found(rows, case.key)) >= {"matter"} and "subject" not in found(rows, case.key)


def test_many_older_cases_follow_slice_by_slice(engine, desk, rows, monkeypatch):
    keys = [desk.start_case("licence", models.START, by="wang").key for _ in range(5)]
    deploy(engine, SEARCH)
    monkeypatch.setattr(terms, "SLICE", 2)
    assert [terms.refill(desk) for _ in range(4)] == [2, 2, 1, 0]
    assert all(found(rows, key) for key in keys)


def test_all_older_cases_follow_at_once_when_asked_to(engine, desk, rows, monkeypatch):
    keys = [desk.start_case("licence", models.START, by="wang").key for _ in range(5)]
    deploy(engine, SEARCH)
    monkeypatch.setattr(terms, "SLICE", 2)
    assert terms.refill(desk, everything=True) == 5 and all(found(rows, key) for key in keys)


def test_a_case_that_was_changed_meanwhile_is_not_written_over(engine, desk, rows, case, open_task, monkeypatch):
    deploy(engine, SEARCH.replace("'=rounds'", "'=if outcome = null then 1 else 2'"))
    read = terms._worked_out

    def slow(desk, tx, row, sheet):
        values = read(desk, tx, row, sheet)
        # Between reading and writing the case becomes one that the sheet in use has worked out: as another node would leave it.
        tx.execute(tables.case_file.update().where(tables.case_file.c.key == row.key).values(terms=[["rounds", "2", "number", 2.0]], terms_by=row.terms_by + 1))
        key = desk.book(tx.conn).sheets["licence"][0]
        tx.execute(tables.case_file.update().where(tables.case_file.c.key == row.key).values(terms_by=key))
        return values

    monkeypatch.setattr(terms, "_worked_out", slow)
    terms.refill(desk)
    assert found(rows, case.key) == {"rounds": [("2", "number", 2.0)]}


def test_the_index_goes_with_its_case(engine, desk, rows, case):
    deploy(engine, SEARCH)
    terms.refill(desk)
    with engine.transaction(by="system") as tx:
        tx.execute(tables.case_file.delete().where(tables.case_file.c.key == case.key))
    assert found(rows, case.key) == {}


# --- what is confidential --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["=applicant_name", "=upper case(applicant_name)", '=get value(applicant, "applicant_phone")', "=a.applicant_name"])
def test_a_sheet_that_searches_a_confidential_field_is_refused(engine, value):
    with pytest.raises(DeploymentRejected) as refused:
        deploy(engine, f"search:\n  - {{key: who, label: 申请人, value: '{value}'}}\n")
    assert [each.rule for each in refused.value.problems] == ["procedure.search-confidential"]
    assert refused.value.problems[0].line is not None


def test_a_name_that_only_contains_that_of_a_confidential_field_is_not_meant():
    text = models.SHEET + "search:\n  - {key: who, label: 县, value: '=applicant_name_of_county'}\n"
    assert parse_sheet("procedure.yaml", text.encode())[1] == []


def test_a_case_opened_when_the_field_was_confidential_is_not_found_by_it_later(engine, desk, rows, case):
    open_sheet = models.SHEET.replace("fields: [applicant_name, applicant_phone]", "fields: [applicant_phone]")
    assert open_sheet != models.SHEET
    text = open_sheet + "search:\n  - {key: who, label: 申请人, value: '=applicant_name'}\n  - {key: subject, label: 事项, value: '=subject'}\n"
    engine.deploy({"processes/licence/procedure.yaml": text.encode()}, by="designer")
    newer = desk.start_case("licence", models.START, by="wang")
    terms.refill(desk)
    assert set(found(rows, case.key)) == {"subject"} and set(found(rows, newer.key)) == {"subject", "who"}


@pytest.mark.parametrize(
    ("extra", "rule"),
    [
        ("search:\n  - {key: a, label: A, value: '=county', kind: fuzzy}\n", "procedure.search"),
        ("search:\n  - {key: a, label: A, value: county}\n", "procedure.search"),
        ("search:\n  - {key: a, label: A, value: '=county'}\n  - {key: a, label: B, value: '=county'}\n", "procedure.duplicate-key"),
        ("search:\n  - {key: a, label: A}\n", "procedure.missing-key"),
        ("search:\n" + "".join(f"  - {{key: k{n}, label: A, value: '=county'}}\n" for n in range(21)), "procedure.search"),
        ("public: {}\n", "procedure.missing-key"),
        ("public: {show: everything}\n", "procedure.public"),
        ("public: {show: columns}\n", "procedure.public"),
        ("public: {show: status, columns: [county]}\n", "procedure.public"),
        ("public: {show: columns, columns: [nothing]}\n", "procedure.public-column"),
        ("public: {show: columns, columns: [applicant]}\n", "procedure.public-confidential"),
        ("public: {show: status, until: x}\n", "procedure.unknown-key"),
    ],
)
def test_what_is_wrong_with_search_and_visibility_is_said_with_its_line(extra, rule):
    sheet, problems = parse_sheet("procedure.yaml", (models.SHEET + extra).encode())
    assert sheet is None and [each.rule for each in problems] == [rule]
    assert problems[0].line and problems[0].line > models.SHEET.count("\n") - 1


# --- how values are compared ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "value", "word"),
    [
        ("text", "  Ａb 　c ", "ab c"), ("exact", 7, "7"), ("text", True, "是"), ("text", {"a": 1}, None), ("text", "", None),
        ("date", "2026-11-22", "2026-11-22"), ("date", "2026年1月2日", "2026-01-02"), ("date", "2026-11-22T20:00:00Z", "2026-11-23"),
        ("date", "yesterday", None), ("date", "2026-02-30", None), ("number", "1,234.50", "1234.5"), ("number", "abc", None),
        ("number", True, None),
    ],
)  # fmt: skip
def test_a_value_becomes_the_word_that_people_will_look_for(desk, kind, value, word):
    sheet = SimpleNamespace(search=(Searched("x", "X", Formula("=x"), kind),), confidential=None)
    made = terms.terms_of(sheet, None, {}, lambda formula: value, (), desk.zone)
    assert [term[1] for term in made] == ([word] if word is not None else [])


@given(st.text(max_size=300))
def test_evening_out_a_text_twice_changes_nothing_more(text):
    once = terms.folded(text)
    assert terms.folded(once) == once and len(once) <= 200


def test_of_a_list_each_value_is_found_once(desk):
    sheet = SimpleNamespace(search=(Searched("x", "X", Formula("=x"), "exact"),), confidential=None)
    made = terms.terms_of(sheet, None, {"x": {"a": "甲"}}, lambda formula: ["a", "甲", "b", None], (), desk.zone)
    assert [term[1] for term in made] == ["甲", "b"]


# --- since when outsiders see a case ---------------------------------------------------------------------------------------------


def public_at(rows, key: int):
    return next(row["public_at"] for row in rows(tables.case_file) if row["key"] == key)


def test_a_case_is_public_from_the_first_status_that_the_sheet_names_and_stays_so(engine, desk, rows, clock, open_task):
    deploy(engine, "public: {show: status, after: [办理中]}\n")
    case = desk.start_case("licence", models.START, by="wang")
    # Every case is opened as 办理中, but the model names another status in the same breath.
    assert public_at(rows, case.key) is None
    clock.now += timedelta(hours=1)
    desk.complete_task(open_task(case.key, "accept").key, {}, outcome="accept", by="wang")
    assert public_at(rows, case.key) == clock.now
    deploy(engine, "public: {show: status, after: [已办结]}\n")
    later = desk.start_case("licence", models.START, by="wang")
    assert public_at(rows, later.key) is None
    engine.cancel(later.key, by="admin", reason="test")
    assert public_at(rows, later.key) is None and public_at(rows, case.key) is not None


def test_a_procedure_that_says_nothing_shows_nothing_outside(case, rows):
    assert public_at(rows, case.key) is None
