"""What is wrong with a file is said completely, with place and cure, and hostile files are refused."""

from __future__ import annotations

import pytest

from engine.dmn import check_dmn, parse_dmn
from engine.errors import DeploymentRejected

NS = "https://www.omg.org/spec/DMN/20191111/MODEL/"


def wrap(body, namespace=NS):
    return f'<definitions xmlns="{namespace}" id="d" name="m" namespace="n">\n{body}\n</definitions>'.encode()


BROKEN = wrap(
    """<decision id="a" name="甲">
  <informationRequirement><requiredDecision href="#gone"/></informationRequirement>
  <decisionTable id="t" hitPolicy="UNIQUE">
    <input id="i" label="金额"><inputExpression><text>金额</text></inputExpression></input>
    <output id="o" name="结果"/>
    <rule id="r1"><inputEntry id="c1"><text>&gt;= 1</text></inputEntry><outputEntry><text>"x"</text></outputEntry></rule>
    <rule id="r2"><inputEntry id="c2"><text>＞ 2</text></inputEntry><outputEntry><text>"x</text></outputEntry></rule>
  </decisionTable>
</decision>"""
)


def test_a_faulty_cell_is_named_by_table_row_and_column():
    problems = check_dmn(BROKEN, "a.dmn")
    cell = next(problem for problem in problems if problem.element_id == "c2")
    assert (cell.file, cell.line, cell.rule, cell.severity) == ("a.dmn", 8, "dmn.feel", "error")
    assert "Decision 甲, row 2, column 金额" in cell.message
    assert "half-width >" in cell.message
    assert any("row 2, column 结果" in problem.message and "not closed" in problem.message for problem in problems)


def test_every_problem_is_reported_and_the_deployment_refused():
    assert {problem.rule for problem in check_dmn(BROKEN, "a.dmn")} == {"dmn.feel", "dmn.reference"}
    with pytest.raises(DeploymentRejected) as caught:
        parse_dmn(BROKEN, "a.dmn")
    assert len(caught.value.problems) == 3


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        ('<decision id="a" name="a"><decisionTable hitPolicy="SOME"><output/></decisionTable></decision>', "dmn.hit-policy"),
        ('<decision id="a" name="a"><decisionTable/></decision>', "dmn.no-output"),
        ('<decision id="a" name="a"><decisionTable><output name="x"/><output/></decisionTable></decision>', "dmn.output-name"),
        ('<decision id="a" name="a"><decisionTable hitPolicy="COLLECT" aggregation="AVG"><output/></decisionTable></decision>', "dmn.aggregation"),
        ('<decision id="a" name="a"><decisionTable><input/><output/></decisionTable></decision>', "dmn.input"),
        ('<decision id="a" name="a"><decisionTable><output/><rule id="r"/></decisionTable></decision>', "dmn.row"),
        ('<decision id="a" name="a"><decisionTable hitPolicy="PRIORITY"><output/></decisionTable></decision>', "dmn.priority"),
        ('<decision id="a" name="a"/>', "dmn.no-logic"),
        ('<inputData id="a" name="a"/><inputData id="a" name="b"/>', "dmn.duplicate-id"),
        ('<decision id="a" name="a"><variable typeRef="tNone"/><literalExpression><text>1</text></literalExpression></decision>', "dmn.type"),
        (
            '<decision id="a" name="a"><literalExpression expressionLanguage="juel"><text>1</text></literalExpression></decision>',
            "dmn.language",
        ),
        (
            '<decision id="a" name="a"><informationRequirement><requiredDecision href="#a"/></informationRequirement>'
            "<literalExpression><text>a</text></literalExpression></decision>",
            "dmn.circle",
        ),
        ('<import name="x" namespace="urn:x" importType="http://www.omg.org/spec/DMN/20191111/MODEL/"/>', "dmn.import"),
    ],
)
def test_faults_of_structure_are_found(body, rule):
    assert rule in {problem.rule for problem in check_dmn(wrap(body), "a.dmn")}


def test_warnings_do_not_refuse_the_deployment():
    assert parse_dmn(wrap('<decision id="a" name="a"/>'), "a.dmn").decisions["a"].evaluate().value is None


BOMB = b"""<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>
<definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/" id="d" name="&b;" namespace="n"/>"""
OUTSIDE = b"""<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]>
<definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/" id="d" name="m" namespace="n"><decision id="a" name="a">
<literalExpression><text>&a;</text></literalExpression></decision></definitions>"""


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"", "dmn.xml"),
        (b"not xml", "dmn.xml"),
        (b"<a", "dmn.xml"),
        (b"<a/>", "dmn.namespace"),
        (wrap("", "http://www.omg.org/spec/DMN/20151101/dmn.xsd"), "dmn.namespace"),
        (BOMB, "dmn.doctype"),
        (OUTSIDE, "dmn.doctype"),
        (b" " * 5_000_001, "dmn.size"),
    ],
    ids=["empty", "text", "cut", "other root", "old namespace", "entity bomb", "outside file", "too large"],
)
def test_files_that_are_not_dmn_are_refused_in_words(data, rule):
    assert [problem.rule for problem in check_dmn(data, "a.dmn")] == [rule]
