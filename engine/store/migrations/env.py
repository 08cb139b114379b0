"""Alembic's entry: runs on the connection that :mod:`engine.store.schema` hands over."""

from alembic import context
from sqlalchemy import JSON

from engine.store.tables import metadata
from engine.store.types import Instant


def render_item(kind, item, autogen_context):
    """Write our own column types so that a migration imports what it uses."""
    if kind == "type" and isinstance(item, (Instant, JSON)):
        name = "Instant" if isinstance(item, Instant) else "Document"
        autogen_context.imports.add(f"from engine.store.types import {name}")
        return f"{name}()" if name == "Instant" else name
    return False


connection = context.config.attributes["connection"]
context.configure(
    connection=connection, target_metadata=metadata, render_as_batch=connection.dialect.name == "sqlite", render_item=render_item
)
with context.begin_transaction():
    context.run_migrations()
