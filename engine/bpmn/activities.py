"""Activities: tasks, sub-processes, call activities, multi-instance (BPMN 2.0 §10.2–10.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.bpmn.elements import ElementFailure, EventDefinition, FlowNode
from engine.bpmn.events import send_message
from engine.bpmn.expressions import ModelValue
from engine.bpmn.variables import assign, map_inputs, plain, visible
from engine.words import T

if TYPE_CHECKING:
    from engine.bpmn.execution import Execution, Token


class Activity(FlowNode):
    """Base of all activities: input mappings, then boundary events, then the work."""

    def _run(self, token: Token) -> bool | None:
        map_inputs(token)
        token.execution.activated(token)
        for event in self.boundaries:
            token.execution.arm(token, event)
        return self.execute(token)


class PlainTask(Activity):
    """A task without a type: passes at once."""

    element_type = "task"


class ManualTask(Activity):
    """Done outside any system (BPMN 2.0 §10.2.3): passes at once."""

    element_type = "manualTask"


class UserTask(Activity):
    """Work for a person; waits in the inbox."""

    element_type = "userTask"
    wait_kind = "task"

    def __init__(self, wf_spec, bpmn_id: str, **kwargs: Any) -> None:
        super().__init__(wf_spec, bpmn_id, **kwargs)
        self.manual = True
        self.assignee: ModelValue | None = None
        self.candidate_groups: ModelValue | None = None
        self.candidate_users: ModelValue | None = None
        self.due: ModelValue | None = None
        self.follow_up: ModelValue | None = None
        self.priority: ModelValue | None = None
        self.form_id: ModelValue | None = None

    def execute(self, token: Token) -> None:
        token.execution.host.open_task(token)


class JobTask(Activity):
    """A service, send or business-rule task that a worker does: a job in the outbox."""

    element_type = "serviceTask"
    wait_kind = "job"

    def __init__(self, wf_spec, bpmn_id: str, **kwargs: Any) -> None:
        super().__init__(wf_spec, bpmn_id, **kwargs)
        self.job_type: ModelValue | None = None
        self.retries: ModelValue | None = None
        self.headers: dict[str, str] = {}

    def execute(self, token: Token) -> bool | None:
        if self.job_type is None:
            return True
        view = token.execution.view(token)
        retries = self.retries.evaluate(view) if self.retries else 3
        token.execution.host.open_job(token, str(self.job_type.evaluate(view)), int(retries), self.headers)
        return None


class ServiceTask(JobTask):
    element_type = "serviceTask"


class SendTask(JobTask):
    """Sends its message; with a job type a worker does it."""

    element_type = "sendTask"

    def __init__(self, wf_spec, bpmn_id: str, **kwargs: Any) -> None:
        super().__init__(wf_spec, bpmn_id, **kwargs)
        self.definition = EventDefinition()

    def execute(self, token: Token) -> bool | None:
        if self.job_type is None and self.definition.kind == "message":
            send_message(self, token)
            return True
        return super().execute(token)


class ReceiveTask(Activity):
    """Waits for its message."""

    element_type = "receiveTask"

    def __init__(self, wf_spec, bpmn_id: str, **kwargs: Any) -> None:
        super().__init__(wf_spec, bpmn_id, **kwargs)
        self.definition = EventDefinition()

    def execute(self, token: Token) -> None:
        token.execution.arm(token, self)

    def fire(self, execution: Execution, owner: Token, variables: dict[str, Any]) -> None:
        execution.complete_token(owner, variables)


class ScriptTask(JobTask):
    """A FEEL expression with a result variable, a FEEL context whose entries become variables (design.md §1.2), or a job."""

    element_type = "scriptTask"

    def __init__(self, wf_spec, bpmn_id: str, **kwargs: Any) -> None:
        super().__init__(wf_spec, bpmn_id, **kwargs)
        self.expression: ModelValue | None = None
        self.result_variable: str | None = None
        self.script: ModelValue | None = None

    def execute(self, token: Token) -> bool | None:
        view = token.execution.view(token)
        if self.expression is not None:
            result = plain(self.expression.evaluate(view))
            token.execution.merge(token, {self.result_variable: result} if self.result_variable else {})
            return True
        if self.script is not None:
            result = plain(self.script.evaluate(view))
            if not isinstance(result, dict):
                raise ElementFailure(
                    "SCRIPT_ERROR",
                    T(
                        "The script of “%(label)s” gives %(value)s; it must be a FEEL context such as { a: 1 }.",
                        label=self.label,
                        value=repr(result),
                    ),
                )
            token.execution.merge(token, result)
            return True
        return super().execute(token)


class BusinessRuleTask(JobTask):
    """Evaluates a decision; the latest deployed version is used."""

    element_type = "businessRuleTask"

    def __init__(self, wf_spec, bpmn_id: str, **kwargs: Any) -> None:
        super().__init__(wf_spec, bpmn_id, **kwargs)
        self.decision_id: ModelValue | None = None
        self.result_variable: str | None = None

    def execute(self, token: Token) -> bool | None:
        if self.decision_id is None:
            return super().execute(token)
        view = token.execution.view(token)
        result = plain(token.execution.host.decide(token, str(self.decision_id.evaluate(view)), view))
        token.execution.merge(token, {self.result_variable: result} if self.result_variable else {})
        return True


class CallActivity(Activity):
    """Runs another process as a child instance (BPMN 2.0 §10.2.5 with the dialect's propagation flags)."""

    element_type = "callActivity"
    wait_kind = "call"

    def __init__(self, wf_spec, bpmn_id: str, **kwargs: Any) -> None:
        super().__init__(wf_spec, bpmn_id, **kwargs)
        self.called: ModelValue | None = None
        self.propagate_parent = True
        self.propagate_child = True

    def execute(self, token: Token) -> None:
        variables = visible(token) if self.propagate_parent else dict(token.data)
        token.execution.host.call(token, str(self.called.evaluate(token.execution.view(token))), variables)

    def returned(self, token: Token, variables: dict[str, Any]) -> None:
        """The child instance completed with ``variables``."""
        if self.outputs_:
            token.data.update(variables)
            brought: dict[str, Any] = {}
        else:
            brought = variables if self.propagate_child else {}
        token.execution.complete_token(token, brought)


class SubProcess(Activity):
    """An embedded sub-process: a scope of its own."""

    element_type = "subProcess"

    def execute(self, token: Token) -> None:
        token.execution.open_scope(token)

    def contents_done(self, token: Token) -> None:
        token.execution.attempt(token, token.complete)


class EventSubProcess(SubProcess):
    """A sub-process that an event starts (BPMN 2.0 §10.3.3); it has no flows of its own."""

    element_type = "eventSubProcess"


class ProcessScope(FlowNode):
    """The process itself, as the spec of the root token."""

    element_type = "process"
    recorded = False

    def contents_done(self, token: Token) -> None:
        token.execution.finish_process()


@dataclass
class Loop:
    """``multiInstanceLoopCharacteristics`` with the dialect's ``zeebe:loopCharacteristics``."""

    sequential: bool
    items: ModelValue | None
    cardinality: ModelValue | None
    input_element: str | None
    output_collection: str | None
    output_element: ModelValue | None
    condition: ModelValue | None


class MultiInstance(Activity):
    """The body of a multi-instance activity: a scope that holds one token per item (BPMN 2.0 §10.3.2, §13.3.7).

    Boundary events belong to the body.  The output collection is filled in the order of the items; the completion condition
    is asked after each item and sees everything collected so far.
    """

    recorded = False

    def __init__(self, wf_spec, bpmn_id: str, inner: Activity, loop: Loop, **kwargs: Any) -> None:
        super().__init__(wf_spec, bpmn_id, **kwargs)
        self.inner, self.loop = inner, loop
        self.element_type = inner.element_type

    def execute(self, token: Token) -> bool | None:
        items = self._items(token)
        if self.loop.output_collection:
            token.data[self.loop.output_collection] = [None] * len(items)
        if not items:
            self._publish(token)
            return True
        memory = token.internal_data
        memory["total"], memory["started"], memory["done"] = len(items), 0, 0
        if self.loop.sequential:
            memory["items"] = items
            self._start_item(token, items[0])
        else:
            for item in items:
                self._start_item(token, item)
        return None

    def _items(self, token: Token) -> list[Any]:
        view = token.execution.view(token)
        if self.loop.items is not None:
            items = plain(self.loop.items.evaluate(view))
            if not isinstance(items, list):
                raise ElementFailure(
                    "MULTI_INSTANCE_ERROR",
                    T(
                        "“%(label)s” repeats over “%(text)s”, which is %(value)s and not a list.",
                        label=self.label,
                        text=self.loop.items.text.strip(),
                        value=repr(items),
                    ),
                )
            return items
        count = plain(self.loop.cardinality.evaluate(view))
        try:
            number = int(count)
        except (TypeError, ValueError):
            number = -1
        if number < 0:
            raise ElementFailure(
                "MULTI_INSTANCE_ERROR",
                T("“%(label)s” is to run %(count)s times; a whole number from 0 is needed.", label=self.label, count=repr(count)),
            )
        return list(range(1, number + 1))

    def _start_item(self, body: Token, item: Any) -> None:
        body.internal_data["started"] += 1
        token = body.execution.make_token(self.inner, body)
        token.internal_data["n"] = body.internal_data["started"]
        token.data["loopCounter"] = body.internal_data["started"]
        if self.loop.input_element:
            token.data[self.loop.input_element] = item
        output = self.loop.output_element.simple_name if self.loop.output_element else None
        if output:
            token.data.setdefault(output, None)
        token._ready()

    def item_completed(self, body: Token, token: Token) -> None:
        """One item is done: collect its output, ask the condition, start the next or finish."""
        execution, memory, loop = body.execution, body.internal_data, self.loop
        view = execution.view(token)
        memory["done"] += 1
        if loop.output_collection and loop.output_element is not None:
            collected = list(body.data[loop.output_collection])
            collected[token.internal_data["n"] - 1] = plain(loop.output_element.evaluate(view))
            body.data[loop.output_collection] = collected
        satisfied = False
        if loop.condition is not None:
            token.data.update(self._counters(body))
            satisfied = loop.condition.evaluate(view) is True
        execution._finished(token, "COMPLETED")
        execution.discard(token)
        if satisfied:
            execution.terminate_contents(body)
        elif loop.sequential and memory["started"] < memory["total"]:
            self._start_item(body, memory["items"][memory["started"]])
        if not body._children:
            self._publish(body)
            execution.attempt(body, body.complete)

    def _counters(self, body: Token) -> dict[str, int]:
        """The standard's counters (BPMN 2.0 table 10.30) as they stand after the item just completed."""
        memory = body.internal_data
        return {
            "numberOfInstances": memory["total"],
            "numberOfCompletedInstances": memory["done"],
            "numberOfActiveInstances": memory["started"] - memory["done"],
            "numberOfTerminatedInstances": 0,
        }

    def _publish(self, body: Token) -> None:
        name = self.loop.output_collection
        if name:
            assign(body.scope, name, body.data.pop(name))
