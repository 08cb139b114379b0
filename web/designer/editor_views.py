"""The editor's page, the check while drawing, and the lists from which it lets people choose."""

from __future__ import annotations

from typing import Any

from flask import current_app, g, jsonify, render_template, request, url_for
from flask_babel import get_locale
from flask_babel import gettext as _

from engine.deadlines.amounts import amount_words
from engine.errors import ValidationFailed
from engine.runtime.design import drafts
from engine.runtime.design.files import TOTAL_LIMIT
from engine.words import T
from web.designer import blueprint, options
from web.designer.access import access_draft
from web.designer.draft_views import problems_json
from web.i18n import say
from web.people import requires


def engine():
    return current_app.extensions["engine"]


def _arrangements() -> list[tuple[str, str]]:
    """Command of the drawing → what the menu calls it."""
    return [
        ("align-left", _("Align left")), ("align-center", _("Align centre")), ("align-right", _("Align right")), ("align-top", _("Align top")),
        ("align-middle", _("Align middle")), ("align-bottom", _("Align bottom")), ("distribute-horizontal", _("Same distance, horizontally")),
        ("distribute-vertical", _("Same distance, vertically")),
    ]  # fmt: skip


def _urls(key: int) -> dict[str, str | None]:
    """The addresses the page talks to; of a page that is not installed there is none, and no button for it."""

    def page(endpoint: str) -> str | None:
        return url_for(endpoint, key=key) if endpoint in current_app.view_functions else None

    return {
        "save": url_for("designer.save_files", key=key), "autosave": url_for("designer.autosave", key=key), "lint": url_for("designer.lint"),
        "options": url_for("designer.options_list"), "here": page("designer.here"), "copy": url_for("designer.copy", key=key), "draft": page("designer.draft") or url_for("designer.index"),
        "tryIt": page("designer.try_draft"), "statistics": page("designer.statistics_figures"), "statisticsPage": page("designer.statistics"), "me": url_for("auth.me"),
    }  # fmt: skip


@blueprint.get("/designer/drafts/<int:key>/edit")
def edit(key: int):
    """The editor with everything of the draft in it, what this person's editor kept after a crash included."""
    g.room = "designer"
    draft = access_draft(key)
    with engine().reading() as conn:
        kept = drafts.autosaves(engine().desk, conn, key, g.person.login)
    urls = _urls(key)
    page = {
        "draft": {
            "key": str(draft.key), "title": draft.title, "revision": draft.revision, "state": draft.state, "owner": draft.owner,
            "processId": draft.process_id, "editable": draft.editable,
        },
        "files": draft.files,
        "autosaves": {name: {"content": each.content, "at": each.at.isoformat(), "revision": each.revision} for name, each in kept.items()},
        "person": g.person.login,
        "personName": g.person.name,
        "options": _options(),
        "urls": urls,
        "language": get_locale().language,
    }  # fmt: skip
    return render_template("designer/edit.html", draft=draft, page=page, urls=urls, arrangements=_arrangements())


@blueprint.post("/designer/lint")
@requires("design")
def lint():
    """Check files as a deployment would; nothing is stored."""
    # The files of a draft may be larger than the attachment limit of a form.
    request.max_content_length = TOTAL_LIMIT * 2
    body = request.get_json(silent=True)
    files = body.get("files") if isinstance(body, dict) else None
    if not isinstance(files, dict) or not all(isinstance(text, str) for text in files.values()):
        raise ValidationFailed(T("The request could not be read. Reload the page; what you typed is kept."))
    return jsonify(problems=problems_json(drafts.examine(engine().desk, files)))


@blueprint.get("/designer/options", endpoint="options_list")
@requires("design")
def options_list():
    """What an element can name: roles, sections, people, groups, rules, ladders, forms, decisions, processes, statuses, documents."""
    return jsonify(_options())


def _options() -> dict[str, Any]:
    found = options.options_of(engine())
    for rule in found["rules"]:
        limit = rule.pop("limit")
        rule["amount"] = say(amount_words(*limit)) if limit else ""
        rule["label"] = f"{rule['label']} · {rule['amount']}" if rule["amount"] else rule["label"]
    return found
