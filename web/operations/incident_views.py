"""Incidents: in groups that say the same, one with all that is known about it, and trying again."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Any

from flask import flash, redirect, render_template, request, session, url_for
from flask_babel import gettext as _

from engine.errors import NotFound
from web import filters
from web.operations import blueprint, instance_queries, queries
from web.operations.room import Hiding, attempt, engine, labels_of, me, operates, process_names, sees
from web.operations.state import page_number
from web.operations.values import short
from web.requests import number
from web.spoken import spoken


@blueprint.get("/operations/incidents")
@sees
def incidents():
    """All open incidents, grouped by process, element and message."""
    process, page = request.args.get("process", "")[:255], page_number(request.args)
    with engine().reading() as conn:
        groups, total = queries.incident_groups(conn, process, page)
        labels = {row.definition_key: labels_of(row.definition_key, conn) for row in groups if row.definition_key}
        hidings = Hiding.cases(conn, {row.root_key for row in groups})
    if not groups and page > 1:
        return redirect(filters.with_query(page=None))
    session["list_url"] = request.full_path.rstrip("?")
    return render_template(
        "operations/incidents.html", groups=groups, total=total, page=page, pages=max(1, ceil(total / queries.GROUPS)), process=process,
        names=process_names(), label_of=lambda row: labels.get(row.definition_key, {}).get(row.element_id, row.element_id),
        message_of=lambda row: hidings[row.root_key].text(spoken(row.message)),
    )  # fmt: skip


@blueprint.post("/operations/incidents/group")
@operates
def retry_group():
    """Try all incidents of a group again, as a batch over their instances."""
    with engine().reading() as conn:
        rows = queries.like(conn, number(request.form.get("sample")) or 0)
    keys = list(dict.fromkeys(row.instance_key for row in rows))
    if not keys:
        flash(_("These incidents are resolved already."), "warning")
        return redirect(session.get("list_url") or url_for("operations.incidents"))
    given = _retries()
    batch = attempt(lambda: engine().retry_many(keys, given, **me()), lambda made: _("The batch was started: %(count)d instance(s).", count=made.total))
    return redirect(url_for("operations.batch", key=batch.key) if batch is not None else url_for("operations.incidents"))


def _retries() -> int | None:
    """How many retries a job gets; none entered: as many as a new one.  Nonsense becomes 0, which the engine refuses in words."""
    text = request.form.get("retries", "").strip()
    return None if not text else number(text) or 0


@blueprint.get("/operations/incidents/<int:key>")
@sees
def incident(key: int):
    """One incident: message, place in the chain of calls, cause, expression, the values it saw."""
    found = engine().incident(key)
    with engine().reading() as conn:
        head = instance_queries.head(conn, found.instance_key)
        if head is None:
            raise NotFound("There is no incident %(key)s.", key=key)
        about = incident_facts(found, Hiding.case(conn, head.root_key))
        others = len(queries.like(conn, key, limit=1000))
        labels = labels_of(head.definition_key, conn)
    return render_template("operations/incident.html", each=about, head=head, others=others, labels=labels, names=process_names())


def incident_facts(found: Any, hiding: Hiding) -> dict[str, Any]:
    """An incident as the pages show it: its row, its stack, and what it saw, without what is confidential."""
    details = found.details or {}
    seen = hiding.of(details.get("seen") or {})
    rest = {name: value for name, value in details.items() if name not in ("stack", "cause", "expression", "seen")}
    return {
        "row": found,
        "message": hiding.text(spoken(found.message)),
        "stack": details.get("stack") or [],
        "cause": hiding.text(spoken(str(details["cause"]))) if details.get("cause") else "",
        "expression": details.get("expression"),
        "seen": [(name, "null" if value is None else short(value)) for name, value in seen.items()] if isinstance(seen, Mapping) else [("", short(seen))],
        "rest": hiding.of(rest),
    }


@blueprint.post("/operations/incidents/<int:key>/retry")
@operates
def retry_incident(key: int):
    """Try one again; where it fails again, the page says so."""
    given = _retries()
    resolved = attempt(lambda: engine().retry_incident(key, given, **me()), lambda _resolved: _("The incident was tried again."))
    instance_key = resolved.instance_key if resolved is not None else engine().incident(key).instance_key
    if resolved is not None:
        again = [each for each in engine().incidents(instance_key) if each.element_id == resolved.element_id]
        if again:
            with engine().reading() as conn:
                hiding = Hiding.case(conn, resolved.root_key or instance_key)
            flash(_("It failed again: %(message)s", message=hiding.text(spoken(again[-1].message))), "warning")
    return redirect(url_for("operations.instance", key=instance_key, _anchor="incidents"))
