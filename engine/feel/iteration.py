"""What ``for``, ``some`` and ``every`` run through."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from engine.feel.errors import LimitExceeded
from engine.feel.runtime import Env
from engine.feel.temporal import date_to_days, days_to_date
from engine.feel.values import Range, kind_of

_FARTHEST = 10**18  # beyond this a count is a mistake, and the numbers themselves become slow to count with


def iterate(source: Any, last: Any, ranged: bool, env: Env) -> Iterator[Any] | list[Any] | None:
    """The elements that ``in source`` or ``in source..last`` runs through; null when it cannot be run through."""
    if isinstance(source, Range) and not ranged:
        return _run_range(source, env)
    if ranged:
        return _run_between(source, last, env)
    if source is None:
        return env.rt.null("Null cannot be run through.")
    return source if isinstance(source, list) else [source]


def _run_range(source: Range, env: Env) -> Iterator[Any] | None:
    values = _run_between(source.low, source.high, env)
    if values is None:
        return None
    return (
        value
        for value in values
        if not (value == source.low and not source.low_closed) and not (value == source.high and not source.high_closed)
    )


def _run_between(first: Any, last: Any, env: Env) -> Iterator[Any] | None:
    kind = kind_of(first)
    if kind != kind_of(last) or kind not in ("number", "date"):
        return env.rt.null("Only whole numbers and dates can be run through from one to another.")
    if kind == "date":
        return (days_to_date(day) for day in _both_ways(date_to_days(first), date_to_days(last)))
    if abs(first) >= _FARTHEST or abs(last) >= _FARTHEST:
        raise LimitExceeded("Numbers beyond %(limit)d are not run through.", limit=_FARTHEST)
    if first != first.to_integral_value() or last != last.to_integral_value():
        return env.rt.null("Only whole numbers and dates can be run through from one to another.")
    return (Decimal(number) for number in _both_ways(int(first), int(last)))


def _both_ways(first: int, last: int) -> range:
    return range(first, last + 1) if first <= last else range(first, last - 1, -1)


class Partial:
    """The scope holding ``partial``: a copy each time it is read, so that what an iteration keeps of it stays as it was."""

    __slots__ = ("result", "env")

    def __init__(self, result: list[Any], env: Env) -> None:
        self.result = result
        self.env = env

    def __contains__(self, name: str) -> bool:
        return name == "partial"

    def __getitem__(self, name: str) -> list[Any]:
        self.env.rt.tick(1 + len(self.result) // 50)
        self.env.rt.produced(len(self.result))
        return list(self.result)
