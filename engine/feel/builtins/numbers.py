"""Numeric functions (DMN 1.5 §10.3.4.5) and the conversion to number (§10.3.4.1)."""

from __future__ import annotations

import decimal
import re
from decimal import Decimal
from typing import Any

from engine.feel.builtins.registry import builtin
from engine.feel.runtime import Runtime
from engine.feel.temporal import DaysDuration, MonthsDuration
from engine.feel.values import CONTEXT

MIN_SCALE, MAX_SCALE = -6111, 6176
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,5})?", re.ASCII)
_ROUNDING_CONTEXT = decimal.Context(prec=80, Emin=-99999, Emax=99999, traps=[decimal.InvalidOperation])


def rounded(rt: Runtime, n: Decimal, scale: Decimal, mode: str) -> Decimal | None:
    """Round to ``scale`` decimals (cut to a whole number); null outside the scales of decimal128."""
    places = int(scale)
    if not MIN_SCALE <= places <= MAX_SCALE:
        return rt.null("The scale %(scale)d is outside the permitted range.", scale=places)
    if -n.as_tuple().exponent <= places:
        return n
    try:
        result = n.quantize(Decimal(1).scaleb(-places, _ROUNDING_CONTEXT), mode, _ROUNDING_CONTEXT)
    except decimal.DecimalException:
        return rt.null("The number cannot be rounded to this scale.")
    return result if result else Decimal(0)  # never a negative zero


def _rounding(name: str, signature: str, mode: str) -> None:
    @builtin(name, signature)
    def run(rt: Runtime, n: Decimal, scale: Decimal = Decimal(0)) -> Decimal | None:
        return rounded(rt, n, scale, mode)


for _name, _signature, _mode in (
    ("decimal", "n: num, scale: num", decimal.ROUND_HALF_EVEN),
    ("floor", "n: num, scale?: num", decimal.ROUND_FLOOR),
    ("ceiling", "n: num, scale?: num", decimal.ROUND_CEILING),
    ("round up", "n: num, scale: num", decimal.ROUND_UP),
    ("round down", "n: num, scale: num", decimal.ROUND_DOWN),
    ("round half up", "n: num, scale: num", decimal.ROUND_HALF_UP),
    ("round half down", "n: num, scale: num", decimal.ROUND_HALF_DOWN),
):
    _rounding(_name, _signature, _mode)


@builtin("abs", "n: num|days|months")
def absolute(rt: Runtime, n: Any) -> Any:
    if isinstance(n, DaysDuration):
        return DaysDuration(abs(n.nanos))
    return MonthsDuration(abs(n.total)) if isinstance(n, MonthsDuration) else CONTEXT.abs(n)


@builtin("modulo", "dividend: num, divisor: num")
def modulo(rt: Runtime, dividend: Decimal, divisor: Decimal) -> Decimal | None:
    """dividend - divisor × floor(dividend / divisor): the sign is the divisor's."""
    if not divisor:
        return rt.null("Division by zero.")
    try:
        rest = CONTEXT.remainder(dividend, divisor)
    except decimal.DecimalException:
        return rt.null("The quotient is too large.")
    return CONTEXT.add(rest, divisor) if rest and (rest < 0) != (divisor < 0) else rest


def _function(name: str, operation: Any) -> None:
    @builtin(name, "number: num")
    def run(rt: Runtime, number: Decimal) -> Decimal | None:
        try:
            result = operation(number)
        except decimal.DecimalException:
            result = None
        if result is None or not result.is_finite():
            return rt.null("%(name)s has no result for this number.", name=name)
        return result


for _name, _operation in (("sqrt", CONTEXT.sqrt), ("exp", CONTEXT.exp), ("log", CONTEXT.ln)):
    _function(_name, _operation)


@builtin("odd", "number: num")
def odd(rt: Runtime, number: Decimal) -> bool | None:
    return _parity(rt, number, 1)


@builtin("even", "number: num")
def even(rt: Runtime, number: Decimal) -> bool | None:
    return _parity(rt, number, 0)


def _parity(rt: Runtime, number: Decimal, wanted: int) -> bool | None:
    if number != number.to_integral_value():
        return rt.null("Only whole numbers are odd or even.")
    return int(number) % 2 == wanted


@builtin("number", "from: num")
def number_of_number(rt: Runtime, value: Decimal) -> Decimal:
    return value


@builtin("number", "from: str")
def number_of_text(rt: Runtime, text: str) -> Decimal | None:
    if not _NUMBER.fullmatch(text):
        return rt.null('"%(text)s" is not a number.', text=text[:80])
    try:
        return CONTEXT.create_decimal(text)
    except decimal.DecimalException:
        return rt.null('"%(text)s" is not a number.', text=text[:80])


@builtin("number", "from: str, grouping separator: str?, decimal separator: str?")
def number_of_grouped_text(rt: Runtime, text: str, grouping: str | None, point: str | None) -> Decimal | None:
    if grouping not in (None, " ", ",", ".") or point not in (None, ",", ".") or grouping is not None and grouping == point:
        return rt.null("The separators do not fit together.")
    if grouping is not None:
        text = text.replace(grouping, "")
    if point == ",":
        if "." in text:
            return rt.null('"%(text)s" is not a number.', text=text[:80])
        text = text.replace(",", ".")
    return number_of_text(rt, text)
