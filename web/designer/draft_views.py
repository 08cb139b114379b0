"""One draft: its page, and what the editor saves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from io import BytesIO
from pathlib import PurePosixPath
from typing import Any

from flask import current_app, flash, g, jsonify, redirect, render_template, request, send_file, url_for
from flask_babel import gettext as _

from engine.errors import Conflict, NotFound, Problem, ValidationFailed
from engine.runtime.design import checking, comparing, drafts, plans, publishing
from engine.runtime.design.drafts import Draft
from engine.words import T
from web import security
from web.designer import blueprint
from web.designer.access import access_draft
from web.designer.diffs import comparison
from web.designer.findings import SEVERITY_WORDS, labels_of
from web.errors import name_of
from web.filters import localdatetime
from web.i18n import say
from web.people import requires
from web.requests import number


def engine():
    return current_app.extensions["engine"]


def problems_json(problems: Iterable[Problem]) -> list[dict[str, Any]]:
    """Findings as the editor shows them, in the reader's language."""
    return [
        {
            "file": each.file, "line": each.line, "elementId": each.element_id, "rule": each.rule, "message": say(each.message),
            "severity": each.severity,
        }
        for each in problems
    ]  # fmt: skip


# --- what the editor sends --------------------------------------------------------------------------------------------


def _body(**wanted: type | tuple[type, ...]) -> list[Any]:
    """The named values of a JSON body, of the wanted types.  Raises :class:`ValidationFailed` for anything else."""
    body = request.get_json(silent=True)
    values = [body.get(name) if isinstance(body, dict) else None for name in wanted]
    for value, kind in zip(values, wanted.values(), strict=True):
        # True is an int to Python, and no revision.
        if not isinstance(value, kind) or isinstance(value, bool):
            raise ValidationFailed(T("The request could not be read. Reload the page; what you typed is kept."))
    return values


@blueprint.put("/designer/drafts/<int:key>/files")
def save_files(key: int):
    """Save files of a draft; 409 with the name of whoever was faster, and with what they saved."""
    access_draft(key)
    revision, files = _body(revision=int, files=dict)
    note = request.get_json().get("note") or ""
    try:
        saved = drafts.save(
            engine().desk, key, files, revision=revision, note=str(note), by=g.person.login, address=security.address()
        )  # fmt: skip
    except Conflict as conflict:
        return _overtaken(access_draft(key), conflict), 409
    return jsonify(
        revision=saved.revision, savedAt=saved.saved_at.isoformat(), problems=problems_json(drafts.examine(engine().desk, saved.files))
    )


def _overtaken(draft: Draft, conflict: Conflict):
    return jsonify(
        code="conflict", message=say(conflict.message), by=name_of(conflict.by) or conflict.by, login=conflict.by,
        at=conflict.at.isoformat() if conflict.at else None, revision=draft.revision, files=draft.files,
    )  # fmt: skip


@blueprint.put("/designer/drafts/<int:key>/autosave")
def autosave(key: int):
    """Keep what lies in the editor."""
    access_draft(key)
    revision, file, content = _body(revision=int, file=str, content=str)
    drafts.autosave(engine().desk, key, file, content, revision=revision, by=g.person.login, address=security.address())
    return "", 204


@blueprint.delete("/designer/drafts/<int:key>/autosave")
def drop_autosaves(key: int):
    """Forget what the own editor kept."""
    access_draft(key)
    drafts.drop_autosaves(engine().desk, key, by=g.person.login, address=security.address())
    return "", 204


@blueprint.post("/designer/drafts/<int:key>/here")
def here(key: int):
    """Who is working on this draft, the asker noted among them; and its revision, so that an open editor hears of another's save."""
    draft = access_draft(key)
    drafts.touch(engine().desk, key, by=g.person.login)
    with engine().reading() as conn:
        people = drafts.people_here(engine().desk, conn, key)
    return jsonify(
        people=[{"login": login, "name": name_of(login), "at": at.isoformat(), "me": login == g.person.login} for login, at in people],
        revision=draft.revision, state=draft.state, savedBy=name_of(draft.saved_by), savedAt=draft.saved_at.isoformat(),
    )  # fmt: skip


# --- the draft's page -------------------------------------------------------------------------------------------------


@blueprint.get("/designer/new")
@requires("design")
def new():
    """Ask for the title of a new procedure."""
    return _new_page({}, {})


def _new_page(values: Mapping[str, str], errors: Mapping[str, list[str]], status: int = 200):
    g.room = "designer"
    return render_template("designer/new.html", values=values, errors=errors), status


@blueprint.post("/designer/drafts")
@requires("design")
def create():
    """Begin a new procedure."""
    values = {name: request.form.get(name, "").strip() for name in ("title", "process_id")}
    try:
        draft = drafts.create(
            engine().desk, process_id=values["process_id"] or None, title=values["title"], by=g.person.login, token=_token(),
            address=security.address(),
        )  # fmt: skip
    except ValidationFailed as refused:
        return _new_page(values, said(refused), 422)
    flash(_("“%(title)s” is begun. Draw it, then submit it.", title=draft.title), "success")
    return redirect(url_for("designer.draft", key=draft.key))


def _token() -> str | None:
    return request.form.get("command_token", "")[:100] or None


def said(refused: ValidationFailed) -> dict[str, list[str]]:
    """What is wrong, by field, in the reader's language."""
    return {field: [say(text) for text in texts] for field, texts in refused.errors.items()}


@blueprint.post("/designer/procedures/<process_id>/change")
@requires("design")
def change(process_id: str):
    """Begin a change of what is in use, or of an earlier version."""
    deployment = request.form.get("deployment", "")
    draft = drafts.branch(
        engine().desk, process_id, deployment=number(deployment), by=g.person.login, token=_token(), address=security.address()
    )
    flash(_("“%(title)s” is copied into a draft. What is in use stays in use until you publish.", title=draft.title), "success")
    return redirect(url_for("designer.draft", key=draft.key))


@blueprint.get("/designer/drafts/<int:key>")
def draft(key: int):
    """One draft: its files against what is in use, findings, scenarios, saves, who is at work on it."""
    return _draft_page(key)


def _draft_page(key: int, errors: Mapping[str, list[str]] | None = None, status: int = 200):
    g.room = "designer"
    found = access_draft(key)
    desk = engine().desk
    with engine().reading() as conn:
        planned = plans.plan(desk, conn, found)
        saves = drafts.saves_listed(conn, key)
        here = drafts.people_here(desk, conn, key)
        kept = drafts.autosaves(desk, conn, key, g.person.login)
        sent = publishing.submissions(conn, draft_key=key)
    # A check of thousands of elements takes its time: then the page stands first, and asks for it.
    problems = drafts.examine(desk, found.files) if checking.at_hand(desk, found.files) else None
    files = comparing.statuses(planned.in_use, found.files)
    page = render_template(
        "designer/draft.html", draft=found, plan=planned, saves=saves, here=here, kept=kept, submissions=sent, **_findings(found, problems),
        has_versions=desk.engine.catalogue.find("process", found.process_id) is not None if found.process_id else False, files=files, state_words=drafts.STATES, errors=errors or {},
        scenarios=[name for name in found.files if name.startswith("scenarios/")],
    )  # fmt: skip
    return page, status


def _findings(draft: Draft, problems: list[Problem] | None) -> dict[str, Any]:
    """What the list of findings is drawn from; ``problems`` are ``None`` while they are not known."""
    if problems is None:
        return {"problems": None, "blocking": 0, "labels": {}, "severity_words": SEVERITY_WORDS}
    return {"problems": problems, "blocking": plans.blocking(problems), "labels": labels_of(draft.files), "severity_words": SEVERITY_WORDS}


@blueprint.get("/designer/drafts/<int:key>/findings")
def draft_findings(key: int):
    """The findings of the draft's page, for a draft whose check takes its time."""
    found = access_draft(key)
    return render_template("designer/_draft_findings.html", draft=found, oob=True, **_findings(found, drafts.examine(engine().desk, found.files)))


@blueprint.post("/designer/drafts/<int:key>/rename")
def rename(key: int):
    """Give the draft another title."""
    access_draft(key)
    try:
        drafts.rename(engine().desk, key, request.form.get("title", ""), revision=_revision(), by=g.person.login, address=security.address())
    except ValidationFailed as refused:
        return _draft_page(key, said(refused), 422)
    flash(_("The title was changed."), "success")
    return redirect(url_for("designer.draft", key=key))


def _revision() -> int:
    return number(request.form.get("revision")) or 0


@blueprint.post("/designer/drafts/<int:key>/copy")
def copy(key: int):
    """A draft of one's own with the same files; to an open editor, where it is."""
    source = access_draft(key)
    title = request.form.get("title", "").strip() or _("%(title)s (copy)", title=source.title)
    made = drafts.copy(engine().desk, key, title=title, by=g.person.login, token=_token(), address=security.address())
    if request.accept_mimetypes.best == "application/json":
        return jsonify(title=made.title, revision=made.revision, url=url_for("designer.draft", key=made.key), save=url_for("designer.save_files", key=made.key))
    flash(_("This is the copy."), "success")
    return redirect(url_for("designer.draft", key=made.key))


@blueprint.post("/designer/drafts/<int:key>/discard")
def discard(key: int):
    """Put the draft away; its page offers to take it back."""
    access_draft(key)
    drafts.discard(engine().desk, key, revision=_revision(), by=g.person.login, address=security.address())
    flash(_("The draft was put away. It can be restored."), "success")
    return redirect(url_for("designer.draft", key=key))


@blueprint.post("/designer/drafts/<int:key>/restore")
def restore(key: int):
    """Take a discarded draft back."""
    access_draft(key)
    drafts.restore(engine().desk, key, by=g.person.login, address=security.address())
    flash(_("The draft is open again."), "success")
    return redirect(url_for("designer.draft", key=key))


@blueprint.get("/designer/drafts/<int:key>/saves/<int:revision>")
def saved(key: int, revision: int):
    """What one save changed."""
    g.room = "designer"
    found = access_draft(key)
    with engine().reading() as conn:
        saves = drafts.saves(engine().desk, conn, key)
    chosen = next((each for each in saves if each.revision == revision), None)
    if chosen is None:
        raise NotFound("There is no such save.")
    with engine().reading() as conn:
        shown = comparison(conn, drafts.files_at(saves, revision - 1), drafts.files_at(saves, revision))
    return render_template(
        "designer/compare.html", title=_("Save %(number)d of “%(title)s”", number=revision, title=found.title), back=url_for("designer.draft", key=key),
        note=chosen.note, old_name=_("before"), new_name=f"{name_of(chosen.by)} {localdatetime(chosen.at)}",
        **shown,
    )  # fmt: skip


@blueprint.get("/designer/drafts/<int:key>/compare")
def compare(key: int):
    """The draft against what is in use."""
    g.room = "designer"
    found = access_draft(key)
    with engine().reading() as conn:
        planned = plans.plan(engine().desk, conn, found)
        shown = comparison(conn, planned.in_use, planned.merged, found.base)
    return render_template(
        "designer/compare.html", title=_("“%(title)s” against what is in use", title=found.title), back=url_for("designer.draft", key=key),
        note="", old_name=_("Version in use"), new_name=_("draft"), **shown,
    )  # fmt: skip


@blueprint.get("/designer/drafts/<int:key>/file")
def draft_file(key: int):
    """One file of the draft, to be saved."""
    found = access_draft(key)
    name = request.args.get("name", "")
    if name not in found.files:
        raise NotFound("There is no such file.")
    # Never shown in place: whatever somebody wrote into it stays text on the reader's disk.
    return send_file(BytesIO(found.files[name].encode()), mimetype="application/octet-stream", as_attachment=True, download_name=PurePosixPath(name).name)
