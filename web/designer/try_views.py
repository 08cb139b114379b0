"""Trying a draft: a dry run that keeps no state on the server, and its scenarios with their coverage."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import PurePosixPath
from typing import Any

from flask import Response, current_app, g, jsonify, render_template, request, url_for

from engine.errors import DeploymentRejected, NotFound, ValidationFailed
from engine.runtime.design import checking, plans, runs, scenarios, trying
from engine.runtime.design.drafts import Draft
from engine.runtime.design.sandbox import deployable, processes_of
from engine.words import T, Words
from web import security
from web.designer import blueprint
from web.designer.access import access_draft
from web.designer.run_views import as_data
from web.designer.spoken import spoken
from web.i18n import say

KILOBYTE = 1024
UNREADABLE = T("The request could not be read. Reload the page; your dry run is kept.")


def engine():
    return current_app.extensions["engine"]


@blueprint.get("/designer/drafts/<int:key>/try", endpoint="try_draft")
def show(key: int):
    """The page: the drawing, what can be done now, the clock, the log, the scenarios.

    A copy of the office with a drawing of thousands of elements takes seconds to make: then a page that says so stands first.
    """
    g.room = "designer"
    draft = access_draft(key)
    if request.args.get("ready") != "1" and sum(map(len, draft.files.values())) > checking.QUICK:
        return render_template("designer/preparing.html", draft=draft, way=_way(key), ready=url_for("designer.try_ready", key=key, **_asked()))
    try:
        begin, problems = trying.beginning(engine().desk, draft.files), []
    except DeploymentRejected as rejected:
        begin, problems = None, [each for each in rejected.problems if each.severity == "error"]
    page = {
        "draft": {"key": str(draft.key), "title": draft.title, "revision": draft.revision, "editable": draft.editable},
        "begin": spoken(begin),
        "scenarios": _listed(draft),
        "played": _played(draft),
        "urls": {
            "run": url_for("designer.try_run", key=key), "all": url_for("designer.try_all", key=key),
            "diagram": url_for("designer.try_diagram", key=key), "save": url_for("designer.save_files", key=key),
        },
    }  # fmt: skip
    ways = {
        name: url_for(endpoint, key=key)
        for name, endpoint in (("draft", "designer.draft"), ("edit", "designer.edit"))
        if endpoint in current_app.view_functions
    }
    return render_template("designer/try.html", draft=draft, page=page, problems=problems, ways=ways)


def _asked() -> dict[str, str]:
    """The scenario that the page is to open, if the address names one."""
    return {name: request.args[name] for name in ("scenario",) if name in request.args}


def _way(key: int) -> str:
    return url_for("designer.try_draft", key=key, ready="1", **_asked())


@blueprint.get("/designer/drafts/<int:key>/try/ready", endpoint="try_ready")
def ready(key: int):
    """Make the copy of the office, which is kept a while, then lead to the page that needs it."""
    draft = access_draft(key)
    with suppress(DeploymentRejected):  # the page says what is wrong
        trying.beginning(engine().desk, draft.files)
    return Response(headers={"HX-Redirect": _way(key)})


@blueprint.post("/designer/drafts/<int:key>/try/run", endpoint="try_run")
def run(key: int):
    """Play the scenario that the page holds, from its start, and say where it stands."""
    draft = access_draft(key)
    scenario = scenarios.read(T("dry run"), _body().get("scenario") or {})
    try:
        return jsonify(spoken(trying.try_out(engine().desk, draft.files, scenario)) | {"revision": draft.revision})
    except DeploymentRejected as rejected:
        raise ValidationFailed(_untriable(rejected)) from rejected


@blueprint.post("/designer/drafts/<int:key>/try/all", endpoint="try_all")
def run_all(key: int):
    """Ask for a run of all the draft's scenarios; with ``name`` play that one here and now, and say what it covers."""
    draft = access_draft(key)
    name = _body().get("name")
    if name is None:
        return jsonify(as_data(runs.start(engine().desk, key, by=g.person.login, address=security.address()))), 202
    if not isinstance(name, str) or name not in scenarios.scenario_files(draft.files):
        raise ValidationFailed(UNREADABLE)
    (result,) = scenarios.run_all(engine().desk, draft.files, [name])
    told = {
        "name": result.name, "title": result.title, "ok": result.ok, "problems": [say(words) for words in result.problems],
        "seconds": round(result.seconds, 2),
    }  # fmt: skip
    return jsonify(results=[told], coverage=spoken(trying.covered(draft.files, [result])), revision=draft.revision)


@blueprint.get("/designer/drafts/<int:key>/try/diagram", endpoint="try_diagram")
def diagram(key: int):
    """The drawing of one process: the draft's own, or the deployed one that it calls."""
    draft = access_draft(key)
    wanted = request.args.get("process", "")
    files = deployable(draft.files)
    own = processes_of(files.items()).get(wanted)
    if own is not None:
        return Response(files[own], mimetype="application/xml")
    found = engine().catalogue.find("process", wanted)
    if found is None:
        raise NotFound("There is no process “%(id)s”.", id=wanted)
    return Response(engine().catalogue.content(found)[1], mimetype="application/xml")


def _played(draft: Draft) -> dict[str, Any] | None:
    """The run of the draft that is under way, else the last one if playing it again would come to the same."""
    desk = engine().desk
    with engine().reading() as conn:
        found = runs.open_run(conn, draft.key) or runs.kept(desk, conn, draft.key, plans.plan(desk, conn, draft).merged)
    return as_data(found) if found is not None else None


def _body() -> Mapping[str, Any]:
    request.max_content_length = scenarios.MAX_BYTES + 64 * KILOBYTE
    body = request.get_json(silent=True)
    if not isinstance(body, dict):
        raise ValidationFailed(UNREADABLE)
    return body


def _untriable(rejected: DeploymentRejected) -> Words:
    first = next((each for each in rejected.problems if each.severity == "error"), None)
    return T("The draft cannot be tried yet: %(reason)s", reason=first.message if first else T("it has no process"))


def _listed(draft: Draft) -> list[dict[str, Any]]:
    """The draft's scenarios; one that cannot be read is listed with what is wrong with it."""
    found = []
    paths = {PurePosixPath(name).stem: name for name in draft.files if name.endswith(".json")}
    for name, text in scenarios.scenario_files(draft.files).items():
        try:
            scenario = scenarios.read(name, text)
            found.append(
                {"name": name, "file": paths[name], "title": scenario.title, "steps": len(scenario.steps), "text": text, "problem": ""}
            )
        except ValidationFailed as refused:
            found.append({"name": name, "file": paths[name], "title": name, "steps": 0, "text": text, "problem": say(refused.message)})
    return found
