"""Requirement graphs, knowledge models, boxed expressions, services, imports, types."""

from __future__ import annotations

import datetime as dt

import pytest

from engine.dmn import imported_files, parse_dmn, read_together
from engine.feel import to_json

NS = "https://www.omg.org/spec/DMN/20230324/MODEL/"


def model(body, namespace="urn:a", imports=None):
    xml = f'<definitions xmlns="{NS}" id="d" name="m" namespace="{namespace}">{body}</definitions>'
    return parse_dmn(xml.encode(), "m.dmn", imports)


def literal(text):
    return f"<literalExpression><text>{text}</text></literalExpression>"


def decision(key, logic, name=None, needs="", type_ref=""):
    name = name or key
    variable = f'<variable name="{name}" typeRef="{type_ref}"/>' if type_ref else f'<variable name="{name}"/>'
    return f'<decision id="{key}" name="{name}">{variable}{needs}{logic}</decision>'


def needs_decision(key):
    return f'<informationRequirement><requiredDecision href="#{key}"/></informationRequirement>'


def needs_knowledge(key):
    return f'<knowledgeRequirement><requiredKnowledge href="#{key}"/></knowledgeRequirement>'


def test_required_decisions_are_evaluated_once_and_known_by_id_and_name():
    m = model(
        decision("base", literal("n + 1"), name="基数")
        + decision("left", literal("基数 * 2"), needs=needs_decision("base"))
        + decision("top", literal("left + base"), needs=needs_decision("left") + needs_decision("base"))
    )
    assert to_json(m.decisions["top"].evaluate({"n": 1}).value) == 6
    assert to_json(m.decision("基数").evaluate({"n": 1}).value) == 2


def test_a_required_decision_comes_before_a_variable_of_the_same_name():
    m = model(decision("a", literal("1")) + decision("b", literal("a"), needs=needs_decision("a")))
    assert to_json(m.decisions["b"].evaluate({"a": 99}).value) == 1


def test_a_knowledge_model_is_a_function_by_position_and_by_boxed_invocation():
    bkm = (
        '<businessKnowledgeModel id="fee" name="fee of"><variable name="fee of"/><encapsulatedLogic><formalParameter name="base amount" typeRef="number"/>'
        '<formalParameter name="rate" typeRef="number"/>' + literal("base amount * rate") + "</encapsulatedLogic></businessKnowledgeModel>"
    )
    boxed = (
        "<invocation>" + literal("fee of") + '<binding><parameter name="rate"/>' + literal("0.5") + "</binding>"
        '<binding><parameter name="base amount"/>' + literal("10") + "</binding></invocation>"
    )
    m = model(bkm + decision("a", literal("fee of(10, 2)"), needs=needs_knowledge("fee")) + decision("b", boxed, needs=needs_knowledge("fee")))
    assert to_json(m.decisions["a"].evaluate().value) == 20
    assert to_json(m.decisions["b"].evaluate().value) == 5


def test_boxed_context_list_relation_and_conditional():
    context = (
        '<context><contextEntry><variable name="a"/>' + literal("2") + '</contextEntry><contextEntry><variable name="b"/>'
        "<list>" + literal("a") + literal("a + 1") + "</list></contextEntry><contextEntry>"
        "<conditional><if>" + literal("a = 2") + "</if><then>" + literal("{s: sum(b), b: b}") + "</then><else>" + literal("0") + "</else></conditional>"
        "</contextEntry></context>"
    )
    relation = '<relation><column name="k"/><column name="v"/><row>' + literal('"x"') + literal("1") + "</row></relation>"
    m = model(decision("c", context) + decision("r", relation))
    assert to_json(m.decisions["c"].evaluate().value) == {"s": 5, "b": [2, 3]}
    assert to_json(m.decisions["r"].evaluate().value) == [{"k": "x", "v": 1}]


def test_item_definitions_coerce_and_refuse():
    types = (
        '<itemDefinition name="等级"><typeRef>string</typeRef><allowedValues><text>"甲", "乙"</text></allowedValues></itemDefinition>'
        '<itemDefinition name="人"><itemComponent name="姓名"><typeRef>string</typeRef></itemComponent></itemDefinition>'
        '<itemDefinition name="人们" isCollection="true"><typeRef>人</typeRef></itemDefinition>'
    )
    m = model(
        types
        + decision("good", literal('"甲"'), type_ref="等级")
        + decision("bad", literal('"丙"'), type_ref="等级")
        + decision("one", literal('["甲"]'), type_ref="string")
        + decision("many", literal('{姓名: "李"}'), type_ref="人们")
    )
    assert m.decisions["good"].evaluate().value == "甲"
    bad = m.decisions["bad"].evaluate()
    assert bad.value is None and "not of its declared type" in bad.notes[0]
    assert m.decisions["one"].evaluate().value == "甲"
    assert m.decisions["many"].evaluate().value == [{"姓名": "李"}]


def test_input_data_of_a_date_type_reads_text():
    m = model(
        '<inputData id="i" name="交件日"><variable name="交件日" typeRef="date"/></inputData>'
        + decision("d", literal("交件日 + @\"P1D\""), needs='<informationRequirement><requiredInput href="#i"/></informationRequirement>')
    )
    assert m.decisions["d"].evaluate({"交件日": "2026-11-23"}).value == dt.date(2026, 11, 24)


def test_a_service_takes_the_values_of_its_input_decisions():
    m = model(
        decision("inner", literal("1"))
        + decision("outer", literal("inner + 1"), needs=needs_decision("inner"))
        + '<decisionService id="s" name="svc"><outputDecision href="#outer"/><inputDecision href="#inner"/></decisionService>'
        + decision("caller", literal("svc(10)"), needs=needs_knowledge("s"))
    )
    assert to_json(m.service("svc").evaluate({"inner": 5}).value) == 6
    assert to_json(m.decisions["caller"].evaluate().value) == 11
    assert to_json(m.decisions["outer"].evaluate().value) == 2


def test_an_imported_decision_is_reached_through_the_name_of_its_import():
    base = model(decision("x", literal("7")), namespace="urn:base")
    m = model(
        '<import name="base" namespace="urn:base" importType="https://www.omg.org/spec/DMN/20230324/MODEL/"/>'
        + decision("y", literal("base.x + 1"), needs='<informationRequirement><requiredDecision href="urn:base#x"/></informationRequirement>'),
        imports={"urn:base": base},
    )
    assert to_json(m.decisions["y"].evaluate().value) == 8


def test_the_given_clock_is_read():
    m = model(decision("d", literal("today()")))
    assert m.decisions["d"].evaluate({}, clock=lambda: dt.datetime(2026, 11, 22, 16, tzinfo=dt.UTC)).value == dt.date(2026, 11, 23)


@pytest.mark.parametrize("version", ["20191111", "20211108", "20230324"])
def test_the_namespaces_of_dmn_1_3_to_1_5_are_read(version):
    xml = f'<definitions xmlns="https://www.omg.org/spec/DMN/{version}/MODEL/" id="d" name="m" namespace="n">{decision("d", literal("1"))}</definitions>'
    assert to_json(parse_dmn(xml.encode(), "m.dmn").decisions["d"].evaluate().value) == 1


def file_of(namespace, body, *imports):
    arrows = "".join(f'<import name="{name}" namespace="{other}" importType="{NS}"/>' for name, other in imports)
    return f'<definitions xmlns="{NS}" id="d" name="m" namespace="{namespace}">{arrows}{body}</definitions>'.encode()


def needs_other(namespace, key):
    return f'<informationRequirement><requiredDecision href="{namespace}#{key}"/></informationRequirement>'


FILES = {
    "a.dmn": file_of("urn:a", decision("top", literal("b.mid + 1"), needs=needs_other("urn:b", "mid")), ("b", "urn:b")),
    "b.dmn": file_of("urn:b", decision("mid", literal("c.base * 10"), needs=needs_other("urn:c", "base")), ("c", "urn:c")),
    "c.dmn": file_of("urn:c", decision("base", literal("n"))),
}


def test_files_that_import_each_other_are_read_in_the_order_they_need():
    read = read_together(FILES)
    assert all(problems == [] for _, problems in read.values())
    assert read["a.dmn"][0].decisions["top"].evaluate({"n": 4}).value == 41
    assert imported_files(FILES) == {"a.dmn": ("b.dmn", "c.dmn"), "b.dmn": ("c.dmn",)}


def test_a_model_deployed_earlier_may_be_imported():
    earlier = read_together({name: FILES[name] for name in ("b.dmn", "c.dmn")})
    read = read_together({"a.dmn": FILES["a.dmn"]}, {model.namespace: model for model, _ in earlier.values()})
    assert read["a.dmn"][0].decisions["top"].evaluate({"n": 4}).value == 41


def test_an_import_that_is_missing_or_goes_in_a_circle_is_said():
    alone = read_together({"a.dmn": FILES["a.dmn"]})["a.dmn"][1]
    assert any(problem.rule == "dmn.import" for problem in alone)
    circle = {**FILES, "c.dmn": file_of("urn:c", decision("base", literal("1")), ("a", "urn:a"))}
    assert any(problem.rule == "dmn.import-circle" for _, problems in read_together(circle).values() for problem in problems)
    twice = {**FILES, "d.dmn": FILES["c.dmn"]}
    assert [problem.rule for problem in read_together(twice)["d.dmn"][1]] == ["dmn.namespace-twice"]


def test_an_imported_knowledge_model_keeps_to_the_types_of_its_own_file():
    amount = '<itemDefinition name="tAmount"><typeRef>number</typeRef><allowedValues><text>[0..10]</text></allowedValues></itemDefinition>'
    logic = '<encapsulatedLogic><formalParameter name="x" typeRef="tAmount"/><literalExpression><text>x * 2</text></literalExpression></encapsulatedLogic>'
    twice = f'<businessKnowledgeModel id="k" name="twice"><variable name="twice" typeRef="tAmount"/>{logic}</businessKnowledgeModel>'
    arrow = '<knowledgeRequirement><requiredKnowledge href="urn:k#k"/></knowledgeRequirement>'
    read = read_together(
        {
            "k.dmn": file_of("urn:k", amount + twice),
            "a.dmn": file_of("urn:a", decision("d", literal("[k.twice(3), k.twice(30), k.twice(6)]"), needs=arrow), ("k", "urn:k")),
        }
    )
    assert to_json(read["a.dmn"][0].decisions["d"].evaluate({}).value) == [6, None, None]


def test_a_service_keeps_to_its_declared_type():
    service = '<decisionService id="s" name="s"><variable name="s" typeRef="string"/><outputDecision href="#d"/></decisionService>'
    assert model(decision("d", literal("1")) + service).services["s"].evaluate({}).value is None
    assert model(decision("d", literal("[&quot;a&quot;]")) + service).services["s"].evaluate({}).value == "a"


def test_an_arrow_to_an_element_of_another_kind_is_refused():
    wrong = '<inputData id="n" name="n"><variable name="n"/></inputData>' + decision("d", literal("n"), needs=needs_decision("n"))
    problems = read_together({"a.dmn": file_of("urn:a", wrong)})["a.dmn"][1]
    assert [problem.rule for problem in problems] == ["dmn.reference"]
