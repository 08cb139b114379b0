"""The lists of work: a view reads the address, asks one or two statements, and renders."""

from __future__ import annotations

from datetime import timedelta
from io import BytesIO
from math import ceil

from flask import current_app, flash, g, make_response, redirect, render_template, request, send_file, session, url_for
from flask_babel import gettext as _
from flask_babel import ngettext

from engine.errors import Conflict, EngineError
from engine.runtime.casework.access import access_task
from engine.runtime.telling.notices import unpacked
from engine.words import T, Words
from web import filters, security
from web.i18n import say
from web.inbox import blueprint, queries
from web.inbox.excel import workbook
from web.inbox.state import PAGE_SIZE, TABS, ListState
from web.lights import BY_RANK, LIGHTS
from web.requests import number

TAB_LABELS: dict[str, Words] = {"all": T("All"), "mine": T("Mine"), "claimable": T("To claim"), "followup": T("Follow-up set")}
FILTER_LABELS: dict[str, Words] = {"step": T("Step"), "procedure": T("Procedure"), "county": T("County")}
FILTER_LIGHTS = ("red", "yellow", "green", "hollow", "grey")


def engine():
    return current_app.extensions["engine"]


def remember_list() -> None:
    """The list somebody came from, with its filters, for the "back" link of the pages that open from it."""
    session["list_url"] = request.full_path.rstrip("?")


def pages_of(rows: list) -> tuple[int, int]:
    """Number of rows in all, number of pages."""
    total = rows[0].total if rows else 0
    return total, max(1, ceil(total / PAGE_SIZE))


@blueprint.get("/home")
def home():
    """The workbench: four counts, the next five tasks, what changed since yesterday, a chief's lights."""
    g.room = "home"
    now, calendar, who = engine().clock(), engine().calendar, queries.viewer(g.person)
    led = [group.partition("@")[2] for group in g.person.groups if group.startswith(("section_chief@", "county_leader@"))]
    with engine().reading() as conn:
        numbers = queries.counts(conn, who, now, calendar)
        rows = queries.open_tasks(conn, who, ListState(), now, calendar)[:5]
        notices = queries.recent_notices(conn, who.login, now - timedelta(days=1))
        lights = queries.section_lights(conn, led, now) if led else []
    g.todo = numbers["all"]
    today = calendar.local(now).date().isoformat()
    return render_template(
        "inbox/home.html", numbers=numbers, rows=rows, notices=notices, lights=lights, today=today, notice_text=notice_text, by_rank=BY_RANK
    )


def notice_text(notice) -> str:
    """A notification in the reader's language."""
    return say(unpacked(notice.msgid, notice.params))


@blueprint.get("/inbox")
def index():
    """The to-do list."""
    g.room = "todo"
    sorts = {**queries.TASK_SORTS, "light": None}
    state = ListState.of(request.args, sorts)
    now, calendar, who = engine().clock(), engine().calendar, queries.viewer(g.person)
    with engine().reading() as conn:
        numbers = queries.counts(conn, who, now, calendar)
        rows = queries.open_tasks(conn, who, state, now, calendar)
        options = queries.choices(conn, who)
    g.todo = numbers["all"]
    total, pages = pages_of(rows)
    if not rows and state.page > 1:
        return redirect(filters.with_query(page=None))
    remember_list()
    return render_template(
        "inbox/index.html", state=state, rows=rows, numbers=numbers, options=options, total=total, pages=pages, tabs=TABS, tab_labels=TAB_LABELS,
        filter_labels=FILTER_LABELS, lights=[LIGHTS[code] for code in FILTER_LIGHTS], who=who,
    )  # fmt: skip


@blueprint.get("/inbox/export.xlsx")
def export():
    """The filtered list as a workbook; at most :data:`queries.EXPORT_LIMIT` rows, of which the last line tells."""
    state = ListState.of(request.args, {**queries.TASK_SORTS, "light": None}).everything()
    now, calendar, who = engine().clock(), engine().calendar, queries.viewer(g.person)
    with engine().reading() as conn:
        rows = queries.open_tasks(conn, who, state, now, calendar)
    heads = [
        _("Light"), _("Case number"), _("Title"), _("Procedure"), _("Step"), _("Applicant"), _("County"), _("Received"), _("Due"), _("Remaining"),
        _("Handler"), _("Urgency"),
    ]  # fmt: skip
    lines = [
        [
            say(BY_RANK[row.rank].word), row.case_no, row.title, row.procedure, row.step, row.applicant, row.county,
            filters.localdatetime(row.created_at), filters.localdate(row.clock_due_at),
            filters.clock_left(row), filters.person_name(row.assignee) if row.assignee else "", row.urgency,
        ]
        for row in rows
    ]  # fmt: skip
    total = rows[0].total if rows else 0
    if total > len(rows):
        lines.append([_("%(total)d in all; the first %(shown)d are listed.", total=total, shown=len(rows))])
    content = workbook(_("To do"), heads, lines)
    name = f"{_('To do')}-{calendar.local(now):%Y%m%d}.xlsx"
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    return send_file(BytesIO(content), mimetype=kind, as_attachment=True, download_name=name)


@blueprint.get("/inbox/done")
def done():
    """What one has finished."""
    g.room = "done"
    state = ListState.of(request.args, queries.TASK_SORTS)
    now, calendar, who = engine().clock(), engine().calendar, queries.viewer(g.person)
    with engine().reading() as conn:
        rows = queries.done_tasks(conn, who, state, now, calendar)
    remember_list()
    total, pages = pages_of(rows)
    return render_template("inbox/done.html", state=state, rows=rows, total=total, pages=pages)


@blueprint.get("/inbox/started")
def started():
    """The cases one has opened."""
    g.room = "started"
    state = ListState.of(request.args, {**queries.CASE_SORTS, "light": None})
    now, calendar, who = engine().clock(), engine().calendar, queries.viewer(g.person)
    with engine().reading() as conn:
        rows = queries.cases(conn, queries.started_by(who), state, now, calendar)
    remember_list()
    total, pages = pages_of(rows)
    return render_template("inbox/started.html", state=state, rows=rows, total=total, pages=pages)


# --- claiming from the list -------------------------------------------------------------------------------------------


def row_answer(key: int, status: int, note: str = ""):
    """One row as it stands now, to be swapped in where the old one was."""
    with engine().reading() as conn:
        row = queries.one_task(conn, key, engine().clock())
    who = queries.viewer(g.person)
    return make_response(render_template("inbox/_row.html", row=row, who=who, note=note, swapped=True), status)


@blueprint.post("/inbox/<int:key>/claim")
def claim(key: int):
    """Claim one row.  Somebody else was faster: 409, and the row says who and when."""
    with engine().reading() as conn:
        access_task(conn, key, g.person.login, security.address())
    htmx = request.headers.get("HX-Request") == "true"
    try:
        engine().desk.claim(key, by=g.person.login, address=security.address())
    except Conflict as conflict:
        if not htmx:
            raise
        return row_answer(key, 409, faster(conflict))
    if not htmx:
        return redirect(url_for("tasks.show", key=key))
    return row_answer(key, 200, _("Claimed."))


def faster(conflict: Conflict) -> str:
    """Who was faster, and when."""
    if conflict.by and conflict.at:
        return _("%(name)s claimed this at %(time)s", name=filters.person_name(conflict.by), time=filters.localtime(conflict.at))
    return say(conflict.message)


@blueprint.post("/inbox/claim")
def claim_many():
    """Claim the selected rows, each by itself: what somebody else has taken meanwhile does not hold up the rest."""
    keys = [key for text in request.form.getlist("keys") if (key := number(text)) is not None][:100]
    taken, refused = 0, []
    for key in keys:
        try:
            engine().desk.claim(key, by=g.person.login, address=security.address())
            taken += 1
        except EngineError as error:
            refused.append(faster(error) if isinstance(error, Conflict) else say(error.message))
    if taken:
        flash(ngettext("%(num)d task claimed.", "%(num)d tasks claimed.", taken), "success")
    for text in dict.fromkeys(refused):
        flash(text, "warning")
    if not keys:
        flash(_("Nothing was selected."), "warning")
    return redirect(session.get("list_url") or url_for("inbox.index"))
