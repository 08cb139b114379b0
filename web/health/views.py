"""Whether this node works: database reachable, acquirer awake, which version."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from flask import current_app, jsonify
from sqlalchemy import text

from web import program_version, scheduler
from web.health import blueprint
from web.security import public

ASLEEP_AFTER = 5
"""An acquirer that has missed this many wakes is taken to be dead."""


@blueprint.get("/healthz")
@public
def show():
    """200 when this node can do its work, 503 when it cannot; says nothing that a stranger may not know."""
    database = _database_answers()
    acquirer = current_app.extensions.get(scheduler.EXTENSION)
    body = {"version": program_version(), "database": "ok" if database else "unreachable", "acquirer": None}
    healthy = database
    if acquirer is not None:
        last = acquirer.last
        awake = acquirer.running and (last is None or datetime.now(UTC) - last.at < timedelta(seconds=ASLEEP_AFTER * acquirer.interval + last.took))
        healthy = healthy and awake
        body["acquirer"] = {
            "state": "awake" if awake else "asleep", "interval_seconds": acquirer.interval, "wakes": acquirer.wakes, "rows": acquirer.rows,
            "failures": acquirer.failures, "last_at": last.at.isoformat(timespec="seconds") if last else None,
            "last_ok": (not last.error) if last else None,
        }  # fmt: skip
    body["status"] = "ok" if healthy else "failing"
    return jsonify(body), 200 if healthy else 503


def _database_answers() -> bool:
    try:
        with current_app.extensions["engine"].reading() as conn:
            conn.execute(text("SELECT 1"))
    except Exception:
        current_app.logger.exception("the database does not answer")
        return False
    return True
