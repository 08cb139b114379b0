"""Submitting a draft, and the second person's decision on it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flask import current_app, flash, g, redirect, render_template, request, url_for
from flask_babel import gettext as _

from engine.deadlines.calendar import OFFICE_ZONE
from engine.errors import Conflict, DeploymentRejected, InvalidState, ValidationFailed
from engine.runtime.design import checking, drafts, following, plans, publishing, runs
from engine.runtime.design.files import Part
from engine.runtime.design.runs import ScenarioRun
from web import security
from web.designer import blueprint
from web.designer.access import access_draft, access_submission
from web.designer.diffs import comparison
from web.designer.draft_views import said
from web.designer.findings import SEVERITY_WORDS, labels_of
from web.designer.run_views import flash_state
from web.i18n import say
from web.people import requires
from web.requests import number


def engine():
    return current_app.extensions["engine"]


@blueprint.get("/designer/drafts/<int:key>/submit")
@requires("design")
def submit(key: int):
    """What would be published, and what is asked before."""
    return _submit_page(key, {}, {})


def _submit_page(key: int, values: Mapping[str, Any], errors: Mapping[str, list[str]], status: int = 200, note: str = ""):
    g.room = "designer"
    draft = access_draft(key)
    desk = engine().desk
    with engine().reading() as conn:
        planned = plans.plan(desk, conn, draft)
        others = [login for login in publishing.approvers(desk, conn) if login != g.person.login]
        running, played = runs.open_run(conn, key), runs.kept(desk, conn, key, planned.merged)
        shown = comparison(conn, planned.in_use, planned.merged, draft.base)
    problems = drafts.examine(desk, planned.merged)
    page = render_template(
        "designer/submit.html", draft=draft, plan=planned, problems=problems, labels=labels_of(planned.merged), severity_words=SEVERITY_WORDS,
        values=values, errors=errors, note=note, others=others, running=running, played=played, second=desk.settings.design_second_approval,
        blocking=plans.blocking(problems), scenarios=[name for name in planned.merged if name.startswith("scenarios/")],
        diffs=shown["diffs"], limits=shown["limits"],
    )  # fmt: skip
    return page, status


@blueprint.post("/designer/drafts/<int:key>/submit")
@requires("design")
def send(key: int):
    """Hand the draft in."""
    access_draft(key)
    form = request.form
    values = {name: form.get(name, "").strip() for name in ("reason", "effective_at", "compared", "warnings", "revision")}
    try:
        effective_at = _instant(values["effective_at"])
    except ValueError:
        return _submit_page(key, values, {"effective_at": [_("Enter a day and a time.")]}, 422)
    seen = _parts(form.getlist("seen")) if values["compared"] == "1" else []
    try:
        found = following.submit(
            engine().desk, key, revision=number(values["revision"]) or 0, reason=values["reason"], effective_at=effective_at, compared=seen,
            warnings_seen=values["warnings"] == "1", by=g.person.login, address=security.address(),
        )  # fmt: skip
    except ValidationFailed as refused:
        return _submit_page(key, values, said(refused), 422, say(refused.message))
    except DeploymentRejected:
        return _submit_page(key, values, {}, 422, _("There are errors. Correct them in the editor first."))
    except (Conflict, InvalidState) as refused:
        return _submit_page(key, values, {}, 409, say(refused.message))
    if isinstance(found, ScenarioRun):
        return redirect(url_for("designer.scenario_run", key=found.key, follow=1))
    flash_state(found, "submit")
    return redirect(url_for("designer.submission", key=found.key))


def _instant(text: str) -> datetime | None:
    """The instant of a field ``datetime-local``, office time; ``None`` for an empty one.  :class:`ValueError` for anything else."""
    return datetime.fromisoformat(text).replace(tzinfo=OFFICE_ZONE) if text else None


def _parts(marks: list[str]) -> list[Part]:
    """``kind:id:version`` marks of the page; what is none is no confirmation."""
    found = []
    for mark in marks:
        kind, _colon, rest = mark.partition(":")
        id, _colon, version = rest.rpartition(":")
        if kind and id and (version_number := number(version)) is not None:
            found.append((kind, id, version_number))
    return found


def _room() -> str:
    """The item of the menu that the page belongs to: administrators have one of their own."""
    return "designer" if g.person.may("design") else "publications"


@blueprint.get("/designer/submissions/<int:key>")
def submission(key: int):
    """One submission: what it changes, in words and drawn, and the decision."""
    return _submission_page(key, {})


def _submission_page(key: int, errors: Mapping[str, list[str]], status: int = 200, note: str = ""):
    g.room = _room()
    found = access_submission(key)
    desk = engine().desk
    with engine().reading() as conn:
        draft = drafts.get(desk, conn, found.draft_key, g.person.login)
        planned = plans.plan(desk, conn, draft)
        running = runs.open_run(conn, draft.key)
        waiting = found.state in ("WAITING", "SCHEDULED")
        played = runs.kept(desk, conn, draft.key, planned.merged) if waiting else None
        old, new = (planned.in_use, planned.merged) if waiting else ({}, {})
        shown = comparison(conn, old, new, draft.base)
    problems = drafts.examine(desk, planned.merged) if waiting else list(found.findings or ())
    fresh = checking.new_among(problems, found.findings) if found.findings is not None else []
    later = set(map(id, fresh))
    page = render_template(
        "designer/submission.html", found=found, draft=draft, plan=planned, errors=errors, note=note, waiting=waiting, running=running,
        **shown, mine=found.submitted_by == g.person.login, problems=[each for each in problems if id(each) not in later], fresh=fresh, played=played,
        labels=labels_of(planned.merged), severity_words=SEVERITY_WORDS, blocking=plans.blocking(problems) if waiting else 0,
    )  # fmt: skip
    return page, status


@blueprint.post("/designer/submissions/<int:key>/approve")
def approve(key: int):
    """Agree: in use at once, or on its day."""
    access_submission(key)
    try:
        found = following.approve(
            engine().desk, key, revision=_revision(), note=request.form.get("note", ""), by=g.person.login, address=security.address()
        )
    except DeploymentRejected as rejected:
        return _submission_page(key, {"": [say(each.message) for each in rejected.problems[:20]]}, 422, _("It does not pass the check any more."))
    except ValidationFailed as refused:
        return _submission_page(key, said(refused), 422, say(refused.message))
    if isinstance(found, ScenarioRun):
        return redirect(url_for("designer.scenario_run", key=found.key, follow=1))
    flash_state(found, "approve")
    return redirect(url_for("designer.submission", key=key))


def _revision() -> int:
    return number(request.form.get("revision")) or 0


@blueprint.post("/designer/submissions/<int:key>/refuse")
def refuse(key: int):
    """Send it back with a reason."""
    access_submission(key)
    try:
        publishing.refuse(
            engine().desk, key, revision=_revision(), note=request.form.get("note", ""), by=g.person.login, address=security.address()
        )
    except ValidationFailed as refused:
        return _submission_page(key, said(refused), 422, say(refused.message))
    flash(_("Sent back. The author has been told."), "success")
    return redirect(url_for("designer.submission", key=key))


@blueprint.post("/designer/submissions/<int:key>/withdraw")
@requires("design")
def withdraw(key: int):
    """Take it back; the draft is open again."""
    found = access_submission(key)
    publishing.withdraw(engine().desk, key, revision=_revision(), by=g.person.login, address=security.address())
    flash(_("The submission was withdrawn; the draft is open again."), "success")
    return redirect(url_for("designer.draft", key=found.draft_key))


@blueprint.get("/designer/submissions")
def submissions():
    """What waits for approval or for its day; what administrators see of the room."""
    if not g.person.may("approve_design"):
        access_submission(0)
    g.room = _room()
    with engine().reading() as conn:
        waiting = publishing.submissions(conn, open_only=True)
        titles = publishing.titles(conn, waiting)
    return render_template("designer/submissions.html", waiting=waiting, titles=titles)
