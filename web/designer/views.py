"""The designer's room: what is deployed, check → publish, and a version with its findings."""

from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO
from pathlib import PurePosixPath
from typing import Any

from flask import current_app, flash, g, redirect, render_template, request, send_file, url_for
from flask_babel import gettext as _
from flask_babel import ngettext

from engine.errors import DeploymentRejected, NotFound, Problem, ValidationFailed
from engine.runtime import administration
from engine.runtime.design import drafts, exchange, publishing, versions
from engine.runtime.design.drafts import STATES
from engine.runtime.examining import READERS, examine
from engine.words import T, Words
from web import security
from web.designer import blueprint, queries
from web.designer.findings import SEVERITY_WORDS, labels_of
from web.designer.uploads import FILE_LIMIT, MEGABYTE, TOTAL_LIMIT, collect
from web.i18n import say
from web.people import requires

KIND_WORDS: dict[str, Words] = {
    "process": T("Process"), "procedure": T("Procedure sheet"), "form": T("Form"), "decision": T("Decision"), "rules": T("Deadline rules"),
    "ladders": T("Ladders"), "monitoring": T("Supervision rules"),
}  # fmt: skip


def engine():
    return current_app.extensions["engine"]


@blueprint.get("/designer")
@requires("design")
def index():
    """The room: procedures with what is in use, drafts, and what waits for approval."""
    g.room = "designer"
    with engine().reading() as conn:
        listed = versions.procedures(engine().desk, conn)
        open_drafts = queries.drafts_listed(conn, ("OPEN", "SUBMITTED"))
        discarded = queries.drafts_listed(conn, ("DISCARDED",))
        waiting = publishing.submissions(conn, open_only=True)
        tried = queries.scenarios_by_process(conn)
        titles = publishing.titles(conn, waiting)
    return render_template(
        "designer/room.html", procedures=listed, drafts=open_drafts, discarded=discarded, waiting=waiting, tried=tried, titles=titles,
        state_words=STATES,
    )  # fmt: skip


@blueprint.get("/designer/definitions")
@requires("design")
def definitions():
    """Everything deployed, with versions and running instances."""
    g.room = "designer"
    kind = request.args.get("kind", "")
    with engine().reading() as conn:
        listed = queries.definitions(conn)
    numbers = {each: sum(1 for item in listed if item.kind == each) for each in KIND_WORDS}
    if kind not in KIND_WORDS:
        kind = ""
    shown = sorted((item for item in listed if not kind or item.kind == kind), key=lambda item: (list(KIND_WORDS).index(item.kind), item.id))
    with engine().reading() as conn:
        waiting = publishing.submissions(conn, open_only=True)
    return render_template("designer/definitions.html", waiting=waiting, listed=shown, kind=kind, numbers=numbers, kind_words=KIND_WORDS, total=len(listed))


@blueprint.get("/designer/upload", endpoint="upload")
@requires("design")
def choose():
    """The first step: choose files."""
    g.room = "designer"
    return _upload_page()


def _upload_page(problem: str = "", status: int = 200):
    limits = {"file_mb": FILE_LIMIT // MEGABYTE, "total_mb": TOTAL_LIMIT // MEGABYTE, "accept": ",".join([*sorted(READERS), ".zip"])}
    return render_template("designer/upload.html", problem=problem, **limits), status


@blueprint.post("/designer/check")
@requires("design")
def check():
    """The second step: the findings, and, if no error is among them, the button that publishes exactly these files."""
    g.room = "designer"
    # A model may be larger than the attachment limit of a form: this page has its own, and says so in words.
    request.max_content_length = TOTAL_LIMIT + MEGABYTE
    uploads = request.files.getlist("files")
    try:
        files = collect(uploads)
    except ValidationFailed as refused:
        return _upload_page(say(refused.message), 422)
    finally:
        for upload in uploads:
            upload.close()
    found, problems = examine(files, engine().catalogue, engine().desk.people.directory())
    errors = sum(1 for problem in problems if problem.severity == "error")
    ticket = "" if errors else administration.stage_files(engine().desk, files, by=g.person.login, address=security.address())
    page = render_template(
        "designer/check.html", files=files, found=[_judged(item) for item in found], problems=_sorted(problems), labels=labels_of(files),
        errors=errors, ticket=ticket, as_draft=_needs_draft(files), kind_words=KIND_WORDS, severity_words=SEVERITY_WORDS,
    )  # fmt: skip
    return page, 422 if errors else 200


def _judged(item: Any) -> dict[str, Any]:
    """A definition of the checked files, and what publishing it means: a new version, or nothing new."""
    current = engine().catalogue.find(item.kind, item.id)
    return {"kind": item.kind, "id": item.id, "name": item.name, "file": item.file, "current": current.version if current else 0}


def _sorted(problems: list[Problem]) -> list[Problem]:
    return sorted(problems, key=lambda problem: (problem.severity != "error", problem.file, problem.line or 0))


@blueprint.post("/designer/publish")
@requires("design")
def publish():
    """The third step: deploy what was checked."""
    g.room = "designer"
    ticket = request.form.get("ticket", "")
    files = administration.staged_files(engine().desk, ticket, by=g.person.login)
    if _needs_draft(files):
        return _as_draft(ticket, files)
    try:
        deployment = engine().deploy(files, by=g.person.login, address=security.address())
    except DeploymentRejected as rejected:
        # Something else was deployed meanwhile and the same files no longer pass: show why.
        page = render_template(
            "designer/check.html", files=files, found=[], problems=_sorted(rejected.problems), labels=labels_of(files),
            errors=len(rejected.problems), ticket="", kind_words=KIND_WORDS, severity_words=SEVERITY_WORDS,
        )  # fmt: skip
        return page, 422
    administration.drop_staged(engine().desk, ticket, by=g.person.login, address=security.address())
    new = sum(1 for item in deployment.definitions if item.new)
    if new:
        flash(ngettext("%(num)d new version published.", "%(num)d new versions published.", new), "success")
    else:
        flash(_("These files were published before; nothing changed."), "success")
    return redirect(url_for("designer.definitions"))


def _needs_draft(files: Iterable[str]) -> bool:
    """Whether a second person must agree to these files; limits and ladders have a room and a history of their own."""
    return engine().desk.settings.design_second_approval and exchange.is_procedure(files)


def _as_draft(ticket: str, files: dict[str, bytes]):
    """What a second person must agree to goes the way of a draft: it is there, checked, and waits for its reason."""
    chosen = exchange.draft_files(files)
    title = exchange.title_of(chosen)
    draft = drafts.create(engine().desk, title=title, files=chosen, by=g.person.login, token=ticket[:100], address=security.address())
    administration.drop_staged(engine().desk, ticket, by=g.person.login, address=security.address())
    flash(_("The files are a draft now. A second person has to approve it: submit it with a reason."), "success")
    return redirect(url_for("designer.draft", key=draft.key))


def _version(key: int):
    with engine().reading() as conn:
        row = queries.version(conn, key)
        if row is None:
            raise NotFound("There is no such version.")
        return row, queries.versions_of(conn, row.kind, row.id)


@blueprint.get("/designer/<int:key>")
@requires("design")
def version(key: int):
    """One version: the diagram with the findings beside it, or the file's text."""
    g.room = "designer"
    row, versions = _version(key)
    content = bytes(row.content)
    _found, problems = examine({row.file: content}, engine().catalogue, engine().desk.people.directory())
    text = "" if row.kind == "process" else content.decode("utf-8", "replace")
    return render_template(
        "designer/version.html", row=row, versions=versions, problems=_sorted(problems), labels=labels_of({row.file: content}), text=text,
        kind_words=KIND_WORDS, severity_words=SEVERITY_WORDS,
    )  # fmt: skip


@blueprint.get("/designer/<int:key>/file")
@requires("design")
def download(key: int):
    """The file as it was deployed; with ``?show=1`` for the drawing, otherwise to be saved."""
    row, _versions = _version(key)
    path = PurePosixPath(row.file)
    name = f"{path.stem}-v{row.version}{path.suffix}"
    kind = "application/xml" if path.suffix.lower() in (".bpmn", ".dmn") else "text/plain"
    return send_file(BytesIO(bytes(row.content)), mimetype=kind, as_attachment=request.args.get("show") != "1", download_name=name)
