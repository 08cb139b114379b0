"""Plays scenarios against a served desk: what is common to playing in the browser and by plain requests.

The scenario files name days of one week of November 2026.  A served desk lives in the present (plus its demo clock), so every date
of a scenario is moved by the same number of days, to the working day on which it is played.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from datetime import time as time_of_day
from typing import Any

from sqlalchemy import select

from engine import Engine
from engine.store import tables
from tests.support.player import Player
from tests.support.server import RunningServer

SCENARIO_DAY = date(2026, 11, 23)
"""The Monday on which the scenario files play."""

DATED = re.compile(r"\d{4}-\d\d-\d\d(T.*)?")


class ServedPlayer(Player):
    """A :class:`Player` whose steps go through a server; the engine it holds only looks."""

    def __init__(self, server: RunningServer, scenario: Mapping[str, Any], between: Callable[[Engine], Engine] | None = None) -> None:
        engine = server.onlooker()
        super().__init__(engine, engine.clock, scenario, between)
        self.server = server
        self.shift = timedelta(0)
        self.case_no = ""
        self.logins: set[str] = set()

    # What a way of playing must do:

    def open_case(self, process: str, data: dict[str, Any], by: str) -> int:
        """File the start form; returns the case's key."""
        raise NotImplementedError

    def finish(self, task: Any, data: dict[str, Any], outcome: str | None, opinion: str, by: str) -> None:
        """Claim the task if need be, fill its form and press the button."""
        raise NotImplementedError

    def act(self, message: str, data: dict[str, Any], by: str) -> None:
        """Use a button of the case page."""
        raise NotImplementedError

    def ask_extension(self, task: Any, by: str) -> None:
        """申请延期 on the task's page."""
        raise NotImplementedError

    def move_clock(self, step: str = "", day: str = "") -> None:
        """Use the administrator's demo clock page: a step by its name, or to the opening of the office on ``day``."""
        raise NotImplementedError

    # --- time --------------------------------------------------------------------------------------------------------------

    @property
    def local_now(self) -> datetime:
        """The time that the desk shows, in the office's zone."""
        self.server.hurry(self.engine)
        return self.engine.calendar.local(self.engine.clock())

    def calm_morning(self) -> None:
        """See to it that it is a Monday between 09:00 and 12:00 with a whole working week ahead, so that limits of days stay in it."""
        now = self.local_now
        if self._calm(now.date()) and time_of_day(9) <= now.time() < time_of_day(12):
            return
        day = now.date() + timedelta(days=1)
        while not self._calm(day):
            day += timedelta(days=1)
        self.move_clock(day=day.isoformat())
        self.move_clock(step="hour")

    def _calm(self, day: date) -> bool:
        return day.weekday() == 0 and all(self.engine.calendar.is_workday(day + timedelta(days=number)) for number in range(5))

    def until(self, target: datetime) -> None:
        """Let the shown time pass ``target``: to the opening of the office on the next day."""
        local = self.engine.calendar.local(target)
        if self.local_now < local:
            self.move_clock(day=(local.date() + timedelta(days=1)).isoformat())

    # --- playing -----------------------------------------------------------------------------------------------------------

    def _value(self, value: Any) -> Any:
        if isinstance(value, str) and DATED.fullmatch(value):
            day = date.fromisoformat(value[:10]) + self.shift
            return day.isoformat() + value[10:]
        return super()._value(value)

    def play(self) -> None:
        self.begin()
        for number, step in enumerate(self.scenario["steps"], 1):
            try:
                self.step(step)
            except Exception as error:
                raise AssertionError(f"step {number} {step}: {error}; waiting: {self.waiting()}; {self._incidents()}") from error
            self._pause()

    def begin(self) -> None:
        """Open the case on a calm morning."""
        self.calm_morning()
        self.shift = self.local_now.date() - SCENARIO_DAY
        start = self.scenario["start"]
        by = self.people(start["by"])[0]
        self.case_key = self.open_case(self.scenario["process"], self.answers(start["data"]), by)
        self.logins.add(by)
        case = tables.case_file
        with self.engine.reading() as conn:
            self.case_no = conn.execute(select(case.c.case_no).where(case.c.key == self.case_key)).scalar_one()
        self._pause()

    def take_over(self, other: ServedPlayer) -> None:
        """Go on with the case of another player."""
        self.case_key, self.case_no, self.shift = other.case_key, other.case_no, other.shift

    def play_until(self, element: str) -> None:
        """Open the case and play up to, but without, the step of ``element`` (or the extension or message of that name)."""
        self.begin()
        for step in self.scenario["steps"]:
            if element in (step.get("element"), step.get("extend"), step.get("message")):
                return
            self.step(step)

    def step(self, step: Mapping[str, Any]) -> None:
        if "message" in step:
            by = self.people(step["who"])[0]
            self.act(step["message"], self.answers(step.get("data")), by)
        elif "extend" in step:
            task = self.open_tasks(step["extend"])[0]
            self.ask_extension(task, task.assignee or self._worker(task, step["who"]))
        elif "overdue" in step:
            self._let_pass(step["overdue"], step.get("from"))
        else:
            self._do(step)

    def _do(self, step: Mapping[str, Any]) -> None:
        tasks = self.open_tasks(step["element"])
        assert tasks, f"no open task {step['element']}"
        tasks.sort(key=lambda task: step["who"] not in task.candidate_groups)
        for task in tasks if step.get("times") == "all" else tasks[:1]:
            by = task.assignee if step["who"] == "assignee" else self._worker(task, step["who"])
            assert by, f"nobody for {task.name}"
            self.finish(task, self.answers(step.get("data")), step.get("outcome"), step.get("opinion", ""), by)
            self.logins.add(by)

    def _worker(self, task: Any, group: str) -> str:
        """Somebody of the group who may take the task; whoever has it already goes first."""
        named = [*task.candidate_users, *(login for each in task.candidate_groups for login in self.people(each))]
        people = named if group == "candidate" else self.people(group)
        if task.assignee in people:
            return task.assignee
        table = tables.user_task
        with self.engine.reading() as conn:
            row = conn.execute(select(table).where(table.c.key == task.key)).one()
            able = [login for login in people if self.engine.desk.access.may_work(conn, row, login).allowed]
        assert able, f"nobody of {group} may take {task.name}"
        return able[0]

    def _let_pass(self, rule: str, start: str | None) -> None:
        with self.engine.transaction() as tx:
            functions = self.engine.desk.functions(tx, self.case_key)
            moment = functions["overdue"](rule, self._all_variables()[start[1:]]) if start else self._clock_overdue(rule)
        self.until(moment.to_datetime() if hasattr(moment, "to_datetime") else moment)
