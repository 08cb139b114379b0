"""Figures 统计 and forecast 预测 of the room: each chart stands beside the table it is drawn from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from flask import g, render_template, request
from flask_babel import gettext as _

from engine.runtime.supervision import pace
from engine.runtime.supervision.figures import SMALL, Figures, Period, Score, figures, league
from engine.words import T, Words
from web import filters
from web.people import requires
from web.supervision import blueprint, order_queries, views
from web.supervision.views import engine

PERIODS: dict[str, Words] = {
    "month": T("This month"), "last_month": T("Last month"), "week": T("This week"), "last_week": T("Last week"), "quarter": T("This quarter"),
    "year": T("This year"),
}  # fmt: skip
LATER_SHOWN = 100
"""Forecasts on the page; the nearest due come first, and the rest is counted."""

views.PAGES["supervision.statistics"] = T("Figures")
views.PAGES["supervision.forecast"] = T("Forecast")


@dataclass(frozen=True)
class FigureState:
    """What the figures are of, as it stands in the address.  ``period`` is a key of :data:`PERIODS` or a month, like ``2026-11``."""

    period: str
    procedure: str
    county: str

    @classmethod
    def of(cls, args: Any) -> FigureState:
        period = args.get("period", "month")
        known = period in PERIODS or re.fullmatch(r"20[0-9]{2}-(0[1-9]|1[0-2])", period)
        return cls(period if known else "month", args.get("procedure", "").strip()[:200], args.get("county", "").strip()[:200])

    def query(self, **changes: str) -> dict[str, str]:
        values = {"period": self.period, "procedure": self.procedure, "county": self.county} | changes
        return {name: value for name, value in values.items() if value}

    def days(self, today: date) -> Period:
        """The period as days; "last" is the one before the one that ``today`` is in."""
        if self.period not in PERIODS:
            return Period.month(date.fromisoformat(f"{self.period}-01"))
        name = self.period.removeprefix("last_")
        found: Period = getattr(Period, name)(today)
        return found if name == self.period else getattr(Period, name)(found.since - timedelta(days=1))


def period_choices(state: FigureState) -> dict[str, Words | str]:
    """The periods to choose from, the month of the address among them."""
    return {**PERIODS, state.period: PERIODS.get(state.period, state.period)}


def today() -> date:
    return engine().calendar.local(engine().clock()).date()


def percent(share: float | None) -> str:
    """``96.3%``; a dash for nothing."""
    return "—" if share is None else f"{round(share * 100, 1):g}%"


def number(amount: float | None) -> str:
    """At most one decimal; a dash for nothing."""
    return "—" if amount is None else f"{round(amount, 1):g}"


def league_heads() -> list[str]:
    return [
        _("Rank"), _("Section"), _("On-time rate"), _("Finished limits"), _("Finished late"), _("Average time (working days)"), _("Overdue now"), _("Return rate"),
    ]  # fmt: skip


def league_line(place: int | str, name: str, score: Score) -> list[Any]:
    return [place, name, percent(score.rate), score.finished, score.late, number(score.average), score.overdue, percent(score.return_rate)]


def league_lines(found: Figures) -> list[list[Any]]:
    """The sections, best first, and their total."""
    lines = [league_line(place.rank or "—", filters.section_name(place.code) or _("no section"), place.score) for place in league(found)]
    return [*lines, league_line("", _("Together"), found.total)] if lines else []


def month_heads() -> list[str]:
    return [_("Month"), _("Finished limits"), _("Finished late"), _("On-time rate"), _("Average time (working days)")]


def month_lines(found: Figures) -> list[list[Any]]:
    return [[f"{month:%Y-%m}", score.finished, score.late, percent(score.rate), number(score.average)] for month, score in found.months.items()]


def read(state: FigureState) -> Figures:
    now, calendar, visible = engine().clock(), engine().calendar, views.overseen()
    with engine().reading() as conn:
        return figures(conn, visible, state.days(today()), calendar, now, *order_queries.narrowed(state.procedure, state.county))


@blueprint.get("/supervision/figures")
@requires("supervise")
def statistics():
    """On-time rate, trend of twelve months, league of the sections."""
    g.room = "supervision"
    state = FigureState.of(request.args)
    found = read(state)
    counties = sorted(section.name for section in engine().desk.people.directory().sections.values() if section.kind == "county")
    counties += [state.county] if state.county and state.county not in counties else []
    return render_template(
        "supervision/figures.html", state=state, found=found, periods=period_choices(state), procedures=views.sheets(), counties=counties, percent=percent, number=number,
        league=league(found), small=SMALL, today=today(),
        highest=max([score.finished for score in found.months.values()] + [1]),
    )  # fmt: skip


@blueprint.get("/supervision/figures.xlsx")
@requires("supervise")
def export_statistics():
    """The league as a workbook, the months below it."""
    found = read(FigureState.of(request.args))
    median = _("Median (working days)")
    scores = [*(place.score for place in league(found)), found.total]
    sections = [[*line, number(score.median)] for line, score in zip(league_lines(found), scores, strict=False)]
    months = [[*line, number(score.median)] for line, score in zip(month_lines(found), found.months.values(), strict=True)]
    lines = [*sections, [], [*month_heads(), median], *months]
    title = _("League of the sections %(since)s to %(until)s", since=found.period.since.isoformat(), until=found.period.last.isoformat())
    return views.spreadsheet(_("Figures"), [*league_heads(), median], [*lines, [], [title]])


@blueprint.get("/supervision/forecast")
@requires("supervise")
def forecast():
    """Cases that the present pace makes late, with what that is concluded from."""
    g.room = "supervision"
    now, visible = engine().clock(), views.overseen()
    with engine().reading() as conn:
        found = pace.forecasts(conn, visible, now)
    return render_template("supervision/forecast.html", rows=found[:LATER_SHOWN], total=len(found), number=number, enough=pace.ENOUGH)
