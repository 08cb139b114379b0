"""The public face of the engine (design.md §3): one object over one database, safe from many threads and processes."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import Connection, select

from engine import feel
from engine.bpmn.expressions import HOST_NAMES
from engine.bpmn.variables import plain
from engine.deadlines.calendar import WorkCalendar
from engine.errors import Conflict, NotFound
from engine.runtime import deploy, due, instances, jobs, messages, tasks
from engine.runtime.catalogue import Catalogue, Definition
from engine.runtime.desk import Desk
from engine.runtime.transaction import Transaction
from engine.runtime.types import Activity, Deployment, Incident, Instance, Job, UserTask
from engine.runtime.unit import Stale, Unit
from engine.store import schema, tables
from engine.store.database import Database, is_transient

Result = TypeVar("Result")

ATTEMPTS = 2
"""A command that met somebody else's change is tried once more, then reported (design.md §1.4)."""


def utc_now() -> datetime:
    """The machine's time, aware UTC: the clock of real use."""
    return datetime.now(UTC)


class Engine:
    """Deploys models, runs instances of them, and hands out the work.

    ``url`` is an SQLAlchemy database URL (``sqlite://`` lives in memory); ``clock`` gives the present as an aware UTC
    datetime; ``settings`` are the desk's (:class:`engine.runtime.settings.DeskSettings`, a mapping or ``None``); ``node`` names
    this process in the ledgers.

    Commands raise the errors of :mod:`engine.errors`.  Every command is one transaction.
    """

    def __init__(
        self, url: str, clock: Callable[[], datetime] = utc_now, *, settings: Any = None, node: str | None = None, pool_size: int = 10
    ) -> None:
        self.database = Database(url, pool_size)
        self.clock = clock
        self.node = node or f"{socket.gethostname()}:{os.getpid()}"[:60]
        self.catalogue = Catalogue(self.database)
        self.desk = Desk(self, settings)

    # --- transactions ----------------------------------------------------------------------------------------------------

    @contextmanager
    def transaction(self, by: str | None = None, address: str | None = None) -> Iterator[Transaction]:
        """A write transaction; what was buffered is written and committed at the end of the block."""
        with self.database.writing() as conn:
            tx = Transaction(conn, self.clock(), by, address, self.node)
            yield tx
            tx.flush()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for queries."""
        with self.database.reading() as conn:
            yield conn

    def command(self, action: Callable[[Unit], Result], *, by: str | None, address: str | None = None) -> Result:
        """Run ``action`` as one command: its unit is finished and committed after it returns.

        A conflict with another command is retried once; then :class:`Conflict` is raised.
        """
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with self.transaction(by=by, address=address) as tx:
                    unit = Unit(self, tx)
                    result = action(unit)
                    unit.finish()
                return result() if callable(result) else result
            except Stale as stale:
                if attempt == ATTEMPTS:
                    raise Conflict(
                        "Somebody else changed this at the same moment. Look at it again, then repeat what is still needed."
                    ) from stale
            except Exception as error:
                if attempt == ATTEMPTS or not is_transient(error):
                    raise
        raise AssertionError("unreachable")

    # --- set-up ----------------------------------------------------------------------------------------------------------

    def migrate(self) -> None:
        """Create or upgrade the tables, and seed the work calendar."""
        schema.upgrade(self.database)
        self.catalogue.forget()
        self.desk.seed_calendar()

    def deploy(self, files: Mapping[str, bytes], by: str, address: str | None = None) -> Deployment:
        """Check and store files (name → content); see :func:`engine.runtime.deploy.deploy`."""
        return deploy.deploy(self, files, by, address)

    @property
    def calendar(self) -> WorkCalendar:
        """The work calendar as the tables have it."""
        return self.desk.calendar

    def definition(self, kind: str, id: str, version: int | None = None, conn: Connection | None = None) -> Definition:
        """A deployed definition with its ``model``; the latest version by default.  Raises :class:`NotFound`."""
        found = self.catalogue.find(kind, id, version, conn)
        if found is None:
            raise NotFound("There is no %(kind)s “%(id)s”. Deploy it first.", kind=kind, id=id)
        return found

    def process_xml(self, definition_key: int) -> bytes:
        """The BPMN file of a process version."""
        return self.catalogue.content(self.catalogue.get(definition_key))[1]

    # --- instances -------------------------------------------------------------------------------------------------------

    def start(
        self,
        process_id: str,
        variables: Mapping[str, Any] | None = None,
        version: int | None = None,
        business_key: str | None = None,
        by: str | None = None,
        address: str | None = None,
    ) -> Instance:
        """Start an instance of the latest (or the given) version and run it to its first wait states."""
        return self.command(lambda unit: instances.start(unit, process_id, variables, version, business_key), by=by, address=address)

    def instance(self, instance_key: int) -> Instance:
        """One instance with its variables.  Raises :class:`NotFound`."""
        with self.reading() as conn:
            return instances.get(self, conn, instance_key)

    def instances(
        self, process_id: str | None = None, state: str | None = None, business_key: str | None = None, limit: int = 100
    ) -> list[Instance]:
        """Instances, oldest first."""
        with self.reading() as conn:
            return instances.find(self, conn, process_id, state, business_key, limit)

    def activities(self, instance_key: int) -> list[Activity]:
        """The history of an instance's elements, in order of starting, sub-process contents included."""
        table = tables.activity
        with self.reading() as conn:
            rows = conn.execute(select(table).where(table.c.instance_key == instance_key).order_by(table.c.key)).mappings()
            return [Activity(**{name: row[name] for name in Activity.__dataclass_fields__}) for row in rows]

    def incidents(self, instance_key: int) -> list[Incident]:
        """Open incidents of an instance, oldest first."""
        table = tables.incident
        with self.reading() as conn:
            rows = conn.execute(
                select(table).where(table.c.instance_key == instance_key, table.c.resolved_at.is_(None)).order_by(table.c.key)
            ).mappings()
            return [Incident(**{name: row[name] for name in Incident.__dataclass_fields__}) for row in rows]

    def cancel(self, instance_key: int, by: str | None = None, reason: str | None = None) -> Instance:
        """End an instance and what it called; open tasks, jobs and timers end with it."""
        return self.command(lambda unit: instances.cancel(unit, instance_key, reason), by=by)

    def suspend(self, instance_key: int, by: str | None = None, reason: str | None = None) -> Instance:
        """Hold an instance and what it called: nothing moves until :meth:`resume`."""
        return self.command(lambda unit: instances.set_suspended(unit, instance_key, True, reason), by=by)

    def resume(self, instance_key: int, by: str | None = None, reason: str | None = None) -> Instance:
        """Let a suspended instance go on."""
        return self.command(lambda unit: instances.set_suspended(unit, instance_key, False, reason), by=by)

    # --- user tasks ------------------------------------------------------------------------------------------------------

    def user_tasks(
        self, instance_key: int | None = None, assignee: str | None = None, candidate: str | None = None, state: str | None = "CREATED"
    ) -> list[UserTask]:
        """User tasks, oldest first; ``candidate`` is a login or a group that may take the task."""
        with self.reading() as conn:
            return tasks.find(conn, instance_key, assignee, candidate, state)

    def claim(self, task_key: int, by: str) -> UserTask:
        """Take a task.  Raises :class:`Conflict` (``by``, ``at``) when somebody else has it or has completed it."""
        return self.command(lambda unit: tasks.claim(unit.tx, task_key, by), by=by)

    def unclaim(self, task_key: int, by: str) -> UserTask:
        """Give a task back to its candidates."""
        return self.command(lambda unit: tasks.unclaim(unit.tx, task_key, by), by=by)

    def assign(self, task_key: int, assignee: str | None, by: str) -> UserTask:
        """Give a task to somebody, whoever has it now."""
        return self.command(lambda unit: tasks.assign(unit.tx, task_key, assignee), by=by)

    def complete(self, task_key: int, variables: Mapping[str, Any] | None = None, by: str | None = None) -> Instance:
        """Complete a user task and run the instance on.  Raises :class:`Conflict` (``by``, ``at``) when it is already done."""
        return self.command(lambda unit: tasks.complete(unit, task_key, variables), by=by)

    # --- messages, signals, jobs, errors ---------------------------------------------------------------------------------

    def publish_message(
        self,
        name: str,
        correlation_key: str = "",
        variables: Mapping[str, Any] | None = None,
        time_to_live: timedelta = timedelta(0),
        message_id: str | None = None,
        by: str | None = None,
    ) -> int:
        """Hand a message to those who wait for it; gives the number of receivers.

        With a ``time_to_live`` a message that nobody waits for is kept that long.  A ``message_id`` that is still kept is refused
        with :class:`Conflict`.
        """
        return self.command(lambda unit: messages.publish(unit, name, correlation_key, variables, time_to_live, message_id), by=by)

    def broadcast_signal(self, name: str, variables: Mapping[str, Any] | None = None, by: str | None = None) -> int:
        """Hand a signal to everybody who waits for it; gives their number."""
        return self.command(lambda unit: messages.broadcast(unit, name, variables), by=by)

    def activate_jobs(self, type: str, worker: str, timeout: timedelta = timedelta(minutes=5), max_jobs: int = 10) -> list[Job]:
        """Lease jobs of a type to a worker."""
        return jobs.activate(self, type, worker, timeout, max_jobs)

    def complete_job(self, job_key: int, variables: Mapping[str, Any] | None = None) -> None:
        """Report a job done."""
        jobs.complete(self, job_key, variables)

    def fail_job(self, job_key: int, retries: int, message: str = "", backoff: timedelta = timedelta(0)) -> None:
        """Report that a job could not be done; with 0 retries left it becomes an incident."""
        jobs.fail(self, job_key, retries, message, backoff)

    def throw_error(self, key: int, code: str, message: str = "", variables: Mapping[str, Any] | None = None) -> None:
        """Throw a BPMN error at a job or a user task; the innermost matching boundary event or event sub-process catches it."""
        self.command(lambda unit: messages.throw_error(unit, key, code, message, variables), by=None)

    # --- due work and evaluation -----------------------------------------------------------------------------------------

    def run_due(self, limit: int | None = None) -> int:
        """Run everything due at the clock: timers, kept messages, then deadline rungs; gives how many rows were run."""
        done = due.run_due_timers(self, limit)
        for run in (due.deliver_kept_messages, lambda engine, left: engine.desk.run_due(left)):
            left = None if limit is None else limit - done
            if left is None or left > 0:
                done += run(self, left)
        return done

    def evaluate(self, expression: str, context: Mapping[str, Any] | None = None) -> Any:
        """Evaluate FEEL (a leading ``=`` is allowed); gives a JSON value.  ``now()`` and ``today()`` read the engine's clock."""
        source, context = expression.strip().removeprefix("="), dict(context or {})
        clock = {"now": self.clock, "today": lambda: self.clock().astimezone(self.desk.zone).date()}
        names = (*HOST_NAMES, *(name for name in context if not name.isidentifier()))
        return plain(feel.compile_expression(source, names=names).evaluate({**clock, **context}))

    def evaluate_decision(self, decision_id: str, context: Mapping[str, Any] | None = None) -> Any:
        """Evaluate the latest version of a decision; gives a JSON value.  Raises :class:`NotFound`."""
        return plain(self.definition("decision", decision_id).model.evaluate(dict(context or {})).value)

    def dispose(self) -> None:
        """Close the database connections."""
        self.database.dispose()


__all__ = ["Engine", "utc_now"]
