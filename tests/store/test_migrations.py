"""The migrations keep what an older release has stored, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from alembic import command
from sqlalchemy import inspect, text

from engine import Engine
from engine.store import schema
from engine.store.database import Database

INSTANT = datetime(2026, 11, 2, 1, 2, 3, 456789, tzinfo=UTC)

OLD_ROWS = {
    "definition": {
        "key": 1, "kind": "process", "id": "p", "version": 1, "name": "The p", "checksum": "0", "deployment_key": 2, "resource_key": 3,
        "deployed_at": INSTANT, "deployed_by": "designer",
    },
    "instance": {
        "key": 4, "process_id": "p", "version": 1, "definition_key": 1, "state": "COMPLETED", "root_key": 4, "revision": 7, "snapshot": "{}",
        "started_at": INSTANT, "ended_at": INSTANT,
    },
    "job": {"key": 5, "instance_key": 4, "type": "mail", "state": "CREATED", "retries": 3, "headers": "{}", "available_at": INSTANT, "created_at": INSTANT},
    "incident": {
        "key": 6, "instance_key": 4, "root_key": 4, "element_id": "a", "token": 2, "type": "JOB_NO_RETRIES", "message": "down", "created_at": INSTANT,
    },
}  # fmt: skip

NEW_VALUES = {
    "definition": {"suspended_at": None, "revision": 1},
    "instance": {"removal_at": None, "correlation_key": None},
    "job": {"attempts": 0},
    "incident": {"job_key": None, "details": None, "resolved_by": None},
}


@pytest.fixture
def database(empty_database_url):
    made = Database(empty_database_url)
    yield made
    made.dispose()


def fill(connection) -> None:
    for table, row in OLD_ROWS.items():
        values = {name: str(value) if isinstance(value, datetime) else value for name, value in row.items()}
        names = ", ".join(f'"{name}"' for name in values)
        connection.execute(text(f"INSERT INTO {table} ({names}) VALUES ({', '.join(f':{name}' for name in values)})"), values)


def rows(connection) -> dict[str, dict]:
    return {table: dict(connection.execute(text(f"SELECT * FROM {table}")).mappings().one()) for table in OLD_ROWS}


def test_what_the_first_release_stored_is_there_after_the_upgrade_and_may_be_taken_back(database):
    with database.writing() as connection:
        command.upgrade(schema.config(connection), "0001")
        fill(connection)
        before = rows(connection)
    schema.upgrade(database)
    with database.reading() as connection:
        after = rows(connection)
    assert after == {table: {**before[table], **NEW_VALUES[table]} for table in OLD_ROWS}
    with database.writing() as connection:
        command.downgrade(schema.config(connection), "0001")
        assert rows(connection) == before
        assert not {"batch", "batch_item", "variable_change", "message_start"} & set(inspect(connection).get_table_names())


def test_an_engine_reads_what_the_first_release_stored(database, empty_database_url, clock):
    with database.writing() as connection:
        command.upgrade(schema.config(connection), "0001")
        fill(connection)
    engine = Engine(empty_database_url, clock=clock)
    engine.migrate()
    (incident,) = engine.incidents()
    assert (incident.key, incident.job_key, incident.details, incident.process_id) == (6, None, None, "p")
    assert [item.suspended_at for item in engine.catalogue.all()] == [None]
    engine.dispose()
