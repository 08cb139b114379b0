"""Allen's relations between points and ranges (DMN 1.5 §10.3.4.10) and ``range(…)`` (§10.3.4.1)."""

from __future__ import annotations

from typing import Any

from engine.feel.builtins.registry import builtin
from engine.feel.operators import order
from engine.feel.runtime import Runtime
from engine.feel.values import Range

POINT = "num|str|date|time|dt|days|months"


class _Unordered(Exception):
    """Two ends cannot be compared; the answer of the whole function is null."""


def _cmp(left: Any, right: Any, rt: Runtime) -> int:
    result = order(left, right, rt)
    if result is None:
        raise _Unordered
    return result


def _relation(name: str, one: str, other: str, first: str, second: str):
    """Declare one overload; the function may raise :class:`_Unordered`."""

    def declare(run):
        def guarded(rt: Runtime, left: Any, right: Any) -> bool | None:
            try:
                return run(rt, left, right)
            except _Unordered:
                return None

        builtin(name, f"{first}: {one}, {second}: {other}")(guarded)
        return run

    return declare


# -- range and range --------------------------------------------------------------------------------------------------


def range_before(rt: Runtime, a: Range, b: Range) -> bool:
    result = _cmp(a.high, b.low, rt)
    return result < 0 or result == 0 and not (a.high_closed and b.low_closed)


def meets(rt: Runtime, a: Range, b: Range) -> bool:
    return a.high_closed and b.low_closed and _cmp(a.high, b.low, rt) == 0


def overlaps(rt: Runtime, a: Range, b: Range) -> bool:
    return not range_before(rt, a, b) and not range_before(rt, b, a)


def _starts_earlier(rt: Runtime, a: Range, b: Range) -> bool:
    result = _cmp(a.low, b.low, rt)
    return result < 0 or result == 0 and a.low_closed and not b.low_closed


def _ends_earlier(rt: Runtime, a: Range, b: Range) -> bool:
    result = _cmp(a.high, b.high, rt)
    return result < 0 or result == 0 and not a.high_closed and b.high_closed


def overlaps_before(rt: Runtime, a: Range, b: Range) -> bool:
    return overlaps(rt, a, b) and _starts_earlier(rt, a, b) and not _ends_earlier(rt, b, a)


def finishes(rt: Runtime, a: Range, b: Range) -> bool:
    return a.high_closed == b.high_closed and _cmp(a.high, b.high, rt) == 0 and not _starts_earlier(rt, a, b)


def includes(rt: Runtime, a: Range, b: Range) -> bool:
    return not _starts_earlier(rt, b, a) and not _ends_earlier(rt, a, b)


def starts(rt: Runtime, a: Range, b: Range) -> bool:
    return a.low_closed == b.low_closed and _cmp(a.low, b.low, rt) == 0 and not _ends_earlier(rt, b, a)


def coincides(rt: Runtime, a: Range, b: Range) -> bool:
    same_ends = _cmp(a.low, b.low, rt) == 0 and _cmp(a.high, b.high, rt) == 0
    return same_ends and a.low_closed == b.low_closed and a.high_closed == b.high_closed


# -- point and range --------------------------------------------------------------------------------------------------


def point_before_range(rt: Runtime, point: Any, a: Range) -> bool:
    if not a.low_bounded:
        return False
    result = _cmp(point, a.low, rt)
    return result < 0 or result == 0 and not a.low_closed


def range_before_point(rt: Runtime, a: Range, point: Any) -> bool:
    if not a.high_bounded:
        return False
    result = _cmp(a.high, point, rt)
    return result < 0 or result == 0 and not a.high_closed


def includes_point(rt: Runtime, a: Range, point: Any) -> bool:
    return not point_before_range(rt, point, a) and not range_before_point(rt, a, point)


def finished_by_point(rt: Runtime, a: Range, point: Any) -> bool:
    return a.high_closed and _cmp(a.high, point, rt) == 0


def started_by_point(rt: Runtime, a: Range, point: Any) -> bool:
    return a.low_closed and _cmp(a.low, point, rt) == 0


def _mirror(run):
    return lambda rt, left, right: run(rt, right, left)


_RANGES = {
    "before": range_before,
    "after": _mirror(range_before),
    "meets": meets,
    "met by": _mirror(meets),
    "overlaps": overlaps,
    "overlaps before": overlaps_before,
    "overlaps after": _mirror(overlaps_before),
    "finishes": finishes,
    "finished by": _mirror(finishes),
    "includes": includes,
    "during": _mirror(includes),
    "starts": starts,
    "started by": _mirror(starts),
    "coincides": coincides,
}
_POINT_RANGE = {
    "before": point_before_range,
    "after": _mirror(range_before_point),
    "finishes": _mirror(finished_by_point),
    "during": _mirror(includes_point),
    "starts": _mirror(started_by_point),
}
_RANGE_POINT = {
    "before": range_before_point,
    "after": _mirror(point_before_range),
    "finished by": finished_by_point,
    "includes": includes_point,
    "started by": started_by_point,
}
_POINTS = {
    "before": lambda rt, one, other: _cmp(one, other, rt) < 0,
    "after": lambda rt, one, other: _cmp(one, other, rt) > 0,
    "coincides": lambda rt, one, other: _cmp(one, other, rt) == 0,
}
for _table, _one, _other, _first, _second in (
    (_POINTS, POINT, POINT, "point1", "point2"),
    (_POINT_RANGE, POINT, "range", "point", "range"),
    (_RANGE_POINT, "range", POINT, "range", "point"),
    (_RANGES, "range", "range", "range1", "range2"),
):
    for _name, _run in _table.items():
        _relation(_name, _one, _other, _first, _second)(_run)


@builtin("range", "from: str")
def range_of_text(rt: Runtime, text: str) -> Range | None:
    """Read ``"[1..5)"``; the ends are literals or the constructors of dates, times and durations."""
    from engine.feel.literals import parse_range

    result = parse_range(text)
    return result if result is not None else rt.null('"%(text)s" is not a range.', text=text[:80])
