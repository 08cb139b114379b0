"""Pausing limits of a case and letting them go on: a page that says what it would do, and the command."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from flask import flash, g, make_response, redirect, render_template, request, url_for
from flask_babel import gettext as _
from sqlalchemy import Connection, Row

from engine.deadlines import Clock, date_words
from engine.deadlines.clock import UNTIL_RESUMED, due_of, end_pauses, pause
from engine.deadlines.pauses import PAUSE_KINDS, kind_word
from engine.errors import InvalidState, NotPermitted, ValidationFailed
from engine.runtime.casework.access import access_case
from engine.runtime.limits import pausing
from engine.words import T, Words
from web import security
from web.cases import blueprint, queries
from web.cases.answers import engine
from web.cases.clock_view import ClockView, clock_views
from web.i18n import say
from web.requests import number

EXAMPLE_DAYS = 5
"""Working days of the pause that the page takes as its example."""

Choice = tuple[ClockView, Words | None, Words]
"""A limit on the page: why it cannot be chosen, if so, and what choosing it means."""


def me() -> dict[str, Any]:
    return {"by": g.person.login, "address": security.address()}


def decided_kinds(views: Sequence[ClockView]) -> list[str]:
    """Kinds of the open pauses that a person may end: those a person began, and those that outlive their step."""
    open_pauses = (each for view in views if view.running for each in view.clock.pauses if each.end is None and each.kind)
    return list(dict.fromkeys(each.kind for each in open_pauses if each.by or each.until == UNTIL_RESUMED))


def pausable(views: Sequence[ClockView]) -> list[ClockView]:
    """Running limits that their rule lets stand still and that are not over."""
    return [view for view in views if view.running and view.clock.rule.pauses and not view.derived.overdue]


def _led(conn: Connection, key: int) -> tuple[Row, list[ClockView]]:
    """The case with its unfinished limits; raises :class:`NotPermitted` for who may only read it."""
    case = access_case(conn, key, g.person.login, security.address())
    desk = engine().desk
    if not pausing.may_pause(desk, conn, case, g.person.login):
        raise NotPermitted(pausing.REFUSAL)
    views = clock_views(queries.clocks_of(conn, key), [], desk.book(conn), engine().calendar, engine().clock())
    return case, [view for view in views if view.running]


def _pause_choices(views: Sequence[ClockView]) -> list[Choice]:
    calendar, now = engine().calendar, engine().clock()
    later = calendar.opening(calendar.add_workdays(calendar.local(now).date(), EXAMPLE_DAYS))

    def told(clock: Clock) -> Words:
        made = end_pauses(pause(clock, now, reason="", kind="", by=g.person.login), later, lambda each: True)
        due = due_of(made, calendar)
        return T(
            "After a pause of %(days)d working days, for example, it would be due on %(day)s.",
            days=EXAMPLE_DAYS,
            day=date_words(due.day) if due else "—",
        )

    found: list[Choice] = []
    for view in views:
        fixed = None if view.clock.rule.pauses else T("By its rule this limit cannot be paused; it goes on.")
        refused = fixed or pausing.expiry_refusal(view.clock, calendar, now)
        found.append((view, refused, refused or told(view.clock)))
    return found


def _resume_choices(views: Sequence[ClockView], kind: str) -> list[Choice]:
    calendar, now = engine().calendar, engine().clock()
    found: list[Choice] = []
    for view in views:
        mine = [each for each in view.clock.pauses if each.end is None and each.kind == kind]
        if not mine:
            continue
        decided = [each for each in mine if each.by or each.until == UNTIL_RESUMED]
        if not decided:
            refused = T("A step of the procedure pauses it; it goes on when that step is done.")
            found.append((view, refused, refused))
            continue
        due = due_of(end_pauses(view.clock, now, lambda each, ending=tuple(decided): each in ending), calendar)
        said = T("It is then due on %(day)s.", day=date_words(due.day)) if due else T("It stays paused for another reason.")
        found.append((view, None, said))
    return found


def _page(conn: Connection, key: int, kind: str | None, values: dict[str, Any], errors: dict, ticked: Sequence[int] | None, status: int):
    case, views = _led(conn, key)
    choices = _pause_choices(views) if kind is None else _resume_choices(views, kind)
    if not choices or all(refused for _view, refused, _said in choices):
        raise InvalidState(
            T("No limit of this case can be paused just now.") if kind is None else T("Nothing is paused for that reason any more.")
        )
    heading = _("Pause limits") if kind is None else _("Let limits go on: %(kind)s", kind=say(kind_word(kind)))
    page = render_template(
        "cases/pause.html", case=case, choices=choices, kinds=PAUSE_KINDS.values(), values=values, resuming=kind is not None, heading=heading,
        errors={field: [say(text) for text in texts] for field, texts in errors.items()},
        ticked=[view.row.key for view, refused, _said in choices if not refused] if ticked is None else ticked,
    )  # fmt: skip
    return make_response(page, status)


def _chosen() -> list[int]:
    return [key for text in request.form.getlist("clock") if (key := number(text)) is not None]


def _posted(key: int, kind: str | None, values: dict[str, Any], command: Callable[[list[int]], list[str]], said: Callable[[str], str]):
    """Run the command; what was refused comes back with the form as it was filled in."""
    chosen = _chosen()
    try:
        labels = command(chosen)
    except (ValidationFailed, InvalidState) as refused:
        errors = getattr(refused, "errors", None) or {"": [refused.message]}
        with engine().reading() as conn:
            return _page(conn, key, kind, values, errors, chosen, 422 if isinstance(refused, ValidationFailed) else 409)
    flash(said(_(", ").join(labels)), "success")
    return redirect(url_for("cases.show", key=key, _anchor="clocks"))


EMPTY = {"kind": "", "reason": "", "document": ""}


@blueprint.get("/case/<int:key>/clocks/pause")
def pause_form(key: int):
    """What pausing the limits of a case would mean, and the decision to be filled in."""
    with engine().reading() as conn:
        return _page(conn, key, None, EMPTY, {}, None, 200)


@blueprint.post("/case/<int:key>/clocks/pause")
def pause_clocks(key: int):
    """Pause limits."""
    values = {name: request.form.get(name, "").strip() for name in EMPTY}
    file = request.files.get("file")
    paper = pausing.Paper(file.filename, file.stream.read()) if file and file.filename else None

    def command(chosen: list[int]) -> list[str]:
        return engine().desk.pause_clocks(key, chosen, values["kind"], values["reason"], document=values["document"], paper=paper, **me())

    return _posted(key, None, values, command, lambda names: _("Paused: %(names)s.", names=names))


@blueprint.get("/case/<int:key>/clocks/resume/<kind>")
def resume_form(key: int, kind: str):
    """What letting limits go on would mean."""
    with engine().reading() as conn:
        return _page(conn, key, kind, EMPTY, {}, None, 200)


@blueprint.post("/case/<int:key>/clocks/resume/<kind>")
def resume_clocks(key: int, kind: str):
    """Let limits go on."""
    values = {**EMPTY, "reason": request.form.get("reason", "").strip()}

    def command(chosen: list[int]) -> list[str]:
        return engine().desk.resume_clocks(key, chosen, kind, values["reason"], **me())

    return _posted(key, kind, values, command, lambda names: _("Goes on: %(names)s.", names=names))
