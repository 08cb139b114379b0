"""Jobs: work that others do outside the transaction, leased to a worker and reported back.

A job is given to one worker at a time, for as long as its lease lasts.  A worker that says its name when it reports is held to
its lease: it may report late as long as nobody else has the job, it is refused while somebody else has it, and a report that it
repeats because the answer was lost is a success.  Work may still be done twice (a worker that was cut off, and the next one);
what is reported is taken once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, and_, exists, or_, select, update

from engine.bpmn.variables import visible
from engine.errors import Conflict, InvalidState, NotFound, ValidationFailed
from engine.runtime.telling import deliveries
from engine.runtime.types import Job
from engine.runtime.unit import Stale, Unit, checked_variables
from engine.store import tables
from engine.store.types import new_key
from engine.words import T, Words

if TYPE_CHECKING:
    from engine.runtime.engine import Engine

MAX_WORKER = 100
"""Characters of a worker's name."""
MAX_TYPE = 255
"""Characters of a job type."""
MAX_SPAN = timedelta(days=3660)
"""The longest lease or pause; beyond it somebody has mistaken the unit."""
MAX_MESSAGE = 4000
"""Characters kept of what a worker says about a failure."""
MAX_RETRIES = 1_000_000

_WHY_CLOSED = {
    "COMPLETED": T("Job %(key)s is already done."),
    "CANCELED": T("Job %(key)s is no longer needed: its step was ended meanwhile."),
    "FAILED": T("Job %(key)s has failed with an error; it takes no more reports."),
}


# --- leases ------------------------------------------------------------------------------------------------------------------


def _ready(type: str, now: datetime) -> ColumnElement[bool]:
    """The condition under which a job of ``type`` may be handed out."""
    job, instance = tables.job, tables.instance
    # A worker must not do what it may not report: nothing of a suspended case is handed out.
    going_on = exists().where(instance.c.key == job.c.instance_key, instance.c.state == "ACTIVE")
    return and_(
        job.c.type == type,
        job.c.state == "CREATED",
        job.c.retries > 0,
        job.c.available_at <= now,
        or_(job.c.leased_until.is_(None), job.c.leased_until <= now),
        or_(job.c.instance_key.is_(None), going_on),
    )


def waiting(engine: Engine, types: Sequence[str]) -> list[str]:
    """Those of ``types`` of which a job can be had now.  A query only: an idle worker asks it without disturbing any writer."""
    if not types:
        return []
    now = engine.clock()
    with engine.reading() as conn:
        # From the plain table, not from "job" of the outer statement: each is a question of its own.
        row = conn.execute(select(*(exists(select(tables.job.c.key).where(_ready(type, now))) for type in types))).one()
    return [type for type, is_there in zip(types, row, strict=True) if is_there]


def activate(engine: Engine, type: str, worker: str, timeout: timedelta, max_jobs: int, fetch: Collection[str] | None = None) -> list[Job]:
    """Lease up to ``max_jobs`` jobs of ``type`` to ``worker`` for ``timeout``, oldest first; a lease that ran out is given again.

    ``fetch`` names the variables the worker wants; ``None`` gives all that are visible from the element.  Raises
    :class:`ValidationFailed` for a name without letters or too long, or a lease that is negative or endless.
    """
    _check_name("type", type, MAX_TYPE)
    _check_name("worker", worker, MAX_WORKER)
    _check_span("timeout", timeout)
    if max_jobs < 1:
        return []
    job = tables.job

    def lease(unit: Unit) -> list[Job]:
        tx = unit.tx
        statement = (
            select(job)
            .where(_ready(type, tx.now))
            .order_by(job.c.available_at, job.c.key)
            .limit(max_jobs)
            .with_for_update(skip_locked=True)
        )
        rows = tx.execute(statement).mappings().all()
        if not rows:
            return []
        until = tx.now + timeout
        keys = [row["key"] for row in rows]
        tx.execute(
            update(job)
            .where(job.c.key.in_(keys))
            .values(worker=worker, leased_until=until, available_at=until, attempts=job.c.attempts + 1)
        )
        tx.evidence = select(job.c.key).where(job.c.key == keys[0], job.c.worker == worker, job.c.leased_until == until)
        variables = _variables(unit, rows, fetch)
        return [_job(row, variables[row["key"]], worker, until) for row in rows if row["key"] in variables]

    return engine.command(lease, by=worker)


def _variables(unit: Unit, rows: Sequence[Mapping[str, Any]], fetch: Collection[str] | None) -> dict[int, dict[str, Any]]:
    """Job key → its variables.  The instances are read without a lock: leasing changes nothing of them, and whoever changes one
    right now also changes its jobs, which we hold."""
    instance = tables.instance
    wanted = {row["instance_key"] for row in rows} - {None}
    lives = {}
    if wanted:
        for row in unit.tx.execute(select(instance).where(instance.c.key.in_(sorted(wanted)))).mappings().all():
            lives[row["key"]] = unit.adopt(dict(row))
    found: dict[int, dict[str, Any]] = {}
    for row in rows:
        if row["instance_key"] is None:
            variables = dict(row["payload"] or {})
        else:
            token = lives[row["instance_key"]].execution.token(row["token"])
            if token is None:
                continue
            variables = visible(token)
        found[row["key"]] = variables if fetch is None else {name: variables[name] for name in fetch if name in variables}
    # What was only read is not to be written.
    unit.lives.clear()
    return found


def _job(row: Mapping[str, Any], variables: dict[str, Any], worker: str, until: datetime) -> Job:
    return Job(
        key=row["key"],
        instance_key=row["instance_key"],
        element_id=row["element_id"],
        type=row["type"],
        retries=row["retries"],
        headers=dict(row["headers"]),
        variables=variables,
        worker=worker,
        leased_until=until,
        attempts=row["attempts"] + 1,
        root_key=row["root_key"],
    )


def extend(engine: Engine, key: int, worker: str, timeout: timedelta) -> datetime:
    """Let ``worker`` keep its job until ``timeout`` from now; gives the new end of the lease (UTC).

    Raises :class:`Conflict` when somebody else has the job now, :class:`InvalidState` when it is closed or was given back.
    """
    _check_span("timeout", timeout)

    def prolong(unit: Unit) -> datetime:
        row, until = open_job(unit, key), unit.tx.now + timeout
        require_holder(row, worker, unit.tx.now)
        if row["worker"] is None:
            raise InvalidState("Job %(key)s was given back; ask for it again.", key=key)
        _change(unit, row, worker=worker, leased_until=until, available_at=until)
        return until

    return engine.command(prolong, by=worker)


def release(engine: Engine, key: int, worker: str) -> bool:
    """Give a job back undone: others may have it at once, and the attempt does not count.

    Gives ``False``, and changes nothing, when ``worker`` does not have the job any more.
    """

    def give_back(unit: Unit) -> bool:
        row = _row(unit, key)
        if row["state"] != "CREATED" or row["worker"] != worker:
            return False
        now = unit.tx.now
        _change(unit, row, worker=None, leased_until=None, available_at=now, attempts=max(0, row["attempts"] - 1))
        return True

    return engine.command(give_back, by=worker)


# --- reports -----------------------------------------------------------------------------------------------------------------


def complete(engine: Engine, key: int, variables: Mapping[str, Any] | None, worker: str | None = None) -> None:
    """The job is done; its element goes on with ``variables``.

    With the name of the ``worker`` that reports: :class:`Conflict` when another one has the job now, and a report that this
    worker has made before is a success that changes nothing.  Raises :class:`NotFound`, :class:`InvalidState` when the job is
    closed, its step was left or its case is suspended, and :class:`ValidationFailed` for variables without a JSON form.
    """

    def report(unit: Unit) -> None:
        row = _row(unit, key)
        if worker is not None and row["state"] == "COMPLETED" and row["worker"] == worker:
            return
        _require_open(row)
        require_holder(row, worker, unit.tx.now)
        values = checked_variables(variables)
        live = token = None
        if row["instance_key"] is not None:
            live = unit.load(row["instance_key"])
            unit.require_active(live)
            token = live.execution.token(row["token"])
        _change(unit, row, state="COMPLETED", ended_at=unit.tx.now, worker=worker or row["worker"])
        if row["retries"] == 0:
            resolve_incident(unit, key, worker)
        if deliveries.is_delivery(row):
            deliveries.sent(unit.tx, key)
        if live is None:
            return
        if token is None:
            raise InvalidState(_WHY_CLOSED["CANCELED"].msgid, key=key)
        live.execution.complete_token(token, values)
        unit.run(live)

    engine.command(report, by=None)


def fail(
    engine: Engine,
    key: int,
    retries: int,
    message: str,
    backoff: timedelta,
    worker: str | None = None,
    details: Mapping[str, Any] | None = None,
) -> None:
    """The worker could not do it.  With ``retries`` left the job can be had again after ``backoff``; with none it waits for
    somebody to look, and one incident ``JOB_NO_RETRIES`` says so (``details`` goes into it: for those who look after the system).

    A job that has no retries left takes no further failure: the report is a success and changes nothing.
    """
    _check_span("backoff", backoff)
    left, said = max(0, min(int(retries), MAX_RETRIES)), _kept(message)

    def report(unit: Unit) -> None:
        row, now, job = open_job(unit, key), unit.tx.now, tables.job
        require_holder(row, worker, now)
        if row["retries"] == 0:
            return
        _change(unit, row, retries=left, message=said, leased_until=None, worker=None, available_at=now + backoff)
        unit.tx.evidence = select(job.c.key).where(
            job.c.key == key, job.c.retries == left, job.c.worker.is_(None), job.c.available_at == now + backoff
        )
        if deliveries.is_delivery(row):
            deliveries.not_sent(engine.desk, unit.tx, row, left, now + backoff, said, (details or {}).get("words"))
        if left == 0:
            _no_retries(unit, row, said, details)

    engine.command(report, by=None)


def _no_retries(unit: Unit, row: Mapping[str, Any], message: str, details: Mapping[str, Any] | None) -> None:
    # What belongs to no instance but to a case stands in the case's list, else nobody would see it.
    owner = row["instance_key"] or row["root_key"]
    incident = tables.incident
    open_one = select(incident.c.key).where(incident.c.job_key == row["key"], incident.c.resolved_at.is_(None))
    if owner is None or unit.tx.execute(open_one).first():
        return
    unit.tx.add(
        incident,
        key=new_key(),
        instance_key=owner,
        root_key=row["root_key"] or owner,
        element_id=row["element_id"] or row["type"],
        token=row["token"],
        type="JOB_NO_RETRIES",
        message=message or str(T("The worker gave up and did not say why.")),
        created_at=unit.tx.now,
        resolved_at=None,
        job_key=row["key"],
        details=None if details is None else _storable(details),
        resolved_by=None,
    )


def resolve_incident(unit: Unit, key: int, by: str | None) -> None:
    """Close the open incident of the job ``key``: its work was done after all."""
    incident = tables.incident
    unit.tx.execute(
        update(incident).where(incident.c.job_key == key, incident.c.resolved_at.is_(None)).values(resolved_at=unit.tx.now, resolved_by=by)
    )


def throw(engine: Engine, key: int, worker: str | None, action: Callable[[Unit], None]) -> None:
    """Run ``action``, which throws a BPMN error at ``key``, if ``key`` is no job or one that ``worker`` may report on.

    Raises :class:`InvalidState` for a job without an instance: there is nothing that could catch an error.
    """

    def report(unit: Unit) -> None:
        row = unit.tx.execute(select(tables.job).where(tables.job.c.key == key)).mappings().one_or_none()
        if row is not None:
            _require_open(row)
            require_holder(row, worker, unit.tx.now)
            if row["instance_key"] is None:
                raise InvalidState("Job %(key)s belongs to no step of a process; nothing could catch an error. Report a failure.", key=key)
            if row["retries"] == 0:
                resolve_incident(unit, key, worker)
        action(unit)

    engine.command(report, by=None)


# --- rows --------------------------------------------------------------------------------------------------------------------


def _row(unit: Unit, key: int) -> Mapping[str, Any]:
    row = unit.tx.execute(select(tables.job).where(tables.job.c.key == key)).mappings().one_or_none()
    if row is None:
        raise NotFound("There is no job %(key)s.", key=key)
    return row


def _require_open(row: Mapping[str, Any]) -> None:
    if row["state"] != "CREATED":
        words = _WHY_CLOSED.get(row["state"])
        raise InvalidState(words.msgid if words else "Job %(key)s is already %(state)s.", key=row["key"], state=row["state"])


def open_job(unit: Unit, key: int) -> Mapping[str, Any]:
    """The row of a job that may still be reported on.  Raises :class:`NotFound` or :class:`InvalidState`."""
    row = _row(unit, key)
    _require_open(row)
    return row


def require_holder(row: Mapping[str, Any], worker: str | None, now: datetime) -> None:
    """Refuse a worker whose job somebody else has now.  Without a name nobody can be told apart; a lease that has run out binds nobody.

    Raises :class:`Conflict` (``by`` the holder, ``at`` the end of its lease).
    """
    holder, until = row["worker"], row["leased_until"]
    if worker is None or holder in (None, worker) or until is None or until <= now:
        return
    raise Conflict(
        "The lease of “%(worker)s” on job %(key)s has ended, and “%(holder)s” has the job now. Its report counts.",
        by=holder,
        at=until,
        worker=worker,
        key=row["key"],
        holder=holder,
    )


def _change(unit: Unit, seen: Mapping[str, Any], **values: Any) -> None:
    """Write to a job that is still as it was ``seen``; otherwise the command looks again."""
    job = tables.job
    changed = unit.tx.execute(
        update(job)
        .where(job.c.key == seen["key"], job.c.state == "CREATED", job.c.worker.is_not_distinct_from(seen["worker"]))
        .values(**values)
    )
    if changed.rowcount != 1:
        raise Stale("the job was reported on or leased meanwhile")


def _kept(message: str | Words) -> str:
    """A worker's message as a database can keep it: bounded, without the characters it refuses."""
    text = _clean(str(message))
    return text if len(text) <= MAX_MESSAGE else text[: MAX_MESSAGE - 1] + "…"


def _clean(text: str) -> str:
    return text.replace("\x00", "�").encode("utf-8", "replace").decode("utf-8")


def _storable(value: Any) -> Any:
    """The details of a failure in JSON, whatever they hold: what cannot be kept must not keep the failure from being reported."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, Mapping):
        return {_clean(str(name)): _storable(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_storable(item) for item in value]
    return _clean(str(value))


def _check_name(name: str, value: str, limit: int) -> None:
    checked_variables({name: value})
    if not value:
        raise ValidationFailed("“%(name)s” is empty.", name=name)
    if len(value) > limit:
        raise ValidationFailed("“%(name)s” is longer than %(limit)d characters.", name=name, limit=limit)


def _check_span(name: str, value: timedelta) -> None:
    if not timedelta(0) <= value <= MAX_SPAN:
        raise ValidationFailed("“%(name)s” must be between zero and %(days)d days.", name=name, days=MAX_SPAN.days)
