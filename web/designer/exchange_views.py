"""Procedures as zip archives: out with their history, in as a draft."""

from __future__ import annotations

from io import BytesIO

from flask import current_app, flash, g, redirect, render_template, request, send_file, url_for
from flask_babel import gettext as _
from werkzeug.utils import secure_filename

from engine.errors import ValidationFailed
from engine.runtime.design import exchange
from engine.runtime.design.files import TOTAL_LIMIT
from web import security
from web.designer import blueprint
from web.designer.access import access_draft
from web.i18n import say
from web.people import requires

MEGABYTE = 2**20


def engine():
    return current_app.extensions["engine"]


@blueprint.get("/designer/procedures/<process_id>/export.zip")
@requires("design")
def export_procedure(process_id: str):
    """The procedure in use with its history."""
    with engine().reading() as conn:
        content = exchange.archive_of(engine().desk, conn, process_id)
    return _archive(content, process_id)


@blueprint.get("/designer/drafts/<int:key>/export.zip")
def export_draft(key: int):
    """A draft with its procedure's history."""
    draft = access_draft(key)
    with engine().reading() as conn:
        content = exchange.archive_of_draft(engine().desk, conn, draft)
    return _archive(content, f"{draft.process_id or 'draft'}-r{draft.revision}")


def _archive(content: bytes, stem: str):
    name = f"{secure_filename(stem) or 'procedure'}.zip"
    return send_file(BytesIO(content), mimetype="application/zip", as_attachment=True, download_name=name)


@blueprint.get("/designer/import")
@requires("design")
def import_page():
    """Choose an archive."""
    return _import_page()


def _import_page(problem: str = "", status: int = 200):
    g.room = "designer"
    return render_template("designer/import.html", problem=problem, limit=TOTAL_LIMIT // MEGABYTE), status


@blueprint.post("/designer/import")
@requires("design")
def import_archive():
    """Make a draft of it."""
    # An archive may be larger than the attachment limit of a form: this page has its own, and says so in words.
    request.max_content_length = TOTAL_LIMIT + MEGABYTE
    upload = request.files.get("file")
    if upload is None or not upload.filename:
        return _import_page(_("Choose a zip archive."), 422)
    name = upload.filename[:200]
    try:
        content = upload.read(TOTAL_LIMIT + 1)
        if len(content) > TOTAL_LIMIT:
            raise ValidationFailed("The file %(file)s is larger than %(limit)d MB. Send fewer or smaller files.", file=name, limit=TOTAL_LIMIT // MEGABYTE)
        received = exchange.read_archive(content, name)
        token = request.form.get("command_token", "")[:100] or None
        draft = exchange.import_draft(engine().desk, received, note=name, by=g.person.login, token=token, address=security.address())
    except ValidationFailed as refused:
        return _import_page(say(refused.message), 422)
    finally:
        upload.close()
    flash(_("The archive is a draft now. What is in use stays in use until you publish."), "success")
    if received.left_out:
        flash(_("Not taken, because they belong to no procedure: %(names)s", names=_(", ").join(received.left_out[:20])), "warning")
    return redirect(url_for("designer.draft", key=draft.key))
