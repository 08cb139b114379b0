"""Operations over many instances: rows that :meth:`Engine.run_due` works off in slices, so that a restarted node goes on.

Each item is a transaction of its own, in which its row is taken, so it is done exactly once on however many nodes.  An item that
is refused keeps the reason and the others go on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, case, exists, func, insert, select, update
from sqlalchemy.exc import InterfaceError, OperationalError

from engine.errors import EngineError, InvalidState, NotFound
from engine.runtime import instances
from engine.runtime.operations import deletion, incidents, migration, planning
from engine.runtime.operations.common import refused
from engine.runtime.operations.values import Batch, BatchItem
from engine.store import tables
from engine.store.types import new_key
from engine.words import T

if TYPE_CHECKING:
    from engine.runtime.engine import Engine
    from engine.runtime.unit import Unit

log = logging.getLogger(__name__)

SLICE = 50
"""Items after which the counts that people see are brought up to date."""
ROUND = 500
"""Items done in one round of the acquirer, so that other due work is not kept waiting."""
MAX_ITEMS = 1_000_000
ROWS = 1_000
"""Rows written by one statement."""

_BATCH, _ITEM = tables.batch, tables.batch_item


def _migrate(unit: Unit, key: int, parameters: dict[str, Any]) -> None:
    plan = planning.plan(unit.engine, unit.tx.conn, **parameters["plan"])
    migration.migrate_instance(unit, plan, key, parameters.get("reason"))


def _retry(unit: Unit, key: int, parameters: dict[str, Any]) -> None:
    if not incidents.retry_all(unit, key, parameters.get("retries"), parameters.get("reason")):
        raise InvalidState("This case has no open incident.")


def _delete(unit: Unit, key: int, parameters: dict[str, Any]) -> None:
    deletion.delete_instance(unit, key, bool(parameters.get("force")), parameters.get("reason"))


ACTIONS: dict[str, Callable[[Any, int, dict[str, Any]], Any]] = {
    "migrate": _migrate,
    "retry": _retry,
    "delete": _delete,
    "cancel": lambda unit, key, parameters: instances.cancel(unit, key, parameters.get("reason")),
    "suspend": lambda unit, key, parameters: instances.set_suspended(unit, key, True, parameters.get("reason")),
    "resume": lambda unit, key, parameters: instances.set_suspended(unit, key, False, parameters.get("reason")),
}
"""What is done to one instance, by the kind of batch."""


# --- making and reading ------------------------------------------------------------------------------------------------------


def make(unit: Unit, kind: str, keys: Iterable[int], parameters: dict[str, Any]) -> Batch:
    """Store a batch; the acquirer works it off.  Raises :class:`ValidationFailed` for no instances or too many."""
    wanted = list(dict.fromkeys(int(key) for key in keys))
    if not wanted:
        raise refused("instances", T("There is no instance to do this with."))
    if len(wanted) > MAX_ITEMS:
        raise refused("instances", T("At most %(limit)d instances can be named at once.", limit=MAX_ITEMS))
    tx, key = unit.tx, new_key()
    row = {
        "key": key,
        "kind": kind,
        "state": "RUNNING",
        "total": len(wanted),
        "done": 0,
        "failed": 0,
        "parameters": parameters,
        "created_at": tx.now,
        "created_by": tx.by,
        "ended_at": None,
    }
    tx.execute(insert(_BATCH).values(row))
    for first in range(0, len(wanted), ROWS):
        items = [{"batch_key": key, "instance_key": its, "state": "OPEN", "message": None} for its in wanted[first : first + ROWS]]
        tx.execute(insert(_ITEM), items)
    tx.audit("batch.create", f"batch:{key}", kind=kind, total=len(wanted), **parameters)
    return Batch.of(row)


def get(conn: Connection, key: int) -> Batch:
    """One batch.  Raises :class:`NotFound`."""
    row = conn.execute(select(_BATCH).where(_BATCH.c.key == key)).mappings().one_or_none()
    if row is None:
        raise NotFound("There is no batch %(key)s.", key=key)
    return Batch.of(row)


def find(conn: Connection, limit: int, state: str | None) -> list[Batch]:
    """Batches, newest first."""
    statement = select(_BATCH).order_by(_BATCH.c.key.desc()).limit(limit)
    if state is not None:
        statement = statement.where(_BATCH.c.state == state)
    return [Batch.of(row) for row in conn.execute(statement).mappings()]


def items(conn: Connection, key: int, state: str | None, limit: int) -> list[BatchItem]:
    """The items of a batch in the order of their instances.  Raises :class:`NotFound`."""
    get(conn, key)
    statement = select(_ITEM).where(_ITEM.c.batch_key == key).order_by(_ITEM.c.instance_key).limit(limit)
    if state is not None:
        statement = statement.where(_ITEM.c.state == state)
    return [BatchItem(**row) for row in conn.execute(statement).mappings()]


def cancel(unit: Unit, key: int, reason: str | None) -> Batch:
    """Stop a batch: what is done stays done, the rest is left.  Raises :class:`NotFound` or :class:`InvalidState`."""
    row = unit.tx.execute(select(_BATCH).where(_BATCH.c.key == key).with_for_update()).mappings().one_or_none()
    if row is None:
        raise NotFound("There is no batch %(key)s.", key=key)
    if row["state"] != "RUNNING":
        raise InvalidState("This batch has already ended (%(state)s).", state=row["state"])
    unit.tx.execute(update(_BATCH).where(_BATCH.c.key == key).values(state="CANCELED", ended_at=unit.tx.now, **_counts()))
    unit.tx.audit("batch.cancel", f"batch:{key}", reason=reason)
    return get(unit.tx.conn, key)


def _counts() -> dict[str, Any]:
    """How many items of the batch row at hand are in each state."""

    def number(state: str):
        return select(func.count()).where(_ITEM.c.batch_key == _BATCH.c.key, _ITEM.c.state == state).correlate(_BATCH).scalar_subquery()

    return {"done": number("DONE"), "failed": number("FAILED")}


# --- working it off ----------------------------------------------------------------------------------------------------------


def run(engine: Engine, limit: int | None = None) -> int:
    """Do a slice of the open items of running batches, oldest batch first; gives how many were done or refused."""
    with engine.reading() as conn:
        rows = conn.execute(select(_BATCH).where(_BATCH.c.state == "RUNNING").order_by(_BATCH.c.key)).mappings().all()
    left = ROUND if limit is None else min(ROUND, limit)
    total = 0
    for row in rows:
        while left > 0:
            worked, looked_at = _run_slice(engine, row, min(SLICE, left))
            total, left = total + worked, left - looked_at
            _settle(engine, row["key"])
            if looked_at < SLICE:
                break
    return total


def _run_slice(engine: Engine, row: Any, limit: int) -> tuple[int, int]:
    """Do some open items of a batch; gives how many this node has ended, and how many it found open."""
    statement = select(_ITEM.c.instance_key).where(_ITEM.c.batch_key == row["key"], _ITEM.c.state == "OPEN")
    with engine.reading() as conn:
        keys = list(conn.execute(statement.order_by(_ITEM.c.instance_key).limit(limit)).scalars())
    return sum(_run_item(engine, row, key) for key in keys), len(keys)


def _run_item(engine: Engine, row: Any, key: int) -> bool:
    """Do one item; ``False`` when another node has taken it or the batch was cancelled."""

    def work(unit: Unit) -> bool:
        if not _take(unit, row["key"], key, "DONE", None):
            return False
        ACTIONS[row["kind"]](unit, key, row["parameters"])
        return True

    try:
        return engine.command(work, by=row["created_by"])
    except EngineError as refusal:
        why = str(refusal.message)
    except (InterfaceError, OperationalError):
        # The database cannot be used now; the item stays open.
        raise
    except Exception as mistake:
        # A mistake of ours must not hold up the other items for ever.
        log.exception("batch %s, instance %s", row["key"], key)
        why = f"{type(mistake).__name__}: {mistake}"
    return engine.command(lambda unit: _take(unit, row["key"], key, "FAILED", why), by=row["created_by"])


def _take(unit: Unit, batch_key: int, key: int, state: str, message: str | None) -> bool:
    """Move an open item of a running batch to its end; the row is the claim."""
    running = exists().where(_BATCH.c.key == batch_key, _BATCH.c.state == "RUNNING")
    changed = unit.tx.execute(
        update(_ITEM)
        .where(_ITEM.c.batch_key == batch_key, _ITEM.c.instance_key == key, _ITEM.c.state == "OPEN", running)
        .values(state=state, message=message)
    )
    return changed.rowcount == 1


def _settle(engine: Engine, key: int) -> None:
    """Bring the counts up to date and end a batch without open items."""
    is_open = exists().where(_ITEM.c.batch_key == key, _ITEM.c.state == "OPEN")
    with engine.transaction() as tx:
        tx.execute(
            update(_BATCH)
            .where(_BATCH.c.key == key, _BATCH.c.state == "RUNNING")
            .values(state=case((is_open, "RUNNING"), else_="DONE"), ended_at=case((is_open, None), else_=tx.now), **_counts())
        )

