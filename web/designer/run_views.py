"""Watching a run of scenarios: its page, the live part of it, its state as data, asking for one and stopping it."""

from __future__ import annotations

from typing import Any

from flask import current_app, flash, g, jsonify, redirect, render_template, request, url_for
from flask_babel import gettext as _

from engine.errors import InvalidState
from engine.runtime.design import drafts, publishing, runs
from engine.runtime.design.publishing import Submission
from engine.runtime.design.runs import ScenarioRun
from engine.runtime.design.trying import covered
from web import security
from web.designer import blueprint
from web.designer.access import access_draft, access_run
from web.designer.spoken import spoken
from web.i18n import say


def engine():
    return current_app.extensions["engine"]


@blueprint.post("/designer/drafts/<int:key>/runs")
def start_run(key: int):
    """Ask for a run of all scenarios of the draft."""
    access_draft(key)
    run = runs.start(engine().desk, key, by=g.person.login, address=security.address())
    return redirect(url_for("designer.scenario_run", key=run.key))


@blueprint.get("/designer/runs/<int:key>")
def scenario_run(key: int):
    """The page of a run; with ``follow=1`` it goes on by itself to what the run led to."""
    g.room = _room()
    run = access_run(key)
    if request.args.get("follow") == "1" and (way := _way_on(run)):
        _say_what_became(run)
        return redirect(way)
    return render_template("designer/run.html", **_shown(run))


@blueprint.get("/designer/runs/<int:key>/progress")
def run_progress(key: int):
    """The live part of the page; it asks again only while the run is open, and goes on when something came of it."""
    run = access_run(key)
    answer = current_app.make_response(render_template("designer/_run.html", live=True, **_shown(run)))
    if _way_on(run):
        answer.headers["HX-Redirect"] = url_for("designer.scenario_run", key=key, follow=1)
    return answer


@blueprint.get("/designer/runs/<int:key>/state")
def run_state(key: int):
    """The same as data, for the page of the dry run."""
    return jsonify(as_data(access_run(key)))


@blueprint.post("/designer/runs/<int:key>/cancel")
def cancel_run(key: int):
    """Stop it; nothing follows."""
    run = access_run(key)
    try:
        runs.cancel(engine().desk, key, by=g.person.login, address=security.address())
    except InvalidState as refused:
        if request.accept_mimetypes.best == "application/json":
            raise
        flash(say(refused.message), "warning")
    if request.accept_mimetypes.best == "application/json":
        return jsonify(as_data(access_run(run.key)))
    return redirect(url_for("designer.scenario_run", key=key))


def _room() -> str:
    return "designer" if g.person.may("design") else "publications"


def _way_on(run: ScenarioRun) -> str | None:
    """Where to go when what followed the run was done."""
    return url_for("designer.submission", key=run.outcome.submission) if run.outcome is not None and run.outcome.ok else None


def _say_what_became(run: ScenarioRun) -> None:
    with engine().reading() as conn:
        found = publishing.submission(engine().desk, conn, run.outcome.submission, g.person.login)  # type: ignore[union-attr]
    flash_state(found, run.act)


def flash_state(found: Submission, act: str) -> None:
    """Say what became of a submission that was just handed in, or decided."""
    with engine().reading() as conn:
        others = [login for login in publishing.approvers(engine().desk, conn) if login != found.submitted_by]
    if found.state == "WAITING" and not others:
        flash(_("Submitted, but there is nobody else who may approve it. An administrator has to name a second person."), "warning")
        return
    words = {
        "WAITING": _("Submitted. The others who may approve it have been told."), "SCHEDULED": _("It takes effect on its day."),
        "PUBLISHED": _("The new version is in use."),
    }  # fmt: skip
    if found.state in words:
        flash(words[found.state], "success")


def _shown(run: ScenarioRun) -> dict[str, Any]:
    """What both the page and its live part are drawn from."""
    desk = engine().desk
    with engine().reading() as conn:
        draft = drafts.get(desk, conn, run.draft_key, g.person.login)
        ahead = runs.before_it(conn, run) if run.state == runs.QUEUED else 0
    told = run.following or {}
    return {
        "run": run, "draft": draft, "ahead": ahead, "act": run.act, "told": told, "way_on": _way_on(run),
        "again": url_for("designer.submission", key=told["submission"]) if run.act in ("approve", "publish") else url_for("designer.submit", key=draft.key),
    }  # fmt: skip


def as_data(run: ScenarioRun) -> dict[str, Any]:
    """A run as the page of the dry run reads it; coverage only of one that was played to its end."""
    results = [
        {
            "name": each.name, "title": each.title, "ok": each.ok, "problems": [say(words) for words in each.problems],
            "seconds": round(each.seconds, 2),
        }
        for each in run.results
    ]  # fmt: skip
    coverage: list[Any] = []
    if run.state == runs.DONE:
        coverage = spoken(covered(access_draft(run.draft_key).files, run.results))
    return {
        "key": str(run.key), "open": run.open, "state": run.state, "word": say(run.word), "total": run.total, "done": run.done,
        "present": run.present, "results": results, "coverage": coverage, "revision": run.revision,
        "urls": {"state": url_for("designer.run_state", key=run.key), "cancel": url_for("designer.cancel_run", key=run.key)},
    }  # fmt: skip


