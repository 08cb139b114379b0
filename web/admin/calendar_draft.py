"""A change of the calendar as somebody enters it: what the form says, read into days and findings.

Preview and submission read the same form, so what is proposed is what was shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, time, timedelta

from engine.deadlines.arrangement import HOURS, STANDING, ArrangedDay, checked
from engine.deadlines.calendar import CLOSED, IN_LIEU, MAKEUP, STATUTORY, WEEKEND, WORKDAY
from engine.deadlines.hours import MonthDay, OfficeHours, Sessions
from engine.deadlines.notice_findings import ERROR, WARNING, Finding
from engine.deadlines.notices_of_holidays import read_notice
from engine.errors import ValidationFailed
from engine.runtime.limits.calendar_proposals import CLOSURE, CORRECTION, NOTICE, USUAL_HOURS
from engine.words import T, Words

BY_HAND: dict[str, Words] = {
    CLOSED: T("this office is closed"), HOURS: T("other office hours"), WORKDAY: T("ordinary working day"), WEEKEND: T("weekend"),
    MAKEUP: T("make-up working day"), STATUTORY: T("public holiday"), IN_LIEU: T("day off in lieu"),
}  # fmt: skip
"""What a day can be made by hand."""
LONGEST = 62
"""Days that can be named by hand at once."""


@dataclass
class Draft:
    """What was entered, and what it means.  ``errors`` are by field."""

    values: dict[str, str]
    kind: str = NOTICE
    notice: str = ""
    reason: str = ""
    whole_years: tuple[int, ...] = ()
    days: tuple[ArrangedDay, ...] = ()
    findings: tuple[Finding, ...] = ()
    errors: dict[str, list[Words]] = field(default_factory=dict)

    @property
    def refused(self) -> bool:
        return bool(self.errors) or any(each.severity == ERROR for each in self.findings) or not self.days

    @property
    def warned(self) -> bool:
        return any(each.severity == WARNING for each in self.findings)


FIELDS = (
    "mode", "text", "year", "scope", "notice", "reason", "first", "last", "kind", "name", "hours",
    "since", "usual", "summer", "summer_from", "summer_to",
)  # fmt: skip
MODES = ("notice", "days", "hours")
BAD_HOURS = T("Write hours like 09:00-12:00, 14:00-17:00.")


def read(form: Mapping[str, str], uploaded: bytes | None = None) -> Draft:
    """The draft that a form describes; never raises for what somebody typed."""
    values = {name: form.get(name, "").strip() for name in FIELDS}
    values["text"] = form.get("text", "")
    if uploaded:
        values["text"] = decoded(uploaded)
    draft = Draft(values, notice=values["notice"], reason=values["reason"])
    if values["mode"] == "days":
        _by_hand(draft)
    elif values["mode"] == "hours":
        _usual_hours(draft)
    else:
        _of_notice(draft)
    if draft.days and not draft.errors:
        try:
            draft.days = checked(draft.days, draft.whole_years)
        except ValidationFailed as refusal:
            draft.errors["days"] = [text for texts in refusal.errors.values() for text in texts]
    if not draft.notice:
        draft.errors["notice"] = [T("Name the notice: its number, or who ordered it.")]
    return draft


def decoded(content: bytes) -> str:
    """The text of an uploaded file: UTF-8, else the encoding of Chinese Windows."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("gb18030", errors="replace")


def _of_notice(draft: Draft) -> None:
    values = draft.values
    year = int(values["year"]) if values["year"].isdecimal() and len(values["year"]) == 4 else None
    whole = values["scope"] != "days"
    draft.kind = NOTICE if whole else CORRECTION
    if not values["text"].strip():
        draft.errors["text"] = [T("Paste the text of the notice, or choose a file.")]
        return
    reading = read_notice(values["text"], year)
    draft.findings = reading.findings
    draft.days = tuple(ArrangedDay(each.day, each.kind, each.name, each.line) for each in reading.days)
    draft.notice = draft.notice or reading.notice
    values["notice"] = draft.notice
    about = year or reading.year or (min(reading.years) if len(reading.years) == 1 else None)
    if whole and about is None:
        draft.errors["year"] = [T("Choose the year that the notice arranges.")]
    elif whole and about is not None:
        draft.whole_years = (about,)
    if not whole and not draft.reason:
        draft.errors["reason"] = [T("Say why.")]


def _by_hand(draft: Draft) -> None:
    values = draft.values
    draft.kind = CLOSURE if values["kind"] in (CLOSED, HOURS) else CORRECTION
    days: dict[str, date] = {}
    for name in ("first", "last"):
        try:
            days[name] = date.fromisoformat(values[name] or values["first"])
        except ValueError:
            draft.errors[name] = [T("Enter a date.")]
    if values["kind"] not in BY_HAND:
        draft.errors["kind"] = [T("Choose what the day becomes.")]
    if not draft.reason:
        draft.errors["reason"] = [T("Say why.")]
    hours: Sessions = ()
    if values["hours"]:
        try:
            hours = sessions_of(values["hours"])
        except ValueError:
            draft.errors["hours"] = [BAD_HOURS]
    if values["kind"] not in (HOURS, WORKDAY, MAKEUP) and hours:
        draft.errors["hours"] = [T("A day off has no office hours.")]
    if len(days) == 2 and not 0 <= (days["last"] - days["first"]).days < LONGEST:
        draft.errors["last"] = [T("The last day lies before the first, or more than %(days)d days after it.", days=LONGEST)]
    if not draft.errors:
        count = (days["last"] - days["first"]).days + 1
        named = (days["first"] + timedelta(days=offset) for offset in range(count))
        draft.days = tuple(ArrangedDay(day, values["kind"], values["name"][:100] or draft.reason[:100], 0, hours) for day in named)


def _usual_hours(draft: Draft) -> None:
    """The usual hours from some day on, with those of the summer if they are others."""
    values = draft.values
    draft.kind = USUAL_HOURS
    since: date | None = None
    try:
        since = date.fromisoformat(values["since"])
    except ValueError:
        draft.errors["since"] = [T("Enter a date.")]
    sessions: dict[str, Sessions] = {}
    for name in ("usual", "summer"):
        if values[name] or name == "usual":
            try:
                sessions[name] = sessions_of(values[name])
                OfficeHours(sessions[name])
            except ValueError:
                draft.errors[name] = [BAD_HOURS]
            except ValidationFailed as refusal:
                draft.errors[name] = [refusal.message]
    edges: dict[str, MonthDay] = {}
    for name in ("summer_from", "summer_to") if values["summer"] else ():
        found = month_day(values[name])
        if found is None:
            draft.errors[name] = [T("Write a day of the year like 06-01.")]
        else:
            edges[name] = found
    if not draft.reason:
        draft.errors["reason"] = [T("Say why.")]
    if draft.errors or since is None:
        return
    standing = OfficeHours(sessions["usual"])
    if "summer" in sessions:
        standing = OfficeHours(sessions["usual"], sessions["summer"], edges["summer_from"], edges["summer_to"])
    draft.days = (ArrangedDay(since, STANDING, draft.reason[:100], standing=standing),)


def month_day(text: str) -> MonthDay | None:
    """``06-01`` as month and day; ``None`` for anything else.  29 February is none: it is not there every year."""
    month, _, day = text.replace("月", "-").replace("日", "").replace("/", "-").partition("-")
    try:
        found = date(2001, int(month), int(day))
    except ValueError:
        return None
    return found.month, found.day


def written_sessions(sessions: Sessions) -> str:
    """Sessions as :func:`sessions_of` reads them."""
    return ", ".join(f"{start:%H:%M}-{end:%H:%M}" for start, end in sessions)


def values_of_hours(hours: OfficeHours) -> dict[str, str]:
    """What the form of the usual hours begins with: those in force."""
    values = {"usual": written_sessions(hours.sessions)}
    if hours.summer_sessions is not None:
        (month, day), (last_month, last_day) = hours.summer_from, hours.summer_to
        values |= {"summer": written_sessions(hours.summer_sessions), "summer_from": f"{month:02d}-{day:02d}", "summer_to": f"{last_month:02d}-{last_day:02d}"}
    return values


AS_TYPED = str.maketrans({**dict.fromkeys("，、；;", ","), "：": ":", **dict.fromkeys("—–－~～至", "-")})
"""What a Chinese keyboard writes instead of the signs that times are separated by."""


def sessions_of(text: str) -> Sessions:
    """``09:00-12:00, 14:00-17:00`` as sessions; :class:`ValueError` for anything else."""
    plain = text.translate(AS_TYPED)
    found = []
    for part in plain.split(","):
        start, _, end = part.strip().partition("-")
        found.append((time.fromisoformat(start.strip().zfill(5)), time.fromisoformat(end.strip().zfill(5))))
    return tuple(found)
