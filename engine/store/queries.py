"""The named hot statements: those on the path of every start and completion, built once.

Building a statement costs SQLAlchemy more than SQLite takes to run it; these have their parameters as names instead.
"""

from __future__ import annotations

from sqlalchemy import bindparam, select, update

from engine.store import tables

_task, _instance, _activity = tables.user_task, tables.instance, tables.activity

LOCK_TASK_WITH_INSTANCE = (
    select(
        *(column.label(f"task_{column.name}") for column in _task.c),
        *(column.label(f"instance_{column.name}") for column in _instance.c),
    )
    .join(_instance, _instance.c.key == _task.c.instance_key)
    .where(_task.c.key == bindparam("the_key"))
    .with_for_update(of=_instance)
)
"""A task and its instance, the instance locked (``the_key``); columns ``task_…`` and ``instance_…``."""

LOCK_INSTANCE = select(_instance).where(_instance.c.key == bindparam("the_key")).with_for_update()
"""One instance, locked (``the_key``)."""

LOCK_INSTANCE_OF_TASK = (
    select(_instance).where(_instance.c.key == select(_task.c.instance_key).where(_task.c.key == bindparam("the_key")).scalar_subquery())
).with_for_update()
"""The instance of a task, locked (``the_key``)."""

COMPLETE_TASK = (
    update(_task)
    .where(_task.c.key == bindparam("the_key"), _task.c.state == "CREATED", _task.c.revision == bindparam("seen_revision"))
    .values(state="COMPLETED", ended_at=bindparam("now"), completed_by=bindparam("who"), revision=_task.c.revision + 1)
)
"""Complete an open task nobody has changed since it was read (``the_key``, ``seen_revision``, ``now``, ``who``)."""

SAVE_INSTANCE = (
    update(_instance)
    .where(_instance.c.key == bindparam("the_key"), _instance.c.revision == bindparam("seen_revision"))
    .values(
        revision=_instance.c.revision + 1,
        snapshot=bindparam("new_snapshot"),
        state=bindparam("new_state"),
        ended_at=bindparam("new_ended_at"),
        ended_by=bindparam("new_ended_by"),
        end_reason=bindparam("new_end_reason"),
        removal_at=bindparam("new_removal_at", None),
    )
)
"""Store an instance nobody has changed since it was read (``the_key``, ``seen_revision`` and the ``new_…`` values)."""

END_ACTIVITIES = (
    update(_activity)
    .where(_activity.c.key == bindparam("the_key"))
    .values(state=bindparam("new_state"), ended_at=bindparam("new_ended_at"))
)
"""Close activity rows (a list of ``the_key``, ``new_state``, ``new_ended_at``)."""
