"""Activities: tasks, sub-processes, call activities (BPMN 2.0 §10.2–10.3); what repeats them stands in :mod:`engine.bpmn.repeating`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from SpiffWorkflow.util.task import TaskState

from engine.bpmn.elements import ElementFailure, EventDefinition, FlowNode
from engine.bpmn.events import begun_behind_gateway, open_job, send_message
from engine.bpmn.expressions import ModelValue
from engine.bpmn.variables import map_inputs, plain, visible
from engine.words import T

if TYPE_CHECKING:
    from engine.bpmn.execution import Execution, Token


class Activity(FlowNode):
    """Base of all activities: input mappings, then boundary events, then the work.

    With a start quantity the work begins when as many tokens have come (BPMN 2.0 table 10.3).
    """

    def __init__(self, wf_spec, bpmn_id: str, **kwargs: Any) -> None:
        super().__init__(wf_spec, bpmn_id, **kwargs)
        self.start_quantity = 1
        self.for_compensation = False

    def _run(self, token: Token) -> bool | None:
        if self.start_quantity > 1 and not self._gathered(token):
            return None
        map_inputs(token)
        token.execution.activated(token)
        for event in self.boundaries:
            token.execution.arm(token, event)
        return self.execute(token)

    def _gathered(self, token: Token) -> bool:
        """Whether ``token`` completes the number needed; then the others are merged into it."""
        if token.internal_data.get("gathered"):
            return True
        waiting = [other for other in token.scope.children if other.task_spec is self and other.internal_data.get("gathered") is False]
        if len(waiting) + 1 < self.start_quantity:
            token.internal_data["gathered"] = False
            return False
        for other in waiting[: self.start_quantity - 1]:
            token.execution.discard(other)
        token.internal_data["gathered"] = True
        return True


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
        open_job(self, token)
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
            if self.definition.named:
                send_message(self, self.definition, token)
            return True
        return super().execute(token)


class ReceiveTask(Activity):
    """Waits for its message; an instantiating one is started by it (BPMN 2.0 §10.2.3)."""

    element_type = "receiveTask"
    listens = True
    all_needed = False

    def __init__(self, wf_spec, bpmn_id: str, **kwargs: Any) -> None:
        super().__init__(wf_spec, bpmn_id, **kwargs)
        self.definitions: list[EventDefinition] = []
        self.instantiate = False

    def execute(self, token: Token) -> None:
        token.execution.arm(token, self)

    def started(self, execution: Execution, scope: Token) -> None:
        """Its message has started the process."""
        begun_behind_gateway(self, execution, scope)
        token = execution.make_token(self, scope)
        token._state = TaskState.STARTED
        execution.activated(token)
        execution.complete_token(token, {})

    def fire(self, execution: Execution, owner: Token, variables: dict[str, Any]) -> None:
        if owner.task_spec is self:
            execution.complete_token(owner, variables)
        else:
            owner.task_spec.chosen_event(owner, self, variables)


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
        self.binding = "latest"
        self.version_tag: str | None = None
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
        self.binding = "latest"
        self.version_tag: str | None = None
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


class Transaction(SubProcess):
    """A sub-process that can be cancelled: then all it has completed is undone (BPMN 2.0 §10.3.5)."""

    element_type = "transaction"


class AdHocSubProcess(SubProcess):
    """A sub-process without a fixed order (BPMN 2.0 §10.3.4).

    ``active`` (``zeebe:adHoc activeElementsCollection``) gives the ids of the elements to begin with; without it all that no flow
    leads to begin: at once, or one after another when ``sequential``.  It is done when nothing runs in it any more or, if it has
    a completion condition, when that holds after an element has completed; the rest is then ended, unless ``cancel_remaining`` is off.
    """

    element_type = "adHocSubProcess"

    def __init__(self, wf_spec, bpmn_id: str, **kwargs: Any) -> None:
        super().__init__(wf_spec, bpmn_id, **kwargs)
        self.sequential = False
        self.active: ModelValue | None = None
        self.condition: ModelValue | None = None
        self.cancel_remaining = True

    def execute(self, token: Token) -> bool | None:
        if token.internal_data.get("begun"):
            return self._taken_up(token)
        chosen = self._chosen(token)
        token.execution.arm_event_subprocesses(token)
        token.internal_data["begun"] = True
        if not chosen:
            return True if self.condition is None else None
        if self.sequential:
            token.internal_data["todo"] = [node.name for node in chosen[1:]]
            chosen = chosen[:1]
        for node in chosen:
            node.begin_at(token.execution, token)
        return None

    def _taken_up(self, token: Token) -> bool | None:
        """Go on after an incident: what was done in it is not done again; its condition is asked, then what is left is begun."""
        token.execution.arm_event_subprocesses(token)
        self._ask(token)
        if token.internal_data.get("closing"):
            return True
        if token.internal_data.get("todo"):
            self.contents_done(token)
        return None

    def _chosen(self, token: Token) -> list[FlowNode]:
        if self.active is None:
            return self.entry
        ids = plain(self.active.evaluate(token.execution.view(token)))
        return [self._inside(token, id) for id in (ids if isinstance(ids, list) else [ids]) if id is not None]

    def _inside(self, token: Token, id: Any) -> FlowNode:
        node = token.execution.spec.task_specs.get(str(id))
        if node is None or node.container is not self:
            raise ElementFailure(
                "AD_HOC_ERROR", T("“%(label)s” is to begin with “%(id)s”, which is no element in it.", label=self.label, id=str(id))
            )
        return node

    def activate(self, token: Token, ids: list[str]) -> None:
        """Begin further elements of a running ad-hoc sub-process.  Raises :class:`ElementFailure` for an id that is not in it."""
        for node in [self._inside(token, id) for id in ids]:
            node.begin_at(token.execution, token)

    def inner_completed(self, token: Token) -> None:
        """Ask the condition.  Should it exceed its bounds, that is an incident here and not of the element that has completed."""
        if "incident" not in token.internal_data:
            token.execution.attempt(token, lambda: self._ask(token))

    def _ask(self, token: Token) -> None:
        memory = token.internal_data
        if self.condition is None or memory.get("closing"):
            return
        if self.condition.evaluate(token.execution.view(token)) is True:
            memory["closing"] = True
            memory.pop("todo", None)
            if self.cancel_remaining:
                token.execution.terminate_contents(token)

    def contents_done(self, token: Token) -> None:
        memory = token.internal_data
        if memory.get("todo"):
            name, *memory["todo"] = memory["todo"]
            token.execution.spec.task_specs[name].begin_at(token.execution, token)
        elif self.condition is None or memory.get("closing"):
            token.execution.attempt(token, token.complete)


class ProcessScope(FlowNode):
    """The process itself, as the spec of the root token."""

    element_type = "process"
    recorded = False

    def contents_done(self, token: Token) -> None:
        token.execution.finish_process()
