"""What differs between two states of a form or a table of decisions, said in sentences."""

from __future__ import annotations

import copy
import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from engine.runtime.design.comparing import compare
from engine.runtime.design.decision_differences import NOTE, tables
from engine.runtime.design.differences import differences
from tests.support.player import ROOT

FORM = (ROOT / "forms" / "complaint_handle.form").read_text(encoding="utf-8")
TABLE = (ROOT / "processes" / "complaint" / "complaint.dmn").read_text(encoding="utf-8")


def form_said(change) -> list[str]:
    schema = copy.deepcopy(json.loads(FORM))
    change(schema["components"])
    return [str(each) for each in differences("a.form", FORM, json.dumps(schema))]


def test_a_component_that_came_went_or_changed_is_named_by_its_title():
    assert form_said(lambda parts: parts.append({"type": "textfield", "id": "new", "key": "new", "label": "备注"})) == [
        "Added: “备注” (line of text)."
    ]
    assert form_said(lambda parts: parts.pop(1)) == ["Removed: “调查方式” (several ticks)."]
    assert form_said(lambda parts: parts[1].update(label="方式", validate={})) == ["Changed: “方式”: title, must be filled in."]
    assert form_said(lambda parts: parts[1].update(values=[])) == ["Changed: “调查方式”: options."]
    assert form_said(lambda parts: parts.insert(0, parts.pop(1))) == ["The parts stand in another order."]


def test_a_component_inside_a_list_is_looked_at_too():
    said = form_said(lambda parts: parts[2]["components"][0].update(description="写全名"))

    assert said == ["Changed: “谈话对象”: explanation."]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('hitPolicy="FIRST"', 'hitPolicy="COLLECT"', "“投诉等级”: the hit policy is all rows instead of the first row."),
        ("&gt;= 100", "&gt;= 200", "“投诉等级”, row 3, “涉及金额（万元）”: >= 100 → >= 200"),
        ('label="来源"', 'label="渠道"', "“投诉等级”: column “渠道” has changed."),
        (
            '<decision id="complaint_grade" name="投诉等级">',
            '<decision id="complaint_grade" name="等级">',
            "The decision “投诉等级” is called “等级” now.",
        ),
    ],
)
def test_a_change_of_a_table_is_said_with_its_row_and_column(old: str, new: str, said: str):
    assert TABLE.count(old) >= 1

    assert said in [str(each) for each in differences("a.dmn", TABLE, TABLE.replace(old, new, 1))]


def test_a_row_that_is_gone_is_said_once_and_the_others_are_not_mixed_up():
    start = TABLE.index('<rule id="complaint_grade_r2">')
    end = TABLE.index("</rule>", start) + len("</rule>")

    assert [str(each) for each in differences("a.dmn", TABLE, TABLE[:start] + TABLE[end:])] == ["“投诉等级”: the former row 2 is gone."]


def test_the_same_is_said_by_nothing_and_the_unreadable_by_the_lines_alone():
    assert differences("a.form", FORM, FORM) == ()
    assert differences("a.form", FORM, "{") == ()
    assert differences("a.dmn", TABLE, "<a") == ()
    assert differences("a.bpmn", "<a/>", "<b/>") == ()
    assert differences("a.form", None, FORM) == ()
    [found] = compare({"a.form": FORM}, {"a.form": FORM.replace("调查方式", "方式")})
    assert [str(each) for each in found.said] == ["Changed: “方式”: title."]


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=8), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "key", "type", "label", "components", "validate", "values"]), inner, max_size=4), max_leaves=12)  # fmt: skip


@given(JSON, JSON)
def test_no_two_schemas_break_the_comparison(old, new):
    differences("a.form", json.dumps({"components": old}), json.dumps({"components": new}))


# --- decision tables as tables ----------------------------------------------------------------------------------------


def rows_of(new: str, old: str = TABLE) -> list:
    [merged] = tables("a.dmn", old, new)
    return list(merged.rows)


def without_row_2() -> str:
    start = TABLE.index('<rule id="complaint_grade_r2">')
    return TABLE[:start] + TABLE[TABLE.index("</rule>", start) + len("</rule>") :]


def test_a_cell_that_differs_stands_old_and_new_and_no_other_is_marked():
    rows = rows_of(TABLE.replace("&gt;= 100", "&gt;= 200", 1))

    [row] = [row for row in rows if row.kind == "changed"]
    assert (row.old_number, row.number) == (3, 3)
    assert [(cell.old, cell.new) for cell in row.cells if cell.differs] == [(">= 100", ">= 200")]
    assert {row.kind for row in rows} == {"changed", "same"}


def test_a_row_that_is_gone_stands_where_it_stood_and_a_new_one_where_it_stands():
    rows = rows_of(without_row_2())
    assert [(row.kind, row.old_number, row.number) for row in rows[:3]] == [("same", 1, 1), ("removed", 2, None), ("same", 3, 2)]

    rows = rows_of(TABLE, old=without_row_2())
    assert [(row.kind, row.old_number, row.number) for row in rows[:3]] == [("same", 1, 1), ("added", None, 2), ("same", 2, 3)]
    assert all(cell.kind in ("added",) for cell in rows[1].cells)


def test_a_renamed_column_has_both_titles_and_a_note_gets_a_column_of_its_own():
    [merged] = tables("a.dmn", TABLE, TABLE.replace('label="来源"', 'label="渠道"', 1))
    assert [(each.old, each.label) for each in merged.columns if each.status == "changed"] == [("来源", "渠道")]

    noted = TABLE.replace('<rule id="complaint_grade_r1">', '<rule id="complaint_grade_r1"><description>依据第三条</description>', 1)
    [merged] = tables("a.dmn", TABLE, noted)
    assert merged.columns[-1].kind == NOTE and merged.rows[0].cells[-1].new == "依据第三条"


def test_another_tool_that_gave_every_part_a_new_id_changed_nothing():
    renamed = TABLE
    for number in range(1, 20):
        renamed = renamed.replace(f'id="complaint_grade_r{number}"', f'id="x{number}"')

    assert tables("a.dmn", TABLE, renamed) == ()


def test_a_file_that_came_or_went_is_one_table_of_rows_that_came_or_went():
    for old, new, kind in ((None, TABLE, "added"), (TABLE, None, "removed")):
        [merged] = tables("a.dmn", old, new)
        assert {row.kind for row in merged.rows} == {kind} and {each.status for each in merged.columns} == {kind}


def test_the_table_takes_the_place_of_the_sentences_about_cells():
    [found] = compare({"a.dmn": TABLE}, {"a.dmn": TABLE.replace("&gt;= 100", "&gt;= 200", 1)})

    assert found.said == () and len(found.tables) == 1 and found.told and found.lines
    assert tables("a.dmn", TABLE, "<a") == ()


# --- the sheet --------------------------------------------------------------------------------------------------------

SHEET = """process: p
name: 请假
code: QJ
start:
  form: f
  roles: [clerk, window]
register:
  - {key: days, label: 天数, value: '=days'}
  - {key: why, label: 事由, value: '=why'}
public: {show: none}
"""


def sheet_said(*changes: tuple[str, str]) -> list[str]:
    changed = SHEET
    for old, new in changes:
        assert old in changed
        changed = changed.replace(old, new)
    return [str(each) for each in differences("procedure.yaml", SHEET, changed, roles={"clerk": "经办人", "window": "窗口"})]


def test_a_sheet_is_told_in_the_words_of_its_form():
    assert sheet_said(("name: 请假", "name: 休假")) == ["Name of the procedure: 请假 → 休假"]
    assert sheet_said(("code: QJ\n", "")) == ["Code in the case number: QJ → (empty)"]
    assert sheet_said((", window", "")) == ["May begin a case: “窗口” is gone."]
    assert sheet_said(("show: none", "show: status")) == ["Public visibility · Outsiders see: no cases at all → the status only"]


def test_columns_of_the_register_come_go_change_and_move():
    first, second = "  - {key: days, label: 天数, value: '=days'}\n", "  - {key: why, label: 事由, value: '=why'}\n"
    assert sheet_said((second, "")) == ["Columns of the register: “事由” is gone."]
    assert sheet_said((second, second + "  - {key: who, label: 何人, value: '=who'}\n")) == ["Columns of the register: “何人” is new."]
    assert sheet_said(("label: 天数", "label: 请假天数")) == [
        "Columns of the register: “请假天数” has changed: Head of the column: 天数 → 请假天数"
    ]
    assert sheet_said((first + second, second + first)) == ["Columns of the register: the order has changed."]


def test_a_remark_in_a_sheet_is_no_difference_of_what_it_says_and_what_is_no_sheet_has_its_lines():
    assert sheet_said(("code: QJ", "code: QJ  # 两个字母")) == ["Only remarks or the layout of the text differ, not what the sheet says."]
    assert differences("procedure.yaml", SHEET, "- a") == () == differences("procedure.yaml", SHEET, "a: [")
    assert differences("procedure.yaml", SHEET, "[" * 5000) == ()


VALUES = st.recursive(
    st.none() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["key", "label", "roles", "form", "rule"]), inner, max_size=3),
    max_leaves=10,
)
SHEETS = st.dictionaries(st.sampled_from(["process", "name", "register", "start", "public", "search", "deadlines", "x"]), VALUES, max_size=5)


@given(SHEETS, SHEETS)
def test_no_two_sheets_break_the_comparison_and_none_that_differ_pass_for_the_same(old, new):
    before, after = (yaml.safe_dump(each, allow_unicode=True) for each in (old, new))

    said = differences("procedure.yaml", before, after)

    assert bool(said) == (before != after)
