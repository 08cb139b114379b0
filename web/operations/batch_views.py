"""Batches: what is being done to many instances, how far it is, and what could not be done."""

from __future__ import annotations

from typing import Any

from flask import redirect, render_template, url_for
from flask_babel import gettext as _

from web.operations import blueprint, queries
from web.operations.room import attempt, engine, me, operates, sees

FAILED_SHOWN = 200


@blueprint.get("/operations/batches")
@sees
def batches():
    """The latest batches."""
    return render_template("operations/batches.html", rows=engine().batches(limit=50))


def _values(key: int) -> dict[str, Any]:
    batch = engine().batch(key)
    with engine().reading() as conn:
        failed = queries.failed_items(conn, key, FAILED_SHOWN) if batch.failed or batch.state == "RUNNING" else []
    return {"batch": batch, "failed": failed}


@blueprint.get("/operations/batches/<int:key>")
@sees
def batch(key: int):
    """One batch."""
    return render_template("operations/batch.html", **_values(key))


@blueprint.get("/operations/batches/<int:key>/progress")
@sees
def batch_progress(key: int):
    """The live part of the page; it asks again only while the batch runs."""
    return render_template("operations/_progress.html", live=True, **_values(key))


@blueprint.post("/operations/batches/<int:key>/cancel")
@operates
def cancel_batch(key: int):
    """Stop a batch; what is done stays done."""
    attempt(lambda: engine().cancel_batch(key, **me()), lambda stopped: _("The batch was stopped; %(count)d instance(s) were left as they were.", count=stopped.open))
    return redirect(url_for("operations.batch", key=key))
