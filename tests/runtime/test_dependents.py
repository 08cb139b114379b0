"""A form, a decision or a sheet deployed alone: the deployed processes that need what it takes away are named, element by element."""

from __future__ import annotations

import json

import pytest

from engine import DeploymentRejected
from engine.runtime.delivered import deliver
from engine.runtime.desk import DELIVERER
from tests.bpmn.builder import Element, bpmn, call, process, tag, user, xor


def form(id: str, *keys: str) -> str:
    fields = [{"type": "textfield", "key": key, "label": key, "id": f"F{n}"} for n, key in enumerate(keys) if "." not in key]
    for group in {key.partition(".")[0] for key in keys if "." in key}:
        inner = [{"type": "textfield", "key": key.partition(".")[2], "label": key, "id": f"G{n}"} for n, key in enumerate(keys) if key.startswith(f"{group}.")]
        fields.append({"type": "group", "path": group, "label": group, "id": f"g_{group}", "components": inner})
    return json.dumps({"id": id, "type": "default", "schemaVersion": 18, "name": id, "components": fields})


def table(*outputs: str, reads: str = "amount") -> str:
    heads = "".join(f'<output id="o{n}" name="{name}" typeRef="string"/>' for n, name in enumerate(outputs))
    cells = "".join(f'<outputEntry id="c{n}"><text>"x"</text></outputEntry>' for n, _ in enumerate(outputs))
    return (
        '<definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/" id="d" name="d" namespace="urn:d"><decision id="level" name="Level">'
        f'<decisionTable id="t"><input id="i"><inputExpression id="e" typeRef="string"><text>{reads}</text></inputExpression></input>{heads}'
        f'<rule id="r"><inputEntry id="r1"><text>-</text></inputEntry>{cells}</rule></decisionTable></decision></definitions>'
    )


def ask(variable: str | None = "result", *outputs: tuple[str, str]) -> Element:
    mapping = [tag("zeebe:ioMapping", {}, *(tag("zeebe:output", {"source": source, "target": target}) for source, target in outputs))] if outputs else []
    return Element("businessRuleTask", extensions=[tag("zeebe:calledDecision", {"decisionId": "level", "resultVariable": variable}), *mapping])


def shown(id: str, **properties: str) -> Element:
    """A user task with a form, and with ``properties``."""
    made = user()
    more = [tag("zeebe:formDefinition", {"formId": id})]
    if properties:
        more.append(tag("zeebe:properties", {}, *(tag("zeebe:property", {"name": name, "value": value}) for name, value in properties.items())))
    return Element(made.tag, made.attributes, [*made.extensions, *more], made.body)


def warnings(deployment) -> list[str]:
    return [str(each.message) for each in deployment.warnings]


HIDES = {"fields.hidden": "phone"}


def test_a_form_that_loses_a_field_which_a_deployed_step_hides_is_refused_and_names_process_and_step(engine):
    engine.deploy({"p.bpmn": bpmn(process("p", "start -> look -> end", look=shown("f", **HIDES))), "f.form": form("f", "name", "phone")}, by="d")
    with pytest.raises(DeploymentRejected) as refused:
        engine.deploy({"f.form": form("f", "name", "telephone")}, by="d")
    (about,) = refused.value.problems
    assert about.rule == "form.needed-field" and about.file == "f.form"
    assert "“The look” of “The p” names the field “phone”" in str(about.message)
    engine.deploy({"f.form": form("f", "name", "phone", "more")}, by="d")
    both = {"p.bpmn": bpmn(process("p", "start -> look -> end", look=shown("f", **{"fields.hidden": "telephone"}))), "f.form": form("f", "name", "telephone")}
    assert engine.deploy(both, by="d").warnings == ()


def test_the_start_of_the_program_leaves_such_a_delivered_form_alone_instead_of_failing(engine):
    files = {"p.bpmn": bpmn(process("p", "start -> look -> end", look=shown("f"))), "f.form": form("f", "phone").encode()}
    deliver(engine, files)
    engine.deploy({"p.bpmn": bpmn(process("p", "start -> look -> end", look=shown("f", **HIDES)))}, by="designer")
    (kept,) = [each for each in deliver(engine, files | {"f.form": form("f", "telephone").encode()}) if each.file == "f.form"]
    assert (kept.version, kept.by) == (1, DELIVERER)
    assert engine.definition("form", "f").version == 1


def test_a_field_that_conditions_decisions_and_called_processes_read_is_missed_by_each_of_them(engine):
    main = process(
        "p", "start -> fill -> rule -> sure -[amount > 3]-> sub -> end; sure -[*]-> end", fill=shown("f"), rule=ask(), sure=xor(), sub=call("q")
    )
    called = process("q", "start -> again -> end", again=user(assignee="=amount"))
    engine.deploy({"p.bpmn": bpmn(main), "q.bpmn": bpmn(called), "f.form": form("f", "amount", "name"), "d.dmn": table("a", "b")}, by="d")
    told = warnings(engine.deploy({"f.form": form("f", "name")}, by="d"))
    assert len(told) == 3 and all("“amount”, which the form “f” no longer has" in each for each in told)
    assert {each.split(" reads")[0] for each in told} == {"“The sure” of “The p”", "“The rule” of “The p”", "“The again” of “The q”"}


def test_a_field_that_another_form_gives_or_nobody_reads_is_not_missed(engine):
    flow = process("p", "start -> fill -> more -> sure -[amount > 3]-> a -> end; sure -[*]-> end", fill=shown("f"), more=shown("g"), sure=xor())
    engine.deploy({"p.bpmn": bpmn(flow), "f.form": form("f", "amount", "unread", "name"), "g.form": form("g", "amount")}, by="d")
    assert engine.deploy({"f.form": form("f", "name")}, by="d").warnings == ()


def test_a_part_of_a_group_is_missed_by_who_reads_this_part_only(engine):
    flow = process("p", "start -> fill -> a -> b -> end", fill=shown("f"), a=user(assignee="=applicant.phone"), b=user(assignee="=applicant.name"))
    engine.deploy({"p.bpmn": bpmn(flow), "f.form": form("f", "applicant.phone", "applicant.name")}, by="d")
    (told,) = warnings(engine.deploy({"f.form": form("f", "applicant.name")}, by="d"))
    assert told.startswith("“The a” of “The p” reads “applicant.phone”")


def test_an_output_that_a_decision_no_longer_gives_is_missed_where_it_is_read(engine):
    flow = process("p", "start -> rule -> sure -[result.who = 1]-> a -> end; sure -[*]-> b -> end", rule=ask(), sure=xor(), a=user(assignee="=result.note"))
    engine.deploy({"p.bpmn": bpmn(flow), "d.dmn": table("who", "note", "third")}, by="d")
    (told,) = warnings(engine.deploy({"d.dmn": table("note", "third")}, by="d"))
    assert told.startswith("“The sure” of “The p” reads “result.who”, but the decision “Level” no longer gives “who”.")
    assert engine.deploy({"d.dmn": table("note", "third", "fourth")}, by="d").warnings == ()


SHEET = "process: p\nname: P\ncode: PP\ntitle: =name\nheader:\n  applicant: =name\nstart:\n  form: f\ndocuments:\n"


def test_a_document_that_a_sheet_no_longer_has_is_missed_by_the_step_that_prints_it(engine):
    flow = process("p", "start -> look -> end", look=shown("f", document="notice"))
    sheet = SHEET + "  - id: other\n    name: 回执\n"
    full = {"p.bpmn": bpmn(flow), "f.form": form("f", "name"), "procedure.yaml": sheet + "  - id: notice\n    name: 受理通知书\n"}
    engine.deploy(full, by="d")
    (told,) = warnings(engine.deploy({"procedure.yaml": sheet}, by="d"))
    assert "“The look” of “The p” prints the document “受理通知书”" in told


def test_a_sheet_misses_the_field_that_its_start_form_loses(engine):
    files = {"p.bpmn": bpmn(process("p", "start -> a -> end")), "f.form": form("f", "name"), "procedure.yaml": SHEET + "  - id: x\n    name: x\n"}
    engine.deploy(files, by="d")
    (told,) = warnings(engine.deploy({"f.form": form("f", "subject")}, by="d"))
    assert told.startswith("“procedure.yaml” of “The p” reads “name”")


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        (ask(None), "Nobody keeps the result of “The rule”"),
        (ask("result"), None),
        (ask("result", ("=result.who", "who")), None),
        (ask("result", ("=1", "who")), "The result “result” of “The rule” stays inside the step"),
        (ask(None, ("=result", "who")), "Nobody keeps the result of “The rule”"),
    ],
)
def test_a_result_that_nobody_keeps_is_a_warning_on_the_element(engine, rule, says):
    deployed = engine.deploy({"p.bpmn": bpmn(process("p", "start -> rule -> end", rule=rule)), "d.dmn": table("who", "note")}, by="d")
    told = [each for each in deployed.warnings if each.rule == "zeebe.no-result"]
    assert [each.element_id for each in told] == (["rule"] if says else [])
    assert says is None or str(told[0].message).startswith(says)
    # It says what the engine does: the variable is there exactly when nothing was said.
    done = engine.start("p", variables={"amount": "1"})
    assert (done.variables.keys() - {"amount"} in ({"result"}, {"who"})) is (says is None) or done.variables["who"] in (1, None)
