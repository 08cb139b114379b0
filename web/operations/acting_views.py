"""Doing something to one instance: hold, release, cancel, try again, delete, move its tokens, restart it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import flash, redirect, render_template, request, session, url_for
from flask_babel import gettext as _

from engine.errors import EngineError, NotFound, ValidationFailed
from engine.runtime.operations.values import Target
from engine.words import T, Words
from web.i18n import say
from web.operations import blueprint, instance_queries, queries
from web.operations.instance_views import RUNNING, drawing_facts, head_of
from web.operations.room import attempt, engine, known_as, labels_of, me, operates, why_not
from web.requests import number


@dataclass(frozen=True)
class Action:
    """What a button does: its label, what it means for the case, what is said when it is done, and what it asks for."""

    label: Words
    means: Words
    done: Words
    states: tuple[str, ...]
    command: Callable[[int], Any]
    reason: bool = False
    typed: bool = False
    danger: bool = False
    gone: bool = False


def _retry(key: int) -> Any:
    return engine().retry_incidents(key, number(request.form.get("retries")), **me())


ENDED = ("COMPLETED", "TERMINATED")
ACTIONS: dict[str, Action] = {
    "suspend": Action(
        T("Suspend"), T("Nothing moves in this case until it is resumed: no step, no timer, no message. Deadlines of the office keep running."),
        T("The instance is suspended."), ("ACTIVE",), lambda key: engine().suspend(key, **me()),
    ),
    "resume": Action(T("Resume"), T("The case goes on where it was held."), T("The instance goes on."), ("SUSPENDED",), lambda key: engine().resume(key, **me())),
    "retry": Action(T("Try all again"), T("Every open incident of this instance is tried again. What fails again is a new incident."), T("The incidents were tried again."), ("ACTIVE",), _retry),
    "cancel": Action(
        T("Cancel instance"), T("The case ends at once, without a result; open tasks, jobs and timers end with it, and so does what it called. This cannot be undone."),
        T("The instance was cancelled."), RUNNING, lambda key: engine().cancel(key, **me()), reason=True, danger=True,
    ),
    "delete": Action(
        T("Delete for good"), T("The case is deleted with everything that belongs to it: trail, answers, documents. Only the audit log remains. This cannot be undone."),
        T("The case was deleted."), ENDED, lambda key: engine().delete_instance(key, **me()), reason=True, typed=True, danger=True, gone=True,
    ),
}  # fmt: skip


def _action(name: str) -> Action:
    if name not in ACTIONS:
        raise NotFound("There is no such operation.")
    return ACTIONS[name]


def _asked(key: int, name: str, status: int = 200, errors: dict[str, str] | None = None):
    with engine().reading() as conn:
        head = head_of(conn, key)
    page = render_template(
        "operations/act.html", head=head, name=name, about=_action(name), errors=errors or {}, entered=request.form, confirm=known_as(head)
    )
    return page, status


@blueprint.get("/operations/instances/<int:key>/<name>")
@operates
def ask(key: int, name: str):
    """What the action means, and the field for the reason."""
    return _asked(key, name)


@blueprint.post("/operations/instances/<int:key>/<name>")
@operates
def act(key: int, name: str):
    """Do it."""
    about = _action(name)
    with engine().reading() as conn:
        head = head_of(conn, key)
    errors: dict[str, str] = {}
    if about.reason and not request.form.get("reason", "").strip():
        errors["reason"] = _("Say why: the reason stands in the audit log.")
    if about.typed and request.form.get("typed", "").strip() != known_as(head):
        errors["typed"] = _("Type %(name)s exactly as it stands here.", name=known_as(head))
    if errors:
        return _asked(key, name, 422, errors)
    done = attempt(lambda: about.command(key), lambda _result: say(about.done))
    if done is not None and about.gone:
        back = session.get("list_url") or ""
        return redirect(back if back.startswith("/operations") else url_for("operations.instances"))
    return redirect(url_for("operations.instance", key=key))


def ordered(targets: list[Target]) -> list[tuple[Target, int]]:
    """Elements with their depth, those of a sub-process below it."""
    inner: dict[str, list[Target]] = {}
    for target in targets:
        inner.setdefault(target.scope, []).append(target)
    found: list[tuple[Target, int]] = []

    def walk(scope: str, depth: int) -> None:
        for target in inner.pop(scope, ()):
            found.append((target, depth))
            walk(target.element_id, depth + 1)

    walk("", 0)
    # A sub-process that cannot itself be started has no line to stand below.
    for scope in list(inner):
        walk(scope, 1)
    return found


# --- moving -----------------------------------------------------------------------------------------------------------


def _moving_page(key: int, status: int = 200, errors: dict[str, list[str]] | None = None):
    with engine().reading() as conn:
        head = head_of(conn, key)
        passages = instance_queries.passages(conn, key)
        incidents = queries.incidents_of(conn, key)
        labels = labels_of(head.definition_key, conn)
    if head.state not in RUNNING:
        flash(_("This instance has ended; only a running one can be moved."), "warning")
        return redirect(url_for("operations.instance", key=key))
    tokens = engine().tokens(key)
    page = render_template(
        "operations/move.html", head=head, tokens=tokens, targets=ordered(engine().move_targets(key)), labels=labels, errors=errors or {},
        chosen_cancel=set(request.form.getlist("cancel")), chosen_start=set(request.form.getlist("start")), entered=request.form,
        about=drawing_facts(head, passages, tokens, incidents),
    )  # fmt: skip
    return page, status


@blueprint.get("/operations/instances/<int:key>/move")
@operates
def moving(key: int):
    """Choose which tokens are cancelled and where others start."""
    return _moving_page(key)


@blueprint.post("/operations/instances/<int:key>/move")
@operates
def move(key: int):
    """Move; a refusal keeps what was chosen."""
    form = request.form
    try:
        engine().move(key, form.getlist("cancel")[:1000], form.getlist("start")[:1000], **me())
    except NotFound:
        raise
    except ValidationFailed as refused:
        return _moving_page(key, 422, {field: [say(text) for text in texts] for field, texts in refused.errors.items()} or {"": [say(refused.message)]})
    except EngineError as refusal:
        return _moving_page(key, 409, {"": [why_not(refusal)]})
    flash(_("The tokens were moved."), "success")
    return redirect(url_for("operations.instance", key=key))


# --- restarting -------------------------------------------------------------------------------------------------------


def _restart_page(key: int, status: int = 200, errors: list[str] | None = None):
    with engine().reading() as conn:
        head = head_of(conn, key)
        passages = instance_queries.passages(conn, key)
    if head.state in RUNNING:
        flash(_("This instance still runs; only an ended one can be started again."), "warning")
        return redirect(url_for("operations.instance", key=key))
    page = render_template(
        "operations/restart.html", head=head, targets=ordered(engine().move_targets(key)), errors=errors or [], entered=request.form,
        chosen_start=set(request.form.getlist("start")), about=drawing_facts(head, passages, [], []),
    )  # fmt: skip
    return page, status


@blueprint.get("/operations/instances/<int:key>/restart")
@operates
def restarting(key: int):
    """Choose where a new instance like the ended one starts."""
    return _restart_page(key)


@blueprint.post("/operations/instances/<int:key>/restart")
@operates
def restart(key: int):
    """Start a new instance like the ended one."""
    form = request.form
    at = form.getlist("start")[:1000] if form.get("where") == "chosen" else None
    try:
        made = engine().restart(key, at, **me())
    except NotFound:
        raise
    except EngineError as refusal:
        return _restart_page(key, 422, [why_not(refusal)])
    flash(_("A new instance was started; this is its page."), "success")
    return redirect(url_for("operations.instance", key=made.key))
