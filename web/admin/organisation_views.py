"""Sections, roles and substitutions."""

from __future__ import annotations

from datetime import date
from typing import Any

from flask import flash, g, redirect, render_template, request, url_for
from flask_babel import gettext as _

from engine.errors import ValidationFailed
from engine.runtime import administration
from web import filters, security
from web.admin import blueprint, queries
from web.admin.views import desk, engine, said
from web.people import requires


@blueprint.get("/admin/sections")
@requires("administer")
def sections():
    """The tree of sections, with the form for the chosen or a new one."""
    return _sections(request.args.get("edit"), {}, {})


def _sections(edit: str | None, entered: dict[str, Any], errors: dict[str, list[str]], status: int = 200):
    g.room = "admin"
    directory = desk().people.directory()
    with engine().reading() as conn:
        numbers, _by_role = queries.heads(conn)
    values = entered or (vars(directory.sections[edit]) if edit in directory.sections else {})
    page = render_template(
        "admin/sections.html", tree=_tree(directory.sections), numbers=numbers, values=values, errors=errors, edit=edit in directory.sections,
        sections=directory.sections, kinds=administration.SECTION_KINDS, editing=edit is not None,
    )  # fmt: skip
    return page, status


def _tree(sections: dict[str, Any]) -> list[tuple[int, Any]]:
    """Depth and section, parents before their children; what hangs on nothing known stands at the top."""
    children: dict[str | None, list[Any]] = {}
    for section in sections.values():
        children.setdefault(section.parent_code if section.parent_code in sections else None, []).append(section)
    found: list[tuple[int, Any]] = []

    def walk(parent: str | None, depth: int) -> None:
        for section in sorted(children.get(parent, ()), key=lambda each: (each.position, each.code)):
            found.append((depth, section))
            walk(section.code, depth + 1)

    walk(None, 0)
    return found


@blueprint.post("/admin/sections")
@requires("administer")
def save_section():
    """Save a section."""
    form = request.form
    position = form.get("position", "0")
    values = {
        "name": form.get("name", "").strip(), "kind": form.get("kind", ""), "parent_code": form.get("parent_code") or None,
        "position": int(position) if position.isdecimal() and len(position) < 7 else 0, "active": form.get("active") == "1",
    }  # fmt: skip
    code = form.get("code", "").strip()
    try:
        administration.save_section(desk(), code, by=g.person.login, address=security.address(), **values)
    except ValidationFailed as refused:
        return _sections(code, {"code": code, **values}, said(refused.errors), 422)
    flash(_("%(name)s was saved.", name=values["name"]), "success")
    return redirect(url_for("admin.sections"))


@blueprint.get("/admin/roles")
@requires("administer")
def roles():
    """The roles and who many hold each."""
    return _roles({}, {})


def _roles(entered: dict[str, Any], errors: dict[str, list[str]], status: int = 200):
    g.room = "admin"
    with engine().reading() as conn:
        _by_section, numbers = queries.heads(conn)
        known = queries.roles(conn)
    edit = request.args.get("edit")
    values = entered or next((dict(row._mapping) for row in known if row.code == edit), {})
    editing = bool(values.get("code")) and not entered
    return render_template("admin/roles.html", roles=known, numbers=numbers, values=values, errors=errors, edit=editing), status


@blueprint.post("/admin/roles")
@requires("administer")
def save_role():
    """Save a role."""
    form = request.form
    values = {"name": form.get("name", ""), "description": form.get("description", "")}
    code = form.get("code", "").strip()
    try:
        administration.save_role(desk(), code, by=g.person.login, address=security.address(), **values)
    except ValidationFailed as refused:
        return _roles({"code": code, **values}, said(refused.errors), 422)
    flash(_("%(name)s was saved.", name=values["name"]), "success")
    return redirect(url_for("admin.roles"))


@blueprint.get("/admin/deputies")
@requires("administer")
def deputies():
    """Who stands in for whom, with the form for a new substitution."""
    return _deputies({}, {})


def _deputies(entered: dict[str, str], errors: dict[str, list[str]], status: int = 200):
    g.room = "admin"
    directory = desk().people.directory()
    with engine().reading() as conn:
        rows = queries.deputies(conn)
    people = sorted((each for each in directory.people.values() if each.active), key=lambda each: (each.section_code, each.login))
    page = render_template(
        "admin/deputies.html", rows=rows, people=people, values=entered, errors=errors, today=desk().people.today(), directory=directory
    )
    return page, status


@blueprint.post("/admin/deputies")
@requires("administer")
def save_deputy():
    """Arrange a substitution for somebody."""
    entered = {name: request.form.get(name, "").strip() for name in ("login", "deputy_login", "starts_on", "ends_on")}
    days: dict[str, date] = {}
    errors: dict[str, list[str]] = {}
    for name in ("starts_on", "ends_on"):
        try:
            days[name] = date.fromisoformat(entered[name])
        except ValueError:
            errors[name] = [_("Enter a date.")]
    if errors:
        return _deputies(entered, errors, 422)
    try:
        desk().people.save_deputy(entered["login"], entered["deputy_login"], by=g.person.login, address=security.address(), **days)
    except ValidationFailed as refused:
        return _deputies(entered, said(refused.errors), 422)
    absent, stand_in = filters.person_name(entered["login"]), filters.person_name(entered["deputy_login"])
    flash(_("%(deputy)s now stands in for %(name)s.", deputy=stand_in, name=absent), "success")
    return redirect(url_for("admin.deputies"))


@blueprint.post("/admin/deputies/<int:key>/end")
@requires("administer")
def end_deputy(key: int):
    """Withdraw a substitution."""
    desk().people.end_deputy(key, by=g.person.login, address=security.address())
    flash(_("The substitution has ended."), "success")
    return redirect(url_for("admin.deputies"))
