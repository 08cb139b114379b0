"""The BPMN execution kit: 86 features, each a model with the trace of elements it must leave (``../shared/kits/bpmn/FORMAT.md``).

What this release does not execute is listed in ``bpmn_gaps.txt`` with its reason; the list may only shrink.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from engine import DeploymentRejected, Engine, EngineError
from engine.runtime.due import next_timer
from tests.conformance.dmn_kit_support import judge, read_gaps

KIT = Path(__file__).resolve().parents[3] / "shared" / "kits" / "bpmn"
GAPS = Path(__file__).with_name("bpmn_gaps.txt")
BEGIN = datetime(2026, 11, 2, 1, 0, tzinfo=UTC)


class Case:
    """One case of a feature, run on a database of its own.

    ``trace`` is the multiset of tokens, ``complaints`` what the strict part of the kit finds wrong beyond it.
    """

    def __init__(self, feature: dict[str, Any], case: dict[str, Any], database: Path) -> None:
        self.feature, self.case = feature, case
        self.now = BEGIN
        self.engine = Engine(f"sqlite:///{database}", clock=lambda: self.now)
        self.trace: list[str] = []
        self.complaints: list[str] = []
        self._guarded: dict[int, bool] = {}
        self._parallel = False

    def run(self) -> None:
        try:
            self._run()
        except DeploymentRejected:
            self.trace = ["error:deployment"]
        except EngineError:
            self.trace = ["error:runtime"]
        finally:
            self.engine.dispose()

    def _run(self) -> None:
        self.engine.deploy({file: (KIT / file).read_bytes() for file in self.feature["files"]}, by="kit")
        if self.case.get("parallel_process"):
            self.engine.start(self.case["parallel_process"])
        self.key = self.engine.start(self.feature["process"], self.case.get("input") or {}).key
        self._until_nothing_moves()
        end = BEGIN + timedelta(seconds=self.case.get("advance_seconds", 0))
        while self.now < end:
            self.now = min([end, *(at for at in self._next_instants() if at > self.now)])
            self._until_nothing_moves()
        self._judge()

    def _next_instants(self) -> Iterator[datetime]:
        with self.engine.reading() as conn:
            timer = next_timer(conn)
        if timer:
            yield timer
        for task in self.engine.user_tasks():
            after = self.feature.get("external", {}).get(task.element_id, {}).get("completes_after_seconds")
            if after is not None:
                yield task.created_at + timedelta(seconds=after)

    def _until_nothing_moves(self) -> None:
        while True:
            moved = self.engine.run_due()
            self._look()
            moved += self._drive_one()
            self._look()
            if not moved:
                return

    def _drive_one(self) -> int:
        """Finish or fail one of the activities the kit drives, if it is time."""
        for task in self.engine.user_tasks():
            external = self.feature.get("external", {}).get(task.element_id, {})
            if "throws_error" in external:
                self.engine.throw_error(task.key, external["throws_error"])
                return 1
            after = external.get("completes_after_seconds")
            if after is not None and self.now >= task.created_at + timedelta(seconds=after):
                self.engine.complete(task.key)
                return 1
        return 0

    def _look(self) -> None:
        """Note what can only be seen at the moment: activities that are active together, and guarded variables."""
        activities = self._activities()
        active = {item.element_id for item in activities if item.state == "ACTIVE"}
        together = set(self.feature.get("parallel_elements") or [])
        self._parallel = self._parallel or bool(together) and together <= active
        for item in activities:
            guard = (self.feature.get("token_guard") or {}).get(self.feature["elements"].get(item.element_id))
            if guard and item.state == "COMPLETED" and item.key not in self._guarded:
                value = self.engine.instance(item.instance_key).variables.get(guard["variable"])
                self._guarded[item.key] = value == guard["equals"]

    def _activities(self) -> list[Any]:
        return [item for instance in self.engine.instances(limit=1000) for item in self.engine.activities(instance.key)]

    def _judge(self) -> None:
        activities = self._activities()
        done = [item for item in activities if item.state == "COMPLETED"]
        for item in done:
            token = self.feature["elements"].get(item.element_id)
            if token and self._guarded.get(item.key, True):
                self.trace.append(token)
        if self._parallel:
            self.trace.append("parallel")
        for instance in self.engine.instances(limit=1000):
            for incident in self.engine.incidents(instance.key):
                self.trace.append("error:thrownErrorEvent" if incident.type == "UNHANDLED_ERROR" else "error:runtime")
        completed = {item.element_id for item in done}
        if not any(token.startswith("error:") for token in self.case["expect"]):
            self.complaints += [f"{element} did not complete" for element in self.feature.get("reached", []) if element not in completed]
        strict = self.feature.get("strict") or {}
        for before, after in strict.get("order", []):
            first_end = min((item for item in done if item.element_id == after), key=lambda item: (item.ended_at, item.key), default=None)
            entered = [(item.started_at, item.key) for item in activities if item.element_id == before]
            if first_end and (not entered or min(entered) > (first_end.ended_at, first_end.key)):
                self.complaints.append(f"{after} completed before {before} was entered")
        for element, seconds in strict.get("not_before", {}).items():
            for item in done:
                if item.element_id == element and item.ended_at < BEGIN + timedelta(seconds=seconds):
                    self.complaints.append(f"{element} completed before {seconds} s")

    def passes(self) -> bool:
        self.run()
        expected = self.case["expect"]
        if expected == ["error:any"]:
            return self.trace in (["error:deployment"], ["error:runtime"])
        return sorted(self.trace) == sorted(expected) and not self.complaints


@pytest.fixture(scope="module")
def kit() -> dict[str, Any]:
    if not KIT.exists():
        pytest.skip("The BPMN kit is not there: ../shared/kits/bpmn (relative to the repository) is missing.")
    return json.loads((KIT / "cases.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def results(kit, tmp_path_factory, _sqlite_template) -> dict[str, bool]:
    folder = tmp_path_factory.mktemp("kit")
    found: dict[str, bool] = {}
    for feature in kit["features"]:
        good = True
        for number, case in enumerate(feature["cases"]):
            database = folder / f"{feature['name']}-{number}.db"
            shutil.copyfile(_sqlite_template(), database)
            good = Case(feature, case, database).passes() and good
        found[feature["name"]] = good
    return found


def test_every_feature_passes_unless_its_gap_is_listed(results, record_property):
    record_property("passed", f"{sum(results.values())} of {len(results)}")
    judge(results, read_gaps(GAPS), GAPS.name)
