"""Moments as models and forms write them, turned into instants and office days."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timezone, tzinfo
from typing import Any

from engine.errors import ValidationFailed
from engine.feel.temporal import DateTime, parse_temporal
from engine.feel.values import from_python
from engine.words import T


def moment(value: Any, zone: tzinfo) -> datetime | date | None:
    """An aware UTC instant or a day from a FEEL value, ISO text or a Python value; ``None`` for nothing.

    Times that name no zone are office time.  :class:`ValidationFailed` for what is no moment.
    """
    if value is None or value == "":
        return None
    if isinstance(value, str):
        try:
            value = parse_temporal(value.strip())
        except Exception as error:
            raise ValidationFailed("“%(value)s” is not a date or a date and time.", value=value[:60]) from error
    try:
        if isinstance(value, DateTime):
            value = value.to_datetime(default=zone)
        if isinstance(value, datetime):
            return (value if value.tzinfo else value.replace(tzinfo=zone)).astimezone(UTC)
        if isinstance(value, date):
            return value
    except (ValueError, OverflowError) as error:
        raise ValidationFailed("“%(value)s” is not a date or a date and time.", value=str(value)[:60]) from error
    raise ValidationFailed(T("“%(value)s” is not a date or a date and time.", value=str(value)[:60]))


def instant(value: Any, zone: tzinfo) -> datetime | None:
    """Like :func:`moment`, but always an instant: a day begins at midnight, office time."""
    found = moment(value, zone)
    if found is None or isinstance(found, datetime):
        return found
    return datetime.combine(found, time.min, zone).astimezone(UTC)


def office_time(at: datetime, zone: tzinfo) -> datetime:
    """The same instant in office time, with a plain offset (``+08:00``) as variables keep it."""
    local = at.astimezone(zone)
    return local.replace(tzinfo=timezone(local.utcoffset()))  # type: ignore[arg-type]


def feel_time(at: datetime, zone: tzinfo) -> Any:
    """The FEEL date and time of an instant."""
    return from_python(office_time(at, zone))
