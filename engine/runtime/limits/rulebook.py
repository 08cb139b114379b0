"""The rule table and the ladders as deployed files that are edited entry by entry.

An edit on a page makes a new version of the whole file through the ordinary deployment, so that the version archive and the page
share one truth; who, when and why stand in the log of deployments, what was changed follows from comparing two versions.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, func, select

from engine.deadlines import Rule, WorkCalendar, explain, start
from engine.deadlines.amounts import refusal_of
from engine.deadlines.clock import date_words
from engine.deadlines.counting import Due, due
from engine.deadlines.rules import MOST, VERIFIED, RuleTable, day_of, promise_refusals, refusals_of, rule_of_row
from engine.deadlines.sheettext import rule_rows, with_rule
from engine.errors import EngineError, NotFound, NotPermitted, ValidationFailed
from engine.runtime.casework.access import AccessRefused
from engine.runtime.deploy import deploy
from engine.runtime.limits import clocks
from engine.store import tables
from engine.words import T, Words

if TYPE_CHECKING:
    from engine.runtime.desk import Desk

EDITORS = frozenset({"admin", "designer"})
"""Roles that may change the rule table and the ladders."""
COUNTING = (
    "limit", "unit", "by", "direction", "bound", "count_first_day", "rest_day_start", "extension", "pauses", "roll_forward",
)  # fmt: skip
"""Columns that a running case feels.  Another value needs a day from which it applies; all other columns may be corrected in place."""
OPENING = ("limit", "unit", "by", "extension", "source", "status")
"""What the history says of the first version of a rule."""
DESCRIBING = ("label", "starts_at", "promise_of", "ladder", "note", "source", "status")
LONGEST = {"label": 200, "starts_at": 200, "promise_of": 60, "ladder": 60, "note": 500, "source": 300}
"""Most characters of the texts of a rule."""
ID_PATTERN = re.compile(r"[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z0-9_]+)*")

Errors = dict[str, list[Words]]


@dataclass(frozen=True)
class Sheet:
    """A deployed sheet: which version, the name of its file, its text."""

    kind: str
    version: int
    file: str
    text: str


@dataclass(frozen=True)
class Change:
    """What one version of the sheet changed about one entry: ``fields`` are (name, old, new), ``None`` where there was nothing.

    ``since`` tells versions of one rule apart (see :attr:`Rule.effective_from`).
    """

    version: int
    at: datetime
    by: str
    reason: str
    since: date | None
    fields: tuple[tuple[str, Any, Any], ...]
    new: bool = False


@dataclass(frozen=True)
class Projection:
    """When a limit would run out, with the arithmetic in words; ``refused`` says why it cannot be counted."""

    rule: Rule
    due: Due | None
    sum: Words | None
    refused: Words | None = None


def require_editor(desk: Desk, by: str, subject: str, address: str | None = None, roles: Collection[str] = EDITORS) -> None:
    """Refuse whoever holds none of ``roles`` in their own right, and note it.  Raises :class:`NotPermitted`."""
    if by == desk.OPERATOR or not desk.people.directory().own_groups(by).isdisjoint(roles):
        return
    words = T("You may not change limits and ladders.")
    desk.record_refusal(AccessRefused(words, subject=subject, reason="role"), by=by, address=address)
    raise NotPermitted(words)


def sheet(desk: Desk, kind: str, conn: Connection | None = None) -> Sheet:
    """The latest ``rules`` or ``ladders`` sheet.  Raises :class:`NotFound` when none is deployed."""
    catalogue = desk.engine.catalogue
    found = catalogue.find(kind, kind, conn=conn)
    if found is None:
        raise NotFound("No rule table or ladder sheet is deployed yet. Deploy the file first.")
    file, content = catalogue.content(found, conn)
    return Sheet(kind, found.version, file, content.decode("utf-8-sig"))


# -- the rows ------------------------------------------------------------------------------------------------------------------


def row_of(rows: Iterable[Mapping[str, Any]], rule_id: str, since: date | None) -> dict[str, Any] | None:
    """The written row of one version of a rule, found by its id or one of its further ids."""
    for row in rows:
        if (row.get("id") == rule_id or rule_id in row.get("also", ())) and day_of(row.get("effective_from")) == since:
            return dict(row)
    return None


def check_rule(
    desk: Desk, conn: Connection, row: Mapping[str, Any], replacing: Mapping[str, Any] | None, rows: list[dict[str, Any]], *, today: date
) -> Errors:
    """What is wrong with a row that shall be written, by column; ``replacing`` is the row it was made from, ``None`` for a new rule.

    ``""`` holds what belongs to no single column.
    """
    errors: Errors = {}

    def refuse(field: str, words: Words | None) -> None:
        if words is not None:
            errors.setdefault(field, []).append(words)

    id = row.get("id")
    if not isinstance(id, str) or not ID_PATTERN.fullmatch(id) or len(id) > 60:
        refuse("id", T("An id is letters, digits and underscores in parts with dots between, such as “gk.reply”."))
    elif replacing is None and any(id == each.get("id") or id in each.get("also", ()) for each in rows):
        refuse("id", T("The rule “%(id)s” stands in the table already.", id=id))
    for field, most in LONGEST.items():
        if len(str(row.get(field) or "")) > most:
            refuse(field, T("At most %(most)d characters.", most=most))
    if not str(row.get("label") or "").strip():
        refuse("label", T("Give the limit a name that people understand."))
    if "by" in row:
        if any("day of the year" in each for each in refusals_of({**row, "id": "a", "label": "a"})):
            refuse("by", T("“%(by)s” is not a day of the year. Write it as MM-DD.", by=str(row["by"])))
    else:
        refuse("limit", limit_refusal(row.get("limit"), row.get("unit")))
    extension = row.get("extension")
    if isinstance(extension, Mapping):
        refuse("extension_limit", limit_refusal(1 if extension.get("limit") is None else extension["limit"], extension.get("unit")))
        times = extension.get("max_times", 1)
        if isinstance(times, bool) or not isinstance(times, int) or not 1 <= times <= 9:
            refuse("extension_times", T("A limit is extended once to nine times, not %(times)s.", times=str(times)))
    ladder = row.get("ladder")
    if ladder and ladder not in desk.book(conn).ladders:
        refuse("ladder", T("There is no ladder “%(id)s”.", id=str(ladder)))
    if row.get("status") == VERIFIED and not str(row.get("source") or "").strip():
        refuse("source", T("Verified against what? Name the source."))
    if not errors:
        for words in refusals_of(dict(row)):
            refuse("", words)
    if not errors:
        for name, words in _broken_promises(desk.book(conn).rules, row).items():
            refuse("promise_of" if name == row["id"] else "", words)
    if not errors:
        _check_since(desk, conn, row, replacing, rows, today, refuse)
    return errors


def _broken_promises(table: RuleTable, row: Mapping[str, Any]) -> dict[str, Words]:
    """What would be wrong with promises if the row stood in the table."""
    rule = rule_of_row({name: value for name, value in row.items() if name != "also"})
    versions = {id: {each.effective_from or date.min: each for each in table.versions(id)} for id in table}
    versions.setdefault(rule.id, {})[rule.effective_from or date.min] = rule
    return promise_refusals(versions, {id: table.main(id) for id in (*table, rule.id)})


def limit_refusal(limit: Any, unit: Any) -> Words | None:
    """Why an amount cannot be a limit: not a number, zero, negative, an unknown unit, or absurdly long."""
    if limit is None or limit == "":
        return T("Enter a number.")
    refusal = refusal_of(limit, unit)
    if refusal is None and limit > MOST[unit]:
        return T("%(limit)s is absurdly long for this unit; the longest is %(most)d.", limit=str(limit), most=MOST[unit])
    return refusal


def _check_since(
    desk: Desk,
    conn: Connection,
    row: Mapping[str, Any],
    replacing: Mapping[str, Any] | None,
    rows: list[dict[str, Any]],
    today: date,
    refuse: Any,
) -> None:
    """From when a version applies: cases that run already keep what they started under, so they must not be claimed by it."""
    if replacing is None:
        return
    since, old = day_of(row.get("effective_from")), day_of(replacing.get("effective_from"))
    felt = counting_of(row) != counting_of(replacing)
    ids = [row["id"], *row.get("also", ())]
    if since == old:
        running = running_since(desk, conn, ids, since) if felt and (since is None or since <= today) else 0
        if running:
            refuse(
                "effective_from",
                T("%(count)d open case(s) run under this version. Name a later day from which the change applies.", count=running),
            )
        return
    if since is None:
        refuse("effective_from", T("Name the day from which the change applies."))
        return
    newest = max((day_of(each.get("effective_from")) or date.min for each in rows if each.get("id") == row["id"]), default=date.min)
    if since <= newest:
        refuse("effective_from", T("It must apply from a later day than the version of %(day)s.", day=date_words(newest)))
        return
    running = running_since(desk, conn, ids, since) if since <= today else 0
    if running:
        words = T(
            "%(count)d open case(s) received since %(day)s already run under the earlier version. Name a later day; the open cases "
            "can then be brought under the new version by a decision.",
            count=running, day=date_words(since),
        )  # fmt: skip
        refuse("effective_from", words)


def counting_of(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """What a running case feels of a row."""
    rule = rule_of_row({name: value for name, value in row.items() if name != "also"})
    return tuple(getattr(rule, name) for name in COUNTING)


def running_since(desk: Desk, conn: Connection, rule_ids: Collection[str], since: date | None) -> int:
    """How many cases received on or after an office day have an unfinished clock of one of these rules."""
    clock, case = tables.clock.c, tables.case_file.c
    statement = select(func.count(clock.case_key.distinct())).join(tables.case_file, case.key == clock.case_key)
    statement = statement.where(clock.rule_id.in_(list(rule_ids)), clock.state != clocks.STOPPED)
    if since is not None:
        statement = statement.where(case.received_at >= desk.engine.calendar.instant(since, time.min))
    return conn.execute(statement).scalar_one()


def running_by_rule(conn: Connection) -> dict[str, int]:
    """Rule id → number of its unfinished clocks."""
    clock = tables.clock.c
    return dict(conn.execute(select(clock.rule_id, func.count()).where(clock.state != clocks.STOPPED).group_by(clock.rule_id)).all())


def save_rule(
    desk: Desk,
    row: Mapping[str, Any],
    *,
    replaces: tuple[str, date | None] | None,
    reason: str,
    based_on: int,
    by: str,
    address: str | None = None,
) -> int:
    """Write a row into the rule table and deploy it; returns the new version of the table.

    ``replaces`` names the version of a rule (id, effective day) that the row was made from, ``None`` for a new rule; with another
    effective day the row becomes a version beside it.  ``based_on`` is the version of the table that was looked at.  Raises
    :class:`ValidationFailed` by column, :class:`Conflict` when somebody was faster, :class:`NotPermitted`, :class:`NotFound`.
    """
    require_editor(desk, by, f"rules:{row.get('id')}", address)
    today = desk.engine.calendar.local(desk.engine.clock()).date()
    with desk.engine.reading() as conn:
        current = sheet(desk, "rules", conn)
        rows = rule_rows(current.text)
        replacing = row_of(rows, *replaces) if replaces else None
        if replaces and replacing is None:
            raise NotFound("The deadline rule table has no rule “%(id)s”.", id=replaces[0])
        errors = check_rule(desk, conn, row, replacing, rows, today=today)
    if not reason.strip():
        errors["reason"] = [T("Every change needs a reason.")]
    if errors:
        raise ValidationFailed("The rule cannot be saved like this.", errors=errors)
    in_place = replacing is not None and day_of(row.get("effective_from")) == day_of(replacing.get("effective_from"))
    text = with_rule(current.text, row, replacing if in_place else None)
    return publish(desk, current, text, reason, based_on, by, address)


def publish(desk: Desk, current: Sheet, text: str, reason: str, based_on: int, by: str, address: str | None) -> int:
    """Deploy the changed text of a sheet; returns its new version.  A text that says the same as before is refused."""
    kind = current.kind
    answer = deploy(desk.engine, {current.file: text.encode()}, by, address, reason=reason.strip(), based_on={(kind, kind): based_on})
    made = next(each for each in answer.definitions if each.kind == kind)
    if not made.new:
        words = T("Nothing was changed.")
        raise ValidationFailed(words, errors={"": [words]})
    return made.version


# -- history -------------------------------------------------------------------------------------------------------------------


def rule_history(desk: Desk, conn: Connection, rule_id: str) -> list[Change]:
    """What was changed about a rule, the latest first: old and new values, who, when and why."""
    found: list[Change] = []
    before: dict[date | None, Rule] = {}
    previous: Rule | None = None
    for definition, by, reason in versions_of(desk, conn, "rules"):
        versions = {rule.effective_from: rule for rule in definition.model.versions(rule_id)}
        for since, rule in versions.items():
            model = before.get(since, previous)
            fields = differences(model, rule, (*COUNTING, *DESCRIBING) if model else OPENING)
            if since not in before or fields:
                found.append(Change(definition.version, definition.deployed_at, by, reason, since, tuple(fields), since not in before))
            previous = rule
        found += [
            Change(definition.version, definition.deployed_at, by, reason, since, (("", str(rule.limit_words), None),))
            for since, rule in before.items()
            if since not in versions
        ]
        before = versions
    return found[::-1]


def versions_of(desk: Desk, conn: Connection, kind: str) -> list[tuple[Any, str, str]]:
    """Every version of a sheet with who deployed it and why, the first first; two statements."""
    catalogue = desk.engine.catalogue
    listed = sorted((each for each in catalogue.all(conn) if each.kind == kind), key=lambda each: each.version)
    definitions = [catalogue.get(each.key, conn) for each in listed]
    audit = tables.audit.c
    subjects = [f"deployment:{each.deployment_key}" for each in definitions]
    rows = conn.execute(select(audit.subject, audit.details).where(audit.subject.in_(subjects), audit.action == "definition.deploy"))
    reasons = {row.subject: row.details.get("reason", "") for row in rows}
    return [(each, each.deployed_by, reasons.get(f"deployment:{each.deployment_key}", "")) for each in definitions]


def differences(old: Any, new: Any, names: Iterable[str]) -> list[tuple[str, Any, Any]]:
    """The attributes in which two values differ, as (name, old, new); all that are set when there is no old value."""
    if old is None:
        return [(name, None, value) for name in names if (value := getattr(new, name)) not in (None, "", ())]
    return [(name, getattr(old, name), getattr(new, name)) for name in names if getattr(old, name) != getattr(new, name)]


# -- simulation ----------------------------------------------------------------------------------------------------------------


def project(rule: Rule, received: datetime | date, calendar: WorkCalendar) -> Projection:
    """When ``rule`` would run out for what is received at that moment (aware instant, or a day as it stands)."""
    moment = received if isinstance(received, datetime) else calendar.instant(received, time.min)
    try:
        return Projection(rule, due(rule, received, calendar), explain(start(rule, received), calendar, moment))
    except EngineError as error:
        return Projection(rule, None, None, error.message)
