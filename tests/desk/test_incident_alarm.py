"""A case that is held up is somebody's business: the administrators hear of it, once a day for each step."""

from __future__ import annotations

from datetime import timedelta

from engine.store.tables import notification
from tests.bpmn.builder import bpmn, process, xor


def broken(engine) -> None:
    """A gateway none of whose flows can be taken."""
    engine.deploy({"b.bpmn": bpmn(process("broken", "start -> choose -[1 = 2]-> end; choose -[1 = 3]-> end2", choose=xor()))}, by="designer")


def told(rows) -> list[str]:
    return [row["login"] for row in rows(notification) if row["kind"] == "alarm"]


def test_the_administrators_hear_of_a_case_that_is_held_up_once_a_day(engine, clock, rows):
    broken(engine)
    for _ in range(3):
        engine.start("broken")
    assert len(engine.incidents()) == 3 and told(rows) == sorted(engine.desk.people.directory().members("admin"))
    clock.now += timedelta(days=1)
    engine.start("broken")
    assert len(told(rows)) == 2 * len(engine.desk.people.directory().members("admin"))
