"""The statement behind every request: who a session belongs to."""

from __future__ import annotations

from datetime import date

from sqlalchemy import Connection, and_, bindparam, func, literal, select

from engine.store.tables import deputy, notification, person, person_role, role, section
from web.people import Person

# Built once: every request asks it, and composing it costs more than running it.
PERSON = (
    select(
        person,
        section.c.name.label("section_name"),
        section.c.kind.label("section_kind"),
        select(func.aggregate_strings(person_role.c.role, literal(",")))
        .where(person_role.c.login == person.c.login)
        .scalar_subquery()
        .label("roles"),
        select(func.aggregate_strings(role.c.name, literal(",")))
        .where(role.c.code == person_role.c.role, person_role.c.login == person.c.login)
        .scalar_subquery()
        .label("role_names"),
        select(func.count())
        .where(notification.c.login == person.c.login, notification.c.read_at.is_(None))
        .scalar_subquery()
        .label("unread"),
        select(func.aggregate_strings(deputy.c.login, literal(",")))
        .where(and_(deputy.c.deputy_login == person.c.login, deputy.c.starts_on <= bindparam("the_day"), deputy.c.ends_on >= bindparam("the_day")))
        .scalar_subquery()
        .label("principals"),
    )
    .select_from(person.outerjoin(section, section.c.code == person.c.section_code))
    .where(person.c.login == bindparam("the_login"), person.c.active)
)


def load_person(conn: Connection, login: str, today: date) -> Person | None:
    """The active person with roles, section, unread notices and the people they stand in for on ``today``; one statement."""
    row = conn.execute(PERSON, {"the_login": login, "the_day": today}).one_or_none()
    if row is None:
        return None
    return Person(
        login=row.login,
        name=row.name,
        section_code=row.section_code,
        section_name=row.section_name or "",
        section_kind=row.section_kind or "",
        title=row.title,
        language=row.language,
        session_epoch=row.session_epoch,
        roles=frozenset((row.roles or "").split(",")) - {""},
        role_names=tuple(name for name in (row.role_names or "").split(",") if name),
        unread=row.unread,
        principals=frozenset((row.principals or "").split(",")) - {""},
    )
