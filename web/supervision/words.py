"""What supervision reads out of a clock: used and limit, what comes next and for whom, who was told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from engine.deadlines import Clock, Ladder, WorkCalendar
from engine.deadlines.arithmetic import explain
from engine.deadlines.balance import amounts, balance
from engine.deadlines.clock import Derived, derive
from engine.deadlines.ladder import rung_times
from engine.organisation import Directory
from engine.words import T, Words

RECIPIENT_WORDS: dict[str, Words] = {
    "handler": T("the handler"),
    "section_chief": T("the section chief"),
    "vice_director": T("the vice director"),
    "director": T("the director"),
    "supervisor": T("the supervisor"),
    "applicant": T("the applicant"),
    "administrator": T("the administrator"),
}
CHANNEL_WORDS: dict[str, Words] = {
    "log": T("log only"),
    "inbox": T("in the application"),
    "mail": T("by mail"),
    "sms": T("by text message"),
    "all": T("by every channel"),
}
ACTION_WORDS: dict[str, Words] = {
    "silent": T("noted"),
    "notify": T("notice"),
    "urge": T("urging"),
    "draft_bulletin": T("draft of a bulletin"),
    "assessment_deduction": T("deduction in the assessment"),
    "supervision_order": T("supervision order"),
    "raise_priority": T("marked urgent"),
    "reassign": T("handing the task on"),
    "withheld": T("withheld: a reason was stated"),
    "claimed": T("not needed: the task was taken"),
}
COLOUR_WORDS: dict[str, Words] = {"blue": T("Blue"), "yellow": T("Yellow"), "red": T("Red")}
"""Colours of supervision orders."""
ESCALATION = T("escalation in the process")
ESCALATION_WORDS: dict[str, Words] = {
    "due_soon": T("due soon"),
    "overdue": T("overdue"),
    "overdue_vice_director": T("overdue, to the vice director"),
    "overdue_director": T("overdue, to the director"),
}
"""The codes that the delivered ladders throw; one that an office gave itself stands as it is."""
UNIT_WORDS: dict[str, Words] = {"wd": T("wd"), "h": T("h"), "ch": T("h")}
"""Short units beside used/limit; everything else is counted in calendar days."""
CALENDAR_DAYS = T("d")

WITHHELD = "withheld"
RESTARTED = T("Started anew")


@dataclass(frozen=True)
class Coming:
    """A rung that has not fired: what it says, when, for whom (roles relative to the case)."""

    id: str
    label: str
    level: int
    at: datetime
    recipients: tuple[str, ...]
    actions: tuple[str, ...]


@dataclass(frozen=True)
class Reading:
    """A clock read at one moment."""

    clock: Clock
    derived: Derived
    unit: Words
    coming: tuple[Coming, ...]
    sum: Words
    word: Words
    """What stands beside the light."""


def used_of(ledger: Mapping[str, Any], calendar: WorkCalendar, now: datetime) -> tuple[str, Words]:
    """"3/5" ("1:15/4:00" of hours) and its unit, from the ledger column of a clock."""
    said = balance(Clock.from_dict(dict(ledger)), calendar, now)
    return amounts(said), UNIT_WORDS.get(said.unit, CALENDAR_DAYS)


def plain(amount: Any) -> str:
    """A number of days or hours, at most one decimal."""
    return f"{round(float(amount), 1):g}"


def rung_label(ladder: Ladder | None, rung_id: str) -> str:
    rung = ladder.rung(rung_id) if ladder else None
    return (rung.text or rung.id) if rung else rung_id


def rung_recipients(ladder: Ladder | None, rung_id: str) -> tuple[str, ...]:
    rung = ladder.rung(rung_id) if ladder else None
    return rung.recipients if rung else ()


def read(row: Any, ladder: Ladder | None, calendar: WorkCalendar, now: datetime) -> Reading:
    """Everything the ledger page says about one ``clock`` row."""
    clock = Clock.from_dict(row.ledger)
    fired = set(row.ledger.get("fired", ()))
    times = rung_times(clock, ladder, calendar) if ladder else []
    coming = tuple(
        Coming(rung.id, rung.text or rung.id, rung.level, at, rung.recipients, rung.actions) for rung, at in times if rung.id not in fired
    )
    derived = derive(clock, calendar, now)
    # A limit that was started anew in time was not closed, so it does not say so.
    word = RESTARTED if row.ledger.get("followed_by") and not derived.overdue else derived.word
    return Reading(clock, derived, UNIT_WORDS.get(clock.unit, CALENDAR_DAYS), coming, explain(clock, calendar, now), word)


def action_words(actions: Iterable[str] | str) -> list[Words]:
    """The actions of a rung, or the stored comma list of a firing, as words."""
    names = actions.split(",") if isinstance(actions, str) else actions
    return [action_word(name) for name in names if name]


def action_word(action: str) -> Words:
    """One action with its parameter: "supervision order (Red)", "handing the task on (the section chief)"."""
    name, _colon, parameter = action.partition(":")
    if name not in ACTION_WORDS:
        return T("%(what)s (%(code)s)", what=ESCALATION, code=ESCALATION_WORDS.get(parameter, parameter))
    if not parameter:
        return ACTION_WORDS[name]
    about = T("%(points)s point(s)", points=parameter) if name == "assessment_deduction" else RECIPIENT_WORDS.get(parameter) or COLOUR_WORDS.get(parameter)
    return T("%(what)s (%(code)s)", what=ACTION_WORDS[name], code=about or parameter)


def candidates(directory: Directory, groups: Iterable[str], users: Iterable[str]) -> list[str]:
    """Candidate groups and users by name: 高新技术科, 科室负责人 (高新技术科)."""
    return [group_name(directory, group) for group in groups] + [directory.name(login) for login in users]


def group_name(directory: Directory, group: str) -> str:
    """The name of a candidate group; its code when nobody named it."""
    if group.startswith("section:"):
        return directory.section_name(group.removeprefix("section:"))
    role, at, section = group.partition("@")
    name = directory.roles.get(role, role)
    return f"{directory.section_name(section)} {name}" if at else name
