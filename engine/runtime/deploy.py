"""Deploying files: check everything, then store what is new (design.md §3).

The same content makes no new version, and running instances keep theirs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert
from sqlalchemy.exc import IntegrityError

from engine.bpmn.timers import MODEL_FUNCTIONS, first_due
from engine.bpmn.waiting import reference_to
from engine.dmn import imported_files
from engine.errors import Conflict, DeploymentRejected, Problem
from engine.runtime.limits import batches, ladder_changes
from engine.runtime.live import MAX_LABEL
from engine.runtime.types import DeployedDefinition, Deployment
from engine.store import tables
from engine.store.types import new_key
from engine.words import T

if TYPE_CHECKING:
    from engine.runtime.engine import Engine
    from engine.runtime.transaction import Transaction
from engine.runtime.crosschecks import Found
from engine.runtime.examining import examine


def deploy(
    engine: Engine,
    files: Mapping[str, bytes],
    by: str,
    address: str | None = None,
    *,
    reason: str = "",
    based_on: Mapping[tuple[str, str], int] | None = None,
    first: Callable[[Transaction, int], None] | None = None,
) -> Deployment:
    """Check and store ``files``.  Raises :class:`DeploymentRejected` with all problems; then nothing is stored.

    ``reason`` goes into the log beside who and when.  ``based_on`` names versions, by kind and id, that the files were made from:
    when somebody has deployed a newer one meanwhile, :class:`Conflict` is raised and nothing is stored.  ``first(tx, key)`` is
    called at the beginning of the very transaction that stores the deployment ``key``, for what must be stored together with it.
    """
    files = {name: content.encode() if isinstance(content, str) else bytes(content) for name, content in files.items()}
    found, problems = examine(files, engine.catalogue, engine.desk.people.directory())
    if any(problem.severity == "error" for problem in problems):
        raise DeploymentRejected(sorted(problems, key=lambda problem: problem.severity != "error"))
    if not found:
        message = T("The deployment holds no file with a process, decision, form or sheet.")
        raise DeploymentRejected([Problem(name, None, None, "deploy.empty", message) for name in files or [""]])
    try:
        deployment = _store(engine, files, found, problems, by, address, reason, based_on or {}, first)
    except IntegrityError:
        # Somebody deployed the same thing at the same moment and has taken the version; look again and take the next, or none.
        deployment = _store(engine, files, found, problems, by, address, reason, based_on or {}, first)
    if any(each.kind == "ladders" and each.new and each.version > 1 for each in deployment.definitions):
        # The first of the running clocks follow at once, so that a small office sees the change; the acquirer brings the others.
        ladder_changes.run(engine.desk, batches.SLICE)
    return deployment


def checksums_of(files: Mapping[str, bytes]) -> dict[str, str]:
    """File → SHA-256 of what it says, hexadecimal.

    A decision is new too when a model that it imports is: what it imports is part of what it is.
    """
    imported = imported_files(files)
    parts = {name: b"".join((content, *(files[other] for other in imported.get(name, ())))) for name, content in files.items()}
    return {name: hashlib.sha256(content).hexdigest() for name, content in parts.items()}


def _store(
    engine: Engine,
    files: Mapping[str, bytes],
    found: list[Found],
    problems: list[Problem],
    by: str,
    address: str | None,
    reason: str,
    based_on: Mapping[tuple[str, str], int],
    first: Callable[[Transaction, int], None] | None,
) -> Deployment:
    """Write what is new among ``found`` in one transaction."""
    checksums = checksums_of(files)
    engine.catalogue.forget()
    with engine.transaction(by=by, address=address) as tx:
        key, now = new_key(), tx.now
        if first is not None:
            first(tx, key)
        resources: dict[str, int] = {}
        answers: list[DeployedDefinition] = []
        rows: list[dict[str, Any]] = []
        fresh: list[tuple[Found, dict[str, Any]]] = []
        for item in found:
            latest = engine.catalogue.find(item.kind, item.id, conn=tx.conn)
            if latest is not None and latest.version > based_on.get((item.kind, item.id), latest.version):
                raise Conflict(
                    "“%(name)s” was changed meanwhile (version %(version)d). Look at the new version and enter your change again.",
                    name=latest.name, version=latest.version, by=latest.deployed_by, at=latest.deployed_at,
                )  # fmt: skip
            if latest is not None and latest.checksum == checksums[item.file]:
                answers.append(DeployedDefinition(latest.key, latest.kind, latest.id, latest.version, latest.name, new=False))
                continue
            resource_key = resources.setdefault(item.file, new_key())
            row = {
                "key": new_key(),
                "kind": item.kind,
                "id": item.id,
                "version": latest.version + 1 if latest else 1,
                "name": item.name[:MAX_LABEL],
                "checksum": checksums[item.file],
                "deployment_key": key,
                "resource_key": resource_key,
                "deployed_at": now,
                "deployed_by": by,
            }
            rows.append(row)
            fresh.append((item, row))
            if item.kind == "ladders" and latest is not None:
                ladder_changes.begin(tx, item.id, row["version"], latest.model, item.model)
            answers.append(DeployedDefinition(row["key"], item.kind, item.id, row["version"], item.name, new=True))
        if rows:
            tx.execute(insert(tables.deployment).values(key=key, deployed_at=now, deployed_by=by))
            tx.execute(
                insert(tables.resource),
                [
                    {"key": its, "deployment_key": key, "name": name, "checksum": checksums[name], "content": files[name]}
                    for name, its in resources.items()
                ],
            )
            tx.execute(insert(tables.definition), rows)
            for item, row in fresh:
                if item.kind == "process":
                    _subscribe_starts(
                        tx,
                        item.model,
                        row["key"],
                        [version.key for version in engine.catalogue.all(tx.conn) if version.kind == "process" and version.id == item.id],
                    )
            deployed = [f"{row['kind']}:{row['id']}:{row['version']}" for row in rows]
            tx.audit("definition.deploy", f"deployment:{key}", definitions=deployed, **({"reason": reason} if reason else {}))
    engine.catalogue.forget()
    return Deployment(key, now, tuple(answers), tuple(problem for problem in problems if problem.severity != "error"))


SUBSCRIBED_STARTS = {"message": "message", "signal": "signal", "conditional": "condition"}
"""Kinds of start events that lie in the table of subscriptions, and what they are called there."""


def _subscribe_starts(tx, spec, definition_key: int, older: list[int]) -> None:
    """Message, signal, condition and timer start events wait for the latest version only."""
    if older:
        for table in (tables.subscription, tables.timer):
            tx.execute(delete(table).where(table.c.definition_key.in_(older)))
    for start in spec.starters:
        for index, definition in enumerate(start.definitions):
            reference = reference_to(start, index)
            if definition.kind in ("message", "signal") and not definition.named:
                continue  # nobody can send it
            if definition.kind in SUBSCRIBED_STARTS:
                tx.add(
                    tables.subscription,
                    key=new_key(),
                    kind=SUBSCRIBED_STARTS[definition.kind],
                    name=str(definition.name.evaluate({})) if definition.name is not None else "",
                    correlation_key="",
                    instance_key=None,
                    token=None,
                    definition_key=definition_key,
                    element_id=reference,
                )
            elif definition.kind == "timer":
                due = first_due(definition.timer_type, definition.timer.evaluate(MODEL_FUNCTIONS), tx.now, start.label)
                tx.add(
                    tables.timer,
                    key=new_key(),
                    instance_key=None,
                    definition_key=definition_key,
                    token=None,
                    element_id=reference,
                    due_at=due.at,
                    occurrence=0,
                    repeats=due.repeats if due.every else None,
                    every=due.every,
                )
