"""Opening a case: which procedures one may start, the start form, its draft and its documents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import flash, g, jsonify, make_response, redirect, render_template, request, url_for
from flask_babel import gettext as _
from sqlalchemy import Connection

from engine.errors import Conflict, ValidationFailed
from engine.words import T
from web import security
from web.cases import answers, blueprint, queries
from web.cases.answers import engine
from web.cases.uploads import posted_data, receive, stored_files
from web.i18n import say


@dataclass(frozen=True)
class Card:
    """A procedure as the start page shows it."""

    process: str
    name: str
    description: str
    limits_text: str
    limits: tuple[tuple[str, Any], ...]
    icon: str


def cards(conn: Connection) -> list[Card]:
    """The procedures that the signed-in person may start, by name."""
    desk = engine().desk
    rules, today = desk.book(conn).rules, engine().calendar.local(engine().clock()).date()
    found = []
    for sheet in desk.startable(g.person.login):
        limits = tuple((rule.label, rule.limit_words) for limit in sheet.deadlines if (rule := rules.on(limit.rule, today)) is not None)
        found.append(Card(sheet.process, sheet.name, sheet.description, sheet.limits_text, limits, sheet.icon or "file-plus"))
    return sorted(found, key=lambda card: card.name)


@blueprint.get("/start")
def procedures():
    """The procedures one may start."""
    g.room = "start"
    with engine().reading() as conn:
        return render_template("cases/procedures.html", cards=cards(conn))


@blueprint.get("/start/<process_id>")
def start(process_id: str):
    """The start form of a procedure."""
    with engine().reading() as conn:
        return start_page(conn, process_id)


def start_page(conn: Connection, process_id: str, *, posted: dict[str, Any] | None = None, errors=None, status: int = 200, problem: str = ""):
    g.room = "start"
    desk = engine().desk
    sheet = desk.require_start(conn, process_id, g.person.login)
    subject = f"start:{process_id}"
    draft = queries.saved_draft(conn, subject, g.person.login)
    schema = answers.form_schema(conn, sheet.start.form)
    attachments = queries.attachments_of(conn, None, subject, g.person.login)
    island = {
        "schema": schema or {"type": "default", "components": []},
        "data": posted if posted is not None else (draft.data.get("data") or {} if draft else {}),
        "readonly": False,
        "files": stored_files(attachments),
        "errors": {path: [say(text) for text in texts] for path, texts in (errors or {}).items()},
        "draft": {"url": url_for("cases.start_draft", process_id=process_id), "saved_at": draft.saved_at.isoformat() if draft else None},
        "upload": {"url": url_for("cases.start_files", process_id=process_id), "max_bytes": desk.settings.upload_max_bytes},
        "key": subject,
        "revision": 0,
    }
    card = next((each for each in cards(conn) if each.process == process_id), None)
    page = render_template("cases/start.html", sheet=sheet, card=card, island=island, errors=errors or {}, has_draft=draft is not None, problem=problem)
    return make_response(page, status)


@blueprint.post("/start/<process_id>")
def start_post(process_id: str):
    """Open the case; a refusal keeps everything on the page."""
    data = posted_data()
    desk = engine().desk
    try:
        token = request.form.get("command_token") or None
        instance = desk.start_case(process_id, data, by=g.person.login, address=security.address(), token=token)
    except ValidationFailed as refused:
        with engine().reading() as conn:
            return start_page(conn, process_id, posted=data, errors=refused.errors or {"": [refused.message]}, status=422)
    except Conflict as refused:
        with engine().reading() as conn:
            return start_page(conn, process_id, posted=data, status=409, problem=say(refused.message))
    flash(_("The case %(case_no)s was opened.", case_no=instance.variables.get("case_no", "")), "success")
    return redirect(url_for("cases.show", key=instance.key))


@blueprint.post("/start/<process_id>/draft")
def start_draft(process_id: str):
    """Keep what was typed into a start form."""
    body = request.get_json(silent=True)
    if not isinstance(body, dict) or not isinstance(body.get("data"), dict):
        raise ValidationFailed(T("The form's data could not be read. Reload the page; your draft is kept."))
    engine().desk.save_draft(f"start:{process_id}", {"data": body["data"]}, by=g.person.login, address=security.address())
    return jsonify(saved_at=engine().clock().isoformat())


@blueprint.post("/start/<process_id>/discard")
def start_discard(process_id: str):
    """Begin again with an empty form."""
    engine().desk.discard_draft(f"start:{process_id}", by=g.person.login, address=security.address())
    return redirect(url_for("cases.start", process_id=process_id))


@blueprint.post("/start/<process_id>/files")
def start_files(process_id: str):
    """Documents chosen in a start form."""
    return jsonify(files=receive(f"start:{process_id}"))
