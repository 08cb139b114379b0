"""What protects every page: the content policy, the session, one-time tokens, and where a sign-in may lead."""

from __future__ import annotations

import secrets
import time
from urllib.parse import urlsplit

from flask import Flask, Response, current_app, g, request, session
from flask_wtf.csrf import CSRFProtect

from engine.errors import NotPermitted
from engine.words import T
from web.people import Person
from web.queries import load_person

csrf = CSRFProtect()

POLICY = (
    "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'; script-src 'self'; "
    "style-src-elem 'self' 'nonce-{nonce}'; style-src-attr 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self'; "
    "connect-src 'self'; frame-src 'self' blob: data:"
)
"""Under it every component in use runs without a violation; ``style-src-attr`` is what the diagram's mark needs (licence)."""

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=()",
}


def public(view):
    """Mark a view as open to people who are not signed in."""
    view.is_public = True
    return view


def quiet(view):
    """Mark a view that pages ask by themselves and cannot mark with ``X-Poll``: it does not keep a session alive."""
    view.is_quiet = True
    return view


def nonce() -> str:
    """The style nonce of this response; one per request."""
    if "nonce" not in g:
        g.nonce = secrets.token_urlsafe(16)
    return g.nonce


def command_token() -> str:
    """A one-time token for a form that issues a command; the second use of it is a conflict."""
    return secrets.token_urlsafe(24)


def address() -> str | None:
    """Network address of the request, for the audit."""
    return request.remote_addr


def safe_next(target: str | None) -> str | None:
    """``target`` if it is a path of this very application, otherwise ``None``.

    Browsers read a backslash as a slash and drop control characters, so ``/\\evil.example`` and ``//evil.example`` both leave
    the house; neither passes.
    """
    if not target or not target.startswith("/") or target.startswith("//") or "\\" in target:
        return None
    if any(ord(char) < 32 or ord(char) == 127 for char in target):
        return None
    parts = urlsplit(target)
    return target if not parts.scheme and not parts.netloc else None


# --- the session ------------------------------------------------------------------------------------------------------


def begin_session(login: str) -> Person:
    """Sign ``login``, who has proved who they are, in; everything of an earlier session is dropped."""
    person = _load(login)
    if person is None:
        raise NotPermitted(T("This account cannot sign in."))
    language = session.get("language")
    session.clear()
    if language:
        session["language"] = language
    session.permanent = False
    session["login"] = person.login
    session["epoch"] = person.session_epoch
    session["seen"] = int(now_seconds())
    return person


def end_session() -> None:
    """Sign out; the chosen language stays."""
    language = session.get("language")
    session.clear()
    if language:
        session["language"] = language


def _load(login: str) -> Person | None:
    engine = current_app.extensions["engine"]
    with engine.reading() as conn:
        return load_person(conn, login, engine.calendar.local(engine.clock()).date())


def now_seconds() -> float:
    """Seconds for the idle time of sessions: real time, which a moved office clock must not disturb."""
    return current_app.config["SESSION_CLOCK"]()


def current_person() -> Person | None:
    """The signed-in person, or ``None``; a session that idled too long or was ended elsewhere is dropped."""
    login = session.get("login")
    if not login:
        return None
    now = now_seconds()
    if now - session.get("seen", 0) > current_app.config["SESSION_IDLE_SECONDS"]:
        end_session()
        return None
    person = _load(login)
    if person is None or person.session_epoch != session.get("epoch"):
        end_session()
        return None
    # The cookie is only sent again once a minute, not with every answer; polling for news does not keep a session alive.
    if now - session["seen"] > 60 and request.headers.get("X-Poll") is None and not is_quiet(request.endpoint):
        session["seen"] = int(now)
    return person


def is_quiet(endpoint: str | None) -> bool:
    """Whether requests of ``endpoint`` are made by pages rather than by people."""
    return getattr(current_app.view_functions.get(endpoint or ""), "is_quiet", False)


def is_public(endpoint: str | None) -> bool:
    """Whether ``endpoint`` answers to everybody."""
    view = current_app.view_functions.get(endpoint or "")
    return endpoint in (None, "static") or getattr(view, "is_public", False)


def init_security(app: Flask) -> None:
    """Connect headers, session rules and CSRF protection with ``app``."""
    app.config.setdefault("SESSION_CLOCK", time.time)
    app.config.setdefault("SESSION_IDLE_SECONDS", 8 * 3600)
    app.config.update(SESSION_COOKIE_HTTPONLY=True, SESSION_COOKIE_SAMESITE="Lax", SESSION_COOKIE_NAME="banjie", SESSION_REFRESH_EACH_REQUEST=False)
    # A form may stay open for a working day; the token lives as long as the session.
    app.config.setdefault("WTF_CSRF_TIME_LIMIT", None)
    csrf.init_app(app)

    @app.after_request
    def headers(response: Response) -> Response:
        response.headers.setdefault("Content-Security-Policy", POLICY.format(nonce=nonce()))
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        # Pages of cases must not be found in the cache of a shared computer; hashed assets may stay for ever.
        if request.endpoint == "static":
            if "/build/" in request.path:
                response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        else:
            response.headers.setdefault("Cache-Control", "no-store")
        return response
