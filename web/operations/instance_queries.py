"""The statements of the page of one instance."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, Row, func, select

from engine.store.tables import (
    activity,
    audit,
    case_file,
    definition,
    instance,
    job,
    subscription,
    timer,
    trail,
    user_task,
    variable_change,
)

HISTORY_PAGE = 50
WAITING_LIMIT = 200
LOG_LIMIT = 100
CHANGES_LIMIT = 100


def head(conn: Connection, key: int) -> Row | None:
    """An instance with the name of its process and its case; not its snapshot."""
    columns = [column for column in instance.c if column.name != "snapshot"]
    joined = instance.outerjoin(case_file, case_file.c.key == instance.c.root_key).outerjoin(definition, definition.c.key == instance.c.definition_key)
    case = (case_file.c.case_no, case_file.c.procedure_key, case_file.c.key.label("case_key"))
    chosen = select(*columns, definition.c.name.label("process"), *case).select_from(joined).where(instance.c.key == key)
    return conn.execute(chosen).one_or_none()


def passages(conn: Connection, key: int) -> list[Row]:
    """How often each element was passed: element, state, count."""
    grouped = (activity.c.element_id, activity.c.state)
    return list(conn.execute(select(*grouped, func.count().label("count")).where(activity.c.instance_key == key).group_by(*grouped)))


def history(conn: Connection, key: int, page: int) -> tuple[list[Row], bool]:
    """One page of the passages, the latest first, and whether there are more.  Not counted: a loop may have passed ten thousand times."""
    chosen = select(activity).where(activity.c.instance_key == key).order_by(activity.c.key.desc())
    rows = list(conn.execute(chosen.limit(HISTORY_PAGE + 1).offset((page - 1) * HISTORY_PAGE)))
    return rows[:HISTORY_PAGE], len(rows) > HISTORY_PAGE


def _of(conn: Connection, table: Any, key: int, *tests: Any) -> list[Row]:
    return list(conn.execute(select(table).where(table.c.instance_key == key, *tests).order_by(table.c.key).limit(WAITING_LIMIT)))


def waiting(conn: Connection, key: int) -> dict[str, list[Row]]:
    """What an instance waits for: tasks of people, jobs of workers, timers, subscriptions, instances it has called."""
    called = select(instance.c.key, instance.c.process_id, instance.c.version, instance.c.state, instance.c.parent_token, definition.c.name)
    called = called.outerjoin(definition, definition.c.key == instance.c.definition_key).where(instance.c.parent_key == key)
    return {
        "tasks": _of(conn, user_task, key, user_task.c.state == "CREATED"),
        "jobs": _of(conn, job, key, job.c.state == "CREATED"),
        "timers": _of(conn, timer, key),
        "subscriptions": _of(conn, subscription, key),
        "called": list(conn.execute(called.where(instance.c.state.in_(("ACTIVE", "SUSPENDED"))).order_by(instance.c.key).limit(WAITING_LIMIT))),
    }


def changes(conn: Connection, key: int) -> list[Row]:
    """What the variables of an instance became, the latest first; kept at history level ``full`` only."""
    chosen = select(variable_change).where(variable_change.c.instance_key == key).order_by(variable_change.c.key.desc())
    return list(conn.execute(chosen.limit(CHANGES_LIMIT)))


def log(conn: Connection, key: int, incident_keys: Collection[int]) -> list[Row]:
    """Who has done what to an instance and its incidents, the latest first."""
    subjects = [f"instance:{key}", *(f"incident:{each}" for each in incident_keys)]
    return list(conn.execute(select(audit).where(audit.c.subject.in_(subjects)).order_by(audit.c.at.desc(), audit.c.key.desc()).limit(LOG_LIMIT)))


def case_rows(conn: Connection, root_keys: Collection[int]) -> list[Row]:
    """Key and sheet of the cases among these root instances."""
    return list(conn.execute(select(case_file.c.key, case_file.c.procedure_key).where(case_file.c.key.in_(list(root_keys)))))


def answers(conn: Connection, root_keys: Collection[int]) -> dict[int, dict[str, Any]]:
    """What the forms of cases said so far, later answers over earlier ones."""
    chosen = select(trail.c.case_key, trail.c.details).where(trail.c.case_key.in_(list(root_keys)), trail.c.details.is_not(None))
    found: dict[int, dict[str, Any]] = {}
    for row in conn.execute(chosen.order_by(trail.c.key)):
        found.setdefault(row.case_key, {}).update(row.details.get("data") or {})
    return found
