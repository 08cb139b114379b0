"""Processes with the numbers of their instances, holding a process, its drawing, and the clean-up."""

from __future__ import annotations

from io import BytesIO

from flask import redirect, render_template, request, send_file, session, url_for
from flask_babel import gettext as _
from flask_babel import ngettext

from engine.errors import NotFound
from web.operations import blueprint, queries
from web.operations.room import attempt, engine, me, operates, process_names, sees

CLEAN_UP_AT_ONCE = 200
"""Cases that one press of the button deletes; the acquirer does the rest in its rounds."""


@blueprint.get("/operations")
@sees
def index():
    """Every process and version with what runs, is suspended, is held up, and has ended."""
    with engine().reading() as conn:
        found = queries.processes(conn)
    live = [item for item in found if request.args.get("all") == "1" or any(row.running or row.suspended or row.ended for row in item.versions)]
    totals = {name: sum(getattr(row, name) for item in found for row in item.versions) for name in ("running", "suspended", "troubled", "ended")}
    # Where nothing was ever started, the list of everything says more than an empty one.
    return render_template("operations/index.html", found=live or found, hidden=len(found) - len(live or found), totals=totals)


@blueprint.get("/operations/definitions/<int:key>/drawing")
@sees
def drawing(key: int):
    """The BPMN file of a version, for the drawing."""
    with engine().reading() as conn:
        content = queries.drawing(conn, key)
    if content is None:
        raise NotFound("There is no such version.")
    return send_file(BytesIO(bytes(content)), mimetype="application/xml", download_name=f"{key}.bpmn")


def _definition(key: int, action: str):
    if action not in ("suspend", "resume"):
        raise NotFound("There is no such operation.")
    with engine().reading() as conn:
        row = queries.definition_row(conn, key)
        if row is None:
            raise NotFound("There is no such version.")
        versions = [each for each in engine().catalogue.all(conn) if each.kind == "process" and each.id == row.id]
    return row, versions


@blueprint.get("/operations/definitions/<int:key>/<action>")
@operates
def hold_definition(key: int, action: str):
    """Asks what is to be held or released: this version or all, with the instances or without."""
    row, versions = _definition(key, action)
    return render_template("operations/definition.html", row=row, versions=versions, action=action)


@blueprint.post("/operations/definitions/<int:key>/<action>")
@operates
def set_definition(key: int, action: str):
    """Suspend or resume a process."""
    row, _versions = _definition(key, action)
    version = None if request.form.get("versions") == "all" else row.version
    command = engine().suspend_definition if action == "suspend" else engine().resume_definition

    def told(number: int) -> str:
        if action == "suspend":
            return ngettext("%(num)d version suspended: it starts nothing until it is resumed.", "%(num)d versions suspended: they start nothing until they are resumed.", number)
        return ngettext("%(num)d version resumed.", "%(num)d versions resumed.", number)

    attempt(lambda: command(row.id, version, request.form.get("instances") == "1", **me()), told)
    return redirect(url_for("operations.index"))


# --- clean-up ---------------------------------------------------------------------------------------------------------


@blueprint.get("/operations/cleanup")
@sees
def cleanup():
    """How much waits to be deleted."""
    waiting = engine().clean_up_waiting()
    with engine().reading() as conn:
        latest = queries.cleaned(conn)
    session["list_url"] = request.full_path.rstrip("?")
    return render_template("operations/cleanup.html", waiting=waiting, latest=latest, at_once=CLEAN_UP_AT_ONCE, settings=engine().desk.settings, names=process_names())


@blueprint.post("/operations/cleanup")
@operates
def clean_now():
    """Delete what is past its date, at once."""

    def clean() -> int:
        deleted = engine().clean_up(CLEAN_UP_AT_ONCE)
        doer = me()
        with engine().transaction(by=doer["by"], address=doer["address"]) as tx:
            tx.audit("cleanup.run", "cleanup:now", deleted=deleted, reason=doer["reason"])
        return deleted

    def told(number: int) -> str:
        return ngettext("%(num)d case was deleted.", "%(num)d cases were deleted.", number) if number else _("There was nothing to delete.")

    attempt(clean, told)
    return redirect(url_for("operations.cleanup"))
