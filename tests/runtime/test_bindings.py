"""What an element is bound to beyond its instance: versions of called processes and decisions, data stores, ad-hoc activation."""

from __future__ import annotations

import pytest

from engine import DeploymentRejected, NotFound, ValidationFailed
from tests.bpmn.builder import Element, ad_hoc, bpmn, each, process, script, tag


def calling(binding: str, version_tag: str | None = None) -> Element:
    attributes = {"processId": "child", "bindingType": binding, "versionTag": version_tag}
    return Element("callActivity", extensions=[tag("zeebe:calledElement", attributes)])


def child(value: int, version_tag: str | None = None) -> bytes:
    model = bpmn(process("child", "start -> s -> end", s=script(str(value), "result")))
    mark = f'<bpmn:extensionElements><zeebe:versionTag value="{version_tag}"/></bpmn:extensionElements>'
    return model.replace(b'isExecutable="true">', b'isExecutable="true">' + mark.encode(), 1) if version_tag else model


def result_of(engine, process_id: str) -> int:
    return engine.start(process_id).variables["result"]


def test_a_call_takes_the_latest_version_or_the_one_deployed_with_it(engine):
    files = {
        "late.bpmn": bpmn(process("late", "start -> c -> end", c=calling("latest"))),
        "fixed.bpmn": bpmn(process("fixed", "start -> c -> end", c=calling("deployment"))),
    }
    engine.deploy({"child.bpmn": child(1)}, by="designer")
    engine.deploy({**files, "child.bpmn": child(2)}, by="designer")
    engine.deploy({"child.bpmn": child(3)}, by="designer")
    assert (result_of(engine, "late"), result_of(engine, "fixed")) == (3, 2)


def test_a_call_takes_the_latest_version_with_its_tag(engine):
    engine.deploy({"child.bpmn": child(1, "spring")}, by="designer")
    engine.deploy({"child.bpmn": child(2, "spring")}, by="designer")
    engine.deploy({"child.bpmn": child(3, "autumn")}, by="designer")
    engine.deploy({"p.bpmn": bpmn(process("p", "start -> c -> end", c=calling("versionTag", "spring")))}, by="designer")
    assert result_of(engine, "p") == 2


def test_a_tag_nobody_has_is_an_incident(engine):
    engine.deploy({"child.bpmn": child(1)}, by="designer")
    engine.deploy({"p.bpmn": bpmn(process("p", "start -> c -> end", c=calling("versionTag", "spring")))}, by="designer")
    (incident,) = engine.incidents(engine.start("p").key)
    assert incident.type == "CALLED_ELEMENT_ERROR"


def test_a_binding_that_does_not_exist_is_refused(engine):
    for element in (calling("newest"), calling("versionTag")):
        with pytest.raises(DeploymentRejected) as refused:
            engine.deploy({"p.bpmn": bpmn(process("p", "start -> c -> end", c=element))}, by="designer")
        assert "zeebe.binding" in {problem.rule for problem in refused.value.problems}


# --- data stores -------------------------------------------------------------------------------------------------------------


def storing() -> bytes:
    """Reads the store ``rate`` into ``old``, makes ``new`` of it, writes it back."""
    body = (
        '<bpmn:ioSpecification><bpmn:dataInput id="old"/><bpmn:dataOutput id="new"/><bpmn:inputSet><bpmn:dataInputRefs>old</bpmn:dataInputRefs>'
        "</bpmn:inputSet><bpmn:outputSet><bpmn:dataOutputRefs>new</bpmn:dataOutputRefs></bpmn:outputSet></bpmn:ioSpecification>"
        "<bpmn:dataInputAssociation><bpmn:sourceRef>ref</bpmn:sourceRef><bpmn:targetRef>old</bpmn:targetRef></bpmn:dataInputAssociation>"
        "<bpmn:dataOutputAssociation><bpmn:sourceRef>new</bpmn:sourceRef><bpmn:targetRef>ref</bpmn:targetRef></bpmn:dataOutputAssociation>"
        "<bpmn:script>{ new: if old = null then 1 else old + 1 }</bpmn:script>"
    )
    model = bpmn(process("count", "start -> s -> end", s=Element("scriptTask", body=[body])))
    model = model.replace(b"<bpmn:process", b'<bpmn:dataStore id="store" name="rate"/><bpmn:process', 1)
    return model.replace(b"</bpmn:process>", b'<bpmn:dataStoreReference id="ref" dataStoreRef="store"/></bpmn:process>', 1)


def test_a_data_store_outlives_the_instance_and_is_shared_by_all(engine):
    engine.deploy({"count.bpmn": storing()}, by="designer")
    variables = [engine.start("count").variables for _ in range(3)]
    from engine.store import tables

    with engine.reading() as conn:
        assert conn.execute(tables.data_store.select()).mappings().one()["value"] == 3
    assert variables == [{}, {}, {}]


# --- ad-hoc sub-processes ----------------------------------------------------------------------------------------------------


@pytest.fixture
def visit(engine):
    model = bpmn(process("visit", "start -> s -> end", s=ad_hoc("look; talk", until="=enough = true", active='=["look"]')))
    engine.deploy({"visit.bpmn": model}, by="designer")
    return engine.start("visit")


def test_people_begin_further_elements_of_an_ad_hoc_sub_process(engine, visit, do, tasks):
    assert set(tasks(visit.key)) == {"look"}
    do(visit, "look")
    assert engine.instance(visit.key).state == "ACTIVE"
    engine.activate_in_ad_hoc(visit.key, "s", ["talk", "look"], by="clerk")
    assert set(tasks(visit.key)) == {"look", "talk"}
    assert do(visit, "talk", enough=True).state == "COMPLETED"


def test_what_is_not_in_an_ad_hoc_sub_process_is_refused(engine, visit):
    with pytest.raises(ValidationFailed):
        engine.activate_in_ad_hoc(visit.key, "s", ["dance"])
    with pytest.raises(NotFound):
        engine.activate_in_ad_hoc(visit.key, "other", ["look"])


# --- collected results -------------------------------------------------------------------------------------------------------


def test_called_processes_that_bring_back_everything_do_not_overwrite_the_collected_results(engine, deploy, do, tasks):
    deploy("child2", "start -> a -> end")
    call = Element("callActivity", extensions=[tag("zeebe:calledElement", {"processId": "child2"})])
    deploy("p", "start -> c -> end", c=each(call, "=[1, 2, 3]", "item", results="all", result="=item * 2"))
    case = engine.start("p")
    for task in engine.user_tasks():
        engine.complete(task.key, by="worker")
    assert engine.instance(case.key).variables["all"] == [2, 4, 6]
