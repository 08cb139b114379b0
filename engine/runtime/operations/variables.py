"""Looking at and correcting the variables and tokens of a running instance."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select

from engine.bpmn.execution import Execution, Token, awaited
from engine.bpmn.snapshot import restore
from engine.errors import NotFound, ValidationFailed
from engine.runtime import instances
from engine.runtime.operations.common import refused, running
from engine.runtime.operations.history import unmarked
from engine.runtime.operations.values import LiveToken, VariableChange
from engine.runtime.types import Instance
from engine.runtime.unit import Unit, checked_variables
from engine.store import tables
from engine.words import T

if TYPE_CHECKING:
    from engine.runtime.engine import Engine


def set_variables(
    unit: Unit, key: int, variables: Mapping[str, Any], scope: str | int | None, reason: str | None
) -> Callable[[], Instance]:
    """Write ``variables`` into the process scope, or into the scope of a live element or token; then the instance looks at them.

    Raises :class:`ValidationFailed` for no variables, values without a JSON form or a scope that is not alive, and
    :class:`InvalidState` for an ended instance.  A suspended instance takes them too and goes on when it is resumed.
    """
    values = checked_variables(variables)
    if not values:
        raise refused("variables", T("Name at least one variable."))
    live = running(unit, key)
    place = _scope(live.execution, scope)
    old = {name: place.data[name] for name in values if name in place.data}
    place.data.update(values)
    unit.tx.audit(
        "instance.variables", f"instance:{key}", scope="" if place is live.execution.root else place.task_spec.bpmn_id, old=old, new=values, reason=reason
    )
    instances.wake(unit, live)
    return instances.later(live)


def _scope(execution: Execution, scope: str | int | None) -> Token:
    if scope in (None, ""):
        return execution.root
    text = str(scope)
    if text.isdigit():
        found = [token for token in (execution.token(int(text)),) if token is not None]
    else:
        found = [token for token in execution.tasks.values() if token.task_spec.bpmn_id == text]
        # The items of a repeated activity bear its name as well as its body, which is meant.
        found = [token for token in found if token.parent not in found]
    if not found:
        raise refused("scope", T("Nothing of this case stands on “%(where)s” now. Look at it again: it may have moved on.", where=text))
    if len(found) > 1:
        message = T(
            "“%(where)s” is running %(count)d times. Name the token: %(tokens)s.",
            where=text,
            count=len(found),
            tokens=", ".join(str(token.id) for token in found),
        )
        raise ValidationFailed(message, errors={"scope": [message]})
    return found[0]


def read_execution(engine: Engine, conn: Connection, key: int) -> Execution:
    """The live state of an instance to look at, without a lock.  It has no host: nothing in it may be run.

    Raises :class:`NotFound`.
    """
    instance = tables.instance
    row = conn.execute(select(instance.c.definition_key, instance.c.snapshot).where(instance.c.key == key)).one_or_none()
    if row is None:
        raise NotFound("There is no process instance %(key)s.", key=key)
    return restore(engine.catalogue.get(row.definition_key, conn=conn).model, None, row.snapshot)  # type: ignore[arg-type]


def tokens(engine: Engine, conn: Connection, key: int) -> list[LiveToken]:
    """The live tokens of an instance, outer ones first, the process itself left out.  Raises :class:`NotFound`."""
    execution = read_execution(engine, conn, key)
    incident = tables.incident
    statement = select(incident.c.token).where(incident.c.instance_key == key, incident.c.resolved_at.is_(None))
    troubled = set(conn.execute(statement).scalars())
    root = execution.root
    return [
        LiveToken(
            token.id,
            token.task_spec.bpmn_id,
            token.task_spec.label,
            token.task_spec.element_type,
            None if token.parent is root else token.parent.id,
            token.id in troubled,
            _waits(token),
            dict(token.data),
        )
        for token in execution.tasks.values()
        if token is not root
    ]


def _waits(token: Token) -> tuple[str, ...]:
    """The kinds of events that could still come to a token."""
    kinds = {definition.kind for event in awaited(token.task_spec) for definition in event.definitions if definition.waits and token.armed}
    return tuple(sorted(kinds | ({"conditional"} if token.internal_data.get("conditions") else set())))


def changes(conn: Connection, key: int, limit: int) -> list[VariableChange]:
    """The recorded changes of an instance's variables, oldest first; none below history level ``full``."""
    change = tables.variable_change
    statement = select(change).where(change.c.instance_key == key).order_by(change.c.key).limit(limit)
    found = [{name: row[name] for name in VariableChange.__dataclass_fields__} for row in conn.execute(statement).mappings()]
    return [VariableChange(**{**row, "value": unmarked(row["value"])}) for row in found]
