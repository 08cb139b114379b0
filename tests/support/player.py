"""The scenarios of ``processes/*/scenarios``, for tests that play them elsewhere than in a sandbox.

How a step is done is the business of :class:`engine.runtime.design.playing.Player`, the one way to play a scenario; a test may
look between the steps, or do the verbs through a browser (:mod:`tests.support.served`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import select

from engine import Engine
from engine.runtime.design import playing, scenarios
from engine.runtime.design.playing import StepFailed
from engine.store import tables

ROOT = Path(__file__).parents[2]
SCENARIOS = sorted((ROOT / "processes").glob("*/scenarios/*.json"))


def delivered_files() -> dict[str, bytes]:
    """Everything ``make run`` deploys: the files of ``processes/`` and ``forms/``."""
    files = [*ROOT.glob("processes/**/*"), *ROOT.glob("forms/*.form")]
    return {str(file.relative_to(ROOT)): file.read_bytes() for file in files if file.suffix in (".bpmn", ".dmn", ".form", ".yaml")}


def read(path: Path) -> dict[str, Any]:
    """A scenario file with the procedure beside which it lies."""
    return {"process": path.parent.parent.name, **json.loads(path.read_text(encoding="utf-8"))}


def named(name: str) -> dict[str, Any]:
    """The scenario file of that name, of whichever procedure."""
    return read(next(path for path in SCENARIOS if path.stem == name))


class Player(playing.Player):
    """Plays one scenario; ``clock`` is movable; ``between`` is called after every step (a restart, say) and may give a new engine."""

    def __init__(self, engine: Engine, clock: Any, scenario: Mapping[str, Any], between: Callable[[Engine], Engine] | None = None) -> None:
        super().__init__(engine, clock, scenarios.read(scenario["title"], scenario))
        self.between = between

    def play(self) -> None:
        try:
            super().play()
        except StepFailed as failure:
            raise AssertionError(
                f"step {failure.number}: {failure} {failure.errors}; waiting: {self.waiting()}; {self.incidents()}"
            ) from failure

    def begin(self) -> None:
        self.clock.now = max(self.clock.now, self.scenario.at)
        super().begin()
        self._look_between()

    def step(self, step: Mapping[str, Any]) -> None:
        super().step(step)
        self._look_between()

    def play_until(self, element: str) -> None:
        """Open the case and play up to, but without, the step of ``element`` (or the message of that name)."""
        self.begin()
        for step in self.scenario.steps:
            if element in (step.get("element"), step.get("name")):
                return
            self.step(step)
        raise AssertionError(f"the scenario has no step {element}")

    def _look_between(self) -> None:
        if self.between is not None:
            self.engine = self.between(self.engine)

    def incidents(self) -> list[str]:
        """What stands still, in words."""
        table = tables.incident
        with self.engine.reading() as conn:
            return list(conn.execute(select(table.c.message).where(table.c.root_key == self.case_key)).scalars())

    # --- judging -----------------------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Compare the end with the scenario's ``expect``, as far as the tables show it whoever played."""
        expect = self.scenario.expect
        instance = self.engine.instance(self.case_key)
        case, clock = tables.case_file, tables.clock
        with self.engine.reading() as conn:
            row = conn.execute(select(case).where(case.c.key == self.case_key)).mappings().one()
            clocks = conn.execute(select(clock).where(clock.c.case_key == self.case_key)).all()
        assert self.incidents() == []
        ended = [activity.element_id for activity in self.engine.activities(self.case_key) if activity.state == "COMPLETED"]
        assert expect["state"] != "COMPLETED" or expect["path"][-1] in ended, (expect["path"][-1], ended[-5:], self.waiting())
        assert row["result"] == expect.get("result")
        assert self.waiting() == expect.get("open", [])
        assert instance.state == expect["state"]
        if instance.state == "COMPLETED":
            assert row["closed_at"] is not None
            assert {each.rule_id for each in clocks if each.state != "STOPPED"} == set()
        for name, value in self.answers(expect.get("variables")).items():
            found: Any = instance.variables
            for part in name.split("."):
                found = found[part]
            assert found == value, name
        granted = [{"rule": each.rule_id, "amount": one["amount"]} for each in clocks for one in each.ledger["extensions"]]
        assert "extended" not in expect or granted == expect["extended"]
