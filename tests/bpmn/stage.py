"""A small world without a database in which processes run, call each other and hear messages and signals.

After every step each instance is saved and brought back, and the save of what was brought back must be the same text: every test
on a :class:`Stage` is also one of saving.  What an ended instance leaves behind (a task, a timer, a subscription) fails the test.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from engine.bpmn.execution import Execution, Token
from engine.bpmn.reader import read_bpmn
from engine.bpmn.snapshot import dump, restore
from engine.bpmn.validation import check
from tests.bpmn.builder import Process, bpmn, process


@dataclass
class Row:
    """What a token waits for: a task, a job, a timer or a subscription."""

    kind: str
    token: int
    reference: str
    name: str = ""
    key: str = ""
    value: Any = None


class Actor:
    """The host of one instance on a stage."""

    functions: Mapping[str, Any] = {}

    def __init__(self, stage: Stage, spec: Any, parent: tuple[Actor, int] | None) -> None:
        self.stage, self.spec, self.parent = stage, spec, parent
        self.rows: list[Row] = []
        self.history: dict[int, str] = {}
        self.returned = False
        self.execution = Execution(spec, self)

    def now(self) -> datetime:
        return datetime(2026, 11, 2, tzinfo=UTC)

    def activity_started(self, token: Token, properties: dict[str, Any]) -> int:
        self.stage.entered.append(token.task_spec.bpmn_id)
        self.history[len(self.stage.entered)] = token.task_spec.bpmn_id
        return len(self.stage.entered)

    def activity_ended(self, token: Token, state: str, properties: dict[str, Any]) -> None:
        element = self.history.pop(token.history)
        (self.stage.done if state == "COMPLETED" else self.stage.killed).append(element)

    def open_task(self, token: Token) -> None:
        self.rows.append(Row("task", token.id, token.task_spec.bpmn_id))

    def open_job(self, token: Token, type: str, retries: int, headers: dict[str, str]) -> None:
        self.rows.append(Row("job", token.id, token.task_spec.bpmn_id, type))

    def open_timer(self, token: Token, event: Any, reference: str, definition: Any, view: Any) -> None:
        self.rows.append(Row("timer", token.id, reference, value=definition.timer.evaluate(view)))

    def open_subscription(self, token: Token, reference: str, kind: str, name: str, correlation_key: str) -> None:
        self.rows.append(Row(kind, token.id, reference, name, correlation_key))

    def close_waits(self, token: Token) -> None:
        self.rows = [row for row in self.rows if row.token != token.id or row.kind in ("task", "job")]

    def close(self, token: Token, kind: str) -> None:
        self.rows = [row for row in self.rows if row.token != token.id or row.kind != kind]
        if kind == "call":
            for child in self.stage.children_of(self, token.id):
                child.execution.cancel_all()
                child.returned = True

    def call(self, token: Token, process_id: str, variables: dict[str, Any]) -> None:
        self.stage.later.append(lambda: token.alive and self.stage.begin(process_id, variables, parent=(self, token.id)))

    def decide(self, token: Token, decision_id: str, context: Mapping[str, Any]) -> Any:
        return self.stage.decisions[decision_id]

    def send_message(self, name: str, correlation_key: str, variables: dict[str, Any]) -> None:
        self.stage.sent.append(name)
        self.stage.later.append(lambda: self.stage._deliver("message", name, correlation_key, variables))

    def send_signal(self, name: str, variables: dict[str, Any]) -> None:
        self.stage.sent.append(name)
        self.stage.later.append(lambda: self.stage._deliver("signal", name, "", variables, besides=self))

    def error_escaped(self, token: Token, code: str, message: str, variables: dict[str, Any]) -> bool:
        return self._escaped("error", code, variables)

    def escalation_escaped(self, token: Token, code: str, variables: dict[str, Any]) -> bool:
        return self._escaped("escalation", code, variables)

    def flow_passed(self, flow: Any) -> None:
        self.stage.passed.append(flow.id)

    def _escaped(self, kind: str, code: str, variables: dict[str, Any]) -> bool:
        if self.parent is None:
            return False
        actor, id = self.parent
        if actor.execution.find_catcher(actor.execution.token(id), kind, code) is None and actor.parent is None:
            return False

        def throw() -> None:
            token = actor.execution.token(id)
            if kind == "error":
                actor.execution.throw_error(token, code, "", variables)
            else:
                actor.execution.throw_escalation(token, code, variables)
            actor.execution.run()

        self.stage.later.append(throw)
        return True

    def incident(self, token: Token, type: str, message: Any, details: Mapping[str, Any]) -> None:
        self.stage.incidents.append((token.task_spec.bpmn_id, type))


def _in_order(state: str) -> Any:
    """A saved state with its set of interrupted scopes in order."""
    parsed = json.loads(state)
    return {**parsed, "x": sorted(parsed.get("x", ()))}


@dataclass
class Stage:
    """Plays processes: ``Stage.of("p", "start -> a -> end").start()``, then :meth:`do`, :meth:`signal`, :meth:`fire`, …

    ``done``, ``entered`` and ``killed`` list elements in the order in which they completed, began and were terminated.
    """

    specs: dict[str, Any]
    actors: list[Actor] = field(default_factory=list)
    later: deque[Callable[[], Any]] = field(default_factory=deque)
    entered: list[str] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    killed: list[str] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    passed: list[str] = field(default_factory=list)
    incidents: list[tuple[str, str]] = field(default_factory=list)
    decisions: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, *what: Any, **elements: Any) -> Stage:
        """Read built processes, each from a file of its own, or one described in place; the models must have no errors."""
        processes = what if isinstance(what[0], Process) else (process(what[0], what[1], **elements),)
        specs: dict[str, Any] = {}
        for item in processes:
            model = read_bpmn(bpmn(item), f"{item.id}.bpmn")
            problems = [str(problem.message) for problem in check(model) if problem.severity == "error"]
            assert not problems, problems
            specs.update(model.processes)
        return cls(specs)

    # --- playing -----------------------------------------------------------------------------------------------------------

    def start(self, process_id: str | None = None, **variables: Any) -> Stage:
        self.begin(process_id or next(iter(self.specs)), variables)
        return self._settle()

    def begin(self, process_id: str, variables: Mapping[str, Any], start_event: str | None = None, parent: Any = None) -> None:
        actor = Actor(self, self.specs[process_id], parent)
        self.actors.append(actor)
        actor.execution.begin(variables, start_event)
        actor.execution.run()

    def do(self, element: str, **variables: Any) -> Stage:
        """Complete the oldest open task or job on ``element``."""
        return self._step(element, ("task", "job"), lambda actor, token, row: actor.execution.complete_token(token, variables), take=True)

    def fire(self, element: str, **variables: Any) -> Stage:
        """Let the oldest timer of ``element`` fire, for the last time."""
        return self._step(element, ("timer",), lambda actor, token, row: self._trigger(actor, token, row, variables), take=True)

    def tick(self, element: str) -> Stage:
        """Let the oldest timer of ``element`` fire; it stays, as a cycle does."""
        return self._step(element, ("timer",), lambda actor, token, row: self._trigger(actor, token, row, {}), take=False)

    def fail(self, element: str, code: str, **variables: Any) -> Stage:
        """Let the oldest task or job on ``element`` fail with a BPMN error."""
        return self._step(
            element, ("task", "job"), lambda actor, token, row: actor.execution.throw_error(token, code, "", variables), take=False
        )

    def escalate(self, element: str, code: str) -> Stage:
        return self._step(element, ("task", "job"), lambda actor, token, row: actor.execution.throw_escalation(token, code, {}), take=False)

    def signal(self, name: str, **variables: Any) -> Stage:
        self._deliver("signal", name, "", variables)
        return self._settle()

    def message(self, name: str, key: str = "", **variables: Any) -> Stage:
        self._deliver("message", name, key, variables)
        return self._settle()

    def set(self, **variables: Any) -> Stage:
        """Set variables of the first instance from outside."""
        execution = self.actors[0].execution
        execution.variables.update(variables)
        execution.variables_changed()
        execution.run()
        return self._settle()

    def retry(self, element: str) -> Stage:
        """Take up the oldest token that stands in an incident on ``element``."""
        for actor in self.actors:
            for token in actor.execution.tasks.values():
                if token.task_spec.bpmn_id == element and "incident" in token.internal_data:
                    self.incidents.remove(next(item for item in self.incidents if item[0] == element))
                    actor.execution.retry(token)
                    actor.execution.run()
                    return self._settle()
        raise AssertionError(f"no incident on {element}")

    # --- reading -----------------------------------------------------------------------------------------------------------

    @property
    def open(self) -> list[str]:
        """The elements with an open task or job, sorted."""
        return sorted(row.reference for actor in self.actors for row in actor.rows if row.kind in ("task", "job"))

    @property
    def waits(self) -> list[str]:
        """What timers and subscriptions are for, sorted."""
        return sorted(row.reference for actor in self.actors for row in actor.rows if row.kind not in ("task", "job"))

    @property
    def ended(self) -> bool:
        return all(actor.execution.ended for actor in self.actors)

    @property
    def variables(self) -> dict[str, Any]:
        return self.actors[0].execution.variables

    @property
    def execution(self) -> Execution:
        return self.actors[0].execution

    def times(self, element: str) -> int:
        """How often ``element`` completed."""
        return self.done.count(element)

    def order(self, *elements: str) -> list[str]:
        """The completions of ``elements`` in their order."""
        return [element for element in self.done if element in elements]

    def children_of(self, parent: Actor, token: int) -> list[Actor]:
        return [actor for actor in self.actors if actor.parent == (parent, token) and not actor.execution.ended]

    # --- inside ------------------------------------------------------------------------------------------------------------

    def _step(self, element: str, kinds: tuple[str, ...], action: Callable[..., Any], take: bool) -> Stage:
        for actor in self.actors:
            for row in actor.rows:
                if row.kind in kinds and row.reference == element:
                    if take:
                        actor.rows.remove(row)
                    action(actor, actor.execution.token(row.token), row)
                    actor.execution.run()
                    return self._settle()
        raise AssertionError(f"nothing to do on {element}; open: {self.open}, waiting: {self.waits}")

    def _trigger(self, actor: Actor, token: Token | None, row: Row, variables: Mapping[str, Any]) -> bool:
        found = None if token is None else actor.execution.awaited_event(token, row.reference)
        if found is None or not token.armed:
            return False
        actor.execution.trigger(token, found[0], variables, found[1])
        actor.execution.run()
        return True

    def _deliver(self, kind: str, name: str, key: str, variables: Mapping[str, Any], besides: Actor | None = None) -> None:
        served = []
        for actor in list(self.actors):
            for row in list(actor.rows) if actor is not besides else ():
                heard = row.kind == kind and row.name == name and row.key in ("", key)
                wanted = heard and row in actor.rows and (kind == "signal" or actor.spec not in served)
                if wanted and self._trigger(actor, actor.execution.token(row.token), row, variables):
                    served.append(actor.spec)
        for process_id, spec in self.specs.items():
            for node in spec.starters if spec not in served or kind == "signal" else ():
                for definition in node.definitions:
                    if definition.kind == kind and definition.name.evaluate({}) == name:
                        self.begin(process_id, variables, node.name)

    def _settle(self) -> Stage:
        while True:
            for actor in self.actors:
                if actor.execution.ended and not actor.returned:
                    actor.returned = True
                    if actor.parent is not None:
                        self.later.append(lambda child=actor: self._return(child))
            if not self.later:
                break
            self.later.popleft()()
        for actor in self.actors:
            self._save(actor)
        return self

    @staticmethod
    def _return(child: Actor) -> None:
        actor, id = child.parent
        token = actor.execution.token(id)
        if token is not None:
            token.task_spec.returned(token, dict(child.execution.variables))
            actor.execution.run()

    @staticmethod
    def _save(actor: Actor) -> None:
        execution = actor.execution
        assert not execution.queue, "the execution has been left while tokens could move"
        for token in execution.tasks.values():
            assert token._parent is None or token._parent in execution.tasks, f"{token.task_spec.name} stands in a scope that is gone"
        for row in actor.rows:
            assert row.token in execution.tasks, f"{row} was left behind"
        if execution.ended:
            assert not actor.rows and len(execution.tasks) == 1 and not actor.history, (actor.rows, actor.history, dump(execution))
            return
        saved = dump(execution)
        actor.execution = restore(actor.spec, actor, saved)
        assert _in_order(dump(actor.execution)) == _in_order(saved)
