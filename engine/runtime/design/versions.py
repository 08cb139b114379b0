"""The versions of a procedure: every deployment that changed its process, forms, decisions, sheet or scenarios.

A process has version numbers of its own, and so has each form; what people mean by "the version of a procedure" is a state of all
of them together, and each deployment makes one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, func, select

from engine.errors import NotFound
from engine.runtime.design.files import Part, parts_of
from engine.store import tables

if TYPE_CHECKING:
    from engine.runtime.desk import Desk

RUNNING = ("ACTIVE", "SUSPENDED")


@dataclass(frozen=True)
class Version:
    """One state of a procedure.  ``number`` counts from 1; ``process_version`` is the version of the process in force then.

    ``changed`` are the definitions this deployment brought, ``author`` who submitted it and ``approver`` who agreed (empty when it
    came in another way than by the designer's room), ``by`` who put it into use.
    """

    deployment_key: int
    number: int
    at: datetime
    by: str
    reason: str
    process_version: int
    changed: tuple[Part, ...]
    companions: tuple[str, ...] = ()
    author: str = ""
    approver: str = ""
    effective_at: datetime | None = None
    in_use: bool = False


@dataclass(frozen=True)
class Counts:
    """Instances of one version of a process."""

    running: int = 0
    ended: int = 0


def versions(desk: Desk, conn: Connection, process_id: str) -> list[Version]:
    """Every version of a procedure, the latest first.  Raises :class:`NotFound`."""
    catalogue = desk.engine.catalogue
    processes = sorted(
        (each for each in catalogue.all(conn) if each.kind == "process" and each.id == process_id), key=lambda each: each.version
    )
    if not processes:
        raise NotFound("There is no process “%(id)s”.", id=process_id)
    # What belonged to the procedure at any time: a form that a later version dropped still made versions of the earlier one.
    ids = {(part.kind, part.id) for process in processes for part in parts_of(desk, conn, process_id, process.deployment_key)}
    ids |= {(part.kind, part.id) for part in parts_of(desk, conn, process_id)}
    brought: dict[int, list[Any]] = {}
    for each in catalogue.all(conn):
        if (each.kind, each.id) in ids and each.deployment_key >= processes[0].deployment_key:
            brought.setdefault(each.deployment_key, []).append(each)
    row = tables.design_companion.c
    beside: dict[int, list[Any]] = {}
    for each in conn.execute(select(row.deployment_key, row.name, row.by, row.at).where(row.process_id == process_id).order_by(row.name)):
        beside.setdefault(each.deployment_key, []).append(each)
    keys = sorted({*brought, *(key for key in beside if key >= processes[0].deployment_key)})
    told = _told(conn, keys)
    found = []
    for number, key in enumerate(keys, 1):
        first = brought[key][0] if key in brought else None
        at, by = (first.deployed_at, first.deployed_by) if first else (beside[key][0].at, beside[key][0].by)
        facts = told.get(key, {})
        found.append(
            Version(
                key, number, at, by, facts.get("reason", ""), max(each.version for each in processes if each.deployment_key <= key),
                tuple(sorted((each.kind, each.id, each.version) for each in brought.get(key, ()))), tuple(each.name for each in beside.get(key, ())),
                facts.get("author", ""), facts.get("approver", ""), facts.get("effective_at"), in_use=number == len(keys),
            )
        )
    return found[::-1]


def _told(conn: Connection, keys: Iterable[int]) -> dict[int, dict[str, Any]]:
    """What is known about deployments: from the submission they were, else from the log of deployments."""
    keys = list(keys)
    audit, submission = tables.audit.c, tables.design_submission.c
    subjects = {f"deployment:{key}": key for key in keys}
    rows = conn.execute(select(audit.subject, audit.details).where(audit.subject.in_(list(subjects)), audit.action == "definition.deploy"))
    found: dict[int, dict[str, Any]] = {subjects[each.subject]: {"reason": each.details.get("reason", "")} for each in rows}
    chosen = select(submission.deployment_key, submission.reason, submission.submitted_by, submission.decided_by, submission.effective_at)
    for each in conn.execute(chosen.where(submission.deployment_key.in_(keys))):
        approver = each.decided_by if each.decided_by != each.submitted_by else ""
        found[each.deployment_key] = {
            "reason": each.reason, "author": each.submitted_by, "approver": approver or "", "effective_at": each.effective_at,
        }  # fmt: skip
    return found


def version_of(desk: Desk, conn: Connection, process_id: str, deployment_key: int) -> Version:
    """One version.  Raises :class:`NotFound`."""
    found = next((each for each in versions(desk, conn, process_id) if each.deployment_key == deployment_key), None)
    if found is None:
        raise NotFound("There is no such version.")
    return found


def instances_by_version(conn: Connection, process_ids: Iterable[str]) -> dict[tuple[str, int], Counts]:
    """(process id, version) → how many instances run on it and how many have ended."""
    instance, definition = tables.instance.c, tables.definition.c
    chosen = (
        select(definition.id, definition.version, instance.state, func.count().label("number"))
        .join(tables.definition, definition.key == instance.definition_key)
        .where(definition.kind == "process", definition.id.in_(list(process_ids)))
        .group_by(definition.id, definition.version, instance.state)
    )
    found: dict[tuple[str, int], list[int]] = {}
    for row in conn.execute(chosen):
        found.setdefault((row.id, row.version), [0, 0])[row.state not in RUNNING] += row.number
    return {key: Counts(*numbers) for key, numbers in found.items()}


@dataclass(frozen=True)
class Procedure:
    """One line of the room: a process that is deployed, or a draft of one that is not yet."""

    process_id: str
    name: str
    version: int
    changed_at: datetime | None
    changed_by: str
    running: dict[int, int] = field(default_factory=dict)
    ended: int = 0
    sheet: bool = False


def procedures(desk: Desk, conn: Connection) -> list[Procedure]:
    """Every deployed process as a procedure, those with a sheet first."""
    catalogue = desk.engine.catalogue
    latest = catalogue.latest("process", conn)
    sheets = desk.book(conn).sheets
    counts = instances_by_version(conn, [each.id for each in latest])
    found = []
    for each in latest:
        parts = parts_of(desk, conn, each.id)
        newest = max(parts, key=lambda part: part.deployment_key)
        mine = {version: its for (id, version), its in counts.items() if id == each.id}
        name = sheets[each.id][1].name if each.id in sheets else each.name
        found.append(
            Procedure(
                each.id, name or each.id, each.version, newest.deployed_at, newest.deployed_by,
                {version: its.running for version, its in sorted(mine.items(), reverse=True) if its.running},
                sum(its.ended for its in mine.values()), each.id in sheets,
            )
        )
    return sorted(found, key=lambda each: (not each.sheet, each.name))
