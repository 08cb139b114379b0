"""Supervision orders 督办单: the list, the order with what was said on it, its paper, and what is done with it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from math import ceil
from typing import Any

from flask import flash, g, redirect, render_template, request, session, url_for
from flask_babel import gettext as _

from engine.errors import Conflict, InvalidState, NotFound, ValidationFailed
from engine.runtime.casework.access import URGERS
from engine.runtime.supervision import orders
from engine.words import T, Words
from web import filters, security
from web.i18n import say
from web.people import INSIDE, requires
from web.requests import number
from web.supervision import blueprint, card_queries, order_queries, views
from web.supervision.state import PAGE_SIZE
from web.supervision.views import engine

LEVELS: dict[str, Words] = {"blue": T("Blue"), "yellow": T("Yellow"), "red": T("Red")}
STATES: dict[str, Words] = {
    "ISSUED": T("Waiting for an answer"), "ANSWERED": T("Answered"), "CLOSED": T("Settled"), "WITHDRAWN": T("Withdrawn"),
}  # fmt: skip
STEPS: dict[str, Words] = {
    "issue": T("issued"), "answer": T("answered"), "return": T("to be answered again"), "close": T("settled"), "withdraw": T("withdrawn"),
}  # fmt: skip
SHOWN: dict[str, Words] = {"open": T("Open"), "late": T("Answer overdue"), "ended": T("Settled or withdrawn"), "all": T("All")}
DONE: dict[str, tuple[Callable[..., None], Words]] = {
    "answer": (orders.answer, T("Your answer was sent.")),
    "return": (orders.send_back, T("The answer was sent back.")),
    "close": (orders.close, T("The order is settled.")),
    "withdraw": (orders.withdraw, T("The order was withdrawn.")),
}


@blueprint.app_context_processor
def words_of_orders() -> dict[str, Any]:
    return {"case_title": views.case_title, "order_levels": LEVELS, "order_states": STATES, "order_steps": STEPS}


def today() -> date:
    return engine().calendar.local(engine().clock()).date()


def my_groups() -> frozenset[str]:
    return g.person.groups | engine().desk.people.groups(g.person.login)


def my_identities() -> frozenset[str]:
    return frozenset({g.person.login, *g.person.principals})


def _page(page: int) -> tuple[list[Any], int, str, str]:
    """One page of the orders this person may read (0: all of them), how many there are, and the filters; one statement."""
    shown, level = request.args.get("shown", "open"), request.args.get("level", "")
    shown, level = shown if shown in SHOWN else "open", level if level in LEVELS else ""
    visible = views.overseen()
    readable = orders.PAPERS.listed(visible, my_identities(), my_groups())
    with engine().reading() as conn:
        rows, total = order_queries.listed(conn, readable, visible, shown, level, page, today())
    return rows, total, shown, level


def page_number() -> int:
    page = request.args.get("page", "1")
    return max(1, int(page)) if page.isdecimal() and len(page) < 7 else 1


@blueprint.get("/orders", endpoint="orders")
@requires(INSIDE)
def index():
    """The orders this person may read: of all cases for who oversees, else those addressed to them or their section."""
    g.room = "orders"
    page = page_number()
    rows, total, shown, level = _page(page)
    if not rows and page > 1:
        return redirect(filters.with_query(page=None))
    session["orders_url"] = request.full_path.rstrip("?")
    return render_template(
        "supervision/orders.html", rows=rows, total=total, page=page, pages=max(1, ceil(total / PAGE_SIZE)), shown=shown, level=level, kinds=SHOWN
    )


@blueprint.get("/orders/export.xlsx", endpoint="export_orders")
@requires(INSIDE)
def export():
    """The filtered list as a workbook."""
    rows, total, _shown, _level = _page(0)
    heads = [
        _("Order number"), _("Level"), _("State"), _("Case number"), _("Title"), _("Section"), _("Person"), _("What is asked"), _("Issued"),
        _("Issued by"), _("Answer due"), _("Answered"), _("Ended"),
    ]  # fmt: skip
    lines = [
        [
            row.number, say(LEVELS[row.level]), say(STATES[row.state]), row.case_no, views.case_title(row), filters.section_name(row.to_section),
            filters.person_name(row.to_login) if row.to_login else "", row.text, filters.localdatetime(row.issued_at),
            filters.person_name(row.issued_by), filters.localdate(row.due_on), filters.localdatetime(row.answered_at), filters.localdatetime(row.ended_at),
        ]
        for row in rows
    ]  # fmt: skip
    if total > len(rows):
        lines.append([_("%(total)d in all; the first %(shown)d are listed.", total=total, shown=len(rows))])
    return views.spreadsheet(_("Supervision orders"), heads, lines)


def _read(key: int) -> tuple[Any, Any, list[Any]]:
    """The order, its case and what was said on it.  The case's number and procedure are for whoever the order is for; nothing else is."""
    visible = views.overseen()
    with engine().reading() as conn:
        row = orders.PAPERS.access(engine().desk, conn, key, g.person.login, security.address())
        return row, card_queries.case_of(conn, row.case_key, visible), orders.steps(conn, key)


def _allowed(row: Any) -> list[str]:
    if row.state not in orders.OPEN:
        return []
    groups = my_groups()
    found = ["answer"] if orders.may_answer(row, my_identities(), groups) else []
    if not URGERS.isdisjoint(groups):
        found += (["return", "close"] if row.state == orders.ANSWERED else []) + ["withdraw"]
    return found


def _show(key: int, status: int = 200, errors: Any = None, action: str = ""):
    g.room = "orders"
    row, case, steps = _read(key)
    page = render_template(
        "supervision/order.html", order=row, case=case, steps=steps, allowed=_allowed(row), today=today(), errors=errors or {}, action=action, entered=request.form
    )
    return page, status


@blueprint.get("/orders/<int:key>")
def order_page(key: int):
    """One order: what is asked, by when, what was said, and what this person may do with it."""
    return _show(key)


@blueprint.get("/orders/<int:key>/print")
def order_print(key: int):
    """The order as an A4 page."""
    row, case, steps = _read(key)
    return render_template("supervision/order_print.html", order=row, case=case, steps=steps)


@blueprint.post("/orders/<int:key>/<action>")
def order_act(key: int, action: str):
    """Answer, send back, close or withdraw."""
    if action not in DONE:
        raise NotFound("There is no such operation.")
    command, done = DONE[action]
    revision = request.form.get("revision", "")
    try:
        command(
            engine().desk, key, request.form.get("text", ""), revision=number(revision), by=g.person.login, address=security.address()
        )
    except ValidationFailed as refused:
        return _show(key, 422, refused.errors, action)
    except (Conflict, InvalidState) as refused:
        flash(say(refused.message), "warning")
    else:
        flash(say(done), "success")
    return redirect(url_for("supervision.order_page", key=key))
