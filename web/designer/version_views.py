"""The versions of a procedure: who, why, when, which instances run on which; comparing, going back, bringing instances along."""

from __future__ import annotations

from collections.abc import Mapping

from flask import current_app, flash, g, redirect, render_template, request, url_for
from flask_babel import gettext as _

from engine.errors import ValidationFailed
from engine.runtime.design import drafts, following, publishing
from engine.runtime.design.files import SCENARIOS, file_set
from engine.runtime.design.runs import ScenarioRun
from engine.runtime.design.versions import instances_by_version, version_of, versions
from web import security
from web.designer import blueprint, queries
from web.designer.diffs import comparison
from web.designer.draft_views import said
from web.designer.views import KIND_WORDS
from web.people import requires
from web.requests import number


def engine():
    return current_app.extensions["engine"]


def _room() -> str:
    """The item of the menu that the page belongs to: administrators, who approve versions but draw none, have one of their own."""
    return "designer" if g.person.may("design") else "publications"


@blueprint.get("/designer/procedures/<process_id>")
@requires("approve_design")
def procedure(process_id: str):
    """All versions of a procedure, its drafts, and what waits for publication."""
    return _page(process_id, {})


def _page(process_id: str, errors: Mapping[str, list[str]], status: int = 200):
    g.room = _room()
    desk = engine().desk
    with engine().reading() as conn:
        listed = versions(desk, conn, process_id)
        counts = instances_by_version(conn, [process_id])
        open_drafts = queries.drafts_listed(conn, ("OPEN", "SUBMITTED"), process_id)
        waiting = publishing.submissions(conn, process_id=process_id, open_only=True)
    newest = listed[0].process_version
    stages = sorted({version for _id, version in counts} | {newest}, reverse=True)
    page = render_template(
        "designer/procedure.html", process_id=process_id, name=drafts.desk_name(desk, process_id) or process_id, listed=listed, newest=newest,
        counts={version: counts.get((process_id, version)) for version in stages}, drafts=open_drafts, waiting=waiting, errors=errors,
        kind_words=KIND_WORDS, names=_names(listed), state_words=drafts.STATES, made_of=_made_of(listed), authors=_authors(listed), beside=_beside(listed),
    )  # fmt: skip
    return page, status


def _made_of(listed) -> dict[int, list[int]]:
    """Version of the process → the versions of the procedure that it is part of, the first first."""
    found: dict[int, list[int]] = {}
    for each in reversed(listed):
        found.setdefault(each.process_version, []).append(each.number)
    return found


def _authors(listed) -> dict[int, str]:
    """Deployment → the login of its author; empty where none of the office is, such as for what came with the program."""
    directory = engine().desk.people.directory()
    logins = {each.deployment_key: each.author or each.by for each in listed}
    return {key: login if directory.person(login) else "" for key, login in logins.items()}


def _beside(listed) -> dict[int, tuple[list[str], int]]:
    """Deployment → the files changed that are not executed: their names, and how many scenarios."""
    found = {}
    for each in listed:
        others = [name for name in each.companions if not name.startswith(SCENARIOS)]
        found[each.deployment_key] = (others, len(each.companions) - len(others))
    return found


def _names(listed) -> dict[tuple[str, str], str]:
    """(kind, id) → the name of a definition."""
    found = {}
    for each in listed:
        for kind, id, _version in each.changed:
            definition = engine().catalogue.find(kind, id)
            found[kind, id] = (definition.name if definition else "") or id
    return found


@blueprint.get("/designer/procedures/<process_id>/compare")
@requires("approve_design")
def compare_versions(process_id: str):
    """Two versions beside each other."""
    g.room = _room()
    old_key, new_key = number(request.args.get("old")), number(request.args.get("new"))
    desk = engine().desk
    with engine().reading() as conn:
        old, new = (version_of(desk, conn, process_id, key or 0) for key in (old_key, new_key))
        if old.number > new.number:
            old, new = new, old
        before, after = (file_set(desk, conn, process_id, each.deployment_key).files for each in (old, new))
        shown = comparison(conn, before, after, old.deployment_key, new.deployment_key)
    return render_template(
        "designer/compare.html", title=_("“%(name)s”: version %(old)d and version %(new)d", name=drafts.desk_name(desk, process_id), old=old.number, new=new.number),
        back=url_for("designer.procedure", process_id=process_id), note=new.reason, old_name=_("Version %(number)d", number=old.number),
        new_name=_("Version %(number)d", number=new.number), **shown,
    )  # fmt: skip


@blueprint.post("/designer/procedures/<process_id>/rollback")
@requires("design")
def roll_back(process_id: str):
    """Submit an earlier version again."""
    token = request.form.get("command_token", "")[:100] or None
    try:
        draft, found = following.roll_back(
            engine().desk, process_id, number(request.form.get("deployment")) or 0, reason=request.form.get("reason", ""), by=g.person.login,
            token=token, address=security.address(),
        )  # fmt: skip
    except ValidationFailed as refused:
        return _page(process_id, said(refused), 422)
    if found is None:
        flash(_("The earlier version lies in a draft; something stands against publishing it. See the findings."), "error")
        return redirect(url_for("designer.submit", key=draft.key))
    if isinstance(found, ScenarioRun):
        return redirect(url_for("designer.scenario_run", key=found.key))
    words = _("The earlier version is in use again.") if found.state == "PUBLISHED" else _("The earlier version is submitted and waits for approval.")
    flash(words, "success")
    return redirect(url_for("designer.submission", key=found.key))
