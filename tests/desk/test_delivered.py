"""What comes with the program does not overwrite what the office has made of it."""

from __future__ import annotations

import pytest

from engine.runtime.delivered import Kept, deliver
from tests.bpmn.builder import bpmn, process


def model(name: str) -> dict[str, bytes]:
    made = process("visit", "start -> look -> end")
    return {"processes/visit/visit.bpmn": bpmn(made).replace(b'name="look"', f'name="{name}"'.encode()) + f"<!-- {name} -->".encode()}


def in_use(engine):
    return engine.catalogue.find("process", "visit")


def test_a_start_deploys_what_is_delivered_and_a_second_one_changes_nothing(engine):
    assert deliver(engine, model("a")) == [] and in_use(engine).version == 1
    assert deliver(engine, model("a")) == [] and in_use(engine).version == 1


def test_an_upgrade_brings_the_delivered_procedures_up_to_date(engine):
    deliver(engine, model("a"))
    assert deliver(engine, model("b")) == [] and in_use(engine).version == 2


def test_a_restart_does_not_undo_what_the_office_has_published(engine):
    deliver(engine, model("a"))
    engine.deploy(model("ours"), by="yaojing")
    assert deliver(engine, model("a")) == []
    assert (in_use(engine).version, in_use(engine).deployed_by) == (2, "yaojing")


def test_an_upgrade_leaves_the_offices_own_version_alone_and_says_so(engine):
    deliver(engine, model("a"))
    engine.deploy(model("ours"), by="yaojing")
    assert deliver(engine, model("b")) == [Kept("processes/visit/visit.bpmn", in_use(engine).name, 2, "yaojing")]
    assert in_use(engine).version == 2


def test_what_is_new_is_delivered_beside_what_is_kept(engine):
    deliver(engine, model("a"))
    engine.deploy(model("ours"), by="yaojing")
    other = {"processes/other/other.bpmn": bpmn(process("other", "start -> look -> end"))}
    deliver(engine, model("a") | other)
    assert in_use(engine).version == 2 and engine.catalogue.find("process", "other").version == 1


def test_no_account_may_bear_the_name_in_which_the_program_delivers(engine):
    from engine.errors import ValidationFailed

    with pytest.raises(ValidationFailed) as refused:
        engine.desk.people.save_person("banjie", name="x", section_code=next(iter(engine.desk.people.directory().sections)), roles=(), password="long-enough-secret", by="system")  # fmt: skip
    assert "login" in refused.value.errors
