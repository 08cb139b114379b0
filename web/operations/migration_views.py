"""Bringing running instances to another version: plan, report, batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext

from engine.errors import EngineError, NotFound
from engine.runtime.operations.values import MigrationElement, MigrationPlan
from web.operations import blueprint, queries
from web.operations.room import attempt, engine, labels_of, me, operates, process_names, process_versions, why_not
from web.operations.state import Selection
from web.requests import number

REPORTED = 100
"""Instances whose report stands on the page."""
PREFIX = "to."
"""A field of the plan: ``to.OLD`` holds the new element's id, or nothing."""


@dataclass(frozen=True)
class Line:
    """An element of the old version, what it may become, and what is wrong with it; ``open`` ones want a look.

    One without a counterpart and without a problem is passed at once: no token can stand there.
    """

    element: MigrationElement
    candidates: list[tuple[str, str]]
    problems: list[Any]
    changed: bool

    @property
    def open(self) -> bool:
        return bool(self.problems) or self.changed


def _wanted() -> tuple[str, int | None, int | None]:
    values = request.values
    return values.get("process", "")[:255], number(values.get("from_version")), number(values.get("to_version"))


def _mapping() -> dict[str, str]:
    """What was chosen by hand: old id → new id, empty for nowhere."""
    return {name[len(PREFIX) :]: value[:255] for name, value in request.values.items() if name.startswith(PREFIX)}


def _plan(process: str, old: int, new: int) -> MigrationPlan:
    """The plan of the request; what was left as it pairs by itself is not written down as a choice."""
    automatic = engine().plan_migration(process, old, new)
    chosen = {id: target for id, target in _mapping().items() if automatic.mapping.get(id, "") != target}
    return engine().plan_migration(process, old, new, chosen) if chosen else automatic


def _key_of(process: str, version: int) -> int:
    return engine().definition("process", process, version).key


def _page(status: int = 200, note: str = ""):
    process, old, new = _wanted()
    chosen = Selection.of(request.values)
    versions, names = process_versions(), process_names()
    if process and process not in versions:
        raise NotFound("There is no process “%(id)s”.", id=process)
    if process and len(versions[process]) > 1:
        # Mostly one comes from the version before and goes to the newest.
        new = new if new in versions[process] else versions[process][0]
        old = old if old in versions[process] else next(each for each in versions[process] if each != new)
    values: dict[str, Any] = {
        "process": process, "old": old, "new": new, "versions": versions, "names": names, "chosen": chosen, "note": note, "plan": None,
    }  # fmt: skip
    if process and old and new and old != new:
        values |= _report(process, old, new, chosen)
    return render_template("operations/migration.html", **values), status


def _report(process: str, old: int, new: int, chosen: Selection) -> dict[str, Any]:
    plan = _plan(process, old, new)
    with engine().reading() as conn:
        keys = queries.migratable(conn, chosen, process, old, engine().calendar)
        theirs = labels_of(_key_of(process, new), conn)
    checks = engine().check_migration(plan, keys[:REPORTED], limit=REPORTED) if keys and plan.sound else []
    with engine().reading() as conn:
        known = queries.named(conn, [check.instance_key for check in checks])
        mine = labels_of(_key_of(process, old), conn)
    ids = {element.old for element in plan.elements}
    return {
        "plan": plan, "lines": _lines(plan, theirs), "keys": keys, "checks": checks, "known": known, "labels": mine, "labels_then": theirs,
        "drawings": (_key_of(process, old), _key_of(process, new)), "astray": [each for each in plan.problems if each.element_id not in ids],
        "given": {f"{PREFIX}{id}": target for id, target in plan.given.items()},
    }  # fmt: skip


def _lines(plan: MigrationPlan, labels: dict[str, str]) -> list[Line]:
    found = [
        Line(
            element,
            [(id, labels.get(id, id)) for id in plan.candidates.get(element.old, ())],
            [problem for problem in plan.problems if problem.element_id == element.old],
            element.new is not None and element.new != element.old,
        )
        for element in plan.elements
    ]
    return sorted(found, key=lambda line: not line.open)


@blueprint.get("/operations/migration")
@operates
def migration():
    """Choose process and versions; see the plan and who can follow it."""
    try:
        return _page()
    except NotFound:
        raise
    except EngineError as refusal:
        flash(why_not(refusal), "warning")
        return redirect(url_for("operations.migration"))


@blueprint.post("/operations/migration")
@operates
def migrate():
    """Make the batch: for the instances that were ticked, or for all that were meant."""
    process, old, new = _wanted()
    if not process or not old or not new:
        return redirect(url_for("operations.migration"))
    form = request.form
    try:
        plan = _plan(process, old, new)
    except NotFound:
        raise
    except EngineError as refusal:
        return _page(422, why_not(refusal))
    if not plan.sound:
        return _page(422, _("The plan has errors. Correct it first."))
    with engine().reading() as conn:
        keys = queries.migratable(conn, Selection.of(form), process, old, engine().calendar)
    if form.get("which") == "chosen":
        ticked = {number(key) for key in form.getlist("only")}
        keys = [key for key in keys if key in ticked]
        if not keys:
            return _page(422, _("Nothing was selected."))
    elif str(len(keys)) != form.get("expected"):
        return _page(409, ngettext("Meanwhile it is %(num)d instance. Look again before you go on.", "Meanwhile it is %(num)d instances. Look again before you go on.", len(keys)))
    batch = attempt(lambda: engine().migrate_many(plan, keys, **me()), lambda made: _("The batch was started: %(count)d instance(s).", count=made.total))
    if batch is None:
        return _page(409)
    return redirect(url_for("operations.batch", key=batch.key))
