"""The list of instances, its workbook, and operations over many of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from math import ceil
from typing import Any

from flask import flash, redirect, render_template, request, send_file, session, url_for
from flask_babel import gettext as _
from flask_babel import ngettext

from engine.errors import NotFound
from engine.words import T, Words
from web import filters
from web.i18n import say
from web.inbox.excel import workbook
from web.operations import blueprint, queries
from web.operations.room import attempt, engine, known_as, me, operates, process_names, process_versions, sees
from web.operations.state import PAGE_SIZE, STATES, InstanceFilter, Selection
from web.operations.words import STATE_WORDS
from web.requests import number

SPREADSHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@dataclass(frozen=True)
class Bulk:
    """An operation over many: its name on the button, what it means, whether a reason must be given, whether it cannot be undone."""

    label: Words
    means: Words
    unsuitable: Words
    reason: bool = False
    danger: bool = False


BULK: dict[str, Bulk] = {
    "suspend": Bulk(T("Suspend"), T("Nothing moves in these instances until they are resumed: no step, no timer, no message."), T("do not run")),
    "resume": Bulk(T("Resume"), T("These instances go on where they were held."), T("are not suspended")),
    "retry": Bulk(T("Try again"), T("Every open incident of these instances is tried again. What fails again is a new incident."), T("have no incident")),
    "cancel": Bulk(
        T("Cancel instances"), T("These instances end at once; open tasks, jobs and timers end with them. This cannot be undone."),
        T("have ended already or were called by others"), reason=True, danger=True,
    ),
    "delete": Bulk(
        T("Delete for good"),
        T("These ended cases are deleted with everything that belongs to them: trail, answers, documents. Only the audit log remains. This cannot be undone."),
        T("still run or were called by others"), reason=True, danger=True,
    ),
}  # fmt: skip


@blueprint.get("/operations/instances")
@sees
def instances():
    """The list with its filters."""
    chosen = InstanceFilter.of(request.args)
    with engine().reading() as conn:
        rows, total = queries.instances(conn, chosen, engine().calendar)
    if not rows and chosen.page > 1:
        return redirect(filters.with_query(page=None))
    session["list_url"] = request.full_path.rstrip("?")
    return render_template(
        "operations/instances.html", chosen=chosen, rows=rows, total=total, pages=max(1, ceil(total / PAGE_SIZE)), names=process_names(),
        versions=process_versions(), states=STATES, bulk=BULK, match=Selection(match=chosen).fields["match"],
    )  # fmt: skip


@blueprint.get("/operations/instances/export.xlsx")
@sees
def export_instances():
    """The filtered list as a workbook; at most :data:`queries.EXPORT_LIMIT` rows, of which the last line tells."""
    chosen = InstanceFilter.of(request.args).everything()
    with engine().reading() as conn:
        rows, total = queries.instances(conn, chosen, engine().calendar)
    heads = [
        _("State"), _("Process"), _("Version"), _("Case number"), _("Business key"), _("Instance"), _("Step"), _("Incidents"), _("Started"),
        _("Started by"), _("Ended"),
    ]  # fmt: skip
    lines: list[list[Any]] = [
        [
            say(STATE_WORDS[row.state]), row.process or row.process_id, row.version, row.case_no, row.business_key, row.key, row.steps,
            row.incidents or "", filters.localdatetime(row.started_at), filters.person_name(row.started_by), filters.localdatetime(row.ended_at),
        ]
        for row in rows
    ]  # fmt: skip
    if total > len(rows):
        lines.append([_("%(total)d in all; the first %(shown)d are listed.", total=total, shown=len(rows))])
    today: datetime = engine().calendar.local(engine().clock())
    name = f"{_('Process instances')}-{today:%Y%m%d}.xlsx"
    return send_file(BytesIO(workbook(_("Process instances"), heads, lines)), mimetype=SPREADSHEET, as_attachment=True, download_name=name)


# --- operations over many ---------------------------------------------------------------------------------------------


def _bulk_page(kind: str, chosen: Selection, status: int = 200, note: str = "", error: str = ""):
    with engine().reading() as conn:
        total, suitable = queries.selection_size(conn, chosen, kind, engine().calendar)
        sample = queries.named(conn, queries.selected_keys(conn, chosen, kind, engine().calendar, limit=8))
    page = render_template(
        "operations/bulk.html", kind=kind, about=BULK[kind], chosen=chosen, total=total, suitable=suitable,
        sample=[known_as(row) for row in sample.values()], note=note, error=error, entered=request.form,
    )  # fmt: skip
    return page, status


def _migration_of(chosen: Selection):
    """Instances can be brought to another version together when they all run in the same one."""
    with engine().reading() as conn:
        found = queries.versions_of(conn, chosen, engine().calendar)
    if not found:
        flash(_("None of the chosen instances runs."), "warning")
    elif len(found) > 1:
        flash(_("The chosen instances run in different processes or versions. Filter by process and version first."), "warning")
    else:
        return redirect(url_for("operations.migration", process=found[0].process_id, from_version=found[0].version, **chosen.fields))
    return redirect(session.get("list_url") or url_for("operations.instances"))


@blueprint.post("/operations/instances/many")
@operates
def many():
    """The first step of an operation over many: what would happen to how many.  Nothing is changed here."""
    kind = request.form.get("kind", "")
    form = request.form
    chosen = Selection.of(form) if form.get("all") == "1" else Selection.ticked(form)
    if not chosen.fields:
        flash(_("Nothing was selected."), "warning")
        return redirect(session.get("list_url") or url_for("operations.instances"))
    if kind == "migrate":
        return _migration_of(chosen)
    if kind not in BULK:
        raise NotFound("There is no such operation.")
    return _bulk_page(kind, chosen)


@blueprint.post("/operations/instances/many/<kind>")
@operates
def do_many(kind: str):
    """The second step: make the batch."""
    if kind not in BULK:
        raise NotFound("There is no such operation.")
    chosen, about, form = Selection.of(request.form), BULK[kind], request.form
    with engine().reading() as conn:
        keys = queries.selected_keys(conn, chosen, kind, engine().calendar)
    if str(len(keys)) != form.get("expected"):
        note = ngettext("Meanwhile it is %(num)d instance. Look again before you go on.", "Meanwhile it is %(num)d instances. Look again before you go on.", len(keys))
        return _bulk_page(kind, chosen, 409, note=note)
    if about.reason and not form.get("reason", "").strip():
        return _bulk_page(kind, chosen, 422, error=_("Say why: the reason stands in the audit log."))
    if kind == "delete" and number(form.get("typed", "").strip()) != len(keys):
        return _bulk_page(kind, chosen, 422, error=_("Type the number of cases to confirm."))
    batch = attempt(lambda: getattr(engine(), f"{kind}_many")(keys, **me()), lambda made: _("The batch was started: %(count)d instance(s).", count=made.total))
    if batch is None:
        return redirect(session.get("list_url") or url_for("operations.instances"))
    return redirect(url_for("operations.batch", key=batch.key))
