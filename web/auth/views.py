"""Signing in and out, here and in place, the language switch, one's own account."""

from __future__ import annotations

from flask import abort, current_app, flash, g, jsonify, redirect, render_template, request, session, url_for
from flask_babel import gettext as _
from flask_wtf.csrf import generate_csrf

from engine.errors import NotPermitted, ValidationFailed
from web import security
from web.auth import blueprint
from web.errors import wants_json
from web.i18n import LANGUAGES, say
from web.people import Person
from web.security import csrf, public


def desk():
    return current_app.extensions["engine"].desk


@blueprint.get("/login")
@public
def sign_in():
    """The sign-in page.  Whoever is signed in already goes on to where they wanted to go."""
    target = security.safe_next(request.args.get("next"))
    if g.person is not None and not request.args.get("again"):
        return redirect(target or url_for("root"))
    return render_template("auth/sign_in.html", alone=True, next=target, expired="expired" in request.args, again=False, login="", refusal=None)


@blueprint.get("/login/again")
@public
def sign_in_again():
    """The same in a second tab, for somebody whose session ended while a form was open in the first one."""
    if g.person is not None:
        return render_template("auth/go_back.html", alone=True)
    return render_template("auth/sign_in.html", alone=True, next=None, expired=True, again=True, login="", refusal=None)


@blueprint.post("/login")
@public
def sign_in_post():
    """Check the password; refusals say nothing about whether the account exists, a lock says for how long.

    Also for an open page whose session ended, which asks by ``fetch`` and is answered in JSON.
    """
    target = security.safe_next(request.form.get("next"))
    again = request.form.get("again") == "1"
    login = request.form.get("login", "")
    try:
        person = desk().authenticate(login, request.form.get("password", ""), security.address())
        security.begin_session(person.login)
    except NotPermitted as refused:
        if wants_json():
            return jsonify(code="refused", message=say(refused.message)), 403
        page = render_template("auth/sign_in.html", alone=True, next=target, expired=False, again=again, login=login, refusal=say(refused.message))
        return page, 403
    if wants_json():
        return _known(person)
    if again:
        return redirect(url_for("auth.sign_in_again"))
    return redirect(target or url_for("root"))


@blueprint.post("/logout")
def sign_out():
    """End the session in this browser."""
    engine = current_app.extensions["engine"]
    with engine.transaction(by=g.person.login, address=security.address()) as tx:
        tx.audit("session.end", f"person:{g.person.login}")
    security.end_session()
    return redirect(url_for("auth.sign_in"))


@blueprint.get("/session")
@blueprint.post("/session")
@csrf.exempt
@public
def session_state():
    """Whether the server knows this browser (again), with the token that its open pages need from now on.

    Without a CSRF token of its own: it changes nothing, its answer can only be read by pages of this origin, and a page whose
    session ended has no valid token to send.
    """
    if g.person is None:
        # The page can sign in with this token without being left.
        return jsonify(code="signed_out", message=_("Your session has ended."), csrf_token=generate_csrf()), 401
    return _known(g.person)


def _known(person: Person):
    return jsonify(login=person.login, name=person.name, csrf_token=generate_csrf())


@blueprint.get("/language/<code>")
@public
def language(code: str):
    """Speak another language for the rest of this session."""
    if code not in LANGUAGES:
        abort(404)
    session["language"] = code
    return redirect(security.safe_next(request.args.get("next")) or url_for("root"))


@blueprint.get("/me")
def me():
    """One's own account: who I am here, for whom I stand in, and the password."""
    return _account({})


def _account(errors: dict, status: int = 200):
    g.room = "me"
    directory = desk().people.directory()
    today = desk().people.today()
    return (
        render_template(
            "auth/me.html",
            errors=errors,
            role_names=sorted(directory.roles.get(role, role) for role in g.person.roles),
            principals=[directory.name(login) for login in directory.principals(g.person.login, today)],
            deputies=[directory.name(login) for login in directory.deputies_of(g.person.login, today)],
        ),
        status,
    )


@blueprint.post("/me/password")
def set_password():
    """Change one's own password; all other sessions end."""
    if request.form.get("password") != request.form.get("repeated"):
        return _account({"repeated": [_("The two new passwords differ.")]}, 422)
    try:
        desk().people.set_password(
            g.person.login,
            request.form.get("password", ""),
            current=request.form.get("current", ""),
            by=g.person.login,
            address=security.address(),
        )
    except ValidationFailed as refused:
        return _account({field: [say(text) for text in texts] for field, texts in refused.errors.items()}, 422)
    security.begin_session(g.person.login)
    flash(_("The password was changed. Other sessions have ended."), "success")
    return redirect(url_for("auth.me"))
