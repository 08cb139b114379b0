"""Drives an engine and the oracle of :mod:`tests.support.blocks` side by side, one stimulus at a time."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from engine import Conflict, Engine, InvalidState
from engine.bpmn.snapshot import dump, restore
from engine.store import tables
from tests.support.blocks import Wait, World
from tests.support.soundness import disagreements

FOREVER = timedelta(days=36_500)
MAX_REPEATS = 2
"""How often a non-interrupting message event is triggered at most, so that a process comes to its end."""

Stimulus = tuple[str, str, str, int]
"""What happens next, as plain values: kind of wait, element, ``at`` (empty for timers), number of the step."""


def keys_of(conn: Any, root: int) -> list[int]:
    return list(conn.execute(select(tables.instance.c.key).where(tables.instance.c.root_key == root)).scalars())


def waited_for(engine: Engine, root: int) -> Counter[tuple[str, str, Any]]:
    """The open tasks, jobs, timers and subscriptions of a case, named as the oracle names its waits (jobs without ``at``)."""
    task, job, timer, subscription = tables.user_task, tables.job, tables.timer, tables.subscription
    found: Counter[tuple[str, str, Any]] = Counter()
    with engine.reading() as conn:
        keys = keys_of(conn, root)
        for row in conn.execute(select(task).where(task.c.instance_key.in_(keys), task.c.state == "CREATED")).mappings():
            found["task", row["element_id"], row["properties"]["at"]] += 1
        for row in conn.execute(select(job).where(job.c.instance_key.in_(keys), job.c.ended_at.is_(None))).mappings():
            found["job", row["element_id"], None] += 1
        for row in conn.execute(select(timer).where(timer.c.instance_key.in_(keys))).mappings():
            found["timer", row["element_id"], row["due_at"]] += 1
        for row in conn.execute(select(subscription).where(subscription.c.instance_key.in_(keys))).mappings():
            found[row["kind"], row["element_id"].removesuffix("[]"), row["correlation_key"]] += 1
    return found


def passed(engine: Engine, root: int) -> Counter[tuple[str, str]]:
    """How often each element was completed or terminated; a throwing end event may be either."""
    activity = tables.activity
    with engine.reading() as conn:
        rows = conn.execute(select(activity.c.element_id, activity.c.element_type, activity.c.state).where(activity.c.root_key == root)).all()
    return Counter(
        (element, state)
        for element, kind, state in rows
        if state != "ACTIVE" and kind != "multiInstanceBody" and not element.startswith("bang")
    )


def compare(engine: Engine, root: int, world: World) -> None:
    """The database must say what the oracle says: waits, variables, history; and a snapshot must survive being read and written."""
    expected = Counter(("job", wait.element, None) if wait.kind == "job" else wait.identity for wait in world.waits if wait.error is None)
    assert waited_for(engine, root) == expected
    instance = engine.instance(root)
    assert instance.variables == world.root.own
    assert instance.state == ("COMPLETED" if world.ended else "ACTIVE")
    assert passed(engine, root) == +world.passed
    assert engine.incidents(root) == []
    assert disagreements(engine) == []


class Reader:
    """A host for reading a snapshot."""

    functions: dict[str, Any] = {}


def assert_snapshots_survive(engine: Engine, root: int) -> None:
    """Writing what was read gives the same text."""
    with engine.reading() as conn:
        for row in conn.execute(select(tables.instance).where(tables.instance.c.root_key == root)).mappings().all():
            spec = engine.catalogue.get(row["definition_key"], conn=conn).model
            assert dump(restore(spec, Reader(), row["snapshot"])) == row["snapshot"]  # type: ignore[arg-type]


# --- stimuli -------------------------------------------------------------------------------------------------------------------


def choose(world: World, order: random.Random, step: int) -> tuple[Stimulus, list[Wait], Any]:
    """One thing that may happen now, and the waits that are over by it; a value that the step brings along.

    Timers happen when they are due, so that only the earliest may; those that are due together fire together.  A signal reaches all
    that wait for it.
    """
    possible = [wait for wait in world.waits if wait.times < MAX_REPEATS or not wait.stays]
    if not possible:
        raise AssertionError("the oracle waits for nothing and has not ended")
    timers = [wait for wait in possible if wait.kind == "timer"]
    earliest = min((wait.due for wait in timers if wait.due), default=None)
    groups = [[wait] for wait in possible if wait.kind not in ("timer", "signal")]
    for name in sorted({wait.name for wait in possible if wait.kind == "signal"}):
        groups.append([wait for wait in possible if wait.kind == "signal" and wait.name == name])
    if timers:
        groups.append([wait for wait in timers if wait.due == earliest])
    groups.sort(key=lambda group: (group[0].kind, group[0].element, group[0].at))
    waits = order.choice(groups)
    one = waits[0]
    return (one.kind, one.element, one.at if len(waits) == 1 else "", step), waits, step


def tell(world: World, waits: list[Wait], value: Any) -> int:
    """Let the oracle take the step; gives how many waits were over (a timer may end another that is due with it)."""
    if waits[0].due is not None:
        world.now = waits[0].due
    done = 0
    for wait in waits:
        if wait in world.waits:
            world.happen(wait, value)
            done += 1
    return done


def target(engine: Engine, root: int, kind: str, element: str, at: str, name: str) -> Any:
    """What the step is about, as a client remembers it: a task's or a job's key, a message's name, nothing for timers."""
    if kind == "task":
        found = [task for task in engine.user_tasks() if (task.root_key, task.element_id, task.properties.get("at")) == (root, element, at)]
        return found[0].key
    if kind in ("job", "error"):
        leased = engine.activate_jobs(name, "w", timeout=timedelta(0), max_jobs=100)
        return next(job.key for job in leased if job.variables["at"] == at)
    return name


def do(engine: Engine, kind: str, subject: Any, at: str, variables: dict[str, Any], *, once: str | None = None) -> int:
    """The step with the engine's public face; gives how many waits were over.

    With ``once``, a name of this step, it is safe to repeat after a crash: what is found done counts as done.
    """
    try:
        if kind == "timer":
            return engine.run_due()
        if kind == "signal":
            return engine.broadcast_signal(subject, variables)
        if kind == "message":
            return engine.publish_message(subject, at, variables, message_id=once, time_to_live=FOREVER if once else timedelta(0))
        if kind == "task":
            engine.complete(subject, variables, by="li")
        elif kind == "error":
            engine.throw_error(subject, variables["code"])
        else:
            engine.complete_job(subject, variables)
    except (Conflict, InvalidState):
        if once is None:
            raise
    return 1


def arguments(wait: Wait, value: Any) -> tuple[str, str, str, str, dict[str, Any]]:
    """What :func:`do` needs for a wait, as plain values."""
    brought = {wait.variable: value} if wait.variable else {"code": wait.error} if wait.error else {}
    return wait.kind, wait.element, wait.at, wait.name, brought


def drive(
    world: World,
    order: random.Random,
    clock: Any,
    act: Callable[..., Any],
    after: Callable[[], None],
    tell_me: Callable[[str], None],
) -> int:
    """Take steps in a random order until the oracle has ended; gives their number.

    ``act(*arguments(…), expected=waits that are over, step=number)`` does a step, ``after()`` compares, ``tell_me`` hears what is done.
    """
    step = 0
    after()
    while not world.ended:
        step += 1
        stimulus, waits, value = choose(world, order, step)
        tell_me(f"step {step}: {stimulus}")
        before = arguments(waits[0], value)
        expected = tell(world, waits, value)
        clock.now = world.now
        act(*before, expected=expected, step=step)
        after()
    return step
