"""Where cases wait, on the diagram: how many now, and the median and the 90th percentile of the time of each step."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from flask import g, render_template, request, send_file, url_for
from flask_babel import gettext as _

from engine.errors import NotFound
from engine.runtime.supervision import pace
from engine.words import T
from web.people import requires
from web.supervision import blueprint, views
from web.supervision.figure_views import number
from web.supervision.views import engine

HEAT_LEVELS = ((10, 4), (5, 3), (2, 2), (1, 1))
"""Waiting cases from … on → depth of the colour."""

views.PAGES["supervision.heat"] = T("Heat map")


def heat_of(steps: list[pace.Step]) -> dict[str, dict[str, Any]]:
    """What the drawing writes under each step."""
    return {
        step.element_id: {"text": _("%(count)d · %(median)s d", count=step.waiting, median=days(step.median)), "level": _level(step.waiting)}
        for step in steps
    }


def days(amount: float | None) -> str:
    """Calendar days with one decimal; what is there, but less than that, is not called nothing."""
    return "<0.1" if amount is not None and 0 < amount < 0.05 else number(amount)


def _level(waiting: int) -> int:
    return next((level for least, level in HEAT_LEVELS if waiting >= least), 0)


@blueprint.get("/supervision/heat")
@requires("supervise")
def heat():
    """The heat map of one process; the most crowded one first."""
    g.room = "supervision"
    visible, now = views.overseen(), engine().clock()
    with engine().reading() as conn:
        known = {row.process_id: row for row in pace.processes(conn, visible)}
        chosen = request.args.get("process", "")
        chosen = chosen if chosen in known else next(iter(known), "")
        steps = pace.steps(conn, visible, chosen, now) if chosen else []
    names = {id: process_name(row.definition_key) for id, row in known.items()}
    about = {"url": url_for("supervision.heat_drawing", process=chosen), "heat": heat_of(steps)} if chosen else {}
    return render_template("supervision/heat.html", names=names, chosen=chosen, steps=steps, about=about, number=days)


def process_name(definition_key: int) -> str:
    found = engine().catalogue.get(definition_key)
    return found.name or found.id


@blueprint.get("/supervision/heat/<process>.bpmn")
@requires("supervise")
def heat_drawing(process: str):
    """The newest version of a process that cases in view have run through, for the drawing."""
    visible = views.overseen()
    with engine().reading() as conn:
        row = next((each for each in pace.processes(conn, visible) if each.process_id == process), None)
    if row is None:
        raise NotFound("There is no such process.")
    catalogue = engine().catalogue
    _name, content = catalogue.content(catalogue.get(row.definition_key))
    return send_file(BytesIO(bytes(content)), mimetype="application/xml", download_name="process.bpmn")
