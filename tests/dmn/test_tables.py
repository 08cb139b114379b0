"""Decision tables as the office's designers draw them."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from engine.dmn import parse_dmn
from engine.feel import to_json

HEAD = '<definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/" id="d" name="测试" namespace="http://camunda.org/schema/1.0/dmn">'


def table_xml(rules, *, policy="UNIQUE", inputs=(("金额", "number"),), outputs=(("结果", "string", ""),), extra="", aggregation="", default=""):
    """A decision ``pick`` with one table; ``rules`` are rows of cell texts, inputs first."""
    parts = [f'<decision id="pick" name="选择">{extra}<decisionTable id="t" hitPolicy="{policy}"{aggregation}>']
    for index, (expression, type_ref) in enumerate(inputs):
        parts.append(f'<input id="i{index}"><inputExpression typeRef="{type_ref}"><text>{expression}</text></inputExpression></input>')
    for index, (name, type_ref, values) in enumerate(outputs):
        listed = f"<outputValues><text>{values}</text></outputValues>" if values else ""
        listed += f"<defaultOutputEntry><text>{default}</text></defaultOutputEntry>" if default else ""
        parts.append(f'<output id="o{index}" name="{name}" typeRef="{type_ref}">{listed}</output>')
    for number, row in enumerate(rules, 1):
        cells = "".join(f"<inputEntry><text>{cell}</text></inputEntry>" for cell in row[: len(inputs)])
        cells += "".join(f"<outputEntry><text>{cell}</text></outputEntry>" for cell in row[len(inputs) :])
        parts.append(f'<rule id="r{number}"><description>第{number}行</description>{cells}</rule>')
    return (HEAD + "".join(parts) + "</decisionTable></decision></definitions>").encode()


def decide(xml, **context):
    return parse_dmn(xml, "t.dmn").decisions["pick"].evaluate(context)


STEPS = [("&lt; 100", '"小"'), ("[100..1000)", '"中"'), ("&gt;= 1000", '"大"')]


@pytest.mark.parametrize(("amount", "expected", "row"), [(5, "小", 1), (100, "中", 2), (1000.0, "大", 3)])
def test_a_unique_table_gives_the_value_of_its_row_and_says_which(amount, expected, row):
    result = decide(table_xml(STEPS), 金额=amount)
    assert result.value == expected
    assert result.rules == [
        {
            "decision_id": "pick",
            "table": "t",
            "rule_ids": [f"r{row}"],
            "rule_indexes": [row],
            "annotations": [[f"第{row}行"]],
            "inputs": {"金额": amount},
            "values": [amount],
            "outputs": [{"结果": expected}],
            "value": expected,
        }
    ]
    assert result.failure is None


def test_the_record_of_rows_can_be_written_as_json():
    result = decide(table_xml([("-", "1/3")]), 金额=Decimal(1) / 7)
    assert json.loads(json.dumps(result.rules))[0]["outputs"] == [{"结果": 1 / 3}]


def test_no_row_gives_null_or_the_default():
    assert decide(table_xml(STEPS), 金额=None).value is None
    assert decide(table_xml(STEPS), 金额=None).rules[0]["rule_ids"] == []
    assert decide(table_xml(STEPS, default='"未定"')).value == "未定"


def test_several_outputs_give_a_context():
    xml = table_xml([("-", '"科室"', "3")], outputs=(("去向", "string", ""), ("天数", "number", "")))
    assert to_json(decide(xml, 金额=1).value) == {"去向": "科室", "天数": 3}


def test_two_rows_of_a_unique_table_are_a_failure_that_names_the_rows():
    result = decide(table_xml([("-", '"a"'), ("&gt; 1", '"b"')]), 金额=2)
    assert result.value is None
    assert "选择" in result.failure and "UNIQUE" in result.failure
    assert result.rules[0]["rule_indexes"] == [1, 2]


def test_any_accepts_rows_that_agree_and_refuses_others():
    assert decide(table_xml([("-", '"a"'), ("&gt; 1", '"a"')], policy="ANY"), 金额=2).value == "a"
    assert decide(table_xml([("-", '"a"'), ("&gt; 1", '"b"')], policy="ANY"), 金额=2).failure


OVERLAPPING = [("&gt; 1", '"低"'), ("&gt; 2", '"高"'), ("&gt; 3", '"中"')]


@pytest.mark.parametrize(
    ("policy", "expected", "rows"),
    [
        ("FIRST", "低", [1]),
        ("PRIORITY", "高", [2]),
        ("RULE ORDER", ["低", "高", "中"], [1, 2, 3]),
        ("OUTPUT ORDER", ["高", "中", "低"], [2, 3, 1]),
        ("COLLECT", ["低", "高", "中"], [1, 2, 3]),
        ("F", "低", [1]),
        ("C", ["低", "高", "中"], [1, 2, 3]),
    ],
)
def test_hit_policies(policy, expected, rows):
    xml = table_xml(OVERLAPPING, policy=policy, outputs=(("结果", "string", '"高", "中", "低"'),))
    result = decide(xml, 金额=4)
    assert result.value == expected
    assert result.rules[0]["rule_indexes"] == rows


@pytest.mark.parametrize(("name", "expected"), [("SUM", 9), ("MIN", 2), ("MAX", 4), ("COUNT", 3)])
def test_collect_aggregates(name, expected):
    xml = table_xml([("-", "2"), ("-", "3"), ("-", "4")], policy="COLLECT", aggregation=f' aggregation="{name}"', outputs=(("n", "number", ""),))
    assert decide(xml, 金额=1).value == Decimal(expected)


def test_collect_gives_a_list_even_for_one_row_or_none():
    typed = '<variable name="选择" typeRef="string"/>'
    assert decide(table_xml(STEPS, policy="COLLECT", extra=typed), 金额=5).value == ["小"]
    assert decide(table_xml([("&gt; 9", '"x"')], policy="COLLECT"), 金额=5).value == []


def test_texts_of_dates_are_read_where_the_column_is_a_date():
    xml = table_xml([('&lt; @"2026-06-01"', '"早"'), ("-", '"晚"')], policy="FIRST", inputs=(("申报日期", "date"),))
    assert decide(xml, 申报日期="2026-05-31").value == "早"
    assert decide(xml, 申报日期="2026-06-01").value == "晚"


def test_cells_may_use_other_variables_and_the_question_mark():
    xml = table_xml([("? &gt; 上限 and 加急", '"退"'), ("-", '"收"')], policy="FIRST")
    assert decide(xml, 金额=5, 上限=3, 加急=True).value == "退"
    assert decide(xml, 金额=5, 上限=3, 加急=False).value == "收"


def test_the_table_is_there_to_be_shown():
    table = parse_dmn(table_xml(STEPS), "t.dmn").decision("选择").table
    assert table.hit_policy == "UNIQUE"
    assert [clause.label for clause in table.inputs] == ["金额"]
    assert [clause.label for clause in table.outputs] == ["结果"]
    assert [(rule.index, rule.inputs, rule.outputs, rule.description) for rule in table.rules][1] == (2, ("[100..1000)",), ('"中"',), "第2行")


def test_annotations_are_kept_in_the_order_of_their_columns():
    xml = table_xml(STEPS).decode()
    xml = xml.replace('<rule id="r1">', '<annotation name="依据"/><rule id="r1">').replace(
        '"小"</text></outputEntry>', '"小"</text></outputEntry><annotationEntry><text>第三条</text></annotationEntry>'
    )
    table = parse_dmn(xml.encode(), "t.dmn").decisions["pick"].table
    assert table.annotation_names == ("依据",)
    assert table.rules[0].annotations == ("第三条",)
