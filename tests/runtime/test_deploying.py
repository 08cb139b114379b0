"""Deploying: versions, refusals, and what running instances keep."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from engine import DeploymentRejected, Engine, NotFound
from engine.store import tables
from tests.bpmn.builder import bpmn, call, message, process, script, start, timer, user, xor


def file(*names: str, **elements) -> bytes:
    return bpmn(process("p", " -> ".join(["start", *names, "end"]), **elements))


def rows(engine, table) -> int:
    with engine.reading() as conn:
        return conn.execute(select(func.count()).select_from(table)).scalar()


def test_a_deployment_makes_versions_and_says_who_and_when(engine, clock):
    deployment = engine.deploy({"p.bpmn": file("a")}, by="designer")
    (made,) = deployment.definitions
    assert (made.kind, made.id, made.version, made.name, made.new) == ("process", "p", 1, "The p", True)
    assert deployment.deployed_at == clock()
    assert engine.definition("process", "p").deployed_by == "designer"


def test_the_same_content_makes_no_new_version(engine):
    first = engine.deploy({"p.bpmn": file("a")}, by="designer").definitions[0]
    again = engine.deploy({"renamed.bpmn": file("a")}, by="other").definitions[0]
    assert (again.key, again.version, again.new) == (first.key, 1, False)
    assert rows(engine, tables.definition) == 1


def test_going_back_to_old_content_is_a_new_version(engine):
    for names, version in ((("a",), 1), (("a", "b"), 2), (("a",), 3)):
        assert engine.deploy({"p.bpmn": file(*names)}, by="designer").definitions[0].version == version


def test_running_instances_keep_their_version(engine):
    engine.deploy({"p.bpmn": file("a", "b")}, by="designer")
    old = engine.start("p")
    engine.deploy({"p.bpmn": file("a")}, by="designer")
    new = engine.start("p")
    third = engine.start("p", version=1)
    assert [old.version, new.version, third.version] == [1, 2, 1]
    ends = []
    for instance in (old, new, third):
        (task,) = engine.user_tasks(instance.key)
        ends.append(engine.complete(task.key).state)
    assert ends == ["ACTIVE", "COMPLETED", "ACTIVE"]


def test_another_engine_sees_the_new_version(engine, database_url, clock):
    other = Engine(database_url, clock=clock)
    engine.deploy({"p.bpmn": file("a")}, by="designer")
    assert other.start("p").version == 1
    other.dispose()


def test_an_unknown_process_or_version_is_not_found(engine):
    with pytest.raises(NotFound, match="“p”"):
        engine.start("p")
    engine.deploy({"p.bpmn": file("a")}, by="designer")
    with pytest.raises(NotFound):
        engine.start("p", version=2)


def test_a_refusal_lists_everything_in_all_files_and_stores_nothing(engine):
    files = {
        "good.bpmn": file("a"),
        "bad.bpmn": bpmn(process("q", "start -> g -[x >]-> end; g -> end", g=xor(), a=user("审查", assignee="=("))),
        "worse.bpmn": b"<broken",
        "image.png": b"\x89PNG",
    }
    with pytest.raises(DeploymentRejected) as refused:
        engine.deploy(files, by="designer")
    problems = refused.value.problems
    assert {problem.file for problem in problems if problem.severity == "error"} == {"bad.bpmn", "worse.bpmn", "image.png"}
    assert sum(problem.rule == "feel.syntax" for problem in problems) == 2
    assert any("审查" in problem.message and problem.line for problem in problems)
    assert rows(engine, tables.deployment) == rows(engine, tables.definition) == rows(engine, tables.resource) == 0


def test_nothing_to_deploy_is_said(engine):
    with pytest.raises(DeploymentRejected):
        engine.deploy({}, by="designer")


def test_one_id_in_two_files_is_refused(engine):
    with pytest.raises(DeploymentRejected) as refused:
        engine.deploy({"a.bpmn": file("a"), "b.bpmn": file("b")}, by="designer")
    assert [problem.rule for problem in refused.value.problems] == ["deploy.double"]


def test_a_call_of_something_unknown_is_a_warning(engine):
    (warning,) = engine.deploy({"p.bpmn": file("c", c=call("later"))}, by="designer").warnings
    assert (warning.rule, warning.element_id) == ("deploy.unknown-process", "c")


def test_start_events_belong_to_the_latest_version(engine):
    for text in ("1", "2"):
        model = process("p", "start -> s -> a -> end", start=start(message("go")), s=script(text, "version"))
        engine.deploy({"p.bpmn": bpmn(model)}, by="designer")
    assert engine.publish_message("go") == 1
    (instance,) = engine.instances("p")
    assert instance.variables == {"version": 2}


def test_a_timer_start_belongs_to_the_latest_version(engine, clock):
    from datetime import timedelta

    for text in ("1", "2"):
        model = process("p", "start -> s -> a -> end", start=start(timer(cycle="R2/PT1H")), s=script(text, "version"))
        engine.deploy({"p.bpmn": bpmn(model)}, by="designer")
    assert engine.run_due() == 0
    for _ in range(4):
        clock.advance(timedelta(hours=1))
        engine.run_due()
    assert [instance.variables["version"] for instance in engine.instances("p")] == [2, 2]
