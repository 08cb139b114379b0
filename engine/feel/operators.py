"""Equality, order and arithmetic over FEEL values (DMN 1.5 §10.3.2.3, tables 49–57).

Every function returns ``None`` for what the specification calls null, after leaving a note that says why.
"""

from __future__ import annotations

import decimal
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from engine.feel.runtime import Runtime
from engine.feel.temporal import DAY_NANOS, DateTime, DaysDuration, MonthsDuration, Time, add_months, date_to_days, days_to_date
from engine.feel.values import CONTEXT, Range, kind_of

TEMPORAL_ERRORS = (ValueError, OverflowError)
_DAYS, _MONTHS = "days and time duration", "years and months duration"


# -- equality ---------------------------------------------------------------------------------------------------------


def equal(left: Any, right: Any, rt: Runtime) -> bool | None:
    """``=``: true, false, or null for values of different kinds (null itself may be compared with anything)."""
    if left is None or right is None:
        return left is right
    kind = kind_of(left)
    if kind != kind_of(right):
        rt.null("A %(left)s cannot be compared with a %(right)s.", left=kind, right=kind_of(right))
        return None
    if kind == "list":
        return _equal_lists(left, right, rt)
    if kind == "context":
        return _equal_contexts(left, right, rt)
    if kind in ("time", "date and time"):
        if left.is_local != right.is_local:
            return False
        return left.universal() == right.universal() if kind == "time" else left.instant() == right.instant()
    if kind == "function":
        rt.null("Functions cannot be compared.")
        return None
    return left == right


def _equal_lists(left: list[Any], right: list[Any], rt: Runtime) -> bool | None:
    rt.tick(1 + min(len(left), len(right)))
    if len(left) != len(right):
        return False
    return all(equal(one, other, rt) is True for one, other in zip(left, right, strict=True))


def _equal_contexts(left: dict[str, Any], right: dict[str, Any], rt: Runtime) -> bool:
    rt.tick(1 + len(left))
    return left.keys() == right.keys() and all(equal(value, right[key], rt) is True for key, value in left.items())


# -- order ------------------------------------------------------------------------------------------------------------

_ORDERED = frozenset(("number", "string", "date", "time", "date and time", _DAYS, _MONTHS))


def order(left: Any, right: Any, rt: Runtime) -> int | None:
    """-1, 0 or 1; null for values that have no order between them."""
    kind, other = kind_of(left), kind_of(right)
    if kind != other or kind not in _ORDERED:
        rt.null("A %(left)s and a %(right)s have no order.", left=kind, right=other)
        return None
    if kind == "date":
        left, right = date_to_days(left), date_to_days(right)
    elif kind in ("time", "date and time"):
        if left.is_local != right.is_local:
            rt.null("A time with a zone and one without have no order.")
            return None
        left, right = (left.universal(), right.universal()) if kind == "time" else (left.instant(), right.instant())
    return (left > right) - (left < right)


_ORDER_TESTS: dict[str, Callable[[int], bool]] = {
    "<": lambda result: result < 0,
    "<=": lambda result: result <= 0,
    ">": lambda result: result > 0,
    ">=": lambda result: result >= 0,
}


def comparison(operator: str) -> Callable[[Any, Any, Runtime], bool | None]:
    """The function behind a comparison sign."""
    if operator == "=":
        return equal
    if operator == "!=":
        return unequal
    test = _ORDER_TESTS[operator]

    def compare(left: Any, right: Any, rt: Runtime) -> bool | None:
        result = order(left, right, rt)
        return None if result is None else test(result)

    return compare


def unequal(left: Any, right: Any, rt: Runtime) -> bool | None:
    result = equal(left, right, rt)
    return None if result is None else not result


def both(one: bool | None, other: bool | None) -> bool | None:
    """Three-valued and."""
    if one is False or other is False:
        return False
    return True if one is True and other is True else None


def within(value: Any, interval: Range, rt: Runtime) -> bool | None:
    """Whether a value lies in a range; null when that cannot be said."""
    if value is None:
        rt.null("Null is in no range.")
        return None
    low = high = True
    if interval.low_bounded:
        result = order(value, interval.low, rt)
        low = None if result is None else result > 0 or result == 0 and interval.low_closed
    if interval.high_bounded:
        result = order(value, interval.high, rt)
        high = None if result is None else result < 0 or result == 0 and interval.high_closed
    return None if low is None or high is None else low and high


def matches_test(value: Any, expected: Any, rt: Runtime) -> bool | None:
    """What a test means whose expression gave ``expected``: membership in a range or list, otherwise equality."""
    if isinstance(expected, Range) and not isinstance(value, Range):
        return within(value, expected, rt)
    if isinstance(expected, list):
        if isinstance(value, list) and equal(value, expected, rt) is True:
            return True
        rt.tick(len(expected))  # each element may be a range or a list of its own, which is counted again where it is looked at
        return any(item == value and type(item) is type(value) or matches_test(value, item, rt) is True for item in expected)
    return equal(value, expected, rt)


# -- arithmetic -------------------------------------------------------------------------------------------------------


def _add_numbers(left: Decimal, right: Decimal, rt: Runtime) -> Decimal:
    return CONTEXT.add(left, right)


def _join_strings(left: str, right: str, rt: Runtime) -> str:
    rt.characters(len(left) + len(right))
    return left + right


def _at_midnight(date: Any) -> DateTime:
    return DateTime(date, 0, 0)  # a date stands for the midnight UTC that begins it (DMN 1.5 §10.3.2.3.6)


def _date_plus_days(date: Any, duration: DaysDuration, rt: Runtime) -> Any:
    return days_to_date((date_to_days(date) * DAY_NANOS + duration.nanos) // DAY_NANOS)


def _difference(left: Any, right: Any, rt: Runtime) -> DaysDuration | None:
    left = left if isinstance(left, DateTime) else _at_midnight(left)
    right = right if isinstance(right, DateTime) else _at_midnight(right)
    if left.is_local != right.is_local:
        rt.null("A date and time with a zone and one without cannot be subtracted.")
        return None
    return DaysDuration(left.instant() - right.instant())


def _time_difference(left: Time, right: Time, rt: Runtime) -> DaysDuration | None:
    if left.is_local != right.is_local:
        rt.null("A time with a zone and one without cannot be subtracted.")
        return None
    return DaysDuration(left.universal() - right.universal())


def _swap(operation: Callable[[Any, Any, Runtime], Any]) -> Callable[[Any, Any, Runtime], Any]:
    return lambda left, right, rt: operation(right, left, rt)


def _minus(operation: Callable[[Any, Any, Runtime], Any]) -> Callable[[Any, Any, Runtime], Any]:
    return lambda left, right, rt: operation(left, negate(right, rt), rt)


def _scale_days(duration: DaysDuration, factor: Decimal, rt: Runtime) -> DaysDuration:
    return DaysDuration(int(CONTEXT.multiply(Decimal(duration.nanos), factor).to_integral_value(decimal.ROUND_HALF_EVEN)))


def _scale_months(duration: MonthsDuration, factor: Decimal, rt: Runtime) -> MonthsDuration:
    return MonthsDuration(int(CONTEXT.multiply(Decimal(duration.total), factor)))


def _divide_days(duration: DaysDuration, divisor: Decimal, rt: Runtime) -> DaysDuration:
    return DaysDuration(int(CONTEXT.divide(Decimal(duration.nanos), divisor).to_integral_value(decimal.ROUND_HALF_EVEN)))


def _divide_months(duration: MonthsDuration, divisor: Decimal, rt: Runtime) -> MonthsDuration:
    return MonthsDuration(int(CONTEXT.divide(Decimal(duration.total), divisor)))


def _power(base: Decimal, exponent: Decimal, rt: Runtime) -> Decimal:
    return Decimal(1) if not exponent and not base else CONTEXT.power(base, exponent)


Operation = Callable[[Any, Any, Runtime], Any]
_PLUS: dict[tuple[str, str], Operation] = {
    ("number", "number"): _add_numbers,
    ("string", "string"): _join_strings,
    ("date", _DAYS): _date_plus_days,
    ("date", _MONTHS): lambda date, duration, rt: add_months(date, duration.total),
    ("date and time", _DAYS): lambda moment, duration, rt: moment.plus(duration),
    ("date and time", _MONTHS): lambda moment, duration, rt: moment.plus_months(duration.total),
    ("time", _DAYS): lambda time, duration, rt: time.plus(duration),
    (_DAYS, _DAYS): lambda left, right, rt: DaysDuration(left.nanos + right.nanos),
    (_MONTHS, _MONTHS): lambda left, right, rt: MonthsDuration(left.total + right.total),
}
_MINUS = {kinds: _minus(operation) for kinds, operation in _PLUS.items() if kinds[1] in (_DAYS, _MONTHS)}
_PLUS |= {(right, left): _swap(operation) for (left, right), operation in _PLUS.items() if left != right}
_MINUS |= {(left, right): _difference for left in ("date", "date and time") for right in ("date", "date and time")}
_MINUS |= {("number", "number"): lambda left, right, rt: CONTEXT.subtract(left, right), ("time", "time"): _time_difference}
_TIMES: dict[tuple[str, str], Operation] = {(_DAYS, "number"): _scale_days, (_MONTHS, "number"): _scale_months}
_TIMES |= {(right, left): _swap(operation) for (left, right), operation in _TIMES.items()}
_TIMES[("number", "number")] = lambda left, right, rt: CONTEXT.multiply(left, right)

OPERATIONS: dict[str, dict[tuple[str, str], Operation]] = {
    "+": _PLUS,
    "-": _MINUS,
    "*": _TIMES,
    "/": {
        ("number", "number"): lambda left, right, rt: CONTEXT.divide(left, right),
        (_DAYS, "number"): _divide_days,
        (_MONTHS, "number"): _divide_months,
        (_DAYS, _DAYS): lambda left, right, rt: CONTEXT.divide(Decimal(left.nanos), Decimal(right.nanos)),
        (_MONTHS, _MONTHS): lambda left, right, rt: CONTEXT.divide(Decimal(left.total), Decimal(right.total)),
    },
    "**": {("number", "number"): _power},
}


def calculate(operator: str, left: Any, right: Any, rt: Runtime) -> Any:
    """Apply an arithmetic sign; null with a note when the kinds do not fit or the result does not exist."""
    kinds = (kind_of(left), kind_of(right))
    operation = OPERATIONS[operator].get(kinds)
    if operation is None:
        rt.null('"%(operator)s" is not defined between a %(left)s and a %(right)s.', operator=operator, left=kinds[0], right=kinds[1])
        return None
    try:
        return operation(left, right, rt)
    except decimal.DivisionByZero:
        rt.null("Division by zero.")
    except (decimal.DecimalException, *TEMPORAL_ERRORS):
        rt.null('"%(operator)s" has no result for these values.', operator=operator)
    return None


def negate(value: Any, rt: Runtime) -> Any:
    """Unary minus for numbers and durations."""
    if isinstance(value, Decimal):
        return CONTEXT.minus(value)
    if isinstance(value, DaysDuration):
        return DaysDuration(-value.nanos)
    if isinstance(value, MonthsDuration):
        return MonthsDuration(-value.total)
    rt.null("A %(kind)s has no negative.", kind=kind_of(value))
    return None
