"""The statements of administration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, time, timedelta
from typing import Any

from sqlalchemy import Connection, Row, func, or_, select

from engine.store.tables import audit, calendar_day, calendar_year, deputy, person, person_role, role, section

PAGE_SIZE = 30
AUDIT_PAGE_SIZE = 50


@dataclass(frozen=True)
class PeopleFilter:
    """``active`` is ``"1"``, ``"0"`` or empty for everybody."""

    q: str = ""
    section: str = ""
    role: str = ""
    active: str = "1"
    page: int = 1


def people(conn: Connection, chosen: PeopleFilter) -> tuple[list[Row], int]:
    """One page of people with their section and role codes, by section and name; and how many there are."""
    roles = (
        select(func.aggregate_strings(person_role.c.role, ","))
        .where(person_role.c.login == person.c.login)
        .correlate(person)
        .scalar_subquery()
    )
    columns = (
        person.c.login, person.c.name, person.c.title, person.c.phone, person.c.active, person.c.locked_until, person.c.last_login_at,
        person.c.section_code, section.c.name.label("section_name"), roles.label("roles"), func.count().over().label("total"),
    )  # fmt: skip
    statement = select(*columns).select_from(person.outerjoin(section, section.c.code == person.c.section_code))
    if chosen.q:
        needle = chosen.q.lower()
        columns_searched = (func.lower(person.c.name), person.c.login, func.lower(person.c.title), func.coalesce(person.c.phone, ""))
        statement = statement.where(or_(*(column.contains(needle, autoescape=True) for column in columns_searched)))
    if chosen.section:
        statement = statement.where(person.c.section_code == chosen.section)
    if chosen.role:
        statement = statement.where(person.c.login.in_(select(person_role.c.login).where(person_role.c.role == chosen.role)))
    if chosen.active:
        statement = statement.where(person.c.active.is_(chosen.active == "1"))
    ordered = statement.order_by(func.coalesce(section.c.position, 9999), person.c.section_code, person.c.login)
    rows = list(conn.execute(ordered.limit(PAGE_SIZE).offset((chosen.page - 1) * PAGE_SIZE)))
    return rows, rows[0].total if rows else 0


def one_person(conn: Connection, login: str) -> tuple[Row | None, frozenset[str]]:
    """A person and the codes of their roles; two statements."""
    columns = [column for column in person.c if column.name != "password_hash"]
    row = conn.execute(select(*columns, person.c.password_hash.is_not(None).label("has_password")).where(person.c.login == login)).one_or_none()
    roles = frozenset(conn.execute(select(person_role.c.role).where(person_role.c.login == login)).scalars())
    return row, roles


def heads(conn: Connection) -> tuple[dict[str, int], dict[str, int]]:
    """Number of active people of each section and of each role; two statements."""
    by_section = select(person.c.section_code, func.count()).where(person.c.active).group_by(person.c.section_code)
    by_role = (
        select(person_role.c.role, func.count()).join(person, person.c.login == person_role.c.login).where(person.c.active).group_by(person_role.c.role)
    )
    return {row[0]: row[1] for row in conn.execute(by_section)}, {row[0]: row[1] for row in conn.execute(by_role)}


def deputies(conn: Connection) -> list[Row]:
    """All substitutions, the latest end first."""
    return list(conn.execute(select(deputy).order_by(deputy.c.ends_on.desc(), deputy.c.starts_on, deputy.c.key)))


@dataclass(frozen=True)
class AuditFilter:
    """``since`` and ``until`` are office days, both included; ``action`` and ``subject`` are beginnings."""

    by: str = ""
    action: str = ""
    subject: str = ""
    since: date | None = None
    until: date | None = None
    page: int = 1


def log(conn: Connection, chosen: AuditFilter, calendar: Any) -> tuple[list[Row], bool]:
    """One page of the log, the latest first, and whether there is more.  Not counted: a log is long."""
    statement = select(audit).order_by(audit.c.at.desc(), audit.c.key.desc())
    if chosen.by:
        statement = statement.where(audit.c.by == chosen.by)
    if chosen.action:
        statement = statement.where(audit.c.action.startswith(chosen.action, autoescape=True))
    if chosen.subject:
        statement = statement.where(audit.c.subject.startswith(chosen.subject, autoescape=True))
    if chosen.since:
        statement = statement.where(audit.c.at >= calendar.instant(chosen.since, time.min))
    if chosen.until:
        statement = statement.where(audit.c.at < calendar.instant(chosen.until + timedelta(days=1), time.min))
    rows = list(conn.execute(statement.limit(AUDIT_PAGE_SIZE + 1).offset((chosen.page - 1) * AUDIT_PAGE_SIZE)))
    return rows[:AUDIT_PAGE_SIZE], len(rows) > AUDIT_PAGE_SIZE


def years(conn: Connection) -> Sequence[Row]:
    """The calendar years the tables hold, the latest first."""
    return conn.execute(select(calendar_year).order_by(calendar_year.c.year.desc())).all()


def special_days(conn: Connection, year: int) -> list[Row]:
    """The days of a year that are not plain weekdays and weekends."""
    day = calendar_day.c
    chosen = select(calendar_day).where(day.day >= date(year, 1, 1), day.day <= date(year, 12, 31), day.kind.not_in(("workday", "weekend")))
    return list(conn.execute(chosen.order_by(day.day)))



def roles(conn: Connection) -> Sequence[Row]:
    """All roles, by code."""
    return conn.execute(select(role).order_by(role.c.code)).all()
