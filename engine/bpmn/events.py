"""Events: start, end, catching, throwing, boundary (BPMN 2.0 §10.5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from SpiffWorkflow.util.task import TaskState

from engine.bpmn.elements import ElementFailure, EventDefinition, FlowNode
from engine.bpmn.expressions import ModelValue
from engine.bpmn.variables import map_inputs, plain, visible
from engine.bpmn.waiting import correlation_text
from engine.words import T

if TYPE_CHECKING:
    from engine.bpmn.execution import Execution, Token

NONE = EventDefinition()
"""Of an event without a definition."""

THROWN_LAST = ("error", "cancel", "terminate")
"""What ends the thrower's scope comes after everything else that an event throws."""


class Event(FlowNode):
    """Base: an event has any number of definitions; with several it is a multiple event, with ``parallel_multiple`` all of them
    must happen (BPMN 2.0 table 10.93)."""

    def __init__(self, wf_spec, bpmn_id: str, **kwargs: Any) -> None:
        super().__init__(wf_spec, bpmn_id, **kwargs)
        self.definitions: list[EventDefinition] = []
        self.parallel_multiple = False

    @property
    def definition(self) -> EventDefinition:
        """The only definition, or one that says there is none or that there are several."""
        if len(self.definitions) > 1:
            return EventDefinition("multiple")
        return self.definitions[0] if self.definitions else NONE

    @property
    def all_needed(self) -> bool:
        return self.parallel_multiple and len(self.definitions) > 1

    def pass_through(self, execution: Execution, scope: Token, variables: dict[str, Any]) -> Token:
        """A new token on this event in ``scope``, with ``variables`` brought in, ready to leave it."""
        token = execution.make_token(self, scope)
        token._state = TaskState.STARTED
        execution.activated(token)
        execution.complete_token(token, variables)
        return token

    def started_by_part(self, execution: Execution, scope: Token, index: int, variables: Mapping[str, Any]) -> None:
        """One definition of a parallel multiple event has started the process; the token waits here for the others."""
        begun_behind_gateway(self, execution, scope)
        token = execution.make_token(self, scope)
        token._state = TaskState.STARTED
        execution.activated(token)
        execution.arm(token, self, besides=index)
        token.internal_data["happened"] = {self.name: {str(index): plain(dict(variables))}}

    def fire(self, execution: Execution, owner: Token, variables: dict[str, Any]) -> None:
        """What this event waits for has happened; ``owner`` is the token that was armed with it."""
        raise NotImplementedError


class StartEvent(Event):
    """Start of a process, a sub-process or an event sub-process."""

    element_type = "startEvent"

    def __init__(self, wf_spec, bpmn_id: str, **kwargs: Any) -> None:
        super().__init__(wf_spec, bpmn_id, **kwargs)
        self.interrupting = True

    def fire(self, execution: Execution, owner: Token, variables: dict[str, Any]) -> None:
        """Start the event sub-process of the scope ``owner``; or all that a parallel multiple start event needs has happened.

        An interrupting one ends everything else in the scope first, before any further step of it can run, and closes the
        scope's other event sub-processes (BPMN 2.0 §10.5.7).
        """
        if owner.task_spec is self:
            execution.complete_token(owner, variables)
            return
        if self.interrupting:
            execution.terminate_contents(owner)
            execution.close_event_subprocesses(owner)
        subprocess = self.container
        scope = execution.make_token(subprocess, owner)
        scope._state = TaskState.STARTED
        scope.data.update(variables)
        execution.attempt(scope, lambda: (execution.activated(scope), execution.open_scope(scope, self)))


class ThrowingEvent(Event):
    """Base of end events and intermediate throwing events: throws its definitions one after another, or opens a job for the worker
    that does (``zeebe:taskDefinition``)."""

    def __init__(self, wf_spec, bpmn_id: str, **kwargs: Any) -> None:
        super().__init__(wf_spec, bpmn_id, **kwargs)
        self.job_type: ModelValue | None = None
        self.retries: ModelValue | None = None
        self.headers: dict[str, str] = {}

    def execute(self, token: Token) -> bool | None:
        if self.job_type is not None:
            open_job(self, token)
            return None
        return self._throw_from(token, token.internal_data.get("thrown", 0))

    def go_on(self, token: Token) -> None:
        """What was thrown last has been dealt with: throw the rest, then leave."""
        if self._throw_from(token, token.internal_data.get("thrown", 0) + 1) is True:
            token.complete()

    def _throw_from(self, token: Token, position: int) -> bool | None:
        order = sorted(self.definitions, key=lambda definition: definition.kind in THROWN_LAST)
        for place in range(position, len(order)):
            # Kept so that a retry throws nothing twice.
            token.internal_data["thrown"] = place
            if throw(self, order[place], token) is not True:
                return None
        token.internal_data.pop("thrown", None)
        return True


class EndEvent(ThrowingEvent):
    """End: nothing more, or a last throw."""

    element_type = "endEvent"


class ThrowEvent(ThrowingEvent):
    """Intermediate throwing event."""

    element_type = "intermediateThrowEvent"


def throw(event: Event, definition: EventDefinition, token: Token) -> bool | None:
    """Do what a definition of a throwing event says: ``True`` to go on, ``None`` when the token waits or is gone."""
    execution, kind = token.execution, definition.kind
    view = execution.view(token)
    if kind in ("none", "link"):
        return True
    if kind == "terminate":
        execution.terminate_contents(token.scope, spare=token)
        return True
    if kind == "compensate":
        return execution.throw_compensation(token, definition.activity, definition.wait_for_completion)
    if kind == "cancel":
        execution.throw_cancel(token)
        return None
    code = str(definition.code.evaluate(view)) if definition.code else ""
    if kind == "error":
        # An error end event ends all other threads of its sub-process or process, caught or not (BPMN 2.0 table 10.88).
        execution.terminate_contents(token.scope, spare=token)
        execution.throw_error(token, code, "", event_variables(event, token))
        return None
    if kind == "escalation":
        execution.throw_escalation(token, code, event_variables(event, token))
    elif kind == "signal" and definition.named:
        execution.throw_signal(str(definition.name.evaluate(view)), event_variables(event, token))
    elif kind == "message" and definition.named:
        send_message(event, definition, token)
    elif kind not in ("signal", "message"):
        raise ElementFailure("UNSUPPORTED_EVENT", T("“%(label)s” throws a kind of event that cannot be thrown.", label=event.label))
    return True if token.alive else None


def send_message(node: FlowNode, definition: EventDefinition, token: Token) -> None:
    """Publish the message of ``node`` with the variables of its input mappings, or all visible ones."""
    view = token.execution.view(token)
    key = definition.correlation_key.evaluate(view) if definition.correlation_key is not None else ""
    token.execution.host.send_message(str(definition.name.evaluate(view)), correlation_text(key) or "", event_variables(node, token))


def event_variables(node: FlowNode, token: Token) -> dict[str, Any]:
    """What a thrown event carries: its input mappings if it has any, else everything visible."""
    if node.inputs_:
        map_inputs(token)
        return dict(token.data)
    return visible(token)


def open_job(node: FlowNode, token: Token) -> None:
    """Open the job of ``node`` for a worker (``zeebe:taskDefinition``)."""
    map_inputs(token)
    view = token.execution.view(token)
    retries = node.retries.evaluate(view) if node.retries else 3
    try:
        number = int(retries)
    except (TypeError, ValueError) as error:
        raise ElementFailure(
            "JOB_ERROR",
            T("The number of retries of “%(label)s” reads %(value)s; a whole number is needed.", label=node.label, value=repr(retries)),
        ) from error
    token.execution.host.open_job(token, str(node.job_type.evaluate(view)), number, node.headers)


def begun_behind_gateway(event: FlowNode, execution: Execution, scope: Token) -> None:
    """Record the instantiating event-based gateway before ``event``, if there is one; a parallel one still needs its other events."""
    for flow in event.flows_in:
        gateway = flow.source
        if gateway.element_type == "eventBasedGateway":
            token = execution.make_token(gateway, scope)
            token._state = TaskState.STARTED
            execution.activated(token)
            execution.host.flow_passed(flow)
            token.chosen = [other for other in gateway.flows_out if other.target is not event] if gateway.parallel else []
            gateway.hand_over(token)


class CatchEvent(Event):
    """Intermediate catching event; the target of a link is one that does not wait."""

    element_type = "intermediateCatchEvent"
    listens = True

    def execute(self, token: Token) -> bool | None:
        if self.definition.kind == "link":
            return True
        token.execution.arm(token, self)
        return None

    def started(self, execution: Execution, scope: Token) -> None:
        """The event stands behind an instantiating event-based gateway and has started the process."""
        begun_behind_gateway(self, execution, scope)
        self.pass_through(execution, scope, {})

    def fire(self, execution: Execution, owner: Token, variables: dict[str, Any]) -> None:
        if owner.task_spec is self:
            execution.complete_token(owner, variables)
        else:
            owner.task_spec.chosen_event(owner, self, variables)


class BoundaryEvent(Event):
    """An event on the border of an activity (BPMN 2.0 §10.5.4 and §13.5.3)."""

    element_type = "boundaryEvent"

    def __init__(self, wf_spec, bpmn_id: str, **kwargs: Any) -> None:
        super().__init__(wf_spec, bpmn_id, **kwargs)
        self.interrupting = True
        self.attached_to: FlowNode | None = None

    def fire(self, execution: Execution, owner: Token, variables: dict[str, Any], *, spare_host: bool = False) -> None:
        """An interrupting event ends the activity and all inside it before its own token takes a step."""
        scope = owner.scope
        token = execution.make_token(self, scope)
        token._state = TaskState.STARTED
        if (self.interrupting or self.definition.kind == "cancel") and not spare_host:
            execution.terminate(owner)
            execution.undo_rest(owner)
        execution.merge(token, variables)
        execution.attempt(token, lambda: (execution.activated(token), token.complete()))
