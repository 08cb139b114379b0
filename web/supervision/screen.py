"""The big screen: numbers and lights in large type on dark ground, without names of applicants, refreshed by itself."""

from __future__ import annotations

from typing import Any

from flask import g, render_template

from engine.runtime import changes
from engine.runtime.supervision.figures import Period, figures
from engine.words import T
from web.lights import LIGHTS
from web.people import requires
from web.supervision import blueprint, queries, views
from web.supervision.figure_views import number, percent, today
from web.supervision.state import BoardState
from web.supervision.views import engine

LINES = 8

views.PAGES["supervision.screen"] = T("Big screen")


def values() -> dict[str, Any]:
    """What the screen shows: five statements."""
    now, calendar, visible = engine().clock(), engine().calendar, views.overseen()
    with engine().reading() as conn:
        lines, _total = queries.board(conn, visible, BoardState(), now, calendar)
        numbers = queries.counts(conn, visible, BoardState(), now, calendar)
        found = figures(conn, visible, Period.month(today()), calendar, now, trend=1)
    return {
        "lines": lines[:LINES], "numbers": numbers, "found": found, "sections": list(found.sections.items())[:LINES], "percent": percent, "number": number,
        "lights": [LIGHTS[code] for code in ("red", "yellow", "grey")],
    }  # fmt: skip


@blueprint.get("/supervision/screen")
@requires("supervise")
def screen():
    """The whole page; its inner part asks for itself again."""
    g.room = "supervision"
    drawn = changes.moment()
    return render_template("supervision/screen.html", drawn=drawn, **values())


@blueprint.get("/supervision/screen/part")
@requires("supervise")
def screen_part():
    """The part that changes."""
    return render_template("supervision/_screen.html", **values())
