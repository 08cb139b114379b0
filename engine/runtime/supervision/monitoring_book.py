"""The rules of electronic supervision as people edit them: checked, deployed as a new version of their file, and tried on the past.

An edit reaches forward: whoever is measured must be able to know by what, so a rule that becomes another one looks at facts from the day
of the change on, never back.  :func:`trial` shows beforehand what it would have found.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import yaml
from sqlalchemy import Connection, select

from engine.deadlines.monitoring_rules import MonitoringRule, MonitoringSheet, load_monitoring, refusals_of
from engine.deadlines.rules import VERIFIED, day_of
from engine.deadlines.sheettext import rule_rows, with_monitoring_rule
from engine.errors import NotFound, ValidationFailed
from engine.runtime.limits.rulebook import ID_PATTERN, Change, Errors, differences, publish, require_editor, sheet, versions_of
from engine.runtime.supervision import monitoring
from engine.runtime.supervision.findings import Finding, Scope, find
from engine.store import tables
from engine.words import T

if TYPE_CHECKING:
    from engine.runtime.desk import Desk

KIND = "monitoring"
FELT = ("kind", "cards", "whom", "procedures", "limits", "outcomes", "reason_fields", "scope")
"""What somebody who gets a card feels of a rule; all else may be corrected in place."""
DESCRIBING = ("label", "source", "status", "note", "effective_from")
LONGEST = {"label": 200, "source": 300, "note": 500}
TRIAL_DAYS = 30
"""Calendar days that a trial looks back."""
SHOWN = 100
"""Findings that a trial names; the rest is counted."""


@dataclass(frozen=True)
class Trial:
    """What a rule would have found ``since`` then: how many cards of each degree, the latest findings, and how many there were."""

    since: date
    counts: Mapping[str, int]
    findings: tuple[Finding, ...]
    total: int


def today(desk: Desk) -> date:
    """The office day."""
    return desk.engine.calendar.local(desk.engine.clock()).date()


def row_of(text: str, rule_id: str) -> dict[str, Any] | None:
    """A rule as it is written in the sheet."""
    return next((row for row in rule_rows(text) if row.get("id") == rule_id), None)


def check(desk: Desk, conn: Connection, row: Mapping[str, Any], replacing: Mapping[str, Any] | None, rows: list[dict[str, Any]]) -> Errors:
    """What is wrong with a row that shall be written, by column (``""``: no single one); ``replacing`` is ``None`` for a new rule."""
    errors: Errors = {}
    id = row.get("id")
    if not isinstance(id, str) or not ID_PATTERN.fullmatch(id) or len(id) > 60:
        errors["id"] = [T("An id is letters, digits and underscores in parts with dots between, such as “gk.reply”.")]
    elif replacing is None and any(each.get("id") == id for each in rows):
        errors["id"] = [T("The rule “%(id)s” stands in the table already.", id=id)]
    for field, most in LONGEST.items():
        if len(str(row.get(field) or "")) > most:
            errors[field] = [T("At most %(most)d characters.", most=most)]
    if row.get("status") == VERIFIED and not str(row.get("source") or "").strip():
        errors["source"] = [T("Verified against what? Name the source.")]
    refusals = refusals_of(dict(row))
    if refusals:
        errors[""] = refusals
    if errors:
        return errors
    rule = rule_of(row)
    unknown = monitoring.problems_of(MonitoringSheet((rule,)), _known(desk, conn))
    if unknown:
        errors[""] = [message for _, message in unknown]
    old = rule_of(replacing) if replacing is not None else None
    if old is None or any(getattr(old, name) != getattr(rule, name) for name in FELT):
        since, first = day_of(row.get("effective_from")), today(desk)
        if since is None or since < first:
            errors["effective_from"] = [
                T("A changed rule looks at facts from %(day)s on, or later: nobody gets a card by a rule that was not there.", day=first.isoformat())
            ]
    return errors


def _known(desk: Desk, conn: Connection) -> dict[str, set[str]]:
    return {"process": {sheet.process for sheet in desk.book(conn).procedures()}, "rule": set(desk.book(conn).rules)}


def rule_of(row: Mapping[str, Any]) -> MonitoringRule:
    """The rule that a row says; raises :class:`ValidationFailed` when it cannot be read."""
    text = yaml.safe_dump({"effective_from": date(2000, 1, 1), "rules": [dict(row)]}, allow_unicode=True)
    return load_monitoring(text).rules[0]


def save(
    desk: Desk, row: Mapping[str, Any], *, replaces: str | None, reason: str, based_on: int, by: str, address: str | None = None
) -> int:
    """Write a rule into the sheet and deploy it; returns the new version of the sheet.

    ``replaces`` is the id of the rule it was made from, ``None`` for a new one; ``based_on`` the version of the sheet that was looked at.
    Raises :class:`ValidationFailed` by column, :class:`Conflict` when somebody was faster, :class:`NotPermitted`, :class:`NotFound`.
    """
    require_editor(desk, by, f"monitoring:{row.get('id')}", address)
    with desk.engine.reading() as conn:
        current = sheet(desk, KIND, conn)
        replacing = row_of(current.text, replaces) if replaces else None
        if replaces and replacing is None:
            raise NotFound("There is no supervision rule “%(id)s”.", id=replaces)
        errors = check(desk, conn, row, replacing, rule_rows(current.text))
    if not reason.strip():
        errors["reason"] = [T("Every change needs a reason.")]
    if errors:
        raise ValidationFailed("The rule cannot be saved like this.", errors=errors)
    return publish(desk, current, with_monitoring_rule(current.text, row, replaces), reason, based_on, by, address)


def history(desk: Desk, conn: Connection, rule_id: str) -> list[Change]:
    """What was changed about a rule, the latest first: old and new values, who, when and why."""
    found: list[Change] = []
    before: MonitoringRule | None = None
    for definition, by, reason in versions_of(desk, conn, KIND):
        rule = definition.model.rule(rule_id)
        if rule is None:
            fields = [("", before.label, None)] if before is not None else []
        else:
            fields = differences(before, rule, (*FELT, *DESCRIBING))
        if fields:
            found.append(Change(definition.version, definition.deployed_at, by, reason, None, tuple(fields), before is None))
        before = rule
    return found[::-1]


def trial(desk: Desk, conn: Connection, rule: MonitoringRule, days: int = TRIAL_DAYS) -> Trial:
    """What ``rule`` would have found in the last ``days`` calendar days, whatever has its card already.  Reads; issues nothing.

    The rule stands in its place of the sheet in force (a new one at the end), since of the rules about limits the first that fits applies.
    What has come about and passed again without a trace, such as a task that was taken late and given back, is not found.
    """
    now = desk.engine.clock()
    since = now - timedelta(days=days)
    book = desk.book(conn)
    first = desk.engine.calendar.local(since).date()
    tried = replace(rule, effective_from=None)
    known = book.monitoring.rules
    rules = tuple(tried if each.id == rule.id else each for each in known)
    if tried not in rules:
        rules = (*rules, tried)
    trail = tables.trail.c
    before = conn.execute(select(trail.key).where(trail.at < since).order_by(trail.key.desc()).limit(1)).scalar()
    scope = Scope(
        conn, replace(book.monitoring, rules=rules, effective_from=first), desk.engine.calendar, now, since_key=before or 0, since=since, trial=True
    )
    found = sorted((each for each in find(scope, tried) if each.fell_due_at >= since), key=lambda each: each.fell_due_at, reverse=True)
    return Trial(first, Counter(each.degree.card for each in found), tuple(found[:SHOWN]), len(found))


def changed(old: Trial, new: Trial) -> tuple[int, int]:
    """How many cards the new rule adds and how many it drops against the old one, among those both name."""
    before, after = ({(each.subject, each.degree.card) for each in one.findings} for one in (old, new))
    return len(after - before), len(before - after)
