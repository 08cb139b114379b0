"""The columns of rules and rungs in words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from engine.deadlines import Rung, When
from engine.deadlines.amounts import amount_words, plain
from engine.deadlines.clock import LIGHT_WORDS, date_words
from engine.deadlines.ladder import UNCLAIMED
from engine.deadlines.rules import STATUS_WORDS, ExtensionRule, Rule
from engine.words import T, Words
from web.supervision.words import CHANNEL_WORDS, RECIPIENT_WORDS, action_word

UNIT_NAMES: dict[str, Words] = {
    "wd": T("working days"), "d": T("calendar days"), "h": T("office hours"), "ch": T("clock hours"), "m": T("months"), "y": T("years"),
}  # fmt: skip
FIXED_DAY = T("fixed day of each year")

FIELD_WORDS: dict[str, Words] = {
    "": T("Version"), "limit": T("Time limit"), "unit": T("Unit"), "by": T("Fixed day"), "direction": T("Direction"), "bound": T("Bound"),
    "count_first_day": T("First day counts"), "rest_day_start": T("Received after closing or on a rest day"), "extension": T("Extension"),
    "pauses": T("May be paused"), "roll_forward": T("Rolls to a working day"), "label": T("Designation"), "starts_at": T("Starts at"),
    "promise_of": T("Promise for"), "ladder": T("Ladder"), "note": T("Note"), "source": T("Source"), "status": T("Verification"), "effective_from": T("Applies from"),
    "when": T("When"), "level": T("Level"), "light": T("Light"), "recipients": T("Recipients"), "channel": T("Channel"),
    "actions": T("Actions"), "unless": T("Unless"), "text": T("Text"), "order": T("Order"),
}  # fmt: skip
CHOICES: dict[str, dict[str, Words]] = {
    "direction": {"after": T("after the event"), "before": T("before the event")},
    "bound": {"at_most": T("at most"), "at_least": T("at least")},
    "rest_day_start": {"next_workday": T("starts on the next working day"), "same_day": T("starts on the day itself")},
    "status": STATUS_WORDS,
    "unit": UNIT_NAMES,
    "light": dict(LIGHT_WORDS),
    "channel": CHANNEL_WORDS,
    "unless": {"": T("always"), "reason_stated": T("the handler has stated a reason")},
}
WHEN_KINDS: dict[str, Words] = {
    UNCLAIMED: T("nobody has taken it after … working days"), "used": T("… % of the limit is used"),
    "remaining": T("no more than … working days or … % are left"), "due_passed": T("the limit has passed"),
    "after_due": T("… working days after the limit"),
}  # fmt: skip
YES_NO: Mapping[bool, Words] = {True: T("yes"), False: T("no")}
FROM_THE_BEGINNING = T("from the beginning")


def extension_words(extension: ExtensionRule | None) -> Words:
    """An extension as people read it: "at most 10 working day(s), once"."""
    if extension is None:
        return T("none")
    amount = T("any stated length") if extension.limit is None else amount_words(extension.limit, extension.unit)
    return T(
        "%(amount)s, %(times)d time(s), approved by %(approver)s",
        amount=amount,
        times=extension.max_times,
        approver=extension.approver or "—",
    )


def when_words(when: When) -> Words:
    """When a rung fires, in words."""
    share = plain(when.share * Decimal(100))
    if when.kind == UNCLAIMED:
        return T("nobody has taken it after %(days)d working day(s)", days=when.workdays)
    if when.kind == "used":
        return T("%(share)s %% of the limit is used", share=share)
    if when.kind == "after_due":
        return T("%(days)d working day(s) after the limit", days=when.workdays)
    if when.kind == "due_passed":
        return WHEN_KINDS["due_passed"]
    if not when.workdays:
        return T("no more than %(share)s %% is left", share=share)
    if not when.share:
        return T("no more than %(days)d working day(s) are left", days=when.workdays)
    return T("no more than %(days)d working day(s) or %(share)s %% are left", days=when.workdays, share=share)


def since_words(since: date | None) -> Words:
    return FROM_THE_BEGINNING if since is None else T("cases received from %(day)s", day=date_words(since))


def value_words(field: str, value: Any) -> list[Words | str]:
    """A value of a rule or a rung as a list of parts, for history and comparison; empty for nothing."""
    if value is None or value == "" or value == ():
        return []
    if isinstance(value, bool):
        return [YES_NO[value]]
    if isinstance(value, ExtensionRule):
        return [extension_words(value)]
    if isinstance(value, When):
        return [when_words(value)]
    if field == "recipients":
        return [RECIPIENT_WORDS[each] for each in value]
    if field == "actions":
        return [action_word(each) for each in value]
    if field == "by":
        return [T("%(month)d/%(day)d", month=value[0], day=value[1])]
    if field in CHOICES:
        return [CHOICES[field].get(value, str(value))]
    if isinstance(value, date):
        return [date_words(value)]
    if isinstance(value, (list, tuple)):
        return [str(each) for each in value]
    return [plain(value) if isinstance(value, (int, Decimal)) else str(value)]


def rung_form(rung: Rung | Mapping[str, Any]) -> dict[str, Any]:
    """A written rung as the fields of the form."""
    when = rung.get("when")
    kind, amount = (when, None) if isinstance(when, str) else next(iter(when.items())) if isinstance(when, Mapping) and when else ("", None)
    days, percent = "", ""
    if isinstance(amount, Mapping):
        days, percent = str(amount.get("workdays", "")), _percent(amount.get("share"))
    elif kind == "used":
        percent = _percent(amount)
    elif amount is not None:
        days = str(amount)
    escalation = next((each.partition(":")[2] for each in rung.get("actions", ()) if each.startswith("escalate:")), "")
    return {
        "id": rung.get("id", ""), "kind": kind, "days": days, "percent": percent, "level": str(rung.get("level", "")), "light": rung.get("light", ""),
        "recipients": list(rung.get("recipients", ())), "channel": rung.get("channel", ""),
        "actions": [each.partition(":")[0] for each in rung.get("actions", ()) if not each.startswith("escalate:")], "escalation": escalation,
        "reassign": _parameter(rung, "reassign"), "colour": _parameter(rung, "supervision_order"), "points": _parameter(rung, "assessment_deduction"),
        "unless": rung.get("unless", ""), "text": rung.get("text", ""),
    }  # fmt: skip


def _parameter(rung: Rung | Mapping[str, Any], name: str) -> str:
    """What stands after the colon of an action of a written rung."""
    return next((each.partition(":")[2] for each in rung.get("actions", ()) if each.partition(":")[0] == name), "")


def _percent(share: Any) -> str:
    return "" if share in (None, "") else plain(Decimal(str(share)) * 100)


def limit_words(rule: Rule) -> Words:
    """The limit with its bound: "at least 30 calendar day(s)"."""
    return T("at least %(limit)s", limit=rule.limit_words) if rule.bound == "at_least" else rule.limit_words  # type: ignore[return-value]
