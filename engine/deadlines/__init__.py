"""Deadlines: work calendar, rule table, clocks and ladders — pure functions over values (no storage, no global clock)."""

from __future__ import annotations

from engine.deadlines.amounts import UNITS, amount_words
from engine.deadlines.arithmetic import explain
from engine.deadlines.balance import Balance, balance, left_words
from engine.deadlines.calendar import KINDS, OfficeHours, WorkCalendar, Year, official_year, provisional_year, seed_years
from engine.deadlines.clock import (
    ESTIMATED,
    LIGHT_WORDS,
    Clock,
    Derived,
    Extension,
    Pause,
    date_words,
    derive,
    extend,
    pause,
    resume,
    start,
    stop,
)
from engine.deadlines.counting import Due, due, due_day, start_day
from engine.deadlines.ladder import Ladder, Rung, When, load_ladders, next_rung, rung_times
from engine.deadlines.rules import ExtensionRule, Rule, load_rules, rule_of

__all__ = [
    "ESTIMATED", "KINDS", "LIGHT_WORDS", "UNITS", "Balance", "Clock", "Derived", "Due", "Extension", "ExtensionRule", "Ladder", "OfficeHours", "Pause",
    "Rule", "Rung", "When", "WorkCalendar", "Year", "amount_words", "balance", "date_words", "derive", "due", "due_day", "explain", "extend", "left_words",
    "load_ladders", "load_rules", "next_rung", "official_year", "pause", "provisional_year", "resume", "rule_of", "rung_times",
    "seed_years", "start", "start_day", "stop",
]  # fmt: skip
