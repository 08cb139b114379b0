"""A clock that an administrator can move forward, for demonstrations and training only.

The shown time is the machine's time plus an offset kept in table ``setting``.  All nodes read the same row, at most once a
second, so they agree to within that second.  The offset only ever grows: time that has fired rungs and closed limits cannot
be taken back.  When ``demo`` is off in the settings nothing of this exists: no route, no banner, the plain clock.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day

from engine.deadlines.calendar import WorkCalendar
from engine.errors import ValidationFailed
from engine.words import T, Words

log = logging.getLogger(__name__)

REREAD_SECONDS = 1.0


def _real_utc() -> datetime:
    return datetime.now(UTC)


class DemoClock:
    """A callable giving the shown time, an aware UTC datetime: the real time plus the offset that ``read`` returns.

    ``read`` returns the offset in seconds; it is given with :meth:`follow` once the engine exists, because the engine itself
    needs the clock to be made.  Until then the offset is nil.
    """

    def __init__(self, real: Callable[[], datetime] = _real_utc, stopwatch: Callable[[], float] = time.monotonic) -> None:
        self._real, self._stopwatch = real, stopwatch
        self._read: Callable[[], int] | None = None
        self._offset = timedelta(0)
        self._read_at: float | None = None
        self._lock = threading.Lock()

    def follow(self, read: Callable[[], int]) -> None:
        """From now on ask ``read`` for the offset."""
        self._read = read
        self.refresh()

    def refresh(self) -> None:
        """Forget when the setting was read last; the next question reads it again."""
        with self._lock:
            self._read_at = None

    def advance(self, seconds: int) -> None:
        """The offset is now ``seconds``, as this node knows without reading; a smaller one than before is ignored."""
        self._offset = max(self._offset, timedelta(seconds=seconds))

    @property
    def offset(self) -> timedelta:
        """How far the shown time is ahead of the real one."""
        read = self._read
        if read is None:
            return self._offset
        now = self._stopwatch()
        with self._lock:
            due = self._read_at is None or now - self._read_at >= REREAD_SECONDS
            if due:
                # Marked before reading: whoever asks meanwhile, and the reading itself, gets the offset known so far.
                self._read_at = now
        if due:
            try:
                seconds = read()
            except Exception:
                # A database that cannot be read this second must not stop the clock; the next second tries again.
                log.warning("the demo clock could not read its offset", exc_info=True)
            else:
                self.advance(seconds)
        return self._offset

    def __call__(self) -> datetime:
        return self._real() + self.offset


@dataclass(frozen=True)
class Step:
    """A button of the demo clock."""

    name: str
    label: Words
    target: Callable[[datetime, WorkCalendar], datetime]


def _next_working_day(now: datetime, calendar: WorkCalendar) -> datetime:
    local = now.astimezone(calendar.zone)
    return datetime.combine(calendar.add_workdays(local.date(), 1), local.timetz()).astimezone(UTC)


STEPS = {
    step.name: step
    for step in (
        Step("hour", T("+1 hour"), lambda now, calendar: now + timedelta(hours=1)),
        Step("workday", T("+1 working day"), _next_working_day),
        Step("days", T("+3 days"), lambda now, calendar: now + timedelta(days=3)),
    )
}

FARTHEST = timedelta(days=3 * 366)
"""One move may not go farther: a slip in the year would close every limit of the demonstration for good."""


def target_of(step: str | None, day: str | None, now: datetime, calendar: WorkCalendar) -> datetime:
    """The instant (UTC) a request asks for: a named step, or a day ``YYYY-MM-DD`` at the opening of the office.

    Today's date means nothing to move to.  Raises :class:`ValidationFailed` in words for anything else, for a date that is
    not later than the shown one, and for one more than three years ahead.
    """
    if step:
        if step not in STEPS:
            raise ValidationFailed("The demo clock knows no step “%(step)s”.", step=step)
        return STEPS[step].target(now, calendar)
    try:
        wanted = date.fromisoformat(day or "")
    except ValueError:
        raise ValidationFailed("Enter the date to move to as year-month-day, for example 2026-12-01.") from None
    opening: time_of_day = calendar.hours.opening(wanted)
    target = datetime.combine(wanted, opening, tzinfo=calendar.zone).astimezone(UTC)
    if target <= now:
        raise ValidationFailed("The demo clock only moves forward; choose a date after the shown time.")
    if target - now > FARTHEST:
        raise ValidationFailed("That is more than three years ahead; choose a nearer date.")
    return target
