"""Do the rows of a database agree with one another?  Asked after races and crashes, when nothing may be doubled or lost."""

from __future__ import annotations

from collections import Counter
from typing import Any

from sqlalchemy import select

from engine import Engine
from engine.bpmn.snapshot import restore
from engine.store import tables

ENDED = ("COMPLETED", "TERMINATED")


class _NoHost:
    """A host for reading a snapshot; nothing is asked of it."""

    functions: dict[str, Any] = {}


def disagreements(engine: Engine) -> list[str]:
    """What does not fit: every live token must have its rows, and every open row its live token; none for ended instances."""
    found: list[str] = []
    with engine.reading() as conn:
        for row in conn.execute(select(tables.instance)).mappings().all():
            definition = engine.catalogue.get(row["definition_key"], conn=conn)
            tokens = {}
            if row["state"] not in ENDED:
                tokens = dict(restore(definition.model, _NoHost(), row["snapshot"]).tasks)  # type: ignore[arg-type]
            found += _of_instance(conn, row, tokens)
        found += _of_calls(conn)
    return found


def _of_instance(conn: Any, row: Any, tokens: dict[int, Any]) -> list[str]:
    key, who = row["key"], f"instance {row['key']} ({row['state']})"
    rows = {
        "task": _tokens(conn, tables.user_task, key, tables.user_task.c.state == "CREATED"),
        "job": _tokens(conn, tables.job, key, tables.job.c.ended_at.is_(None)),
        "timer": _tokens(conn, tables.timer, key),
        "subscription": _tokens(conn, tables.subscription, key),
    }
    found = []
    for kind, ids in rows.items():
        lost = set(ids) - set(tokens)
        if lost:
            found.append(f"{who}: open {kind} of a token that is gone: {sorted(lost)}")
    for kind in ("task", "job"):
        doubled = [id for id, count in rows[kind].items() if count > 1]
        if doubled:
            found.append(f"{who}: two open {kind}s of one token: {doubled}")
    standing = {id for id, token in tokens.items() if token.task_spec.element_type == "userTask" and _waits(token)}
    if standing != set(rows["task"]):
        found.append(f"{who}: tokens on user tasks {sorted(standing)}, open tasks {sorted(rows['task'])}")
    activity = tables.activity
    active = conn.execute(select(activity.c.key).where(activity.c.instance_key == key, activity.c.state == "ACTIVE")).scalars().all()
    living = [token.history for token in tokens.values() if token.history is not None]
    if sorted(active) != sorted(living):
        found.append(f"{who}: active in the history {sorted(active)}, alive in the snapshot {sorted(living)}")
    if (row["ended_at"] is not None) != (row["state"] in ENDED):
        found.append(f"{who}: ended at {row['ended_at']}")
    return found


def _waits(token: Any) -> bool:
    """Whether the token itself stands on its element: it holds no others and no incident of entering it."""
    return token.history is not None and not token.children and not token.internal_data.get("incident")


def _tokens(conn: Any, table: Any, key: int, *conditions: Any) -> Counter[int]:
    return Counter(conn.execute(select(table.c.token).where(table.c.instance_key == key, *conditions)).scalars())


def _of_calls(conn: Any) -> list[str]:
    child, parent = tables.instance.alias("child"), tables.instance.alias("parent")
    statement = (
        select(child.c.key)
        .join(parent, parent.c.key == child.c.parent_key)
        .where(child.c.state.not_in(ENDED), parent.c.state.in_(ENDED))
    )
    return [f"instance {key} goes on though its caller has ended" for key in conn.execute(statement).scalars()]
