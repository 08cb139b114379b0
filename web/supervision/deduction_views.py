"""Deductions in the assessment 考核扣分: by month and section, with totals, one entry, and how it is reversed by two people."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from math import ceil
from typing import Any

from flask import flash, g, redirect, render_template, request, session, url_for
from flask_babel import gettext as _

from engine.errors import Conflict, InvalidState, NotFound, ValidationFailed
from engine.runtime.supervision import deductions
from engine.words import T, Words
from web import filters, security
from web.i18n import say
from web.people import requires
from web.requests import number
from web.supervision import blueprint, bulletin_queries, card_queries, views
from web.supervision.order_views import my_groups, my_identities, page_number, today
from web.supervision.state import PAGE_SIZE
from web.supervision.views import engine

STATES: dict[str, Words] = {"VALID": T("Counts"), "ASKED": T("Reversal asked for"), "REVERSED": T("Reversed")}
DONE: dict[str, Words] = {
    "ask": T("The reversal was asked for; a second person decides."), "reverse": T("The deduction was reversed."), "keep": T("The deduction stands."),
}  # fmt: skip
MONTHS = 12
"""Months to choose from, the present one first."""

views.PAGES["supervision.deductions"] = T("Deductions")


@blueprint.app_context_processor
def words_of_deductions() -> dict[str, Any]:
    return {"deduction_states": STATES, "points_text": deductions.points_text}


def _months() -> list[str]:
    """The last months as ``2026-11``."""
    day, found = today().replace(day=1), []
    for _number in range(MONTHS):
        found.append(f"{day:%Y-%m}")
        day = (day - timedelta(days=1)).replace(day=1)
    return found


def _between(month: str) -> tuple[datetime, datetime]:
    """The instants at which a month ``2026-11`` begins and ends in the office."""
    first = date.fromisoformat(f"{month}-01")
    after = (first + timedelta(days=32)).replace(day=1)
    calendar = engine().calendar
    return calendar.instant(first, time.min), calendar.instant(after, time.min)


def _asked() -> tuple[str, str, str]:
    """Month, section and state of the address; what is senseless is read as the default."""
    months, month = _months(), request.args.get("month", "")
    state = request.args.get("state", "")
    return month if month in months else months[0], request.args.get("section", "")[:60], state if state in STATES else ""


def _readable() -> Any:
    return deductions.PAPERS.listed(views.overseen(), my_identities(), my_groups())


@blueprint.get("/assessment", endpoint="deductions")
@requires("supervise")
def index():
    """The entries of a month, with the totals of the sections."""
    g.room = "supervision"
    page, (month, section, state) = page_number(), _asked()
    since, until = _between(month)
    mine = _readable()
    with engine().reading() as conn:
        rows, total = bulletin_queries.deductions(conn, mine, since, until, section, state, page)
        sums = bulletin_queries.totals(conn, mine, since, until)
    if not rows and page > 1:
        return redirect(filters.with_query(page=None))
    session["deductions_url"] = request.full_path.rstrip("?")
    sections = [each for each in engine().desk.people.directory().sections.values() if each.active]
    return render_template(
        "supervision/deductions.html", rows=rows, total=total, page=page, pages=max(1, ceil(total / PAGE_SIZE)), month=month, months=_months(),
        section=section, sections=sections, state=state, sums=sums,
    )  # fmt: skip


@blueprint.get("/assessment/export.xlsx", endpoint="export_deductions")
@requires("supervise")
def export():
    """The filtered entries of a month as a workbook, the totals of the sections below."""
    month, section, state = _asked()
    since, until = _between(month)
    mine = _readable()
    with engine().reading() as conn:
        rows, total = bulletin_queries.deductions(conn, mine, since, until, section, state, 0)
        sums = bulletin_queries.totals(conn, mine, since, until)
    heads = [_("Section"), _("Person"), _("Points"), _("Reason"), _("Case number"), _("State"), _("When"), _("What was decided")]
    lines: list[list[Any]] = [
        [
            filters.section_name(row.section_code), filters.person_name(row.login) if row.login else "", deductions.points_text(row.tenths), row.reason,
            row.case_no, say(STATES[row.state]), filters.localdatetime(row.made_at), row.decided_reason or row.asked_reason or "",
        ]
        for row in rows
    ]  # fmt: skip
    if total > len(rows):
        lines.append([_("%(total)d in all; the first %(shown)d are listed.", total=total, shown=len(rows))])
    lines += [[], [_("Section"), _("Entries"), _("Points"), _("Reversed")]]
    lines += [[filters.section_name(each.section_code), each.entries, deductions.points_text(each.tenths), each.reversed] for each in sums]
    return views.spreadsheet(f"{_('Deductions')}{month}", heads, lines)


def _show(key: int, status: int = 200, errors: Any = None, action: str = ""):
    g.room = "supervision"
    visible = views.overseen()
    with engine().reading() as conn:
        row = deductions.PAPERS.access(engine().desk, conn, key, g.person.login, security.address())
        case = card_queries.case_of(conn, row.case_key, visible)
    groups = my_groups()
    page = render_template(
        "supervision/deduction.html", entry=row, case=case, may_ask=deductions.may_ask(row, groups),
        may_decide=deductions.may_decide(row, g.person.login, groups), errors=errors or {}, action=action, entered=request.form,
    )  # fmt: skip
    return page, status


@blueprint.get("/assessment/<int:key>")
def deduction_page(key: int):
    """One entry, and what this person may do about it."""
    return _show(key)


@blueprint.post("/assessment/<int:key>/<action>")
def deduction_act(key: int, action: str):
    """Ask that it be reversed; reverse it, or let it stand."""
    if action not in DONE:
        raise NotFound("There is no such operation.")
    text, revision = request.form.get("text", ""), request.form.get("revision", "")
    who = {"revision": number(revision), "by": g.person.login, "address": security.address()}
    try:
        if action == "ask":
            deductions.ask(engine().desk, key, text, **who)
        else:
            deductions.decide(engine().desk, key, text, reverse=action == "reverse", **who)
    except ValidationFailed as refused:
        return _show(key, 422, refused.errors, action)
    except Conflict as refused:
        flash(say(refused.message), "warning")
        return _show(key, 409, {}, action)
    except InvalidState as refused:
        flash(say(refused.message), "warning")
    else:
        flash(say(DONE[action]), "success")
    return redirect(url_for("supervision.deduction_page", key=key))
