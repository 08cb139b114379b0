"""The checks of a file before it runs: schema, references, the standard's constraints, ways that cannot work, limits."""

from __future__ import annotations

import re
import time

import pytest

from engine.bpmn.constraints import CONSTRAINTS
from engine.bpmn.reader import read_bpmn
from engine.bpmn.validation import MAX_PROBLEMS, check
from engine.organisation import Directory, Section
from engine.runtime.examining import examine
from tests.bpmn.builder import both, bpmn, call, on, process, sub, throw, user, xor

HEAD = '<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" targetNamespace="urn:t">'
FLOW = '<startEvent id="s"/><sequenceFlow id="f" sourceRef="s" targetRef="a"/>{}<sequenceFlow id="g" sourceRef="a" targetRef="e"/><endEvent id="e"/>'


def foreign(body: str, roots: str = "", executable: str = "true") -> bytes:
    """A standard file without our dialect: one process."""
    return f'{HEAD}{roots}<process id="p" name="Leave" isExecutable="{executable}">{body}</process></definitions>'.encode()


def found(data: bytes | str):
    return check(read_bpmn(data.encode() if isinstance(data, str) else data, "p.bpmn"))


def rules(data: bytes | str, severity: str | None = None) -> set[str]:
    return {problem.rule for problem in found(data) if severity in (None, problem.severity)}


def test_every_row_names_its_number_its_clause_and_what_to_do():
    for row in CONSTRAINTS:
        assert re.fullmatch(r"EXT\d{3}( EXT\d{3})*", row.ids)
        assert re.match(r"\d+\.\d", row.source)
        assert "%(" in row.says.msgid and row.says.msgid.endswith(".")
        assert {row.dialect, row.foreign} <= {"error", "warning", "skip"}


def test_a_sound_foreign_file_has_no_findings():
    assert found(foreign(FLOW.format('<task id="a" name="Ask"/>'))) == []


SCHEMA = {
    "a part that may not stand there": ('<task id="a" name="Ask"><lane/></task>', "may not stand here in “Ask”"),
    "an attribute nobody knows": ('<task id="a" name="Ask" colour="red"/>', "has an attribute “colour” that BPMN does not know"),
    "a word for a number": (
        '<task id="a" name="Ask" startQuantity="many"/>',
        "“many” is no valid value of startQuantity; needed: whole number",
    ),
    "a word for true or false": ('<task id="a" name="Ask" isForCompensation="maybe"/>', "needed: true or false"),
    "a value out of a list": (
        '<task id="a" name="Ask"/><exclusiveGateway id="x" gatewayDirection="Up"/>',
        "needed: one of Unspecified, Converging",
    ),
    "text between elements": ('<task id="a" name="Ask">hello<incoming>f</incoming></task>', "contains text where only elements may stand"),
    "an address that is none": ('<transaction id="a" name="Ask" method="_no!$%uri"/>', "needed: "),
    "two loop markers": (
        '<task id="a" name="Ask"><standardLoopCharacteristics/><multiInstanceLoopCharacteristics/></task>',
        "“Ask” has more than one loop marker",
    ),
}


@pytest.mark.parametrize("what", SCHEMA)
def test_what_breaks_the_schema_is_said_in_words(what):
    body, words = SCHEMA[what]
    problems = [problem for problem in found(foreign("\n" + FLOW.format(body))) if words in problem.message]
    assert problems, [str(problem) for problem in found(foreign(FLOW.format(body)))]
    assert problems[0].severity == "error" and problems[0].line == 2
    assert "{http" not in problems[0].message


def test_parts_in_another_order_are_a_warning_only():
    data = foreign(
        FLOW.format('<task id="a" name="Ask"><incoming>f</incoming><outgoing>g</outgoing><documentation>x</documentation></task>')
    )
    data = data.replace(b'<startEvent id="s"/>', b'<startEvent id="s"><outgoing>f</outgoing></startEvent>')
    data = data.replace(b'<endEvent id="e"/>', b'<endEvent id="e"><incoming>g</incoming></endEvent>')
    assert rules(data, "error") == set() and "xml.schema" in rules(data, "warning")


def test_vendor_extensions_are_allowed_where_the_schema_allows_them():
    body = (
        '<task id="a" xmlns:v="urn:vendor" v:colour="red"><extensionElements><v:anything><v:deep/></v:anything></extensionElements></task>'
    )
    assert found(foreign(FLOW.format(body))) == []


def test_a_reference_to_the_wrong_kind_of_element_names_both_kinds():
    roots = '<signal id="i"/><interface id="I" name="I"><operation id="o" name="Ask"><inMessageRef>i</inMessageRef></operation></interface>'
    (problem,) = found(foreign(FLOW.format('<task id="a"/>'), roots))
    assert problem.rule == "bpmn.reference" and problem.element_id == "o"
    assert "which is a signal; a message is needed" in problem.message


def test_a_called_process_may_stand_in_another_file():
    assert "bpmn.reference" not in rules(foreign(FLOW.format('<callActivity id="a" calledElement="elsewhere"/>')))


BROKEN = {
    "EXT001": '<import importType="http://www.omg.org/spec/BPMN/20100524/MODEL" location="gone.bpmn" namespace="urn:gone"/>',
    "EXT019": '<exclusiveGateway id="a" gatewayDirection="Mixed"/>',
    "EXT024": '<task id="a"/><task id="b"/><sequenceFlow id="h" isImmediate="false" sourceRef="a" targetRef="b"/>',
    "EXT036": '<choreographyTask id="a" initiatingParticipantRef="x"><participantRef>x</participantRef><messageFlowRef>m</messageFlowRef></choreographyTask>',
    "EXT042": '<serviceTask id="a" operationRef="o"/>',
    "EXT049": '<receiveTask id="a" instantiate="true"/>',
    "EXT064": "<supportedInterfaceRef>i</supportedInterfaceRef>",
    "EXT066": '<task id="a"><multiInstanceLoopCharacteristics><loopCardinality xsi:type="tFormalExpression">2.5</loopCardinality></multiInstanceLoopCharacteristics></task>',
    "EXT074": '<task id="a"><multiInstanceLoopCharacteristics behavior="Complex"><loopCardinality xsi:type="tFormalExpression">2</loopCardinality></multiInstanceLoopCharacteristics></task>',
    "EXT077": '<dataObject id="d"/><dataObjectReference id="r" dataObjectRef="d" itemSubjectRef="i"/><task id="a"/>',
    "EXT079": '<subProcess id="a"><ioSpecification><inputSet/><outputSet/></ioSpecification></subProcess>',
    "EXT084": '<task id="a"><ioSpecification><dataInput id="i"/><inputSet/><outputSet/></ioSpecification></task>',
    "EXT085": '<task id="a"><ioSpecification><dataInput id="i"/><inputSet><optionalInputRefs>i</optionalInputRefs></inputSet><outputSet/></ioSpecification></task>',
    "EXT090": '<task id="a"><ioSpecification><dataOutput id="i"/><inputSet/><outputSet><whileExecutingOutputRefs>i</whileExecutingOutputRefs></outputSet></ioSpecification></task>',
    "EXT106": '<task id="a"/><endEvent id="c"><cancelEventDefinition/></endEvent>',
    "EXT117": '<intermediateThrowEvent id="a"><linkEventDefinition name="x"><target>y</target></linkEventDefinition></intermediateThrowEvent>',
    "EXT124": '<task id="a"/><intermediateCatchEvent id="c"><linkEventDefinition name="x"/></intermediateCatchEvent>',
    "EXT129": '<startEvent id="t" parallelMultiple="true"/><task id="a"/>',
    "EXT135": '<exclusiveGateway id="a"/>',
    "EXT145": '<task id="a" isForCompensation="true"/>',
}


@pytest.mark.parametrize("number", BROKEN)
def test_a_broken_constraint_is_an_error(number):
    body = BROKEN[number]
    data = (
        foreign(FLOW.format('<task id="a"/>'), body)
        if number == "EXT001"
        else foreign(body + FLOW.format("") if number == "EXT064" else FLOW.format(body))
    )
    assert f"bpmn.{number}" in rules(data, "error")


def test_an_import_of_a_file_deployed_together_is_sound():
    data = foreign(FLOW.format('<task id="a"/>'), BROKEN["EXT001"])
    assert "bpmn.EXT001" in {problem.rule for problem in examine({"p.bpmn": data})[1]}
    assert "bpmn.EXT001" not in {problem.rule for problem in examine({"p.bpmn": data, "gone.bpmn": foreign("")})[1]}


def test_flows_listed_at_some_nodes_must_be_listed_at_all_of_them():
    data = foreign(FLOW.format('<task id="a"><incoming>f</incoming></task>'))
    assert "bpmn.EXT023" in rules(data, "error")


# ways that cannot work --------------------------------------------------------------------------------------------------------


def dialect(flow: str, **elements) -> set[tuple[str, str]]:
    return {(problem.rule, problem.severity) for problem in found(bpmn(process("p", flow, **elements)))}


def test_a_loop_of_gateways_alone_is_refused():
    assert ("bpmn.endless", "error") in dialect("start -> g -[x]-> h -> g; g -[*]-> end", g=xor(), h=xor())


def test_a_loop_through_a_task_is_allowed():
    assert not {rule for rule, _ in dialect("start -> a -> g -[x]-> a; g -[*]-> end", g=xor())} & {"bpmn.endless"}


def test_a_loop_without_a_way_out_is_told():
    assert ("bpmn.endless", "warning") in dialect("start -> a -> b -> a; c -> end")


def test_a_parallel_join_after_an_exclusive_choice_is_told():
    assert ("bpmn.join-never", "warning") in dialect("start -> g -[x]-> a -> j -> end; g -[*]-> b -> j", g=xor(), j=both())
    assert "bpmn.join-never" not in {rule for rule, _ in dialect("start -> g -> a -> j -> end; g -> b -> j", g=both(), j=both())}


def test_a_process_that_calls_itself_at_once_is_refused_but_not_after_a_decision():
    assert ("bpmn.recursion", "error") in dialect("start -> c -> end", c=call("p"))
    assert "bpmn.recursion" not in {rule for rule, _ in dialect("start -> g -[x]-> c -> end; g -[*]-> end", g=xor(), c=call("p"))}


def test_a_link_needs_exactly_one_partner():
    def links(*catching: str) -> bytes:
        caught = "".join(
            f'<intermediateCatchEvent id="{id}"><linkEventDefinition name="x"/></intermediateCatchEvent><sequenceFlow id="f{id}" sourceRef="{id}" targetRef="e"/>'
            for id in catching
        )
        body = '<startEvent id="s"/><sequenceFlow id="f" sourceRef="s" targetRef="t"/><intermediateThrowEvent id="t"><linkEventDefinition name="x"/></intermediateThrowEvent><endEvent id="e"/>'
        return foreign(body + caught).replace(b"targetNamespace", b'expressionLanguage="feel" targetNamespace')

    assert "bpmn.link" in rules(links(), "error") and "bpmn.link" in rules(links("c", "d"), "error")
    assert "bpmn.link" not in rules(links("c"))


def test_compensation_that_nobody_handles_is_told():
    body = FLOW.format('<intermediateThrowEvent id="a" name="Undo"><compensateEventDefinition/></intermediateThrowEvent>')
    assert "bpmn.no-handler" in rules(foreign(body), "warning")


def test_what_cannot_be_executed_is_an_error_in_our_files_and_a_warning_in_foreign_ones():
    body = FLOW.format(
        '<exclusiveGateway id="a"/><task id="b"/><sequenceFlow id="h" sourceRef="a" targetRef="b"/><sequenceFlow id="i" sourceRef="b" targetRef="e"/>'
    )
    ours = foreign(body).replace(b"targetNamespace", b'expressionLanguage="https://www.omg.org/spec/DMN/20180521/FEEL/" targetNamespace')
    assert "bpmn.no-condition" in rules(ours, "error") and "bpmn.no-condition" in rules(foreign(body), "warning")


def test_an_event_sub_process_is_no_dead_end_and_a_level_without_start_begins_where_nothing_leads_to():
    assert "bpmn.unreachable" not in {rule for rule, _ in dialect("start -> s -> end", s=sub("b -> c"))}
    assert ("bpmn.implicit-start", "warning") in dialect("a -> b")
    assert "bpmn.implicit-start" not in {rule for rule, _ in dialect("start -> a -> end", s=on("start1 -> b -> end1"))}


def test_all_findings_come_at_once_in_the_order_of_lines_and_each_once():
    problems = found(bpmn(process("p", "start -> g -> a -> end; g -> b; c -> end", g=xor(), a=user(assignee="=broken("), t=throw())))
    assert [problem.line for problem in problems] == sorted(problem.line for problem in problems)
    assert len({(problem.rule, problem.line, problem.message) for problem in problems}) == len(problems)
    assert {"feel.syntax", "bpmn.no-condition", "bpmn.no-incoming"} <= {problem.rule for problem in problems}


# things outside the file ----------------------------------------------------------------------------------------------------


def test_groups_that_the_organisation_does_not_know_are_told():
    people = Directory([Section("tax", "Tax", "section")], roles={"clerk": "Clerk"})
    groups = {"a": "clerk", "b": "clerk@tax, section:tax", "c": "clerks", "d": "clerk@toll", "f": "section:toll", "g": '="x"'}
    model = bpmn(process("p", "start -> a -> b -> c -> d -> f -> g -> end", **{id: user(groups=text) for id, text in groups.items()}))
    problems = [problem for problem in examine({"p.bpmn": model}, directory=people)[1] if problem.rule == "deploy.unknown-group"]
    assert [problem.element_id for problem in problems] == ["c", "d", "f"]
    assert {problem.severity for problem in problems} == {"warning"}


def test_deadline_rules_and_ladders_that_nobody_has_are_told():
    task = user()
    task.extensions.append(
        '<zeebe:properties><zeebe:property name="deadline" value="no.such"/><zeebe:property name="ladder" value="steep"/></zeebe:properties>'
    )
    problems = examine({"p.bpmn": bpmn(process("p", "start -> a -> end", a=task))})[1]
    assert {("deploy.unknown-rule", "warning"), ("deploy.unknown-ladder", "warning")} <= {
        (problem.rule, problem.severity) for problem in problems
    }


# limits ------------------------------------------------------------------------------------------------------------------------


def test_five_thousand_elements_are_checked_in_seconds(record_property):
    data = bpmn(process("p", "start -> " + " -> ".join(f"t{number}" for number in range(2_500)) + " -> end"))
    began = time.perf_counter()
    assert examine({"p.bpmn": data})[1] == []
    took = time.perf_counter() - began
    record_property("seconds for 5,000 elements", round(took, 2))
    assert took < 15


HOSTILE = {
    "twenty thousand unknown attributes": "".join(f'<task id="a{number}" bad="1"/>' for number in range(20_000)),
    "twenty thousand flows at one node": '<task id="a"/>' + "".join(f'<sequenceFlow id="f{number}" sourceRef="a" targetRef="a"/>' for number in range(20_000)),
    "six thousand links": "".join(
        f'<intermediateThrowEvent id="s{number}"><linkEventDefinition name="x"/></intermediateThrowEvent>'
        f'<intermediateCatchEvent id="e{number}"><linkEventDefinition name="x"/></intermediateCatchEvent>'
        for number in range(3_000)
    ),
    "a hundred thousand tasks": "".join(f'<task id="a{number}"/>' for number in range(100_000)),
    "a name of four million letters": f'<task id="a" name="{"x" * 4_000_000}"/>',
}  # fmt: skip


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_files_are_refused_in_seconds(what):
    began = time.perf_counter()
    problems = examine({"p.bpmn": foreign(HOSTILE[what])})[1]
    assert time.perf_counter() - began < 30
    assert 0 < len(problems) <= MAX_PROBLEMS + 10


def test_a_large_file_is_told_its_own_faults_and_not_those_of_the_file_before():
    def large(wrong: str) -> bytes:
        steps = "".join(f'<userTask id="{wrong}{n}"/>' for n in range(2_500))
        return foreign('<startEvent id="s"/><sequenceFlow id="f" sourceRef="s" targetRef="x"/><userTask id="x" colour="red"/>' + steps)

    # Five thousand faults first; the next file has one, and must not be told the others'.
    assert len([each for each in found(large("1")) if each.rule == "xml.schema"]) > 50
    schema = [each for each in found(large("t")) if each.rule == "xml.schema"]
    assert [(each.element_id, "colour" in str(each.message)) for each in schema] == [("x", True)]
