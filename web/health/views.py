"""Whether this node works: database reachable, acquirer awake, which version."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from flask import current_app, jsonify
from sqlalchemy import text

from web import program_version, scheduler
from web.admin.delivery_queries import counts as delivery_counts
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
    if current_app.extensions["engine"].desk.settings.outbox_channels and database:
        body["channels"] = _channels()
    body["clock"] = _clock()
    body["status"] = "ok" if healthy else "failing"
    return jsonify(body), 200 if healthy else 503


def _channels() -> dict[str, dict[str, int]]:
    """Channel → how many messages wait, are put off, were sent, and have failed.  A dead channel does not make the node unfit."""
    engine = current_app.extensions["engine"]
    with engine.reading() as conn:
        found = delivery_counts(conn)
    shown = {"waiting": "QUEUED", "put_off": "DELAYED", "sent": "SENT", "failed": "FAILED"}
    return {name: {word: found.get(name, {}).get(state, 0) for word, state in shown.items()} for name in engine.desk.settings.outbox_channels}


def _clock() -> dict[str, object] | None:
    """How far this node's clock is off, by the last comparison.  A wrong clock does not make the node unfit: it fires nothing early."""
    found = getattr(current_app.extensions["engine"].clock, "last", None)
    if found is None:
        return None
    return {"state": "wrong" if found.wrong else "ok", "compared_with": found.reference, "ahead_seconds": round(found.ahead.total_seconds(), 1)}


def _database_answers() -> bool:
    try:
        with current_app.extensions["engine"].reading() as conn:
            conn.execute(text("SELECT 1"))
    except Exception:
        current_app.logger.exception("the database does not answer")
        return False
    return True
