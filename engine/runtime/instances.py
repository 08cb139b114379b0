"""Starting, reading, holding and ending process instances."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select, update

from engine.bpmn.execution import MAX_NAME
from engine.bpmn.snapshot import variables_of
from engine.errors import InvalidState, NotFound, ValidationFailed
from engine.runtime.live import Live
from engine.runtime.types import Instance
from engine.runtime.unit import Unit, checked_variables
from engine.store import tables

if TYPE_CHECKING:
    from engine.runtime.engine import Engine


def value_of(live: Live) -> Instance:
    """What the caller sees of an instance after a command."""
    row = live.row
    return Instance(
        row["key"],
        row["process_id"],
        row["version"],
        row["state"],
        dict(live.execution.variables),
        row["business_key"],
        row["parent_key"],
        row["root_key"],
        row["revision"],
        row["started_at"],
        row["ended_at"],
    )


def later(live: Live) -> Callable[[], Instance]:
    """The instance as it will be when the command is finished."""
    return lambda: value_of(live)


def start(
    unit: Unit, process_id: str, variables: Mapping[str, Any] | None, version: int | None, business_key: str | None
) -> Callable[[], Instance]:
    """Start an instance.  Raises :class:`NotFound` when the process or version is not deployed."""
    if business_key is not None:
        checked_variables({"business_key": business_key})
        if len(business_key) > MAX_NAME:
            raise ValidationFailed("“%(name)s” is longer than %(limit)d characters.", name="business_key", limit=MAX_NAME)
    definition = unit.engine.definition("process", process_id, version, conn=unit.tx.conn)
    return later(unit.start(definition, variables or {}, business_key=business_key))


def from_row(row: Mapping[str, Any]) -> Instance:
    """An instance from its row."""
    return Instance(
        row["key"],
        row["process_id"],
        row["version"],
        row["state"],
        variables_of(json.loads(row["snapshot"])),
        row["business_key"],
        row["parent_key"],
        row["root_key"],
        row["revision"],
        row["started_at"],
        row["ended_at"],
    )


def get(engine: Engine, conn: Connection, key: int) -> Instance:
    """One instance.  Raises :class:`NotFound`."""
    row = conn.execute(select(tables.instance).where(tables.instance.c.key == key)).mappings().one_or_none()
    if row is None:
        raise NotFound("There is no process instance %(key)s.", key=key)
    return from_row(row)


def find(
    engine: Engine, conn: Connection, process_id: str | None, state: str | None, business_key: str | None, limit: int
) -> list[Instance]:
    """Instances that match all given criteria, oldest first."""
    table = tables.instance
    statement = select(table).order_by(table.c.key).limit(limit)
    for column, value in ((table.c.process_id, process_id), (table.c.state, state), (table.c.business_key, business_key)):
        if value is not None:
            statement = statement.where(column == value)
    return [from_row(row) for row in conn.execute(statement).mappings()]


def cancel(unit: Unit, key: int, reason: str | None) -> Callable[[], Instance]:
    """End an instance; a called one can only end with its caller.  Raises :class:`InvalidState`."""
    live = unit.load(key)
    if live.row["state"] not in ("ACTIVE", "SUSPENDED"):
        raise InvalidState("This case has already ended (%(state)s).", state=live.row["state"])
    if live.row["parent_key"] is not None:
        raise InvalidState("This instance was called by instance %(parent)s; cancel that one.", parent=live.row["parent_key"])
    unit.tx.audit("instance.cancel", f"instance:{key}", old=live.row["state"], reason=reason)
    unit.terminate(live, reason)
    incident = tables.incident
    unit.tx.execute(
        update(incident)
        .where(incident.c.root_key == live.row["root_key"], incident.c.resolved_at.is_(None))
        .values(resolved_at=unit.tx.now, resolved_by=unit.tx.by)
    )
    return later(live)


def set_suspended(unit: Unit, key: int, suspended: bool, reason: str | None) -> Callable[[], Instance]:
    """Hold or release an instance and all it called.  Raises :class:`InvalidState` when it is not in the other state."""
    old, new = ("ACTIVE", "SUSPENDED") if suspended else ("SUSPENDED", "ACTIVE")
    live = unit.load(key)
    if live.row["state"] != old:
        raise InvalidState("This case is %(state)s, not %(needed)s.", state=live.row["state"], needed=old)
    unit.tx.audit("instance.suspend" if suspended else "instance.resume", f"instance:{key}", old=old, new=new, reason=reason)
    live.row["state"] = new
    parents = [key]
    table = tables.instance
    while parents:
        children = list(unit.tx.execute(select(table.c.key).where(table.c.parent_key.in_(parents), table.c.state == old)).scalars())
        if children:
            unit.tx.execute(update(table).where(table.c.key.in_(children)).values(state=new, revision=table.c.revision + 1))
        parents = children
    if not suspended:
        # Variables may have been corrected while it was held.
        wake(unit, live)
    return later(live)


def wake(unit: Unit, live: Live) -> None:
    """Let an active instance look at its variables again (conditional events) and run on; a held one does so when it is resumed."""
    if live.row["state"] == "ACTIVE":
        live.execution.variables_changed()
        unit.run(live)
