"""What an evaluation leaves behind: every decision taken, its values, its rows — bounded, and with the place of each failure."""

from __future__ import annotations

import json
import time

import pytest

from engine.dmn import parse_dmn
from engine.dmn.record import MAX_ENTRIES, MAX_PARTS, MAX_TEXT
from engine.feel import FeelError
from tests.dmn.test_graphs import decision, literal, model, needs_decision, needs_knowledge
from tests.dmn.test_tables import decide, table_xml

TABLE = (
    '<decisionTable id="{id}"{more}><input label="量"><inputExpression><text>{of}</text></inputExpression></input><output name="o"/>'
    '<rule id="a"><inputEntry><text>&lt; 10</text></inputEntry><outputEntry><text>{cell}</text></outputEntry></rule>'
    '<rule id="b"><inputEntry><text>&gt;= 10</text></inputEntry><outputEntry><text>2</text></outputEntry></rule></decisionTable>'
)


def needs_input(key):
    return f'<informationRequirement><requiredInput href="#{key}"/></informationRequirement>'


def test_the_decisions_of_a_graph_are_recorded_in_the_order_they_were_taken():
    m = model(
        '<inputData id="n" name="n"><variable name="n"/></inputData>'
        + decision("base", literal("n + 1"), needs=needs_input("n"))
        + decision("tier", TABLE.format(id="t", more="", of="base", cell="1"), needs=needs_decision("base"))
        + decision("fee", literal("tier * 100"), needs=needs_decision("tier"))
    )
    result = m.decisions["fee"].evaluate({"n": 20})
    assert [entry["decision_id"] for entry in result.rules] == ["base", "tier", "fee"]
    base, tier, fee = result.rules
    assert base == {"decision_id": "base", "inputs": {"n": 20}, "value": 21}
    assert (tier["table"], tier["rule_indexes"], tier["values"], tier["value"]) == ("t", [2], [21], 2)
    assert fee == {"decision_id": "fee", "inputs": {"tier": 2}, "value": 200}
    assert m.tables["t"].rules[1].inputs == (">= 10",)
    assert m.decisions["base"].text == "n + 1"


def test_a_table_of_a_knowledge_model_is_recorded_under_its_own_key():
    logic = f'<encapsulatedLogic><formalParameter name="x"/>{TABLE.format(id="kt", more="", of="x", cell="1")}</encapsulatedLogic>'
    m = model(
        f'<businessKnowledgeModel id="k" name="rate"><variable name="rate"/>{logic}</businessKnowledgeModel>'
        + decision("d", literal("rate(3) + rate(30)"), needs=needs_knowledge("k"))
    )
    result = m.decisions["d"].evaluate({})
    assert [(entry["decision_id"], entry.get("rule_indexes")) for entry in result.rules] == [("k", [1]), ("k", [2]), ("d", None)]
    assert m.anywhere("tables", "kt").rules[0].outputs == ("1",)


def test_what_is_kept_is_bounded_whatever_the_values_are():
    logic = f'<encapsulatedLogic><formalParameter name="x"/>{TABLE.format(id="kt", more="", of="x", cell="1")}</encapsulatedLogic>'
    m = model(
        f'<businessKnowledgeModel id="k" name="rate"><variable name="rate"/>{logic}</businessKnowledgeModel>'
        + decision("d", literal("{many: for i in 1..500 return rate(i), long: text}"), needs=needs_knowledge("k"))
    )
    result = m.decisions["d"].evaluate({"text": "长" * 100_000})
    assert result.rules[-1] == {"omitted": 500 - MAX_ENTRIES}
    assert result.rules[-2]["decision_id"] == "d"
    assert len(json.dumps(result.rules, ensure_ascii=False)) < 30_000
    big = model(decision("d", literal("{many: for i in 1..500 return i, long: text}"))).decisions["d"].evaluate({"text": "长" * 100_000})
    assert len(big.rules[0]["value"]["many"]) == MAX_PARTS + 1
    assert big.rules[0]["value"]["long"] == "长" * MAX_TEXT + "…"
    assert len(big.value["many"]) == 500


@pytest.mark.parametrize(
    ("cell", "place"),
    [
        ("for i in 1..10000000 return i", "Decision 选择, row 1, column 结果"),
        ("{f: function(n) f(n + 1), r: f(0)}.r", "Decision 选择, row 1, column 结果"),
    ],
)
def test_an_expression_that_is_cut_off_says_table_row_and_column(cell, place):
    with pytest.raises(FeelError) as caught:
        decide(table_xml([("-", cell)]), 金额=1)
    assert str(caught.value).startswith(f"{place}: ")
    assert "line 1, column" in str(caught.value)


def test_a_test_cell_that_is_cut_off_says_table_row_and_column():
    with pytest.raises(FeelError, match=r"Decision 选择, row 2, column 金额: .*line 1, column"):
        decide(table_xml([("&lt; 0", "1"), ("some i in 1..100000000 satisfies i = ?", "2")]), 金额=-0.5 + 1)


def test_a_note_says_where_something_became_null():
    result = decide(table_xml([("-", "nothing + 1")]), 金额=1)
    assert str(result.notes[0]) == "Decision 选择, row 1, column 结果: There is no variable nothing."


def test_an_unreadable_cell_is_refused_with_table_row_column_and_position():
    from engine.errors import DeploymentRejected

    with pytest.raises(DeploymentRejected) as caught:
        parse_dmn(table_xml([("-", "1"), ("&lt; (", "2")]), "t.dmn")
    (problem,) = caught.value.problems
    assert "row 2, column 金额" in problem.message
    assert "column 4" in problem.message
    assert problem.line is not None


def test_a_collecting_table_may_be_declared_with_the_type_of_one_row_but_not_with_another():
    for declared, expected in (("number", [1, 2]), ("string", None)):
        rows = (
            '<rule id="a"><inputEntry><text>-</text></inputEntry><outputEntry><text>1</text></outputEntry></rule>'
            '<rule id="b"><inputEntry><text>-</text></inputEntry><outputEntry><text>2</text></outputEntry></rule>'
        )
        head = '<decisionTable id="t" hitPolicy="COLLECT"><input><inputExpression><text>n</text></inputExpression></input><output name="o"/>'
        m = model(decision("d", f"{head}{rows}</decisionTable>", type_ref=declared))
        assert m.decisions["d"].evaluate({"n": 1}).value == expected


def test_a_value_that_is_not_of_its_decisions_type_is_null_also_from_a_table():
    m = model(decision("d", TABLE.format(id="t", more="", of="n", cell="1"), type_ref="string"))
    result = m.decisions["d"].evaluate({"n": 1})
    assert result.value is None
    assert any("declared type" in note for note in result.notes)


def test_boxed_expressions_and_relation_columns_keep_to_their_declared_types():
    relation = (
        '<relation><column name="a" typeRef="number"/><column name="b"/>'
        "<row><literalExpression><text>\"x\"</text></literalExpression><literalExpression><text>1</text></literalExpression></row></relation>"
    )
    assert model(decision("d", relation)).decisions["d"].evaluate({}).value == [{"a": None, "b": 1}]
    boxed = '<list typeRef="string"><literalExpression><text>1</text></literalExpression><literalExpression><text>2</text></literalExpression></list>'
    assert model(decision("d", boxed)).decisions["d"].evaluate({}).value is None


def test_the_namespaces_of_dmn_1_2_to_1_6_are_read():
    for namespace in ("http://www.omg.org/spec/DMN/20180521/MODEL/", "https://www.omg.org/spec/DMN/20240513/MODEL/"):
        body = '<decision id="d" name="d"><variable name="d"/><literalExpression><text>1 + 1</text></literalExpression></decision>'
        xml = f'<definitions xmlns="{namespace}" id="m" name="m" namespace="urn:m">{body}</definitions>'
        assert parse_dmn(xml.encode(), "m.dmn").decisions["d"].evaluate({}).value == 2


def test_a_table_of_a_thousand_rows_is_decided_quickly():
    rows = [(f"[{number * 10}..{number * 10 + 10})", f'"级{number}"') for number in range(1000)]
    picked = parse_dmn(table_xml(rows), "t.dmn").decisions["pick"]
    picked.evaluate({"金额": 5})
    started = time.process_time()
    result = picked.evaluate({"金额": 9995})
    assert time.process_time() - started < 0.2, "about 5 ms where this was written"
    assert (result.value, result.rules[0]["rule_indexes"]) == ("级999", [1000])
