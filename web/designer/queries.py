"""The statements of procedure design."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, Row, func, select

from engine.store.tables import definition, instance, person, resource


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
