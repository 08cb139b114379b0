"""The statements of the room: real cases to show a ladder on."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, Select, select

from engine.runtime.casework.access import MONITORS, visible_cases
from engine.store.tables import case_file, clock

OFFERED = 30
"""Cases in the list to choose from."""
STOPPED = "STOPPED"


def _open_cases(desk: Any, conn: Connection, login: str) -> Select:
    """Open cases with a running clock that the person may read; who minds how processes run may see every case here, as there."""
    case = case_file.c
    running = select(clock.c.case_key).where(clock.c.state != STOPPED)
    columns = (case.key, case.case_no, case.title, case.starter, case.section_code)
    statement = select(*columns).where(case.closed_at.is_(None), case.key.in_(running)).order_by(case.received_at.desc())
    groups = desk.people.groups(login, conn)
    if not MONITORS.isdisjoint(groups):
        return statement
    return statement.where(visible_cases(groups, desk.access.identities(conn, login), desk.readable_procedures(login)))


def access_open_case(desk: Any, conn: Connection, login: str, number: str) -> Row | None:
    """An open case by its number, the latest one without a number; ``None`` when there is none that the person may see."""
    statement = _open_cases(desk, conn, login)
    if number:
        statement = statement.where(case_file.c.case_no == number)
    return conn.execute(statement.limit(1)).one_or_none()


def offered(desk: Any, conn: Connection, login: str) -> list[Row]:
    """The latest open cases, for the list to choose from."""
    return list(conn.execute(_open_cases(desk, conn, login).limit(OFFERED)))
