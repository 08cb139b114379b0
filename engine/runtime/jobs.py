"""Jobs: work that others do outside the transaction, leased to a worker and reported back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import exists, or_, select, update

from engine.bpmn.variables import visible
from engine.errors import InvalidState, NotFound
from engine.runtime.types import Job
from engine.runtime.unit import Unit, checked_variables
from engine.store import tables
from engine.store.types import new_key

if TYPE_CHECKING:
    from engine.runtime.engine import Engine


def activate(engine: Engine, type: str, worker: str, timeout: timedelta, max_jobs: int) -> list[Job]:
    """Lease up to ``max_jobs`` jobs of ``type`` to ``worker`` for ``timeout``; a lease that ran out is given again."""
    job, instance = tables.job, tables.instance
    # A worker must not do what it may not report: nothing of a suspended case is handed out.
    going_on = exists().where(instance.c.key == job.c.instance_key, instance.c.state == "ACTIVE")

    def lease(unit: Unit) -> list[Job]:
        tx = unit.tx
        statement = (
            select(job)
            .where(
                job.c.type == type,
                job.c.state == "CREATED",
                job.c.retries > 0,
                job.c.available_at <= tx.now,
                or_(job.c.leased_until.is_(None), job.c.leased_until <= tx.now),
                or_(job.c.instance_key.is_(None), going_on),
            )
            .order_by(job.c.available_at, job.c.key)
            .limit(max_jobs)
            .with_for_update(skip_locked=True)
        )
        rows = tx.execute(statement).mappings().all()
        until = tx.now + timeout
        if rows:
            tx.execute(update(job).where(job.c.key.in_([row["key"] for row in rows])).values(worker=worker, leased_until=until))
        jobs = []
        for row in rows:
            variables = dict(row["payload"] or {})
            if row["instance_key"] is not None:
                live = unit.load(row["instance_key"])
                variables = visible(live.execution.token(row["token"]))
            jobs.append(
                Job(
                    row["key"],
                    row["instance_key"],
                    row["element_id"],
                    row["type"],
                    row["retries"],
                    dict(row["headers"]),
                    variables,
                    worker,
                    until,
                )
            )
        # Leasing changes no instance: nothing of them is to be written.
        unit.lives.clear()
        return jobs

    return engine.command(lease, by=worker)


def open_job(unit: Unit, key: int) -> Mapping[str, Any]:
    """The row of a job that may still be reported on.  Raises :class:`NotFound` or :class:`InvalidState`."""
    row = unit.tx.execute(select(tables.job).where(tables.job.c.key == key)).mappings().one_or_none()
    if row is None:
        raise NotFound("There is no job %(key)s.", key=key)
    if row["state"] != "CREATED":
        raise InvalidState("Job %(key)s is already %(state)s.", key=key, state=row["state"])
    return row


def _close(unit: Unit, key: int, **values: Any) -> None:
    changed = unit.tx.execute(update(tables.job).where(tables.job.c.key == key, tables.job.c.state == "CREATED").values(**values))
    if changed.rowcount != 1:
        raise InvalidState("Job %(key)s was reported on meanwhile.", key=key)


def complete(engine: Engine, key: int, variables: Mapping[str, Any] | None) -> None:
    """The job is done; its element goes on with ``variables``."""

    def report(unit: Unit) -> None:
        row = open_job(unit, key)
        live = unit.load(row["instance_key"])
        unit.require_active(live)
        token = live.execution.token(row["token"])
        _close(unit, key, state="COMPLETED", ended_at=unit.tx.now)
        if token is not None:
            live.execution.complete_token(token, checked_variables(variables))
            unit.run(live)

    engine.command(report, by=None)


def fail(engine: Engine, key: int, retries: int, message: str, backoff: timedelta) -> None:
    """The worker could not do it; with no retries left the job becomes an incident."""

    def report(unit: Unit) -> None:
        row = open_job(unit, key)
        now = unit.tx.now
        _close(unit, key, retries=max(0, retries), message=message, leased_until=None, worker=None, available_at=now + backoff)
        if retries <= 0:
            unit.tx.add(
                tables.incident,
                key=new_key(),
                instance_key=row["instance_key"],
                root_key=row["root_key"],
                element_id=row["element_id"],
                token=row["token"],
                type="JOB_NO_RETRIES",
                message=message or "no retries left",
                created_at=now,
                resolved_at=None,
            )

    engine.command(report, by=None)
