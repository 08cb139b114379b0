"""Rules of electronic supervision 电子监察: what is watched, from where on, and which card follows.

The rules are data (``processes/supervision_rules.yaml``), deployed like the ladders.  This module reads and checks them; what has
happened in the cases is found by the runtime.  Warning, yellow and red card: ``domain.md`` §5 item 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import yaml

from engine.deadlines.ladder import RECIPIENTS
from engine.errors import ValidationFailed
from engine.words import T, Words

CARDS = ("warning", "yellow", "red")
"""预警, 黄牌, 红牌: from the mildest on."""
WHOM = ("handler", "section_chief", "section")
"""Whom a card is issued to: the person at the step, their chief, or the section as a whole."""
STATUSES = ("已核", "待核")
SCOPES = ("limit", "section_month")
"""What repeated extensions are counted by: one limit of one case, or all cases of a section within a calendar month."""
MOST_DAYS, MOST_TIMES, MOST_CHARACTERS = 250, 100, 500
"""More than these is a slip of the keyboard."""


@dataclass(frozen=True)
class Kind:
    """Something that can be watched.

    ``measure`` is the column that says from where on a card is issued: ``days`` (working days over), ``times``, ``shorter_than``
    (characters) or empty.  ``columns`` are those that only some kinds have, ``needed`` those of them that may not be left out.
    """

    label: Words
    measure: str
    columns: tuple[str, ...] = ()
    needed: tuple[str, ...] = ()
    least: int = 0


KINDS: dict[str, Kind] = {
    "over_limit": Kind(T("The limit of the whole case is exceeded"), "days", ("limits",)),
    "late_acceptance": Kind(T("Accepted too late"), "days", ("limits",), ("limits",)),
    "step_overdue": Kind(T("A step is overdue although the whole is in time"), "days", ("limits",)),
    "refusal": Kind(T("Refused without a reason"), "shorter_than", ("outcomes", "reason_fields"), ("outcomes",), 1),
    "repeated_extension": Kind(T("Extended again and again"), "times", ("scope",), (), 1),
    "repeated_return": Kind(T("Sent back again and again"), "times", (), (), 1),
    "unclaimed": Kind(T("Nobody takes the task"), "days", (), (), 1),
    "unopened": Kind(T("Nearly due and nobody has opened it"), ""),
    "order_late": Kind(T("A supervision order is answered late"), "days"),
}
"""Kinds of rules.  Of ``over_limit``, ``late_acceptance`` and ``step_overdue`` the first rule of the sheet that fits a limit applies to
it: one fact, one rule (一事不二罚)."""
LIMIT_KINDS = ("over_limit", "late_acceptance", "step_overdue")
_MOST = {"days": MOST_DAYS, "times": MOST_TIMES, "shorter_than": MOST_CHARACTERS}


@dataclass(frozen=True)
class Degree:
    """One card of a rule: ``at`` is the value of the kind's measure from which it is issued; ``tell`` are roles told besides."""

    card: str
    at: int = 0
    tell: tuple[str, ...] = ()


@dataclass(frozen=True)
class MonitoringRule:
    """One rule.

    ``procedures``     process ids it applies to; empty: all.
    ``limits``         ids of deadline rules it applies to; empty: all.
    ``outcomes``       values of buttons that refuse, where the task itself does not say (property ``monitor.refusal``).
    ``reason_fields``  fields of the form whose text counts as a reason beside the opinion.
    ``effective_from`` facts of an earlier office day issue no card; ``None``: the day of the sheet.
    """

    id: str
    label: str
    kind: str
    cards: tuple[Degree, ...]
    whom: str = "handler"
    procedures: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    outcomes: tuple[str, ...] = ()
    reason_fields: tuple[str, ...] = ()
    scope: str = "limit"
    effective_from: date | None = None
    source: str = ""
    status: str = "待核"
    note: str = ""

    @property
    def measure(self) -> str:
        return KINDS[self.kind].measure

    def worst(self, amount: int) -> Degree | None:
        """The worst card of a rule that counts downwards (``shorter_than``), for so many characters; ``None`` for none."""
        return next((each for each in reversed(self.cards) if amount < each.at), None)

    def to_dict(self) -> dict[str, Any]:
        """The rule as evidence: what a card was issued by stays readable after the sheet has changed."""
        return {**asdict(self), "effective_from": self.effective_from.isoformat() if self.effective_from else None}


@dataclass(frozen=True)
class MonitoringSheet:
    """All rules in their order.  ``appeal_workdays`` is the time for an appeal, the day of the card not counted."""

    rules: tuple[MonitoringRule, ...] = ()
    effective_from: date = date.min
    appeal_workdays: int = 5
    appeal_source: str = ""

    def rule(self, rule_id: str) -> MonitoringRule | None:
        return next((each for each in self.rules if each.id == rule_id), None)

    def in_force_from(self, rule: MonitoringRule) -> date:
        """The first office day whose facts the rule looks at."""
        return max(self.effective_from, rule.effective_from or date.min)

    def before(self, rule: MonitoringRule) -> tuple[MonitoringRule, ...]:
        """The rules about limits that stand above ``rule`` and go first."""
        place = self.rules.index(rule)
        return tuple(each for each in self.rules[:place] if each.kind in LIMIT_KINDS)


# -- reading the sheet -------------------------------------------------------------------------------------------------------

_TEXTS = ("label", "source", "status", "note", "whom", "scope")
_LISTS = ("procedures", "limits", "outcomes", "reason_fields")
_COLUMNS = {"id", "kind", "cards", "effective_from", *_TEXTS, *_LISTS}
_TOP = {"rules", "effective_from", "appeal_workdays", "appeal_source"}


def load_monitoring(yaml_text: str | bytes) -> MonitoringSheet:
    """Read the sheet.  :class:`ValidationFailed` lists every mistake under the id of its rule (empty for the sheet itself)."""
    try:
        sheet = yaml.safe_load(yaml_text)
    except yaml.YAMLError as error:
        raise ValidationFailed("The supervision rules are not readable YAML: %(reason)s", reason=" ".join(str(error).split())) from error
    if not isinstance(sheet, dict) or not isinstance(sheet.get("rules"), list) or not sheet["rules"]:
        raise ValidationFailed("The supervision rules must be a list named “rules”.")
    errors: dict[str, list[Words]] = {}
    general = _sheet_refusals(sheet)
    if general:
        errors[""] = general
    seen: set[str] = set()
    rules = []
    for number, row in enumerate(sheet["rules"], start=1):
        name = str(row["id"]) if isinstance(row, dict) and row.get("id") else f"#{number}"
        refusals = refusals_of(row)
        if name in seen:
            refusals.append(T("its id stands twice."))
        seen.add(name)
        if refusals:
            errors[name] = [T("Supervision rule %(rule)s: %(reason)s", rule=name, reason=each) for each in refusals]
        else:
            rules.append(_rule(row))
    if errors:
        first = next(iter(errors.values()))[0]
        raise ValidationFailed("The supervision rules have %(count)d mistake(s). First: %(first)s", count=len(errors), first=first, errors=errors)
    return MonitoringSheet(tuple(rules), sheet["effective_from"], sheet.get("appeal_workdays", 5), str(sheet.get("appeal_source") or ""))


def _sheet_refusals(sheet: Mapping[str, Any]) -> list[Words]:
    found = [T("“%(key)s” is not known here.", key=str(key)) for key in sheet if key not in _TOP]
    if not _is_day(sheet.get("effective_from")):
        found.append(T("“effective_from” must be the day from which facts count, like 2026-12-01."))
    if not _whole(sheet.get("appeal_workdays", 5), 1, MOST_DAYS):
        found.append(T("“appeal_workdays” must be a whole number from 1 to %(most)d.", most=MOST_DAYS))
    return found


def refusals_of(row: Any) -> list[Words]:
    """What is wrong with one rule of the sheet, in words; an empty list when nothing is."""
    if not isinstance(row, dict):
        return [T("it is not a set of columns.")]
    found = [T("“%(key)s” is not a column.", key=str(key)) for key in row if key not in _COLUMNS]
    if not isinstance(row.get("id"), str) or not row["id"]:
        found.append(T("it has no id."))
    elif len(row["id"]) > 60:
        found.append(T("its id is longer than 60 characters."))
    if not isinstance(row.get("label"), str) or not row["label"].strip():
        found.append(T("it has no label."))
    found += [T("“%(key)s” must be text.", key=key) for key in _TEXTS if key != "label" and not isinstance(row.get(key, ""), str)]
    for key, allowed in (("whom", WHOM), ("scope", SCOPES), ("status", STATUSES)):
        if isinstance(row.get(key, ""), str) and row.get(key, allowed[0]) not in allowed:
            found.append(T("“%(key)s” must be one of: %(allowed)s.", key=key, allowed=", ".join(allowed)))
    for key in _LISTS:
        value = row.get(key, [])
        if not isinstance(value, list) or not all(isinstance(each, str) and each for each in value):
            found.append(T("“%(key)s” must be a list of texts.", key=key))
    if "effective_from" in row and not _is_day(row["effective_from"]):
        found.append(T("“effective_from” must be the day from which facts count, like 2026-12-01."))
    kind = KINDS.get(row["kind"]) if isinstance(row.get("kind"), str) else None
    if kind is None:
        return [*found, T("“%(key)s” must be one of: %(allowed)s.", key="kind", allowed=", ".join(KINDS))]
    special = {name for each in KINDS.values() for name in each.columns}
    found += [T("“%(key)s” has no meaning for the kind “%(kind)s”.", key=key, kind=row["kind"]) for key in row if key in special - set(kind.columns)]
    found += [T("“%(key)s” may not be left out for the kind “%(kind)s”.", key=key, kind=row["kind"]) for key in kind.needed if not row.get(key)]
    return found + _card_refusals(row.get("cards"), kind)


def _card_refusals(cards: Any, kind: Kind) -> list[Words]:
    if not isinstance(cards, list) or not cards or not all(isinstance(each, dict) for each in cards):
        return [T("“cards” must be a list of cards.")]
    found: list[Words] = []
    columns = {"card", "tell", kind.measure} - {""}
    for each in cards:
        found += [T("“%(key)s” is not a column of a card of this kind.", key=str(key)) for key in each if key not in columns]
        if each.get("card") not in CARDS:
            found.append(T("“%(key)s” must be one of: %(allowed)s.", key="card", allowed=", ".join(CARDS)))
        if kind.measure and not _whole(each.get(kind.measure), kind.least, _MOST[kind.measure]):
            found.append(T("“%(key)s” must be a whole number from %(least)d to %(most)d.", key=kind.measure, least=kind.least, most=_MOST[kind.measure]))
        tell = each.get("tell", [])
        if not isinstance(tell, list) or not all(role in RECIPIENTS for role in tell):
            found.append(T("“tell” must be a list of: %(allowed)s.", allowed=", ".join(RECIPIENTS)))
    if found:
        return found
    ranks = [CARDS.index(each["card"]) for each in cards]
    if any(later <= earlier for earlier, later in zip(ranks, ranks[1:], strict=False)):
        found.append(T("its cards must become worse from one to the next: warning, yellow, red."))
    if kind.measure:
        sign = -1 if kind.measure == "shorter_than" else 1
        steps = [sign * each[kind.measure] for each in cards]
        if any(later <= earlier for earlier, later in zip(steps, steps[1:], strict=False)):
            found.append(T("a worse card must need more than a milder one."))
    elif len(cards) > 1:
        found.append(T("a rule of this kind has one card."))
    return found


def _is_day(value: Any) -> bool:
    # A date with a time is a datetime, which is a date too.
    return type(value) is date


def _whole(value: Any, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _rule(row: Mapping[str, Any]) -> MonitoringRule:
    """The rule of a row that :func:`refusals_of` finds nothing wrong with."""
    measure = KINDS[row["kind"]].measure
    cards = tuple(Degree(each["card"], each[measure] if measure else 0, tuple(each.get("tell", ()))) for each in row["cards"])
    texts = {name: row[name] for name in _TEXTS if name in row}
    lists = {name: tuple(row[name]) for name in _LISTS if name in row}
    return MonitoringRule(id=row["id"], kind=row["kind"], cards=cards, effective_from=row.get("effective_from"), **texts, **lists)
