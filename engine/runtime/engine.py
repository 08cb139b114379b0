"""The public face of the engine (design.md §3): one object over one database, safe from many threads and processes."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import Connection, select
from sqlalchemy.exc import DBAPIError

from engine import feel
from engine.bpmn.timers import MODEL_FUNCTIONS
from engine.bpmn.variables import plain
from engine.deadlines.calendar import WorkCalendar
from engine.errors import Conflict, NotFound
from engine.runtime import deploy, due, instances, jobs, messages, nodeclock, tasks
from engine.runtime.catalogue import Catalogue, Definition
from engine.runtime.desk import Desk
from engine.runtime.nodeclock import utc_now
from engine.runtime.operations.face import Operations
from engine.runtime.settings import DeskSettings
from engine.runtime.transaction import Transaction
from engine.runtime.types import Activity, Deployment, Instance, Job, UserTask
from engine.runtime.unit import Stale, Unit
from engine.store import schema, tables
from engine.store.database import Database, is_transient

Result = TypeVar("Result")

ATTEMPTS = 2
"""A command that met somebody else's change is tried once more, then reported (design.md §1.4)."""


class Engine(Operations):
    """Deploys models, runs instances of them, and hands out the work.

    ``url`` is an SQLAlchemy database URL (``sqlite://`` lives in memory); ``clock`` gives the present as an aware UTC
    datetime (the machine's own is watched, :mod:`engine.runtime.nodeclock`); ``settings`` are the desk's
    (:class:`engine.runtime.settings.DeskSettings`, a mapping or ``None``); ``node`` names this process in the ledgers.

    Commands raise the errors of :mod:`engine.errors`.  Every command is one transaction.
    """

    def __init__(
        self, url: str, clock: Callable[[], datetime] = utc_now, *, settings: Any = None, node: str | None = None, pool_size: int = 10
    ) -> None:
        self.database = Database(url, pool_size)
        self.clock = nodeclock.watched(clock, DeskSettings.of(settings).clock_tolerance)
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
            tx.committing = True

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for queries."""
        with self.database.reading() as conn:
            yield conn

    def command(self, action: Callable[[Unit], Result], *, by: str | None, address: str | None = None) -> Result:
        """Run ``action`` as one command: its unit is finished and committed after it returns.

        A conflict with another command is retried once; then :class:`Conflict` is raised.  So is a failure during the commit, when
        nobody can tell from the error whether it happened: the database is asked, and work that is there is a success.
        """
        lost: Unit | None = None
        answer: Any = None
        for attempt in range(1, ATTEMPTS + 1):
            unit: Unit | None = None
            try:
                with self.transaction(by=by, address=address) as tx:
                    unit = Unit(self, tx)
                    result = action(unit)
                    unit.finish()
                return result() if callable(result) else result
            except Exception as error:
                in_commit = unit is not None and unit.tx.committing and isinstance(error, DBAPIError)
                if in_commit:
                    lost, answer = unit, result
                if lost is not None and self._was_committed(lost):
                    return answer() if callable(answer) else answer
                if isinstance(error, Stale) and attempt == ATTEMPTS:
                    raise Conflict(
                        "Somebody else changed this at the same moment. Look at it again, then repeat what is still needed."
                    ) from error
                if attempt == ATTEMPTS or not (in_commit or isinstance(error, Stale) or is_transient(error)):
                    raise
        raise AssertionError("unreachable")

    def _was_committed(self, unit: Unit) -> bool:
        """Whether the work of ``unit``, whose commit failed, is in the database after all.

        A command that left no row of its own behind has an instance that stands exactly as it left it, or has done nothing.
        """
        instance, activity, task = tables.instance, tables.activity, tables.user_task
        lives = list(unit.lives.values())
        rows = [(instance, live.key) for live in lives if live.is_new]
        rows += [(activity, key) for key in unit.activities] + [(task, row["key"]) for row in unit.effects.tasks_created]
        proofs = [select(table.c.key).where(table.c.key == key) for table, key in rows[:1]]
        if unit.tx.evidence is not None:
            proofs.append(unit.tx.evidence)
        proofs += [
            select(instance.c.key).where(
                instance.c.key == live.key, instance.c.revision == live.row["revision"], instance.c.snapshot == live.row["snapshot"]
            )
            for live in lives[:1]
        ]
        try:
            with self.reading() as conn:
                return any(conn.execute(proof).first() is not None for proof in proofs)
        except DBAPIError:
            # The database cannot be asked either; the caller hears of the failure itself.
            return False

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

    def evaluate_conditions(self, variables: Mapping[str, Any] | None = None, by: str | None = None) -> int:
        """Start an instance at each conditional start event whose condition holds for ``variables``; gives their number."""
        return self.command(lambda unit: messages.evaluate_conditions(unit, variables), by=by)

    def activate_in_ad_hoc(
        self, instance_key: int, element_id: str, elements: Sequence[str], by: str | None = None, address: str | None = None
    ) -> Instance:
        """Begin further elements of a running ad-hoc sub-process."""
        return self.command(lambda unit: messages.activate_in_ad_hoc(unit, instance_key, element_id, elements), by=by, address=address)

    def activate_jobs(
        self,
        type: str,
        worker: str,
        timeout: timedelta = timedelta(minutes=5),
        max_jobs: int = 10,
        fetch: Collection[str] | None = None,
    ) -> list[Job]:
        """Lease jobs of a type to a worker, with the variables named by ``fetch`` (all without it)."""
        return jobs.activate(self, type, worker, timeout, max_jobs, fetch)

    def complete_job(self, job_key: int, variables: Mapping[str, Any] | None = None, worker: str | None = None) -> None:
        """Report a job done.  With the ``worker``'s name it is held to its lease, and may repeat itself (:mod:`engine.runtime.jobs`)."""
        jobs.complete(self, job_key, variables, worker)

    def fail_job(
        self,
        job_key: int,
        retries: int,
        message: str = "",
        backoff: timedelta = timedelta(0),
        worker: str | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        """Report that a job could not be done; with 0 retries left it becomes an incident, which also keeps the ``details``."""
        jobs.fail(self, job_key, retries, message, backoff, worker, details)

    def extend_job(self, job_key: int, worker: str, timeout: timedelta = timedelta(minutes=5)) -> datetime:
        """Keep a job that takes longer; gives the new end of the lease."""
        return jobs.extend(self, job_key, worker, timeout)

    def release_job(self, job_key: int, worker: str) -> bool:
        """Give a job back undone; ``False`` when the worker does not have it any more."""
        return jobs.release(self, job_key, worker)

    def waiting_jobs(self, types: Sequence[str]) -> list[str]:
        """Those of the ``types`` of which a job can be had now."""
        return jobs.waiting(self, types)

    def throw_error(
        self, key: int, code: str, message: str = "", variables: Mapping[str, Any] | None = None, worker: str | None = None
    ) -> None:
        """Throw a BPMN error at a job or a user task; the innermost matching boundary event or event sub-process catches it."""
        jobs.throw(self, key, worker, lambda unit: messages.throw_error(unit, key, code, message, variables))

    # --- due work and evaluation -----------------------------------------------------------------------------------------

    def run_due(self, limit: int | None = None) -> int:
        """Run everything due at the clock: timers, kept messages, deadline rungs, then a slice of the batches and of the clean-up;
        gives how many rows were run."""
        nodeclock.check(self)
        done = due.run_due_timers(self, limit)
        for run in (due.deliver_kept_messages, lambda engine, left: engine.desk.run_due(left), Engine.run_operations):
            left = None if limit is None else limit - done
            if left is None or left > 0:
                done += run(self, left)
        return done

    def evaluate(self, expression: str, context: Mapping[str, Any] | None = None) -> Any:
        """Evaluate FEEL (a leading ``=`` is allowed); gives a JSON value.  The host's functions are there: ``now()`` and ``today()``
        read the engine's clock, those for deadlines the work calendar."""
        source, context = expression.strip().removeprefix("="), dict(context or {})
        names = [name for name in context if not name.isidentifier()]
        with self._host_functions() as functions:
            return plain(feel.compile_expression(source, names=names).evaluate({**functions, **context}))

    def evaluate_decision(self, decision_id: str, context: Mapping[str, Any] | None = None) -> Any:
        """Evaluate the latest version of a decision; gives a JSON value.  Raises :class:`NotFound`."""
        decision = self.definition("decision", decision_id).model
        with self._host_functions() as functions:
            return plain(decision.evaluate({**functions, **(context or {})}).value)

    @contextmanager
    def _host_functions(self) -> Iterator[Mapping[str, Any]]:
        """The FEEL functions that models have, outside any case."""
        with self.reading() as conn:
            tx = Transaction(conn, self.clock(), None, None, self.node)
            yield {**MODEL_FUNCTIONS, **self.desk.functions(tx, None)}

    def dispose(self) -> None:
        """Give back the scenarios that are being played, and close the database connections."""
        self.desk.scenario_runs.stop()
        self.database.dispose()


__all__ = ["Engine", "utc_now"]
