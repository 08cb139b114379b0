"""The statements of the monitor's lists: processes, instances, groups of incidents.  Each list costs one or two."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, case, exists, func, or_, select

from engine.store.tables import audit, batch_item, case_file, definition, incident, instance, resource, user_task
from web.operations.state import PAGE_SIZE, STATES, InstanceFilter, Selection

EXPORT_LIMIT = 5000
SELECTION_LIMIT = 100_000
"""More cannot stand in one batch."""
GROUPS = 50


# --- processes --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Process:
    """A process with its versions, the newest first; each version carries ``running``, ``suspended``, ``troubled``, ``ended``."""

    id: str
    name: str
    versions: tuple[Row, ...]


def processes(conn: Connection) -> list[Process]:
    """Every version of every process with the numbers of its instances; one statement."""

    def number(*states: str) -> Any:
        return func.sum(case((instance.c.state.in_(states), 1), else_=0))

    counted = (
        select(
            instance.c.definition_key,
            number("ACTIVE").label("running"),
            number("SUSPENDED").label("suspended"),
            number(*STATES["ended"]).label("ended"),
        )
        .group_by(instance.c.definition_key)
        .subquery()
    )
    troubled = (
        select(instance.c.definition_key, func.count(incident.c.instance_key.distinct()).label("troubled"))
        .join(instance, instance.c.key == incident.c.instance_key)
        .where(incident.c.resolved_at.is_(None))
        .group_by(instance.c.definition_key)
        .subquery()
    )
    numbers = (*(func.coalesce(counted.c[name], 0).label(name) for name in ("running", "suspended", "ended")), func.coalesce(troubled.c.troubled, 0).label("troubled"))  # fmt: skip
    rows = conn.execute(
        select(definition.c.key, definition.c.id, definition.c.version, definition.c.name, definition.c.suspended_at, definition.c.deployed_at, *numbers)
        .outerjoin(counted, counted.c.definition_key == definition.c.key)
        .outerjoin(troubled, troubled.c.definition_key == definition.c.key)
        .where(definition.c.kind == "process")
        .order_by(definition.c.id, definition.c.version.desc())
    )
    grouped: dict[str, list[Row]] = {}
    for row in rows:
        grouped.setdefault(row.id, []).append(row)
    return [Process(id, versions[0].name or id, tuple(versions)) for id, versions in grouped.items()]


def definition_row(conn: Connection, key: int) -> Row | None:
    """One version of a process with its numbers of live instances."""
    live = select(func.count()).where(instance.c.definition_key == definition.c.key, instance.c.state.in_(STATES["running"])).scalar_subquery()
    return conn.execute(select(definition, live.label("live")).where(definition.c.key == key, definition.c.kind == "process")).one_or_none()


def drawing(conn: Connection, definition_key: int) -> bytes | None:
    """The BPMN file of a version."""
    joined = select(resource.c.content).join(definition, definition.c.resource_key == resource.c.key)
    return conn.execute(joined.where(definition.c.key == definition_key, definition.c.kind == "process")).scalar()


# --- instances --------------------------------------------------------------------------------------------------------

SOURCE = instance.outerjoin(case_file, case_file.c.key == instance.c.root_key).outerjoin(definition, definition.c.key == instance.c.definition_key)


def _open_incidents() -> Any:
    return select(func.count()).where(incident.c.instance_key == instance.c.key, incident.c.resolved_at.is_(None)).correlate(instance).scalar_subquery()


def _troubled() -> ColumnElement[bool]:
    return exists().where(incident.c.instance_key == instance.c.key, incident.c.resolved_at.is_(None)).correlate(instance)


def _tests(chosen: InstanceFilter, calendar: Any) -> list[Any]:
    tests: list[Any] = []
    if chosen.process:
        tests.append(instance.c.process_id == chosen.process)
    if chosen.version is not None:
        tests.append(instance.c.version == chosen.version)
    if chosen.state:
        tests.append(instance.c.state.in_(STATES[chosen.state]))
    if chosen.incident:
        tests.append(_troubled())
    if chosen.q:
        found = [instance.c.business_key.contains(chosen.q, autoescape=True), case_file.c.case_no.contains(chosen.q, autoescape=True)]
        if chosen.q.isascii() and chosen.q.isdecimal() and len(chosen.q) < 19:
            found += [instance.c.key == int(chosen.q), instance.c.root_key == int(chosen.q)]
        tests.append(or_(*found))
    if chosen.since:
        tests.append(instance.c.started_at >= calendar.instant(chosen.since, time.min))
    if chosen.until:
        tests.append(instance.c.started_at < calendar.instant(chosen.until + timedelta(days=1), time.min))
    return tests


def instances(conn: Connection, chosen: InstanceFilter, calendar: Any) -> tuple[list[Row], int]:
    """One page of instances, the latest first, and how many there are in all."""
    steps = (
        select(func.aggregate_strings(user_task.c.name, "、"))
        .where(user_task.c.instance_key == instance.c.key, user_task.c.state == "CREATED")
        .correlate(instance)
        .scalar_subquery()
    )
    statement = (
        select(
            instance.c.key, instance.c.process_id, instance.c.version, instance.c.state, instance.c.business_key, instance.c.parent_key,
            instance.c.root_key, instance.c.started_at, instance.c.started_by, instance.c.ended_at, definition.c.name.label("process"),
            case_file.c.case_no, steps.label("steps"), _open_incidents().label("incidents"), func.count().over().label("total"),
        )
        .select_from(SOURCE)
        .where(*_tests(chosen, calendar))
        .order_by(instance.c.key.desc())
    )  # fmt: skip
    page = statement.limit(PAGE_SIZE).offset((chosen.page - 1) * PAGE_SIZE) if chosen.page else statement.limit(EXPORT_LIMIT)
    rows = list(conn.execute(page))
    return rows, rows[0].total if rows else 0


SUITABLE: dict[str, Any] = {
    "suspend": lambda: instance.c.state == "ACTIVE",
    "resume": lambda: instance.c.state == "SUSPENDED",
    # A called instance ends, and is deleted, with the one that called it.
    "cancel": lambda: and_(instance.c.state.in_(STATES["running"]), instance.c.parent_key.is_(None)),
    "delete": lambda: and_(instance.c.state.in_(STATES["ended"]), instance.c.parent_key.is_(None)),
    "migrate": lambda: instance.c.state.in_(STATES["running"]),
    "retry": _troubled,
}
"""Operation → the instances it can be done to."""


def _selected(statement: Select, chosen: Selection, calendar: Any) -> Select:
    if chosen.match is not None:
        return statement.where(*_tests(chosen.match, calendar))
    return statement.where(instance.c.key.in_(chosen.keys))


def selection_size(conn: Connection, chosen: Selection, kind: str, calendar: Any) -> tuple[int, int]:
    """How many instances are chosen, and how many of them the operation can be done to; one statement."""
    suitable = func.coalesce(func.sum(case((SUITABLE[kind](), 1), else_=0)), 0)
    row = conn.execute(_selected(select(func.count(), suitable).select_from(SOURCE), chosen, calendar)).one()
    return row[0], row[1]


def selected_keys(conn: Connection, chosen: Selection, kind: str, calendar: Any, *tests: Any, limit: int = SELECTION_LIMIT) -> list[int]:
    """The keys of the chosen instances to which the operation can be done."""
    statement = _selected(select(instance.c.key).select_from(SOURCE).where(SUITABLE[kind](), *tests), chosen, calendar)
    return list(conn.execute(statement.order_by(instance.c.key).limit(limit)).scalars())


def migratable(conn: Connection, chosen: Selection, process_id: str, version: int, calendar: Any, limit: int = SELECTION_LIMIT) -> list[int]:
    """Of the chosen instances those that run in this version; an empty selection means all of them."""
    tests = (instance.c.process_id == process_id, instance.c.version == version)
    everything = Selection(match=InstanceFilter())
    return selected_keys(conn, chosen if chosen.fields else everything, "migrate", calendar, *tests, limit=limit)


def versions_of(conn: Connection, chosen: Selection, calendar: Any) -> list[Row]:
    """Process and version of the chosen instances that run, each once, with their number."""
    columns = (instance.c.process_id, instance.c.version)
    statement = select(*columns, func.count().label("number")).select_from(SOURCE).where(SUITABLE["migrate"]()).group_by(*columns)
    return list(conn.execute(_selected(statement, chosen, calendar)))


def named(conn: Connection, keys: Any) -> dict[int, Row]:
    """Key → case number, business key and state of instances, for lists of keys."""
    if not keys:
        return {}
    columns = (instance.c.key, instance.c.business_key, instance.c.state, case_file.c.case_no)
    return {row.key: row for row in conn.execute(select(*columns).select_from(SOURCE).where(instance.c.key.in_(list(keys))))}


# --- incidents --------------------------------------------------------------------------------------------------------

KIND = (instance.c.process_id, incident.c.element_id, incident.c.type, incident.c.message)


def incident_groups(conn: Connection, process_id: str, page: int) -> tuple[list[Row], int]:
    """Open incidents that say the same at the same element, the most frequent first; and the number of groups."""
    statement = (
        select(
            *KIND, func.count().label("number"), func.count(incident.c.instance_key.distinct()).label("instances"),
            func.min(incident.c.created_at).label("first"), func.max(incident.c.created_at).label("last"), func.max(incident.c.key).label("sample"),
            func.max(instance.c.version).label("version"), func.max(definition.c.name).label("process"),
            func.max(instance.c.definition_key).label("definition_key"), func.max(incident.c.root_key).label("root_key"), func.count().over().label("total"),
        )
        .select_from(incident.join(instance, instance.c.key == incident.c.instance_key).outerjoin(definition, definition.c.key == instance.c.definition_key))
        .where(incident.c.resolved_at.is_(None))
        .group_by(*KIND)
        .order_by(func.count().desc(), func.max(incident.c.key).desc())
    )  # fmt: skip
    if process_id:
        statement = statement.where(instance.c.process_id == process_id)
    rows = list(conn.execute(statement.limit(GROUPS).offset((page - 1) * GROUPS)))
    return rows, rows[0].total if rows else 0


def like(conn: Connection, sample: int, limit: int = SELECTION_LIMIT) -> list[Row]:
    """The open incidents that say the same at the same element as ``sample``: key and instance."""
    joined = incident.join(instance, instance.c.key == incident.c.instance_key)
    row = conn.execute(select(*KIND).select_from(joined).where(incident.c.key == sample)).one_or_none()
    if row is None:
        return []
    same = and_(*(column == value for column, value in zip(KIND, row, strict=True)))
    columns = (incident.c.key, incident.c.instance_key)
    chosen = select(*columns).select_from(joined).where(same, incident.c.resolved_at.is_(None)).order_by(incident.c.key)
    return list(conn.execute(chosen.limit(limit)))


def incidents_of(conn: Connection, instance_key: int, limit: int = 50) -> list[Row]:
    """The incidents of an instance, open ones first, then the latest."""
    statement = select(incident).where(incident.c.instance_key == instance_key)
    order = (case((incident.c.resolved_at.is_(None), 0), else_=1), incident.c.key.desc())
    return list(conn.execute(statement.order_by(*order).limit(limit)))


# --- batches ----------------------------------------------------------------------------------------------------------


def failed_items(conn: Connection, batch_key: int, limit: int) -> list[Row]:
    """What a batch could not do, and why, with the number people know."""
    columns = (batch_item.c.instance_key, batch_item.c.message, instance.c.business_key, case_file.c.case_no)
    joined = batch_item.outerjoin(instance, instance.c.key == batch_item.c.instance_key).outerjoin(case_file, case_file.c.key == instance.c.root_key)
    chosen = select(*columns).select_from(joined).where(batch_item.c.batch_key == batch_key, batch_item.c.state == "FAILED")
    return list(conn.execute(chosen.order_by(batch_item.c.instance_key).limit(limit)))


def cleaned(conn: Connection, limit: int = 20) -> list[Row]:
    """What the clean-up has deleted last."""
    return list(conn.execute(select(audit).where(audit.c.action == "instance.remove").order_by(audit.c.at.desc()).limit(limit)))
