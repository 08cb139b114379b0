"""The random processes of :mod:`tests.bpmn.test_random_events`, each step a command of its own, on both databases.

When the case has ended, no task, timer, subscription or called process of it is left.
"""

from __future__ import annotations

from datetime import timedelta
from random import Random
from typing import Any

import pytest
from sqlalchemy import func, select

from engine.store import tables
from tests.bpmn.test_random_events import SIGNALS, drawn

FIRST = 7_000


def left(engine: Any) -> dict[str, int]:
    """The numbers of rows that speak of something still to come."""
    waiting = {
        "tasks": select(func.count()).select_from(tables.user_task).where(tables.user_task.c.state == "CREATED"),
        "timers": select(func.count()).select_from(tables.timer),
        "subscriptions": select(func.count()).select_from(tables.subscription).where(tables.subscription.c.instance_key.is_not(None)),
        "instances": select(func.count()).select_from(tables.instance).where(tables.instance.c.state == "ACTIVE"),
        "activities": select(func.count()).select_from(tables.activity).where(tables.activity.c.state == "ACTIVE"),
    }
    with engine.reading() as conn:
        return {name: number for name, query in waiting.items() if (number := conn.execute(query).scalar())}


@pytest.mark.parametrize("seed", range(FIRST, FIRST + 25))
def test_a_random_process_leaves_nothing_behind(engine, deploy, clock, seed):
    processes, variables = drawn(seed)
    random = Random(seed)
    deploy(*processes)
    case = engine.start("p", variables)
    for step in range(400):
        if engine.instance(case.key).state != "ACTIVE":
            break
        tasks = engine.user_tasks()
        choices: list[Any] = [lambda task=task: engine.complete(task.key) for task in tasks]
        choices.append(lambda: (clock.advance(timedelta(hours=1)), engine.run_due()))
        if step < 30 or not tasks:
            choices += [lambda name=name: engine.broadcast_signal(name) for name in SIGNALS]
            choices += [lambda n=n: engine.set_variables(case.key, {"n": n}) for n in range(5)]
            choices += [lambda task=task: engine.throw_error(task.key, "E") for task in tasks]
        broken = [item for instance in engine.instances(limit=1000) for item in engine.incidents(instance.key) if item.resolved_at is None]
        broken = [item for item in broken if item.type != "UNHANDLED_ESCALATION"]
        if broken:
            engine.set_variables(broken[0].instance_key, {"n": 0})
            choices = [lambda item=broken[0]: engine.retry_incident(item.key)]
        random.choice(choices)()
    assert engine.instance(case.key).state == "COMPLETED", left(engine)
    assert left(engine) == {}
