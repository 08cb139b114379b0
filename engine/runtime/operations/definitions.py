"""Suspending and resuming process definitions: a suspended version starts nothing.

Other nodes notice it within :data:`engine.runtime.catalogue.FRESH_SECONDS`, as they do a deployment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select, update

from engine.bpmn.timers import next_due
from engine.errors import InvalidState, NotFound
from engine.runtime import instances
from engine.store import tables

if TYPE_CHECKING:
    from engine.runtime.transaction import Transaction
    from engine.runtime.unit import Unit


def set_suspended(
    unit: Unit, process_id: str, version: int | None, include_instances: bool, suspended: bool, reason: str | None
) -> int:
    """Suspend or resume one version, or all (``version`` ``None``); gives how many were changed.

    With ``include_instances`` their running instances are held or released too, in the same transaction.  Start timers that came
    due meanwhile are made up for once on resuming, however often a cycle has missed.  Raises :class:`NotFound` for a version
    that is not deployed, :class:`InvalidState` when there is nothing to change.
    """
    table, tx = tables.definition, unit.tx
    statement = select(table).where(table.c.kind == "process", table.c.id == process_id)
    if version is not None:
        statement = statement.where(table.c.version == version)
    rows = tx.execute(statement.order_by(table.c.version).with_for_update()).mappings().all()
    if not rows:
        raise NotFound("There is no %(kind)s “%(id)s”. Deploy it first.", kind="process", id=process_id)
    changing = [row for row in rows if (row["suspended_at"] is None) == suspended]
    if not changing:
        if suspended:
            raise InvalidState("The process “%(id)s” is suspended already.", id=process_id)
        raise InvalidState("The process “%(id)s” is not suspended.", id=process_id)
    keys = [row["key"] for row in changing]
    since = tx.now if suspended else None
    tx.execute(update(table).where(table.c.key.in_(keys)).values(suspended_at=since, revision=table.c.revision + 1))
    for row in changing:
        tx.audit(
            "definition.suspend" if suspended else "definition.resume",
            f"definition:{row['key']}",
            process=process_id,
            version=row["version"],
            instances=include_instances,
            reason=reason,
        )
    if not suspended:
        _catch_up(tx, keys)
    if include_instances:
        _set_instances(unit, keys, suspended, reason)
    return len(changing)


def _catch_up(tx: Transaction, definition_keys: list[int]) -> None:
    """Move overdue cycles of start timers to the last instant they missed, so that one start makes up for all."""
    timer = tables.timer
    overdue = select(timer).where(timer.c.definition_key.in_(definition_keys), timer.c.due_at <= tx.now, timer.c.every.is_not(None))
    for row in tx.execute(overdue).mappings().all():
        due, occurrence, repeats = row["due_at"], row["occurrence"], row["repeats"]
        while repeats != 0:
            following = next_due(row["every"], due)
            if following is None or following > tx.now:
                break
            due, occurrence, repeats = following, occurrence + 1, repeats - 1 if repeats > 0 else repeats
        tx.execute(update(timer).where(timer.c.key == row["key"]).values(due_at=due, occurrence=occurrence, repeats=repeats))


def _set_instances(unit: Unit, definition_keys: list[int], suspended: bool, reason: str | None) -> None:
    """Hold or release the running instances of some versions, with all that they called."""
    instance = tables.instance
    of_these = instance.c.definition_key.in_(definition_keys)
    if not suspended:
        # One by one: each looks whether something it waits for became true meanwhile.
        for key in list(unit.tx.execute(select(instance.c.key).where(of_these, instance.c.state == "SUSPENDED").order_by(instance.c.key)).scalars()):
            if unit.load(key).row["state"] == "SUSPENDED":
                instances.set_suspended(unit, key, False, reason)
        return
    held = update(instance).where(instance.c.state == "ACTIVE").values(state="SUSPENDED", revision=instance.c.revision + 1)
    inner = instance.alias()
    called = held.where(instance.c.parent_key.in_(select(inner.c.key).where(inner.c.state == "SUSPENDED")))
    unit.tx.execute(held.where(of_these))
    while unit.tx.execute(called).rowcount:
        pass
