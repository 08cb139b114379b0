"""Reading procedure sheets: everything wrong is said at once, with its line."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.runtime.casework.numbering import number_prefix
from engine.runtime.casework.outcomes import checked_outcome, outcomes
from engine.runtime.design.sheet_preview import numbers
from engine.runtime.number_rules import refusal_of_rule
from engine.runtime.sheets import parse_sheet, unresolved
from engine.store.tables import case_file
from tests.desk import desk_models as models


def problems(text: str) -> list[tuple[int | None, str]]:
    sheet, found = parse_sheet("procedure.yaml", text.encode())
    assert sheet is None
    return [(problem.line, problem.rule) for problem in found]


def test_a_sheet_is_read_whole():
    sheet, found = parse_sheet("procedure.yaml", models.SHEET.encode())
    assert found == [] and sheet is not None
    assert (sheet.process, sheet.short, sheet.code, sheet.start.form, sheet.start.roles) == (
        "licence",
        "许可",
        "XK",
        "licence_start",
        ("window",),
    )
    assert sheet.title.value({"subject": "大棚"}) == "关于大棚的许可"
    assert sheet.case_number == "{region}-{code}-{date}-{serial:04d}"
    assert [action.message for action in sheet.all_actions()] == ["withdrawn"]
    assert sheet.confidential.fields == ("applicant_name", "applicant_phone")


def test_a_misspelt_key_is_refused_with_its_line():
    text = models.SHEET.replace("confidential:", "confidental:")
    line = text.splitlines().index("confidental:") + 1
    assert problems(text) == [(line, "procedure.unknown-key")]


def test_all_problems_are_reported_together():
    text = models.SHEET.replace("code: XK", "code: XK\ncode: YK").replace("'=county'", "'=county +'").replace("message: withdrawn, ", "")
    assert sorted({rule for _, rule in problems(text)}) == ["procedure.duplicate-key", "procedure.feel", "procedure.missing-key"]


@pytest.mark.parametrize("rule", ["{region}-{serial:04d}-{serial}", "{region}", "{nothing}-{serial}", "{serial:zz}", "{region"])
def test_a_case_number_rule_that_cannot_work_is_refused(rule):
    assert problems(models.SHEET + f'case_number: "{rule}"\n')[0][1] == "procedure.number"


@pytest.mark.parametrize(
    "rule",
    [
        "{region}-{code}-{date}-{serial:0400d}", "{serial:09d}", "{serial:4d}", "{serial:+d}", "{serial:08d}" + "{region}" * 9, "{code:>40}{serial}",
        "{code!r:>99}{serial}", "{date:.123}{serial}", "x" * 53 + "{serial}", "{serial}" + "x" * 5_000_000, "{serial}\\n{code}",
    ],
)  # fmt: skip
def test_a_rule_that_could_make_long_or_strange_numbers_is_refused_before_anything_is_formatted(rule):
    assert problems(models.SHEET + f'case_number: "{rule}"\n') == [(len(models.SHEET.splitlines()) + 1, "procedure.number")]


def test_a_width_of_gigabytes_costs_nothing():
    """Formatted, it was a text of a gigabyte at every check and every preview."""
    rule = "{region}-{code}-{serial:0999999999d}"
    assert problems(models.SHEET + f'case_number: "{rule}"\n')[0][1] == "procedure.number"
    assert numbers(rule, region="411600", code="XK", day=date(2026, 11, 23)) == ()


@pytest.mark.parametrize("rule", ["{code}{date:.6}{serial:03d}", "周科〔{date:.4}〕{serial}号", "{region:.4}{code}-{date}-{serial:08d}", "{serial:d}"])
def test_a_usual_rule_of_a_case_number_stays_one(rule):
    sheet, found = parse_sheet("procedure.yaml", (models.SHEET + f'case_number: "{rule}"\n').encode())
    assert not found and sheet.case_number == rule


@pytest.mark.parametrize("code", ["<b>长长的代码</b>", "=x<", "A" * 11, "X K", "-X", "长" * 400])
def test_a_code_that_cannot_stand_in_numbers_is_refused(code):
    assert "procedure.code" in {rule for _, rule in problems(models.SHEET.replace("code: XK", f'code: "{code}"'))}


@pytest.mark.parametrize("code", ["TS", "投诉", "A1-B2"])
def test_a_short_code_of_letters_and_digits_is_taken(code):
    assert parse_sheet("procedure.yaml", models.SHEET.replace("code: XK", f"code: {code}").encode())[1] == []


@given(rule=st.lists(st.sampled_from(["{region}", "{code}", "{date}", "{date:.6}", "{serial}", "{serial:08d}", "-", "办〔", "〕x"]), max_size=14).map("".join))
def test_no_rule_that_is_taken_makes_a_number_longer_than_its_column(rule):
    if refusal_of_rule(rule, "ABCDEFGHIJ") is None:
        assert len(rule.format(region="411600", code="ABCDEFGHIJ", date="20261123", serial=99_999_999)) <= case_file.c.case_no.type.length


@pytest.mark.parametrize("text", ["", "- a\n- b", "a: [", "process: x"])
def test_what_is_no_sheet_is_refused_in_words(text):
    assert problems(text)


def test_the_prefix_of_a_number_holds_everything_but_the_serial():
    parts = {"region": "411600", "code": "TS", "date": date(2026, 11, 23).strftime("%Y%m%d")}
    assert number_prefix("{region}-{code}-{date}-{serial:04d}", **parts) == "411600-TS-20261123-#"


def test_buttons_are_read_from_the_properties():
    properties = {"outcomes": "approve=同意; return=退回;", "outcomes.opinion": "return", "outcomes.confirm": "return=退回后时限暂停。"}
    approve, back = outcomes(properties)
    assert (approve.value, approve.label, approve.opinion_required, approve.confirm) == ("approve", "同意", False, None)
    assert (back.opinion_required, back.confirm) == (True, "退回后时限暂停。")
    assert checked_outcome({}, None, "") == (None, {})
    assert checked_outcome({"outcomes": "a=A", "outcomes.opinion": "*"}, "a", "")[1].keys() == {"opinion"}


def test_a_procedure_may_name_its_own_ladder(engine, desk, case, rows):
    from engine.store import tables

    assert rows(tables.clock)[0]["ladder_id"] == "standard"
    ladders = models.LADDERS.replace("ladders:", "ladders:\n  gentle:\n    rungs: [{id: only, when: due_passed, level: 1, light: red,"
                                     " recipients: [supervisor], channel: inbox, actions: [notify], text: 超期}]")  # fmt: skip
    sheet = models.SHEET + "ladder: gentle\n"
    engine.deploy({"processes/ladders.yaml": ladders.encode(), "processes/licence/procedure.yaml": sheet.encode()}, by="designer")
    gentle = desk.start_case("licence", models.START, by="wang")
    assert {(row["ladder_id"], row["next_rung"]) for row in rows(tables.clock, case_key=gentle.key)} == {("gentle", "only")}
    # A running clock keeps the ladder it was started with.
    assert {row["ladder_id"] for row in rows(tables.clock, case_key=case.key)} == {"standard"}


def test_what_the_sheet_names_and_nobody_has_is_found_with_its_line():
    sheet = parse_sheet("procedure.yaml", models.SHEET.encode())[0]
    known = {"process": {"licence"}, "form": {"licence_start"}, "element": {"accept"}}
    found = unresolved(sheet, "procedure.yaml", known)
    lines = models.SHEET.splitlines()
    assert [(each.rule, each.element_id) for each in found] == [
        ("procedure.unknown-element", "handle"),
        ("procedure.unknown-form", "licence_withdraw"),
    ]
    assert all(each.element_id in lines[each.line - 1] for each in found)
    assert unresolved(sheet, "procedure.yaml", {}) == []
