"""Restarting an ended instance: a new one of the same version, with what the old one was started with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from engine.bpmn.execution import Execution
from engine.errors import InvalidState, NotFound
from engine.runtime import instances
from engine.runtime.operations import history, moving
from engine.runtime.operations.common import refused
from engine.runtime.types import Instance
from engine.runtime.unit import Unit, checked_variables
from engine.store import tables
from engine.words import T

if TYPE_CHECKING:
    from engine.runtime.catalogue import Definition


def restart(
    unit: Unit, key: int, at: Sequence[str] | None, variables: Mapping[str, Any] | None, reason: str | None
) -> Callable[[], Instance]:
    """Start a new instance like the ended one ``key``, at its start or before the elements ``at``.

    “At its start” is the start event that began the old one, as far as its history was kept.  Without ``variables`` it gets those the old one was started with, where history level ``full`` has kept them, else those it
    ended with.  The old one stays as it is; the audit links the two.  Raises :class:`NotFound`, :class:`InvalidState` for one that
    is still running or was called by another, and :class:`ValidationFailed` for elements that cannot be started.
    """
    old = unit.tx.execute(select(tables.instance).where(tables.instance.c.key == key)).mappings().one_or_none()
    if old is None:
        raise NotFound("There is no process instance %(key)s.", key=key)
    if old["state"] in ("ACTIVE", "SUSPENDED"):
        raise InvalidState("This case is still running (%(state)s). Cancel it first, or move its tokens.", state=old["state"])
    if old["parent_key"] is not None:
        raise InvalidState("This instance was called by instance %(parent)s; restart that one.", parent=old["parent_key"])
    if at is not None and not at:
        raise refused("at", T("Name at least one element to start at."))
    definition = unit.engine.catalogue.get(old["definition_key"], conn=unit.tx.conn)
    source = "given"
    if variables is None:
        variables, source = history.given_variables(unit.tx.conn, key), "start"
    if variables is None:
        variables, source = instances.from_row(old).variables, "last"
    if at is None:
        start_event = _started_by(unit, key, definition)
        live = unit.start(definition, checked_variables(variables), business_key=old["business_key"], start_event=start_event)
    else:

        def place(execution: Execution) -> None:
            moving.place(execution, [moving.target_of(execution, name) for name in at])

        live = unit.start(definition, checked_variables(variables), business_key=old["business_key"], place=place)
    unit.tx.audit("instance.restart", f"instance:{key}", new_instance=str(live.key), at=list(at) if at is not None else None, variables=source, reason=reason)
    unit.tx.audit("instance.restarted", f"instance:{live.key}", old_instance=str(key), reason=reason)
    return instances.later(live)


def _started_by(unit: Unit, key: int, definition: Definition) -> str | None:
    """The message, timer, signal or condition start event that began an instance; ``None`` for a plain one, or when nobody knows."""
    activity = tables.activity
    # Behind an instantiating gateway the gateway is recorded before its event.
    first = select(activity.c.element_id).where(activity.c.instance_key == key).order_by(activity.c.key).limit(2)
    begun = list(unit.tx.execute(first).scalars())
    return next((node.name for node in definition.model.starters if node.bpmn_id in begun), None)
