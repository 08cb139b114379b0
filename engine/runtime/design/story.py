"""What happened in a dry run, step by step, and whether it is what the scenario expects.

:func:`run` plays a scenario in a sandbox and gives a :class:`Run`: one :class:`Record` a step, with the time, who, and every
:class:`Happening` in words, so that a page can show it and a scenario can be judged by it.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from engine.bpmn.variables import plain
from engine.runtime.casework.casestate import people_of
from engine.runtime.casework.outcomes import outcomes
from engine.runtime.design.judging import differences, failure_words, short
from engine.runtime.design.playing import Player, StepFailed
from engine.runtime.design.sandbox import Sandbox, deployable, processes_of
from engine.runtime.design.scenarios import Scenario
from engine.runtime.telling.notices import PERSONAL, unpacked
from engine.store import tables
from engine.words import T, Words

if TYPE_CHECKING:
    from engine.runtime.desk import Desk
    from engine.runtime.effects import Effects

NAMED = 6
"""People named in one line; an office of two hundred is not listed."""


@dataclass(frozen=True)
class Happening:
    """One line of the log.  ``kind``: opened, finished, dropped, timer, message, signal, rung, notice, paper, status, job, incident,
    limit, decision or ended; ``level`` is the level of a rung (0–3)."""

    at: datetime
    kind: str
    words: Words
    element: str | None = None
    level: int = 0


@dataclass
class Record:
    """One step; number 0 is the start.  ``changed`` holds the variables that are new or other than before."""

    number: int
    step: Mapping[str, Any]
    at: datetime
    by: str = ""
    task: str = ""
    happenings: list[Happening] = field(default_factory=list)
    changed: dict[str, Any] = field(default_factory=dict)


@dataclass
class Passage:
    """Where one process instance has been: ``entered`` counts, ``active`` counts tokens, ``completed`` in order."""

    key: int
    process_id: str
    parent_key: int | None
    definition_key: int
    state: str = "ACTIVE"
    entered: Counter[str] = field(default_factory=Counter)
    active: Counter[str] = field(default_factory=Counter)
    flows: Counter[str] = field(default_factory=Counter)


@dataclass
class Run:
    """A scenario that was played.  ``failure`` is the step that could not be done; ``problems`` say why the run is not as expected.

    ``visited`` and ``flows`` are ids in the draft's own processes; ``path`` is what was finished, in order, called processes included;
    ``turns`` of that only what people finished, and the ends of the case.  ``labels`` are the names of what was entered, ``names`` those of
    everything in the draft and in what it called.  ``wanted`` is what the scenario expects, FEEL computed.
    """

    scenario: Scenario
    records: list[Record] = field(default_factory=list)
    passages: dict[int, Passage] = field(default_factory=dict)
    path: list[str] = field(default_factory=list)
    turns: list[str] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    visited: set[str] = field(default_factory=set)
    flows: set[str] = field(default_factory=set)
    rungs: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    incidents: list[str] = field(default_factory=list)
    variables: dict[str, Any] = field(default_factory=dict)
    state: str = ""
    status: str = ""
    result: str = ""
    open: list[str] = field(default_factory=list)
    extended: list[dict[str, Any]] = field(default_factory=list)
    wanted: dict[str, Any] = field(default_factory=dict)
    failure: StepFailed | None = None
    problems: list[Words] = field(default_factory=list)

    def name_of(self, element: str) -> str | None:
        """What people call an element; ``None`` when no process of this run has it."""
        return self.labels.get(element) or self.names.get(element)


def run(desk: Desk, files: Mapping[str, str | bytes], scenario: Scenario, *, seconds: float = 20.0) -> Run:
    """Play ``scenario`` with a draft's files and judge it.  Raises :class:`DeploymentRejected` when the draft cannot be deployed."""
    with Sandbox(desk, files, scenario.at) as sandbox:
        teller = Teller(sandbox, files, scenario, time.monotonic() + seconds)
        told = teller.tell()
        told.problems = [failure_words(told)] if told.failure else list(differences(told, told.wanted))
        return told


class Teller(Player):
    """A player who writes down what happens; stops at the first step that fails or when its time is up."""

    def __init__(self, sandbox: Sandbox, files: Mapping[str, str | bytes], scenario: Scenario, deadline: float) -> None:
        process = scenario.process or sandbox.process_id or ""
        super().__init__(sandbox.engine, sandbox.clock, replace(scenario, process=process))
        self.run = Run(self.scenario)
        self.deadline = deadline
        self._own = processes_of(deployable(files).items())
        for process_id in self._own:
            self._learn_names(process_id)
        self._record = Record(0, {"do": "start"}, self.clock.now)
        self._last = {"notice": 0, "trail": 0}
        self._fired: set[tuple[int, str]] = set()
        self._jobs: set[int] = set()
        self._stuck: set[int] = set()
        self._case: tuple[str, str] = ("", "")
        sandbox.engine.desk.done.clear()

    def _learn_names(self, process_id: str) -> None:
        found = self.engine.catalogue.find("process", process_id)
        for node in found.model.task_specs.values() if found is not None and found.model is not None else ():
            if node.bpmn_id:
                self.run.names.setdefault(node.bpmn_id, node.label)

    @property
    def desk(self) -> Desk:
        return self.engine.desk

    def tell(self) -> Run:
        """Play to the end, or to the step that fails."""
        try:
            self._in_time()
            self._telling(Record(0, {"do": "start"}, self.clock.now), self.begin)
            for number, step in enumerate(self.scenario.steps, 1):
                self._in_time()
                self._telling(Record(number, step, self.clock.now), lambda step=step: self.step(step))
        except StepFailed as failure:
            self.run.failure = failure
        self._end()
        return self.run

    def _telling(self, record: Record, action: Any) -> None:
        self._record = record
        self.run.records.append(record)
        before = dict(self.run.variables)
        try:
            action()
        finally:
            record.at, record.by = self.clock.now, self.by
            if self.worked_on is not None:
                record.task = self.worked_on.name
            if self.case_key:
                self._look()
                self.run.variables = plain(self.variables())
                record.changed = {name: value for name, value in self.run.variables.items() if name not in before or before[name] != value}
            else:
                self.engine.desk.done.clear()

    def not_open(self, step: Mapping[str, Any], names: str) -> Words:
        if self.run.name_of(step["element"]) is None:
            return T("The procedure has no step “%(element)s” any more. Open are: %(open)s.", element=step.get("note") or step["element"], open=names)
        return super().not_open({**step, "note": self.run.name_of(step["element"])}, names)

    def instant_passed(self) -> None:
        self._look()
        self._in_time()

    def _in_time(self) -> None:
        if time.monotonic() > self.deadline:
            raise StepFailed(self.number, "do", T("The dry run takes too long and was stopped. Does the procedure go round in a loop?"))

    # --- looking -----------------------------------------------------------------------------------------------------------

    def _say(self, kind: str, words: Words, element: str | None = None, level: int = 0) -> None:
        self._record.happenings.append(Happening(self.clock.now, kind, words, element, level))

    def _names(self, logins: Iterable[str]) -> str:
        found = list(dict.fromkeys(logins))
        name = self.desk.people.directory().name
        more = f" +{len(found) - NAMED}" if len(found) > NAMED else ""
        return "、".join(name(login) for login in found[:NAMED]) + more

    def _look(self) -> None:
        effects, self.engine.desk.done = self.engine.desk.done, []
        for each in effects:
            self._follow(each)
        with self.engine.reading() as conn:
            self._look_at_trail(conn)
            self._look_at_rungs(conn)
            self._look_at_notices(conn)
            self._look_at_standstill(conn)
            self._look_at_case(conn)

    def _follow(self, effects: Effects) -> None:
        run = self.run
        for each in effects.started:
            if each.process_id not in self._own:
                self._learn_names(each.process_id)
            run.passages[each.key] = Passage(each.key, each.process_id, each.parent_key, each.definition_key)
        for event in effects.activities:
            passage = run.passages.get(event.instance_key)
            if passage is None:
                continue
            run.labels[event.element_id] = event.name or event.element_id
            if event.kind == "activated":
                passage.entered[event.element_id] += 1
                passage.active[event.element_id] += 1
                if passage.process_id in self._own:
                    run.visited.add(event.element_id)
            else:
                passage.active[event.element_id] -= 1
                if event.kind == "completed":
                    run.path.append(event.element_id)
                    if event.element_type == "userTask" or (event.element_type == "endEvent" and event.instance_key == event.root_key):
                        run.turns.append(event.element_id)
        by_process = {passage.process_id: passage for passage in run.passages.values()}
        for process_id, flow in effects.flows:
            if process_id in by_process:
                by_process[process_id].flows[flow] += 1
            if process_id in self._own:
                run.flows.add(flow)
        for fired in effects.fired:
            say = {"timer": T("The time of “%(label)s” has come.", label=fired["label"])}.get(
                fired["kind"], T("“%(label)s” was received.", label=fired["label"])
            )
            self._say(fired["kind"] if fired["kind"] in ("timer", "message", "signal") else "message", say, fired["element_id"])
        for task in effects.tasks_ended:
            self._task_ended(task)
        for task in effects.tasks_created:
            if task["state"] == "CREATED":
                self._task_opened(task)
        for each in effects.ended:
            if each.key in run.passages:
                run.passages[each.key].state = each.state
                run.passages[each.key].active.clear()
            if each.key == self.case_key or (not self.case_key and each.parent_key is None):
                ending = T("The case has come to its end.") if each.state == "COMPLETED" else T("The case was ended before its time.")
                self._say("ended", ending)

    def _task_ended(self, task: Mapping[str, Any]) -> None:
        if task["state"] != "COMPLETED":
            self._say("dropped", T("“%(task)s” is no longer needed.", task=task["name"]), task["element_id"])
            return
        button = next((each.label for each in outcomes(task["properties"]) if each.value == self._record.step.get("outcome")), "")
        name = self._names([task["completed_by"]] if task["completed_by"] else [])
        words = (
            T("%(name)s finished “%(task)s”: %(button)s", name=name, task=task["name"], button=button)
            if button
            else T("%(name)s finished “%(task)s”.", name=name, task=task["name"])
        )
        self._say("finished", words, task["element_id"])

    def _task_opened(self, task: Mapping[str, Any]) -> None:
        directory = self.desk.people.directory()
        people = [task["assignee"]] if task["assignee"] else people_of(directory, (*task["candidate_users"], *task["candidate_groups"]))
        words = (
            T("“%(task)s” is open for %(people)s.", task=task["name"], people=self._names(people))
            if people
            else T("“%(task)s” is open, but nobody may work on it.", task=task["name"])
        )
        self._say("opened", words, task["element_id"])
        entry = self.desk.book().procedure(self.scenario.process)
        named = str(task["properties"].get("document") or "").strip()
        for paper in entry[1].documents if entry else ():
            if paper.at == task["element_id"] or paper.id == named:
                self._say("paper", T("Paper of this step: %(name)s", name=paper.name), task["element_id"])

    def _look_at_trail(self, conn: Any) -> None:
        trail = tables.trail
        chosen = select(trail).where(trail.c.case_key == self.case_key, trail.c.key > self._last["trail"]).order_by(trail.c.key)
        for row in conn.execute(chosen):
            self._last["trail"] = row.key
            words = _LIMITS.get(row.action)
            if words is not None:
                rules = "、".join(row.details.get("rules") or [row.details.get("label") or row.details.get("rule") or ""])
                self._say("limit", T(words.msgid, limit=rules, reason=row.opinion or "–"), row.element_id)
            elif row.action == "decision":
                words = T(
                    "The decision “%(label)s” gave: %(result)s",
                    label=row.element_name or row.element_id,
                    result=short(row.details.get("result")),
                )
                self._say("decision", words, row.element_id)

    def _look_at_rungs(self, conn: Any) -> None:
        firing, clock = tables.rung_firing, tables.clock
        chosen = select(firing, clock.c.label.label("limit")).join(clock, clock.c.key == firing.c.clock_key)
        for row in conn.execute(chosen.where(firing.c.case_key == self.case_key).order_by(firing.c.fired_at, firing.c.planned_at)):
            if (row.clock_key, row.rung) in self._fired:
                continue
            self._fired.add((row.clock_key, row.rung))
            self.run.rungs.append(row.rung)
            people = self._names(each["login"] for each in row.recipients)
            words = T("%(limit)s — %(rung)s; told: %(people)s", limit=row.limit, rung=row.label, people=people or "–")
            self._say("rung", words, level=row.level)

    def _look_at_notices(self, conn: Any) -> None:
        notice = tables.notification
        chosen = select(notice).where(notice.c.key > self._last["notice"], notice.c.kind.not_in(PERSONAL)).order_by(notice.c.key)
        told: dict[str, tuple[Words, list[str]]] = {}
        for row in conn.execute(chosen):
            self._last["notice"] = row.key
            self.run.told.append(row.login)
            words = unpacked(row.msgid, row.params)
            told.setdefault(str(words), (words, []))[1].append(row.login)
        for words, logins in told.values():
            self._say("notice", T("To %(people)s: %(text)s", people=self._names(logins), text=words))

    def _look_at_standstill(self, conn: Any) -> None:
        incident, job = tables.incident, tables.job
        for row in conn.execute(select(incident).where(incident.c.root_key == self.case_key, incident.c.resolved_at.is_(None))):
            if row.key not in self._stuck:
                self._stuck.add(row.key)
                label = self.run.labels.get(row.element_id, row.element_id)
                self._say("incident", T("“%(element)s” stands still: %(reason)s", element=label, reason=row.message), row.element_id)
        for row in conn.execute(select(job).where(job.c.root_key == self.case_key, job.c.state == "CREATED")):
            if row.key not in self._jobs:
                self._jobs.add(row.key)
                label = self.run.labels.get(row.element_id, row.element_id)
                self._say("job", T("“%(element)s” waits for the service “%(type)s”.", element=label, type=row.type), row.element_id)

    def _look_at_case(self, conn: Any) -> None:
        case = tables.case_file
        row = conn.execute(select(case.c.status, case.c.result).where(case.c.key == self.case_key)).one_or_none()
        if row is None:
            return
        found = (row.status or "", row.result or "")
        if found != self._case:
            words = (
                T("Status: %(status)s", status=found[0])
                if not found[1]
                else T("Status: %(status)s, result: %(result)s", status=found[0], result=found[1])
            )
            self._say("status", words)
            self._case = found

    def _end(self) -> None:
        if not self.case_key:
            return
        run = self.run
        run.wanted = {**self.scenario.expect, "variables": self.answers(self.scenario.expect.get("variables"))}
        run.state = self.engine.instance(self.case_key).state
        run.status, run.result = self._case
        run.open = self.waiting()
        incident, clock = tables.incident, tables.clock
        with self.engine.reading() as conn:
            stuck = select(incident.c.element_id).where(incident.c.root_key == self.case_key, incident.c.resolved_at.is_(None))
            run.incidents = sorted(set(conn.execute(stuck).scalars()))
            for row in conn.execute(select(clock.c.rule_id, clock.c.ledger).where(clock.c.case_key == self.case_key).order_by(clock.c.key)):
                run.extended += [{"rule": row.rule_id, "amount": each["amount"]} for each in row.ledger.get("extensions", ())]


_LIMITS = {
    "pause": T("The limits pause (%(limit)s): %(reason)s"),
    "resume": T("The limits run again (%(limit)s)."),
    "extend": T("The limit was extended (%(limit)s): %(reason)s"),
    "extend_refused": T("The extension was not granted (%(limit)s): %(reason)s"),
}
