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
from engine.runtime.design import playing
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

    def begin(self) -> None:
        """Open the case on a calm morning."""
        self.calm_morning()
        self.shift = self.local_now.date() - SCENARIO_DAY
        # The desk's own clock is the server's; only its pages move it.
        playing.Player.begin(self)
        self.logins.add(self.by)
        case = tables.case_file
        with self.engine.reading() as conn:
            self.case_no = conn.execute(select(case.c.case_no).where(case.c.key == self.case_key)).scalar_one()
        self._look_between()

    def take_over(self, other: ServedPlayer) -> None:
        """Go on with the case of another player."""
        self.case_key, self.case_no, self.shift = other.case_key, other.case_no, other.shift

    def complete(self, task: Any, data: dict[str, Any], outcome: str | None, opinion: str, by: str) -> None:
        self.finish(task, data, outcome, opinion, by)
        self.logins.add(by)

    def pass_time(self, until: datetime) -> None:
        self.until(until)
