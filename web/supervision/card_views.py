"""Electronic supervision 电子监察: the cards, one card with its evidence, appeal and decision, figures, and the rules in force."""

from __future__ import annotations

from io import BytesIO
from math import ceil
from typing import Any

from flask import flash, g, redirect, render_template, request, send_file, session, url_for
from flask_babel import gettext as _

from engine.deadlines import Clock, explain
from engine.deadlines.monitoring_rules import KINDS, Degree, MonitoringRule
from engine.errors import Conflict, InvalidState, NotFound, ValidationFailed
from engine.runtime.supervision import appeals, cards
from engine.runtime.telling.notices import unpacked
from engine.words import T, Words
from web import filters, security
from web.i18n import say
from web.people import INSIDE, requires
from web.requests import number
from web.supervision import blueprint, card_queries, views
from web.supervision.card_queries import CardState
from web.supervision.order_views import my_groups, my_identities
from web.supervision.state import PAGE_SIZE
from web.supervision.views import engine

STATES: dict[str, Words] = {
    "ISSUED": T("In force"), "APPEALED": T("Appealed against"), "UPHELD": T("Upheld"), "REVOKED": T("Revoked"), "counting": T("Counting (not revoked)"),
}  # fmt: skip
STEPS: dict[str, Words] = {"issue": T("card issued"), "appeal": T("appealed"), "uphold": T("upheld"), "revoke": T("revoked"), "supersede": T("not told of: superseded by the graver card")}
WHOM: dict[str, Words] = {"handler": T("the handler"), "section_chief": T("the section chief"), "section": T("the section")}
TONES: dict[str, str] = {"warning": "blue", "yellow": "yellow", "red": "red"}
"""Degree → colour of its badge; the word stands in it."""
DONE: dict[str, Words] = {"appeal": T("Your appeal was sent."), "uphold": T("The card was upheld."), "revoke": T("The card was revoked.")}

views.PAGES["supervision.cards"] = T("Electronic supervision")
PARTS: dict[str, Words] = {"supervision.cards": T("Cards"), "supervision.card_figures": T("Card figures"), "supervision.card_rules": T("Supervision rules")}


@blueprint.app_context_processor
def words_of_cards() -> dict[str, Any]:
    return {"card_degrees": cards.DEGREE_WORDS, "card_states": STATES, "card_steps": STEPS, "card_tones": TONES}


def parts() -> list[tuple[str, Words]]:
    """The pages about cards that this person may open."""
    return [(name, word) for name, word in PARTS.items() if name != "supervision.card_figures" or g.person.may("supervise")]


def readable(visible: Any = None) -> Any:
    """SQL for the cases whose cards this person may read; asked before a connection is taken."""
    return cards.PAPERS.listed(views.overseen() if visible is None else visible, my_identities(), my_groups())


def threshold(kind: str, degree: Degree) -> Words:
    """From where on a card is issued, in words."""
    measure = KINDS[kind].measure
    if measure == "days":
        if kind == "unclaimed":
            return T("nobody has taken it after %(days)d working day(s)", days=degree.at)
        return T("from %(days)d working day(s) over", days=degree.at) if degree.at else T("as soon as it is overdue")
    if measure == "times":
        return T("when it has happened %(count)d times", count=degree.at)
    if measure == "shorter_than":
        return T("reason shorter than %(count)d character(s)", count=degree.at) if degree.at > 1 else T("no reason at all")
    return T("the light is yellow")


@blueprint.get("/cards", endpoint="cards")
@requires(INSIDE)
def index():
    """The cards this person may read: of all cases for who oversees, else their own and those of the section they lead."""
    g.room = "cards"
    state = CardState.of(request.args)
    visible, calendar = views.overseen(), engine().calendar
    mine = readable(visible)
    with engine().reading() as conn:
        rows, total = card_queries.listed(conn, mine, visible, state, calendar)
        numbers = card_queries.counted(conn, mine, state, calendar)
        known = card_queries.choices(conn, mine)
    if not rows and state.page > 1:
        return redirect(filters.with_query(page=None))
    session["cards_url"] = request.full_path.rstrip("?")
    return render_template(
        "supervision/cards.html", rows=rows, total=total, state=state, pages=max(1, ceil(total / PAGE_SIZE)), numbers=numbers, parts=parts(),
        rules=dict(sorted({row.rule_id: row.rule_label for row in known}.items())), sections=sorted({row.to_section for row in known if row.to_section}),
        persons=sorted({row.to_login for row in known if row.to_login}, key=filters.person_name),
    )  # fmt: skip


@blueprint.get("/cards/export.xlsx", endpoint="export_cards")
@requires(INSIDE)
def export():
    """The filtered list as a workbook."""
    state = CardState.of({**request.args.to_dict(), "page": "1"})
    state = CardState(**state.query(), page=0)
    visible = views.overseen()
    mine = readable(visible)
    with engine().reading() as conn:
        rows, total = card_queries.listed(conn, mine, visible, state, engine().calendar)
    heads = [
        _("Card number"), _("Card"), _("State"), _("Rule"), _("Case number"), _("Title"), _("Section"), _("Person"), _("Fell due"), _("Issued"),
        _("Issued late"), _("Appeal until"), _("Appealed at"), _("Decided"), _("Decided by"), _("Evidence"),
    ]  # fmt: skip
    lines = [
        [
            row.number, say(cards.DEGREE_WORDS[row.degree]), say(STATES[row.state]), row.rule_label, row.case_no, views.case_title(row),
            filters.section_name(row.to_section), filters.person_name(row.to_login) if row.to_login else "", filters.localdatetime(row.fell_due_at),
            filters.localdatetime(row.issued_at), _("yes") if row.late else "", filters.localdate(row.appeal_until),
            filters.localdatetime(row.appealed_at) if row.appealed_at else "", filters.localdatetime(row.decided_at) if row.decided_at else "",
            filters.person_name(row.decided_by) if row.decided_by else "", " ".join(say(each) for each in facts_of(row)),
        ]
        for row in rows
    ]  # fmt: skip
    if total > len(rows):
        lines.append([_("%(total)d in all; the first %(shown)d are listed.", total=total, shown=len(rows))])
    return views.spreadsheet(_("Supervision cards"), heads, lines)


def facts_of(row: Any) -> list[Words]:
    """The evidence of a card as sentences."""
    return [unpacked(each["msgid"], each.get("params")) for each in row.evidence["facts"]]


def _read(key: int) -> dict[str, Any]:
    """Everything the page of a card shows.  Of its case the number and the procedure are for whoever the card is for; nothing else is."""
    visible = views.overseen()
    desk, login, now = engine().desk, g.person.login, engine().clock()
    calendar = engine().calendar
    with engine().reading() as conn:
        row = cards.PAPERS.access(desk, conn, key, login, security.address())
        clock = card_queries.clock_of(conn, row.clock_key)
        values = {
            "card": row, "case": card_queries.case_of(conn, row.case_key, visible), "steps": cards.steps(conn, key), "related": card_queries.related(conn, row),
            "may_decide": cards.may_decide(desk, conn, row, login), "decides": not cards.DECIDERS.isdisjoint(desk.people.groups(login, conn)),
        }  # fmt: skip
    rule = row.evidence["rule"]
    degree = Degree(row.degree, row.evidence["at"])
    return {
        **values, "rule": rule, "facts": facts_of(row), "threshold": threshold(row.kind, degree), "kind": KINDS[row.kind].label, "clock": clock,
        "clock_sum": explain(Clock.from_dict(clock.ledger), calendar, clock.stopped_at or now) if clock is not None else None,
        "may_appeal": cards.may_appeal(row, my_identities(), my_groups()) and appeals.open_for_appeal(desk, row, now),
        "appeal_over": row.state == cards.ISSUED and not appeals.open_for_appeal(desk, row, now),
    }  # fmt: skip


def _show(key: int, status: int = 200, errors: Any = None, action: str = ""):
    g.room = "cards"
    page = render_template("supervision/card.html", **_read(key), errors=errors or {}, action=action, entered=request.form)
    return page, status


@blueprint.get("/cards/<int:key>")
def card_page(key: int):
    """One card: which rule, its arithmetic, the limit as it stands, what was said, and what this person may do with it."""
    return _show(key)


@blueprint.get("/cards/<int:key>/print")
def card_print(key: int):
    """The card as an A4 page."""
    g.room = "cards"
    return render_template("supervision/card_print.html", **_read(key))


@blueprint.get("/cards/<int:key>/papers/<int:paper>")
def card_paper(key: int, paper: int):
    """The paper that an appeal rests on, as a download."""
    with engine().reading() as conn:
        file = appeals.paper(engine().desk, conn, key, paper, g.person.login, security.address())
    answer = send_file(BytesIO(file.content), mimetype=file.content_type, as_attachment=True, download_name=file.filename)
    answer.headers["X-Content-Type-Options"] = "nosniff"
    return answer


@blueprint.post("/cards/<int:key>/<action>")
def card_act(key: int, action: str):
    """Appeal, uphold or revoke."""
    if action not in DONE:
        raise NotFound("There is no such operation.")
    revision = request.form.get("revision", "")
    said = {"revision": number(revision), "by": g.person.login, "address": security.address()}
    try:
        if action == "appeal":
            file = request.files.get("file")
            content = file.read() if file and file.filename else b""
            appeals.appeal(engine().desk, key, request.form.get("text", ""), filename=file.filename or "" if file else "", content=content, **said)
        else:
            appeals.decide(engine().desk, key, revoke=action == "revoke", reason=request.form.get("text", ""), **said)
    except ValidationFailed as refused:
        return _show(key, 422, refused.errors, action)
    except Conflict as refused:
        flash(say(refused.message), "warning")
        # What was typed stands in the form again, beside what somebody else has done.
        return _show(key, 409, {}, action)
    except InvalidState as refused:
        flash(say(refused.message), "warning")
    else:
        flash(say(DONE[action]), "success")
    return redirect(url_for("supervision.card_page", key=key))


# -- figures and rules ---------------------------------------------------------------------------------------------------


def figure_heads(first: str) -> list[str]:
    return [first, *(say(word) for word in cards.DEGREE_WORDS.values()), _("Together"), _("Appeals made"), _("Revoked")]


def figure_lines(rows: list[Any], name: Any) -> list[list[Any]]:
    return [[name(row), row.warning, row.yellow, row.red, row.together, row.appealed, row.revoked] for row in rows]


def _figures() -> tuple[CardState, list[list[Any]], list[list[Any]]]:
    state = CardState.of(request.args)
    visible = readable()
    with engine().reading() as conn:
        sections = card_queries.figures(conn, visible, state, engine().calendar, "to_section")
        rules = card_queries.figures(conn, visible, state, engine().calendar, "rule_id")
    by_section = figure_lines(sections, lambda row: filters.section_name(row.name) if row.name else _("no section"))
    return state, by_section, figure_lines(rules, lambda row: row.label)


@blueprint.get("/cards/figures")
@requires("supervise")
def card_figures():
    """How many cards of which degree, by section and by rule; a revoked card does not count."""
    g.room = "cards"
    state, sections, rules = _figures()
    return render_template(
        "supervision/card_figures.html", state=state, parts=parts(), sections=sections, rules=rules, section_heads=figure_heads(_("Section")), rule_heads=figure_heads(_("Rule"))
    )


@blueprint.get("/cards/figures.xlsx")
@requires("supervise")
def export_card_figures():
    """Both tables as a workbook."""
    _state, sections, rules = _figures()
    return views.spreadsheet(_("Card figures"), figure_heads(_("Section")), [*sections, [], figure_heads(_("Rule")), *rules])


def scope_words(rule: MonitoringRule) -> list[Words]:
    """What narrows a rule: procedures, limits, buttons that refuse, and how extensions are counted."""
    found: list[Words] = []
    sheets, table = views.sheets(), engine().desk.book().rules
    if rule.procedures:
        found.append(T("Procedures: %(names)s", names=_(", ").join(sheets[each].name if each in sheets else each for each in rule.procedures)))
    if rule.limits:
        found.append(T("Limits: %(names)s", names=_(", ").join(table[each].label if each in table else each for each in rule.limits)))
    if rule.kind == "repeated_extension":
        found.append(T("counted by section and calendar month") if rule.scope == "section_month" else T("counted by limit of a case"))
    return found
