"""One process instance inside a command: its row, its execution, and the rows that its elements ask for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from engine.bpmn import activities
from engine.bpmn.elements import ElementFailure, EventDefinition, Flow, FlowNode
from engine.bpmn.execution import MAX_NAME, Execution, Token, awaited
from engine.bpmn.timers import first_due
from engine.bpmn.variables import ScopeView, plain
from engine.runtime.effects import ActivityEvent
from engine.runtime.limits import following
from engine.runtime.operations import history
from engine.store import tables
from engine.store.types import new_key
from engine.words import T

if TYPE_CHECKING:
    from engine.runtime.catalogue import Definition
    from engine.runtime.unit import Unit

DEFAULT_PRIORITY = 50
"""Of a user task without ``zeebe:priorityDefinition``, as the dialect says (0–100)."""

MAX_LABEL = 500
"""Characters of an element's name that are kept in rows."""

MAX_LOGIN = 100
"""Characters of a login."""


class Live:
    """The :class:`~engine.bpmn.execution.Host` of one instance, within one :class:`Unit`.

    ``row`` is the instance's row; ``is_new`` whether it is yet to be inserted.
    """

    def __init__(self, unit: Unit, row: dict[str, Any], is_new: bool) -> None:
        self.unit, self.row, self.is_new = unit, row, is_new
        self.key: int = row["key"]
        self.execution: Execution = None  # type: ignore[assignment]  # set by whoever made this
        self.closed_timers: list[int] = []
        self.closed_subscriptions: list[int] = []
        self.closed: dict[str, list[int]] = {"task": [], "job": [], "call": [], "incident": []}
        self.definition: Definition = unit.engine.catalogue.get(row["definition_key"], conn=unit.tx.conn)
        self.history_level = history.level(unit.engine, self.definition)

    @property
    def functions(self) -> Mapping[str, Any]:
        return self.unit.functions(self.row["root_key"])

    def now(self) -> datetime:
        return self.unit.tx.now

    # --- history ---------------------------------------------------------------------------------------------------------

    def activity_started(self, token: Token, properties: dict[str, Any]) -> int:
        spec = token.task_spec
        row = {
            "key": new_key(),
            "instance_key": self.key,
            "root_key": self.row["root_key"],
            "element_id": spec.bpmn_id,
            "element_type": spec.element_type,
            "name": spec.bpmn_name and spec.bpmn_name[:MAX_LABEL],
            "state": "ACTIVE",
            "started_at": self.now(),
            "ended_at": None,
        }
        if self.history_level != "none":
            self.unit.activities[row["key"]] = row
        self._tell("activated", row["key"], token, properties)
        return row["key"]

    def activity_ended(self, token: Token, state: str, properties: dict[str, Any]) -> None:
        row = self.unit.activities.get(token.history)
        if row is not None:
            row["state"], row["ended_at"] = state, self.now()
        elif self.history_level != "none":
            self.unit.ended_activities.append({"the_key": token.history, "new_state": state, "new_ended_at": self.now()})
        self._tell(state.lower(), token.history, token, properties)

    def _tell(self, kind: str, key: int, token: Token, properties: dict[str, Any]) -> None:
        from engine.bpmn.expressions import feel

        spec, view = token.task_spec, self.execution.view(token)
        self.unit.effects.activities.append(
            ActivityEvent(
                kind,
                key,
                self.key,
                self.row["root_key"],
                spec.bpmn_id,
                spec.element_type,
                spec.bpmn_name,
                token.id,
                properties,
                lambda text: plain(feel(text).evaluate(view)),
            )
        )

    def flow_passed(self, flow: Flow) -> None:
        self.unit.effects.flows.append((self.row["process_id"], flow.id))

    # --- wait states -----------------------------------------------------------------------------------------------------

    def open_task(self, token: Token) -> None:
        spec: activities.UserTask = token.task_spec
        view = self.execution.view(token)
        properties = self.execution.properties(token)
        read = lambda value: None if value is None else plain(value.evaluate(view))  # noqa: E731
        assignee = read(spec.assignee)
        groups, users = names(read(spec.candidate_groups)), names(read(spec.candidate_users))
        for given, limit in (([str(assignee or "")], MAX_LOGIN), ([*groups, *users], MAX_NAME)):
            if any(len(name) > limit for name in given):
                raise ElementFailure(
                    "ASSIGNMENT_ERROR",
                    T("The assignment of “%(label)s” gives a name of more than %(limit)d characters.", label=spec.label, limit=limit),
                )
        row = {
            "key": new_key(),
            "instance_key": self.key,
            "root_key": self.row["root_key"],
            "process_id": self.row["process_id"],
            "definition_key": self.row["definition_key"],
            "element_id": spec.bpmn_id,
            "token": token.id,
            "name": spec.label[:MAX_LABEL],
            "assignee": str(assignee) if assignee not in (None, "") else None,
            "candidate_groups": groups,
            "candidate_users": users,
            "excluded": names(properties.get("exclude")),
            "form_id": read(spec.form_id),
            "properties": dict(properties),
            "due_at": self._instant(read(spec.due), spec),
            "follow_up_at": self._instant(read(spec.follow_up), spec),
            "priority": self._priority(read(spec.priority)),
            "state": "CREATED",
            "created_at": self.now(),
            "claimed_at": None,
            "ended_at": None,
            "completed_by": None,
            "clock_key": None,
            "revision": 1,
        }
        self.unit.effects.tasks_created.append(row)

    def _instant(self, value: Any, spec: FlowNode) -> datetime | None:
        return None if value in (None, "") else first_due("date", value, self.now(), spec.label).at

    @staticmethod
    def _priority(value: Any) -> int:
        try:
            return DEFAULT_PRIORITY if value in (None, "") else max(0, min(100, int(value)))
        except (TypeError, ValueError):
            return DEFAULT_PRIORITY

    def open_job(self, token: Token, type: str, retries: int, headers: dict[str, str]) -> None:
        self.unit.jobs.append(
            {
                "key": new_key(),
                "instance_key": self.key,
                "root_key": self.row["root_key"],
                "token": token.id,
                "element_id": token.task_spec.bpmn_id,
                "type": type,
                "state": "CREATED",
                "retries": retries,
                "headers": headers,
                "payload": None,
                "available_at": self.now(),
                "worker": None,
                "leased_until": None,
                "message": None,
                "created_at": self.now(),
                "ended_at": None,
            }
        )

    def open_timer(self, token: Token, event: FlowNode, reference: str, definition: EventDefinition, view: ScopeView) -> None:
        row: dict[str, Any] = {
            "key": new_key(),
            "instance_key": self.key,
            "definition_key": None,
            "token": token.id,
            "element_id": reference,
            "due_at": None,
            "occurrence": 0,
            "repeats": None,
            "every": None,
            "case_key": None,
            "follows": None,
            "calendar_version": None,
        }
        if following.asks(definition):
            following.arm(self.unit.engine.desk, self.unit.tx, row, self.row["root_key"], definition, event.label, view, holders_of(token))
            self.unit.effects.following.append(row)
        else:
            due = first_due(definition.timer_type, definition.timer.evaluate(view), self.now(), event.label)
            row.update(due_at=due.at, repeats=due.repeats if due.every else None, every=due.every)
        self.unit.timers.append(row)

    def open_subscription(self, token: Token, reference: str, kind: str, name: str, correlation_key: str) -> None:
        row = {
            "key": new_key(),
            "kind": kind,
            "name": name,
            "correlation_key": correlation_key,
            "instance_key": self.key,
            "token": token.id,
            "definition_key": None,
            "element_id": reference,
        }
        self.unit.subscriptions.append(row)
        if kind == "message":
            self.unit.opened_messages.append(row)

    def close_waits(self, token: Token) -> None:
        kinds = waits_of(token.task_spec)
        mine = lambda row: row["instance_key"] == self.key and row["token"] == token.id  # noqa: E731
        if "timer" in kinds:
            self.unit.timers = [row for row in self.unit.timers if not mine(row)]
            self.unit.effects.following = [row for row in self.unit.effects.following if not mine(row)]
            self.closed_timers.append(token.id)
        if kinds & {"message", "signal"}:
            self.unit.subscriptions = [row for row in self.unit.subscriptions if not mine(row)]
            self.closed_subscriptions.append(token.id)

    def close(self, token: Token, kind: str) -> None:
        """A terminated token's task, job or child instance ends with it."""
        self.closed[kind].append(token.id)

    # --- neighbours ------------------------------------------------------------------------------------------------------

    def call(self, token: Token, process_id: str, variables: dict[str, Any]) -> None:
        self.unit.later(lambda: self.unit.start_child(self, token, process_id, variables))

    def decide(self, token: Token, decision_id: str, context: Mapping[str, Any]) -> Any:
        return self.unit.decide(self, token, decision_id, context)

    def read_store(self, name: str) -> Any:
        return self.unit.read_store(name)

    def write_store(self, name: str, value: Any) -> None:
        self.unit.stores[name] = value

    def send_message(self, name: str, correlation_key: str, variables: dict[str, Any]) -> None:
        self.unit.later(lambda: self.unit.correlate(name, correlation_key, variables))

    def send_signal(self, name: str, variables: dict[str, Any]) -> None:
        self.unit.later(lambda: self.unit.broadcast(name, variables, besides=self.key))

    def error_escaped(self, token: Token, code: str, message: str, variables: dict[str, Any]) -> bool:
        return self.unit.escaped(self, "error", code, message, variables)

    def escalation_escaped(self, token: Token, code: str, variables: dict[str, Any]) -> bool:
        return self.unit.escaped(self, "escalation", code, "", variables)

    def incident(self, token: Token, type: str, message: Any, details: Mapping[str, Any]) -> None:
        # Not at the top: reading an incident needs instances, which are made of lives.
        from engine.runtime.operations import incidents

        self.unit.tx.add(
            tables.incident,
            key=new_key(),
            instance_key=self.key,
            root_key=self.row["root_key"],
            element_id=token.task_spec.bpmn_id,
            token=token.id,
            job_key=None,
            type=type,
            message=str(message),
            details={**details, "stack": incidents.stack(self.unit, self, token)},
            created_at=self.now(),
            resolved_at=None,
            resolved_by=None,
        )
        self.unit.engine.desk.held_up(self.unit.tx, self.row["process_id"], token.task_spec.label)


def names(value: Any) -> list[str]:
    """``"a, b"`` or ``["a", "b"]`` → ``["a", "b"]``; what is empty is left out, what is double stands once."""
    if value is None:
        return []
    items = value.split(",") if isinstance(value, str) else value if isinstance(value, list) else [value]
    return list(dict.fromkeys(text for item in items if item is not None and (text := str(item).strip())))


def holders_of(token: Token) -> list[int]:
    """The ids of a token and of those around it, from the inside out."""
    ids = []
    while token is not None:
        ids.append(token.id)
        token = token.parent
    return ids


def waits_of(spec: FlowNode) -> set[str]:
    """The kinds of rows a token of ``spec`` may have in the database (timer, message, signal)."""
    return {definition.kind for event in awaited(spec) for definition in event.definitions}
