"""The case page, its diagram, its papers, and the buttons that do something to a case as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import Any

from flask import abort, flash, g, jsonify, make_response, redirect, render_template, request, send_file, session, url_for
from flask_babel import gettext as _
from sqlalchemy import Connection, Row

from engine.deadlines.pauses import kind_word
from engine.errors import InvalidState, NotFound, ValidationFailed
from engine.runtime.casework.access import access_case
from engine.runtime.limits import pausing
from engine.words import T
from web import filters, security
from web.cases import answers, blueprint, outside, queries
from web.cases.answers import engine
from web.cases.clock_acting import decided_kinds, pausable
from web.cases.clock_extending import offers
from web.cases.clock_view import RECIPIENTS, blocks_of, clock_views
from web.cases.decisions import decisions
from web.cases.diagrams import diagrams
from web.cases.trails import trail_lines
from web.cases.uploads import posted_data, receive, stored_files
from web.cases.words import ACTIONS, LOG, MARKS, REASONS
from web.i18n import say


def me() -> dict[str, Any]:
    return {"by": g.person.login, "address": security.address()}


@blueprint.get("/case/<int:key>")
def show(key: int):
    """A case with everything that belongs to it."""
    with engine().reading() as conn:
        case = access_case(conn, key, g.person.login, security.address())
        page = outside_page(conn, case) if outside.is_outside(g.person) else render_template("cases/show.html", **context(conn, case))
    answers.record_looks()
    return page


@blueprint.get("/case/<int:key>/print")
def print_view(key: int):
    """The case on A4: header, answers, trail, limits."""
    with engine().reading() as conn:
        case = access_case(conn, key, g.person.login, security.address())
        page = outside_page(conn, case) if outside.is_outside(g.person) else render_template("cases/print.html", **context(conn, case))
    answers.record_looks()
    return page


def outside_page(conn: Connection, case: Row) -> str:
    """The case as its applicant sees it: see :mod:`web.cases.outside`."""
    open_tasks = queries.open_tasks_of(conn, case.key)
    return outside.own_case(conn, case, actions(conn, case, engine().desk.sheet_of(conn, case.procedure_key), open_tasks), open_tasks)


def context(conn: Connection, case: Row) -> dict[str, Any]:
    """Everything the case page shows, in about a dozen statements whatever the length of the case."""
    now, calendar, desk = engine().clock(), engine().calendar, engine().desk
    hide = answers.masking(conn, case)
    sheet = hide.sheet
    trail = queries.trail_of(conn, case.key)
    names = {line.element_id: line.element_name for line in trail if line.element_id and line.element_name}
    clocks = clock_views(queries.clocks_of(conn, case.key), queries.firings_of(conn, case.key), desk.book(conn), calendar, now, names)
    attachments = hide.open_files(queries.attachments_of(conn, case.key), trail)
    open_tasks = queries.open_tasks_of(conn, case.key)
    running = [view for view in clocks if view.row.state != "STOPPED"]
    # The head shows what presses most, as the inbox and the board do; of a closed case, the limit of the whole.
    main = running[0] if running else next((view for view in clocks if view.of_case), None)
    return {
        "case": case,
        "procedure": sheet.name if sheet else case.procedure_id,
        "sheet": sheet,
        "main": main,
        "clocks": clocks,
        "blocks": blocks_of(clocks, calendar, now),
        "may_pause": case.closed_at is None and pausing.may_pause(desk, conn, case, g.person.login),
        "pausable": pausable(clocks),
        "paused_kinds": decided_kinds(clocks),
        "kind_word": kind_word,
        **offers(conn, case, clocks),
        "visible_files": {file.key: file.filename for file in attachments},
        "trail": trail,
        "lines": trail_lines(trail),
        "decisions": decisions(conn, case, trail, hide),
        "open_tasks": open_tasks,
        "attachments": attachments,
        "earlier": answers.earlier_answers(conn, case, trail, hide, stored_files(attachments)),
        "hidden": hide.hidden,
        "diagrams": diagrams(conn, case.key, trail),
        "actions": actions(conn, case, sheet, open_tasks),
        "may_urge": case.closed_at is None and bool(open_tasks) and (g.person.may("urge") or case.starter == g.person.login),
        "incidents": queries.incidents_of(conn, case.key),
        "log": queries.log_of(conn, case.key, queries.task_keys_of(conn, case.key)),
        "looks": queries.looks_of(conn, case.key),
        "register": [(column.label, (case.register or {}).get(column.key)) for column in (sheet.register if sheet else ())],
        "action_words": ACTIONS,
        "log_words": LOG,
        "reason_words": REASONS,
        "recipient_words": RECIPIENTS,
        "marks": MARKS,
    }


def actions(conn: Connection, case: Row, sheet: Any, open_tasks: Sequence[Row]) -> list[Any]:
    """The sheet's buttons that this person may press and that something in the case waits for."""
    if sheet is None or case.closed_at is not None:
        return []
    groups = engine().desk.people.groups(g.person.login, conn)
    mine = [action for action in sheet.all_actions() if not action.roles or not groups.isdisjoint(action.roles)]
    waiting = queries.waiting_messages(conn, case.key) if mine else set()
    return [action for action in mine if action.message in waiting]


@blueprint.get("/case/<int:key>/diagram/<int:instance>.bpmn")
def diagram(key: int, instance: int):
    """The drawing of one process instance of the case."""
    with engine().reading() as conn:
        access_case(conn, key, g.person.login, security.address())
        row = next((each for each in queries.instances_of(conn, key) if each.key == instance), None)
    if row is None or outside.is_outside(g.person):
        abort(404)
    response = make_response(engine().process_xml(row.definition_key))
    response.mimetype = "application/xml"
    return response


# --- papers -----------------------------------------------------------------------------------------------------------

INLINE = frozenset({"application/pdf", "image/png", "image/jpeg"})
"""What a browser may show in its own window; everything else is saved."""


@blueprint.get("/attachment/<int:key>")
def attachment(key: int):
    """One document.  The type is the desk's, never the uploader's; the policy keeps even a hostile PDF from acting."""
    found = engine().desk.download(key, g.person.login, security.address())
    inline = found.content_type in INLINE and "save" not in request.args
    response = send_file(BytesIO(found.content), mimetype=found.content_type, as_attachment=not inline, download_name=found.filename)
    response.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; object-src 'none'; sandbox"
    return response


@blueprint.post("/attachment/<int:key>/remove")
def remove_attachment(key: int):
    """Take one's own document back while its form is open."""
    engine().desk.remove_attachment(key, **me())
    flash(_("The document was removed."), "success")
    return redirect(security.safe_next(request.form.get("next")) or session.get("list_url") or url_for("inbox.index"))


# --- doing something to the case --------------------------------------------------------------------------------------


@blueprint.post("/case/<int:key>/urge")
def urge(key: int):
    """Tell the handlers to hurry."""
    told = engine().desk.urge(key, request.form.get("text", "").strip(), **me())
    names = _(", ").join(filters.person_name(login) for login in told)
    flash(_("Urged: %(names)s.", names=names) if names else _("Nobody but you has an open task here."), "success")
    return redirect(security.safe_next(request.form.get("next")) or url_for("cases.show", key=key))


def one_action(conn: Connection, key: int, message: str) -> tuple[Row, Any]:
    """The case and the button ``message`` of its sheet."""
    case = access_case(conn, key, g.person.login, security.address())
    sheet = engine().desk.sheet_of(conn, case.procedure_key)
    action = next((each for each in actions(conn, case, sheet, ()) if each.message == message), None)
    if action is None:
        if sheet and any(each.message == message for each in sheet.all_actions()):
            raise InvalidState(T("This is not possible at this stage of the case."))
        raise NotFound(T("There is no such action."))
    return case, action


@blueprint.get("/case/<int:key>/action/<message>")
def action_form(key: int, message: str):
    """The form that a button of the case asks for first."""
    with engine().reading() as conn:
        case, action = one_action(conn, key, message)
        return action_page(conn, case, action, {}, {}, 200)


def action_page(conn: Connection, case: Row, action: Any, data: dict[str, Any], errors: dict, status: int):
    schema = answers.form_schema(conn, action.form)
    island = {
        "schema": schema or {"type": "default", "components": []}, "data": data, "readonly": False, "files": {}, "draft": None,
        "errors": {path: [say(text) for text in texts] for path, texts in errors.items()},
        "upload": {"url": url_for("cases.action_files", key=case.key), "max_bytes": engine().desk.settings.upload_max_bytes},
        "key": f"case:{case.key}:{action.message}", "revision": 0,
    }  # fmt: skip
    return make_response(render_template("cases/action.html", case=case, action=action, island=island, errors=errors), status)


@blueprint.post("/case/<int:key>/action/<message>")
def action_post(key: int, message: str):
    """Press the button."""
    data = posted_data()
    with engine().reading() as conn:
        case, action = one_action(conn, key, message)
    try:
        engine().desk.case_action(key, message, data, **me())
    except ValidationFailed as refused:
        with engine().reading() as conn:
            return action_page(conn, case, action, data, refused.errors or {"": [refused.message]}, 422)
    flash(_("Done: %(step)s.", step=action.label), "success")
    return redirect(url_for("cases.show", key=key))


@blueprint.post("/case/<int:key>/files")
def action_files(key: int):
    """Documents of a button's form."""
    return jsonify(files=receive(f"case:{key}"))
