"""How cases went through a draft's process until now, on its drawing and as a table; figures only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from flask import Response, current_app, g, jsonify, render_template, request, url_for
from flask_babel import gettext as _

from engine.errors import NotFound
from engine.runtime.design import sheet_choices, statistics
from engine.runtime.design.drafts import Draft
from engine.runtime.design.statistics import Step
from engine.words import T, Words
from web.designer import blueprint
from web.designer.access import access_draft
from web.i18n import say
from web.supervision.figure_views import percent
from web.supervision.heat import HEAT_LEVELS
from web.supervision.views import spreadsheet

PERIODS: dict[str, Words] = {"30": T("last 30 days"), "90": T("last 90 days"), "365": T("last 365 days"), "all": T("since the beginning")}
USUAL_PERIOD = "90"
MEASURES: dict[str, Words] = {
    "running": T("Running now"), "median": T("Median"), "p90": T("90th percentile"), "returns": T("Return rate"), "reached": T("Reached"),
}  # fmt: skip
SMALL = 5
"""Fewer finished steps than this say little about time."""
DEPTHS = 4


def engine():
    return current_app.extensions["engine"]


@dataclass(frozen=True)
class Asked:
    """What the page shows: office days from ``since`` up to, not including, ``until``."""

    process: str
    version: int | None
    period: str
    since: date
    until: date
    show: str

    def query(self) -> dict[str, Any]:
        """The same as an address says it."""
        chosen = {"process": self.process, "version": self.version, "period": self.period, "show": self.show}
        days = {"since": self.since.isoformat(), "until": (self.until - timedelta(days=1)).isoformat()} if self.period == "own" else {}
        return {name: value for name, value in (chosen | days).items() if value is not None}


def _asked(draft: Draft) -> tuple[Asked, dict[str, str]]:
    """What the address asks for, and the processes of the draft by name; what makes no sense there is what is usual."""
    processes = sheet_choices.drawn(draft.files).processes
    args = request.args
    process = args.get("process", "")
    if process not in processes:
        process = draft.process_id if draft.process_id in processes else next(iter(processes), "")
    version = args.get("version", "")
    today = engine().calendar.local(engine().clock()).date()
    own = _day(args.get("since", "")), _day(args.get("until", ""))
    period = args.get("period", USUAL_PERIOD)
    if own[0] and own[1] and args.get("was", "own") != "own":
        # Who fills in days means them, even where the list beside still says something else.
        period = "own"
    if period == "own" and own[0] and own[1] and own[0] <= own[1]:
        since, until = own[0], own[1] + timedelta(days=1)
    else:
        period = period if period in PERIODS else USUAL_PERIOD
        until = today + timedelta(days=1)
        since = statistics.EARLIEST if period == "all" else until - timedelta(days=int(period))
    show = args.get("show", "")
    number = int(version) if version.isascii() and version.isdecimal() and len(version) < 9 else None
    return Asked(process, number, period, since, until, show if show in MEASURES else "running"), processes


def _day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if 2000 <= day.year < 2100 else None


def _read(asked: Asked) -> statistics.Statistics:
    with engine().reading() as conn:
        return statistics.statistics(conn, asked.process, asked.since, asked.until, engine().calendar, version=asked.version)


@blueprint.get("/designer/drafts/<int:key>/statistics", endpoint="statistics")
def show_statistics(key: int):
    """The drawing of the draft with the figures of the versions until now, and the table."""
    g.room = "designer"
    draft = access_draft(key)
    asked, processes = _asked(draft)
    found = _read(asked)
    drawn = _in_order(draft, asked.process)
    steps = sorted(found.steps.values(), key=lambda step: (drawn.get(step.element_id, len(drawn)), step.element_id))
    about = {"url": url_for("designer.statistics_drawing", key=key, process=asked.process), "heat": heat(steps, asked.show)}
    if asked.show != "reached":
        about["counts"] = {step.element_id: step.reached for step in steps}
    return render_template(
        "designer/statistics.html", draft=draft, asked=asked, processes=processes, found=found, steps=steps, drawn=drawn, about=about,
        periods=PERIODS, measures=MEASURES, days=days, percent=percent, small=SMALL, sample=statistics.SAMPLE,
    )  # fmt: skip


def _in_order(draft: Draft, process: str) -> dict[str, int]:
    """Element → its place in the file that draws the process."""
    for name, text in draft.files.items():
        picture = sheet_choices.drawn({name: text})
        if process in picture.processes:
            return {id: place for place, id in enumerate(picture.all_elements)}
    return {}


def days(amount: float | None) -> str:
    """Working days with one decimal; what is there, but less than that, is not called nothing."""
    return "—" if amount is None else "<0.1" if 0 < amount < 0.05 else f"{round(amount, 1):g}"


def heat(steps: list[Step], show: str) -> dict[str, dict[str, Any]]:
    """What the drawing writes under each element, the deeper the nearer to the highest of its kind; elements without it have nothing."""
    values: dict[str, float | None] = {step.element_id: _measure(step, show) for step in steps}
    highest = max((value for value in values.values() if value), default=0)
    found = {}
    for id, value in values.items():
        if value:
            text = percent(value) if show == "returns" else _("%(amount)s d", amount=days(value)) if show in ("median", "p90") else f"{value:g}"
            found[id] = {"text": text, "level": waiting_level(value) if show == "running" else max(1, round(DEPTHS * value / highest))}
    return found


def waiting_level(count: float) -> int:
    """The depth that so many waiting cases have on every heat map of the house."""
    return next((level for least, level in HEAT_LEVELS if count >= least), 0)


def _measure(step: Step, show: str) -> float | None:
    return {
        "running": step.running, "median": step.median, "p90": step.p90, "returns": step.return_rate, "reached": step.reached,
    }[show]  # fmt: skip


@blueprint.get("/designer/drafts/<int:key>/statistics/drawing", endpoint="statistics_drawing")
def drawing(key: int):
    """The draft's drawing of one process."""
    draft = access_draft(key)
    wanted = request.args.get("process", "")
    for name, text in draft.files.items():
        if wanted and wanted in sheet_choices.drawn({name: text}).processes:
            return Response(text, mimetype="application/xml")
    raise NotFound("There is no process “%(id)s”.", id=wanted)


@blueprint.get("/designer/drafts/<int:key>/statistics.json", endpoint="statistics_figures")
def figures(key: int):
    """The figures for the editor's own canvas (``statistics.js``), ready to be written under the elements.

    A process that the draft does not draw as it is saved, or that was never deployed, has none and no versions; ``known`` are the
    elements of the chosen version, so that the editor can tell a new element from one that nobody reached.
    """
    draft = access_draft(key)
    asked, processes = _asked(draft)
    wanted = request.args.get("process", "")
    answer: dict[str, Any] = {
        "process": wanted, "period": asked.period, "since": asked.since.isoformat(), "until": asked.until.isoformat(), "version": asked.version,
        "periods": [[code, say(word)] for code, word in PERIODS.items()], "measures": [[code, say(word)] for code, word in MEASURES.items()],
        "versions": [], "known": [], "steps": {}, "sampled": False,
    }  # fmt: skip
    if wanted not in processes:
        return jsonify(answer)
    with engine().reading() as conn:
        found = statistics.statistics(conn, wanted, asked.since, asked.until, engine().calendar, version=asked.version)
        known = statistics.known_elements(engine().catalogue, conn, wanted, asked.version)
    steps = list(found.steps.values())
    levels = {code: heat(steps, code) for code in MEASURES}
    answer["versions"] = [{"number": each.version, "running": each.running, "started": each.started, "ended": each.ended} for each in found.versions]
    answer |= {"known": sorted(known), "sampled": found.sampled, "steps": {step.element_id: _told(step, levels) for step in steps}}
    return jsonify(answer)


def _told(step: Step, levels: dict[str, dict[str, dict[str, Any]]]) -> dict[str, Any]:
    """One step as the canvas writes it: figures as texts, and how deep each measure colours it."""
    return {
        "name": step.name or step.element_id, "reached": step.reached, "running": step.running, "finished": step.finished,
        "median": days(step.median) if step.times else "", "p90": days(step.p90) if step.times else "", "few": 0 < len(step.times) < SMALL,
        "returns": percent(step.return_rate) if step.done else "", "returned": step.returned, "done": step.done,
        "levels": {code: found[step.element_id]["level"] for code, found in levels.items() if step.element_id in found},
    }  # fmt: skip


@blueprint.get("/designer/drafts/<int:key>/statistics.xlsx", endpoint="export_statistics")
def export(key: int):
    """All versions together and each of them, step by step, as a workbook."""
    draft = access_draft(key)
    asked, _processes = _asked(draft)
    found = _read(asked)
    drawn = _in_order(draft, asked.process)
    heads = [
        _("Step"), _("Identifier"), _("Version"), _("Reached"), _("Running now"), _("Finished"), _("Median (working days)"),
        _("90th percentile (working days)"), _("Decisions made"), _("Sent back"), _("Return rate"), _("Since"), _("Until"),
    ]  # fmt: skip
    span = [asked.since.isoformat() if asked.period != "all" else say(PERIODS["all"]), (asked.until - timedelta(days=1)).isoformat()]
    chosen = _("all versions") if asked.version is None else str(asked.version)
    parts = [(chosen, found.steps)]
    if asked.version is None:
        parts += [(str(number), steps) for number, steps in sorted(found.by_version.items(), reverse=True)]
    lines = [
        [
            step.name or step.element_id, step.element_id, number, step.reached, step.running, step.finished, days(step.median), days(step.p90),
            step.done, step.returned, percent(step.return_rate), *span,
        ]
        for number, steps in parts
        for step in sorted(steps.values(), key=lambda each: (drawn.get(each.element_id, len(drawn)), each.element_id))
    ]  # fmt: skip
    return spreadsheet(_("Statistics"), heads, lines)
