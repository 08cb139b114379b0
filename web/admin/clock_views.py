"""The demo clock's page, and the banner that every page carries while there is one."""

from __future__ import annotations

import math
from typing import Any

from flask import abort, current_app, flash, g, redirect, render_template, request, url_for
from flask_babel import gettext as _

from engine.errors import ValidationFailed
from engine.runtime import administration
from web import filters, security
from web.admin import blueprint
from web.admin.views import desk, engine
from web.demo_clock import STEPS, DemoClock, target_of
from web.i18n import say
from web.people import requires


def demo_clock() -> DemoClock | None:
    """The clock of a demonstration; ``None`` in real use, where nothing of this page exists."""
    clock = engine().clock
    demo = getattr(current_app.extensions["settings"], "demo", False)
    return clock if demo and isinstance(clock, DemoClock) else None


@blueprint.record
def connect(state: Any) -> None:
    """Let the demo clock follow the setting that all nodes share."""
    engine, settings = state.app.extensions["engine"], state.app.extensions["settings"]
    if not (getattr(settings, "demo", False) and isinstance(engine.clock, DemoClock)):
        return
    if engine.database.sa.url.database in (None, "", ":memory:"):
        # A command asks for the time inside its transaction, and such a database has but that one connection.  It has no
        # second node either: this node's own moves are told to the clock directly.
        return

    def read() -> int:
        with engine.reading() as conn:
            return administration.clock_offset(conn)

    engine.clock.follow(read)


@blueprint.app_context_processor
def banner() -> dict[str, Any]:
    """``demo_time``: the shown time while this is a demonstration, for the banner."""
    clock = demo_clock()
    return {"demo_time": clock() if clock is not None else None, "demo_offset": clock.offset if clock is not None else None}


@blueprint.get("/admin/clock")
@requires("administer")
def clock():
    """The shown time and the buttons that move it."""
    return _page()


def _page(problem: str = "", status: int = 200):
    g.room = "admin"
    shown = demo_clock()
    if shown is None:
        abort(404)
    return render_template("admin/clock.html", steps=STEPS.values(), problem=problem, tomorrow=_tomorrow()), status


def _tomorrow() -> str:
    calendar = engine().calendar
    return calendar.add_workdays(calendar.local(engine().clock()).date(), 1).isoformat()


@blueprint.post("/admin/clock")
@requires("administer")
def move_clock():
    """Move the shown time forward and run what has become due at once."""
    shown = demo_clock()
    if shown is None:
        abort(404)
    now = shown()
    try:
        target = target_of(request.form.get("step"), request.form.get("day"), now, engine().calendar)
        seconds = math.ceil((target - now).total_seconds())
        offset = administration.move_clock(desk(), seconds, shown=now, by=g.person.login, address=security.address())
    except ValidationFailed as refused:
        return _page(say(refused.message), 422)
    shown.advance(offset)
    rows = engine().run_due()
    flash(_("It is now %(time)s. Due work was run: %(rows)d row(s).", time=filters.localdatetime(engine().clock()), rows=rows), "success")
    return redirect(security.safe_next(request.form.get("next")) or url_for("admin.clock"))
