"""The work calendar: a year at a glance, changes that one administrator proposes and another approves, and what they did to limits."""

from __future__ import annotations

from datetime import UTC, date, timedelta
from typing import Any

from flask import Response, current_app, flash, g, redirect, render_template, request, url_for
from flask_babel import gettext as _

from engine.deadlines.arrangement import HOURS, STANDING
from engine.deadlines.calendar import CLOSED, IN_LIEU, MAKEUP, STATUTORY, WEEKEND, WORKDAY, YEAR_STATUS_WORDS
from engine.deadlines.hours import OfficeHours
from engine.deadlines.notice_findings import ERROR, NOTE, WARNING, WEEKDAY_WORDS
from engine.deadlines.notices_written import to_ics
from engine.errors import Conflict, EngineError, InvalidState, NotFound, NotPermitted, ValidationFailed
from engine.runtime.limits import calendar_alarm, calendar_proposals, recalculation, worktime
from engine.words import T, Words
from web import security
from web.admin import blueprint, calendar_draft, queries
from web.admin.views import desk, engine, said
from web.i18n import say
from web.people import requires
from web.requests import number

DAY_WORDS: dict[str, Words] = {
    WORKDAY: T("working day"), WEEKEND: T("weekend"), STATUTORY: T("public holiday"), IN_LIEU: T("day off in lieu"),
    MAKEUP: T("make-up working day"), CLOSED: T("this office is closed"), HOURS: T("other office hours"),
    STANDING: T("usual office hours from here on"),
}  # fmt: skip
MARKS: dict[str, Words] = {
    WEEKEND: T("weekend"), STATUTORY: T("off"), IN_LIEU: T("off"), MAKEUP: T("on duty"), CLOSED: T("shut"),
}  # fmt: skip
"""What stands in the square of a day, so that nobody needs the colours."""
WEEKDAY_HEADS = (T("Mo"), T("Tu"), T("We"), T("Th"), T("Fr"), T("Sa"), T("Su"))
SEVERITY_WORDS: dict[str, Words] = {ERROR: T("Must be corrected"), WARNING: T("To check"), NOTE: T("Left out")}
SEVERITY_LIGHTS = {ERROR: "red", WARNING: "yellow", NOTE: "grey"}
PROPOSAL_LIGHTS = {"PROPOSED": "yellow", "APPROVED": "blue", "REJECTED": "grey", "WITHDRAWN": "grey"}
ITEM_LIGHTS = {
    "OPEN": "hollow",
    "SAME": "grey",
    "MOVED": "blue",
    "HELD": "yellow",
    "ACCEPTED": "blue",
    "KEPT": "green",
    "MOOT": "grey",
    "FAILED": "red",
}
ITEMS_SHOWN = 200
UPLOAD_LIMIT = 1024 * 1024


@blueprint.app_context_processor
def alarm() -> dict[str, Any]:
    """``unarranged_years``: for the banner of the administrators' pages; costs no statement."""

    def years() -> tuple[int, ...]:
        calendar = engine().calendar
        return calendar_alarm.unarranged(calendar, calendar.local(engine().clock()).date())

    return {"unarranged_years": years}


# --- a year ------------------------------------------------------------------------------------------------------------------


@blueprint.get("/admin/calendar")
@requires("administer")
def calendar():
    """A year as twelve months, with what is special listed beside it."""
    g.room = "admin"
    held = engine().calendar
    this_year = held.local(engine().clock()).year
    asked = request.args.get("year", "")
    year = number(asked, 9999) or this_year
    with engine().reading() as conn:
        years = queries.years(conn)
        days = queries.special_days(conn, year)
        waiting = calendar_proposals.waiting(conn)
        undecided = recalculation.undecided(conn)
        standing = worktime.standing(conn)
    listed = sorted({*(row.year for row in years), this_year, this_year + 1, year}, reverse=True)
    notices = {row.year: row.notice for row in years}
    return render_template(
        "admin/calendar.html", year=year, months=_months(year, {row.day: row for row in days}), days=days, listed=listed, notices=notices,
        statuses={number: held.year_status(number) for number in listed}, status_words=YEAR_STATUS_WORDS, day_words=DAY_WORDS, marks=MARKS,
        workdays={number: len(held.year(number).workdays) for number in listed}, weekdays=WEEKDAY_WORDS, heads=WEEKDAY_HEADS, hours=held.hours,
        waiting=waiting, undecided=undecided, standing=[(date.fromisoformat(each["from"]), OfficeHours.from_dict(each), each["source"]) for each in standing],
        today=held.local(engine().clock()).date(),
    )  # fmt: skip


def _months(year: int, rows: dict[date, Any]) -> list[list[list[dict[str, Any] | None]]]:
    """Twelve months of weeks of seven squares, Monday first; empty squares are ``None``."""
    held = engine().calendar
    today = held.local(engine().clock()).date()
    months = []
    for month in range(1, 13):
        first = date(year, month, 1)
        weeks: list[list[dict[str, Any] | None]] = [[None] * first.weekday()]
        day = first
        while day.month == month:
            if len(weeks[-1]) == 7:
                weeks.append([])
            row = rows.get(day)
            weeks[-1].append(
                {"day": day, "kind": held.kind(day), "name": held.name(day), "source": row.source if row else "", "today": day == today,
                 "hours": held.hours.days.get(day, ())}
            )  # fmt: skip
            if day == date.max:
                break
            day += timedelta(days=1)
        weeks[-1] += [None] * (7 - len(weeks[-1]))
        months.append(weeks)
    return months


@blueprint.get("/admin/calendar/<int:year>.ics")
@requires("administer")
def calendar_ics(year: int):
    """A year for the calendars of telephones and mail programs."""
    if not 1 <= year <= 9998:
        raise NotFound("There is no calendar of the year %(year)s.", year=year)
    stamp = engine().clock().astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    text = to_ics(engine().calendar.year(year), getattr(current_app.extensions["settings"], "office_name", ""), stamp)
    return Response(text, mimetype="text/calendar", headers={"Content-Disposition": f"attachment; filename=work-calendar-{year}.ics"})


# --- proposing -----------------------------------------------------------------------------------------------------------------


@blueprint.get("/admin/calendar/import")
@requires("administer")
def calendar_import():
    """The form: a notice pasted or uploaded, days by hand, or the usual office hours."""
    asked = request.args.get("mode", "")
    mode = asked if asked in calendar_draft.MODES else "notice"
    held = engine().calendar
    begin = calendar_draft.values_of_hours(held.hours.in_force(held.local(engine().clock()).date())) if mode == "hours" else {}
    return _import_page(calendar_draft.Draft({**dict.fromkeys(calendar_draft.FIELDS, ""), **begin, "mode": mode}))


def _import_page(draft: calendar_draft.Draft, preview: Any = None, problem: str = "", status: int = 200):
    g.room = "admin"
    this_year = engine().calendar.local(engine().clock()).year
    page = render_template(
        "admin/calendar_import.html", draft=draft, values=draft.values, errors=said(draft.errors), preview=preview, problem=problem,
        years=range(this_year - 1, this_year + 3), by_hand=calendar_draft.BY_HAND, day_words=DAY_WORDS, fields=calendar_draft.FIELDS,
        severity_words=SEVERITY_WORDS, severity_lights=SEVERITY_LIGHTS, status_words=YEAR_STATUS_WORDS,
    )  # fmt: skip
    return page, status


def _draft() -> calendar_draft.Draft:
    file = request.files.get("file")
    content = None
    if file is not None and file.filename:
        content = file.read(UPLOAD_LIMIT + 1)
        file.close()
    draft = calendar_draft.read(request.form, content if content is None or len(content) <= UPLOAD_LIMIT else None)
    if content is not None and len(content) > UPLOAD_LIMIT:
        draft.errors["text"] = [T("The file is too large for a holiday notice.")]
    return draft


@blueprint.post("/admin/calendar/preview")
@requires("administer")
def calendar_preview():
    """What the entered change would do; nothing is stored."""
    draft = _draft()
    if not draft.days or "days" in draft.errors:
        return _import_page(draft, status=422)
    with engine().reading() as conn:
        preview = calendar_proposals.preview(desk(), conn, draft.days, draft.whole_years, draft.notice)
    return _import_page(draft, preview, status=422 if draft.errors else 200)


@blueprint.post("/admin/calendar/proposals")
@requires("administer")
def calendar_propose():
    """Put the change before the other administrators."""
    draft = _draft()
    if draft.warned and request.form.get("seen") != "1":
        draft.errors["seen"] = [T("Say that you have looked at the lines to check.")]
    if draft.refused:
        return calendar_preview_of(draft)
    try:
        key = calendar_proposals.propose(
            desk(), draft.days, kind=draft.kind, notice=draft.notice, reason=draft.reason, whole_years=draft.whole_years,
            source_text=draft.values["text"], findings=draft.findings, by=g.person.login, address=security.address(),
        )  # fmt: skip
    except ValidationFailed as refused:
        draft.errors.update(refused.errors)
        return calendar_preview_of(draft, say(refused.message))
    flash(_("The change was proposed. Another administrator has to approve it; until then nothing changes."), "success")
    return redirect(url_for("admin.calendar_proposal", key=key))


def calendar_preview_of(draft: calendar_draft.Draft, problem: str = ""):
    """The page again, with what is wrong."""
    if not draft.days or "days" in draft.errors:
        return _import_page(draft, problem=problem, status=422)
    with engine().reading() as conn:
        preview = calendar_proposals.preview(desk(), conn, draft.days, draft.whole_years, draft.notice)
    return _import_page(draft, preview, problem, 422)


# --- approving -----------------------------------------------------------------------------------------------------------------


@blueprint.get("/admin/calendar/proposals")
@requires("administer")
def calendar_proposal_list():
    """Every proposal, those that wait first."""
    g.room = "admin"
    with engine().reading() as conn:
        rows = calendar_proposals.find(conn)
    return render_template(
        "admin/calendar_proposals.html", rows=rows, kind_words=calendar_proposals.KIND_WORDS, state_words=calendar_proposals.STATE_WORDS,
        lights=PROPOSAL_LIGHTS,
    )  # fmt: skip


@blueprint.get("/admin/calendar/proposals/<int:key>")
@requires("administer")
def calendar_proposal(key: int):
    """One proposal: what it says, and as long as it waits, what it would do now."""
    return _proposal_page(key)


def _proposal_page(key: int, problem: str = "", status: int = 200):
    g.room = "admin"
    with engine().reading() as conn:
        proposal = calendar_proposals.get(conn, key)
        preview = None
        if proposal.state == calendar_proposals.PROPOSED:
            preview = calendar_proposals.preview(desk(), conn, proposal.days, proposal.whole_years, proposal.notice)
        done = [each for each in recalculation.find(conn, 100) if each.proposal_key == key]
    page = render_template(
        "admin/calendar_proposal.html", proposal=proposal, preview=preview, recalculation=done[0] if done else None, problem=problem,
        own=proposal.made_by == g.person.login, alone=not set(desk().people.directory().members("admin")) - {proposal.made_by}, kind_words=calendar_proposals.KIND_WORDS, state_words=calendar_proposals.STATE_WORDS,
        lights=PROPOSAL_LIGHTS, day_words=DAY_WORDS, severity_words=SEVERITY_WORDS, severity_lights=SEVERITY_LIGHTS,
        status_words=YEAR_STATUS_WORDS,
    )  # fmt: skip
    return page, status


@blueprint.post("/admin/calendar/proposals/<int:key>/approve")
@requires("administer")
def approve_calendar(key: int):
    """Enter the change and begin the recalculation."""
    seen = request.form.get("version", "")
    try:
        batch = calendar_proposals.approve(
            desk(), key, by=g.person.login, seen_version=int(seen) if seen.isdecimal() and len(seen) < 10 else -1,
            reason=request.form.get("reason", ""), address=security.address(),
        )  # fmt: skip
    except (InvalidState, Conflict, NotPermitted) as refused:
        return _proposal_page(key, say(refused.message), 409)
    flash(_("The calendar was changed. The open limits are being recalculated."), "success")
    return redirect(url_for("admin.recalculation_page", key=batch))


@blueprint.post("/admin/calendar/proposals/<int:key>/reject")
@requires("administer")
def reject_calendar(key: int):
    """Turn a proposal down."""
    return _close(
        key, lambda: calendar_proposals.reject(desk(), key, request.form.get("reason", ""), by=g.person.login, address=security.address())
    )


@blueprint.post("/admin/calendar/proposals/<int:key>/withdraw")
@requires("administer")
def withdraw_calendar(key: int):
    """Take one's own proposal back."""
    return _close(key, lambda: calendar_proposals.withdraw(desk(), key, by=g.person.login, address=security.address()))


def _close(key: int, action: Any):
    try:
        action()
    except (InvalidState, NotPermitted, ValidationFailed) as refused:
        return _proposal_page(key, say(refused.message), 409)
    flash(_("The proposal was closed; the calendar stays as it is."), "success")
    return redirect(url_for("admin.calendar_proposal_list"))


# --- what became of the limits -----------------------------------------------------------------------------------------------------


def _room() -> str:
    return "admin" if g.person.may("administer") else "dates"


@blueprint.get("/admin/calendar/recalculations")
@requires("decide_dates")
def recalculations():
    """Every recalculation, and how many due dates wait for a decision."""
    g.room = _room()
    with engine().reading() as conn:
        rows = recalculation.find(conn)
        proposals = {row.proposal_key: calendar_proposals.get(conn, row.proposal_key) for row in rows}
    return render_template("admin/recalculations.html", rows=rows, proposals=proposals)


def _recalculation(key: int) -> dict[str, Any]:
    states = [code for code in request.values.getlist("state") if code in recalculation.STATE_WORDS]
    with engine().reading() as conn:
        batch = recalculation.get(conn, key)
        shown = states or [code for code in recalculation.STATE_WORDS if code not in ("SAME", "OPEN", "MOOT")]
        rows = recalculation.items(conn, key, shown, ITEMS_SHOWN)
        proposal = calendar_proposals.get(conn, batch.proposal_key)
    return {
        "batch": batch, "rows": rows, "proposal": proposal, "states": states, "state_words": recalculation.STATE_WORDS, "lights": ITEM_LIGHTS,
        "listed": sum(batch.counts.get(code, 0) for code in shown),
    }  # fmt: skip


@blueprint.get("/admin/calendar/recalculations/<int:key>")
@requires("decide_dates")
def recalculation_page(key: int):
    """One recalculation: progress, old and new due dates, and what is to decide."""
    return _recalculation_page(key)


def _recalculation_page(key: int, problem: str = "", reason: str = "", status: int = 200):
    g.room = _room()
    return render_template("admin/recalculation.html", **_recalculation(key), problem=problem, reason=reason), status


@blueprint.get("/admin/calendar/recalculations/<int:key>/progress")
@requires("decide_dates")
def recalculation_progress(key: int):
    """The live part of the page; it asks again only while the batch runs."""
    g.room = _room()
    return render_template("admin/_recalculation.html", live=True, **_recalculation(key))


@blueprint.post("/admin/calendar/recalculations/<int:key>/decide")
@requires("decide_dates")
def decide_dates(key: int):
    """Accept or refuse earlier due dates."""
    form = request.form
    chosen = [clock for text in form.getlist("clock") if (clock := number(text)) is not None]
    if form.get("all") == "1":
        with engine().reading() as conn:
            chosen = [row.clock_key for row in recalculation.items(conn, key, ["HELD"], 100_000)]
    accept = form.get("decision") == "accept"
    try:
        if form.get("decision") not in ("accept", "keep"):
            raise ValidationFailed("Choose what is to happen.")
        count = recalculation.decide(
            desk(), key, chosen, accept=accept, reason=form.get("reason", ""), by=g.person.login, address=security.address()
        )
    except (ValidationFailed, NotPermitted) as refused:
        return _recalculation_page(key, _first(refused), form.get("reason", ""), 422)
    flash(
        _("%(count)d due date(s) were shortened.", count=count)
        if accept
        else _("%(count)d due date(s) stay as they were told.", count=count),
        "success",
    )
    return redirect(url_for("admin.recalculation_page", key=key))


def _first(refused: EngineError) -> str:
    return say(refused.message)
