"""A running limit: its budget and the ledger of its pauses and extensions.

A clock never stores an instant at which it runs out.  :func:`derive` works that out from the ledger and the calendar, so a
correction of either gives the new due date by itself (``design.md`` §4).  The rule is kept inside the clock as it read when
the clock started: a later edit of the table changes new clocks, not running ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import ROUND_CEILING, Decimal
from typing import Any

from engine.deadlines import counting
from engine.deadlines.amounts import HOUR_UNITS, WORKING_DAYS, amount_words, checked
from engine.deadlines.calendar import WorkCalendar
from engine.deadlines.pauses import PAUSE_KINDS
from engine.deadlines.rules import Rule
from engine.errors import EngineError, InvalidState, ValidationFailed
from engine.words import T, Words

_PAUSE_NOTES = ("kind", "document", "attachment", "by", "until")

GREEN, YELLOW, RED, GREY, BLUE = "green", "yellow", "red", "grey", "blue"
LIGHT_WORDS: dict[str, Words] = {
    GREEN: T("On time"),
    YELLOW: T("Due soon"),
    RED: T("Overdue"),
    GREY: T("Paused"),
    BLUE: T("Closed in time"),
}
CLOSED_LATE: Words = T("Closed late")
ESTIMATED: Words = T("Estimated")

# Yellow begins when no more than this is left (domain.md §1.15: "remaining ≤ max(1 wd, 20 %)").
WARN_WORKDAYS, WARN_SHARE = 1, Decimal("0.2")

UNTIL_RESUMED = "resume"
"""Value of :attr:`Pause.until` for a pause that only an explicit resumption ends."""


@dataclass(frozen=True)
class Pause:
    """A pause from ``start`` to ``end`` (``None``: still open), as aware UTC instants or as days.

    ``kind`` is one of :data:`engine.deadlines.pauses.PAUSE_KINDS` or empty; ``document`` the number of the paper that allows it,
    ``attachment`` the key of its copy; ``by`` the login of the person who decided, empty when the procedure pauses by itself.
    ``until`` is :data:`UNTIL_RESUMED` when the pause outlives the step that began it.
    """

    start: datetime | date
    end: datetime | date | None = None
    reason: str = ""
    kind: str = ""
    document: str = ""
    attachment: int | None = None
    by: str = ""
    until: str = ""

    @property
    def mark(self) -> tuple[str, str]:
        """What makes two pauses the same: their kind, without one their reason."""
        return (self.kind, "") if self.kind else ("", self.reason)


@dataclass(frozen=True)
class Extension:
    """``amount`` of ``unit`` added to the budget, granted by ``by`` at ``at`` (aware UTC)."""

    amount: int | Decimal
    unit: str
    reason: str
    by: str
    at: datetime


@dataclass(frozen=True)
class Kept:
    """The due instant people have been told, before which the clock does not run out although the calendar now says earlier.

    ``computed`` is the day that the ledger and the calendar gave at that moment; what is extended or paused afterwards is added to
    what was told.  ``by`` and ``at`` (aware UTC) are empty as long as nobody has decided.
    """

    due_at: datetime
    computed: date
    at: datetime | None = None
    by: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Clock:
    """One limit running for one case.

    ``started_at`` is the aware instant of the event that starts the limit, or a ``date`` taken as it stands.  ``stopped_at``
    is the instant at which what the limit was for had been done.
    """

    rule: Rule
    started_at: datetime | date
    pauses: tuple[Pause, ...] = ()
    extensions: tuple[Extension, ...] = ()
    stopped_at: datetime | None = None
    kept: Kept | None = None

    @property
    def rule_id(self) -> str:
        return self.rule.id

    @property
    def budget(self) -> int | Decimal | None:
        """The limit without extensions, in :attr:`unit`; ``None`` when the rule names a fixed day."""
        return self.rule.limit

    @property
    def unit(self) -> str:
        return self.rule.unit

    @property
    def paused(self) -> bool:
        return self.stopped_at is None and any(each.end is None for each in self.pauses)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-able form; :meth:`from_dict` gives an equal clock back."""
        return {
            "rule": self.rule.to_dict(),
            "started_at": _written(self.started_at),
            "pauses": [_pause_to_dict(each) for each in self.pauses],
            "extensions": [
                {
                    "amount": str(each.amount) if isinstance(each.amount, Decimal) else each.amount,
                    "unit": each.unit,
                    "reason": each.reason,
                    "by": each.by,
                    "at": _written(each.at),
                }
                for each in self.extensions
            ],
            "stopped_at": _written(self.stopped_at),
            **({"kept": _kept_to_dict(self.kept)} if self.kept else {}),
        }

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> Clock:
        return cls(
            rule=Rule.from_dict(stored["rule"]),
            started_at=_read(stored["started_at"]),
            pauses=tuple(Pause(_read(each["start"]), _read(each["end"]), **_pause_notes(each)) for each in stored["pauses"]),
            extensions=tuple(
                Extension(checked_amount(each["amount"], each["unit"]), each["unit"], each["reason"], each["by"], _read(each["at"]))
                for each in stored["extensions"]
            ),
            stopped_at=_read(stored["stopped_at"]),
            kept=_kept_from_dict(stored.get("kept")),
        )


@dataclass(frozen=True)
class Derived:
    """What a clock says at one moment.

    ``due_at``/``due_day``/``overdue_at`` are ``None`` while a pause holds the clock.  ``total``, ``used`` are in the unit of the
    rule (working days for ``wd``, calendar days for ``d m y``, hours for ``h ch``) and reach to the due day, days over which it rolled on
    included: rungs and lights go by them; what people read is :func:`engine.deadlines.balance.balance`.  ``remaining`` is in working
    days: 0 on the due day, negative when overdue; ``None`` when it cannot be known.  ``light`` always comes with ``word``.
    """

    due_at: datetime | None
    due_day: date | None
    overdue_at: datetime | None
    provisional: bool
    total: int | Decimal | None
    used: int | Decimal
    remaining: int | None
    paused: bool
    overdue: bool
    light: str
    word: Words


# -- what can happen to a clock --------------------------------------------------------------------------------------------


def start(rule: Rule, at: datetime | date) -> Clock:
    """A new clock of ``rule``; ``at`` is an aware instant or a day."""
    return Clock(rule, _utc(at) if isinstance(at, datetime) else at)


def pause(
    clock: Clock,
    at: datetime,
    reason: str = "",
    *,
    kind: str = "",
    document: str = "",
    attachment: int | None = None,
    by: str = "",
    until: str = "",
) -> Clock:
    """Stop counting from the day of ``at``.  Pauses of different kinds, or for different reasons, may overlap; they count once.

    What a person pauses (``by``) is told apart from what the procedure pauses, so that neither ends the other's; but a person is not
    let pause what stands still for that kind already.  :class:`InvalidState` when the clock has ended, when its rule does not pause, or
    when it is already paused for that kind or reason; :class:`ValidationFailed` for an unknown kind.
    """
    _running(clock)
    if kind and kind not in PAUSE_KINDS:
        words = T("There is no kind of pause “%(kind)s”. Known are: %(known)s.", kind=kind, known=", ".join(PAUSE_KINDS))
        raise ValidationFailed(words, errors={"kind": [words]})
    if not clock.rule.pauses:
        raise InvalidState("The limit “%(label)s” cannot be paused.", label=clock.rule.label)
    made = Pause(_utc(at), None, reason, kind, document, attachment, by, until)
    if any(each.end is None and each.mark == made.mark and (by or not each.by) for each in clock.pauses):
        raise InvalidState("The limit “%(label)s” is already paused for this reason.", label=clock.rule.label)
    return replace(clock, pauses=(*clock.pauses, made))


def resume(clock: Clock, at: datetime, reason: str | None = None) -> Clock:
    """Count again from the day of ``at``: end the open pause with that ``reason``, or every open pause when it is ``None``.

    :class:`InvalidState` when there is no such pause or ``at`` lies before it began.
    """
    return end_pauses(clock, at, lambda each: reason in (None, each.reason))


def end_pauses(clock: Clock, at: datetime, which: Callable[[Pause], bool]) -> Clock:
    """End the open pauses that ``which`` names; raises what :func:`resume` raises."""
    _running(clock)
    at = _utc(at)
    ending = [each for each in clock.pauses if each.end is None and which(each)]
    if not ending:
        raise InvalidState("The limit “%(label)s” is not paused.", label=clock.rule.label)
    if any(isinstance(each.start, datetime) and at < each.start for each in ending):
        raise InvalidState("The limit “%(label)s” cannot go on before the moment it was paused.", label=clock.rule.label)
    return replace(clock, pauses=tuple(replace(each, end=at) if each in ending else each for each in clock.pauses))


def restart(clock: Clock, at: datetime) -> Clock:
    """A new clock of the same rule whose budget starts anew from ``at`` (``domain.md`` §1.0.4: the reply after a correction).

    What was used and granted belongs to the clock before, which the caller stops; pauses that are still open go on in the new one,
    since what they wait for has not come.  :class:`InvalidState` when the clock has ended.
    """
    _running(clock)
    at = _utc(at)
    return Clock(clock.rule, at, tuple(replace(each, start=at) for each in clock.pauses if each.end is None))


def extend(
    clock: Clock, amount: float | Decimal, unit: str, reason: str, by: str, at: datetime, calendar: WorkCalendar
) -> Clock:
    """Add ``amount`` of ``unit`` to the budget, as far as the rule allows.

    May still be granted on the due day until closing, not after (``design.md`` §4; ``domain.md`` §1.0.5 ``sub_extension``).
    :class:`ValidationFailed` for an amount that is refused or larger than the rule allows; :class:`InvalidState` when the
    rule knows no extension, the allowed number is used up, or the due day has passed.
    """
    _running(clock)
    label, allowed = clock.rule.label, clock.rule.extension
    if allowed is None:
        raise InvalidState("The limit “%(label)s” cannot be extended.", label=label)
    if len(clock.extensions) >= allowed.max_times:
        raise InvalidState(
            "The limit “%(label)s” has already been extended %(times)d time(s); no more is allowed.", label=label, times=len(clock.extensions)
        )
    number = checked(amount, unit)
    if unit != allowed.unit or (allowed.limit is not None and number > allowed.limit):
        most = amount_words(allowed.limit if allowed.limit is not None else number, allowed.unit)
        refusal = T("The limit “%(label)s” can be extended by at most %(most)s.", label=label, most=most)
        raise ValidationFailed(refusal, errors={"amount": [refusal]})
    at = _utc(at)
    due = due_of(clock, calendar)
    if due is not None and at >= due.overdue_at:
        raise InvalidState(
            "The limit “%(label)s” ended on %(day)s; an extension must be granted by then.", label=label, day=date_words(due.day)
        )
    return replace(clock, extensions=(*clock.extensions, Extension(number, unit, reason, by, at)))


def stop(clock: Clock, at: datetime) -> Clock:
    """End the clock: what the limit was for is done.  An open pause ends with it.  :class:`InvalidState` when it has ended."""
    _running(clock)
    at = _utc(at)
    closed = tuple(replace(each, end=max(at, each.start) if isinstance(each.start, datetime) else at) if each.end is None else each for each in clock.pauses)
    return replace(clock, pauses=closed, stopped_at=at)


# -- what a clock says -----------------------------------------------------------------------------------------------------


def derive(
    clock: Clock, calendar: WorkCalendar, now: datetime, *, warn_workdays: int = WARN_WORKDAYS, warn_share: Decimal | float = WARN_SHARE
) -> Derived:
    """Due date, days used and left, and the light of ``clock`` at ``now`` (aware; after the stop, as of the stop).

    The light turns yellow at the very moment a rung ``{remaining: …}`` of the same numbers fires.
    """
    now = min(_utc(now), clock.stopped_at) if clock.stopped_at else _utc(now)
    due = due_of(clock, calendar)
    measure = Measure(clock, calendar, due)
    overdue = due is not None and now >= due.overdue_at
    used, remaining = measure.used(now), measure.remaining(now)
    warned = due is not None and now >= measure.left_at(warn_workdays, Decimal(str(warn_share)))
    light = _light(clock, overdue, warned)
    return Derived(
        due_at=due.at if due else None,
        due_day=due.day if due else None,
        overdue_at=due.overdue_at if due else None,
        provisional=due.provisional if due else False,
        total=measure.total,
        used=used,
        remaining=remaining,
        paused=clock.paused,
        overdue=overdue,
        light=light,
        word=CLOSED_LATE if light == RED and clock.stopped_at else LIGHT_WORDS[light],
    )


def _light(clock: Clock, overdue: bool, warned: bool) -> str:
    # A pause that came after the due day does not undo the overrun, so red is asked before grey.
    if overdue:
        return RED
    if clock.stopped_at:
        return BLUE
    if clock.paused:
        return GREY
    return YELLOW if warned else GREEN


class Measure:
    """How much of a clock is used and left.  ``cursor`` is the last day that does not count towards the budget."""

    def __init__(self, clock: Clock, calendar: WorkCalendar, due: counting.Due | None) -> None:
        rule = clock.rule
        self.clock, self.calendar, self.due = clock, calendar, due
        self.hours = rule.unit in HOUR_UNITS
        self.unit = rule.unit if self.hours or rule.unit == WORKING_DAYS else "d"
        pauses = ledger_pauses(clock)
        self.paused_days = counting.paused_days(pauses, calendar)
        self.spans = counting.paused_spans(pauses, calendar)
        self.first = counting.start_day(rule, clock.started_at, calendar)
        self.cursor = self.first - counting.ONE_DAY if rule.count_first_day else self.first
        if rule.direction == "before" and due is not None:
            # Nothing says when preparing for an event begins; the time before its limit is taken to be as long as the limit.
            self.cursor = due.day - (self.first - due.day)
        self.began = counting.start_instant(clock.started_at, calendar)
        self.total = self._total()

    def _total(self) -> int | Decimal | None:
        if self.due is None:
            amounts = {self.clock.unit, *(each.unit for each in self.clock.extensions)}
            plain = amounts == {self.unit} and self.clock.budget is not None
            return self.clock.budget + sum(each.amount for each in self.clock.extensions) if plain else None
        if self.hours:
            return counting.unpaused_hours(self.began, self.due.at, self.unit, self.spans, self.calendar)
        return self.days(self.cursor, self.due.day, self.unit)

    def days(self, after: date, until: date, unit: str) -> int:
        return counting.unpaused_days(after, until, unit, self.paused_days, self.calendar)

    def today(self, now: datetime) -> date:
        return max(self.calendar.local(now).date(), self.cursor)

    def used(self, now: datetime) -> int | Decimal:
        """Unpaused days (or hours) gone at ``now``; the current day counts as used."""
        if self.hours:
            return counting.unpaused_hours(self.began, now, self.unit, self.spans, self.calendar)
        return self.days(self.cursor, self.today(now), self.unit)

    def remaining(self, now: datetime) -> int | None:
        """Working days left after today, negative when overdue (an act after closing belongs to the next working day)."""
        if self.due is None:
            return max(0, self.total - self.used(now)) if self.unit == WORKING_DAYS and self.total is not None else None
        if now >= self.due.overdue_at:
            return -overdue_workdays(self.due.day, now, self.calendar)
        return self.days(self.today(now), self.due.day, WORKING_DAYS)

    # -- the moments at which so much is used or left, for lights and rungs alike; only asked of a clock with a due day ------

    def used_at(self, share: Decimal) -> datetime:
        """When ``share`` of the whole is used: the opening of that office day, for hour rules the very instant."""
        if self.hours:
            return self._hour(share * self.total)
        return self._opening(self._day(self.unit, share * self.total))

    def after_start(self, workdays: int) -> datetime:
        """The opening of the ``workdays``-th unpaused working day after the start, at the latest when the limit runs out."""
        return self._opening(self._day(WORKING_DAYS, Decimal(workdays)))

    def left_at(self, workdays: int, share: Decimal) -> datetime:
        """When no more than ``workdays`` working days or ``share`` of the whole is left, whichever is earlier.

        For hour rules only the share counts: a working day is longer than most of their budgets.
        """
        if self.hours:
            return self._hour((1 - share) * self.total)
        working = self.days(self.cursor, self.due.day, WORKING_DAYS)
        by_share = self._day(self.unit, (1 - share) * self.total)
        return self._opening(min(by_share, self._day(WORKING_DAYS, Decimal(working - workdays))))

    def _hour(self, hours: Decimal) -> datetime:
        if hours <= 0:
            return self.began
        return counting.nth_unpaused_hour(self.began, self.unit, hours, self.spans, self.calendar) or self.due.at

    def _day(self, unit: str, amount: Decimal) -> date:
        """The day on which ``amount`` (rounded up) of the budget has been counted; the first day for nothing."""
        days = int(amount.to_integral_value(ROUND_CEILING))
        if days <= 0:
            return self.first
        return counting.nth_unpaused_day(self.cursor, unit, days, self.paused_days, self.calendar) or self.due.day

    def _opening(self, day: date) -> datetime:
        opens = self.calendar.opening(min(self.calendar.next_workday(day), self.due.day))
        # A limit before an event starts counting from the event, which lies after it: no start to wait for.
        return min(opens if self.clock.rule.direction == "before" else max(opens, self.began), self.due.at)


def overdue_workdays(due_day: date, now: datetime, calendar: WorkCalendar) -> int:
    """Working days by which a limit of ``due_day`` is over at ``now``, once it is; at least 1 (an act after closing belongs to the next one)."""
    return max(1, calendar.workdays_between(due_day, calendar.office_day(now)))


def ledger_pauses(clock: Clock) -> list[tuple[datetime | date, datetime | date | None]]:
    """The pauses of a clock as the counting functions take them."""
    return [(each.start, each.end) for each in clock.pauses]


def due_of(clock: Clock, calendar: WorkCalendar) -> counting.Due | None:
    """When the clock runs out with its pauses and extensions; ``None`` while an open pause holds it.

    Never before the instant that was told and is kept (:class:`Kept`).
    """
    due = computed_due(clock, calendar)
    if clock.kept is None or due is None:
        return due
    told = calendar.local(clock.kept.due_at)
    added = max(0, calendar.workdays_between(clock.kept.computed, due.day))
    kept = calendar.instant(calendar.add_workdays(told.date(), added), told.time()) if added else clock.kept.due_at
    return due if due.at >= kept else counting.Due(calendar.local(kept).date(), kept, due.provisional)


def computed_due(clock: Clock, calendar: WorkCalendar) -> counting.Due | None:
    """What the ledger and the calendar alone say, whatever people have been told."""
    return counting.due(
        clock.rule, clock.started_at, calendar, ledger_pauses(clock), [(each.amount, each.unit) for each in clock.extensions]
    )


# -- small words ---------------------------------------------------------------------------------------------------------------


def date_words(day: date) -> Words:
    """A date that is written the reader's way: 2026-11-23 or 2026年11月23日."""
    return T("%(year)d-%(month)02d-%(day)02d", year=day.year, month=day.month, day=day.day)


# -- small change --------------------------------------------------------------------------------------------------------------


def _running(clock: Clock) -> None:
    if clock.stopped_at is not None:
        raise InvalidState("The limit “%(label)s” has already ended.", label=clock.rule.label)


def _utc(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise EngineError("The instant %(instant)s has no time zone.", instant=at.isoformat())
    return at.astimezone(UTC)


def _written(moment: datetime | date | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _read(text: str | None) -> datetime | date | None:
    if text is None:
        return None
    return datetime.fromisoformat(text) if "T" in text else date.fromisoformat(text)


def _pause_to_dict(pause: Pause) -> dict[str, Any]:
    """Only what is known is written, so that a ledger of plain pauses reads as it always did."""
    notes = {name: getattr(pause, name) for name in _PAUSE_NOTES if getattr(pause, name) not in ("", None)}
    return {"start": _written(pause.start), "end": _written(pause.end), "reason": pause.reason, **notes}


def _pause_notes(stored: dict[str, Any]) -> dict[str, Any]:
    return {name: stored[name] for name in ("reason", *_PAUSE_NOTES) if name in stored}


def _kept_to_dict(kept: Kept) -> dict[str, Any]:
    return {"due_at": _written(kept.due_at), "computed": _written(kept.computed), "at": _written(kept.at), "by": kept.by, "reason": kept.reason}


def _kept_from_dict(stored: dict[str, Any] | None) -> Kept | None:
    return None if stored is None else Kept(_read(stored["due_at"]), _read(stored["computed"]), _read(stored["at"]), stored["by"], stored["reason"])


def checked_amount(stored: int | str, unit: str) -> int | Decimal:
    """An amount as :meth:`Clock.to_dict` wrote it."""
    return checked(Decimal(stored) if isinstance(stored, str) else stored, unit)
