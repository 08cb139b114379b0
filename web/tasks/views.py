"""The task page and its commands.  Each command is one call of the desk; refusals keep what was typed."""

from __future__ import annotations

from typing import Any

from flask import current_app, flash, g, jsonify, make_response, redirect, render_template, request, session, url_for
from flask_babel import gettext as _
from sqlalchemy import Connection, Row

from engine.errors import Conflict, InvalidState, NotFound, ValidationFailed
from engine.forms.rights import FieldRights, limited, rights_of, shown
from engine.runtime.casework.access import access_case, access_task
from engine.runtime.casework.filing import EXTENSION_MESSAGE
from engine.runtime.casework.outcomes import outcomes
from engine.words import T
from web import filters, security
from web.cases import answers, outside, queries
from web.cases.clock_view import clock_view
from web.cases.diagrams import diagrams
from web.cases.trails import trail_lines
from web.cases.uploads import posted_data, receive, stored_files
from web.cases.words import ACTIONS
from web.errors import is_htmx, kind_of, refusal, wants_json
from web.i18n import say
from web.inbox.queries import next_task, viewer
from web.requests import number
from web.tasks import blueprint
from web.tasks.phrases import PHRASES


def engine():
    return current_app.extensions["engine"]


def desk():
    return engine().desk


def me() -> dict[str, Any]:
    """Who acts, for a command of the desk."""
    return {"by": g.person.login, "address": security.address()}


def show_refused(error: Conflict | InvalidState, key: int, data: dict[str, Any] | None, opinion: str):
    """Somebody was faster: what was typed is kept as a draft if the task still takes one, and shown in any case."""
    kind = kind_of(error)
    if wants_json() or is_htmx():
        return refusal(kind, say(error.message), by=getattr(error, "by", None), at=getattr(error, "at", None))
    with engine().reading() as conn:
        task = access_task(conn, key, g.person.login, security.address())
        form = answers.form_schema(conn, task.form_id)
        form = limited(form, rights_of(task.properties)) if form else None
    page = render_template(
        "tasks/conflict.html",
        kind=kind,
        message=say(error.message),
        by=getattr(error, "by", None),
        at=getattr(error, "at", None),
        task=task,
        view={"schema": form, "data": data or {}} if form and data else None,
        opinion=opinion,
    )
    return make_response(page, 409)


@blueprint.get("/task/<int:key>")
def show(key: int):
    """The page of an open task; one that is over leads to its case."""
    g.room = "todo"
    with engine().reading() as conn:
        task = access_task(conn, key, g.person.login, security.address())
        if task.state != "CREATED":
            return over(conn, task)
        page = render(conn, task)
    answers.record_looks()
    return page


def over(conn: Connection, task: Row):
    """A link to a finished task, from a mail or a bookmark."""
    if task.state == "COMPLETED":
        who, when = filters.person_name(task.completed_by), filters.localtime(task.ended_at)
        flash(_("“%(task)s” was finished by %(name)s, %(time)s.", task=task.name, name=who, time=when))
    else:
        flash(_("“%(task)s” is no longer needed: the case has moved on.", task=task.name))
    try:
        access_case(conn, task.root_key, g.person.login, security.address())
    except NotFound:
        return redirect(session.get("list_url") or url_for("inbox.index"))
    return redirect(url_for("cases.show", key=task.root_key))


def render(conn: Connection, task: Row, *, status: int = 200, posted: dict[str, Any] | None = None, opinion: str | None = None, errors=None):
    """The task page; ``posted`` and ``opinion`` are what a refused submission held, ``errors`` why it was refused."""
    now, calendar, person = engine().clock(), engine().calendar, g.person
    case = case_of(conn, task)
    hide = answers.masking(conn, case)
    may = desk().access.may_work(conn, task, person.login)
    mine = task.assignee is not None and task.assignee in desk().access.places(conn, task.properties, person.login)
    readonly = not (mine and may.allowed)
    trail = queries.trail_of(conn, task.root_key) if case is not None else []
    outsider = outside.is_outside(person)
    came = came_from(trail, task)
    if outsider:
        # An applicant is asked for something; what the office wrote and decided on the way is the office's.
        trail = outside.own_part(person, trail, "actor")
    draft = queries.saved_draft(conn, f"task:{task.key}", person.login)
    attachments = hide.open_files(queries.attachments_of(conn, task.root_key), trail)
    if outsider:
        attachments = outside.own_part(person, attachments, "uploaded_by")
    schema, case_data = step_form(conn, task)
    rights = rights_of(task.properties)
    clock_row = queries.clock_row(conn, task.clock_key)
    clock = clock_view(clock_row, [], desk().book(conn), calendar, now) if clock_row else None
    kept = posted if posted is not None else (draft.data.get("data") or {} if draft and not readonly else {})
    if opinion is None:
        opinion = draft.data.get("opinion", "") if draft and not readonly else ""
    data = prefilled(case_data, rights, schema, hide)
    # What a draft remembers of a field that this step only shows may be older than the case.
    kept = shown(kept, rights, data) if rights else kept
    hide.note_shown(case, data)
    files = stored_files(attachments)
    buttons = outcomes(task.properties)
    island = {
        "schema": answers.locked(schema, hide) if schema else {"type": "default", "components": []},
        "data": {**data, **kept},
        "readonly": readonly,
        "files": files,
        "errors": {path: [say(text) for text in texts] for path, texts in (errors or {}).items() if path not in ("outcome", "opinion")},
        "draft": {"url": url_for("tasks.draft", key=task.key), "saved_at": draft.saved_at.isoformat() if draft else None},
        "upload": {"url": url_for("tasks.upload", key=task.key), "max_bytes": desk().settings.upload_max_bytes},
        "key": f"task:{task.key}",
        "revision": task.revision,
    }
    page = render_template(
        "tasks/show.html",
        task=task,
        case=case,
        clock=clock,
        island=island,
        has_form=bool(schema and schema.get("components")),
        readonly=readonly,
        may_claim=task.assignee is None and may.allowed,
        on_behalf_of=may.on_behalf_of if may.allowed else None,
        refusal=say(may.refusal) if may.refusal and not may.allowed else "",
        buttons=buttons,
        opinion=opinion,
        errors=errors or {},
        phrases=PHRASES,
        lines=trail_lines(trail),
        action_words=ACTIONS,
        earlier=answers.earlier_answers(conn, case, trail, hide, files) if case is not None else [],
        attachments=attachments,
        diagrams=diagrams(conn, task.root_key, trail) if case is not None and not outsider else [],
        came_from=came,
        urges=[line for line in trail if line.action == "urge"],
        papers=papers(hide.sheet, task),
        colleagues=colleagues(task) if not readonly or person.may("reassign") else [],
        extendable=not readonly and extension_offered(conn, task),
    )
    return make_response(page, status)


def case_of(conn: Connection, task: Row) -> Row | None:
    """The case file of a task that was handed out, or ``None`` for a process without a procedure sheet."""
    return queries.case_row(conn, task.root_key)


def step_form(conn: Connection, task: Row) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """The form as the step of the task sees it, and the variables that it may show."""
    schema = answers.form_schema(conn, task.form_id)
    if schema is None:
        return None, {}
    variables = answers.task_variables(conn, task)
    return limited(schema, rights_of(task.properties), variables), variables


def prefilled(variables: dict[str, Any], rights: FieldRights, schema: dict | None, hide: answers.Masking) -> dict[str, Any]:
    """The variables that the form of the task names, masked where need be; nothing else leaves the server."""
    if schema is None:
        return {}
    names = answers.keys_of(schema) | answers.inputs_of(schema)
    # Only the inside of groups and rows needs care: a hidden field at the top is not among the names, unless a condition asks for it.
    inner = FieldRights(frozenset(name for name in rights.hidden if name.partition(".")[0] in names and name not in names))
    return hide.of(shown({name: value for name, value in variables.items() if name in names}, inner))


def came_from(trail: list[Row], task: Row) -> Row | None:
    """The step before: the last one that somebody finished before the task came up."""
    return next((line for line in reversed(trail) if line.action in ("complete", "return", "start") and line.at <= task.created_at), None)


def papers(sheet: Any, task: Row) -> list[Any]:
    """The documents that belong to this step."""
    named = str(task.properties.get("document") or "").strip()
    return [paper for paper in (sheet.documents if sheet else ()) if paper.at == task.element_id or paper.id == named]


def colleagues(task: Row) -> list[tuple[str, str]]:
    """Whom the task can be handed to: those of its groups and of one's own section first, then everybody else, by section."""
    directory = desk().people.directory()
    near = {login for group in task.candidate_groups for login in directory.members(group)}
    near |= set(directory.members(f"section:{g.person.section_code}"))
    people = [each for each in directory.people.values() if each.active and each.login != g.person.login and each.login != task.assignee]
    people.sort(key=lambda each: (each.login not in near, each.section_code, each.login))
    return [(each.login, f"{each.name}　{directory.section_name(each.section_code)} {each.title}") for each in people]


def extension_offered(conn: Connection, task: Row) -> bool:
    """Whether the handler may ask for more time from this task: the model says so, the case listens for it, and it is not too late."""
    rule_id = task.properties.get("extendable")
    if not rule_id or EXTENSION_MESSAGE not in queries.waiting_messages(conn, task.root_key):
        return False
    return desk().extension_possible(conn, task.root_key, rule_id)


# --- commands ---------------------------------------------------------------------------------------------------------


@blueprint.post("/task/<int:key>")
def complete(key: int):
    """Finish the task with the button that was pressed."""
    data, opinion = posted_data(), request.form.get("opinion", "")
    revision = request.form.get("revision", "")
    try:
        # The command authorises by itself, in its own transaction; asking before would only ask twice.
        desk().complete_task(
            key,
            data,
            outcome=request.form.get("outcome") or None,
            opinion=opinion,
            revision=number(revision),
            **me(),
        )
    except ValidationFailed as refused:
        if wants_json():
            raise
        with engine().reading() as conn:
            task = access_task(conn, key, g.person.login, security.address())
            page = render(conn, task, status=422, posted=data, opinion=opinion, errors=refused.errors or {"": [refused.message]})
        answers.record_looks()
        return page
    except (Conflict, InvalidState) as refused:
        return show_refused(refused, key, data, opinion)
    session["finished_task"] = key
    return redirect(session.get("list_url") or url_for("inbox.index"))


@blueprint.app_template_global()
def finished_notice() -> dict[str, str] | None:
    """Once, on the page that follows a finished task: what was done, and the most urgent task that is left."""
    key = session.pop("finished_task", None)
    if key is None or g.get("person") is None:
        return None
    with engine().reading() as conn:
        step, following = next_task(conn, viewer(g.person), engine().clock(), key)
    done = _("Done: %(step)s.", step=step)
    if following is None:
        return {"text": done}
    label = " ".join(part for part in (following.case_no, following.step, following.title) if part)
    return {"text": _("%(done)s Next: ", done=done), "href": url_for("tasks.show", key=following.key), "link": label}


@blueprint.post("/task/<int:key>/draft")
def draft(key: int):
    """Keep what was typed; JSON in, the moment out."""
    body = request.get_json(silent=True)
    if not isinstance(body, dict) or not isinstance(body.get("data"), dict):
        raise ValidationFailed(T("The form's data could not be read. Reload the page; your draft is kept."))
    with engine().reading() as conn:
        task = access_task(conn, key, g.person.login, security.address())
    if isinstance(body.get("revision"), int) and body["revision"] != task.revision:
        raise Conflict(T("“%(task)s” was changed while you had it open. Reload the page; your draft is kept.", task=task.name), by=task.assignee)
    desk().save_draft(f"task:{key}", {"data": body["data"], "opinion": str(body.get("opinion", ""))}, **me())
    return jsonify(saved_at=engine().clock().isoformat())


@blueprint.post("/task/<int:key>/files")
def upload(key: int):
    """Documents chosen in the form."""
    with engine().reading() as conn:
        access_task(conn, key, g.person.login, security.address())
    return jsonify(files=receive(f"task:{key}"))


@blueprint.post("/task/<int:key>/claim")
def claim(key: int):
    """Take the task and stay on its page."""
    with engine().reading() as conn:
        access_task(conn, key, g.person.login, security.address())
    try:
        desk().claim(key, **me())
    except Conflict as refused:
        return show_refused(refused, key, None, "")
    return redirect(url_for("tasks.show", key=key))


@blueprint.post("/task/<int:key>/unclaim")
def unclaim(key: int):
    """Give the task back to its candidates."""
    with engine().reading() as conn:
        task = access_task(conn, key, g.person.login, security.address())
    desk().unclaim(key, **me())
    flash(_("“%(task)s” was given back; others can claim it now.", task=task.name), "success")
    return redirect(session.get("list_url") or url_for("inbox.index"))


@blueprint.post("/task/<int:key>/transfer")
def transfer(key: int):
    """Hand the task to a colleague."""
    with engine().reading() as conn:
        task = access_task(conn, key, g.person.login, security.address())
    to = request.form.get("to", "")
    try:
        desk().transfer(key, to, request.form.get("reason", ""), **me())
    except ValidationFailed as refused:
        flash(" ".join(say(text) for texts in refused.errors.values() for text in texts) or say(refused.message), "warning")
        return redirect(url_for("tasks.show", key=key, _anchor="transfer"))
    flash(_("“%(task)s” was handed on to %(name)s.", task=task.name, name=filters.person_name(to)), "success")
    return redirect(session.get("list_url") or url_for("inbox.index"))


@blueprint.post("/task/<int:key>/extension")
def ask_extension(key: int):
    """Ask for more time: the procedure's own extension steps take it from there."""
    with engine().reading() as conn:
        access_task(conn, key, g.person.login, security.address())
    desk().request_extension(key, **me())
    flash(_("The request for more time was opened; it is a task of its own now."), "success")
    return redirect(url_for("tasks.show", key=key))
