"""Deadline rules and ladders that a procedure names: what was changed between two states of it, and by whom."""

from __future__ import annotations

from datetime import date

import pytest

from engine.deadlines.sheettext import rule_rows
from engine.runtime.design import drafts
from engine.runtime.design.files import file_set
from engine.runtime.design.named_limits import changed_limits, named_limits
from engine.runtime.limits import ladder_book, rulebook
from tests.desk import desk_models as models


@pytest.fixture
def files(desk, engine):
    with engine.reading() as conn:
        return file_set(desk, conn, "licence").files


@pytest.fixture
def base(desk):
    """The deployment that a draft of now is branched from."""
    desk.people.save_person("mei", name="梅", section_code="office", roles=["designer"], password=models.PASSWORD, by="system")
    return drafts.branch(desk, "licence", by="mei").base


def longer(desk, rule_id: str, **changes) -> None:
    """Somebody changes a rule in the room of limits."""
    sheet = rulebook.sheet(desk, "rules")
    row = rulebook.row_of(rule_rows(sheet.text), rule_id, None)
    rulebook.save_rule(desk, {**row, **changes}, replaces=(rule_id, None), reason="新规", based_on=sheet.version, by="admin")


def test_rules_and_ladders_are_found_in_the_drawing_and_in_the_sheet(files):
    rules, _ladders = named_limits(files)

    assert "lic.handle" in rules and "*" not in rules
    drawn, _ladders = named_limits({name: text for name, text in files.items() if name != "procedure.yaml"})
    assert "lic.handle" in drawn
    sheet = "process: p\nladder: slow\ndeadlines:\n  - {rule: cmp.x, from: a}\n"
    assert named_limits({"procedure.yaml": sheet}) == ({"cmp.x"}, {"slow"})
    assert named_limits({"procedure.yaml": "- x", "a.bpmn": "<", "b.bpmn": ""}) == (set(), set())


def test_a_rule_that_is_named_and_was_changed_is_told_with_who_and_why(desk, engine, files, base, clock):
    clock.office("2026-11-24 10:00")
    longer(desk, "lic.handle", limit=8, effective_from=date(2026, 11, 25))

    with engine.reading() as conn:
        [found] = changed_limits(desk, conn, files, base)
        assert changed_limits(desk, conn, files, base, base) == []
        assert changed_limits(desk, conn, files, None) == []
        assert changed_limits(desk, conn, {"README.md": "x"}, base) == []
    assert (found.kind, found.id, found.label, found.by, found.reason, found.gone) == ("rule", "lic.handle", "承办", "admin", "新规", False)
    assert found.at == clock()


def test_a_ladder_that_is_named_and_was_changed_is_told_too(desk, engine, files, base):
    with engine.reading() as conn:
        version, body = ladder_book.body_of(desk, conn, "standard")
    body = {**body, "rungs": [{**rung, "text": "改过"} if place == 0 else rung for place, rung in enumerate(body["rungs"])]}
    ladder_book.save_ladder(desk, "standard", body, new=False, reason="新办法", based_on=version, by="admin")

    with engine.reading() as conn:
        sheet = {**files, "procedure.yaml": files["procedure.yaml"] + "\nladder: standard\n"}
        found = {each.id: each for each in changed_limits(desk, conn, sheet, base)}
    assert found["standard"].kind == "ladder" and found["standard"].reason == "新办法"
