"""Conditions that read the clock are asked once a day, whoever else moves or does not."""

from __future__ import annotations

from datetime import timedelta

import pytest

from engine import Engine
from engine.runtime.limits import daily_looks
from tests.bpmn.builder import boundary, catch, conditional, user
from tests.desk.test_two_nodes import together

DATED = '=today() >= date("2026-11-05")'


@pytest.fixture
def dated(deploy):
    deploy("dated", "start -> wait -> a -> end", wait=catch(conditional(DATED)), a=user())


def test_a_condition_on_the_date_is_met_when_the_day_has_come_though_nobody_acts(engine, clock, dated, tasks):
    one = engine.start("dated")
    engine.run_due()
    clock.advance(timedelta(days=2))
    engine.run_due()
    assert not tasks(one.key), "the fourth of November"
    clock.advance(timedelta(days=1))
    engine.run_due()
    assert "a" in tasks(one.key)


def test_the_day_is_that_of_the_office(engine, clock, dated, tasks):
    one = engine.start("dated")
    engine.run_due()
    clock.advance(timedelta(days=2, hours=14, minutes=59))  # 4 November, 23:59 in the office
    engine.run_due()
    assert not tasks(one.key)
    clock.advance(timedelta(minutes=2))
    engine.run_due()
    assert "a" in tasks(one.key)


def test_a_boundary_event_is_asked_once_and_triggers_once(engine, clock, deploy, tasks):
    deploy("guarded", "start -> a -> end; late -> b -> end2", a=user(), late=boundary("a", conditional(DATED), interrupting=False), b=user())
    one = engine.start("guarded")
    for _ in range(5):
        clock.advance(timedelta(days=1))
        engine.run_due()
    assert set(tasks(one.key)) == {"a", "b"} and not isinstance(tasks(one.key)["b"], list)


def test_looks_are_bounded_and_reach_everybody_in_slices(engine, clock, dated, monkeypatch):
    monkeypatch.setattr(daily_looks, "SLICE", 2)
    for _ in range(5):
        engine.start("dated")
    engine.run_due()
    clock.advance(timedelta(days=4))
    assert [daily_looks.run(engine.desk) for _ in range(5)] == [2, 2, 1, 0, 0]
    assert len(engine.user_tasks()) == 5


def test_two_nodes_that_look_at_the_same_time_trigger_once(engine, clock, dated, database_url):
    other = Engine(database_url, clock=clock, node="other") if database_url != "sqlite://" else engine
    try:
        for _ in range(6):
            engine.start("dated")
        engine.run_due()
        clock.advance(timedelta(days=4))
        together(lambda: daily_looks.run(engine.desk), lambda: daily_looks.run(other.desk))
        assert len(engine.user_tasks()) == 6
    finally:
        if other is not engine:
            other.dispose()


def test_a_model_that_does_not_read_the_clock_is_left_alone_and_a_done_day_costs_nothing(engine, clock, deploy, counting):
    deploy("plain", "start -> wait -> end", wait=catch(conditional("=flag = true")))
    one = engine.start("plain", {"flag": False})
    revision = engine.instance(one.key).revision
    engine.run_due()
    clock.advance(timedelta(days=1))
    assert daily_looks.run(engine.desk) == 0
    with counting() as seen:
        assert daily_looks.run(engine.desk) == 0
    assert not seen.statements and engine.instance(one.key).revision == revision


def test_one_instance_that_cannot_be_looked_at_does_not_hold_up_the_others(engine, clock, dated, monkeypatch):
    first, second = engine.start("dated"), engine.start("dated")
    engine.run_due()
    clock.advance(timedelta(days=4))
    real = daily_looks.wake

    def broken(unit, live):
        if live.key == first.key:
            raise RuntimeError("broken")
        real(unit, live)

    monkeypatch.setattr(daily_looks, "wake", broken)
    engine.run_due()
    assert [task.instance_key for task in engine.user_tasks()] == [second.key]
