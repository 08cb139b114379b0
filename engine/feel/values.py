"""The values that FEEL computes with, and the ways in and out.

============================  =====================================================================
FEEL                          Python
============================  =====================================================================
null, boolean, string         ``None``, ``bool``, ``str``
number                        :class:`decimal.Decimal`, 34 digits (``bool`` is never a number)
date                          :class:`datetime.date`, beyond years 1–9999 :class:`FarDate`
time, date and time           :class:`Time`, :class:`DateTime`
durations                     :class:`DaysDuration`, :class:`MonthsDuration`
list, context                 ``list``, ``dict`` with string keys
range, function               :class:`Range`, :class:`Function`, :class:`Builtin` or any host callable
============================  =====================================================================
"""

from __future__ import annotations

import datetime as dt
import decimal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from engine.feel.errors import FeelError, LimitExceeded
from engine.feel.limits import MAX_ITEMS, MAX_STRING
from engine.feel.temporal import NANOS, DateTime, DaysDuration, FarDate, MonthsDuration, Time, offset_text
from engine.words import T, Words

__all__ = [
    "CONTEXT", "KIND_WORDS", "Builtin", "DateTime", "DaysDuration", "FarDate", "Function", "MonthsDuration", "Range", "Time",
    "from_python", "kind_of", "number_text", "offset_text", "property_of", "to_json", "to_text",
]  # fmt: skip

# decimal128 of IEEE 754-2008, which DMN 1.5 §10.3.2.3.1 names as the number type.
CONTEXT = decimal.Context(
    prec=34,
    rounding=decimal.ROUND_HALF_EVEN,
    Emin=-6143,
    Emax=6144,
    capitals=1,
    clamp=0,
    flags=[],
    traps=[decimal.InvalidOperation, decimal.DivisionByZero, decimal.Overflow],
)
MAX_VALUE_DEPTH = 100


@dataclass(frozen=True, slots=True)
class Range:
    """An interval.  ``low_bounded``/``high_bounded`` are false for the open side of a comparison such as ``< 10``;

    a bounded side may still be null, and then nothing can be said about membership (DMN 1.5 §10.3.2.7).
    """

    low: Any
    high: Any
    low_closed: bool = True
    high_closed: bool = True
    low_bounded: bool = True
    high_bounded: bool = True

    def __str__(self) -> str:
        return to_text(self)


@dataclass(frozen=True, slots=True, eq=False)
class Function:
    """A function defined in FEEL: parameter names, their type texts, and what to run with the bound arguments."""

    parameters: tuple[str, ...]
    types: tuple[Any, ...]
    call: Callable[..., Any]
    known_types: Mapping[str, Any] | None = None  # the named types where the function was defined; none: those of the caller

    def __str__(self) -> str:
        return f"function({', '.join(self.parameters)})"


@dataclass(frozen=True, slots=True, eq=False)
class Builtin:
    """A built-in function with its overloads (see :mod:`engine.feel.builtins.registry`)."""

    name: str
    overloads: list[Any]

    def __str__(self) -> str:
        return self.name


_KINDS: dict[type, str] = {
    type(None): "null",
    bool: "boolean",
    Decimal: "number",
    str: "string",
    dt.date: "date",
    FarDate: "date",
    Time: "time",
    DateTime: "date and time",
    DaysDuration: "days and time duration",
    MonthsDuration: "years and months duration",
    list: "list",
    dict: "context",
    Range: "range",
    Function: "function",
    Builtin: "function",
}
# What the kinds are called when a sentence speaks of them.
KIND_WORDS: dict[str, Words] = {
    "null": T("null"),
    "boolean": T("boolean"),
    "number": T("number"),
    "string": T("string"),
    "date": T("date"),
    "time": T("time"),
    "date and time": T("date and time"),
    "days and time duration": T("days and time duration"),
    "years and months duration": T("years and months duration"),
    "list": T("list"),
    "context": T("context"),
    "range": T("range"),
    "function": T("function"),
}
_AS_THEY_ARE = frozenset(_KINDS) - {Decimal, list, dict}


def kind_of(value: Any) -> str:
    """The FEEL name of a value's kind; a host callable is a function."""
    return _KINDS.get(type(value)) or "function"


def from_python(value: Any, depth: int = 0) -> Any:
    """Turn a host value into a FEEL value (lists and mappings are copied).

    Accepts what JSON, the standard library and this package offer; ``NaN`` and infinities become null.  Raises
    :class:`FeelError` for a kind of object that has no meaning in FEEL.
    """
    kind = type(value)
    if kind in _AS_THEY_ARE:
        return value
    if kind is Decimal:
        return value if value.is_finite() else None
    if depth > MAX_VALUE_DEPTH:
        raise LimitExceeded("A value is nested more than %(limit)d levels deep.", limit=MAX_VALUE_DEPTH)
    if isinstance(value, int):
        return CONTEXT.create_decimal(int(value))
    if isinstance(value, float):
        return Decimal(repr(float(value))) if value == value and abs(value) != float("inf") else None
    if isinstance(value, str):
        return str.__str__(value) if kind is str else "".join(value)
    if isinstance(value, Mapping):
        return {str(key): from_python(item, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [from_python(item, depth + 1) for item in value]
    if isinstance(value, dt.datetime):
        return _from_datetime(value)
    if isinstance(value, dt.date):
        return dt.date(value.year, value.month, value.day)
    if isinstance(value, dt.time):
        offset = value.utcoffset()
        seconds = None if offset is None else int(offset.total_seconds())
        return Time(_clock_nanos(value), seconds, None)
    if isinstance(value, dt.timedelta):
        return DaysDuration((value.days * 86_400 + value.seconds) * NANOS + value.microseconds * 1000)
    if isinstance(value, Decimal):
        return Decimal(value) if value.is_finite() else None
    if callable(value):
        return value
    raise FeelError("A value of the kind %(kind)s cannot be used in an expression.", kind=kind.__name__)


def _clock_nanos(value: dt.time | dt.datetime) -> int:
    return ((value.hour * 60 + value.minute) * 60 + value.second) * NANOS + value.microsecond * 1000


def _from_datetime(value: dt.datetime) -> DateTime:
    offset = value.utcoffset()
    key = getattr(value.tzinfo, "key", None)
    date = dt.date(value.year, value.month, value.day)
    if offset is None:
        return DateTime(date, _clock_nanos(value))
    if key is not None and key != "UTC":
        return DateTime(date, _clock_nanos(value), None, key)
    return DateTime(date, _clock_nanos(value), int(offset.total_seconds()))


def number_text(value: Decimal) -> str:
    """Plain digits without exponent and without trailing zeros."""
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


class _Writer:
    """Builds the text of a value, counting what it writes: shared parts could otherwise multiply without end."""

    def __init__(self) -> None:
        self.size = 0

    def text(self, value: Any, quoted: bool) -> str:
        kind = kind_of(value)
        if kind == "string":
            result = '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"' if quoted else value
        elif kind == "number":
            result = number_text(value)
        elif kind == "boolean":
            result = "true" if value else "false"
        elif kind == "null":
            result = "null"
        elif kind == "date":
            result = value.isoformat()
        elif kind == "list":
            result = "[" + ", ".join([self.text(item, True) for item in value]) + "]"
        elif kind == "context":
            result = "{" + ", ".join([f"{self.key(key)}: {self.text(item, True)}" for key, item in value.items()]) + "}"
        elif kind == "range":
            result = self.range(value)
        else:
            result = str(value)
        self.size += 1 + (len(result) if kind not in ("list", "context", "range") else 2)
        if self.size > MAX_STRING:
            raise LimitExceeded("The text would be longer than %(limit)d characters.", limit=MAX_STRING)
        return result

    def key(self, key: str) -> str:
        return key if all(part.isidentifier() for part in key.split(" ")) else self.text(key, True)

    def range(self, value: Range) -> str:
        if not value.low_bounded:
            return f"{'<=' if value.high_closed else '<'} {self.text(value.high, True)}"
        if not value.high_bounded:
            return f"{'>=' if value.low_closed else '>'} {self.text(value.low, True)}"
        low, high = self.text(value.low, True), self.text(value.high, True)
        return f"{'[' if value.low_closed else '('}{low}..{high}{']' if value.high_closed else ')'}"


def to_text(value: Any) -> str:
    """The text that FEEL's ``string()`` gives (null included, as ``null``)."""
    try:
        return _Writer().text(value, False)
    except RecursionError:
        raise LimitExceeded("A value is nested more than %(limit)d levels deep.", limit=MAX_VALUE_DEPTH) from None


def to_json(value: Any, *, exact: bool = True) -> Any:
    """Turn a FEEL value into what JSON can carry.

    Integral numbers become ``int``; others ``float`` when that loses nothing, else stay ``Decimal``.  Dates, times,
    durations and ranges become their FEEL text; a function becomes its text.  With ``exact=False`` no ``Decimal`` is left:
    the nearest ``float`` (or, beyond its range, the text) stands for it, for records that are only looked at.
    """
    return _to_json(value, [0], exact, 0)


def _to_json(value: Any, count: list[int], exact: bool, depth: int) -> Any:
    count[0] += 1
    if depth > MAX_VALUE_DEPTH:
        raise LimitExceeded("A value is nested more than %(limit)d levels deep.", limit=MAX_VALUE_DEPTH)
    if count[0] > MAX_ITEMS:
        raise LimitExceeded("The value has more than %(limit)d parts.", limit=MAX_ITEMS)
    kind = kind_of(value)
    if kind in ("null", "boolean", "string"):
        return value
    if kind == "number":
        if value.adjusted() > 1000:  # more digits than Python writes out as an integer
            return value if exact else number_text(value)
        if value == value.to_integral_value():
            return int(value)
        number = float(value)
        return number if not exact or Decimal(repr(number)) == value else value
    if kind == "list":
        return [_to_json(item, count, exact, depth + 1) for item in value]
    if kind == "context":
        return {key: _to_json(item, count, exact, depth + 1) for key, item in value.items()}
    return to_text(value)


def _weekday(value: Any) -> Decimal:
    return Decimal((value.date if isinstance(value, DateTime) else value).isoweekday())


def _time_offset(value: Time | DateTime) -> DaysDuration | None:
    offset = value.offset_seconds()
    return None if offset is None else DaysDuration(offset * NANOS)


def _number(name: str) -> Callable[[Any], Decimal]:
    return lambda value: Decimal(getattr(value, name))


_DATE_PROPERTIES: dict[str, Callable[[Any], Any]] = {name: _number(name) for name in ("year", "month", "day")}
_DATE_PROPERTIES["weekday"] = _weekday
_TIME_PROPERTIES: dict[str, Callable[[Any], Any]] = {name: _number(name) for name in ("hour", "minute", "second")}
_TIME_PROPERTIES |= {"time offset": _time_offset, "timezone": lambda value: value.zone}

# DMN 1.5 table 65: the properties of values that are not contexts.
PROPERTIES: dict[str, dict[str, Callable[[Any], Any]]] = {
    "date": _DATE_PROPERTIES,
    "time": _TIME_PROPERTIES,
    "date and time": _DATE_PROPERTIES | _TIME_PROPERTIES,
    "days and time duration": {name: _number(name) for name in ("days", "hours", "minutes", "seconds")},
    "years and months duration": {name: _number(name) for name in ("years", "months")},
    "range": {
        "start": lambda value: value.low,
        "end": lambda value: value.high,
        "start included": lambda value: value.low_closed and value.low_bounded,
        "end included": lambda value: value.high_closed and value.high_bounded,
    },
}


def property_of(value: Any, name: str) -> tuple[bool, Any]:
    """Return ``(known, value)`` of a property of a temporal value or a range."""
    getter = PROPERTIES.get(kind_of(value), {}).get(name)
    return (False, None) if getter is None else (True, getter(value))
