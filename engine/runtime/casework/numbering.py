"""Case numbers 办件编号: ``411600-TS-20261122-0007``.

The serial belongs to everything else in the number: it restarts with each date, code and region (``domain.md`` §5 item 5).
One atomic statement draws it inside the command's transaction, so two clerks never get the same number and a start that
fails gives its number back.
"""

from __future__ import annotations

import string
from datetime import date

from sqlalchemy import Connection

from engine.store.tables import case_number
from engine.store.types import DIALECT_INSERTS


def number_prefix(rule: str, **parts: str) -> str:
    """``rule`` with every part filled in but the serial, whose place is marked ``#``."""
    pieces = []
    for literal, name, spec, _ in string.Formatter().parse(rule):
        pieces.append(literal)
        if name == "serial":
            pieces.append("#")
        elif name is not None:
            pieces.append(format(parts[name], spec or ""))
    return "".join(pieces)


def next_serial(conn: Connection, prefix: str) -> int:
    """The next serial of ``prefix``, from 1 on; the row stays locked until the transaction ends."""
    insert = DIALECT_INSERTS[conn.dialect.name](case_number).values(prefix=prefix, last=1)
    upsert = insert.on_conflict_do_update(index_elements=["prefix"], set_={"last": case_number.c.last + 1})
    return conn.execute(upsert.returning(case_number.c.last)).scalar_one()


def allocate(conn: Connection, rule: str, *, region: str, code: str, day: date) -> str:
    """Draw a case number under ``rule`` (``{region}-{code}-{date}-{serial:04d}``) for an office day."""
    parts = {"region": region, "code": code, "date": day.strftime("%Y%m%d")}
    return rule.format(serial=next_serial(conn, number_prefix(rule, **parts)), **parts)
