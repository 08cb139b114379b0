"""Plays the scenarios of ``tests/processes/scenarios`` against an engine, as the people of the demo organisation would.

A scenario is data: who starts with which form, then step by step which element is done by whom with which answers.  ``who`` is
a group (``clerk@gaoxin``) or ``assignee``; answers that start with ``=`` are FEEL over the case's variables.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import select

from engine import Engine, NotPermitted
from engine.feel import compile_expression
from engine.store import tables

ROOT = Path(__file__).parents[2]
SCENARIOS = sorted((ROOT / "tests" / "processes" / "scenarios").glob("*.yaml"))


def delivered_files() -> dict[str, bytes]:
    """Everything ``make run`` deploys: the files of ``processes/`` and ``forms/``."""
    files = [*ROOT.glob("processes/**/*"), *ROOT.glob("forms/*.form")]
    return {str(file.relative_to(ROOT)): file.read_bytes() for file in files if file.suffix in (".bpmn", ".dmn", ".form", ".yaml")}


def read(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


class Player:
    """Plays one scenario; ``clock`` is movable; ``between`` is called after every step (a restart, say) and may give a new engine."""

    def __init__(self, engine: Engine, clock: Any, scenario: Mapping[str, Any], between: Callable[[Engine], Engine] | None = None) -> None:
        self.engine, self.clock, self.scenario, self.between = engine, clock, scenario, between
        self.case_key = 0
        self.last_by = ""

    # --- reading -----------------------------------------------------------------------------------------------------------

    def people(self, group: str) -> list[str]:
        return list(self.engine.desk.people.directory().members(group))

    def answers(self, data: Mapping[str, Any] | None) -> dict[str, Any]:
        return {name: self._value(value) for name, value in (data or {}).items()}

    def _value(self, value: Any) -> Any:
        if isinstance(value, str) and value.startswith("="):
            with self.engine.transaction() as tx:
                functions = self.engine.desk.functions(tx, self.case_key or None)
                scope = {**functions, **(self._all_variables() if self.case_key else {})}
                from engine.bpmn.variables import plain

                return plain(compile_expression(value[1:]).evaluate(scope))
        if isinstance(value, dict):
            return self.answers(value)
        if isinstance(value, list):
            return [self._value(item) for item in value]
        return value

    def _all_variables(self) -> dict[str, Any]:
        return self.engine.instance(self.case_key).variables

    def open_tasks(self, element: str) -> list[Any]:
        return [task for task in self.engine.user_tasks() if task.root_key == self.case_key and task.element_id == element]

    def waiting(self) -> list[str]:
        return sorted(task.element_id for task in self.engine.user_tasks() if task.root_key == self.case_key)

    # --- acting ------------------------------------------------------------------------------------------------------------

    def play(self) -> None:
        start = self.scenario["start"]
        data = self.answers(start["data"])
        received = data.get("received_at")
        if isinstance(received, str) and len(received) >= 16:
            moment = datetime.fromisoformat(received)
            if moment > self.clock.now:
                self.clock.now = moment.astimezone(self.clock.now.tzinfo)
        by = self.people(start["by"])[0]
        self.case_key = self.engine.desk.start_case(self.scenario["process"], data, by=by).key
        self._pause()
        for number, step in enumerate(self.scenario["steps"], 1):
            try:
                self.step(step)
            except Exception as error:
                details = getattr(error, "errors", "")
                raise AssertionError(f"step {number} {step}: {type(error).__name__}: {error} {details}; waiting: {self.waiting()}; {self._incidents()}") from error
            self._pause()

    def _pause(self) -> None:
        if self.between is not None:
            self.engine = self.between(self.engine)

    def step(self, step: Mapping[str, Any]) -> None:
        if "overdue" in step:
            self._let_pass(step["overdue"], step.get("from"))
        elif "message" in step:
            self.engine.desk.case_action(self.case_key, step["message"], self.answers(step.get("data")), by=self.people(step["who"])[0])
        elif "extend" in step:
            task = self.open_tasks(step["extend"])[0]
            by = task.assignee or self._worker(task, step["who"])
            self.engine.desk.request_extension(task.key, by=by)
        else:
            self._do(step)

    def _do(self, step: Mapping[str, Any]) -> None:
        tasks = self.open_tasks(step["element"])
        assert tasks, f"no open task {step['element']}; waiting: {self.waiting()}; {self._incidents()}"
        for task in tasks if step.get("times") == "all" else tasks[:1]:
            by = task.assignee if step["who"] == "assignee" else self._worker(task, step["who"])
            assert by, f"nobody for {task.name}"
            if task.assignee != by:
                self.engine.desk.claim(task.key, by=by)
            self.engine.desk.complete_task(task.key, self.answers(step.get("data")), outcome=step.get("outcome"), opinion=step.get("opinion", ""), by=by)
            self.last_by = by

    def _worker(self, task: Any, group: str) -> str:
        """Somebody of the group who may take the task: not excluded for a conflict of interest."""
        offered = [*task.candidate_users, *(login for name in task.candidate_groups for login in self.people(name))]
        logins = offered if group == "candidate" else self.people(group)
        if task.assignee and task.assignee in logins:
            return task.assignee
        refused: Exception | None = None
        for login in logins:
            try:
                self.engine.desk.claim(task.key, by=login)
            except NotPermitted as error:
                refused = error
                continue
            return login
        raise AssertionError(f"nobody of {group} may take {task.name}: {refused}")

    def _let_pass(self, rule: str, start: str | None) -> None:
        with self.engine.transaction() as tx:
            functions = self.engine.desk.functions(tx, self.case_key)
            moment = functions["overdue"](rule, self._all_variables()[start[1:]]) if start else self._clock_overdue(rule)
        moment = moment.to_datetime() if hasattr(moment, "to_datetime") else moment
        self.clock.now = max(self.clock.now, moment.astimezone(self.clock.now.tzinfo))
        self.engine.run_due()

    def _clock_overdue(self, rule: str) -> datetime:
        clock = tables.clock
        with self.engine.reading() as conn:
            moment = conn.execute(
                select(clock.c.overdue_at).where(clock.c.case_key == self.case_key, clock.c.rule_id == rule, clock.c.state == "RUNNING").order_by(clock.c.key.desc())
            ).scalar()
        if moment is not None:
            return moment
        with self.engine.transaction() as tx:
            return self.engine.desk.functions(tx, self.case_key)["overdue"](rule)

    def _incidents(self) -> list[str]:
        table = tables.incident
        with self.engine.reading() as conn:
            return list(conn.execute(select(table.c.message).where(table.c.root_key == self.case_key)).scalars())

    # --- judging -----------------------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Compare the end with the scenario's ``expect``."""
        expect = self.scenario["expect"]
        instance = self.engine.instance(self.case_key)
        case = tables.case_file
        with self.engine.reading() as conn:
            row = conn.execute(select(case).where(case.c.key == self.case_key)).mappings().one()
        assert not self._incidents()
        if "result" in expect:
            assert row["result"] == expect["result"]
        if "end" in expect:
            ended = [activity.element_id for activity in self.engine.activities(self.case_key) if activity.state == "COMPLETED"]
            assert expect["end"] in ended, (expect["end"], ended[-5:], self.waiting())
        if "waiting" in expect:
            assert set(expect["waiting"]) <= set(self.waiting())
        assert instance.state == expect.get("state", "ACTIVE" if "waiting" in expect else "COMPLETED")
        if instance.state == "COMPLETED":
            assert row["closed_at"] is not None
            assert self.waiting() == []
        for name, value in expect.get("variables", {}).items():
            assert instance.variables.get(name) == value, (name, instance.variables.get(name))
