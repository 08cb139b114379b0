"""The statements of a case's page.  Each takes a case that :mod:`engine.runtime.casework.access` has handed out."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, Row, and_, func, select

from engine.store.tables import (
    activity,
    attachment,
    audit,
    case_file,
    clock,
    definition,
    draft,
    incident,
    instance,
    notification,
    rung_firing,
    sensitive_view,
    subscription,
    trail,
    user_task,
)


def trail_of(conn: Connection, case_key: int) -> list[Row]:
    """The trail, oldest first."""
    return list(conn.execute(select(trail).where(trail.c.case_key == case_key).order_by(trail.c.key)))


def clocks_of(conn: Connection, case_key: int) -> list[Row]:
    return list(conn.execute(select(clock).where(clock.c.case_key == case_key).order_by(clock.c.key)))


def firings_of(conn: Connection, case_key: int) -> list[Row]:
    return list(conn.execute(select(rung_firing).where(rung_firing.c.case_key == case_key).order_by(rung_firing.c.fired_at)))


def instances_of(conn: Connection, case_key: int) -> list[Row]:
    """The case's process instances, the root first, with the name of their process."""
    columns = (instance.c.key, instance.c.process_id, instance.c.definition_key, instance.c.state, instance.c.started_at, instance.c.parent_key)
    joined = instance.outerjoin(definition, definition.c.key == instance.c.definition_key)
    chosen = select(*columns, definition.c.name).select_from(joined).where(instance.c.root_key == case_key).order_by(instance.c.key)
    return list(conn.execute(chosen))


def passages_of(conn: Connection, case_key: int) -> list[Row]:
    """How often each element was passed: instance, element, state, count."""
    columns = (activity.c.instance_key, activity.c.element_id, activity.c.state, func.count().label("count"))
    grouped = (activity.c.instance_key, activity.c.element_id, activity.c.state)
    return list(conn.execute(select(*columns).where(activity.c.root_key == case_key).group_by(*grouped)))


def attachments_of(conn: Connection, case_key: int | None, subject: str | None = None, login: str | None = None) -> list[Row]:
    """The case's attachments, or before there is a case those that ``login`` uploaded on ``subject``."""
    if case_key is not None:
        test = attachment.c.case_key == case_key
    else:
        test = and_(attachment.c.case_key.is_(None), attachment.c.subject == subject, attachment.c.uploaded_by == login)
    return list(conn.execute(select(attachment).where(test, attachment.c.removed_at.is_(None)).order_by(attachment.c.key)))


def open_tasks_of(conn: Connection, case_key: int) -> list[Row]:
    return list(conn.execute(select(user_task).where(user_task.c.root_key == case_key, user_task.c.state == "CREATED").order_by(user_task.c.key)))


def case_row(conn: Connection, key: int) -> Row | None:
    """The case file of something that access has handed out already."""
    return conn.execute(select(case_file).where(case_file.c.key == key)).one_or_none()


def snapshot_of(conn: Connection, instance_key: int) -> str:
    """The live state of a process instance, as the engine keeps it."""
    return conn.execute(select(instance.c.snapshot).where(instance.c.key == instance_key)).scalar_one()


def clock_row(conn: Connection, key: int | None) -> Row | None:
    return conn.execute(select(clock).where(clock.c.key == key)).one_or_none() if key else None


def log_of(conn: Connection, case_key: int, task_keys: Sequence[int], limit: int = 300) -> list[Row]:
    """The audit's lines about a case and its tasks, the latest first."""
    subjects = [f"case:{case_key}", f"instance:{case_key}", *(f"task:{key}" for key in task_keys)]
    return list(conn.execute(select(audit).where(audit.c.subject.in_(subjects)).order_by(audit.c.key.desc()).limit(limit)))


def looks_of(conn: Connection, case_key: int) -> list[Row]:
    """Who looked at confidential fields."""
    return list(conn.execute(select(sensitive_view).where(sensitive_view.c.case_key == case_key).order_by(sensitive_view.c.key.desc()).limit(100)))


def task_keys_of(conn: Connection, case_key: int) -> list[int]:
    return list(conn.execute(select(user_task.c.key).where(user_task.c.root_key == case_key)).scalars())


def urges_of(conn: Connection, case_key: int) -> list[Row]:
    """The lines of the trail that urge."""
    return list(conn.execute(select(trail).where(trail.c.case_key == case_key, trail.c.action == "urge").order_by(trail.c.key)))


def waiting_messages(conn: Connection, case_key: int) -> set[str]:
    """Names of the messages that the case's instances wait for: an action is offered only while somebody listens."""
    joined = subscription.join(instance, instance.c.key == subscription.c.instance_key)
    chosen = select(subscription.c.name).select_from(joined).where(instance.c.root_key == case_key, subscription.c.kind == "message")
    return set(conn.execute(chosen).scalars())


def incidents_of(conn: Connection, case_key: int) -> list[Row]:
    chosen = select(incident).where(incident.c.root_key == case_key, incident.c.resolved_at.is_(None)).order_by(incident.c.key)
    return list(conn.execute(chosen))


def saved_draft(conn: Connection, subject: str, login: str) -> Row | None:
    """One's own draft with the moment it was saved."""
    return conn.execute(select(draft.c.data, draft.c.saved_at).where(draft.c.subject == subject, draft.c.login == login)).one_or_none()


def notices_of(conn: Connection, case_key: int) -> list[Row]:
    """Who was told what about a case."""
    return list(conn.execute(select(notification).where(notification.c.case_key == case_key).order_by(notification.c.key.desc()).limit(200)))
