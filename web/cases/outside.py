"""What people outside the office see: an applicant of the own case, and everybody on the public list (公示公开).

Both follow the key ``public`` of the procedure sheet in use: nothing, the status, or the status and the columns it names, once the case
has had one of the statuses it names (``case_file.public_at``).  Who applied always sees the status of the own case, what they entered
themselves, and what is awaited from them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from flask import g, render_template, request
from sqlalchemy import Connection, Row

from engine.runtime.casework.access import OUTSIDE
from engine.runtime.sheets import PUBLIC_HEADS, Formula, Sheet, hidden_name
from engine.words import T, Words
from web.cases import answers, blueprint, queries
from web.cases.answers import engine
from web.cases.clock_view import clock_views
from web.cases.uploads import stored_files
from web.inbox.state import PAGE_SIZE
from web.people import Person

HEAD_WORDS: dict[str, Words] = {
    "title": T("Title"), "applicant": T("Applicant"), "county": T("County"), "received_at": T("Time of receipt"), "result": T("Result"),
    "closed_at": T("Closed"),
}  # fmt: skip
"""Key of :data:`engine.runtime.sheets.PUBLIC_HEADS` → its heading."""


@dataclass(frozen=True)
class Shown:
    """One public value of a case; ``at`` instead of a text for a moment."""

    label: Words | str
    value: Any = None
    at: Any = None


def is_outside(person: Person) -> bool:
    """Whether somebody belongs to an applicant, not to the office."""
    return person.section_kind == OUTSIDE


def own_part(person: Person, lines: Sequence[Row], by: str) -> list[Row]:
    """Of lines of a trail, or documents, what ``person`` or whoever they stand in for did; column ``by`` has who it was."""
    mine = {person.login, *person.principals}
    return [line for line in lines if getattr(line, by) in mine]


def columns_of(sheet: Sheet) -> list[tuple[str, Words | str]]:
    """Key and heading of the columns that a sheet makes public."""
    labels = {each.key: each.label for each in sheet.register}
    return [(key, labels.get(key) or HEAD_WORDS[key]) for key in sheet.public.columns if key in labels or key in HEAD_WORDS]


def public_values(case: Row, sheet: Sheet, own: Sheet | None) -> list[Shown]:
    """The public columns of a case, in order; empty where ``own``, the sheet it was opened under, held the value confidential."""
    return [_shown(case, key, label, own) for key, label in columns_of(sheet)]


def _shown(case: Row, key: str, label: Words | str, own: Sheet | None) -> Shown:
    if own is None or hidden_name(own, _formula(own, key)):
        return Shown(label)
    if key in {each.key for each in own.register} or key not in PUBLIC_HEADS:
        return Shown(label, (case.register or {}).get(key))
    return Shown(label, at=getattr(case, key)) if key.endswith("_at") else Shown(label, getattr(case, key))


def _formula(sheet: Sheet, key: str) -> Formula:
    found = {**sheet.header, "title": sheet.title, **{each.key: each.value for each in sheet.register}}.get(key)
    return found or Formula("")


# --- the own case ---------------------------------------------------------------------------------------------------------------


def own_case(conn: Connection, case: Row, actions: Sequence[Any], open_tasks: Sequence[Row]) -> str:
    """The page of a case for who applied."""
    desk, now, calendar = engine().desk, engine().clock(), engine().calendar
    hide = answers.masking(conn, case)
    entry = desk.book(conn).procedure(case.procedure_id)
    sheet = entry[1] if entry else hide.sheet
    trail = own_part(g.person, queries.trail_of(conn, case.key), "actor")
    files = own_part(g.person, queries.attachments_of(conn, case.key), "uploaded_by")
    running = [view for view in clock_views(queries.clocks_of(conn, case.key), [], desk.book(conn), calendar, now, {}) if view.of_case and view.row.state != "STOPPED"]
    mine = {g.person.login, *g.person.principals}
    return render_template(
        "cases/own.html", case=case, procedure=sheet.name if sheet else case.procedure_id, main=running[0] if running else None, files=files,
        values=public_values(case, sheet, hide.sheet) if sheet and sheet.public.show == "columns" and case.public_at else [], actions=actions,
        earlier=answers.earlier_answers(conn, case, trail, hide, stored_files(files)), awaited=[task for task in open_tasks if task.assignee in mine],
    )  # fmt: skip


# --- the public list ----------------------------------------------------------------------------------------------------------------


@blueprint.get("/public")
def public_list():
    """The cases of a procedure as far as its sheet makes them public, the latest first."""
    g.room = "public"
    page = request.args.get("page", "1")
    page = max(1, int(page)) if page.isdecimal() and len(page) < 7 else 1
    with engine().reading() as conn:
        desk = engine().desk
        sheets = {id: sheet for id, (_, sheet) in desk.book(conn).sheets.items() if sheet.public.show != "none"}
        chosen = request.args.get("procedure", "")
        chosen = chosen if chosen in sheets else next(iter(sheets), "")
        sheet = sheets.get(chosen)
        rows = queries.public_cases(conn, chosen, page, PAGE_SIZE) if sheet else []
        lines = [(row, public_values(row, sheet, desk.sheet_of(conn, row.procedure_key)) if sheet.public.show == "columns" else []) for row in rows]
    total = rows[0].total if rows else 0
    return render_template(
        "cases/public.html", sheets=sheets, chosen=chosen, sheet=sheet, lines=lines, columns=columns_of(sheet) if sheet and sheet.public.show == "columns" else [],
        page=page, pages=max(1, ceil(total / PAGE_SIZE)), total=total,
    )  # fmt: skip
