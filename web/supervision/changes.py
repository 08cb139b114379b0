"""The stream on which the board and the big screen hear that there is news."""

from __future__ import annotations

from flask import current_app, g, request, session

from web import live, security
from web.queries import load_person
from web.supervision import blueprint
from web.supervision.views import engine


@blueprint.get("/supervision/changes")
@security.public
@security.quiet
def changes():
    """Says "changed" when cases have changed; for people of the room, as long as their session holds.

    Open to everybody in name only: a script that connects again by itself cannot follow to the sign-in, so whoever may not listen is
    told with an empty answer not to try.
    """
    if g.person is None or not g.person.may("supervise"):
        return live.no_stream()
    login, epoch = g.person.login, g.person.session_epoch
    since = request.args.get("since", "")
    left = current_app.config["SESSION_IDLE_SECONDS"] - (security.now_seconds() - session.get("seen", 0))
    office = engine()

    def alive() -> bool:
        """Neither dismissed nor signed out everywhere since."""
        today = office.calendar.local(office.clock()).date()
        with office.reading() as conn:
            person = load_person(conn, login, today)
        return person is not None and person.session_epoch == epoch and person.may("supervise")

    return live.stream(
        current_app.extensions[live.EXTENSION], login, int(since) if since.isdecimal() and len(since) < 20 else 0, left, alive,
        request.environ.get("waitress.client_disconnected", lambda: False),
    )  # fmt: skip
