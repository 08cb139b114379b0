"""What is done to cases chosen on the board: urging, supervision orders, reassigning; one or many, with a confirmation and a reason."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from flask import flash, g, redirect, render_template, request, session, url_for
from flask_babel import gettext as _
from flask_babel import ngettext

from engine.errors import EngineError, NotFound, ValidationFailed
from engine.runtime.casework.access import URGERS
from engine.runtime.supervision import bulletins, orders
from engine.words import T
from web import security
from web.i18n import say
from web.people import requires
from web.requests import number
from web.supervision import blueprint, order_queries, views
from web.supervision.order_views import LEVELS, today
from web.supervision.views import ACTS, engine

MOST = 100
"""Cases of one action; a board page has twenty, so this is five pages of ticking."""
TOLD = 5
"""Refusals told by name."""


def _keys() -> list[int]:
    """The chosen cases, each once."""
    found = [key for text in request.values.getlist("case") if (key := number(text)) is not None]
    return list(dict.fromkeys(found))[:MOST]


def _cases(keys: list[int]) -> list[Any]:
    """The open ones of them that this person may see."""
    visible = views.overseen()
    with engine().reading() as conn:
        return order_queries.open_cases(conn, visible, keys)


def _back() -> str:
    """The board as it was left: its filters stand in the address."""
    kept = session.get("list_url") or ""
    return kept if kept.startswith("/supervision") else url_for("supervision.index")


def _act_name() -> str:
    name = request.values.get("act", "")
    if name not in ACTS or (name in ("order", "bulletin") and URGERS.isdisjoint(g.person.groups)):
        raise NotFound("There is no such operation.")
    return name


def _asked(name: str, cases: list[Any], status: int = 200, errors: Any = None):
    g.room = "supervision"
    directory = engine().desk.people.directory()
    active = sorted((person for person in directory.people.values() if person.active), key=lambda each: (each.section_code, each.login))
    page = render_template(
        "supervision/act.html", name=name, about=ACTS[name], cases=cases, errors=errors or {}, entered=request.form, back=_back(), levels=LEVELS, people=active,
        sections=[section for section in directory.sections.values() if section.active], due=engine().calendar.add_workdays(today(), orders.ANSWER_WORKDAYS), today=today(),
    )  # fmt: skip
    return page, status


@blueprint.get("/supervision/act")
@requires("urge")
def act():
    """What is going to be done to the chosen cases, and the field for the reason."""
    name, cases = _act_name(), _cases(_keys())
    if not cases:
        flash(_("Choose at least one open case."), "warning")
        return redirect(_back())
    return _asked(name, cases)


@blueprint.post("/supervision/act")
@requires("urge")
def act_now():
    """Do it: each case is a command of its own, so one that cannot be done does not hold up the others."""
    name, cases = _act_name(), _cases(_keys())
    errors, command = COMMANDS[name]()
    if errors or not cases:
        return _asked(name, cases, 422, errors)
    done, refused = 0, []
    for case in cases:
        try:
            command(case)
            done += 1
        except ValidationFailed as refusal:
            if len(cases) == 1:
                return _asked(name, cases, 422, refusal.errors)
            refused.append(f"{case.case_no}: {say(refusal.message)}")
        except EngineError as refusal:
            refused.append(f"{case.case_no}: {say(refusal.message)}")
    if done:
        flash(ngettext("%(act)s: %(num)d case done.", "%(act)s: %(num)d cases done.", done, act=say(ACTS[name])), "success")
    for sentence in refused[:TOLD]:
        flash(sentence, "warning")
    if len(refused) > TOLD:
        flash(_("%(count)d more could not be done.", count=len(refused) - TOLD), "warning")
    return redirect(_back())


def _reason(refusal: Any) -> tuple[str, dict[str, list[Any]]]:
    text = request.form.get("text", "").strip()
    return text, {} if text else {"text": [refusal]}


Command = tuple[dict[str, list[Any]], Callable[[Any], Any]]


def _urging() -> Command:
    text, errors = _reason(T("Say what is urgent."))
    return errors, lambda case: engine().desk.urge(case.key, text[:500], by=g.person.login, address=security.address())


def _ordering() -> Command:
    text, errors = _reason(T("Say what is asked for."))
    level = request.form.get("level", "")
    if level not in LEVELS:
        errors["level"] = [T("Choose blue, yellow or red.")]
    try:
        due = date.fromisoformat(request.form.get("due_on", ""))
        if due < today():
            errors["due_on"] = [T("The answer cannot be due in the past.")]
    except ValueError:
        due, errors["due_on"] = today(), [T("Say by which day an answer is due.")]
    kind, _colon, code = request.form.get("to", "").partition(":")
    token = request.form.get("command_token") or None
    to = {"to_section": code if kind == "section" else None, "to_login": code if kind == "person" else None}
    if kind == "section" and code not in engine().desk.people.directory().sections:
        errors["to"] = [T("There is no such section.")]
    return errors, lambda case: orders.issue(
        engine().desk, case.key, level=level, text=text, due_on=due, token=token, by=g.person.login, address=security.address(), **to
    )


def _reassigning() -> Command:
    text, errors = _reason(T("Say why the task is handed on."))
    to = request.form.get("person", "")
    if not engine().desk.people.directory().own_groups(to):
        errors["person"] = [T("Choose who is to have it.")]

    def reassign(case: Any) -> None:
        with engine().reading() as conn:
            tasks = order_queries.open_tasks(conn, case.key)
        if not tasks:
            raise NotFound("Nobody has an open task in the case %(case_no)s just now.", case_no=case.case_no)
        for key in tasks:
            engine().desk.transfer(key, to, text, by=g.person.login, address=security.address())

    return errors, reassign


def _drafting() -> Command:
    text, errors = _reason(T("Say why a bulletin is drafted."))
    return errors, lambda case: bulletins.draft(engine().desk, case.key, text, by=g.person.login, address=security.address())


COMMANDS: dict[str, Callable[[], Command]] = {"urge": _urging, "order": _ordering, "reassign": _reassigning, "bulletin": _drafting}
