"""One command's transaction: the instant, the person, and the rows that are written together at its end."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, Table, insert, select

from engine.store import tables
from engine.store.types import new_key

ORDER = {table.name: position for position, table in enumerate(tables.metadata.tables.values())}


class Stale(Exception):
    """Somebody else changed a row between our reading and our writing; the command is tried once more."""


class Transaction:
    """What a command knows about itself.

    ``now`` (aware UTC) is read once, so everything a command writes bears one instant.  ``by`` is the login of the person
    who acts (``None``: the system), ``address`` where the request came from, ``node`` this process.
    """

    def __init__(self, conn: Connection, now: datetime, by: str | None, address: str | None, node: str) -> None:
        self.conn, self.now, self.by, self.address, self.node = conn, now, by, address, node
        self._rows: dict[str, tuple[Table, list[dict[str, Any]]]] = {}
        self.evidence: Select | None = None
        """A query that finds something if and only if this transaction was committed; set by what is written, or by the command."""
        self.committing = False
        """Everything is written and the commit has been asked for: an error now leaves open whether it happened."""

    def add(self, table: Table, **row: Any) -> dict[str, Any]:
        """Buffer a row; all rows of a table go in one statement at :meth:`flush`.  The row may still be changed until then.

        Every row of a table must name the same columns.
        """
        self._rows.setdefault(table.name, (table, []))[1].append(row)
        return row

    def rows(self, table: Table) -> list[dict[str, Any]]:
        """The rows of ``table`` buffered so far."""
        return self._rows.setdefault(table.name, (table, []))[1]

    def execute(self, statement, parameters=None):
        """Run a statement now."""
        return self.conn.execute(statement, parameters) if parameters is not None else self.conn.execute(statement)

    def audit(self, action: str, subject: str, **details: Any) -> None:
        """Log who did what to which object (``subject`` is ``kind:key``), when and from where."""
        self.add(
            tables.audit, key=new_key(), at=self.now, by=self.by, action=action, subject=subject, address=self.address, details=details
        )

    def flush(self, *only: Table) -> None:
        """Write the buffered rows (of ``only`` these tables, if named), one statement a table, in the order of the schema."""
        names = {table.name for table in only} or set(self._rows)
        for name in sorted(names & self._rows.keys(), key=ORDER.__getitem__):
            table, rows = self._rows.pop(name)
            if rows:
                self.conn.execute(insert(table), rows)
                if self.evidence is None and "key" in table.c:
                    self.evidence = select(table.c.key).where(table.c.key == rows[0]["key"])
