"""Finding cases: the search box, and filters by the searchable fields of a procedure's sheet (``search`` in ``procedure.yaml``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from flask import g, redirect, render_template, request, url_for
from sqlalchemy import ColumnElement, and_

from engine.runtime.casework import terms
from engine.runtime.casework.access import OVERSEERS, visible_cases
from engine.runtime.casework.labels import Options, choices_of
from engine.runtime.sheets import Sheet
from engine.words import T, Words
from web.cases import blueprint, queries
from web.cases.answers import engine
from web.inbox import queries as lists
from web.inbox.state import ListState
from web.inbox.views import pages_of, remember_list

PREFIX = "by."
"""Before the name of a searchable field in an address: ``by.grade``, ``by.happened_on.from``."""
MOST = 200


@dataclass(frozen=True)
class Filter:
    """One searchable field as a page asks for it: ``value`` of a text, ``least`` and ``most`` of days and amounts, as they were typed.

    ``wrong`` says why what was typed cannot be used; such a filter does not narrow the list.  ``choices`` are all values there can be, of
    a field that a form asks for by options.
    """

    key: str
    label: str
    kind: str
    value: str = ""
    least: str = ""
    most: str = ""
    wrong: Words | None = None
    choices: tuple[str, ...] = ()

    @property
    def used(self) -> bool:
        return bool(self.value or self.least or self.most) and self.wrong is None

    def test(self) -> ColumnElement[bool]:
        """The cases that have such a value."""
        if self.kind == "date":
            return queries.with_word_between(self.key, self.least and terms.day_of(self.least), self.most and terms.day_of(self.most))
        if self.kind == "number":
            least, most = (terms.amount_of(each) if each else None for each in (self.least, self.most))
            return queries.with_number_between(self.key, least, most)
        return queries.with_word(self.key, terms.folded(self.value), part=self.kind == "text")


def filters_of(sheet: Sheet | None, args: Mapping[str, str], options: Options | None = None) -> list[Filter]:
    """The searchable fields of ``sheet`` with what an address asks of them; ``options`` are the labels of its forms (``desk.labels``)."""
    found = []
    for field in sheet.search if sheet is not None else ():
        name = PREFIX + field.key
        value, least, most = (args.get(place, "").strip()[:MOST] for place in (name, f"{name}.from", f"{name}.to"))
        if field.kind in ("text", "exact"):
            choices = choices_of(options or {}, field.value) if field.kind == "exact" else ()
            found.append(Filter(field.key, field.label, field.kind, value=value, choices=choices))
        else:
            found.append(Filter(field.key, field.label, field.kind, least=least, most=most, wrong=_wrong(field.kind, least, most)))
    return found


def _wrong(kind: str, least: str, most: str) -> Words | None:
    read = terms.day_of if kind == "date" else terms.amount_of
    for each in (least, most):
        if each and read(each) is None:
            return T("“%(text)s” is not a day.", text=each) if kind == "date" else T("“%(text)s” is not an amount.", text=each)
    if least and most and read(least) > read(most):  # type: ignore[operator]
        return T("“From” is after “to”: nothing can match.")
    return None


def tests_of(asked: list[Filter]) -> ColumnElement[bool] | None:
    """All filters in use together; ``None`` when none is."""
    tests = [each.test() for each in asked if each.used]
    return and_(*tests) if tests else None


@blueprint.get("/search")
def search():
    """The search box: a full number leads to its case, anything else to a list of cases one may read.

    With a procedure chosen, its searchable fields narrow the list, with or without a text.
    """
    text = request.args.get("q", "").strip()[:MOST]
    state = ListState.of(request.args, {**lists.CASE_SORTS, "light": None})
    now, calendar, who = engine().clock(), engine().calendar, lists.viewer(g.person)
    with engine().reading() as conn:
        sheets = engine().desk.book(conn).sheets
        sheet = sheets[state.procedure][1] if state.procedure in sheets else None
        asked = filters_of(sheet, request.args, engine().desk.labels.of(conn, sheet) if sheet else None)
        narrowed = tests_of(asked)
        looking = bool(text or state.procedure)
        test = readable_cases(who)
        for each in (queries.matching(text) if text else None, narrowed):
            test = test if each is None else and_(test, each)
        rows = lists.cases(conn, test, replace(state, q=""), now, calendar) if looking else []
        waiting = sum(terms.behind(conn, {state.procedure: sheets[state.procedure]}).values()) if narrowed is not None else 0
    if len(rows) == 1 and rows[0].total == 1 and rows[0].case_no.lower() == text.lower():
        return redirect(url_for("cases.show", key=rows[0].key))
    if looking:
        remember_list()
    total, pages = pages_of(rows)
    return render_template(
        "cases/search.html", rows=rows, state=state, text=text, search_text=text, total=total, pages=pages, looking=looking, asked=asked,
        waiting=waiting, procedures={id: sheet.name for id, (_, sheet) in sheets.items()}, prefix=PREFIX, narrowed=narrowed is not None,
    )  # fmt: skip


def readable_cases(who: Any) -> Any:
    """The cases that the signed-in person may read, as a condition for lists."""
    groups = frozenset(who.groups)
    procedures = engine().desk.readable_procedures(who.login)
    return lists.readable(visible_cases(groups, who.identities), procedures, not OVERSEERS.isdisjoint(groups))
