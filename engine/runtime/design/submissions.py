"""Submissions of drafts as they are read: one, those of a draft or a procedure, and what their states are called."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select

from engine.errors import NotFound, Problem
from engine.runtime.design import drafts
from engine.runtime.design.checking import unpacked_problems
from engine.runtime.design.files import Part
from engine.runtime.telling.notices import unpacked_or_none
from engine.store import tables
from engine.words import T, Words

if TYPE_CHECKING:
    from engine.runtime.desk import Desk

STATES: dict[str, Words] = {
    "WAITING": T("awaiting approval"), "SCHEDULED": T("takes effect later"), "PUBLISHED": T("published"), "REFUSED": T("sent back"),
    "WITHDRAWN": T("withdrawn"), "FAILED": T("could not be published"),
}  # fmt: skip


@dataclass(frozen=True)
class Submission:
    """One way of a draft to publication; see the table for the columns.  ``findings`` are ``None`` where nobody kept them."""

    key: int
    draft_key: int
    process_id: str
    state: str
    reason: str
    effective_at: datetime | None
    compared: tuple[Part, ...]
    scenarios: tuple[tuple[str, str, bool], ...]
    findings: tuple[Problem, ...] | None
    submitted_by: str
    submitted_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    note: str
    deployment_key: int | None
    published_at: datetime | None
    revision: int

    @property
    def word(self) -> Words:
        """Its state, for people."""
        return STATES[self.state]


def submission(desk: Desk, conn: Connection, key: int, login: str) -> Submission:
    """One submission.  Raises :class:`NotFound` for people who are neither designers nor administrators."""
    drafts.require_reader(desk, conn, f"submission:{key}", login)
    table = tables.design_submission
    row = conn.execute(select(table).where(table.c.key == key)).mappings().one_or_none()
    if row is None:
        raise NotFound("There is no such submission, or it is not for you.")
    return of_row(row)


def submissions(conn: Connection, *, draft_key: int | None = None, process_id: str | None = None, open_only: bool = False) -> list[Submission]:
    """Submissions, the latest first."""
    table = tables.design_submission
    chosen = select(table).order_by(table.c.key.desc())
    if draft_key is not None:
        chosen = chosen.where(table.c.draft_key == draft_key)
    if process_id is not None:
        chosen = chosen.where(table.c.process_id == process_id)
    if open_only:
        chosen = chosen.where(table.c.state.in_(("WAITING", "SCHEDULED")))
    return [of_row(row) for row in conn.execute(chosen).mappings()]


def titles(conn: Connection, listed: Iterable[Submission]) -> dict[int, str]:
    """Draft key → title of the draft, for submissions that somebody may read; one statement, without the files."""
    draft = tables.design_draft.c
    return {row.key: row.title for row in conn.execute(select(draft.key, draft.title).where(draft.key.in_({each.draft_key for each in listed})))}


def of_row(row: Mapping[str, Any]) -> Submission:
    """The submission of a row; why it failed is in the reader's language."""
    values = {name: row[name] for name in Submission.__dataclass_fields__}
    values["note"] = unpacked_or_none(row["failure"]) or row["note"]
    values["compared"] = tuple((kind, id, version) for kind, id, version in row["compared"])
    values["scenarios"] = tuple((name, title, ok) for name, title, ok in row["scenarios"])
    values["findings"] = None if row["findings"] is None else unpacked_problems(row["findings"])
    return Submission(**values)
