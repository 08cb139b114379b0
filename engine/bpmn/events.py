"""Events: start, end, catching, throwing, boundary (BPMN 2.0 §10.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from SpiffWorkflow.util.task import TaskState

from engine.bpmn.elements import ElementFailure, EventDefinition, FlowNode
from engine.bpmn.execution import correlation_text
from engine.bpmn.variables import map_inputs, visible
from engine.words import T

if TYPE_CHECKING:
    from engine.bpmn.execution import Execution, Token


class Event(FlowNode):
    """Base: an event has a definition, at least the empty one."""

    def __init__(self, wf_spec, bpmn_id: str, **kwargs: Any) -> None:
        super().__init__(wf_spec, bpmn_id, **kwargs)
        self.definition = EventDefinition()

    def pass_through(self, execution: Execution, scope: Token, variables: dict[str, Any]) -> Token:
        """A new token on this event in ``scope``, with ``variables`` brought in, ready to leave it."""
        token = execution.make_token(self, scope)
        token._state = TaskState.STARTED
        execution.activated(token)
        execution.complete_token(token, variables)
        return token

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
        """Start the event sub-process of the scope ``owner``.

        An interrupting one ends everything else in the scope first, before any further step of it can run, and closes the
        scope's other event sub-processes (BPMN 2.0 §10.5.7).
        """
        if self.interrupting:
            execution.terminate_contents(owner)
            execution._close_waits(owner)
            execution.interrupted.add(owner.id)
        subprocess = self.container
        scope = execution.make_token(subprocess, owner)
        scope._state = TaskState.STARTED
        execution.activated(scope)
        scope.data.update(variables)
        execution.open_scope(scope, self)


class EndEvent(Event):
    """End: nothing more, or a last throw."""

    element_type = "endEvent"

    def execute(self, token: Token) -> bool | None:
        return throw(self, token)


class ThrowEvent(Event):
    """Intermediate throwing event."""

    element_type = "intermediateThrowEvent"

    def execute(self, token: Token) -> bool | None:
        return throw(self, token)


def throw(event: Event, token: Token) -> bool | None:
    """Do what a throwing event's definition says: ``True`` to go on."""
    execution, definition = token.execution, event.definition
    view = execution.view(token)
    if definition.kind == "none":
        return True
    if definition.kind == "terminate":
        execution.terminate_contents(token.scope, spare=token)
        return True
    if definition.kind == "error":
        execution.throw_error(token, str(definition.code.evaluate(view)) if definition.code else "", "", event_variables(event, token))
        return None
    if definition.kind == "escalation":
        execution.throw_escalation(token, str(definition.code.evaluate(view)) if definition.code else "", event_variables(event, token))
        return True if token.alive else None
    if definition.kind == "signal":
        execution.throw_signal(str(definition.name.evaluate(view)), event_variables(event, token))
        return True if token.alive else None
    if definition.kind == "message":
        send_message(event, token)
        return True
    raise ElementFailure("UNSUPPORTED_EVENT", T("“%(label)s” throws a kind of event that is not supported here.", label=event.label))


def send_message(node: FlowNode, token: Token) -> None:
    """Publish the message of ``node`` with the variables of its input mappings, or all visible ones."""
    definition: EventDefinition = node.definition
    view = token.execution.view(token)
    key = definition.correlation_key.evaluate(view) if definition.correlation_key is not None else ""
    token.execution.host.send_message(str(definition.name.evaluate(view)), correlation_text(key) or "", event_variables(node, token))


def event_variables(node: FlowNode, token: Token) -> dict[str, Any]:
    """What a thrown event carries: its input mappings if it has any, else everything visible."""
    if node.inputs_:
        map_inputs(token)
        return dict(token.data)
    return visible(token)


class CatchEvent(Event):
    """Intermediate catching event."""

    element_type = "intermediateCatchEvent"

    def execute(self, token: Token) -> None:
        token.execution.arm(token, self)

    def fire(self, execution: Execution, owner: Token, variables: dict[str, Any]) -> None:
        if owner.task_spec is self:
            execution.complete_token(owner, variables)
            return
        scope = owner.scope
        owner.task_spec.chosen_event(owner, self)
        for child in list(scope.children):
            if child.task_spec is self and child._state == TaskState.READY:
                execution.activated(child)
                child._state = TaskState.STARTED
                execution.complete_token(child, variables)
                return


class BoundaryEvent(Event):
    """An event on the border of an activity (BPMN 2.0 §10.5.4 and §13.5.3)."""

    element_type = "boundaryEvent"

    def __init__(self, wf_spec, bpmn_id: str, **kwargs: Any) -> None:
        super().__init__(wf_spec, bpmn_id, **kwargs)
        self.interrupting = True
        self.attached_to: FlowNode | None = None

    def fire(self, execution: Execution, owner: Token, variables: dict[str, Any]) -> None:
        """An interrupting event ends the activity and all inside it before its own token takes a step."""
        scope = owner.scope
        token = execution.make_token(self, scope)
        token._state = TaskState.STARTED
        if self.interrupting:
            execution.terminate(owner)
        execution.activated(token)
        execution.complete_token(token, variables)
