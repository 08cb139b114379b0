"""Creating and upgrading the tables through Alembic's migrations."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect

from engine.store.database import Database
from engine.store.tables import metadata

MIGRATIONS = Path(__file__).parent / "migrations"


def config(connection=None) -> Config:
    """Alembic's configuration over ``connection``."""
    result = Config()
    result.set_main_option("script_location", str(MIGRATIONS))
    result.attributes["connection"] = connection
    return result


def upgrade(database: Database) -> None:
    """Bring the database to the newest schema.

    An empty database gets the tables directly and is stamped with the newest revision; a test holds that the migrations lead
    to the same schema.  Running it again changes nothing.
    """
    with database.writing() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
        head = ScriptDirectory.from_config(config()).get_current_head()
        if current == head:
            return
        if current is None and not inspect(connection).get_table_names():
            metadata.create_all(connection)
            command.stamp(config(connection), "head")
        else:
            command.upgrade(config(connection), "head")
