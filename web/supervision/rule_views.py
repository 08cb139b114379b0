"""The rules of electronic supervision on pages: the table, one rule with its history and what it found, the form, the workbook."""

from __future__ import annotations

from typing import Any

from flask import Response, flash, g, redirect, render_template, request, url_for
from flask_babel import gettext as _
from sqlalchemy import Connection

from engine.deadlines.ladder import RECIPIENTS
from engine.deadlines.monitoring_rules import CARDS, KINDS, SCOPES, STATUSES, MonitoringRule
from engine.deadlines.rules import STATUS_WORDS
from engine.deadlines.sheettext import rule_rows
from engine.errors import NotFound, ValidationFailed
from engine.runtime.limits import rulebook
from engine.runtime.supervision import cards, monitoring_book
from engine.words import T, Words
from web import filters, security
from web.i18n import say
from web.limits.forms import day, number
from web.people import INSIDE, requires
from web.supervision import blueprint, card_queries, views
from web.supervision.card_views import WHOM, parts, scope_words, threshold
from web.supervision.views import engine
from web.supervision.words import RECIPIENT_WORDS

SCOPE_WORDS: dict[str, Words] = {"limit": T("one limit of one case"), "section_month": T("all cases of a section in a calendar month")}
MEASURE_WORDS: dict[str, Words] = {
    "days": T("working days"), "times": T("times"), "shorter_than": T("characters, if the reason is shorter"), "": T("the light is yellow"),
}  # fmt: skip
"""What the number of a card counts, by the measure of its kind."""
FIELD_WORDS: dict[str, Words] = {
    "": T("Rule"), "kind": T("What is watched"), "cards": T("Cards"), "whom": T("To whom"), "procedures": T("Procedures"), "limits": T("Limits"),
    "outcomes": T("Buttons that refuse"), "reason_fields": T("Fields that count as a reason"), "scope": T("Counted by"), "label": T("Designation"),
    "source": T("Source"), "status": T("Verification"), "note": T("Note"), "effective_from": T("Facts from"),
}  # fmt: skip
TEXTS = ("id", "label", "kind", "whom", "scope", "source", "status", "note", "effective_from", "reason")
LISTS = ("procedures", "limits")
COMMAS = ("outcomes", "reason_fields")
LONGEST_TEXT = 2000


@blueprint.get("/cards/rules")
@requires(INSIDE)
def card_rules():
    """The rules in force with their source: who may get a card must be able to read for what."""
    g.room = "cards"
    book = engine().desk.book()
    return render_template(
        "supervision/card_rules.html", sheet=book.monitoring, version=book.monitoring_version, parts=parts(), kinds=KINDS, threshold=threshold, whom=WHOM,
        recipients=RECIPIENT_WORDS, scope_words=scope_words,
    )  # fmt: skip


@blueprint.get("/cards/rules/export.xlsx")
@requires(INSIDE)
def export_card_rules():
    """The table as a workbook."""
    heads = [_("Identifier"), _("Rule"), _("What is watched"), _("Narrowed to"), *(say(cards.DEGREE_WORDS[each]) for each in CARDS), _("To whom"), _("Facts from"), _("Source"), _("Verification"), _("Note")]
    sheet = engine().desk.book().monitoring
    lines = []
    for rule in sheet.rules:
        by_card = {each.card: say(threshold(rule.kind, each)) for each in rule.cards}
        narrowed = "；".join(say(each) for each in scope_words(rule))
        lines.append(
            [
                rule.id, rule.label, say(KINDS[rule.kind].label), narrowed, *(by_card.get(each, "") for each in CARDS), say(WHOM[rule.whom]),
                filters.localdate(sheet.in_force_from(rule)), rule.source, rule.status, rule.note,
            ]
        )  # fmt: skip
    return views.spreadsheet(_("Supervision rules"), heads, lines)


@blueprint.get("/cards/rules/supervision_rules.yaml")
@requires("limits")
def download_card_rules():
    """The sheet as it is deployed, for the version archive; it comes back by an ordinary deployment."""
    sheet = rulebook.sheet(engine().desk, monitoring_book.KIND)
    return Response(sheet.text, mimetype="application/yaml", headers={"Content-Disposition": "attachment; filename=supervision_rules.yaml"})


def _rule(rule_id: str) -> MonitoringRule:
    found = engine().desk.book().monitoring.rule(rule_id)
    if found is None:
        raise NotFound("There is no supervision rule “%(id)s”.", id=rule_id)
    return found


def _readable(conn: Connection, visible: Any, trial: monitoring_book.Trial) -> dict[int, Any]:
    """Of the cases that a trial names, those this person may read: a rule may be tried by people who see no case."""
    return card_queries.cases(conn, visible, {each.case.key for each in trial.findings})


def _value_words(name: str, value: Any) -> list[Any]:
    """A value of a rule in words, for its history."""
    if value in (None, "", ()):
        return []
    if name == "cards":
        return [T("%(card)s from %(at)d", card=cards.DEGREE_WORDS[each.card], at=each.at) if each.at else cards.DEGREE_WORDS[each.card] for each in value]
    known: dict[str, Any] = {"kind": {id: kind.label for id, kind in KINDS.items()}, "whom": WHOM, "scope": SCOPE_WORDS, "status": STATUS_WORDS}
    if name in known:
        return [known[name].get(value, value)]
    return list(value) if isinstance(value, tuple) else [filters.localdate(value) if name == "effective_from" else value]


@blueprint.get("/cards/rules/<rule_id>")
@requires(INSIDE)
def card_rule(rule_id: str):
    """One rule: what it says, who changed it, and for who supervises or edits, what it found in the last weeks."""
    g.room = "cards"
    rule, desk = _rule(rule_id), engine().desk
    tries = g.person.may("supervise") or g.person.may("edit_limits")
    visible = views.overseen()
    with engine().reading() as conn:
        history = monitoring_book.history(desk, conn, rule_id)
        trial = monitoring_book.trial(desk, conn, rule) if tries else None
        readable = _readable(conn, visible, trial) if trial else {}
    book = desk.book()
    return render_template(
        "supervision/card_rule.html", rule=rule, sheet=book.monitoring, version=book.monitoring_version, history=history, trial=trial, readable=readable,
        kinds=KINDS, threshold=threshold, whom=WHOM, recipients=RECIPIENT_WORDS, scope_words=scope_words, field_words=FIELD_WORDS, value_words=_value_words,
        days=monitoring_book.TRIAL_DAYS, said=_said_facts, procedure_name=_procedure_name,
    )  # fmt: skip


def _said_facts(finding: Any) -> str:
    return " ".join(say(each) for each in finding.facts)


def _procedure_name(process_id: str) -> str:
    known = views.sheets()
    return known[process_id].name if process_id in known else process_id


# -- changing one --------------------------------------------------------------------------------------------------------------


def _values(rule: MonitoringRule | None) -> dict[str, Any]:
    """A rule as the values of the form; a new one without."""
    today = monitoring_book.today(engine().desk).isoformat()
    if rule is None:
        empty = {**dict.fromkeys((*TEXTS, *COMMAS), ""), "kind": "over_limit", "whom": "handler", "scope": "limit", "status": "待核", "effective_from": today}
        return {**empty, **{name: [] for name in LISTS}, "cards": {}}
    return {
        **{name: getattr(rule, name) for name in ("id", "label", "kind", "whom", "scope", "source", "status", "note")}, "reason": "",
        "effective_from": rule.effective_from.isoformat() if rule.effective_from else "",
        **{name: list(getattr(rule, name)) for name in LISTS}, **{name: ", ".join(getattr(rule, name)) for name in COMMAS},
        "cards": {each.card: {"at": str(each.at), "tell": list(each.tell)} for each in rule.cards},
    }  # fmt: skip


def _posted() -> dict[str, Any]:
    form = request.form
    values: dict[str, Any] = {name: form.get(name, "").strip()[:LONGEST_TEXT] for name in (*TEXTS, *COMMAS)}
    values |= {name: form.getlist(name)[:200] for name in LISTS}
    values["cards"] = {
        card: {"at": form.get(f"at-{card}", "").strip()[:20], "tell": form.getlist(f"tell-{card}")[:20]} for card in CARDS if form.get(f"card-{card}") == "1"
    }
    return values


def _row(values: dict[str, Any], rule: MonitoringRule | None) -> dict[str, Any]:
    """The row of the sheet that the values say; columns that the kind does not know are left out."""
    kind = KINDS.get(rule.kind if rule else values["kind"])
    row: dict[str, Any] = {"id": rule.id if rule else values["id"], "label": values["label"], "kind": rule.kind if rule else values["kind"]}
    if kind is None:
        return row
    special = {name: [each.strip() for each in values[name].replace("，", ",").split(",") if each.strip()] for name in COMMAS}
    special |= {"limits": values["limits"], "scope": values["scope"]}
    row |= {name: special[name] for name in kind.columns if special[name]}
    row |= {"procedures": values["procedures"]} if values["procedures"] else {}
    row["whom"] = values["whom"]
    row["cards"] = []
    for card, entry in values["cards"].items():
        measured = {kind.measure: number(entry["at"]) if entry["at"] else 0} if kind.measure else {}
        row["cards"].append({"card": card, **measured, **({"tell": entry["tell"]} if entry["tell"] else {})})
    if values["effective_from"]:
        row["effective_from"] = day(values["effective_from"]) or values["effective_from"]
    return row | {name: values[name] for name in ("source", "status", "note") if values[name]}


def _form(values: dict[str, Any], rule: MonitoringRule | None, errors: dict[str, list[Words]], version: int, status: int = 200, **more: Any):
    g.room = "cards"
    book = engine().desk.book()
    page = render_template(
        "supervision/card_rule_edit.html", rule=rule, values=values, errors={field: [say(text) for text in texts] for field, texts in errors.items()},
        version=version, kinds=KINDS, whom=WHOM, scopes={each: SCOPE_WORDS[each] for each in SCOPES}, statuses={each: STATUS_WORDS[each] for each in STATUSES},
        card_names=CARDS, measures=MEASURE_WORDS, roles={each: RECIPIENT_WORDS[each] for each in RECIPIENTS if each in RECIPIENT_WORDS},
        procedures=sorted((sheet.process, sheet.name) for sheet in book.procedures()),
        limits=[(id, f"{id} {book.rules[id].label}") for id in book.rules if book.rules.main(id) == id], **{"trial": None, **more},
    )  # fmt: skip
    return page, status


@blueprint.get("/cards/rules/new")
@requires("edit_limits")
def new_card_rule():
    """An empty form."""
    return _form(_values(None), None, {}, engine().desk.book().monitoring_version)


@blueprint.get("/cards/rules/<rule_id>/edit")
@requires("edit_limits")
def edit_card_rule(rule_id: str):
    """The form of a rule."""
    rule = _rule(rule_id)
    return _form(_values(rule), rule, {}, engine().desk.book().monitoring_version)


@blueprint.post("/cards/rules/new")
@requires("edit_limits")
def add_card_rule():
    """Add a rule, or show what it would have found."""
    return _save(None)


@blueprint.post("/cards/rules/<rule_id>/edit")
@requires("edit_limits")
def save_card_rule(rule_id: str):
    """Save a rule, or show what it would have found."""
    return _save(_rule(rule_id))


def _save(rule: MonitoringRule | None):
    values, desk = _posted(), engine().desk
    text = request.form.get("version", "")
    version = int(text) if text.isdecimal() and len(text) < 9 else 0
    row = _row(values, rule)
    if request.form.get("do") != "save":
        return _tried(values, row, rule, version)
    try:
        made = monitoring_book.save(
            desk, row, replaces=rule.id if rule else None, reason=values["reason"], based_on=version, by=g.person.login, address=security.address()
        )
    except ValidationFailed as refused:
        return _form(values, rule, refused.errors or {"": [refused.message]}, version, 422)
    flash(_("“%(name)s” was saved as version %(version)d of the supervision rules.", name=row["label"], version=made), "success")
    return redirect(url_for("supervision.card_rule", rule_id=row["id"]))


def _tried(values: dict[str, Any], row: dict[str, Any], rule: MonitoringRule | None, version: int):
    """The form again with what the rule as entered would have found, beside what it finds as it stands."""
    desk, visible = engine().desk, views.overseen()
    with engine().reading() as conn:
        sheet = rulebook.sheet(desk, monitoring_book.KIND, conn)
        replacing = monitoring_book.row_of(sheet.text, rule.id) if rule else None
        errors = monitoring_book.check(desk, conn, row, replacing, rule_rows(sheet.text))
        if {"", "id", "label"} & set(errors):
            return _form(values, rule, errors, version, 422)
        trial = monitoring_book.trial(desk, conn, monitoring_book.rule_of(row))
        before = monitoring_book.trial(desk, conn, rule) if rule else None
        readable = _readable(conn, visible, trial)
    return _form(
        values, rule, errors, version, 422 if errors else 200, trial=trial, before=before, readable=readable, days=monitoring_book.TRIAL_DAYS,
        said=_said_facts, procedure_name=_procedure_name, change=monitoring_book.changed(before, trial) if before else None,
    )  # fmt: skip


@blueprint.post("/cards/rules/<rule_id>/verify")
@requires("edit_limits")
def verify_card_rule(rule_id: str):
    """Mark a rule as verified against its source."""
    rule, desk = _rule(rule_id), engine().desk
    row = monitoring_book.row_of(rulebook.sheet(desk, monitoring_book.KIND).text, rule_id)
    row = {**(row or {}), "status": "已核", "source": request.form.get("source", "").strip()}
    text = request.form.get("version", "")
    try:
        monitoring_book.save(
            desk, row, replaces=rule_id, reason=request.form.get("reason", ""), based_on=int(text) if text.isdecimal() and len(text) < 9 else 0,
            by=g.person.login, address=security.address(),
        )  # fmt: skip
    except ValidationFailed as refused:
        for texts in refused.errors.values():
            for each in texts:
                flash(say(each), "error")
        return redirect(url_for("supervision.card_rule", rule_id=rule_id) + "#verify")
    flash(_("“%(name)s” is marked as verified.", name=rule.label), "success")
    return redirect(url_for("supervision.card_rule", rule_id=rule_id))
