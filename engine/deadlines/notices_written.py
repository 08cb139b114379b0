"""A year of the work calendar as a notice writes it, and as an iCalendar file; :func:`read_notice` reads both back."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

from engine.deadlines.calendar import CLOSED, IN_LIEU, MAKEUP, STATUTORY, WEEKEND, WORKDAY, Year
from engine.deadlines.notice_words import WEEKDAYS


def special_days(year: Year) -> list[tuple[date, str, str]]:
    """The days of a year that are not plain weekdays and weekends: day, kind, name."""
    first = date(year.number, 1, 1)
    cells = ((first + timedelta(days=index), kind, name) for index, (kind, name) in enumerate(zip(year.kinds, year.names, strict=True)))
    return [(day, kind, name) for day, kind, name in cells if kind != (WEEKEND if day.weekday() >= 5 else WORKDAY)]


def _runs(days: Iterable[date]) -> list[list[date]]:
    runs: list[list[date]] = []
    for day in sorted(days):
        if runs and (day - runs[-1][-1]).days == 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    return runs


def render_notice(year: Year) -> str:
    """A year as a notice writes it; :func:`read_notice` gives its days back (local closures are no part of a notice)."""
    names = {day: name for day, _, name in special_days(year)}
    off = [day for day, kind, _ in special_days(year) if kind in (STATUTORY, IN_LIEU)]
    worked = [day for day, kind, _ in special_days(year) if kind == MAKEUP]
    lines = [f"国务院办公厅关于{year.number}年部分节假日安排的通知"]
    written: set[date] = set()
    for number, run in enumerate(_runs(off), start=1):
        called = list(dict.fromkeys(names[day] for day in run if names[day])) or ["节假日"]
        make_up = [day for day in worked if day not in written and names[day] in called]
        written.update(make_up)
        said = f"{_said(run[0], True)}至{_said(run[-1], run[-1].month != run[0].month)}" if len(run) > 1 else _said(run[0], True)
        where = f"{year.number}年" if run[0].month == 12 else ""
        sentence = f"{_han_number(number)}、{'、'.join(called)}：{where}{said}放假{'调休' if make_up else ''}，共{len(run)}天。"
        lines.append(sentence + (f"{'、'.join(_said(day, True) for day in make_up)}上班。" if make_up else ""))
    left = [day for day in worked if day not in written]
    if left:
        lines.append(f"{'、'.join(_said(day, True) for day in left)}上班。")
    return "\n".join(lines) + "\n"


def _said(day: date, month: bool) -> str:
    return f"{f'{day.month}月' if month else ''}{day.day}日（周{WEEKDAYS[day.weekday()]}）"


def _han_number(number: int) -> str:
    digits = "〇一二三四五六七八九"
    return (
        digits[number] if number < 10 else f"{digits[number // 10] if number >= 20 else ''}十{digits[number % 10] if number % 10 else ''}"
    )


ICS_WORDS = {STATUTORY: "休", IN_LIEU: "调休", MAKEUP: "班", CLOSED: "停办", WORKDAY: "班"}


def to_ics(year: Year, office: str, stamp: str) -> str:
    """A year as an iCalendar file (RFC 5545), one entry for each run of days of one kind and name.

    ``stamp`` is the UTC moment of the export (``20261123T010000Z``).  :func:`read_notice` reads it back.
    """
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Banjie//Work calendar//ZH",
        "CALSCALE:GREGORIAN",
        f"X-WR-CALNAME:{_escaped(office)} {year.number}",
    ]
    runs: list[tuple[date, date, str, str]] = []
    for day, kind, name in special_days(year):
        if runs and runs[-1][2:] == (kind, name) and (day - runs[-1][1]).days == 1:
            runs[-1] = (runs[-1][0], day, kind, name)
        else:
            runs.append((day, day, kind, name))
    for first, last, kind, name in runs:
        summary = f"{name}（{ICS_WORDS.get(kind, kind)}）" if name else ICS_WORDS.get(kind, kind)
        lines += [
            "BEGIN:VEVENT", f"UID:{first:%Y%m%d}-{kind}@banjie", f"DTSTAMP:{stamp}", f"DTSTART;VALUE=DATE:{first:%Y%m%d}",
            f"DTEND;VALUE=DATE:{last + timedelta(days=1):%Y%m%d}", f"SUMMARY:{_escaped(summary)}", "TRANSP:TRANSPARENT", "END:VEVENT",
        ]  # fmt: skip
    lines.append("END:VCALENDAR")
    return "".join(f"{part}\r\n" for line in lines for part in _folded(line))


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,").replace("\n", "\\n")


def _folded(line: str) -> list[str]:
    """At most 75 octets a line; a continuation begins with a space."""
    parts, current = [], ""
    for letter in line:
        if len((current + letter).encode()) > 74:
            parts.append(current)
            current = " "
        current += letter
    return [*parts, current]
