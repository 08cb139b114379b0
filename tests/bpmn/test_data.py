"""Data associations with transformation and assignment (BPMN 2.0 §10.4.2), global tasks (§10.2.4)."""

from __future__ import annotations

from engine.bpmn.reader import read_bpmn
from tests.bpmn.builder import HEAD, bpmn, call, data_in, data_out, each, mapped, process, script, service, user
from tests.bpmn.stage import Stage


def stage_of(xml: str) -> Stage:
    model = read_bpmn(xml.encode(), "p.bpmn")
    assert not model.errors, model.errors
    return Stage(model.processes)


def with_objects(task: str) -> str:
    """A process with two data objects around ``task``, whose data associations are given."""
    return (
        HEAD
        + '<bpmn:process id="p" isExecutable="true"><bpmn:dataObject id="in_"/><bpmn:dataObject id="out_" name="result"/>'
        + '<bpmn:dataObjectReference id="in_ref" dataObjectRef="in_"/><bpmn:dataObjectReference id="out_ref" dataObjectRef="out_"/>'
        + '<bpmn:startEvent id="start"/><bpmn:sequenceFlow id="f1" sourceRef="start" targetRef="t"/>'
        + task
        + '<bpmn:endEvent id="end"/><bpmn:sequenceFlow id="f2" sourceRef="t" targetRef="end"/></bpmn:process></bpmn:definitions>'
    )


SPECIFICATION = (
    '<bpmn:ioSpecification><bpmn:dataInput id="given"/><bpmn:dataOutput id="made"/>'
    "<bpmn:inputSet><bpmn:dataInputRefs>given</bpmn:dataInputRefs></bpmn:inputSet>"
    "<bpmn:outputSet><bpmn:dataOutputRefs>made</bpmn:dataOutputRefs></bpmn:outputSet></bpmn:ioSpecification>"
)


def task(script_: str, incoming: str, outgoing: str) -> str:
    return f'<bpmn:scriptTask id="t" scriptFormat="application/feel">{SPECIFICATION}{incoming}{outgoing}<bpmn:script>{script_}</bpmn:script></bpmn:scriptTask>'


def test_an_input_is_local_and_an_output_reaches_the_data_object():
    stage = stage_of(with_objects(task("{made: given + 1, given: 99}", data_in("in_ref", "given"), data_out("made", "out_ref")))).start(
        in_=5
    )
    assert stage.ended and stage.variables == {"in_": 5, "result": 6}


def test_a_transformation_computes_what_is_carried():
    stage = stage_of(
        with_objects(task("{made: given}", data_in("in_ref", "given", "=in_ * 2"), data_out("made", "out_ref", "=made + 100")))
    ).start(in_=5)
    assert stage.variables["result"] == 110


def test_assignments_set_parts():
    stage = stage_of(
        with_objects(
            task(
                "{made: 7}",
                data_in("in_ref", "given", **{"given.a": "=in_", "given.b": "=in_ + 1"}),
                data_out("made", "out_ref", **{"result.total": "=made"}),
            )
        )
    ).start(in_={"x": 1})
    assert stage.ended, stage.incidents


def test_a_property_of_the_process_is_read_and_written_like_a_data_object():
    def used(ref: str) -> str:
        return with_objects(task("{made: given + 1}", data_in(ref, "given"), data_out("made", ref))).replace(
            '<bpmn:dataObject id="in_"/>', '<bpmn:property id="kept"/><bpmn:dataObject id="in_"/>'
        )

    assert stage_of(used("kept")).start(kept=5).variables == {"kept": 6}


def test_an_output_never_set_is_null():
    stage = stage_of(with_objects(task("{}", data_in("in_ref", "given"), data_out("made", "out_ref")))).start(in_=5, result=1)
    assert stage.variables == {"in_": 5, "result": None}


def test_an_output_that_adds_up_is_carried_once_though_the_way_on_is_retried():
    stage = Stage.of("p", "start -> a -[go]-> end; a -[stay]-> b -> end2", a=mapped(user(), outputs={"total": "=total + amount"})).start(
        total=1, go=False, stay=False
    )
    stage.do("a", amount=10)
    assert stage.incidents == [("a", "CONDITION_ERROR")]
    stage.set(go=True)
    stage.retry("a")
    assert stage.ended and stage.variables["total"] == 11


def test_an_input_that_adds_up_is_mapped_afresh_when_its_element_is_retried():
    stage = Stage.of("p", "start -> a -> end", a=mapped(script("s", None), {"n": "=n + 1", "s": "=given"}, {"seen": "=n"})).start(
        n=1, given=1
    )
    assert stage.incidents == [("a", "SCRIPT_ERROR")]
    stage.set(given={"x": 1})
    stage.retry("a")
    assert stage.ended and stage.variables["seen"] == 2


def test_a_retried_item_keeps_its_item():
    stage = Stage.of(
        "p",
        "start -> a -> end",
        a=each(mapped(script("s", None), {"item": "=item + 1", "s": "=given"}), "=[1]", "item", results="all", result="=item"),
    ).start(given=1)
    stage.set(given={"x": 1})
    stage.retry("a")
    assert stage.ended and stage.variables["all"] == [2]


def test_a_global_task_is_called_like_a_process():
    head, rest = bpmn(process("p", "start -> a -> b -> end", a=call("g"), b=call("h"))).decode().split("<bpmn:process", 1)
    tasks = '<bpmn:globalUserTask id="g" name="Ask"/><bpmn:globalScriptTask id="h" scriptLanguage="application/feel"><bpmn:script>{x: 1}</bpmn:script></bpmn:globalScriptTask>'
    stage = stage_of(head + tasks + "<bpmn:process" + rest).start("p")
    assert stage.open == ["g"] or len(stage.open) == 1
    stage.do(stage.open[0], answer=2)
    assert stage.ended and stage.variables == {"answer": 2, "x": 1}


def test_a_loop_carries_its_data_each_time():
    loop = "<bpmn:standardLoopCharacteristics><bpmn:loopCondition>=result &lt; 3</bpmn:loopCondition></bpmn:standardLoopCharacteristics>"
    stage = stage_of(with_objects(task("{made: given + 1}", data_in("out_ref", "given"), data_out("made", "out_ref") + loop))).start(
        result=0
    )
    assert stage.ended and stage.variables == {"result": 3} and stage.times("t") == 3


def test_a_worker_gets_its_inputs_mapped_once():
    stage = Stage.of("p", "start -> a -> end", a=mapped(service("work"), {"n": "=n + 1"}, {"seen": "=n"})).start(n=1)
    assert stage.do("a").variables == {"n": 1, "seen": 2}
