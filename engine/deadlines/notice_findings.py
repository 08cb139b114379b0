"""What is read out of a holiday notice: days, and findings about its lines."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from engine.words import T, Words

ERROR, WARNING, NOTE = "error", "warning", "note"
"""An error must be corrected before the days can be proposed; a warning must have been seen; a note only says what was left out."""



@dataclass(frozen=True)
class DayEntry:
    """What a notice makes of a day; ``line`` (from 1) is where it says so."""

    day: date
    kind: str
    name: str = ""
    line: int = 0


@dataclass(frozen=True)
class Finding:
    """Something about a notice that a person has to know, with its line (from 1; 0: the notice as a whole)."""

    line: int
    severity: str
    text: Words


@dataclass(frozen=True)
class Reading:
    """The outcome of reading a notice.  ``form`` is ``text``, ``csv`` or ``ics``; ``year`` is the year it is about, if that is known."""

    form: str
    days: tuple[DayEntry, ...]
    findings: tuple[Finding, ...]
    year: int | None = None
    notice: str = ""

    @property
    def refused(self) -> bool:
        return any(each.severity == ERROR for each in self.findings)

    @property
    def years(self) -> tuple[int, ...]:
        return tuple(sorted({each.day.year for each in self.days}))


WEEKDAY_WORDS = (T("Monday"), T("Tuesday"), T("Wednesday"), T("Thursday"), T("Friday"), T("Saturday"), T("Sunday"))


def weekday_words(number: int) -> Words:
    """Monday is 0."""
    return WEEKDAY_WORDS[number]
