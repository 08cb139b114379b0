"""决策依据: the decisions of a case as its page shows them — the table as drawn, the rows that fired, the values seen."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from engine.store.tables import sensitive_view
from tests.desk import desk_models as models
from tests.web.rooms import app, browse, clock, engine, open_case  # noqa: F401

DMN = """<definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/" id="grading" name="定级" namespace="urn:grading">
<inputData id="in_county" name="county"><variable name="county" typeRef="string"/></inputData>
<decision id="county_weight" name="县区权重"><variable name="county_weight"/>
  <informationRequirement><requiredInput href="#in_county"/></informationRequirement>
  <literalExpression><text>if county = "川汇区" then 3 else 1</text></literalExpression></decision>
<decision id="known" name="实名"><variable name="known"/>
  <decisionTable id="known_table"><input label="申请人"><inputExpression><text>applicant_name</text></inputExpression></input>
    <output name="known" typeRef="boolean"/>
    <rule id="k1"><description>未留姓名</description><inputEntry><text>null</text></inputEntry><outputEntry><text>false</text></outputEntry></rule>
    <rule id="k2"><inputEntry><text>-</text></inputEntry><outputEntry><text>true</text></outputEntry></rule></decisionTable></decision>
<decision id="grade" name="办件等级"><variable name="grade"/>
  <informationRequirement><requiredDecision href="#county_weight"/></informationRequirement>
  <decisionTable id="grade_table" hitPolicy="FIRST">
    <input label="权重"><inputExpression typeRef="number"><text>county_weight</text></inputExpression></input>
    <input label="紧急程度&lt;script&gt;alert(1)&lt;/script&gt;"><inputExpression typeRef="string"><text>urgency</text></inputExpression></input>
    <output name="grade" label="等级" typeRef="string"/><annotation name="依据"/>
    <rule id="g1"><inputEntry><text>&gt; 5</text></inputEntry><inputEntry><text>-</text></inputEntry>
      <outputEntry><text>"甲"</text></outputEntry><annotationEntry><text>第三条</text></annotationEntry></rule>
    <rule id="g2"><inputEntry><text>[2..5]</text></inputEntry><inputEntry><text>"urgent"</text></inputEntry>
      <outputEntry><text>"乙&lt;img src=x onerror=alert(2)&gt;"</text></outputEntry>
      <annotationEntry><text>第四条&lt;b&gt;</text></annotationEntry></rule>
    <rule id="g3"><inputEntry><text>-</text></inputEntry><inputEntry><text>-</text></inputEntry><outputEntry><text>"丙"</text></outputEntry>
      <annotationEntry><text></text></annotationEntry></rule></decisionTable></decision>
</definitions>"""


def rule_task(key: str, name: str, decision: str, variable: str) -> str:
    return (
        f'<bpmn:businessRuleTask id="{key}" name="{name}"><bpmn:extensionElements><zeebe:calledDecision decisionId="{decision}"'
        f' resultVariable="{variable}"/></bpmn:extensionElements></bpmn:businessRuleTask>'
    )


@pytest.fixture
def graded(engine):
    """The licence procedure with two decisions before its first step."""
    drawn = models.bpmn().decode().replace(
        models.flow("received_event", "accept"),
        rule_task("suggest", "自动定级", "grade", "suggested") + rule_task("check", "核对实名", "known", "known")
        + models.flow("received_event", "suggest") + models.flow("suggest", "check") + models.flow("check", "accept"),
    )  # fmt: skip
    files = {**models.files(), "processes/licence/licence.bpmn": drawn.encode(), "processes/licence/grading.dmn": DMN.encode()}
    engine.deploy(files, by="designer")
    return engine


def decisions_tab(page: str) -> str:
    return page[page.index('id="decisions"') : page.index('id="log"')]


def test_the_table_is_drawn_whole_with_the_fired_row_marked_and_the_values_above(graded, browse, open_case):
    case = open_case(accepted=False)
    tab = decisions_tab(browse("wang").get(f"/case/{case.key}").text)
    assert tab.count("<details") == 2
    grade = tab[tab.index("办件等级") :]
    rows = re.findall(r"<tr( class=\"is-fired\")?><th scope=\"row\" class=\"num\">(\d)", grade)
    assert [(bool(fired), number) for fired, number in rows if number] == [(False, "1"), (True, "2"), (False, "3")]
    seen = re.search(r'class="dmn__seen">(.*?)</tr>', grade).group(1)
    assert re.findall(r"<td>(.*?)</td>", seen)[:2] == ["3", "urgent"]
    for text in ("[2..5]", "&gt; 5", "第三条", "the first row that applies counts", "Rows that fired: 2", "county_weight"):
        assert text in grade


def test_each_decision_of_the_graph_is_shown_in_its_order_and_an_expression_as_its_text(graded, browse, open_case):
    case = open_case(accepted=False)
    tab = decisions_tab(browse("wang").get(f"/case/{case.key}").text)
    assert tab.index("县区权重") < tab.index("Decision table 办件等级")
    assert "if county = &#34;川汇区&#34; then 3 else 1" in tab


def test_what_stands_in_cells_and_heads_is_text_and_nothing_else(graded, browse, open_case):
    case = open_case(accepted=False)
    page = browse("wang").get(f"/case/{case.key}").text
    tab = decisions_tab(page)
    assert "&lt;img src=x onerror=alert(2)&gt;" in tab
    assert "<img" not in tab
    assert "<script" not in tab
    assert "第四条&lt;b&gt;" in tab


def test_the_page_speaks_chinese_and_survives_a_newer_version_of_the_table(graded, browse, open_case):
    case = open_case(accepted=False)
    changed = DMN.replace('<rule id="g1">', '<rule id="g0"><inputEntry><text>99</text></inputEntry><inputEntry><text>"never"</text></inputEntry>'
                          '<outputEntry><text>"新"</text></outputEntry><annotationEntry><text>新增</text></annotationEntry></rule><rule id="g1">')  # fmt: skip
    graded.deploy({"processes/licence/grading.dmn": changed.encode()}, by="designer")
    tab = decisions_tab(browse("wang", language="zh").get(f"/case/{case.key}").text)
    assert "新增" not in tab, "the table shown is the one that was in force"
    assert "办件等级" in tab


def test_a_decision_about_confidential_fields_shows_neither_values_nor_rows_to_others(graded, browse, open_case):
    case = open_case(secret=True)  # accepted: now it is with section gaoxin, where Zhao may open it and, not holding it, sees no names
    window = decisions_tab(browse("wang").get(f"/case/{case.key}").text)
    known = window[window.index("Decision table 实名") :]
    assert "张三" in known
    assert 'class="is-fired"' in known[: known.index("</section>")]
    task = next(task for task in graded.user_tasks(case.key) if task.element_id == "handle")
    graded.desk.claim(task.key, by="li")
    other = decisions_tab(browse("wu").get(f"/case/{case.key}").text)
    hidden = other[other.index("Decision table 实名") :]
    hidden = hidden[: hidden.index("</section>")]
    assert "张三" not in other
    assert "is-fired" not in hidden
    assert "dmn__seen" not in hidden
    assert "hidden from you" in hidden
    grade = other[other.index("Decision table 办件等级") :]
    assert "is-fired" in grade[: grade.index("</section>")], "a decision that looks at nothing confidential stays open"


def test_looking_at_confidential_values_in_a_decision_is_recorded(graded, browse, open_case):
    case = open_case(accepted=False, secret=True)
    browse("du").get(f"/case/{case.key}")
    with graded.reading() as conn:
        assert [row.viewer for row in conn.execute(select(sensitive_view).where(sensitive_view.c.case_key == case.key))] == ["du"]


def test_a_record_of_an_earlier_release_is_still_shown(graded, browse, open_case):
    from engine.store.tables import trail

    case = open_case(accepted=False)
    with graded.reading() as conn:
        line = conn.execute(select(trail).where(trail.c.case_key == case.key, trail.c.element_id == "suggest")).one()
    old = {"decision_id": "grade", "rule_ids": ["g2"], "rule_indexes": [2], "inputs": {"权重": 3}, "outputs": [{"grade": "乙"}]}
    with graded.database.sa.begin() as conn:
        conn.execute(trail.update().where(trail.c.key == line.key).values(details={**line.details, "rules": [old]}))
    tab = decisions_tab(browse("wang").get(f"/case/{case.key}").text)
    grade = tab[tab.index("办件等级") :]
    assert 'class="is-fired"><th scope="row" class="num">2' in grade


def test_of_a_long_table_the_fired_rows_stand_first_and_the_whole_table_on_request(graded, browse, open_case):
    rows = "".join(
        f'<rule id="x{number}"><inputEntry><text>{number}</text></inputEntry><inputEntry><text>-</text></inputEntry>'
        f'<outputEntry><text>"{number}"</text></outputEntry><annotationEntry><text></text></annotationEntry></rule>'
        for number in range(100, 160)
    )
    graded.deploy({"processes/licence/grading.dmn": DMN.replace('<rule id="g1">', rows + '<rule id="g1">').encode()}, by="designer")
    case = open_case(accepted=False)
    tab = decisions_tab(browse("wang").get(f"/case/{case.key}").text)
    grade = tab[tab.index("Decision table 办件等级") :]
    first, whole = grade.split('<details class="dmn__all">')[:2]
    assert re.findall(r'scope="row" class="num">(\d+)', first) == ["62"]
    assert len(re.findall(r'scope="row" class="num">(\d+)', whole)) == 63
