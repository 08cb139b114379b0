"""How much of an instance is kept, and for how long.

The level is a property ``history`` of the process, else the setting ``history_level``: ``none`` keeps no rows of elements,
``activity`` (the default) each passage of an element, ``full`` also what the variables became.  ``historyDays``, else the setting
``history_ttl_days``, says after how many days an ended case may be deleted; without it nothing is ever deleted, because how long
records are kept is for the archive to say (档案法), not for a program.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, func, select

from engine.bpmn.variables import DECIMAL_MARK
from engine.errors import EngineError
from engine.runtime.operations import deletion
from engine.runtime.operations.values import CleanUp
from engine.store import tables
from engine.store.types import new_key

if TYPE_CHECKING:
    from engine.runtime.catalogue import Definition
    from engine.runtime.engine import Engine
    from engine.runtime.live import Live
    from engine.runtime.unit import Unit

LEVELS = ("none", "activity", "full")
LEVEL_PROPERTY, DAYS_PROPERTY = "history", "historyDays"
GIVEN = "*"
"""The scope under which the variables an instance was started with are kept; no element has such an id."""
CLEAN_UP_SLICE = 20
"""Cases deleted in one round of the acquirer, so that other due work is not kept waiting."""
MAX_DAYS = 36_500


def level(engine: Engine, definition: Definition) -> str:
    """``none``, ``activity`` or ``full``; a level that does not exist counts as not given."""
    given = _property(definition, LEVEL_PROPERTY)
    return given if given in LEVELS else engine.desk.settings.history_level


def days(engine: Engine, definition: Definition) -> int | None:
    """Calendar days an ended instance is kept; ``None``: for ever."""
    given = _property(definition, DAYS_PROPERTY)
    if given.isdigit() and int(given) <= MAX_DAYS:
        return int(given)
    # In the settings 0 is “never”: a slip there must not delete everything at once.
    return engine.desk.settings.history_ttl_days or None


def _property(definition: Definition, name: str) -> str:
    value = definition.model.start.properties.get(name)
    # Both belong to the version, not to an instance, so an expression has nothing to look at.
    return "" if value is None or value.expression is not None else value.text.strip()


def removal_at(engine: Engine, definition: Definition, ended_at: datetime) -> datetime | None:
    """When an instance that ended at ``ended_at`` may be deleted; ``None``: never."""
    kept = days(engine, definition)
    return None if kept is None else ended_at + timedelta(days=kept)


# --- variables at level “full” -----------------------------------------------------------------------------------------------


def record_start(unit: Unit, live: Live, variables: Mapping[str, Any]) -> None:
    """Keep what an instance is started with, so that it can be restarted with the same."""
    _record(unit, live, GIVEN, variables)


def record_changes(unit: Unit) -> None:
    """Keep what the command has made of the variables of its instances: their values at the end of it."""
    for live in unit.lives.values():
        definition = unit.engine.catalogue.get(live.row["definition_key"], conn=unit.tx.conn)
        if level(unit.engine, definition) != "full":
            continue
        before = _own_variables(live.row["snapshot"])
        root = live.execution.root
        for token in live.execution.tasks.values():
            known = before.get(token.id, {})
            changed = {name: value for name, value in token.data.items() if name not in known or known[name] != marked(value)}
            if changed:
                _record(unit, live, "" if token is root else token.task_spec.bpmn_id, changed)


def _own_variables(snapshot: str) -> dict[int, dict[str, Any]]:
    """Token id → its variables, from a stored snapshot; nothing for an instance that is only being made."""
    if not snapshot:
        return {}
    state = json.loads(snapshot)
    return {row[0]: row[4] or {} for row in state["t"] if len(row) > 4}


def _record(unit: Unit, live: Live, scope: str, variables: Mapping[str, Any]) -> None:
    for name, value in variables.items():
        unit.tx.add(
            tables.variable_change,
            key=new_key(),
            instance_key=live.key,
            root_key=live.row["root_key"],
            scope=scope,
            name=name,
            value=marked(value),
            at=unit.tx.now,
            by=unit.tx.by,
        )


def given_variables(conn: Connection, key: int) -> dict[str, Any] | None:
    """What an instance was started with; ``None`` when that was not kept (level below ``full``)."""
    change = tables.variable_change
    statement = select(change.c.scope, change.c.name, change.c.value).where(change.c.instance_key == key).order_by(change.c.key)
    rows = conn.execute(statement).all()
    return {row.name: unmarked(row.value) for row in rows if row.scope == GIVEN} if rows else None


def marked(value: Any) -> Any:
    """A variable's value as a document can keep it exactly: an exact number as in a snapshot."""
    if isinstance(value, Decimal):
        return {DECIMAL_MARK: str(value)}
    if isinstance(value, dict):
        return {name: marked(item) for name, item in value.items()}
    return [marked(item) for item in value] if isinstance(value, list) else value


def unmarked(value: Any) -> Any:
    """The value that :func:`marked` kept."""
    if isinstance(value, dict):
        return Decimal(value[DECIMAL_MARK]) if DECIMAL_MARK in value else {name: unmarked(item) for name, item in value.items()}
    return [unmarked(item) for item in value] if isinstance(value, list) else value


# --- clean-up ----------------------------------------------------------------------------------------------------------------


def _past(now: datetime):
    instance = tables.instance
    # A case is deleted as a whole, from its root.
    return (instance.c.removal_at <= now, instance.c.parent_key.is_(None), instance.c.state.in_(("COMPLETED", "TERMINATED")))


def waiting(engine: Engine, conn: Connection) -> CleanUp:
    """How much the clean-up has before it."""
    instance, now = tables.instance, engine.clock()
    due = conn.execute(select(func.count()).select_from(instance).where(*_past(now))).scalar_one()
    statement = select(func.count(), func.min(instance.c.removal_at)).where(instance.c.removal_at > now, instance.c.parent_key.is_(None))
    dated, next_at = conn.execute(statement).one()
    return CleanUp(due, dated, next_at)


def clean_up(engine: Engine, limit: int | None = None) -> int:
    """Delete cases past their removal date, the longest past first, each in a transaction of its own; gives how many.

    Another node may be doing the same: whoever comes second finds a case gone and passes on.
    """
    instance, cleaned, seen = tables.instance, 0, set()
    while limit is None or cleaned < limit:
        wanted = CLEAN_UP_SLICE if limit is None else min(CLEAN_UP_SLICE, limit - cleaned)
        statement = select(instance.c.key).where(*_past(engine.clock())).order_by(instance.c.removal_at, instance.c.key).limit(wanted + len(seen))
        with engine.reading() as conn:
            keys = [key for key in conn.execute(statement).scalars() if key not in seen]
        if not keys:
            return cleaned
        for key in keys:
            seen.add(key)
            try:
                cleaned += engine.command(lambda unit, key=key: deletion.delete_past(unit, key), by=None)
            except EngineError:
                # Somebody is at work on it; the next round looks again.
                continue
    return cleaned
