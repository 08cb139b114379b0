"""The bell and the list behind it."""

from __future__ import annotations

from math import ceil
from typing import Any

from flask import current_app, flash, g, redirect, render_template, request, url_for
from flask_babel import ngettext

from engine.runtime.telling.notices import mark_read, unpacked, unpacked_or_none
from engine.words import T, Words
from web import filters, security
from web.i18n import say
from web.notices import blueprint, queries

KIND_WORDS: dict[str, Words] = {
    "assigned": T("assigned"), "candidate": T("new in my section"), "urged": T("urged"), "rung": T("deadline"), "returned": T("returned"),
    "replied": T("replied"), "notice": T("told"), "extended": T("extended"), "extension": T("more time"), "paused": T("limit paused"), "digest": T("daily summary"), "transferred": T("handed over"),
    "alarm": T("alarm"), "test": T("test message"), "order": T("supervision order"), "bulletin": T("bulletin"), "assessment": T("assessment"), "card": T("supervision card"), "design": T("procedure design"),
}  # fmt: skip
"""Kind of a notification → the word in the first column; others show none."""
PAGES = {
    "order": ("supervision.order_page", "order"), "bulletin": ("supervision.bulletin_page", "bulletin"),
    "assessment": ("supervision.deduction_page", "deduction"), "card": ("supervision.card_page", "card"),
}  # fmt: skip
"""Kind of a notification → the page it leads to, and the parameter that holds the key of what it shows."""


def engine():
    return current_app.extensions["engine"]


@blueprint.get("/notices")
def index():
    """What was told to me, unread first."""
    g.room = "notices"
    number = request.args.get("page", "1")
    number = max(1, int(number)) if number.isdecimal() and len(number) < 7 else 1
    unread_only = request.args.get("unread") == "1"
    only = _bundle(request.args)
    more_than = engine().desk.settings.digest_more_than
    with engine().reading() as conn:
        found = queries.bundles(conn, g.person.login, more_than) if only is None and g.person.unread > more_than else []
        rows, total = queries.page(conn, g.person.login, number, unread_only, besides=found, only=only)
    if not rows and number > 1:
        return redirect(filters.with_query(page=None))
    pages = max(1, ceil(total / queries.PAGE_SIZE))
    texts = {row.key: say(unpacked(row.msgid, row.params)) for row in rows}
    notes = {row.key: say(unpacked_or_none(row.note) or "") for row in rows}
    return render_template(
        "notices/index.html", rows=rows, bundles=found if number == 1 else [], only=only, texts=texts, notes=notes, page=number, pages=pages, total=total, unread_only=unread_only, kind_words=KIND_WORDS, pages_of_kinds=PAGES
    )


def _bundle(args: Any) -> tuple[int, int] | None:
    """First and last key of the bundle that the address or the form names; ``None`` for none."""
    first, last = args.get("first", ""), args.get("last", "")
    known = all(each.isdecimal() and len(each) < 20 for each in (first, last))
    return (int(first), int(last)) if known else None


@blueprint.get("/notices/bell")
def bell():
    """The number in the bell; empty for none."""
    return str(g.person.unread or "")


@blueprint.post("/notices/<int:key>/read")
def read(key: int):
    """Mark one as read and go to what it is about."""
    mark_read(engine().desk, by=g.person.login, keys=[key])
    return redirect(security.safe_next(request.form.get("next")) or url_for("notices.index"))


@blueprint.post("/notices/read")
def read_all():
    """Mark all as read, or all of one bundle."""
    keys = None
    if (only := _bundle(request.form)) is not None:
        with engine().reading() as conn:
            keys = queries.keys_of(conn, g.person.login, *only)
    count = mark_read(engine().desk, by=g.person.login, keys=keys)
    if count:
        flash(ngettext("%(num)d notice marked as read.", "%(num)d notices marked as read.", count), "success")
    return redirect(url_for("notices.index"))
