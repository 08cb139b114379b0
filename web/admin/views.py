"""People: the list, one person, password, lock."""

from __future__ import annotations

from math import ceil
from typing import Any

from flask import current_app, flash, g, redirect, render_template, request, url_for
from flask_babel import gettext as _

from engine.errors import NotFound, ValidationFailed
from engine.runtime import administration
from engine.words import T, Words
from web import filters, security
from web.admin import blueprint, queries
from web.i18n import LANGUAGES, say
from web.people import requires

PAGES: tuple[tuple[str, Words, str], ...] = (
    ("admin.index", T("People"), "administer"),
    ("admin.sections", T("Sections"), "administer"),
    ("admin.roles", T("Roles"), "administer"),
    ("admin.deputies", T("Deputies"), "administer"),
    ("admin.calendar", T("Work calendar"), "administer"),
    ("admin.delivery_list", T("Message delivery"), "administer"),
    ("admin.clock", T("Demo clock"), "administer"),
)
"""The tabs of the room: endpoint, label, permission."""


def engine():
    return current_app.extensions["engine"]


def desk():
    return engine().desk


def page_number() -> int:
    number = request.args.get("page", "1")
    return max(1, int(number)) if number.isdecimal() and len(number) < 7 else 1


@blueprint.app_context_processor
def tabs() -> dict[str, Any]:
    """The tabs of administration, for its templates; the demo clock's only where there is one."""
    from web.admin.clock_views import demo_clock

    return {"admin_pages": lambda: [page for page in PAGES if page[0] != "admin.clock" or demo_clock() is not None]}


def said(errors: dict[str, list[Words]]) -> dict[str, list[str]]:
    return {field: [say(text) for text in texts] for field, texts in errors.items()}


@blueprint.get("/admin")
@requires("administer")
def index():
    """The list of people."""
    args = request.args
    chosen = queries.PeopleFilter(
        q=args.get("q", "").strip()[:100], section=args.get("section", ""), role=args.get("role", ""),
        active=args.get("active", "1") if args.get("active", "1") in ("", "0", "1") else "1", page=page_number(),
    )  # fmt: skip
    with engine().reading() as conn:
        rows, total = queries.people(conn, chosen)
    pages = max(1, ceil(total / queries.PAGE_SIZE))
    return render_template(
        "admin/people.html", rows=rows, total=total, pages=pages, chosen=chosen, directory=desk().people.directory(), moment=engine().clock()
    )


@blueprint.get("/admin/people/new")
@requires("administer")
def new_person():
    """An empty form."""
    values = {"login": "", "name": "", "section_code": request.args.get("section", ""), "active": True, "language": "zh"}
    return _form(values, frozenset(), {}, new=True)


@blueprint.get("/admin/people/<login>")
@requires("administer")
def person(login: str):
    """One person."""
    with engine().reading() as conn:
        row, roles = queries.one_person(conn, login)
    if row is None:
        raise NotFound("There is no person “%(login)s”.", login=login)
    return _form(dict(row._mapping), roles, {}, new=False)


def _form(values: dict[str, Any], roles: frozenset[str], errors: dict[str, list[str]], *, new: bool, password: str = "", status: int = 200):
    g.room = "admin"
    page = render_template(
        "admin/person.html", values=values, roles=roles, errors=errors, new=new, password=password, directory=desk().people.directory(),
        interface_languages=LANGUAGES, moment=engine().clock(),
    )  # fmt: skip
    return page, status


@blueprint.post("/admin/people/new")
@requires("administer")
def add_person():
    """Create a person; they get a password that is shown once."""
    login = request.form.get("login", "").strip().lower()
    if desk().person(login) is not None:
        return _form(_entered(login), _roles(), {"login": [_("This account name is taken.")]}, new=True, status=422)
    return _save(login, new=True)


@blueprint.post("/admin/people/<login>")
@requires("administer")
def save_person(login: str):
    """Save the form of a person."""
    if desk().person(login) is None:
        raise NotFound("There is no person “%(login)s”.", login=login)
    return _save(login, new=False)


def _entered(login: str) -> dict[str, Any]:
    form = request.form
    values = {name: form.get(name, "").strip() for name in ("name", "section_code", "title", "phone", "email")}
    language = form.get("language", "zh")
    return {**values, "login": login, "active": form.get("active") == "1", "language": language if language in LANGUAGES else "zh"}


def _roles() -> frozenset[str]:
    return frozenset(request.form.getlist("roles"))


def _save(login: str, *, new: bool):
    values, roles = _entered(login), _roles()
    fields = {**values, "phone": values["phone"] or None, "email": values["email"] or None}
    try:
        desk().people.save_person(roles=roles, by=g.person.login, address=security.address(), **fields)
    except ValidationFailed as refused:
        return _form(values, roles, said(refused.errors), new=new, status=422)
    if new:
        password = administration.reset_password(desk(), login, by=g.person.login, address=security.address())
        return _show_password(login, password)
    flash(_("%(name)s was saved.", name=values["name"]), "success")
    return redirect(url_for("admin.person", login=login))


def _show_password(login: str, password: str):
    """The page that shows a new password, once: it is the answer to the request that made it and stands in no address."""
    with engine().reading() as conn:
        row, roles = queries.one_person(conn, login)
    return _form(dict(row._mapping) if row else {"login": login}, roles, {}, new=False, password=password)


@blueprint.post("/admin/people/<login>/password")
@requires("administer")
def reset_password(login: str):
    """A new password, shown once; the person's sessions end."""
    password = administration.reset_password(desk(), login, by=g.person.login, address=security.address())
    return _show_password(login, password)


@blueprint.post("/admin/people/<login>/unlock")
@requires("administer")
def unlock(login: str):
    """Let a locked account try again."""
    administration.unlock(desk(), login, by=g.person.login, address=security.address())
    flash(_("%(name)s may sign in again.", name=filters.person_name(login)), "success")
    return redirect(url_for("admin.person", login=login))


@blueprint.post("/admin/people/<login>/sessions")
@requires("administer")
def end_sessions(login: str):
    """Sign a person out everywhere."""
    desk().people.end_sessions(login, by=g.person.login, address=security.address())
    flash(_("%(name)s was signed out everywhere.", name=filters.person_name(login)), "success")
    return redirect(url_for("admin.person", login=login))
