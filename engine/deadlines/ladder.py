"""Escalation ladders: what happens as a limit is used up, and when.

A ladder is an ordered list of rungs, one definition for all procedures (``domain.md`` §1.15).  When each rung fires is worked
out from the clock; that a rung fires once is kept by whoever stores ``(clock, rung)``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from typing import Any

import yaml

from engine.deadlines import counting
from engine.deadlines.calendar import WorkCalendar
from engine.deadlines.clock import BLUE, GREEN, GREY, RED, YELLOW, Clock, Measure, due_of
from engine.errors import ValidationFailed
from engine.words import T, Words

# Recipients are roles relative to the case; the runtime finds the persons.
RECIPIENTS = ("handler", "section_chief", "vice_director", "supervisor", "director", "applicant", "administrator")
CHANNELS = ("log", "inbox", "mail", "sms", "all")
ACTIONS = ("silent", "notify", "urge", "raise_priority", "reassign", "supervision_order", "draft_bulletin", "assessment_deduction")
"""What a rung may do; some take a parameter after a colon (:data:`PARAMETERS`), and there is ``escalate:CODE`` besides."""
ESCALATE = "escalate:"
REASSIGNABLE = ("section_chief", "vice_director", "supervisor", "director")
"""Roles that a task may be handed to: ``reassign:ROLE``."""
COLOURS = ("blue", "yellow", "red")
"""Of a supervision order: ``supervision_order:COLOUR``; without one the light of the rung says it."""
POINTS = Decimal(1)
"""What ``assessment_deduction`` deducts when it does not say [D]."""
MOST_POINTS = Decimal(100)
LIGHTS = (GREEN, YELLOW, RED, GREY, BLUE)
UNCLAIMED = "unclaimed"
TELLING = frozenset({"notify", "urge", "draft_bulletin", "assessment_deduction", "supervision_order"})
"""Actions that are nothing unless somebody hears of them."""
CONDITIONS = ("", "reason_stated")
"""What ``unless`` may say."""
LATEST, HIGHEST = 250, 9
"""A rung more working days after the due day than an office works in a year, or of a higher level, is a slip of the keyboard."""


@dataclass(frozen=True)
class When:
    """When a rung fires.

    ``kind`` is ``used`` (``share`` of the budget is used), ``remaining`` (≤ ``workdays`` working days or ≤ ``share`` of the
    budget is left), ``due_passed`` (the first overdue instant), ``after_due`` (``workdays`` working days later) or ``unclaimed``
    (``workdays`` working days after the start, if nobody has taken the task by then: the runtime asks that when it fires).
    """

    kind: str
    share: Decimal = Decimal(0)
    workdays: int = 0


@dataclass(frozen=True)
class Rung:
    """One step: when, how high, who is told by which channel, and what is done.

    ``actions`` are words of :data:`ACTIONS`, some with a parameter after a colon, or ``escalate:CODE`` (throw that BPMN escalation in
    the case); ``unless`` names a condition the runtime asks about first (``reason_stated``), empty for none.
    """

    id: str
    when: When
    level: int
    light: str
    recipients: tuple[str, ...]
    channel: str
    actions: tuple[str, ...]
    text: str
    unless: str = ""

    @property
    def action(self) -> str:
        """The first action."""
        return self.actions[0]

    def does(self, name: str) -> bool:
        """Whether one of its actions is ``name``, whatever stands after the colon."""
        return any(each.partition(":")[0] == name for each in self.actions)

    def parameter(self, name: str) -> str:
        """What stands after the colon of the action ``name``; empty for nothing."""
        return next((each.partition(":")[2] for each in self.actions if each.partition(":")[0] == name), "")

    @property
    def points(self) -> Decimal:
        """Points that ``assessment_deduction`` deducts."""
        return Decimal(self.parameter("assessment_deduction") or POINTS)

    @property
    def colour(self) -> str:
        """The colour of its supervision order: as it says, else that of its light, else blue."""
        return self.parameter("supervision_order") or (self.light if self.light in COLOURS else "blue")

    @property
    def escalation_codes(self) -> tuple[str, ...]:
        """The codes of the BPMN escalations that the rung throws."""
        return tuple(each.removeprefix(ESCALATE) for each in self.actions if each.startswith(ESCALATE))


@dataclass(frozen=True)
class Ladder:
    id: str
    rungs: tuple[Rung, ...]
    label: str = ""

    def rung(self, rung_id: str) -> Rung | None:
        return next((each for each in self.rungs if each.id == rung_id), None)


# -- when the rungs fire -----------------------------------------------------------------------------------------------------


def rung_times(clock: Clock, ladder: Ladder, calendar: WorkCalendar) -> list[tuple[Rung, datetime]]:
    """Every rung with the UTC instant at which it fires, earliest first (rungs of one instant in the ladder's order).

    Rungs counted in days fire when the office opens on their day, never before the clock started; ``due_passed`` fires at
    the first overdue instant; hour rules fire to the second.  A paused or stopped clock has none.
    """
    if clock.paused or clock.stopped_at is not None:
        return []
    due = due_of(clock, calendar)
    if due is None:
        return []
    measure = Measure(clock, calendar, due)
    times = [(rung, _fire_at(rung.when, measure, due)) for rung in ladder.rungs]
    return sorted(times, key=lambda each: each[1])


def next_rung(clock: Clock, ladder: Ladder, fired_ids: Collection[str], calendar: WorkCalendar) -> tuple[Rung, datetime] | None:
    """The earliest rung that has not fired yet, with its instant (which may lie in the past: nothing is skipped)."""
    return next((each for each in rung_times(clock, ladder, calendar) if each[0].id not in fired_ids), None)


def _fire_at(when: When, measure: Measure, due: counting.Due) -> datetime:
    calendar = measure.calendar
    if when.kind == "due_passed":
        return due.overdue_at
    if when.kind == "after_due":
        return calendar.opening(calendar.add_workdays(due.day, when.workdays))
    if when.kind == UNCLAIMED:
        return measure.after_start(when.workdays)
    return measure.used_at(when.share) if when.kind == "used" else measure.left_at(when.workdays, when.share)


# -- reading the sheet -------------------------------------------------------------------------------------------------------

_KEYS = {"id", "when", "level", "light", "recipients", "channel", "actions", "text", "unless"}


def load_ladders(yaml_text: str | bytes) -> dict[str, Ladder]:
    """Read ladders; id → :class:`Ladder`.  :class:`ValidationFailed` lists every bad rung under ``ladder.rung``."""
    try:
        sheet = yaml.safe_load(yaml_text)
    except yaml.YAMLError as error:
        raise ValidationFailed("The ladder sheet is not readable YAML: %(reason)s", reason=" ".join(str(error).split())) from error
    named = sheet.get("ladders") if isinstance(sheet, dict) else None
    if not isinstance(named, dict):
        raise ValidationFailed("The ladder sheet must have a set of ladders named “ladders”.")
    ladders: dict[str, Ladder] = {}
    errors: dict[str, list[Words]] = {}
    for ladder_id, body in named.items():
        rows = body.get("rungs") if isinstance(body, dict) else None
        if not isinstance(rows, list) or not rows:
            errors[str(ladder_id)] = [T("The ladder “%(ladder)s” has no rungs.", ladder=str(ladder_id))]
            continue
        seen: set[str] = set()
        rungs = []
        for number, row in enumerate(rows, start=1):
            name = str(row["id"]) if isinstance(row, dict) and row.get("id") else f"rung {number}"
            refusals = refusals_of(row)
            if name in seen:
                refusals.append(T("its id stands twice in the ladder."))
            seen.add(name)
            if refusals:
                errors[f"{ladder_id}.{name}"] = [
                    T("Ladder %(ladder)s, rung %(rung)s: %(reason)s", ladder=str(ladder_id), rung=name, reason=each) for each in refusals
                ]
                continue
            rungs.append(rung_of_row(row))
        ladders[str(ladder_id)] = Ladder(str(ladder_id), tuple(rungs), str(body.get("label") or ""))
    if errors:
        first = next(iter(errors.values()))[0]
        raise ValidationFailed("The ladder sheet has %(count)d mistake(s). First: %(first)s", count=len(errors), first=first, errors=errors)
    return ladders


def order_refusals(ladder: Ladder) -> dict[str, list[Words]]:
    """Rungs that stand in the wrong place, by rung id: each must come later than the one before and reach no lower.

    Only what holds for every limit is asked: whether a half used or one day left comes first depends on the limit.
    """
    found: dict[str, list[Words]] = {}
    for before, rung in pairwise(ladder.rungs):
        if _stage(rung.when) < _stage(before.when):
            found.setdefault(rung.id, []).append(T("it fires before the rung “%(other)s” that stands above it; move it up.", other=before.id))
        elif _stage(rung.when) == _stage(before.when) and (rung.when.kind in ("due_passed", "after_due") or rung.when == before.when):
            found.setdefault(rung.id, []).append(T("it fires at the same moment as “%(other)s”; put both into one rung.", other=before.id))
        if rung.level < before.level:
            found.setdefault(rung.id, []).append(T("its level is lower than that of the rung above it; an escalation never steps down."))
    return found


def _stage(when: When) -> tuple[int, int]:
    """Before the due day, when it has passed, so many working days later."""
    return {"due_passed": (1, 0), "after_due": (2, when.workdays)}.get(when.kind, (0, 0))


def refusals_of(row: Any) -> list[Words]:
    """What is wrong with one rung of a sheet, in words; an empty list when nothing is."""
    if not isinstance(row, dict):
        return [T("it is not a set of columns.")]
    refusals = [T("“%(key)s” is not a column.", key=str(key)) for key in row if key not in _KEYS]
    if not isinstance(row.get("id"), str) or not row["id"]:
        refusals.append(T("it has no id."))
    elif len(row["id"]) > 60:
        refusals.append(T("its id is longer than 60 characters."))
    if _when(row.get("when")) is None:
        refusals.append(
            T("“when” must be {unclaimed: 1}, {used: 0.5}, {remaining: {workdays: 1, share: 0.2}}, due_passed or {after_due: 2}.")
        )
    if isinstance(row.get("level"), bool) or not isinstance(row.get("level"), int):
        refusals.append(T("“level” must be a whole number."))
    elif not 0 <= row["level"] <= HIGHEST:
        refusals.append(T("“level” must be between 0 and %(highest)d.", highest=HIGHEST))
    for key, allowed in (("light", LIGHTS), ("channel", CHANNELS)):
        if row.get(key) not in allowed:
            refusals.append(T("“%(key)s” must be one of: %(allowed)s.", key=key, allowed=", ".join(allowed)))
    recipients = row.get("recipients", [])
    if not isinstance(recipients, list) or not all(each in RECIPIENTS for each in recipients):
        refusals.append(T("“recipients” must be a list of: %(allowed)s.", allowed=", ".join(RECIPIENTS)))
    actions = row.get("actions")
    if not isinstance(actions, list) or not actions or not all(isinstance(each, str) for each in actions):
        refusals.append(_not_actions())
    else:
        refusals += _refused_actions(actions)
        if not recipients and (row.get("channel") != "log" or TELLING.intersection(each.partition(":")[0] for each in actions)):
            refusals.append(T("it tells nobody: name a recipient, or make it silent and log it only."))
    refusals += [T("“%(key)s” must be text.", key=key) for key in ("text", "unless") if not isinstance(row.get(key, ""), str)]
    if isinstance(row.get("unless", ""), str) and row.get("unless", "") not in CONDITIONS:
        refusals.append(T("“unless” must be “reason_stated” or be left out."))
    return refusals


def _not_actions() -> Words:
    return T("“actions” must be a list of: %(allowed)s.", allowed=", ".join((*ACTIONS, ESCALATE + "CODE")))


def _refused_actions(actions: Collection[str]) -> list[Words]:
    """What is wrong with the actions of a rung: unknown ones, parameters that are none, and an action that stands twice."""
    found = []
    for action in actions:
        name, colon, parameter = action.partition(":")
        if name == ESCALATE.rstrip(":"):
            if not parameter:
                found.append(_not_actions())
        elif name not in ACTIONS:
            found.append(_not_actions())
        elif colon or name in NEEDING:
            check = PARAMETERS.get(name)
            refusal = check(parameter) if check else T("“%(action)s” takes nothing after a colon.", action=name)
            found += [refusal] if refusal else []
    twice = Counter(action if action.startswith(ESCALATE) else action.partition(":")[0] for action in actions)
    return found + [T("the action “%(action)s” stands twice.", action=name) for name, count in twice.items() if count > 1]


def _refused_role(role: str) -> Words | None:
    if role in REASSIGNABLE:
        return None
    return T("“%(role)s” is no role that a task can be handed to; use one of: %(allowed)s.", role=role, allowed=", ".join(REASSIGNABLE))


def _refused_colour(colour: str) -> Words | None:
    if colour in COLOURS:
        return None
    return T("“%(colour)s” is no colour of a supervision order; use one of: %(allowed)s.", colour=colour, allowed=", ".join(COLOURS))


def _refused_points(text: str) -> Words | None:
    try:
        points = Decimal(text)
        good = points.is_finite() and 0 < points <= MOST_POINTS and points * 10 == int(points * 10)
    except InvalidOperation:
        good = False
    return None if good else T("“%(points)s” is no number of points; write 0.1 to %(most)s, with at most one decimal.", points=text, most=str(MOST_POINTS))


PARAMETERS = {"reassign": _refused_role, "supervision_order": _refused_colour, "assessment_deduction": _refused_points}
"""Action → what is wrong with the text after its colon."""
NEEDING = frozenset({"reassign"})
"""Actions that say nothing without a parameter."""


def _when(value: Any) -> When | None:
    if value == "due_passed":
        return When("due_passed")
    if not isinstance(value, dict) or len(value) != 1:
        return None
    kind, amount = next(iter(value.items()))
    if kind == "used" and _share(amount):
        return When("used", share=Decimal(str(amount)))
    if kind in ("after_due", UNCLAIMED) and _whole(amount, least=1) and amount <= LATEST:
        return When(kind, workdays=amount)
    if kind == "remaining" and isinstance(amount, dict) and set(amount) <= {"workdays", "share"} and amount:
        workdays, share = amount.get("workdays", 0), amount.get("share", 0)
        if _whole(workdays, least=0) and (share == 0 or _share(share)):
            return When("remaining", share=Decimal(str(share)), workdays=workdays)
    return None


def _share(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < 1


def _whole(value: Any, *, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def rung_of_row(row: Mapping[str, Any]) -> Rung:
    """The rung of a row that :func:`refusals_of` finds nothing wrong with."""
    return Rung(
        id=row["id"],
        when=_when(row["when"]),
        level=row["level"],
        light=row["light"],
        recipients=tuple(row.get("recipients", [])),
        channel=row["channel"],
        actions=tuple(row["actions"]),
        text=row.get("text", ""),
        unless=row.get("unless", ""),
    )
