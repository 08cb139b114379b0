"""More time for a limit: the page that asks, the page that decides, and the page that says why a limit cannot be kept.

Each shows the arithmetic before and after, so that nobody grants a number of days without seeing the day it leads to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from flask import flash, g, make_response, redirect, render_template, request, url_for
from flask_babel import gettext as _
from sqlalchemy import Connection, Row

from engine.deadlines import amount_words, explain
from engine.deadlines.amounts import plain
from engine.deadlines.clock import checked_amount
from engine.errors import Conflict, EngineError, InvalidState, NotFound, NotPermitted, ValidationFailed
from engine.runtime.casework.access import access_case
from engine.runtime.casework.filing import handlers_of
from engine.runtime.limits import extending, pausing
from engine.runtime.limits.clocks import ClockState
from engine.words import T, Words
from web import security
from web.cases import blueprint, queries
from web.cases.answers import engine
from web.cases.clock_acting import me
from web.cases.clock_view import ClockView, clock_view
from web.i18n import say
from web.limits.forms import number as amount_of

EMPTY = {"amount": "", "reason": "", "document": ""}


def offers(conn: Connection, case: Row, views: Sequence[ClockView]) -> dict[str, Any]:
    """What the case page offers: ``extendable`` and ``explainable`` are keys of clocks, ``requests`` those that wait for a decision."""
    desk, login = engine().desk, g.person.login
    found: dict[str, Any] = {"extendable": frozenset(), "explainable": frozenset(), "requests": ()}
    if case.closed_at is not None:
        return found
    found["requests"] = [row for row in extending.of_case(conn, case.key) if row.state == extending.ASKED]
    allowed = [view for view in views if view.running and view.clock.rule.extension is not None]
    if allowed and extending.may_ask(desk, conn, case, login):
        free = (view for view in allowed if extending.refusal(desk, conn, _state(view)) is None)
        found["extendable"] = frozenset(view.row.key for view in free)
    over = [view for view in views if view.running and view.derived.overdue]
    if over and _may_explain(conn, case, login):
        found["explainable"] = frozenset(view.row.key for view in over)
    return found


def _may_explain(conn: Connection, case: Row, login: str) -> bool:
    return login in handlers_of(engine().desk, conn, case.key) or pausing.may_pause(engine().desk, conn, case, login)


def _state(view: ClockView) -> ClockState:
    return ClockState.of_row(view.row._mapping)


def _limit(conn: Connection, key: int, clock_key: int) -> tuple[Row, ClockView]:
    """A case that the person may read, and one of its limits.  Raises :class:`NotFound`."""
    case = access_case(conn, key, g.person.login, security.address())
    row = next((each for each in queries.clocks_of(conn, key) if each.key == clock_key), None)
    if row is None:
        raise NotFound(T("There is no such limit, or you may not see it."))
    desk = engine().desk
    return case, clock_view(row, [], desk.book(conn), engine().calendar, engine().clock())


def _said(errors: dict[str, list[Words]]) -> dict[str, list[str]]:
    return {field: [say(text) for text in texts] for field, texts in errors.items()}


def _arithmetic(view: ClockView, amount: Any) -> tuple[Words, Words, Any] | None:
    """Words before and after an extension of ``amount``, and the due day it leads to; ``None`` when it cannot be granted like this."""
    calendar, now = engine().calendar, engine().clock()
    try:
        made = extending.projected(engine().desk, view.clock, amount, g.person.login)
    except EngineError:
        return None
    return explain(made.before, calendar, now), explain(made.after, calendar, now), made


def _page(template: str, status: int, **values: Any):
    return make_response(render_template(template, **values), status)


# -- asking --------------------------------------------------------------------------------------------------------------------


@blueprint.get("/case/<int:key>/clocks/<int:clock_key>/extend")
def extend_form(key: int, clock_key: int):
    """What the rule allows, and the request to be filled in; it begins with the most that can be asked for."""
    with engine().reading() as conn:
        return _ask_page(conn, key, clock_key, None, {}, 200)


def _ask_page(conn: Connection, key: int, clock_key: int, values: dict[str, str] | None, errors: dict[str, list[Words]], status: int):
    case, view = _limit(conn, key, clock_key)
    desk = engine().desk
    if not extending.may_ask(desk, conn, case, g.person.login):
        raise NotPermitted(extending.NOT_ASKING)
    refused = extending.refusal(desk, conn, _state(view))
    if refused is not None:
        raise InvalidState(refused)
    allowed = view.clock.rule.extension
    if values is None:
        values = {**EMPTY, "amount": plain(allowed.limit) if allowed.limit is not None else ""}
    shown = _arithmetic(view, amount_of(values["amount"])) if values["amount"] else None
    people = [desk.people.directory(conn).name(login) for login in extending.deciders(desk, conn, case, g.person.login)]
    return _page(
        "cases/extend.html", status, case=case, view=view, allowed=allowed, values=values, errors=_said(errors), shown=shown, people=people,
        most=amount_words(allowed.limit, allowed.unit) if allowed.limit is not None else None, unit=_unit_words(allowed.unit),
        left=allowed.max_times - len(view.clock.extensions),
    )  # fmt: skip


def _unit_words(unit: str) -> Words:
    return UNIT_WORDS.get(unit, T("calendar days"))


UNIT_WORDS: dict[str, Words] = {"wd": T("working days"), "d": T("calendar days"), "h": T("office hours"), "ch": T("clock hours"), "m": T("months"), "y": T("years")}


@blueprint.post("/case/<int:key>/clocks/<int:clock_key>/extend")
def ask_extension(key: int, clock_key: int):
    """Show what an amount would lead to, or ask for it."""
    values = {name: request.form.get(name, "").strip() for name in EMPTY}
    if request.form.get("do") == "look":
        with engine().reading() as conn:
            return _ask_page(conn, key, clock_key, values, {}, 200)
    file = request.files.get("file")
    paper = pausing.Paper(file.filename, file.stream.read()) if file and file.filename else None
    try:
        extending.ask(engine().desk, key, clock_key, amount_of(values["amount"]), values["reason"], document=values["document"], paper=paper, **me())
    except ValidationFailed as refused:
        with engine().reading() as conn:
            return _ask_page(conn, key, clock_key, values, refused.errors or {"": [refused.message]}, 422)
    except (InvalidState, Conflict) as refused:
        flash(say(refused.message), "warning")
        return redirect(url_for("cases.show", key=key, _anchor="clocks"))
    flash(_("The extension was asked for. Until it is granted the limit stays as it is."), "success")
    return redirect(url_for("cases.show", key=key, _anchor="clocks"))


# -- deciding ------------------------------------------------------------------------------------------------------------------


@blueprint.get("/case/<int:key>/extensions/<int:request_key>")
def extension(key: int, request_key: int):
    """A request: who asks for what and why, what it would lead to, and the decision."""
    with engine().reading() as conn:
        return _decision_page(conn, key, request_key, None, {}, 200)


def _decision_page(conn: Connection, key: int, request_key: int, values: dict[str, str] | None, errors: dict[str, list[Words]], status: int):
    desk = engine().desk
    case = access_case(conn, key, g.person.login, security.address())
    row = next((each for each in extending.of_case(conn, key) if each.key == request_key), None)
    if row is None:
        raise NotFound(T("There is no such request, or you may not see it."))
    _case, view = _limit(conn, key, row.clock_key)
    waits = row.state == extending.ASKED
    asked = checked_amount(row.amount, row.unit)
    if values is None:
        values = {"amount": plain(asked), "words": ""}
    files = {each.key: each.filename for each in queries.attachments_of(conn, key)} if row.attachment_key else {}
    refused = extending.may_decide(desk, conn, case, g.person.login, row.asked_by) if waits else None
    return _page(
        "cases/extension.html", status, case=case, view=view, row=row, values=values, errors=_said(errors), waits=waits, refused=refused,
        asked=amount_words(asked, row.unit), granted=amount_words(checked_amount(row.granted, row.unit), row.unit) if row.granted else None,
        shown=_arithmetic(view, amount_of(values["amount"])) if waits else None, filename=files.get(row.attachment_key), unit=_unit_words(row.unit),
        mine=waits and row.asked_by in desk.access.identities(conn, g.person.login), state_words=extending.STATE_WORDS,
        approver=view.clock.rule.extension.approver if view.clock.rule.extension else "",
    )  # fmt: skip


def _decide(key: int, request_key: int, command: Callable[[], None], said: str):
    values = {name: request.form.get(name, "").strip() for name in ("amount", "words")}
    try:
        command()
    except (ValidationFailed, InvalidState) as refused:
        errors = getattr(refused, "errors", None) or {"": [refused.message]}
        with engine().reading() as conn:
            return _decision_page(conn, key, request_key, values, errors, 422 if isinstance(refused, ValidationFailed) else 409)
    flash(said, "success")
    return redirect(url_for("cases.show", key=key, _anchor="clocks"))


@blueprint.post("/case/<int:key>/extensions/<int:request_key>/grant")
def grant_extension(key: int, request_key: int):
    """Grant a request, or show what another amount would lead to."""
    form = request.form
    amount = amount_of(form.get("amount", ""))
    if form.get("do") == "look":
        values = {name: form.get(name, "").strip() for name in ("amount", "words")}
        with engine().reading() as conn:
            return _decision_page(conn, key, request_key, values, {}, 200)
    return _decide(
        key, request_key, lambda: extending.grant(engine().desk, request_key, amount, form.get("words", ""), **me()), _("The limit was extended.")
    )


@blueprint.post("/case/<int:key>/extensions/<int:request_key>/refuse")
def refuse_extension(key: int, request_key: int):
    """Refuse a request."""
    said = _("The extension was refused; the limit stays as it is.")
    return _decide(key, request_key, lambda: extending.refuse(engine().desk, request_key, request.form.get("words", ""), **me()), said)


@blueprint.post("/case/<int:key>/extensions/<int:request_key>/withdraw")
def withdraw_extension(key: int, request_key: int):
    """Take one's own request back."""
    return _decide(key, request_key, lambda: extending.withdraw(engine().desk, request_key, **me()), _("The request was withdrawn."))


# -- explaining ----------------------------------------------------------------------------------------------------------------


@blueprint.get("/case/<int:key>/clocks/<int:clock_key>/reason")
def reason_form(key: int, clock_key: int):
    """Why a limit was not kept, to be filled in."""
    with engine().reading() as conn:
        return _reason_page(conn, key, clock_key, "", {}, 200)


def _reason_page(conn: Connection, key: int, clock_key: int, reason: str, errors: dict[str, list[Words]], status: int):
    case, view = _limit(conn, key, clock_key)
    return _page("cases/delay.html", status, case=case, view=view, reason=reason, errors=_said(errors))


@blueprint.post("/case/<int:key>/clocks/<int:clock_key>/reason")
def state_reason(key: int, clock_key: int):
    """Put the reason into the trail; steps of the ladder that ask for one are then withheld."""
    reason = request.form.get("reason", "").strip()
    with engine().reading() as conn:
        _limit(conn, key, clock_key)
    try:
        if len(reason) > pausing.LONGEST_REASON:
            words = T("At most %(most)d characters.", most=pausing.LONGEST_REASON)
            raise ValidationFailed(words, errors={"reason": [words]})
        engine().desk.state_reason(clock_key, reason, **me())
    except ValidationFailed as refused:
        with engine().reading() as conn:
            return _reason_page(conn, key, clock_key, reason, refused.errors, 422)
    flash(_("The reason stands in the trail of the case."), "success")
    return redirect(url_for("cases.show", key=key, _anchor="clocks"))
