"""From a figure to what it counts: a section's people, the limits of a month, and on to the ledger of a case."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Any

from flask import g, render_template, request, session

from engine.errors import NotFound
from engine.runtime.supervision import persons
from web import filters
from web.people import requires
from web.supervision import blueprint, order_queries, views
from web.supervision.drill_queries import NO_SECTION, finished_limits
from web.supervision.figure_views import FigureState, number, percent, period_choices, today
from web.supervision.state import PAGE_SIZE
from web.supervision.views import engine


@dataclass(frozen=True)
class LimitState:
    """Which finished limits are listed: those of the figures (``of``), of a section, only the late ones."""

    of: FigureState
    section: str
    late: bool
    page: int

    @classmethod
    def from_address(cls, args: Any) -> LimitState:
        page = args.get("page", "1")
        return cls(
            FigureState.of(args), args.get("section", "").strip()[:60], args.get("late") == "1", max(1, int(page)) if page.isdecimal() and len(page) < 7 else 1
        )

    def query(self, **changes: Any) -> dict[str, Any]:
        """The address parameters of this list with ``changes``; the first page and what is off are left out."""
        values = {**self.of.query(), "section": self.section, "late": "1" if self.late else "", "page": self.page} | changes
        return {name: value for name, value in values.items() if value and (name, value) != ("page", 1)}


@blueprint.get("/supervision/section/<code>")
@requires("supervise")
def section(code: str):
    """The people who work on the cases of a section: what they have, what is late, what they finished and how fast."""
    g.room = "supervision"
    known = engine().desk.people.directory().sections
    if code != NO_SECTION and code not in known:
        raise NotFound("There is no such section.")
    state = FigureState.of(request.args)
    now, calendar, visible = engine().clock(), engine().calendar, views.overseen()
    own = "" if code == NO_SECTION else code
    with engine().reading() as conn:
        found = persons.work(conn, visible, own, state.days(today()), calendar, now, *order_queries.narrowed(state.procedure, state.county))
    return render_template(
        "supervision/section.html", code=code, name=filters.section_name(own), people=found, state=state, periods=period_choices(state), period=state.days(today()),
        percent=percent, number=number, procedures=views.sheets(), directory=engine().desk.people.directory(),
    )  # fmt: skip


@blueprint.get("/supervision/limits")
@requires("supervise")
def limits():
    """The finished limits that a figure counts, each leading to the ledger of its case."""
    g.room = "supervision"
    state = LimitState.from_address(request.args)
    period, calendar, visible = state.of.days(today()), engine().calendar, views.overseen()
    with engine().reading() as conn:
        narrowed = order_queries.narrowed(state.of.procedure, state.of.county)
        rows, total = finished_limits(conn, visible, period, calendar, *narrowed, section=state.section, late=state.late, page=state.page)
    session["list_url"] = request.full_path.rstrip("?")

    def took(row: Any) -> int:
        return calendar.workdays_between(calendar.local(row.started_at).date(), calendar.local(row.stopped_at).date())

    return render_template(
        "supervision/limits.html", rows=rows, total=total, pages=max(1, ceil(total / PAGE_SIZE)), state=state, period=period, periods=period_choices(state.of),
        section=filters.section_name(state.section) if state.section not in ("", NO_SECTION) else "", took=took, no_section=NO_SECTION, sheets=views.sheets(),
    )  # fmt: skip
