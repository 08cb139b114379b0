"""What differs between two states of a form or a table of decisions, said in sentences."""

from __future__ import annotations

import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.runtime.design.comparing import compare
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
