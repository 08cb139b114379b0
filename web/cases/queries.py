"""The statements of a case's page.  Each takes a case that :mod:`engine.runtime.casework.access` has handed out."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, Row, and_, func, or_, select

from engine.runtime.casework import terms
from engine.store.tables import (
    activity,
    attachment,
    audit,
    case_file,
    case_term,
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


# --- finding cases by the searchable fields of their procedures; each is a condition on ``case_file`` ---------------------------------


def _having(*tests: ColumnElement[bool]) -> ColumnElement[bool]:
    return case_file.c.key.in_(select(case_term.c.case_key).where(*tests))


def matching(text: str) -> ColumnElement[bool]:
    """What the search box finds: number, title, applicant, county, parts of a searchable text, a whole searchable value, a day."""
    word, day = terms.folded(text), terms.day_of(text)
    found = [case_file.c.search.contains(text.lower(), autoescape=True)]
    if word:
        found.append(_having(case_term.c.word == word, case_term.c.kind.in_(("text", "exact"))))
        found.append(_having(case_term.c.word.contains(word, autoescape=True), case_term.c.kind == "text"))
    if day:
        found.append(_having(case_term.c.word == day, case_term.c.kind == "date"))
    return or_(*found)


def with_word(name: str, word: str, *, part: bool) -> ColumnElement[bool]:
    """Cases whose field ``name`` is ``word``, or with ``part`` contains it; ``word`` as :func:`engine.runtime.casework.terms.folded` gives it."""
    return _having(case_term.c.name == name, case_term.c.word.contains(word, autoescape=True) if part else case_term.c.word == word)


def with_word_between(name: str, least: str | None, most: str | None) -> ColumnElement[bool]:
    """Cases whose day ``name`` lies from ``least`` to ``most``, both included, as ``2026-11-22``."""
    bounds = [case_term.c.word >= least] if least else []
    return _having(case_term.c.name == name, case_term.c.kind == "date", *bounds, *([case_term.c.word <= most] if most else []))


def with_number_between(name: str, least: float | None, most: float | None) -> ColumnElement[bool]:
    """Cases whose amount ``name`` lies from ``least`` to ``most``, both included."""
    bounds = [case_term.c.number >= least] if least is not None else []
    return _having(case_term.c.name == name, case_term.c.kind == "number", *bounds, *([case_term.c.number <= most] if most is not None else []))


def public_cases(conn: Connection, procedure_id: str, page: int, size: int) -> list[Row]:
    """One page of the cases of a procedure that outsiders may see, the latest first; each row has ``total``."""
    chosen = select(case_file, func.count().over().label("total")).where(case_file.c.procedure_id == procedure_id, case_file.c.public_at.is_not(None))
    ordered = chosen.order_by(case_file.c.public_at.desc(), case_file.c.key.desc())
    return list(conn.execute(ordered.limit(size).offset((page - 1) * size)))
