"""The weekly and the monthly report 周报/月报 in one click: Excel, Word, PDF."""

from __future__ import annotations

from datetime import timedelta
from io import BytesIO
from typing import Any

from flask import current_app, flash, g, redirect, request, send_file, url_for
from flask_babel import gettext as _

from engine.errors import NotFound
from engine.runtime.supervision.figures import Figures, Period, figures
from engine.words import T, Words
from web import filters
from web.i18n import is_chinese
from web.inbox.excel import workbook
from web.people import requires
from web.supervision import blueprint, documents, order_queries, queries, views
from web.supervision.documents import Report, Table
from web.supervision.figure_views import league_heads, league_lines, month_heads, month_lines, number, percent, today
from web.supervision.state import BoardState
from web.supervision.views import engine

KINDS: dict[str, Words] = {
    "week": T("Weekly report, this week"), "last_week": T("Weekly report, last week"), "month": T("Monthly report, this month"),
    "last_month": T("Monthly report, last month"),
}  # fmt: skip
OVERDUE_LISTED = 200
TYPES = {
    "xlsx": views.SPREADSHEET,
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "pdf": "application/pdf",
}


@blueprint.app_context_processor
def links() -> dict[str, Any]:
    return {"report_kinds": KINDS, "report_formats": [name for name in TYPES if name != "pdf" or documents.font() is not None]}


def period_of(kind: str) -> Period:
    """Whole weeks and months; "last" is the one before the one that today is in."""
    whole = Period.week if kind.endswith("week") else Period.month
    found = whole(today())
    return whole(found.since - timedelta(days=1)) if kind.startswith("last_") else found


def report_of(kind: str) -> Report:
    """The report of a period; six statements."""
    now, calendar, visible, period = engine().clock(), engine().calendar, views.overseen(), period_of(kind)
    with engine().reading() as conn:
        found = figures(conn, visible, period, calendar, now)
        numbers = queries.counts(conn, visible, BoardState(), now, calendar)
        lines, overdue = queries.board(conn, visible, BoardState(light="red", page=0), now, calendar)
        orders = order_queries.numbers(conn, visible, period, calendar)
    weekly = kind.endswith("week")
    return Report(
        title=_("Supervision weekly report") if weekly else _("Supervision monthly report"),
        office=current_app.config["OFFICE_NAME"],
        period=_("Period: %(since)s to %(until)s", since=filters.localdate(period.since), until=filters.localdate(period.last)),
        facts=_facts(found, numbers, orders),
        tables=[
            Table(_("I. The sections"), league_heads(), league_lines(found), (8, 22, 14, 14, 14, 20, 14, 14), _("Nothing was finished in this period.")),
            Table(_("II. Cases overdue now"), _overdue_heads(), _overdue_lines(lines, overdue), (22, 36, 18, 16, 18, 14), _("None.")),
            Table(_("III. Twelve months"), month_heads(), month_lines(found), (16, 20, 20, 20, 26), _("None.")),
        ],
        signature=_("Signature: ____________    Date: ____________"),
        footer=_("Made by %(name)s on %(time)s with Banjie.", name=g.person.name, time=filters.localdatetime(now)),
    )


def _facts(found: Figures, numbers: queries.Counts, orders: tuple[int, int, int]) -> list[str]:
    total = found.total
    return [
        _(
            "%(finished)d limits were finished in this period, %(late)d of them late; the on-time rate is %(rate)s and the average time %(days)s working days.",
            finished=total.finished, late=total.late, rate=percent(total.rate), days=number(total.average),
        ),
        _(
            "%(open)d cases are open now: %(red)d overdue, %(yellow)d due soon, %(paused)d paused, %(unclaimed)d with a step nobody has taken.",
            open=numbers.total, red=numbers.lights["red"], yellow=numbers.lights["yellow"], paused=numbers.lights["grey"], unclaimed=numbers.unclaimed,
        ),
        _("%(issued)d supervision orders were issued and %(closed)d settled; %(open)d are open.", issued=orders[0], closed=orders[1], open=orders[2]),
    ]  # fmt: skip


def _overdue_heads() -> list[str]:
    return [_("Case number"), _("Title"), _("Owner section"), _("Step"), _("Handler"), _("Remaining")]


def _overdue_lines(lines: list[queries.Line], total: int) -> list[list[Any]]:
    comma = "、" if is_chinese() else ", "
    rows = []
    for line in lines[:OVERDUE_LISTED]:
        case = line.case
        handlers = comma.join(dict.fromkeys(filters.person_name(task.assignee) for task in line.tasks if task.assignee)) or _("unclaimed")
        steps = comma.join(dict.fromkeys(task.step for task in line.tasks))
        rows.append([case.case_no, case.title, filters.section_name(case.section_code), steps, handlers, filters.ledger_left(case.ledger, case.clock_state)])
    if total > len(rows):
        rows.append(["", _("%(total)d in all; the first %(shown)d are listed.", total=total, shown=len(rows)), "", "", "", ""])
    return rows


def spreadsheet(report: Report) -> bytes:
    """All tables below each other; the first one's heads are the sheet's."""
    first, *others = report.tables
    lines: list[list[Any]] = [*map(list, first.lines)]
    for table in others:
        lines += [[], [table.title], list(table.heads), *map(list, table.lines or [[table.empty]])]
    lines += [[], [report.period], *([fact] for fact in report.facts), [report.signature], [report.footer]]
    return workbook(report.title, first.heads, lines)


WRITERS = {"xlsx": spreadsheet, "docx": documents.word, "pdf": documents.pdf}


@blueprint.get("/supervision/report/<kind>.<format>")
@requires("supervise")
def report(kind: str, format: str):
    """The report of a week or month as a file."""
    if kind not in KINDS or format not in WRITERS:
        raise NotFound("There is no such report.")
    made = report_of(kind)
    try:
        content = WRITERS[format](made)
    except LookupError:
        flash(_("This machine has no open Chinese font, so there is no PDF. Install one (for example the package fonts-noto-cjk)."), "warning")
        return redirect(url_for("supervision.statistics", **request.args))
    name = f"{made.title}-{period_of(kind).since:%Y%m%d}.{format}"
    return send_file(BytesIO(content), mimetype=TYPES[format], as_attachment=True, download_name=name)
