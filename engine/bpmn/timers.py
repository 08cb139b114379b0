"""When a timer is due (BPMN 2.0 §10.5.5, table 10.101; ISO 8601; the dialect's cron cycles)."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from apscheduler.triggers.cron import CronTrigger

from engine.bpmn.elements import ElementFailure
from engine.feel.temporal import DateTime, DaysDuration, MonthsDuration, add_months, parse_date, parse_date_time, parse_duration
from engine.words import T

OFFICE_ZONE = ZoneInfo("Asia/Shanghai")
"""A date and time without a zone is meant in the office's."""

_REPEAT = re.compile(r"R(-?\d*)/(?:(.+)/)?(P.+)\Z")
_CRON_FIELDS = ("second", "minute", "hour", "day", "month", "day_of_week")


@dataclass(frozen=True)
class Due:
    """When a timer fires first, how often after that (-1: without end), and the rule for the next firing."""

    at: dt.datetime
    repeats: int = 0
    every: str | None = None


def first_due(timer_type: str, value: Any, now: dt.datetime, label: str) -> Due:
    """Read a timer's value: ``timer_type`` is date, duration or cycle; ``value`` an ISO text or a FEEL temporal.

    A time in the past is due at once.  Raises :class:`ElementFailure` for what cannot be read.
    """
    try:
        if timer_type == "date":
            return Due(_moment(value))
        if timer_type == "duration":
            return Due(_after(value, now))
        return _cycle(value, now)
    except (ValueError, TypeError, OverflowError, AttributeError) as error:
        raise ElementFailure(
            "TIMER_ERROR",
            T(
                "The timer of “%(label)s” gives %(value)s, which is no %(kind)s.",
                label=label,
                value=repr(value) if value is None else str(value),
                kind=timer_type,
            ),
        ) from error


def next_due(every: str, last: dt.datetime) -> dt.datetime | None:
    """The firing after ``last``, counted from when it was due, not from when it ran, so that a cycle does not drift."""
    if every.startswith("P"):
        return _after(every, last)
    return _cron(every).get_next_fire_time(last, last + dt.timedelta(seconds=1))


def readable(kind: str, text: str) -> bool:
    """Whether a literal timer text of a model can be read (``kind`` is the element's name, ``timeDate`` …)."""
    try:
        first_due(kind[4:].lower(), text, dt.datetime(2026, 1, 1, tzinfo=dt.UTC), "")
    except ElementFailure:
        return False
    return True


def cycle(repetitions: Any, interval: Any = None) -> str | None:
    """The dialect's FEEL function: ``cycle(3, duration("PT1H"))`` fires three times, ``cycle(duration("PT1H"))`` without end.

    Gives the ISO 8601 text ``R3/PT1H``, or null for what makes no cycle.
    """
    if interval is None:
        repetitions, interval = None, repetitions
    if not isinstance(interval, (DaysDuration, MonthsDuration)):
        return None
    if repetitions is not None and (isinstance(repetitions, bool) or not isinstance(repetitions, (int, Decimal)) or repetitions != int(repetitions)):
        return None
    return f"R{'' if repetitions is None else int(repetitions)}/{interval}"


MODEL_FUNCTIONS = {"cycle": cycle}
"""FEEL functions that every expression of a model has, beside those of the host."""


def _moment(value: Any) -> dt.datetime:
    if isinstance(value, dt.datetime):
        return value if value.tzinfo else value.replace(tzinfo=OFFICE_ZONE)
    if isinstance(value, str):
        value = parse_date_time(value) if "T" in value else parse_date(value)
    if isinstance(value, DateTime):
        return value.to_datetime(OFFICE_ZONE)
    return dt.datetime.combine(value, dt.time(), tzinfo=OFFICE_ZONE)


def _after(value: Any, start: dt.datetime) -> dt.datetime:
    if isinstance(value, str):
        value = parse_duration(value)
    if isinstance(value, dt.timedelta):
        return start + value
    if isinstance(value, DaysDuration):
        return start + value.to_timedelta()
    if isinstance(value, MonthsDuration):
        local = start.astimezone(OFFICE_ZONE)
        return dt.datetime.combine(add_months(local.date(), value.total), local.timetz()).astimezone(dt.UTC)
    raise TypeError("not a duration")


def _cycle(value: Any, now: dt.datetime) -> Due:
    if isinstance(value, (DaysDuration, MonthsDuration)):
        return Due(_after(value, now), -1, str(value))
    text = value.strip()
    match = _REPEAT.match(text)
    if match:
        count, start, duration = match.groups()
        parse_duration(duration)
        repeats = -1 if count in ("", "-1") else int(count)
        if repeats == 0 or repeats < -1:
            raise ValueError("a cycle fires at least once")
        first = _moment(start) if start else _after(duration, now)
        return Due(first, -1 if repeats == -1 else repeats - 1, duration)
    first = _cron(text).get_next_fire_time(None, now)
    if first is None:
        raise ValueError("never")
    return Due(first, -1, text)


def _cron(text: str) -> CronTrigger:
    """Six fields, seconds first, as the dialect writes them; ``?`` means ``*``."""
    fields = text.replace("?", "*").split()
    if len(fields) != 6:
        raise ValueError("a cron expression has six fields")
    # The dialect counts Sunday as 0 or 7, APScheduler Monday as 0: names are free of the doubt.
    days = ("sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun")
    fields[5] = re.sub(r"(?<![\w/#])\d", lambda match: days[int(match.group())], fields[5].lower())
    return CronTrigger(timezone=OFFICE_ZONE, **dict(zip(_CRON_FIELDS, fields, strict=True)))
