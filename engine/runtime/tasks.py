"""User tasks: who may take them, who has them, and completing them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from sqlalchemy import Connection, exists, or_, select, update

from engine.errors import Conflict, InvalidState, NotFound
from engine.runtime import instances
from engine.runtime.transaction import Transaction
from engine.runtime.types import Instance, UserTask
from engine.runtime.unit import Stale, Unit
from engine.store import queries, tables

TASK = tables.user_task


def value_of(row: Mapping[str, Any]) -> UserTask:
    """A task from its row."""
    values = {name: row[name] for name in UserTask.__dataclass_fields__ if name != "variables"}
    for name in ("candidate_groups", "candidate_users"):
        values[name] = tuple(values[name])
    return UserTask(**values)


def find(conn: Connection, instance_key: int | None, assignee: str | None, candidate: str | None, state: str | None) -> list[UserTask]:
    """Tasks that match all given criteria, oldest first."""
    statement = select(TASK).order_by(TASK.c.key)
    for column, value in ((TASK.c.instance_key, instance_key), (TASK.c.assignee, assignee), (TASK.c.state, state)):
        if value is not None:
            statement = statement.where(column == value)
    if candidate is not None:
        offered = tables.task_candidate
        statement = statement.where(exists().where(offered.c.task_key == TASK.c.key, offered.c.name == candidate))
    return [value_of(row) for row in conn.execute(statement).mappings()]


def get(conn: Connection, key: int) -> Mapping[str, Any]:
    """The row of a task.  Raises :class:`NotFound`."""
    row = conn.execute(select(TASK).where(TASK.c.key == key)).mappings().one_or_none()
    if row is None:
        raise NotFound("There is no task %(key)s.", key=key)
    return row


def refuse_done(row: Mapping[str, Any]) -> None:
    """Say who completed a task and when, or that it was cancelled, if it is no longer open."""
    if row["state"] == "COMPLETED":
        raise Conflict(
            "“%(task)s” was already completed by %(who)s.",
            task=row["name"],
            who=row["completed_by"] or "–",
            by=row["completed_by"],
            at=row["ended_at"],
        )
    if row["state"] != "CREATED":
        raise Conflict("“%(task)s” is no longer needed: the case took another way.", task=row["name"], at=row["ended_at"])


def _refuse_taken(row: Mapping[str, Any]) -> NoReturn:
    refuse_done(row)
    raise Conflict(
        "“%(task)s” is already being handled by %(who)s.",
        task=row["name"],
        who=row["assignee"] or "–",
        by=row["assignee"],
        at=row["claimed_at"],
    )


def _change(tx: Transaction, key: int, condition, **values: Any) -> Mapping[str, Any] | None:
    statement = update(TASK).where(TASK.c.key == key, TASK.c.state == "CREATED", condition).values(revision=TASK.c.revision + 1, **values)
    return tx.execute(statement.returning(*TASK.c)).mappings().one_or_none()


def claim(tx: Transaction, key: int, by: str) -> UserTask:
    """Take the task for ``by``; taking it twice is no error.  Raises :class:`Conflict` saying who was faster."""
    row = _change(tx, key, or_(TASK.c.assignee.is_(None), TASK.c.assignee == by), assignee=by, claimed_at=tx.now)
    if row is None:
        _refuse_taken(get(tx.conn, key))
    tx.audit("task.claim", f"task:{key}")
    return value_of(row)


def unclaim(tx: Transaction, key: int, by: str) -> UserTask:
    """Give the task back.  Raises :class:`Conflict` when somebody else has it."""
    row = _change(tx, key, or_(TASK.c.assignee.is_(None), TASK.c.assignee == by), assignee=None, claimed_at=None)
    if row is None:
        _refuse_taken(get(tx.conn, key))
    tx.audit("task.unclaim", f"task:{key}")
    return value_of(row)


def assign(tx: Transaction, key: int, assignee: str | None) -> UserTask:
    """Give the task to ``assignee`` (``None``: to nobody).  Raises :class:`Conflict` when it is done."""
    row = _change(tx, key, TASK.c.key == key, assignee=assignee, claimed_at=tx.now if assignee else None)
    if row is None:
        row = get(tx.conn, key)
        refuse_done(row)
        raise InvalidState("“%(task)s” cannot be assigned now.", task=row["name"])
    tx.audit("task.assign", f"task:{key}", assignee=assignee)
    return value_of(row)


def load(unit: Unit, key: int) -> Mapping[str, Any]:
    """The row of an open task, with its instance locked and in the unit, in one statement.

    Raises :class:`NotFound`, or :class:`Conflict` when it is done.
    """
    instance = tables.instance
    row = unit.tx.execute(queries.LOCK_TASK_WITH_INSTANCE, {"the_key": key}).mappings().one_or_none()
    if row is None:
        raise NotFound("There is no task %(key)s.", key=key)
    task = {column.name: row[f"task_{column.name}"] for column in TASK.c}
    refuse_done(task)
    live = unit.adopt({column.name: row[f"instance_{column.name}"] for column in instance.c})
    if live.execution.token(task["token"]) is None:
        # Waiting for the lock may have shown us the task as it was before its completion.
        refuse_done(get(unit.tx.conn, key))
        raise Stale("the task's token is gone")
    return task


def complete(unit: Unit, key: int, variables: Mapping[str, Any] | None) -> Callable[[], Instance]:
    """Complete a task.  Raises :class:`NotFound`, :class:`Conflict` or :class:`ValidationFailed`."""
    task = load(unit, key)
    return instances.later(unit.complete_task(task, variables or {}))
