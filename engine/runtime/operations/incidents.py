"""Incidents: what an instance cannot get past by itself, where it stands in the chain of calls, and trying again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select, update

from engine.bpmn.execution import Token
from engine.errors import InvalidState, NotFound, ValidationFailed
from engine.runtime.operations.variables import read_execution
from engine.runtime.types import Incident
from engine.store import tables
from engine.words import T

if TYPE_CHECKING:
    from engine.runtime.engine import Engine
    from engine.runtime.live import Live
    from engine.runtime.unit import Unit

DEFAULT_RETRIES = 3
"""What a job gets when nobody says how many: as many as the dialect gives a new one."""
MAX_RETRIES = 1_000_000

_INCIDENT, _INSTANCE = tables.incident, tables.instance


# --- reading -----------------------------------------------------------------------------------------------------------------


def value_of(row: Mapping[str, Any]) -> Incident:
    """An incident from its row, which may name the process of its instance."""
    return Incident(**{name: row[name] for name in Incident.__dataclass_fields__ if name in row})


def _select():
    return select(_INCIDENT, _INSTANCE.c.process_id).outerjoin(_INSTANCE, _INSTANCE.c.key == _INCIDENT.c.instance_key)


def find(conn: Connection, instance_key: int | None, open: bool | None, limit: int, process_id: str | None = None) -> list[Incident]:
    """Incidents that match all given criteria, oldest first; ``open`` ``None``: resolved ones too."""
    statement = _select().order_by(_INCIDENT.c.key).limit(limit)
    if instance_key is not None:
        statement = statement.where(_INCIDENT.c.instance_key == instance_key)
    if open is not None:
        statement = statement.where(_INCIDENT.c.resolved_at.is_(None) if open else _INCIDENT.c.resolved_at.is_not(None))
    if process_id is not None:
        statement = statement.where(_INSTANCE.c.process_id == process_id)
    return [value_of(row) for row in conn.execute(statement).mappings()]


def get(engine: Engine, conn: Connection, key: int) -> Incident:
    """One incident, its ``details`` with the stack.  Raises :class:`NotFound`."""
    row = conn.execute(_select().where(_INCIDENT.c.key == key)).mappings().one_or_none()
    if row is None:
        raise NotFound("There is no incident %(key)s.", key=key)
    details = dict(row["details"] or {})
    if not details.get("stack"):
        details["stack"] = _stack_of(engine, conn, row)
    return value_of({**row, "details": details})


def _places(row: Mapping[str, Any], token: Token) -> list[dict[str, Any]]:
    """The process of one instance, the scopes around ``token`` and ``token`` itself, outermost first."""
    chain: list[dict[str, Any]] = []
    place: Token | None = token
    while place is not None:
        spec = place.task_spec
        chain.append({"process_id": row["process_id"], "instance_key": row["key"], "element_id": spec.bpmn_id, "label": spec.label})
        place = place.parent
    return chain[::-1]


def stack(unit: Unit, live: Live, token: Token) -> list[dict[str, Any]]:
    """Where ``token`` stands now: processes and scopes, outermost first, calling instances included.

    Each entry has ``process_id``, ``instance_key``, ``element_id`` and ``label``.
    """
    return [*_callers(unit.engine, unit.tx.conn, live.row, unit.lives), *_places(live.row, token)]


def _stack_of(engine: Engine, conn: Connection, row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The same for an incident that was stored without it (a job's, or an older release's)."""
    instance = _instance(conn, row["instance_key"])
    if instance is None:
        return []
    execution = read_execution(engine, conn, instance["key"])
    token = None if row["token"] is None else execution.token(row["token"])
    chain = _places(instance, token or execution.root)
    if token is None:
        spec = execution.element(row["element_id"])
        chain.append({**chain[-1], "element_id": row["element_id"], "label": row["element_id"] if spec is None else spec.label})
    return [*_callers(engine, conn, instance, {}), *chain]


def _callers(engine: Engine, conn: Connection, row: Mapping[str, Any], lives: Mapping[int, Live]) -> list[dict[str, Any]]:
    """The chain of calls that leads to an instance.

    Callers wait for what they called and do not move, so they are read without a lock, unless the command has them anyway.
    """
    chain: list[dict[str, Any]] = []
    while row["parent_key"] is not None:
        live = lives.get(row["parent_key"])
        parent = _instance(conn, row["parent_key"]) if live is None else live.row
        if parent is None:
            break
        execution = read_execution(engine, conn, parent["key"]) if live is None else live.execution
        token = execution.token(row["parent_token"])
        if token is not None:
            chain[:0] = _places(parent, token)
        row = parent
    return chain


def _instance(conn: Connection, key: int) -> Mapping[str, Any] | None:
    return conn.execute(select(_INSTANCE).where(_INSTANCE.c.key == key)).mappings().one_or_none()


# --- trying again ------------------------------------------------------------------------------------------------------------


def retry(unit: Unit, key: int, retries: int | None, reason: str | None) -> Incident:
    """Resolve an incident by trying again; gives it as resolved.  What fails again makes a new incident.

    A job gets its ``retries`` back (3 when not given), an element runs again, and an incident whose token has gone on or is gone
    is only marked.  Raises :class:`NotFound`, :class:`InvalidState` when it is resolved already or the case is suspended, and
    :class:`ValidationFailed` for retries below 1.
    """
    _check(retries)
    # The instance is locked first: the order in which every command takes its locks.
    owner = unit.tx.execute(select(_INCIDENT.c.instance_key).where(_INCIDENT.c.key == key)).scalar()
    if owner is None:
        raise NotFound("There is no incident %(key)s.", key=key)
    live = unit.load(owner)
    row = unit.tx.execute(_select().where(_INCIDENT.c.key == key)).mappings().one()
    if row["resolved_at"] is not None:
        raise InvalidState("This incident was already resolved by %(who)s.", who=row["resolved_by"] or "–")
    return _retry(unit, live, row, retries, reason)


def retry_all(unit: Unit, instance_key: int, retries: int | None, reason: str | None) -> int:
    """Try again at every open incident of an instance; gives their number.  Raises as :func:`retry`."""
    _check(retries)
    live = unit.load(instance_key)
    statement = _select().where(_INCIDENT.c.instance_key == instance_key, _INCIDENT.c.resolved_at.is_(None)).order_by(_INCIDENT.c.key)
    rows = unit.tx.execute(statement).mappings().all()
    for row in rows:
        _retry(unit, live, row, retries, reason)
    return len(rows)


def _check(retries: int | None) -> None:
    if retries is not None and not 1 <= retries <= MAX_RETRIES:
        message = T("At least one retry is needed, and at most %(limit)d.", limit=MAX_RETRIES)
        raise ValidationFailed(message, errors={"retries": [message]})


def _retry(unit: Unit, live: Live, row: Mapping[str, Any], retries: int | None, reason: str | None) -> Incident:
    tx, job_key = unit.tx, _job_of(unit, row)
    token = None if row["token"] is None else live.execution.token(row["token"])
    failed = job_key is None and token is not None and bool(token.internal_data.get("incident"))
    if failed:
        unit.require_active(live)
    tx.execute(update(_INCIDENT).where(_INCIDENT.c.key == row["key"]).values(resolved_at=tx.now, resolved_by=tx.by))
    tx.audit(
        "incident.retry",
        f"incident:{row['key']}",
        instance=row["instance_key"],
        element=row["element_id"],
        type=row["type"],
        message=row["message"],
        job=job_key,
        retries=(retries or DEFAULT_RETRIES) if job_key is not None else None,
        reason=reason,
    )
    if job_key is not None:
        job = tables.job
        renewed = {"retries": retries or DEFAULT_RETRIES, "available_at": tx.now, "worker": None, "leased_until": None}
        tx.execute(update(job).where(job.c.key == job_key, job.c.state == "CREATED").values(**renewed))
    elif failed:
        # Written before the element runs: it may fail again, and that is another incident.
        tx.flush(_INCIDENT)
        live.execution.retry(token)
        unit.run(live)
    return value_of({**row, "resolved_at": tx.now, "resolved_by": tx.by})


def _job_of(unit: Unit, row: Mapping[str, Any]) -> int | None:
    """The job an incident is about; one that an older release has written names it by its token only."""
    if row["job_key"] is not None or row["type"] != "JOB_NO_RETRIES":
        return row["job_key"]
    job = tables.job
    same = select(job.c.key).where(
        job.c.instance_key == row["instance_key"], job.c.token == row["token"], job.c.state == "CREATED", job.c.retries == 0
    )
    return unit.tx.execute(same.order_by(job.c.key.desc()).limit(1)).scalar()


__all__ = ["DEFAULT_RETRIES", "find", "get", "retry", "retry_all", "stack", "value_of"]
