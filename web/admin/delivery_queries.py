"""The statements of the page of deliveries."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, Row, func, select

from engine.store.tables import case_file, delivery

PAGE_SIZE = 30


@dataclass(frozen=True)
class DeliveryFilter:
    """Empty values choose everything."""

    state: str = "FAILED"
    channel: str = ""
    login: str = ""
    page: int = 1


def page(conn: Connection, chosen: DeliveryFilter) -> tuple[list[Row], int]:
    """One page of deliveries, the latest first, with their case numbers; and how many there are."""
    row = delivery.c
    statement = select(delivery, case_file.c.case_no, func.count().over().label("total")).select_from(
        delivery.outerjoin(case_file, case_file.c.key == row.case_key)
    )
    for column, value in ((row.state, chosen.state), (row.channel, chosen.channel), (row.login, chosen.login)):
        if value:
            statement = statement.where(column == value)
    rows = list(conn.execute(statement.order_by(row.key.desc()).limit(PAGE_SIZE).offset((chosen.page - 1) * PAGE_SIZE)))
    return rows, rows[0].total if rows else 0


def counts(conn: Connection) -> dict[str, dict[str, int]]:
    """Channel → state → how many; one statement over the index of channel and state."""
    found: dict[str, dict[str, int]] = {}
    for row in conn.execute(select(delivery.c.channel, delivery.c.state, func.count()).group_by(delivery.c.channel, delivery.c.state)):
        found.setdefault(row[0], {})[row[1]] = row[2]
    return found


def failed(conn: Connection) -> int:
    """How many deliveries have failed and wait for an administrator."""
    return conn.execute(select(func.count()).select_from(delivery).where(delivery.c.state == "FAILED")).scalar_one()
