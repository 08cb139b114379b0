"""A node whose clock jumps: nothing fires twice, nothing is lost, what is late is marked late, and the order is kept."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from engine import Engine
from engine.store import tables
from tests.bpmn.builder import boundary, bpmn, end, process, timer, user
from tests.desk import desk_models
from tests.support.storm import OPENED, SETTINGS

LADDER = ["half", "yellow", "red", "leader", "bulletin"]
REMINDERS = 6
"""A weekly reminder comes this often before the case is given up."""


@pytest.fixture
def engine(database_url, clock):
    clock.now = OPENED
    made = Engine(database_url, clock=clock, settings=SETTINGS, node="jumping")
    made.desk.people.import_organisation(sections=desk_models.SECTIONS, roles=desk_models.ROLES, people=desk_models.PEOPLE, by="system")
    made.deploy(desk_models.files(), by="designer")
    reminded = process(
        "reminded", "start -> a -> end; each -> sent; late -> lapsed",
        a=user(), sent=end(), lapsed=end(), each=boundary("a", timer(cycle=f"R{REMINDERS}/P7D"), interrupting=False), late=boundary("a", timer("P60D")),
    )  # fmt: skip
    made.deploy({"reminded.bpmn": bpmn(reminded)}, by="designer")
    yield made
    made.dispose()


@pytest.fixture
def case(engine):
    """A case in handling, opened now."""

    def opened() -> int:
        key = engine.desk.start_case("licence", desk_models.START, by="wang").key
        engine.desk.complete_task(next(task for task in engine.user_tasks() if task.root_key == key).key, {}, outcome="accept", by="wang")
        return key

    return opened


def rungs(engine: Engine, case_key: int) -> list:
    """What the handling limit of a case has fired, in the order of firing."""
    clock, rung = tables.clock, tables.rung_firing
    with engine.reading() as conn:
        (of_handling,) = conn.execute(select(clock.c.key).where(clock.c.case_key == case_key, clock.c.rule_id == "lic.handle")).scalars()
        return conn.execute(select(rung).where(rung.c.clock_key == of_handling).order_by(rung.c.planned_at, rung.c.level)).all()


def everything_fired(engine: Engine) -> set:
    rung, firing = tables.rung_firing, tables.firing
    with engine.reading() as conn:
        found = [*conn.execute(select(rung.c.clock_key, rung.c.rung, rung.c.fired_at)), *conn.execute(select(firing.c.row_key, firing.c.occurrence, firing.c.fired_at).where(firing.c.kind == "timer"))]
    assert len({row[:2] for row in found}) == len(found)
    return {tuple(row) for row in found}


def test_after_a_jump_of_a_year_all_that_was_missed_fires_once_in_order_and_late(engine, case, clock, history):
    first = case()
    reminded = engine.start("reminded").key
    clock.advance(timedelta(days=1))
    second = case()
    clock.advance(timedelta(days=365))
    assert engine.run_due() > 0
    for key in (first, second):
        assert [row.rung for row in rungs(engine, key)] == LADDER
        assert all(row.late and row.fired_at == clock.now and row.planned_at < clock.now for row in rungs(engine, key))
    elements = [element for element, _ in history(reminded) if element in ("each", "late")]
    assert elements == ["each"] * REMINDERS + ["late"]
    assert engine.instance(reminded).state == "COMPLETED"
    assert engine.run_due() == 0


def test_a_clock_that_goes_back_a_day_fires_nothing_twice_and_loses_nothing(engine, case, clock):
    first = case()
    engine.start("reminded")
    clock.now += timedelta(days=7, hours=9)  # past the due day and the first reminder
    engine.run_due()
    fired = everything_fired(engine)
    assert [row.rung for row in rungs(engine, first)] == LADDER[:3]
    clock.now -= timedelta(days=1)
    assert engine.run_due() == 0
    second = case()  # opened in the day that comes a second time
    begun = clock.now
    while clock.now < begun + timedelta(days=20):
        clock.advance(timedelta(minutes=20))
        engine.run_due()
        # A node that looks every twenty minutes is never later than that.
    assert fired < everything_fired(engine)
    for key in (first, second):
        assert [row.rung for row in rungs(engine, key)] == LADDER
    assert not any(row.fired_at < row.planned_at for key in (first, second) for row in rungs(engine, key))
    assert all(row.fired_at - row.planned_at < timedelta(minutes=20) for row in rungs(engine, second))


def test_a_clock_that_trembles_around_the_due_instant_fires_once(engine, case, clock):
    key = case()
    clock.advance(timedelta(days=8))
    engine.run_due()
    (due,) = [row.planned_at for row in rungs(engine, key) if row.rung == "red"]
    before = len(everything_fired(engine))
    for seconds in (-1, 1, -3600, 0, 86400 * 400, -86400 * 400, 5):
        clock.now = due + timedelta(seconds=seconds)
        engine.run_due()
    assert [row.rung for row in rungs(engine, key)] == LADDER
    assert len(everything_fired(engine)) > before
