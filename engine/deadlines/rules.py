"""The deadline rule table (时限规则表): every limit of every procedure, as data.

Models name a rule by its id; no number of days stands in a BPMN file (``domain.md`` §0.1).  The table is YAML with one
entry a limit under ``rules``; see the head of ``processes/deadline_rules.yaml`` for the columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import Any

import yaml

from engine.deadlines.amounts import amount_words, checked, refusal_of
from engine.errors import NotFound, ValidationFailed
from engine.words import T, Words

VERIFIED, UNVERIFIED = "已核", "待核"
STATUS_WORDS: dict[str, Words] = {VERIFIED: T("Verified against the source"), UNVERIFIED: T("Still to be verified")}

NEXT_WORKDAY, SAME_DAY = "next_workday", "same_day"

MOST: dict[str, int] = {"wd": 1_000, "d": 3_660, "h": 2_000, "ch": 8_784, "m": 240, "y": 50}
"""The longest limit of each unit that a rule may have.  Whatever is longer is a slip of the keyboard, not a limit of an office."""


@dataclass(frozen=True)
class ExtensionRule:
    """How far a limit may be extended: at most ``limit`` (``None``: any stated length) of ``unit``, ``max_times`` times."""

    limit: int | Decimal | None
    unit: str
    max_times: int = 1
    approver: str = ""


@dataclass(frozen=True)
class Rule:
    """One limit.

    ``limit``/``unit``     the budget (units: see :mod:`engine.deadlines.amounts`); ``None`` for a rule with ``by``.
    ``by``                 a fixed day of the year ``(month, day)``, e.g. 31 January, instead of a budget.
    ``direction``          ``after`` the start, or ``before`` it (papers seven days before a hearing).
    ``bound``              ``at_most`` for a limit, ``at_least`` for a minimum (thirty days of public comment).
    ``count_first_day``    whether the start day counts; publicity periods count it (``domain.md`` §4.3).
    ``rest_day_start``     ``next_workday``: what arrives after closing or on a rest day starts on the next working day;
                           ``same_day``: the start is taken as it falls.
    ``pauses``             whether the clock may be paused.
    ``roll_forward``       whether a last day on a rest day moves to the next working day (``d``, ``m``, ``y``, ``by`` only).
    ``status``             已核 or 待核; ``source`` is the text it was taken from.
    ``ladder``             the ladder of its clocks where the model names none; empty: that of the procedure, else the standard one.
    ``promise_of``         id of the statutory rule (法定时限) for which this one is what the office promises (承诺时限); empty: a limit of its own.
                           A clock of the statutory rule brings one of the promise with it.
    ``effective_from``     the version applies to cases received on or after this office day; ``None``: from the beginning.
    """

    id: str
    label: str
    limit: int | Decimal | None
    unit: str
    by: tuple[int, int] | None = None
    direction: str = "after"
    bound: str = "at_most"
    count_first_day: bool = False
    rest_day_start: str = NEXT_WORKDAY
    starts_at: str = ""
    extension: ExtensionRule | None = None
    pauses: bool = True
    roll_forward: bool = True
    note: str = ""
    source: str = ""
    status: str = UNVERIFIED
    ladder: str = ""
    effective_from: date | None = None
    promise_of: str = ""

    @cached_property
    def limit_words(self) -> Words:
        """The limit for people: "20 working day(s)"."""
        if self.by is not None:
            return T("by %(month)d/%(day)d of the year", month=self.by[0], day=self.by[1])
        return amount_words(self.limit, self.unit)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able columns (amounts as ``int`` or text, ``by`` as a list); :meth:`from_dict` reads them back."""
        columns = asdict(self)
        columns["limit"] = _portable(self.limit)
        if self.extension is not None:
            columns["extension"]["limit"] = _portable(self.extension.limit)
        columns["by"] = list(self.by) if self.by else None
        columns["effective_from"] = self.effective_from.isoformat() if self.effective_from else None
        if not self.promise_of:
            # A node of the version before reads ledgers too and knows no such column.
            del columns["promise_of"]
        return columns

    @classmethod
    def from_dict(cls, columns: dict[str, Any]) -> Rule:
        extension = columns.get("extension")
        if extension is not None:
            extension = ExtensionRule(**{**extension, "limit": _amount(extension["limit"])})
        by, since = columns.get("by"), columns.get("effective_from")
        values = {
            "limit": _amount(columns["limit"]), "by": tuple(by) if by else None, "extension": extension,
            "effective_from": date.fromisoformat(since) if since else None,
        }  # fmt: skip
        known = cls.__dataclass_fields__
        return cls(**{name: value for name, value in {**columns, **values}.items() if name in known})


class RuleTable(dict[str, Rule]):
    """Rules by id, each as its newest version reads; :meth:`on` gives the version for a case received on some day."""

    def __init__(self, versions: Mapping[str, tuple[Rule, ...]], owners: Mapping[str, str] | None = None) -> None:
        super().__init__({id: each[-1] for id, each in versions.items()})
        self._versions, self._owners = dict(versions), dict(owners or {})
        self._promises = {self.main(each.promise_of): id for id, each in self.items() if each.promise_of and self.main(id) == id}

    def main(self, rule_id: str) -> str:
        """The id under which a rule stands in the table, for one of its further ids (``also``)."""
        return self._owners.get(rule_id, rule_id)

    def family(self, rule_id: str) -> tuple[str, ...]:
        """All ids of a rule, its main id first."""
        main = self.main(rule_id)
        return (main, *(id for id, owner in self._owners.items() if owner == main and id != main))

    def versions(self, rule_id: str) -> tuple[Rule, ...]:
        """All versions of a rule, the earliest first; none for an unknown id."""
        return self._versions.get(rule_id, ())

    def promise(self, rule_id: str, day: date) -> Rule | None:
        """What the office promises for the limit ``rule_id``, as it reads for a case received on ``day``; ``None`` when nothing is."""
        promised = self._promises.get(self.main(rule_id))
        found = self.on(promised, day) if promised else None
        return found if found is not None and found.promise_of else None

    def on(self, rule_id: str, day: date) -> Rule | None:
        """The version for a case received on ``day`` (an office day); ``None`` for an unknown id.

        A case that is older than the first version gets the first: a step that was timed too early is better seen than one
        that nobody times.
        """
        versions = self.versions(rule_id)
        fitting = [each for each in versions if each.effective_from is None or each.effective_from <= day]
        return fitting[-1] if fitting else versions[0] if versions else None


def _portable(amount: int | Decimal | None) -> int | str | None:
    return str(amount) if isinstance(amount, Decimal) else amount


def _amount(stored: int | str | None) -> int | Decimal | None:
    return Decimal(stored) if isinstance(stored, str) else stored


_KEYS = {
    "id", "label", "limit", "unit", "by", "direction", "bound", "count_first_day", "rest_day_start", "starts_at", "extension",
    "pauses", "roll_forward", "note", "source", "status", "also", "ladder", "effective_from", "promise_of",
}  # fmt: skip
_EXTENSION_KEYS = {"limit", "unit", "max_times", "approver"}
_CHOICES = {
    "direction": ("after", "before"),
    "bound": ("at_most", "at_least"),
    "rest_day_start": (NEXT_WORKDAY, SAME_DAY),
    "status": (VERIFIED, UNVERIFIED),
}
_FLAGS = ("count_first_day", "pauses", "roll_forward")
_TEXTS = ("label", "starts_at", "note", "source", "ladder", "promise_of")


def load_rules(yaml_text: str | bytes) -> RuleTable:
    """Read a rule table; id → :class:`Rule`, the ids under ``also`` included, in the order of the file.

    Rows of one id are versions of one rule and must differ in ``effective_from``.  Raises :class:`ValidationFailed` listing every bad row under its id (or ``row N`` when it has none).
    """
    try:
        sheet = yaml.safe_load(yaml_text)
    except yaml.YAMLError as error:
        raise ValidationFailed("The deadline rule table is not readable YAML: %(reason)s", reason=" ".join(str(error).split())) from error
    rows = sheet.get("rules") if isinstance(sheet, dict) else None
    if not isinstance(rows, list):
        raise ValidationFailed("The deadline rule table must have a list named “rules”.")
    versions: dict[str, dict[date, Rule]] = {}
    owners: dict[str, str] = {}
    errors: dict[str, list[Words]] = {}
    for number, row in enumerate(rows, start=1):
        name = row["id"] if isinstance(row, dict) and isinstance(row.get("id"), str) and row["id"] else f"row {number}"
        refusals = refusals_of(row)
        names = [name, *(row.get("also", []) if isinstance(row, dict) and not refusals else [])]
        since = (day_of(row.get("effective_from")) if not refusals else None) or date.min
        for each in names:
            if owners.get(each, name) != name or since in versions.get(each, {}) or names.count(each) > 1:
                refusals.append(T("The rule “%(id)s” stands twice in the table.", id=each))
        if refusals:
            errors.setdefault(name, []).extend(T("Rule %(row)s: %(reason)s", row=name, reason=refusal) for refusal in refusals)
            continue
        rule = rule_of_row(row)
        for each in names:
            owners[each] = name
            versions.setdefault(each, {})[since] = replace(rule, id=each)
    for name, refusal in promise_refusals(versions, owners).items():
        errors.setdefault(name, []).append(T("Rule %(row)s: %(reason)s", row=name, reason=refusal))
    if errors:
        first = next(iter(errors.values()))[0]
        raise ValidationFailed(
            "The deadline rule table has %(count)d bad row(s). First: %(first)s", count=len(errors), first=first, errors=errors
        )
    return RuleTable({each: tuple(rule for _, rule in sorted(by_day.items())) for each, by_day in versions.items()}, owners)


def promise_refusals(versions: Mapping[str, Mapping[Any, Rule]], owners: Mapping[str, str]) -> dict[str, Words]:
    """What is wrong with promises, by the id of the promise: for whom there is no rule, a promise of a promise, two for one, a longer one.

    ``versions`` are the rules by id and day of effect, ``owners`` the main id of every id.
    """
    found: dict[str, Words] = {}
    taken: dict[str, str] = {}
    for name in dict.fromkeys(owners.values()):
        for rule in versions.get(name, {}).values():
            if not rule.promise_of:
                continue
            target = owners.get(rule.promise_of)
            statutory = list(versions.get(target or "", {}).values())
            if not statutory:
                found[name] = T("it is the promise for the rule “%(id)s”, which is not in the table.", id=rule.promise_of)
            elif target == name or any(each.promise_of for each in statutory):
                found[name] = T("it is the promise for “%(id)s”, which is a promise itself.", id=rule.promise_of)
            elif taken.setdefault(target, name) != name:
                found[name] = T("“%(id)s” has a promise already: %(other)s.", id=rule.promise_of, other=taken[target])
            elif all(each.unit == rule.unit and (rule.limit or 0) > (each.limit or 0) for each in statutory):
                found[name] = T("it promises more time than the limit “%(id)s” allows.", id=rule.promise_of)
    return found


def rule_of(rules: dict[str, Rule], rule_id: str) -> Rule:
    """The rule of that id; :class:`NotFound` in words when the table has none."""
    if rule_id not in rules:
        raise NotFound("The deadline rule table has no rule “%(id)s”.", id=rule_id)
    return rules[rule_id]


def refusals_of(row: Any) -> list[Words]:
    """What is wrong with one row of the table, in words; an empty list when nothing is."""
    if not isinstance(row, dict):
        return [T("it is not a set of columns.")]
    refusals = [T("“%(key)s” is not a column.", key=str(key)) for key in row if key not in _KEYS]
    if not isinstance(row.get("id"), str) or not row["id"].strip():
        refusals.append(T("it has no id."))
    elif len(row["id"]) > 60:
        refusals.append(T("its id is longer than 60 characters."))
    if not isinstance(row.get("label"), str) or not row["label"].strip():
        refusals.append(T("it has no label."))
    refusals += [T("“%(key)s” must be text.", key=key) for key in _TEXTS if key != "label" and not isinstance(row.get(key, ""), str)]
    refusals += [T("“%(key)s” must be true or false.", key=key) for key in _FLAGS if not isinstance(row.get(key, True), bool)]
    for key, allowed in _CHOICES.items():
        if row.get(key, allowed[0]) not in allowed:
            refusals.append(T("“%(key)s” must be one of: %(allowed)s.", key=key, allowed=", ".join(allowed)))
    also = row.get("also", [])
    if not isinstance(also, list) or not all(isinstance(each, str) and each for each in also):
        refusals.append(T("“also” must be a list of ids."))
    if "by" in row:
        if "limit" in row:
            refusals.append(T("it has both a limit and a fixed day; keep one."))
        if _month_day(row["by"]) is None:
            refusals.append(T("“%(by)s” is not a day of the year. Write it as MM-DD.", by=str(row["by"])))
    else:
        refusals += _limit_refusals(row.get("limit"), row.get("unit"))
    if row.get("extension") is not None:
        refusals += _extension_refusals(row["extension"])
    if row.get("effective_from") is not None and day_of(row["effective_from"]) is None:
        refusals.append(T("“%(day)s” is not a day. Write it as YYYY-MM-DD.", day=str(row["effective_from"])))
    return refusals


def _limit_refusals(limit: Any, unit: Any) -> list[Words]:
    refusal = refusal_of(limit, unit)
    if refusal is None and Decimal(str(limit)) > MOST[unit]:
        refusal = T("%(limit)s is too long for a limit; the longest is %(most)s.", limit=amount_words(checked(limit, unit), unit), most=amount_words(MOST[unit], unit))
    return [refusal] if refusal else []


def day_of(value: Any) -> date | None:
    """A day as YAML or a form gives it: a date, or text as YYYY-MM-DD; ``None`` for anything else."""
    if isinstance(value, date):
        return value if type(value) is date else None
    try:
        return date.fromisoformat(value) if isinstance(value, str) and len(value) == 10 else None
    except ValueError:
        return None


def _extension_refusals(extension: Any) -> list[Words]:
    if not isinstance(extension, dict) or set(extension) - _EXTENSION_KEYS:
        return [T("its extension must have the columns limit, unit, max_times and approver.")]
    times = extension.get("max_times", 1)
    refusals = []
    if isinstance(times, bool) or not isinstance(times, int) or times < 1:
        refusals.append(T("the number of extensions must be 1 or more, not %(times)s.", times=str(times)))
    # A law may allow an extension without naming its length; the amount is then a stand-in of one.
    limit = extension.get("limit")
    amounts = _limit_refusals(1 if limit is None else limit, extension.get("unit"))
    return refusals + [T("its extension: %(reason)s", reason=each) for each in amounts]


def _month_day(text: Any) -> tuple[int, int] | None:
    try:
        # A leap year, so that 02-29 is a day of the year.
        day = date.fromisoformat(f"2024-{text}")
    except ValueError:
        return None
    return day.month, day.day


def rule_of_row(row: Mapping[str, Any]) -> Rule:
    """The rule of a row that :func:`refusals_of` finds nothing wrong with."""
    values = {key: value for key, value in row.items() if key not in {"also", "limit", "unit", "by", "extension"}}
    values["effective_from"] = day_of(row.get("effective_from"))
    extension = row.get("extension")
    if extension is not None:
        limit, unit = extension.get("limit"), extension["unit"]
        extension = ExtensionRule(
            None if limit is None else checked(limit, unit), unit, extension.get("max_times", 1), extension.get("approver") or ""
        )
    if "by" in row:
        return Rule(limit=None, unit="d", by=_month_day(row["by"]), extension=extension, **values)
    return Rule(limit=checked(row["limit"], row["unit"]), unit=row["unit"], extension=extension, **values)
