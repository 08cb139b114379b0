"""The values by which staff find a case: worked out from the case's variables as the sheet in use says, kept in ``case_file.terms``.

A case keeps the procedure sheet it was opened under, but it is searched by the fields of the sheet that is in use now, as the register
shows the columns of that one.  So each change of a case works its values out anew by the sheet in use, and after a sheet was changed the
older cases follow slice by slice (:func:`refill`), on whichever node wakes first.
"""

from __future__ import annotations

import logging
import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, func, or_, select, update

from engine.bpmn.variables import plain
from engine.errors import EngineError, NotFound
from engine.runtime import instances
from engine.runtime.casework.labels import labelled
from engine.runtime.casework.moments import moment
from engine.runtime.sheets import Formula, Searched, Sheet, hidden_name
from engine.store import tables
from engine.store.tables.terms import WORD

if TYPE_CHECKING:
    from engine.runtime.desk import Desk

log = logging.getLogger(__name__)

SLICE = 100
"""Cases that follow a changed sheet in one transaction; a wake of the acquirer brings one slice."""
MOST_WORDS = 50
"""Values kept of a list: a case with hundreds of names in one field is found by the first."""
_AMOUNT = re.compile(r"-?\d{1,15}(\.\d{1,9})?\Z")
_DAY = re.compile(r"(\d{4})[-/.年]?(\d{1,2})[-/.月]?(\d{1,2})日?\Z")

Term = list[Any]
"""``[name, word, kind, number]``, as the database spreads it over ``case_term``."""


def folded(value: str) -> str:
    """A text as it is compared: small letters, full-width and half-width the same, white space evened out."""
    return " ".join(unicodedata.normalize("NFKC", value).casefold().split())[:WORD].rstrip()


def day_of(text: str) -> str | None:
    """A day written in any of the usual ways (``2026-11-22``, ``20261122``, ``2026年11月22日``) as ``2026-11-22``."""
    found = _DAY.match(text.strip())
    try:
        return date(*(int(part) for part in found.groups())).isoformat() if found else None
    except ValueError:
        return None


def amount_of(text: str) -> float | None:
    """A written amount; ``None`` for anything else."""
    text = unicodedata.normalize("NFKC", text).replace(",", "").strip()
    return float(text) if _AMOUNT.match(text) else None


def terms_of(
    sheet: Sheet, own: Sheet | None, options: Mapping[str, Mapping[str, str]], value_of: Callable[[Formula], Any], before: Any, zone: Any
) -> list[Term]:
    """The values of a case by the fields of ``sheet``; ``value_of`` computes one, null where it cannot.

    As in the register, null leaves what was there before: what a step knew is not forgotten by the next.  A field that is confidential by
    the sheet ``own``, under which the case was opened, is left out, though the sheet in use may allow it.
    """
    kept: dict[str, list[Term]] = {}
    for term in before or ():
        kept.setdefault(term[0], []).append(term)
    found: list[Term] = []
    for field in sheet.search:
        if own is not None and hidden_name(own, field.value):
            continue
        value = value_of(field.value)
        if value is None:
            found += [term for term in kept.get(field.key, ()) if term[2] == field.kind]
            continue
        value = labelled(options, field.value, value)
        rows = [row for each in (value if isinstance(value, list) else [value]) if (row := _term(field, each, zone)) is not None]
        found += {row[1]: row for row in rows[:MOST_WORDS]}.values()
    return found


def _term(field: Searched, value: Any, zone: Any) -> Term | None:
    """One value; ``None`` for what cannot be searched that way: nothing, a whole context, a text where a day or an amount belongs."""
    if value is None or isinstance(value, (Mapping, list)):
        return None
    if field.kind == "date":
        day = _day(value, zone)
        return [field.key, day, "date", None] if day else None
    if field.kind == "number":
        amount = float(value) if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool) else amount_of(str(value))
        return [field.key, f"{amount:.10g}", "number", amount] if amount is not None else None
    text = {True: "是", False: "否"}[value] if isinstance(value, bool) else str(value)
    word = folded(text)
    return [field.key, word, field.kind, None] if word else None


def _day(value: Any, zone: Any) -> str | None:
    if isinstance(value, str) and (day := day_of(value)):
        return day
    try:
        at = moment(value, zone)
    except EngineError:
        return None
    if isinstance(at, datetime):
        return at.astimezone(zone).date().isoformat()
    return at.isoformat() if at is not None else None


# --- older cases after a changed sheet ------------------------------------------------------------------------------------------


def behind(conn: Connection, sheets: Mapping[str, tuple[int, Sheet]]) -> dict[str, int]:
    """Process id → cases whose values are not yet those of the sheet in use; procedures without any are left out."""
    case = tables.case_file.c
    if not sheets:
        return {}
    tests = or_(*((case.procedure_id == process) & or_(case.terms_by.is_(None), case.terms_by != key) for process, (key, _) in sheets.items()))
    return {row[0]: row[1] for row in conn.execute(select(case.procedure_id, func.count()).where(tests).group_by(case.procedure_id))}


def refill(desk: Desk, *, everything: bool = False) -> int:
    """Bring older cases to the searchable fields of the sheets in use, at most :data:`SLICE` of each procedure; with ``everything`` all.

    Returns how many cases were brought.  A node that has found a sheet's cases complete does not ask again before the sheet changes.
    """
    brought = 0
    for process, (key, sheet) in desk.book().sheets.items():
        while everything or desk.searched_by.get(process) != key:
            count = _slice(desk, process, key, sheet)
            brought += count
            if count < SLICE:
                desk.searched_by[process] = key
                break
            if not everything:
                break
    return brought


def _slice(desk: Desk, process: str, key: int, sheet: Sheet) -> int:
    case = tables.case_file
    late = (case.c.procedure_id == process, or_(case.c.terms_by.is_(None), case.c.terms_by != key))
    with desk.engine.transaction(by=desk.OPERATOR) as tx:
        rows = tx.execute(select(case).where(*late).order_by(case.c.key).limit(SLICE)).all()
        for row in rows:
            values = _worked_out(desk, tx, row, sheet)
            # Whoever changed the case meanwhile has worked its values out by the sheet in use, and from newer variables.
            tx.execute(update(case).where(case.c.key == row.key, *late).values(terms=values, terms_by=key, **_publication(row, sheet)))
    return len(rows)


def _publication(row: Row, sheet: Sheet) -> dict[str, Any]:
    """Since when an older case is public by the sheet in use: what its status says now is all that is known of it."""
    if row.public_at is not None or not shows_from(sheet, row.status):
        return {}
    return {"public_at": row.closed_at or row.received_at}


def _worked_out(desk: Desk, tx: Any, row: Row, sheet: Sheet) -> list[Term]:
    try:
        variables = instances.get(desk.engine, tx.conn, row.key).variables
    except NotFound:
        # The process instance is gone; what was known of the case stays.
        variables = {}
    scope = {**desk.functions(tx, row.key), **variables}

    def value_of(formula: Formula) -> Any:
        try:
            return plain(formula.value(scope)) if variables else None
        except EngineError:
            return None

    own, options = desk.sheet_of(tx.conn, row.procedure_key), desk.labels.of(tx.conn, sheet)
    return terms_of(sheet, own, options, value_of, row.terms, desk.zone)


def shows_from(sheet: Sheet, status: str) -> bool:
    """Whether a case that gets this status may be seen outside by the sheet."""
    return sheet.public.show != "none" and (not sheet.public.after or status in sheet.public.after)
