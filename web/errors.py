"""Refusals as pages: what happened, what is safe, what to do.  The same facts go out as JSON to scripts."""

from __future__ import annotations

from dataclasses import dataclass, replace

from flask import Flask, Response, current_app, g, jsonify, make_response, redirect, render_template, request, url_for
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from engine.errors import Conflict, DeploymentRejected, EngineError, InvalidState, NotFound, NotPermitted, ValidationFailed
from engine.words import T, Words
from web.i18n import say


@dataclass(frozen=True)
class Kind:
    """How one kind of refusal is told: HTTP status, machine word, title, what is safe, what to do."""

    status: int
    code: str
    title: Words
    safe: Words
    cure: Words


NOTHING_CHANGED = T("Nothing was changed.")
BY_ONESELF = T("You have dealt with this already")
"""The title of a conflict with one's own earlier click, in this tab or another."""

KINDS: dict[type[Exception], Kind] = {
    NotFound: Kind(404, "not_found", T("Not found"), NOTHING_CHANGED, T("Check the address, or go back to your list.")),
    NotPermitted: Kind(403, "not_permitted", T("Not allowed"), NOTHING_CHANGED, T("If this is part of your duties, ask the administrator for the role.")),
    Conflict: Kind(409, "conflict", T("Somebody was faster"), T("What you entered is kept as a draft."), T("Reload the page to see how things stand now.")),
    InvalidState: Kind(409, "invalid_state", T("This is no longer possible"), NOTHING_CHANGED, T("Reload the page to see how things stand now.")),
    ValidationFailed: Kind(422, "invalid", T("Something needs to be corrected"), T("What you entered is still there."), T("Correct the marked fields and send again.")),
    DeploymentRejected: Kind(422, "rejected", T("The deployment was refused"), T("What is in use stays in use."), T("Correct the findings and try again.")),
    EngineError: Kind(422, "refused", T("This could not be done"), NOTHING_CHANGED, T("Follow the advice above, or ask the administrator.")),
}  # fmt: skip

HTTP_KINDS: dict[int, Kind] = {
    400: Kind(400, "bad_request", T("The request could not be understood"), NOTHING_CHANGED, T("Go back, reload the page and try again.")),
    401: Kind(401, "signed_out", T("Please sign in again"), T("What you entered is still on your page."), T("Sign in, then continue.")),
    403: Kind(403, "not_permitted", T("Not allowed"), NOTHING_CHANGED, T("If this is part of your duties, ask the administrator for the role.")),
    404: Kind(404, "not_found", T("Not found"), NOTHING_CHANGED, T("Check the address, or go back to your list.")),
    405: Kind(405, "method", T("This address does not take such a request"), NOTHING_CHANGED, T("Go back and use the page's own buttons.")),
    413: Kind(413, "too_large", T("The file is too large"), T("What you entered is still there."), T("Choose a smaller file.")),
    500: Kind(500, "failed", T("The server made a mistake"), T("The step was not taken: it happens as a whole or not at all."), T("Try again; if it happens again, tell the administrator the number below.")),
}  # fmt: skip


def wants_json() -> bool:
    """Whether a script asks, not a person: our own ``fetch`` calls and anybody who accepts only JSON."""
    best = request.accept_mimetypes.best_match(["text/html", "application/json"], "text/html")
    return best == "application/json" or request.headers.get("X-Requested-With") == "fetch"


def is_htmx() -> bool:
    """Whether htmx asks and swaps the answer into a page."""
    return request.headers.get("HX-Request") == "true"


def kind_of(error: Exception) -> Kind:
    """The most specific entry of :data:`KINDS` for ``error``; a conflict with the asker's own click in another tab is called so."""
    kind = next(KINDS[base] for base in type(error).__mro__ if base in KINDS)
    own = isinstance(error, Conflict) and error.by is not None and error.by == getattr(g.get("person"), "login", None)
    return replace(kind, title=BY_ONESELF) if own else kind


def refusal(kind: Kind, message: str, *, by: str | None = None, at=None, errors: dict | None = None, number: str | None = None) -> Response:
    """The answer for one refusal, in the form the asker understands."""
    by_name = name_of(by)
    if wants_json():
        body = {"code": kind.code, "title": say(kind.title), "message": message, "safe": say(kind.safe), "cure": say(kind.cure)}
        if by_name:
            body["by"] = by_name
        if at is not None:
            body["at"] = at.isoformat()
        if errors:
            body["errors"] = {path: [say(text) for text in texts] for path, texts in errors.items()}
        return make_response(jsonify(body), kind.status)
    template = "errors/part.html" if is_htmx() else "errors/page.html"
    page = render_template(template, kind=kind, message=message, by=by_name, at=at, errors=errors or {}, number=number)
    return make_response(page, kind.status)


def name_of(login: str | None) -> str | None:
    """The name behind a login, for people."""
    if not login:
        return None
    return current_app.extensions["engine"].desk.people.directory().name(login)


def sign_in_first() -> Response:
    """Nobody is signed in: a page leads to the sign-in, a script is told so and keeps what it has."""
    if wants_json() or is_htmx():
        return refusal(HTTP_KINDS[401], say(T("Your session has ended.")))
    target = request.full_path.rstrip("?") if request.method == "GET" else None
    return redirect(url_for("auth.sign_in", next=target, expired=None if request.path == "/" else 1))


def init_errors(app: Flask) -> None:
    """Connect the refusals of the engine and of HTTP with their pages."""

    @app.errorhandler(EngineError)
    def refused(error: EngineError) -> Response:
        return refusal(
            kind_of(error), say(error.message), by=getattr(error, "by", None), at=getattr(error, "at", None), errors=getattr(error, "errors", None)
        )

    @app.errorhandler(CSRFError)
    def forged(error: CSRFError) -> Response:
        kind = Kind(400, "csrf", T("The page is too old"), T("What you entered is still on your page."), T("Reload the page and send again."))
        return refusal(kind, say(T("The page was opened before you last signed in.")))

    @app.errorhandler(HTTPException)
    def http(error: HTTPException) -> Response:
        if error.response is not None or (error.code or 500) < 400:
            return error.get_response()
        kind = HTTP_KINDS.get(error.code or 500, HTTP_KINDS[400])
        return refusal(kind, say(kind.title))

    @app.errorhandler(Exception)
    def failed(error: Exception) -> Response:
        if app.testing and app.config.get("PROPAGATE_EXCEPTIONS") is not False:
            raise error
        number = g.get("nonce", "")[:8] or "-"
        app.logger.exception("request %s failed: %s %s", number, request.method, request.path)
        return refusal(HTTP_KINDS[500], say(HTTP_KINDS[500].title), number=number)
