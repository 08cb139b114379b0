"""A year of an office, day by day, over all delivered procedures: every clock and every rung against a slow, obvious reference.

People start cases on many days and go on with each after some days, too late quite often; so cases are supplemented, extended, taken
back, decided by silence, and many run over their limits; their chiefs pause and extend limits at random besides.  Twice a day, when the
office opens and right after it closes, the node looks for due work; around each look every clock, every rung and every timer that
follows a clock is compared with the reference, which walks from day to day through the calendar table.
"""

from __future__ import annotations

import math
import os
import random
import re
from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from engine import Engine
from engine.deadlines.pauses import PAUSE_KINDS
from engine.errors import EngineError
from engine.runtime import demo
from engine.store import tables
from tests.desk import desk_models
from tests.support.player import SCENARIOS, Player, delivered_files, read

ZONE = ZoneInfo("Asia/Shanghai")
FIRST, LAST = date(2026, 1, 5), date(2026, 12, 31)
WRITTEN_FOR = date(2026, 11, 23)
"""The day on which the scenarios happen; all their dates move with the case."""
DEEP = os.environ.get("BANJIE_HYPOTHESIS") == "deep"
ROUNDS = 8 if DEEP else 1
"""How often each scenario is played, each time from another day and at another pace."""
OPENING, CLOSING = time(8, 30), time(17, 30)
ONE_DAY = timedelta(days=1)
GIVE_UP_AFTER = 90
MEDDLING = 0.04
"""How likely it is that somebody pauses, resumes or extends a running limit on a working day."""
KINDS = tuple(PAUSE_KINDS)[:2]


# --- the reference -----------------------------------------------------------------------------------------------------------


class Reference:
    """Due instants and rungs, counted one day after the other."""

    def __init__(self, worked: dict[date, bool]) -> None:
        self.worked = worked

    def due(self, ledger: dict[str, Any]) -> tuple[date, datetime] | None:
        """The due day and the last instant in time (UTC); ``None`` while a pause holds the clock."""
        rule = ledger["rule"]
        assert rule["direction"] == "after" and not rule["by"] and not ledger.get("kept"), rule
        if rule["unit"] == "ch":
            assert not ledger["pauses"] and not ledger["extensions"]
            at = datetime.fromisoformat(ledger["started_at"]) + timedelta(hours=float(rule["limit"]))
            return at.astimezone(ZONE).date(), at
        day = self.before_first(ledger)
        amounts = [(rule["unit"], int(rule["limit"])), *((each["unit"], int(each["amount"])) for each in ledger["extensions"])]
        for unit in dict.fromkeys(unit for unit, _ in amounts):
            amount = sum(number for each, number in amounts if each == unit)
            if unit in ("m", "y"):
                months = amount * (12 if unit == "y" else 1)
                first = self.first(ledger)
                target = _months_later(first, months)
                amount = (target - first).days
            for _ in range(amount):
                day = self.next_counted(ledger, unit, day)
                if day is None:
                    return None
        if rule["unit"] != "wd" and rule["roll_forward"]:
            while not self.worked[day] or self.paused(ledger, day):
                day += ONE_DAY
        return day, _instant(day, CLOSING)

    def first(self, ledger: dict[str, Any]) -> date:
        text = ledger["started_at"]
        if "T" not in text:
            return date.fromisoformat(text)
        local = datetime.fromisoformat(text).astimezone(ZONE)
        if ledger["rule"]["rest_day_start"] != "next_workday":
            return local.date()
        day = local.date()
        if self.worked[day] and local.time() <= CLOSING:
            return day
        return self.workday_after(day)

    def before_first(self, ledger: dict[str, Any]) -> date:
        """The last day that does not count."""
        first = self.first(ledger)
        return first - ONE_DAY if ledger["rule"]["count_first_day"] else first

    def workday_after(self, day: date, number: int = 1) -> date:
        while number:
            day += ONE_DAY
            number -= self.worked[day]
        return day

    def paused(self, ledger: dict[str, Any], day: date) -> bool:
        return any(_day(each["start"]) <= day and (each["end"] is None or day < _day(each["end"])) for each in ledger["pauses"])

    def next_counted(self, ledger: dict[str, Any], unit: str, day: date) -> date | None:
        while True:
            day += ONE_DAY
            if any(each["end"] is None and day >= _day(each["start"]) for each in ledger["pauses"]):
                return None
            if not self.paused(ledger, day) and (unit != "wd" or self.worked[day]):
                return day

    def rungs(self, ledger: dict[str, Any], ladder: Any) -> dict[str, datetime]:
        """When each rung of the ladder fires (UTC); none while a pause is open or after the stop."""
        found = self.due(ledger)
        if found is None or ledger["stopped_at"] or any(each["end"] is None for each in ledger["pauses"]):
            return {}
        due_day, due_at = found
        unit = "wd" if ledger["rule"]["unit"] == "wd" else "d"
        counted, working, day = [], [], self.before_first(ledger)
        while day < due_day:
            day += ONE_DAY
            if not self.paused(ledger, day):
                counted += [day] if unit == "d" or self.worked[day] else []
                working += [day] if self.worked[day] else []
        started = datetime.fromisoformat(ledger["started_at"]) if "T" in ledger["started_at"] else _instant(date.fromisoformat(ledger["started_at"]), time.min)

        def number(days: list[date], amount: int) -> date:
            return self.first(ledger) if amount <= 0 else days[amount - 1] if amount <= len(days) else due_day

        def opening(day: date) -> datetime:
            while not self.worked[day]:
                day += ONE_DAY
            return min(max(_instant(min(day, due_day), OPENING), started), due_at)

        times = {}
        for rung in ladder.rungs:
            when = rung.when
            if when.kind == "due_passed":
                at = due_at + timedelta(seconds=1)
            elif when.kind == "after_due":
                at = _instant(self.workday_after(due_day, when.workdays), OPENING)
            elif ledger["rule"]["unit"] == "ch":
                share = when.share if when.kind == "used" else 1 - when.share
                at = started + (due_at - started) * float(share)
            elif when.kind == "used":
                at = opening(number(counted, math.ceil(when.share * len(counted))))
            elif when.kind == "unclaimed":
                at = opening(number(working, when.workdays))
            else:
                by_share = number(counted, math.ceil((1 - when.share) * Decimal(len(counted))))
                at = opening(min(by_share, number(working, len(working) - when.workdays)))
            times[rung.id] = at
        return times


def _day(text: str) -> date:
    return datetime.fromisoformat(text).astimezone(ZONE).date() if "T" in text else date.fromisoformat(text)


def _instant(day: date, at: time) -> datetime:
    return datetime.combine(day, at, ZONE).astimezone(UTC)


def _months_later(day: date, months: int) -> date:
    number = day.year * 12 + day.month - 1 + months
    following = date((number + 1) // 12, (number + 1) % 12 + 1, 1)
    return min(date(number // 12, number % 12 + 1, 1) + timedelta(days=day.day - 1), following - ONE_DAY)


# --- a procedure that pauses and extends -------------------------------------------------------------------------------------

LICENCE = {
    "process": "licence",
    "title": "许可：补正、延期、退回各一次",
    "at": "2026-11-23T09:00:00+08:00",
    "by": "window",
    "start": {**desk_models.START, "received": "2026-11-23T09:00+08:00"},
    "steps": [
        {"do": "complete", "element": "accept", "by": "window", "outcome": "supplement", "data": {}},
        {"do": "complete", "element": "correct", "by": "assignee", "data": {}},
        {"do": "complete", "element": "accept", "by": "window", "outcome": "accept", "data": {}},
        {"do": "extend", "element": "handle", "by": "clerk@gaoxin"},
        {"do": "complete", "element": "handle", "by": "clerk@gaoxin", "outcome": "submit", "data": {}},
        {"do": "complete", "element": "sign", "by": "vice_director", "outcome": "return", "opinion": "请补充依据。", "data": {}},
        {"do": "complete", "element": "handle", "by": "clerk@gaoxin", "outcome": "submit", "data": {}},
        {"do": "complete", "element": "sign", "by": "vice_director", "outcome": "approve", "data": {}},
    ],
}


def all_files() -> dict[str, bytes]:
    """The delivered files, and the small licence of the desk's tests, whose limits stand in the same table."""
    files, licence = delivered_files(), desk_models.files()
    rules = "processes/deadline_rules.yaml"
    files[rules] += licence.pop(rules).partition(b"rules:\n")[2]
    del licence["processes/ladders.yaml"]
    return files | licence


# --- the people --------------------------------------------------------------------------------------------------------------


def moved(value: Any, by: timedelta) -> Any:
    """A scenario's answers with every date moved."""
    if isinstance(value, dict):
        return {name: moved(inner, by) for name, inner in value.items()}
    if isinstance(value, list):
        return [moved(inner, by) for inner in value]
    if isinstance(value, str) and re.fullmatch(r"20\d\d-\d\d-\d\d(T.*)?", value):
        return (date.fromisoformat(value[:10]) + by).isoformat() + value[10:]
    return value + by if isinstance(value, date) else value


class Case:
    """One scenario, gone on with every few days by people who may be slow."""

    def __init__(self, engine: Engine, clock: Any, scenario: dict[str, Any], begins: date, chance: random.Random) -> None:
        self.scenario = scenario
        self.player = Player(engine, clock, self.scenario)
        self.begins, self.chance = begins, chance
        self.pace = chance.choice((1, 3, 9, 20))
        self.steps = [step for step in self.scenario["steps"] if step["do"] != "wait"]
        self.next_on, self.waited, self.end = begins, 0, ""

    def act(self, today: date) -> None:
        if self.end or today < self.next_on:
            return
        by = today - WRITTEN_FOR
        try:
            if not self.player.case_key:
                data = self.player.answers(moved(self.scenario["start"], by))
                self.player.case_key = self.player.open_case(self.scenario["process"], data, self.player.people(self.scenario["by"])[0])
            elif not self.steps:
                self.end = "played"
            else:
                place = self.steps[0].get("element")
                if place and not self.player.open_tasks(place):
                    # The case is elsewhere, or a limit must pass first.
                    self.waited += 1
                    self.end = "elsewhere" if self.waited > GIVE_UP_AFTER else ""
                    return
                self.player.step(moved(self.steps.pop(0), by))
        except (AssertionError, EngineError) as refusal:
            # Too late, or decided otherwise meanwhile: the case is left to its limits.
            self.end = f"{type(refusal).__name__}: {refusal}"
        self.next_on = today + timedelta(days=self.chance.randint(0, self.pace))


class Chiefs:
    """Who pauses limits, lets them go on and extends them, at random; what the rules do not allow is refused."""

    def __init__(self, engine: Engine, chance: random.Random) -> None:
        self.engine, self.chance, self.done = engine, chance, Counter()
        with engine.reading() as conn:
            self.director = engine.desk.people.directory(conn).members("director")[0]

    def act(self, clocks: list[Any]) -> None:
        for row in clocks:
            if row["state"] == "STOPPED" or row["ledger"]["rule"]["unit"] == "ch" or self.chance.random() > MEDDLING:
                continue
            deed = self.chance.choice(("pause", "resume", "extend"))
            try:
                self.do(deed, row)
            except EngineError:
                deed += " refused"
            self.done[deed] += 1

    def do(self, deed: str, row: Any) -> None:
        desk, where = self.engine.desk, (row["case_key"], [row["key"]], self.chance.choice(KINDS))
        if deed == "pause":
            desk.pause_clocks(*where, "等待结果", document="川科函〔2026〕1号", by=self.director)
        elif deed == "resume":
            desk.resume_clocks(*where, by=self.director)
        else:
            desk.extend_clock(row["key"], self.chance.randint(1, 5), "案情复杂", by=self.director)


# --- the year ----------------------------------------------------------------------------------------------------------------


class Year:
    def __init__(self, engine: Engine, clock: Any) -> None:
        self.engine, self.clock = engine, clock
        with engine.reading() as conn:
            day = tables.calendar_day
            worked = {row.day: row.kind in ("workday", "makeup_workday") for row in conn.execute(select(day))}
        # The years that nobody has published yet; how they are estimated is tested elsewhere.
        begin = date(2020, 1, 1)
        for each in (begin + timedelta(days=index) for index in range(366 * 10)):
            worked.setdefault(each, engine.calendar.is_workday(each))
        self.reference = Reference(worked)
        self.ladders = engine.desk.book().ladders
        self.known: dict[int, tuple[str, tuple[date, datetime] | None, dict[str, datetime]]] = {}
        self.fired: dict[tuple[int, str], datetime] = {}
        self.owed: dict[tuple[int, str], datetime] = {}
        """What must have fired by now, and for when: by the reference alone."""
        self.seen = Counter()
        self.last_look = clock.now

    def look(self, at: datetime) -> None:
        """The node looks for due work; whatever it did is held against the reference."""
        before = self.clock.now
        self.clock.now = max(at, before)
        now = self.clock.now
        rows = {row["key"]: row for row in self.clocks()}
        expected = {key: self.compared(row) for key, row in rows.items()}
        first_timers = self.compared_timers(rows)
        self.engine.run_due()
        written_to, begun = set(), {}
        for row in self.clocks():
            if self.compared(row)[1] == now:
                written_to.add(row["key"])
            if row["key"] not in expected:
                begun[row["key"]] = self.reference.rungs({**row["ledger"], "stopped_at": None}, self.ladder(row))
                if row["state"] == "RUNNING":
                    self.owe(row["key"], begun[row["key"]], now)
            assert row["next_rung_at"] is None or row["state"] != "RUNNING" or row["next_rung_at"] > now, row
        for key, (times, _) in expected.items():
            # A timer of the case that was due first, or at the same instant, may have ended or paused the clock; nothing else may.
            until = first_timers.get(rows[key]["case_key"]) if key in written_to else None
            self.owe(key, {rung: at for rung, at in times.items() if until is None or at < until}, now)
            self.seen["left to a timer"] += sum(until is not None and until <= at <= now and (key, rung) not in self.owed for rung, at in times.items())
        with self.engine.reading() as conn:
            firings = conn.execute(select(tables.rung_firing).where(tables.rung_firing.c.fired_at >= now)).mappings().all()
        for firing in firings:
            mark = (firing["clock_key"], firing["rung"])
            assert mark not in self.fired
            self.fired[mark] = firing["fired_at"]
            # One that began and ran out within this look has no rungs that could have been due at the look before.
            times, since = expected.get(firing["clock_key"]) or (begun[firing["clock_key"]], now)
            assert firing["planned_at"] == times[firing["rung"]], (dict(firing), times)
            self.owed.setdefault(mark, times[firing["rung"]])
            assert times[firing["rung"]] <= now, "a rung fired early"
            # On its day: it was not due at the look before, unless the ledger has been written to since.
            assert times[firing["rung"]] > self.last_look or since > self.last_look, (dict(firing), times, self.last_look)
            self.seen["late" if firing["late"] else "in time"] += 1
        assert self.fired.keys() == self.owed.keys(), {mark: self.owed.get(mark) for mark in self.fired.keys() ^ self.owed.keys()}
        self.last_look = now

    def owe(self, key: int, times: dict[str, datetime], now: datetime) -> None:
        for rung, planned in times.items():
            if planned <= now:
                self.owed.setdefault((key, rung), planned)

    def compared_timers(self, clocks: dict[int, Any]) -> dict[int, datetime]:
        """Hold the timers that follow a clock against the reference; gives the first due timer of each case."""
        first: dict[int, datetime] = {}
        timer, instance = tables.timer, tables.instance
        with self.engine.reading() as conn:
            rows = conn.execute(
                select(timer, instance.c.root_key).join(instance, instance.c.key == timer.c.instance_key).where(instance.c.state == "ACTIVE")
            ).mappings()
            for row in rows:
                if row["due_at"] is not None and row["due_at"] <= self.clock.now:
                    first[row["root_key"]] = min(row["due_at"], first.get(row["root_key"], row["due_at"]))
                for ask in row["follows"]["asks"] if row["follows"] else ():
                    if ask["clock"] is None or clocks[ask["clock"]]["state"] == "STOPPED":
                        continue
                    due = self.known[ask["clock"]][1]
                    assert row["due_at"] == (due[1] + timedelta(seconds=1) if due else None), dict(row)
                    self.seen["timers asleep" if due is None else "timers compared"] += 1
        return first

    def ladder(self, row: Any) -> Any:
        return self.ladders.get(row["ladder_id"]) or self.ladders["standard"]

    def clocks(self) -> list[Any]:
        with self.engine.reading() as conn:
            return list(conn.execute(select(tables.clock)).mappings())

    def compared(self, row: Any) -> tuple[dict[str, datetime], datetime]:
        """Hold a clock's row against the reference; gives its rungs, and when its ledger was last seen to change."""
        ledger = row["ledger"]
        mark = repr([ledger[name] for name in ("rule", "started_at", "pauses", "extensions", "stopped_at")] + [ledger.get("kept"), row["ladder_id"]])
        known = self.known.get(row["key"])
        if known is None or known[0] != mark:
            known = self.known[row["key"]] = (mark, self.reference.due(ledger), self.reference.rungs(ledger, self.ladder(row)), self.clock.now)
        _, due, times, since = known
        assert row["due_at"] == (due[1] if due else None), (row["rule_id"], ledger, due)
        assert row["overdue_at"] == (due[1] + timedelta(seconds=1) if due else None)
        paused = any(each["end"] is None for each in ledger["pauses"])
        assert row["state"] == ("STOPPED" if ledger["stopped_at"] else "PAUSED" if paused else "RUNNING")
        return times, since


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_a_year_over_all_procedures_ends_with_every_ledger_equal_to_the_reference(database_kind, database_url, clock):
    clock.now = _instant(FIRST, time(0, 5))
    engine = Engine(database_url, clock=clock, settings={"cache_seconds": 3600, "password_memory_kib": 64}, node="year")
    engine.deploy(all_files(), by="designer")
    demo.load(engine, cases={"cases": []})
    engine.desk.people.import_organisation(
        sections=desk_models.SECTIONS, roles=desk_models.ROLES, people=[person for person in desk_models.PEOPLE if person["login"] == "wang"], by="system"
    )
    chance = random.Random(2026)
    cases = [
        Case(engine, clock, scenario, FIRST + timedelta(days=chance.randrange(240)), chance)
        for scenario in [*map(read, SCENARIOS), *[LICENCE] * 6]
        for _ in range(ROUNDS)
    ]
    year, chiefs = Year(engine, clock), Chiefs(engine, chance)
    today = FIRST
    while today <= LAST:
        year.look(_instant(today, OPENING))
        if engine.calendar.is_workday(today):
            clock.now = _instant(today, time(9, 0))
            for case in cases:
                case.act(today)
            chiefs.act(year.clocks())
        year.look(_instant(today, CLOSING) + timedelta(seconds=1))
        today += ONE_DAY
    with engine.reading() as conn:
        fired = [(row.clock_key, row.rung) for row in conn.execute(select(tables.rung_firing))]
        incidents = conn.execute(select(tables.incident.c.message)).scalars().all()
    clocks = year.clocks()
    engine.dispose()
    assert incidents == []
    assert len(fired) == len(set(fired)) == len(year.fired)
    assert {(row["key"], rung) for row in clocks for rung in row["ledger"]["fired"]} == set(fired)
    assert all(case.player.case_key for case in cases)
    # What the year must have contained, or it proved little.
    ends = Counter(re.sub(r":.*", "", case.end, flags=re.DOTALL) or "unfinished" for case in cases)
    contained = {
        "clocks": len(clocks), "rungs": len(fired), "pauses": sum(len(row["ledger"]["pauses"]) for row in clocks),
        "extensions": sum(len(row["ledger"]["extensions"]) for row in clocks), "overdue": sum(rung == "overdue" for _, rung in fired),
        "paused by a person": chiefs.done["pause"], "resumed by a person": chiefs.done["resume"], "timers asleep": year.seen["timers asleep"],
        "timers compared": year.seen["timers compared"], "directors told": sum(rung == "director" for _, rung in fired), "stopped": sum(row["state"] == "STOPPED" for row in clocks),
    }  # fmt: skip
    print(contained, dict(ends), dict(year.seen), dict(chiefs.done))
    assert all(contained.values()), contained
    assert contained["clocks"] > 3 * len(cases) and contained["rungs"] > 3 * len(cases), contained
