"""The index of searchable values is kept by the database itself, however its tables were made."""

from __future__ import annotations

import pytest
from alembic import command
from sqlalchemy import text

from engine import Engine
from engine.store import schema
from engine.store.database import Database

TRIGGERS = {
    "sqlite": "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'case_file' ORDER BY name",
    "postgresql": (
        "SELECT event_manipulation, action_statement FROM information_schema.triggers WHERE event_object_table = 'case_file'"
        " AND trigger_schema = current_schema() ORDER BY 1"
    ),
}


def triggers(connection) -> list[tuple[str, str]]:
    rows = connection.execute(text(TRIGGERS[connection.dialect.name]))
    return [(row[0], " ".join(row[1].split())) for row in rows]


@pytest.fixture
def migrated(empty_database_url):
    """What the migrations alone have made of an empty database.  A migration that rebuilds ``case_file`` must make the triggers again."""
    database = Database(empty_database_url)
    with database.writing() as connection:
        command.upgrade(schema.config(connection), "head")
        yield triggers(connection)
    database.dispose()


def test_the_migrations_leave_what_keeps_the_index_in_step(migrated):
    assert len(migrated) >= 3


def test_migrated_and_fresh_tables_keep_the_index_in_the_same_way(migrated):
    fresh = Engine("sqlite://")
    fresh.migrate()
    with fresh.reading() as connection:
        expected = triggers(connection)
    fresh.dispose()
    assert len(expected) == 3
    if migrated[0][0].startswith("case_terms"):  # SQLite; the other database names the events
        assert migrated == expected
