"""Amounts of time as a rule writes them: a number and a unit.

Units: ``wd`` working days, ``d`` calendar days, ``h`` office hours, ``ch`` clock hours, ``m`` months, ``y`` years.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from engine.errors import ValidationFailed
from engine.words import T, Words

WORKING_DAYS, CALENDAR_DAYS, OFFICE_HOURS, CLOCK_HOURS, MONTHS, YEARS = "wd", "d", "h", "ch", "m", "y"
UNITS = (WORKING_DAYS, CALENDAR_DAYS, OFFICE_HOURS, CLOCK_HOURS, MONTHS, YEARS)
HOUR_UNITS = frozenset({OFFICE_HOURS, CLOCK_HOURS})

# Longer than any limit a rule could mean; a typing slip (20260101 days) is refused instead of leaving the calendar.
LARGEST = 1_000_000

_AMOUNT_WORDS = {
    WORKING_DAYS: T("%(amount)s working day(s)"),
    CALENDAR_DAYS: T("%(amount)s calendar day(s)"),
    OFFICE_HOURS: T("%(amount)s office hour(s)"),
    CLOCK_HOURS: T("%(amount)s hour(s)"),
    MONTHS: T("%(amount)s month(s)"),
    YEARS: T("%(amount)s year(s)"),
}


def amount_words(amount: int | Decimal, unit: str) -> Words:
    """"20 working day(s)" as a translatable sentence."""
    return T(_AMOUNT_WORDS[unit], amount=plain(amount))


def plain(amount: int | Decimal) -> str:
    """An amount without exponent or trailing zeros: ``"20"``, ``"1.5"``."""
    return f"{Decimal(amount).normalize():f}"


def refusal_of(amount: Any, unit: Any) -> Words | None:
    """Why an amount cannot be a limit, or ``None`` when it can.

    An amount is a positive finite number; days, months and years are whole, hours may have a fraction (``design.md`` §4:
    "A refused amount (zero, negative, not a number) is an error in words").
    """
    if unit not in UNITS:
        return T("“%(unit)s” is not a unit of time. Use one of: %(units)s.", unit=str(unit), units=", ".join(UNITS))
    if isinstance(amount, bool) or not isinstance(amount, (int, float, Decimal)):
        return T("“%(amount)s” is not a number.", amount=str(amount))
    number = Decimal(str(amount))
    if not number.is_finite():
        return T("“%(amount)s” is not a number.", amount=str(amount))
    if number <= 0:
        return T("A limit must be more than zero, not %(amount)s.", amount=str(amount))
    if number > LARGEST:
        return T("A limit of %(amount)s is too long.", amount=str(amount))
    if unit not in HOUR_UNITS and number != number.to_integral_value():
        return T("Days, months and years are counted whole, not %(amount)s.", amount=str(amount))
    return None


def checked(amount: Any, unit: Any) -> int | Decimal:
    """The amount as ``int`` (or ``Decimal`` for a part of an hour); :class:`ValidationFailed` in words otherwise."""
    refusal = refusal_of(amount, unit)
    if refusal is not None:
        raise ValidationFailed(refusal, errors={"amount": [refusal]})
    number = Decimal(str(amount))
    return int(number) if number == number.to_integral_value() else number
