"""The rule table: list, one rule with its versions and history, edit with comparison, simulation, applying a version to open cases."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from io import BytesIO
from typing import Any

from flask import Response, current_app, flash, g, redirect, render_template, request, send_file, url_for
from flask_babel import gettext as _

from engine.deadlines import Rule
from engine.deadlines.rules import rule_of_row
from engine.deadlines.sheettext import rule_rows
from engine.errors import NotFound, ValidationFailed
from engine.runtime.limits import rule_changes, rulebook
from engine.words import T, Words
from web import security
from web.i18n import say
from web.inbox.excel import workbook
from web.limits import blueprint, forms, words
from web.people import requires
from web.requests import number

SPREADSHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
PAGES: tuple[tuple[str, Words], ...] = (
    ("limits.index", T("Rule table")), ("limits.simulate", T("Simulation")), ("limits.ladders", T("Ladders")),
)  # fmt: skip


def engine():
    return current_app.extensions["engine"]


def desk():
    return engine().desk


def today() -> date:
    return engine().calendar.local(engine().clock()).date()


@blueprint.app_context_processor
def parts() -> dict[str, Any]:
    """Words of the room, for its templates."""
    return {
        "limit_pages": PAGES, "limit_words": words.limit_words, "extension_words": words.extension_words, "since_words": words.since_words,
        "when_words": words.when_words, "field_words": words.FIELD_WORDS, "value_words": words.value_words, "field_choices": words.CHOICES,
    }  # fmt: skip


def ladder_names(conn: Any = None) -> dict[str, str]:
    return {id: ladder.label or id for id, ladder in desk().book(conn).ladders.items()}


def promisable(own_id: str) -> list[tuple[str, str]]:
    """Rules that another one may be the promise for, as (id, id and designation)."""
    table = desk().book().rules
    return [(id, f"{id} {rule.label}") for id, rule in table.items() if table.main(id) == id != own_id and not rule.promise_of]


def _listed(args: Any) -> list[tuple[Rule, list[Rule]]]:
    """The rules that the filters let through: the version in force today and those to come."""
    table, day = desk().book().rules, today()
    needle, status, unit = args.get("q", "").strip().lower()[:100], args.get("status", ""), args.get("unit", "")
    found = []
    for id in table:
        if table.main(id) != id:
            continue
        rule = table.on(id, day)
        text = " ".join((*table.family(id), rule.label, rule.source, rule.note, rule.starts_at)).lower()
        if needle in text and status in ("", rule.status) and unit in ("", "by" if rule.by else rule.unit):
            found.append((rule, [each for each in table.versions(id) if each.effective_from and each.effective_from > day]))
    return found


@blueprint.get("/limits")
@requires("limits")
def index():
    """The rule table."""
    with engine().reading() as conn:
        running = rulebook.running_by_rule(conn)
    table = desk().book().rules
    return render_template(
        "limits/index.html", rows=_listed(request.args), ladders=ladder_names(), units={**words.UNIT_NAMES, "by": words.FIXED_DAY},
        running={id: sum(running.get(each, 0) for each in table.family(id)) for id in table}, family=table.family,
        total=sum(table.main(id) == id for id in table), version=desk().book().rules_version,
    )  # fmt: skip


@blueprint.get("/limits/export.xlsx")
@requires("limits")
def export():
    """The filtered table as a workbook, versions to come included."""
    heads = [
        _("Identifier"), _("Designation"), _("Time limit"), _("Starts at"), _("First day counts"), _("Extension"), _("May be paused"), _("Promise for"), _("Ladder"),
        _("Applies from"), _("Source"), _("Verification"), _("Note"),
    ]  # fmt: skip
    names = ladder_names()
    lines = [
        [
            each.id, each.label, say(words.limit_words(each)), each.starts_at, say(words.YES_NO[each.count_first_day]), say(words.extension_words(each.extension)),
            say(words.YES_NO[each.pauses]), each.promise_of, names.get(each.ladder, each.ladder), say(words.since_words(each.effective_from)), each.source, each.status, each.note,
        ]
        for rule, coming in _listed(request.args)
        for each in (rule, *coming)
    ]  # fmt: skip
    name = f"{_('Rule table')}-{today():%Y%m%d}.xlsx"
    return send_file(BytesIO(workbook(_("Rule table"), heads, lines)), mimetype=SPREADSHEET, as_attachment=True, download_name=name)


@blueprint.get("/limits/rules.yaml", defaults={"kind": "rules"})
@blueprint.get("/limits/ladders.yaml", defaults={"kind": "ladders"})
@requires("limits")
def download(kind: str):
    """A sheet as it is deployed, for the version archive; it comes back by an ordinary deployment."""
    sheet = rulebook.sheet(desk(), kind)
    name = "deadline_rules.yaml" if kind == "rules" else "ladders.yaml"
    return Response(sheet.text, mimetype="application/yaml", headers={"Content-Disposition": f"attachment; filename={name}"})


# -- one rule ------------------------------------------------------------------------------------------------------------------


def _versions(rule_id: str) -> tuple[Rule, ...]:
    table = desk().book().rules
    found = table.versions(table.main(rule_id))
    if not found:
        raise NotFound("The deadline rule table has no rule “%(id)s”.", id=rule_id)
    return found


def _chosen(versions: tuple[Rule, ...], since: str | None) -> Rule:
    """The version that the address names, else the one in force today."""
    if since is None:
        return desk().book().rules.on(versions[0].id, today())
    found = next((each for each in versions if (each.effective_from.isoformat() if each.effective_from else "") == since), None)
    if found is None:
        raise NotFound("The deadline rule table has no rule “%(id)s”.", id=versions[0].id)
    return found


@blueprint.get("/limits/rules/<rule_id>")
@requires("limits")
def rule(rule_id: str):
    """One rule: what it says, its versions, what it would do, who changed it."""
    g.room = "limits"
    versions = _versions(rule_id)
    moment = forms.received(request.args, engine().calendar) or engine().clock()
    family = desk().book().rules.family(versions[0].id)
    with engine().reading() as conn:
        history = rulebook.rule_history(desk(), conn, versions[0].id)
        running = rule_changes.running_versions(conn, family)
        waiting = {each.effective_from: len(rule_changes.moves(desk(), conn, each)) for each in versions}
    return render_template(
        "limits/rule.html", rule=_chosen(versions, None), versions=versions, history=history, running=running, waiting=waiting, family=family,
        projections=[rulebook.project(each, moment, engine().calendar) for each in versions], asked=_asked(moment), ladders=ladder_names(),
        version=desk().book().rules_version, today=today(), errors={}, promise=desk().book().rules.promise(versions[0].id, today()),
    )  # fmt: skip


def _asked(moment: datetime | date) -> dict[str, str]:
    """A moment as the fields of the simulation form."""
    if not isinstance(moment, datetime):
        return {"received": moment.isoformat(), "time": ""}
    local = engine().calendar.local(moment)
    return {"received": local.date().isoformat(), "time": f"{local:%H:%M}"}


@blueprint.get("/limits/new")
@requires("edit_limits")
def new_rule():
    """An empty form."""
    return _form(forms.NEW_RULE, None, {}, version=desk().book().rules_version)


@blueprint.get("/limits/rules/<rule_id>/edit")
@requires("edit_limits")
def edit_rule(rule_id: str):
    """The form of one version of a rule."""
    chosen = _chosen(_versions(rule_id), request.args.get("since"))
    current = rulebook.sheet(desk(), "rules")
    row = rulebook.row_of(rule_rows(current.text), chosen.id, chosen.effective_from)
    return _form(forms.rule_values(chosen, row), chosen, {}, version=current.version)


def _form(
    values: dict[str, Any], rule: Rule | None, errors: dict[str, list[str]], *, version: int, comparison: Any = None, status: int = 200
):
    g.room = "limits"
    page = render_template(
        "limits/edit_rule.html", values=values, rule=rule, errors=errors, version=version, comparison=comparison, ladders=ladder_names(), promisable=promisable(values["id"]),
        units={**words.UNIT_NAMES, "by": words.FIXED_DAY}, unit_names=words.UNIT_NAMES, today=today(), sample=request.form.get("sample", ""),
    )  # fmt: skip
    return page, status


@blueprint.post("/limits/new")
@requires("edit_limits")
def add_rule():
    """Add a rule, or show what it would do."""
    return _save(None)


@blueprint.post("/limits/rules/<rule_id>/edit")
@requires("edit_limits")
def save_rule(rule_id: str):
    """Save a version of a rule, or compare it with the old one."""
    return _save(_chosen(_versions(rule_id), request.form.get("since", "")))


def _save(rule: Rule | None):
    values = forms.posted_rule(request.form)
    version = _version()
    with engine().reading() as conn:
        rows = rule_rows(rulebook.sheet(desk(), "rules", conn).text)
        base = rulebook.row_of(rows, rule.id, rule.effective_from) if rule else None
        row = forms.row_from(values, base)
        errors = rulebook.check_rule(desk(), conn, row, base, rows, today=today())
    if request.form.get("do") != "save":
        # What the change would do is shown as soon as it can be counted, whatever else is still missing.
        countable = not {"id", "label", "limit", "by", "extension_limit", "extension_times", ""}.intersection(errors)
        comparison = _compared(rule, rule_of_row({**{k: v for k, v in row.items() if k != "also"}})) if countable else None
        return _form(values, rule, _said(errors), version=version, comparison=comparison, status=422 if errors else 200)
    try:
        rulebook.save_rule(
            desk(), row, replaces=(rule.id, rule.effective_from) if rule else None, reason=values["reason"], based_on=version,
            by=g.person.login, address=security.address(),
        )  # fmt: skip
    except ValidationFailed as refused:
        return _form(values, rule, _said(refused.errors), version=version, status=422)
    flash(
        _("“%(name)s” was saved as version %(version)d of the rule table.", name=row["label"], version=desk().book().rules_version),
        "success",
    )
    return redirect(url_for("limits.rule", rule_id=row["id"]))


def _version() -> int:
    text = request.form.get("version", "")
    return int(text) if text.isdecimal() and len(text) < 9 else 0


def _said(errors: dict[str, list[Words]]) -> dict[str, list[str]]:
    return {field: [say(text) for text in texts] for field, texts in errors.items()}


def _compared(old: Rule | None, new: Rule) -> list[tuple[Any, Any, Any]]:
    """(moment, projection of the old version, of the new one) for some moments of receipt: now, the first day, year's end, the chosen day."""
    calendar, now = engine().calendar, engine().clock()
    moments: list[datetime | date] = [now]
    moments += [day for day in (new.effective_from, forms.day(request.form.get("sample"))) if day]
    moments.append(calendar.previous_workday(date(today().year, 12, 31) - timedelta(days=5)))
    return [
        (_asked(each), old and rulebook.project(old, each, calendar), rulebook.project(new, each, calendar))
        for each in dict.fromkeys(moments)
    ]


@blueprint.post("/limits/rules/<rule_id>/verify")
@requires("edit_limits")
def verify_rule(rule_id: str):
    """Mark a version of a rule as verified against its source."""
    chosen = _chosen(_versions(rule_id), request.form.get("since", ""))
    row = rulebook.row_of(rule_rows(rulebook.sheet(desk(), "rules").text), chosen.id, chosen.effective_from)
    row = {**row, "status": "已核", "source": request.form.get("source", "").strip()}
    try:
        rulebook.save_rule(
            desk(), row, replaces=(chosen.id, chosen.effective_from), reason=request.form.get("reason", ""), based_on=_version(),
            by=g.person.login, address=security.address(),
        )  # fmt: skip
    except ValidationFailed as refused:
        for texts in _said(refused.errors).values():
            for text in texts:
                flash(text, "error")
        return redirect(url_for("limits.rule", rule_id=chosen.id) + "#verify")
    flash(_("“%(name)s” is marked as verified.", name=chosen.label), "success")
    return redirect(url_for("limits.rule", rule_id=chosen.id))


# -- simulation ----------------------------------------------------------------------------------------------------------------


@blueprint.get("/limits/simulate")
@requires("limits")
def simulate():
    """When a case received at some moment would be due, by one rule or by all."""
    g.room = "limits"
    calendar = engine().calendar
    moment = forms.received(request.args, calendar) or engine().clock()
    day = calendar.local(moment).date() if isinstance(moment, datetime) else moment
    table, chosen = desk().book().rules, request.args.get("rule", "")
    ids = [id for id in table if table.main(id) == id and chosen in ("", id)]
    rows = [rulebook.project(table.on(id, day), moment, calendar) for id in ids]
    choices = [(id, f"{id} {table[id].label}") for id in table if table.main(id) == id]
    return render_template("limits/simulate.html", rows=rows, asked=_asked(moment), chosen=chosen, choices=choices)


# -- running cases under another version ---------------------------------------------------------------------------------------


@blueprint.get("/limits/rules/<rule_id>/apply")
@requires("apply_limits")
def apply(rule_id: str):
    """The open cases that count by another version of a rule: old and new due date."""
    return _apply_page(rule_id, request.args.get("since", ""))


def _apply_page(rule_id: str, since: str, errors: dict[str, list[str]] | None = None, status: int = 200):
    g.room = "limits"
    chosen = _chosen(_versions(rule_id), since)
    with engine().reading() as conn:
        moves = rule_changes.moves(desk(), conn, chosen)
    page = render_template(
        "limits/apply.html", rule=chosen, since=since, moves=moves, errors=errors or {}, ticked=set(request.form.getlist("clock")),
        values={"reason": request.form.get("reason", ""), "decision": request.form.get("decision", "")},
    )  # fmt: skip
    return page, status


@blueprint.post("/limits/rules/<rule_id>/apply")
@requires("apply_limits")
def apply_to_cases(rule_id: str):
    """Bring the ticked cases under the version."""
    since = request.form.get("since", "")
    chosen = _chosen(_versions(rule_id), since)
    marks = {key: mark for mark in request.form.getlist("clock") if (key := number(mark.partition(":")[0])) is not None}
    try:
        changed, moved_on = rule_changes.apply_version(
            desk(), chosen.id, chosen.effective_from, marks, reason=request.form.get("reason", ""),
            decision=request.form.get("decision", ""), by=g.person.login, address=security.address(),
        )  # fmt: skip
    except ValidationFailed as refused:
        return _apply_page(rule_id, since, _said(refused.errors), 422)
    flash(_("%(count)d limit(s) now count by this version.", count=changed), "success")
    if moved_on:
        flash(_("Left as they are, because they had changed meanwhile: %(cases)s.", cases=_(", ").join(moved_on)), "warning")
    return redirect(url_for("limits.rule", rule_id=chosen.id))
