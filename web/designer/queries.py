"""The statements of procedure design."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, Row, func, select

from engine.store.tables import definition, design_companion, design_draft, design_submission, instance, person, resource


@dataclass(frozen=True)
class Listed:
    """One definition with all its versions, the newest first; ``running`` counts live instances over all of them."""

    kind: str
    id: str
    name: str
    versions: tuple[Row, ...]

    @property
    def running(self) -> int:
        return sum(row.running for row in self.versions)


def definitions(conn: Connection) -> list[Listed]:
    """Everything that was ever deployed, grouped by kind and id, with the live instances of each version."""
    live = (
        select(instance.c.definition_key, func.count().label("running"))
        .where(instance.c.state.in_(("ACTIVE", "SUSPENDED")))
        .group_by(instance.c.definition_key)
        .subquery()
    )
    rows = conn.execute(
        select(definition, resource.c.name.label("file"), func.coalesce(live.c.running, 0).label("running"), person.c.name.label("deployer"))
        .join(resource, resource.c.key == definition.c.resource_key)
        .outerjoin(live, live.c.definition_key == definition.c.key)
        .outerjoin(person, person.c.login == definition.c.deployed_by)
        .order_by(definition.c.kind, definition.c.id, definition.c.version.desc())
    )
    grouped: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        grouped.setdefault((row.kind, row.id), []).append(row)
    return [Listed(kind, id, versions[0].name, tuple(versions)) for (kind, id), versions in grouped.items()]


def version(conn: Connection, key: int) -> Row | None:
    """One version with its file."""
    return conn.execute(
        select(definition, resource.c.name.label("file"), resource.c.content, person.c.name.label("deployer"))
        .join(resource, resource.c.key == definition.c.resource_key)
        .outerjoin(person, person.c.login == definition.c.deployed_by)
        .where(definition.c.key == key)
    ).one_or_none()


def versions_of(conn: Connection, kind: str, id: str) -> list[Row]:
    """Number and date of all versions of a definition, the newest first."""
    columns = (definition.c.key, definition.c.version, definition.c.deployed_at)
    return list(conn.execute(select(*columns).where(definition.c.kind == kind, definition.c.id == id).order_by(definition.c.version.desc())))


# --- the room ---------------------------------------------------------------------------------------------------------

ROWS_LIMIT = 200
"""Drafts listed at most in each state, the latest first."""


def drafts_listed(conn: Connection, states: tuple[str, ...], process_id: str | None = None) -> list[Row]:
    """Drafts without their files, the latest first."""
    row = design_draft.c
    chosen = (
        select(row.key, row.process_id, row.title, row.owner, row.state, row.revision, row.saved_by, row.saved_at)
        .where(row.state.in_(states))
        .order_by(row.saved_at.desc(), row.key.desc())
        .limit(ROWS_LIMIT)
    )
    return list(conn.execute(chosen if process_id is None else chosen.where(row.process_id == process_id)))


def scenarios_by_process(conn: Connection) -> dict[str, tuple[int | None, int]]:
    """Process id → (scenarios that passed at the last publication, ``None`` when they were never asked; scenarios there are)."""
    beside, sent = design_companion.c, design_submission.c
    newest = (
        select(beside.process_id, beside.name, func.max(beside.deployment_key).label("newest"))
        .where(beside.name.like("scenarios/%"))
        .group_by(beside.process_id, beside.name)
        .subquery()
    )
    kept = (
        select(beside.process_id, func.count().label("number"))
        .join(newest, (newest.c.process_id == beside.process_id) & (newest.c.name == beside.name) & (newest.c.newest == beside.deployment_key))
        .where(beside.content.is_not(None))
        .group_by(beside.process_id)
    )
    passed: dict[str, int] = {}
    published = select(sent.process_id, sent.scenarios).where(sent.state == "PUBLISHED").order_by(sent.published_at)
    for row in conn.execute(published):
        passed[row.process_id] = sum(1 for _name, _title, ok in row.scenarios if ok)
    return {
        row.process_id: (min(passed[row.process_id], row.number) if row.process_id in passed else None, row.number) for row in conn.execute(kept)
    }
