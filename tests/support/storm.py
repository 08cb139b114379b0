"""Very many timers and rungs that fall due at one instant, and nodes that fire them and may be killed on the way.

The rows are made by the engine once and then copied with fresh keys, because opening fifty thousand cases is not what is tested.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from typing import Any

from sqlalchemy import Table, event, func, insert, select

from engine import Engine
from engine.store import tables
from tests.bpmn.builder import bpmn, catch, process, timer
from tests.desk import desk_models

SETTINGS = {"cache_seconds": 60, "acquirer_interval_seconds": 5, "password_memory_kib": 64}
OPENED = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
EVE = datetime(2026, 11, 30, 1, 0, tzinfo=UTC)
"""The rungs before the due day have fired by now; what is left falls due at :data:`INSTANT`."""
INSTANT = datetime(2026, 11, 30, 9, 30, 1, tzinfo=UTC)
"""The first overdue instant of a limit of five working days from 23 November: 17:30:01 in the office."""

_OWNED = ("root_key", "case_key", "instance_key", "clock_key", "task_key", "key")
_SHARED = frozenset({"audit", "definition", "resource", "deployment", "firing", "timer_start", "notification", "rung_firing", "trail", "attachment"})
_CONTEXT = multiprocessing.get_context("spawn")


class Storm:
    """``timers`` instances that wait for a timer and ``rungs`` cases whose limit runs out, all at :data:`INSTANT`.

    Each of those cases has one rung due then; it tells two people and throws an escalation that the model catches.
    """

    def __init__(self, engine: Engine, timers: int, rungs: int) -> None:
        self.engine, self.timers, self.rungs = engine, timers, rungs
        clock: Any = engine.clock
        clock.now = OPENED
        engine.desk.people.import_organisation(
            sections=desk_models.SECTIONS, roles=desk_models.ROLES, people=desk_models.PEOPLE, by="system"
        )
        engine.deploy(desk_models.files(), by="designer")
        waiting = process("storm", "start -> t -> end", t=catch(timer(date=f"{INSTANT:%Y-%m-%dT%H:%M:%SZ}")))
        engine.deploy({"storm.bpmn": bpmn(waiting)}, by="designer")
        case = engine.desk.start_case("licence", desk_models.START, by="wang")
        task = next(task for task in engine.user_tasks() if task.root_key == case.key)
        engine.desk.complete_task(task.key, {}, outcome="accept", by="wang")
        engine.desk.claim(next(task for task in engine.user_tasks() if task.root_key == case.key).key, by="li")
        clock.now = EVE
        engine.run_due()
        timed = engine.start("storm", {"n": 1}).key
        self.before = self.ledger()
        _copies(engine, timed, timers - 1)
        _copies(engine, case.key, rungs - 1)
        clock.now = INSTANT

    def ledger(self) -> dict[str, int]:
        """Rows by what they prove: one of each for every timer and every rung, if each fired exactly once."""
        firing, rung, activity, instance, clock = tables.firing, tables.rung_firing, tables.activity, tables.instance, tables.clock
        questions = {
            "timer firings": select(func.count()).select_from(firing).where(firing.c.kind == "timer"),
            "different timers": select(func.count(firing.c.row_key.distinct())).where(firing.c.kind == "timer"),
            "ends reached": select(func.count()).select_from(activity).where(activity.c.element_id == "end", activity.c.state == "COMPLETED"),
            "instances over": select(func.count()).select_from(instance).where(instance.c.process_id == "storm", instance.c.state == "COMPLETED"),
            "timers left": select(func.count()).select_from(tables.timer).where(tables.timer.c.due_at <= INSTANT),
            "rungs fired": select(func.count()).select_from(rung).where(rung.c.rung == "red", rung.c.planned_at == INSTANT),
            "escalations caught": select(func.count()).select_from(activity).where(activity.c.element_id == "late_noted"),
            "told": select(func.count()).select_from(tables.notification).where(tables.notification.c.kind == "rung", tables.notification.c.created_at >= INSTANT),
            "rungs left": select(func.count()).select_from(clock).where(clock.c.state == "RUNNING", clock.c.next_rung_at <= INSTANT),
            "incidents": select(func.count()).select_from(tables.incident),
        }
        with self.engine.reading() as conn:
            return {name: conn.execute(question).scalar_one() for name, question in questions.items()}

    def fired(self) -> int:
        """How many timers and rungs have fired since :data:`INSTANT`, by any node."""
        timers = select(func.count()).select_from(tables.firing).where(tables.firing.c.kind == "timer", tables.firing.c.fired_at >= INSTANT)
        rungs = select(func.count()).select_from(tables.rung_firing).where(tables.rung_firing.c.planned_at == INSTANT)
        with self.engine.reading() as conn:
            return conn.execute(timers).scalar_one() + conn.execute(rungs).scalar_one()

    def expected(self) -> dict[str, int]:
        """The ledger of a storm of which everything fired exactly once."""
        return {
            "timer firings": self.timers, "different timers": self.timers, "ends reached": self.timers, "instances over": self.timers,
            "timers left": 0, "rungs fired": self.rungs, "escalations caught": self.rungs, "told": 2 * self.rungs, "rungs left": 0, "incidents": 0,
        }  # fmt: skip

    def by_node(self) -> dict[str, int]:
        """How many timers and rungs each node fired at or after :data:`INSTANT`."""
        found: dict[str, int] = {}
        with self.engine.reading() as conn:
            for table in (tables.firing, tables.rung_firing):
                grouped = select(table.c.node, func.count()).where(table.c.fired_at >= INSTANT).group_by(table.c.node)
                if table is tables.firing:
                    grouped = grouped.where(table.c.kind == "timer")
                for node, count in conn.execute(grouped):
                    found[node] = found.get(node, 0) + count
        return found

    def lateness(self) -> list[float]:
        """Seconds between :data:`INSTANT` and each firing, in order."""
        with self.engine.reading() as conn:
            instants = [
                *conn.execute(select(tables.firing.c.fired_at).where(tables.firing.c.kind == "timer")).scalars(),
                *conn.execute(select(tables.rung_firing.c.fired_at).where(tables.rung_firing.c.planned_at == INSTANT)).scalars(),
            ]
        return sorted((each - INSTANT).total_seconds() for each in instants)


def _copies(engine: Engine, root_key: int, count: int) -> None:
    """Copy everything that belongs to the instance ``root_key``, ``count`` times, with keys of its own."""
    known = {root_key}
    rows: dict[str, list[dict[str, Any]]] = {}
    with engine.reading() as conn:
        while True:
            size = len(known)
            rows = {table.name: _owned(conn, table, known) for table in tables.metadata.sorted_tables if table.name not in _SHARED}
            known |= {row["key"] for found in rows.values() for row in found if row.get("key")}
            if len(known) == size:
                break
    made = sorted(known)
    for first in range(0, count, 1000):
        turns = range(first + 1, min(first + 1000, count) + 1)
        with engine.transaction() as tx:
            for table in tables.metadata.sorted_tables:
                found = rows.get(table.name)
                if found:
                    tx.execute(insert(table), [_renamed(row, made, turn) for turn in turns for row in found])


def _owned(conn: Any, table: Table, known: set[int]) -> list[dict[str, Any]]:
    owners = [name for name in _OWNED if name in table.c]
    if not owners:
        return []
    found = {}
    for name in owners:
        for row in conn.execute(select(table).where(table.c[name].in_(known))).mappings():
            found[tuple(str(row[column]) for column in [each.name for each in table.primary_key])] = dict(row)
    return list(found.values())


def _renamed(value: Any, made: list[int], turn: int) -> Any:
    """``value`` with the keys of the original replaced by those of copy ``turn``, also inside documents and snapshots."""
    if isinstance(value, dict):
        return {name: _renamed(inner, made, turn) for name, inner in value.items()}
    if isinstance(value, list):
        return [_renamed(inner, made, turn) for inner in value]
    if isinstance(value, str):
        for key in made:
            value = value.replace(str(key), str(_fresh(key, turn)))
        # Case numbers are unique.
        return value.replace("20261123-0001", f"20261123-{turn + 1:06d}")
    return _fresh(value, turn) if isinstance(value, int) and not isinstance(value, bool) and value in made else value


def _fresh(key: int, turn: int) -> int:
    return key + (turn << 44)


# --- nodes ----------------------------------------------------------------------------------------------------------------------


def _node(url: str, name: str, pipe: Connection) -> None:
    """Fire until nothing is due; report one commit."""
    ahead: timedelta | None = None

    def now() -> datetime:
        return INSTANT if ahead is None else datetime.now(UTC) + ahead

    engine = Engine(url, clock=now, settings=SETTINGS, node=name)
    with engine.reading():
        pass
    pipe.send("ready")
    until, ahead = pipe.recv()
    left = [until]

    def commit(conn: Any) -> None:
        if left[0] is not None and conn.get_execution_options().get("writing", True):
            left[0] -= 1
            if left[0] == 0:
                pipe.send("reached")

    event.listen(engine.database.sa, "commit", commit)
    while engine.run_due():
        pass
    pipe.send("done")


class Node:
    """A node in a process of its own.  It waits for :meth:`go`."""

    def __init__(self, url: str, name: str) -> None:
        self._pipe, other = _CONTEXT.Pipe()
        self._process = _CONTEXT.Process(target=_node, args=(url, name, other), daemon=True)
        self._process.start()
        other.close()
        assert self._pipe.recv() == "ready"

    def go(self, until: int | None = None, ahead: timedelta | None = None) -> None:
        """Begin; with ``until`` say when it comes to its commit of that number, for :meth:`kill`.

        ``ahead`` is how far the shown time is ahead of the real one; without it the time stands still at :data:`INSTANT`.
        """
        self._pipe.send((until, ahead))

    def kill(self) -> None:
        """SIGKILL when it has come to its commit, wherever it is by then."""
        assert self._pipe.recv() == "reached", "the node had finished before it could be killed"
        assert self._process.pid is not None
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.join()

    def kill_now(self) -> None:
        """SIGKILL, wherever it is."""
        assert self._process.pid is not None and self._process.is_alive(), "the node had finished before it could be killed"
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.join()

    def wait(self) -> None:
        """Until nothing is due for this node any more."""
        assert self._pipe.recv() == "done"
        self._process.join()

    def close(self) -> None:
        if self._process.is_alive():
            self._process.kill()
        self._process.join()
        self._pipe.close()
