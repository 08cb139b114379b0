"""Messages, signals and errors that come from outside an instance."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from engine.bpmn.activities import AdHocSubProcess
from engine.bpmn.elements import ElementFailure
from engine.bpmn.execution import MAX_NAME
from engine.errors import Conflict, NotFound, ValidationFailed
from engine.runtime import instances, tasks
from engine.runtime.jobs import open_job
from engine.runtime.types import Instance
from engine.runtime.unit import Unit, checked_variables
from engine.store import tables
from engine.store.types import new_key


def received_name(name: str) -> str:
    """The name under which a received message is remembered; it starts with a space, which no subscription's name does."""
    return f" {name}"


def publish(
    unit: Unit, name: str, correlation_key: str, variables: Mapping[str, Any] | None, time_to_live: timedelta, message_id: str | None
) -> int:
    """Correlate a message, or keep it for ``time_to_live`` when nobody waits for it; gives the number of receivers."""
    if not name:
        raise ValidationFailed("A message needs a name.")
    check_names(name=name, correlation_key=str(correlation_key), message_id=message_id or "")
    values, now, message = checked_variables(variables), unit.tx.now, tables.message
    if time_to_live > timedelta(0):
        unit.tx.execute(delete(message).where(message.c.expires_at <= now, message.c.name == name))
    if message_id is not None:
        known = select(message.c.key).where(
            message.c.name.in_((name, received_name(name))),
            message.c.correlation_key == correlation_key,
            message.c.message_id == message_id,
        )
        if unit.tx.execute(known.where(message.c.expires_at > now)).first():
            raise Conflict("The message “%(name)s” with the id “%(id)s” was already published.", name=name, id=message_id)
    receivers = unit.correlate(name, str(correlation_key), values)
    unit.settle()
    # A message with an id is kept for its life also when it was received, so that a repetition is recognised; it is
    # then not handed out again, because it is kept under a name no subscription has.
    if time_to_live > timedelta(0) and (not receivers or message_id is not None):
        row = {
            "key": new_key(),
            "name": name if not receivers else received_name(name),
            "correlation_key": str(correlation_key),
            "message_id": message_id,
            "variables": values if not receivers else {},
            "published_at": now,
            "expires_at": now + time_to_live,
        }
        try:
            unit.tx.execute(insert(message).values(row))
        except IntegrityError as error:
            raise Conflict("The message “%(name)s” with the id “%(id)s” was already published.", name=name, id=message_id) from error
    return receivers


def check_names(**texts: str) -> None:
    """Refuse a name or key that is too long or that a database cannot keep.  Raises :class:`ValidationFailed`."""
    checked_variables(texts)
    for name, text in texts.items():
        if len(text) > MAX_NAME:
            raise ValidationFailed("“%(name)s” is longer than %(limit)d characters.", name=name, limit=MAX_NAME)


def broadcast(unit: Unit, name: str, variables: Mapping[str, Any] | None) -> int:
    """Hand a signal to all who wait for it."""
    if not name:
        raise ValidationFailed("A signal needs a name.")
    check_names(name=name)
    return unit.broadcast(name, checked_variables(variables))


def evaluate_conditions(unit: Unit, variables: Mapping[str, Any] | None) -> int:
    """Start an instance at each conditional start event whose condition holds for ``variables``; gives their number."""
    return unit.evaluate_conditions(checked_variables(variables))


def activate_in_ad_hoc(unit: Unit, instance_key: int, element_id: str, inside: Sequence[str]) -> Callable[[], Instance]:
    """Begin the elements ``inside`` of the running ad-hoc sub-process ``element_id``.

    Raises :class:`NotFound` when it does not run in the instance, :class:`ValidationFailed` for an id that is no element in it.
    """
    live = unit.load(instance_key)
    unit.require_active(live)
    for token in live.execution.tasks.values():
        if token.task_spec.bpmn_id == element_id and isinstance(token.task_spec, AdHocSubProcess):
            try:
                token.task_spec.activate(token, list(inside))
            except ElementFailure as failure:
                raise ValidationFailed(failure.message, errors={"elements": [failure.message]}) from failure
            unit.tx.audit("instance.activate", f"instance:{instance_key}", ad_hoc=element_id, elements=list(inside))
            unit.run(live)
            return instances.later(live)
    raise NotFound("The ad-hoc sub-process “%(element)s” does not run in instance %(key)s.", element=element_id, key=instance_key)


def throw_error(unit: Unit, key: int, code: str, message: str, variables: Mapping[str, Any] | None) -> None:
    """Throw a BPMN error at the job or user task ``key``.  Raises :class:`NotFound`, or :class:`Conflict` when it is done."""
    values = checked_variables(variables)
    if unit.tx.execute(select(tables.user_task.c.key).where(tables.user_task.c.key == key)).first():
        row: Mapping[str, Any] = tasks.load(unit, key)
    elif unit.tx.execute(select(tables.job.c.key).where(tables.job.c.key == key)).first():
        row = open_job(unit, key)
    else:
        raise NotFound("There is no job or task %(key)s.", key=key)
    live = unit.load(row["instance_key"])
    unit.require_active(live)
    token = live.execution.token(row["token"])
    if token is None:
        raise NotFound("There is no job or task %(key)s.", key=key)
    live.execution.throw_error(token, code, message, values)
    if "retries" in row and token.alive:
        # Nobody caught it: the worker has said its last word, the incident speaks for the job now.
        unit.tx.execute(update(tables.job).where(tables.job.c.key == key).values(state="FAILED", message=message, ended_at=unit.tx.now))
    unit.run(live)
