"""Bulletins 通报: the list, one bulletin with what was said on it, its paper and Word file, and what is done with it."""

from __future__ import annotations

from io import BytesIO
from math import ceil
from typing import Any

from flask import current_app, flash, g, redirect, render_template, request, send_file, session, url_for
from flask_babel import gettext as _

from engine.errors import Conflict, InvalidState, NotFound, ValidationFailed
from engine.runtime.supervision import bulletin_text, bulletins
from engine.words import T, Words
from web import filters, security
from web.i18n import say
from web.people import INSIDE, requires
from web.requests import number
from web.supervision import blueprint, bulletin_queries, card_queries, documents, views
from web.supervision.order_views import my_groups, my_identities, page_number, today
from web.supervision.state import PAGE_SIZE
from web.supervision.views import engine

STATES: dict[str, Words] = {"DRAFT": T("not yet approved"), "APPROVED": T("Approved"), "ISSUED": T("Officially issued"), "WITHDRAWN": T("Withdrawn")}
STEPS: dict[str, Words] = {
    "draft": T("drafted"), "change": T("changed the text"), "object": T("stated a view"), "weigh": T("weighed the view"), "approve": T("approved"),
    "return": T("to be changed"), "issue": T("issued officially"), "withdraw": T("withdrawn"), "note": T("noted"),
}  # fmt: skip
SHOWN: dict[str, Words] = {"open": T("Not yet issued"), "heard": T("View to be weighed"), **STATES, "all": T("All")}
DONE: dict[str, Words] = {
    "change": T("The text was saved."), "object": T("Your view was sent."), "weigh": T("The section was told how its view was weighed."),
    "approve": T("The bulletin is approved."), "return": T("The bulletin is a draft again."), "issue": T("The bulletin was issued."),
    "withdraw": T("The bulletin was withdrawn."),
}  # fmt: skip
WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"

views.PAGES["supervision.bulletins"] = T("Bulletins")


@blueprint.app_context_processor
def words_of_bulletins() -> dict[str, Any]:
    return {"bulletin_states": STATES, "bulletin_steps": STEPS, "baseless": bulletins.BASELESS}


def readable() -> Any:
    """SQL for the bulletins this person may read."""
    return bulletins.PAPERS.listed(views.overseen(), my_identities(), my_groups())


def _page(page: int) -> tuple[list[Any], int, str, str]:
    shown, section = request.args.get("shown", "open"), request.args.get("section", "")[:60]
    shown = shown if shown in SHOWN else "open"
    mine = readable()
    with engine().reading() as conn:
        rows, total = bulletin_queries.listed(conn, mine, shown, section, page)
    return rows, total, shown, section


@blueprint.get("/bulletins", endpoint="bulletins")
@requires(INSIDE)
def index():
    """The bulletins this person may read: of all cases for who oversees, else those about them or their section."""
    g.room = "supervision"
    page = page_number()
    rows, total, shown, section = _page(page)
    if not rows and page > 1:
        return redirect(filters.with_query(page=None))
    session["bulletins_url"] = request.full_path.rstrip("?")
    sections = [each for each in engine().desk.people.directory().sections.values() if each.active]
    return render_template(
        "supervision/bulletins.html", rows=rows, total=total, page=page, pages=max(1, ceil(total / PAGE_SIZE)), shown=shown, section=section,
        kinds=SHOWN, sections=sections,
    )  # fmt: skip


@blueprint.get("/bulletins/export.xlsx", endpoint="export_bulletins")
@requires("supervise")
def export():
    """The filtered list as a workbook."""
    rows, total, _shown, _section = _page(0)
    heads = [_("Bulletin number"), _("State"), _("Title"), _("Case number"), _("Section"), _("Person"), _("Reason"), _("Drafted"), _("Approved by"), _("Issued on"), _("Withdrawn")]
    lines = [
        [
            row.number or "", say(STATES[row.state]), row.title, row.case_no, filters.section_name(row.to_section),
            filters.person_name(row.to_login) if row.to_login else "", row.reason, filters.localdatetime(row.drafted_at),
            filters.person_name(row.approved_by) if row.approved_by else "", filters.localdatetime(row.issued_at), filters.localdatetime(row.ended_at),
        ]
        for row in rows
    ]  # fmt: skip
    if total > len(rows):
        lines.append([_("%(total)d in all; the first %(shown)d are listed.", total=total, shown=len(rows))])
    return views.spreadsheet(_("Bulletins"), heads, lines)


def _read(key: int) -> tuple[Any, Any, list[Any]]:
    """The bulletin, its case (number and procedure only, for whoever it is about) and what was said on it."""
    visible = views.overseen()
    with engine().reading() as conn:
        row = bulletins.PAPERS.access(engine().desk, conn, key, g.person.login, security.address())
        return row, card_queries.case_of(conn, row.case_key, visible), bulletins.steps(conn, key)


def _show(key: int, status: int = 200, errors: Any = None, action: str = ""):
    g.room = "supervision"
    row, case, steps = _read(key)
    heard = any(step.action == "object" for step in steps)
    allowed = bulletins.allowed(row, g.person.login, my_identities(), my_groups(), heard, today())
    page = render_template(
        "supervision/bulletin.html", bulletin=row, case=case, steps=steps, allowed=allowed, object_by=bulletins.object_by(row), today=today(),
        heard=heard, errors=errors or {}, action=action, entered=request.form,
    )  # fmt: skip
    return page, status


@blueprint.get("/bulletins/<int:key>")
def bulletin_page(key: int):
    """One bulletin: its text, what was said, and what this person may do with it."""
    return _show(key)


@blueprint.get("/bulletins/<int:key>/print")
def bulletin_print(key: int):
    """The bulletin as an A4 page."""
    row, _case, _steps = _read(key)
    return render_template("supervision/bulletin_print.html", bulletin=row, **_paper(row))


@blueprint.get("/bulletins/<int:key>/bulletin.docx")
def bulletin_word(key: int):
    """The bulletin as a Word file in the form of an official document."""
    row, _case, _steps = _read(key)
    paper = _paper(row)
    report = documents.Report(
        title=row.title, office="", period=paper["number"], facts=[line.strip("　 ") for line in row.text.splitlines() if line.strip("　 ")], tables=[],
        signature=f"{paper['office']}　{paper['day']}".strip("　"), footer=paper["footer"],
    )  # fmt: skip
    return send_file(BytesIO(documents.word(report)), mimetype=WORD, as_attachment=True, download_name=f"{row.number or row.title}.docx")


def _paper(row: Any) -> dict[str, str]:
    """What the paper says around the text; the document is Chinese whatever the language of the pages."""
    calendar = engine().calendar
    issued = row.issued_at
    return {
        "number": row.number or "（草稿，未印发）",
        "office": current_app.config.get("OFFICE_NAME", ""),
        "day": bulletin_text.chinese_day(calendar.local(issued).date()) if issued else "",
        "footer": _("Printed %(time)s by %(name)s", time=filters.localdatetime(engine().clock()), name=g.person.name),
    }


@blueprint.post("/bulletins/<int:key>/<action>")
def bulletin_act(key: int, action: str):
    """Change, state a view, weigh it, approve, send back, issue or withdraw."""
    command = bulletins.COMMANDS.get(action)
    if command is None:
        raise NotFound("There is no such operation.")
    revision, form = request.form.get("revision", ""), request.form
    more = {"title": form.get("title", ""), "reason": form.get("reason", "")} if action == "change" else {}
    try:
        command(
            engine().desk, key, form.get("text", ""), revision=number(revision),
            by=g.person.login, address=security.address(), **more,
        )  # fmt: skip
    except ValidationFailed as refused:
        return _show(key, 422, refused.errors, action)
    except Conflict as refused:
        flash(say(refused.message), "warning")
        # What was typed must not be lost to somebody else's change; it stands in the form again, beside the new text.
        return _show(key, 409, {}, action)
    except InvalidState as refused:
        flash(say(refused.message), "warning")
    else:
        flash(say(DONE[action]), "success")
    return redirect(url_for("supervision.bulletin_page", key=key))
