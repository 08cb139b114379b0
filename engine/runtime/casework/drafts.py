"""Drafts: what somebody has typed into a form and not yet submitted.

A draft belongs to a subject (``task:KEY`` or ``start:PROCESS``) and a person, is not validated, and goes when the form is
submitted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, select

from engine.errors import InvalidState, NotFound, ValidationFailed
from engine.store import tables
from engine.store.types import DIALECT_INSERTS
from engine.words import T

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from engine.runtime.desk import Desk

MAX_DRAFT_BYTES = 1_000_000


def subject_parts(subject: str) -> tuple[str, str]:
    """``("task", "17")`` of ``task:17``; :class:`NotFound` for anything that is no subject."""
    kind, _, name = subject.partition(":")
    if kind not in ("task", "start", "case") or not name or (kind != "start" and not name.isdecimal()):
        raise NotFound("There is nothing called “%(subject)s”.", subject=subject)
    return kind, name


def require_subject(desk: Desk, conn: Connection, subject: str, login: str) -> int | None:
    """That ``login`` may fill in the form of ``subject`` now; returns the case it belongs to, ``None`` before the start.

    Raises :class:`NotFound` (audited by the caller), :class:`NotPermitted`, or :class:`InvalidState` when the task is over.
    """
    kind, name = subject_parts(subject)
    if kind == "start":
        desk.require_start(conn, name, login)
        return None
    if kind == "case":
        return desk.access.find_case(conn, int(name), login).key
    task = desk.access.find_task(conn, int(name), login)
    desk.require_work(conn, task, login)
    if task.state != "CREATED":
        raise InvalidState("The task “%(task)s” is already finished.", task=task.name)
    return task.root_key


def save_draft(desk: Desk, subject: str, data: Mapping[str, Any], *, by: str, address: str | None = None) -> None:
    """Keep ``data`` as the draft of ``by``; the newest one wins.  :class:`ValidationFailed` when it is absurdly large."""
    if len(json.dumps(data, ensure_ascii=False).encode()) > MAX_DRAFT_BYTES:
        raise ValidationFailed(T("The form holds more text than can be kept. Put long texts into an attachment."))
    with desk.audited(by, address) as tx:
        require_subject(desk, tx.conn, subject, by)
        row = {"subject": subject, "login": by, "data": dict(data), "saved_at": tx.now}
        statement = DIALECT_INSERTS[tx.conn.dialect.name](tables.draft).values(row)
        changed = {"data": statement.excluded.data, "saved_at": statement.excluded.saved_at}
        tx.execute(statement.on_conflict_do_update(index_elements=["subject", "login"], set_=changed))


def draft(desk: Desk, subject: str, by: str) -> dict[str, Any] | None:
    """The draft that ``by`` keeps for ``subject``; one's own drafts only."""
    with desk.engine.reading() as conn:
        chosen = select(tables.draft.c.data).where(tables.draft.c.subject == subject, tables.draft.c.login == by)
        return conn.execute(chosen).scalar_one_or_none()


def discard_draft(desk: Desk, subject: str, *, by: str, address: str | None = None) -> None:
    """Throw one's own draft away."""
    with desk.audited(by, address) as tx:
        tx.execute(delete(tables.draft).where(tables.draft.c.subject == subject, tables.draft.c.login == by))
