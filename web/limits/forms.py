"""What the forms of the room send, as rows of the sheets; what is wrong with a row is said by the engine."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any

from werkzeug.datastructures import MultiDict

from engine.deadlines import Rule
from engine.deadlines.amounts import plain
from engine.deadlines.ladder import UNCLAIMED

TEXTS = ("label", "starts_at", "promise_of", "ladder", "note", "source")
CHOSEN = ("direction", "bound", "rest_day_start", "status")
FLAGS = ("count_first_day", "pauses", "roll_forward")
LONGEST_TEXT = 2000


def number(text: str) -> int | Decimal | str:
    """A number as people type it; what is none stays text, to be refused in words."""
    try:
        found = Decimal(text.strip())
    except InvalidOperation:
        return text.strip()
    if not found.is_finite() or found.adjusted() > 12:
        return found
    return int(found) if found == found.to_integral_value() else found


def rule_values(rule: Rule, row: Mapping[str, Any]) -> dict[str, Any]:
    """A version of a rule as the values of the form."""
    extension = rule.extension
    return {
        **{name: getattr(rule, name) for name in (*TEXTS, *CHOSEN, *FLAGS)},
        "id": row["id"], "unit": "by" if rule.by else rule.unit, "limit": "" if rule.limit is None else plain(rule.limit),
        "by": f"{rule.by[0]:02d}-{rule.by[1]:02d}" if rule.by else "", "extendable": extension is not None,
        "extension_limit": "" if extension is None or extension.limit is None else plain(extension.limit),
        "extension_unit": extension.unit if extension else "wd", "extension_times": str(extension.max_times) if extension else "1",
        "approver": extension.approver if extension else "", "effective_from": rule.effective_from.isoformat() if rule.effective_from else "",
        "reason": "",
    }  # fmt: skip


NEW_RULE: dict[str, Any] = {
    "id": "", "label": "", "starts_at": "", "promise_of": "", "ladder": "", "note": "", "source": "", "direction": "after", "bound": "at_most",
    "rest_day_start": "next_workday", "status": "待核", "count_first_day": False, "pauses": True, "roll_forward": True, "unit": "wd",
    "limit": "", "by": "", "extendable": False, "extension_limit": "", "extension_unit": "wd", "extension_times": "1", "approver": "",
    "effective_from": "", "reason": "",
}  # fmt: skip


def posted_rule(form: MultiDict) -> dict[str, Any]:
    """The values of the form as they were sent."""
    values = {name: form.get(name, "").strip()[:LONGEST_TEXT] for name in NEW_RULE}
    return values | {name: form.get(name) == "1" for name in (*FLAGS, "extendable")}


def row_from(values: Mapping[str, Any], base: Mapping[str, Any] | None) -> dict[str, Any]:
    """The row that the values say, made from ``base`` where the form has no field (the further ids)."""
    row: dict[str, Any] = {"id": base["id"] if base else values["id"]}
    if base and base.get("also"):
        row["also"] = base["also"]
    if values["unit"] == "by":
        row["by"] = values["by"]
    else:
        row |= {"limit": number(values["limit"]) if values["limit"] else None, "unit": values["unit"]}
    row |= {name: values[name] for name in (*TEXTS, *CHOSEN, *FLAGS)}
    if values["extendable"]:
        limit = values["extension_limit"]
        row["extension"] = {"limit": number(limit) if limit else None, "unit": values["extension_unit"]}
        times = number(values["extension_times"] or "1")
        if times != 1:
            row["extension"]["max_times"] = times
        if values["approver"]:
            row["extension"]["approver"] = values["approver"]
    if values["effective_from"]:
        row["effective_from"] = day(values["effective_from"]) or values["effective_from"]
    return row


def day(text: str | None) -> date | None:
    """A day as a date field sends it; ``None`` for anything else."""
    try:
        return date.fromisoformat(text or "")
    except ValueError:
        return None


def received(args: Mapping[str, str], calendar: Any) -> datetime | date | None:
    """The moment of receipt that a form asks about: a day as it stands, or with a time the instant."""
    found = day(args.get("received"))
    try:
        clock = time.fromisoformat(args.get("time", "")) if args.get("time") else None
    except ValueError:
        clock = None
    return calendar.instant(found, clock) if found and clock else found


def posted_ladder(form: MultiDict) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The head of the form and its rungs as they were sent."""
    head = {name: form.get(name, "").strip()[:LONGEST_TEXT] for name in ("id", "label", "reason", "case")}
    count = form.get("count", "0")
    rungs = []
    for index in range(min(int(count) if count.isdecimal() and len(count) < 4 else 0, 50)):
        prefix = f"rung-{index}-"
        rung: dict[str, Any] = {
            name: form.get(prefix + name, "").strip()[:LONGEST_TEXT]
            for name in ("id", "kind", "days", "percent", "level", "light", "channel", "escalation", "unless", "text", "reassign", "colour", "points")
        }
        rungs.append({**rung, "recipients": form.getlist(prefix + "recipients"), "actions": form.getlist(prefix + "actions")})
    return head, rungs


def rearranged(rungs: list[dict[str, Any]], order: str) -> list[dict[str, Any]]:
    """The rungs after ``add``, ``remove:N``, ``up:N`` or ``down:N``; unchanged for anything else."""
    verb, _, place = order.partition(":")
    if verb == "add":
        return [*rungs, {
            "id": "", "kind": "after_due", "days": "1", "percent": "", "level": rungs[-1]["level"] if rungs else "1", "light": "red",
            "recipients": ["handler"], "channel": "inbox", "actions": ["notify"], "escalation": "", "unless": "", "text": "",
            "reassign": "", "colour": "", "points": "",
        }]  # fmt: skip
    at = int(place) if place.isdecimal() and len(place) < 3 else -1
    if not 0 <= at < len(rungs):
        return rungs
    rungs = list(rungs)
    moved = rungs.pop(at)
    if verb in ("up", "down"):
        rungs.insert(max(0, at - 1) if verb == "up" else at + 1, moved)
    return rungs


def rung_row(values: Mapping[str, Any]) -> dict[str, Any]:
    """One rung as the sheet writes it."""
    kind, days, percent = values["kind"], number(values["days"] or "0"), number(values["percent"] or "0")
    known = not isinstance(percent, str) and Decimal(percent).is_finite() and -1000 <= percent <= 1000
    share = float(Decimal(percent) / 100) if known else values["percent"]
    when: Any = {"used": share} if kind == "used" else {kind: days} if kind in ("after_due", UNCLAIMED) else kind
    if kind == "remaining":
        when = {"remaining": {"workdays": days} | ({"share": share} if percent != 0 else {})}
    level = number(values["level"] or "-1")
    parameters = {"reassign": values["reassign"], "supervision_order": values["colour"], "assessment_deduction": values["points"]}
    chosen = [f"{each}:{parameters[each]}" if parameters.get(each) else each for each in values["actions"]]
    actions = [*chosen, *([f"escalate:{values['escalation']}"] if values["escalation"] else [])]
    row = {
        "id": values["id"], "when": when, "level": level, "light": values["light"], "recipients": list(values["recipients"]),
        "channel": values["channel"], "actions": actions, "text": values["text"],
    }  # fmt: skip
    return row | ({"unless": values["unless"]} if values["unless"] else {})


def ladder_body(head: Mapping[str, Any], rungs: list[dict[str, Any]]) -> dict[str, Any]:
    return {"label": head["label"], "rungs": [rung_row(each) for each in rungs]}
