"""The administrators' verbs of the program: each does what its engine method does, refuses in a sentence, and names who did it."""

from __future__ import annotations

import json
import os

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from engine import Engine
from engine.store import tables
from tests.bpmn.builder import bpmn, process, service, xor
from web.cli import main


@pytest.fixture
def engine(tmp_path):
    made = Engine(f"sqlite:///{tmp_path}/banjie.db")
    made.migrate()
    yield made
    made.dispose()


@pytest.fixture
def banjie(tmp_path, engine, monkeypatch):
    for name in [name for name in os.environ if name.startswith("BANJIE_")]:
        monkeypatch.delenv(name)
    config = tmp_path / "config.yaml"
    config.write_text("languages: [en]\ndatabase: sqlite:///banjie.db\n", encoding="utf-8")

    def run(*arguments: object, code: int = 0):
        result = CliRunner().invoke(main, ["--config", str(config), *map(str, arguments)])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
        assert result.exit_code == code, result.output
        return result

    return run


@pytest.fixture
def deploy(engine):
    return lambda id, flows, **elements: engine.deploy({f"{id}.bpmn": bpmn(process(id, flows, **elements))}, by="designer")


def elements(engine) -> list[str]:
    return [item.element_id for item in engine.user_tasks()]


def test_an_instance_is_listed_shown_corrected_moved_and_held(banjie, engine, deploy):
    deploy("p", "start -> a -> b -> end")
    one = engine.start("p", {"x": 1}, business_key="k7")
    assert banjie("instances", "list", "--state", "ACTIVE").output.splitlines()[1].split("\t")[:5] == [str(one.key), "p", "1", "ACTIVE", "k7"]
    assert banjie("instances", "list", "--state", "COMPLETED").output == "There is none.\n"
    banjie("instances", "set", one.key, "x=5", 'y={"z": [1]}', "word=hello", "--by", "admin", "--reason", "typing error")
    shown = json.loads(banjie("instances", "show", one.key).output)
    assert shown["variables"] == {"x": 5, "y": {"z": [1]}, "word": "hello"}
    assert [token["element"] for token in shown["tokens"]] == ["a"]
    banjie("instances", "move", one.key, "--cancel", "a", "--start", "b")
    assert elements(engine) == ["b"]
    assert banjie("instances", "suspend", one.key).output == f"{one.key}\tSUSPENDED\n"
    assert banjie("instances", "resume", one.key).output == f"{one.key}\tACTIVE\n"
    with engine.reading() as conn:
        row = conn.execute(select(tables.audit).where(tables.audit.c.action == "instance.variables")).mappings().one()
    assert (row["by"], row["details"]["reason"]) == ("admin", "typing error")


def test_a_refusal_is_said_for_each_key_and_the_others_go_on(banjie, engine, deploy):
    deploy("p", "start -> a -> end")
    one = engine.start("p")
    result = banjie("instances", "cancel", 1, one.key, code=2)
    assert result.stdout == f"{one.key}\tTERMINATED\n"
    assert result.stderr == "1: There is no process instance 1.\n"
    assert "name=value" in banjie("instances", "set", one.key, "x", code=2).stderr


def test_an_ended_case_is_restarted_and_deleted(banjie, engine, deploy):
    deploy("p", "start -> a -> b -> end")
    one = engine.start("p", {"x": 1})
    engine.cancel(one.key)
    banjie("instances", "restart", one.key, "--at", "b", "--set", "x=2")
    assert elements(engine) == ["b"]
    banjie("instances", "delete", one.key, code=1)
    assert "row(s) were deleted" in banjie("instances", "delete", one.key, "--yes").output
    assert len(engine.instances()) == 1


def test_running_cases_are_migrated(banjie, engine, deploy):
    deploy("p", "start -> a -> b -> end")
    keys = [engine.start("p").key for _ in range(3)]
    deploy("p", "start -> a2 -> c -> end")
    plan = ("instances", "migrate", "p", "--from", 1, "--to", 2)
    result = banjie(*plan, "--check", code=1)
    assert "warning: a:" in result.stderr and "no place" in result.stdout
    result = banjie(*plan, "--map", "a=a2", "--check")
    assert result.stdout.count("–") == 3
    banjie(*plan, "--map", "a=a2", "--instance", keys[0])
    assert "There is no element" in banjie(*plan, "--map", "a=zz", code=2).stderr
    banjie(*plan, "--map", "a=a2")
    assert banjie("batch", "run").output == "2 item(s) were worked off.\n"
    assert [engine.instance(key).version for key in keys] == [2, 2, 2]
    (batch,) = engine.batches()
    assert banjie("batch", "show", batch.key).output == "migrate: DONE, 2 done, 0 failed, 0 to do.\n"
    assert banjie("batch", "list").output.splitlines()[1].startswith(f"{batch.key}\tmigrate\tDONE\t2\t2\t0")
    assert "already ended" in banjie("batch", "cancel", batch.key, code=2).stderr


def test_incidents_are_listed_shown_and_tried_again(banjie, engine, deploy):
    deploy("p", "start -> j -> end", j=service("mail"))
    deploy("q", "start -> g -[x = 1]-> end", g=xor())
    engine.start("p")
    engine.start("q", {"x": 0})
    (job,) = engine.activate_jobs("mail", "w")
    engine.fail_job(job.key, 0, "down")
    keys = [item.key for item in engine.incidents()]
    assert len(banjie("incident", "list").output.splitlines()) == 3
    assert len(banjie("incident", "list", "--process", "p").output.splitlines()) == 2
    assert [place["element_id"] for place in json.loads(banjie("incident", "show", keys[0]).output)["details"]["stack"]]
    banjie("incident", "retry", *keys, "--retries", 4)
    assert [job.retries for job in engine.activate_jobs("mail", "w")] == [4]
    assert len(engine.incidents()) == 1, "the condition still does not hold"


def test_a_definition_is_suspended_and_resumed_and_the_clean_up_says_what_waits(banjie, engine, deploy):
    deploy("p", "start -> end")
    assert banjie("definition", "suspend", "p", "--instances").output == "1 version(s) were suspended.\n"
    assert "suspended already" in banjie("definition", "suspend", "p", code=2).stderr
    assert banjie("definition", "resume", "p").output == "1 version(s) were resumed.\n"
    engine.catalogue.forget()  # else this engine would notice within a second
    engine.start("p")
    assert banjie("clean-up", "--check").output == "0 case(s) are past their removal date, 0 have one to come (first: –).\n"
    assert banjie("clean-up").output.splitlines()[0] == "0 case(s) were deleted."
