"""Gateways: exclusive, parallel, inclusive, complex and event-based (BPMN 2.0 §10.6, §13.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from SpiffWorkflow.util.task import TaskState

from engine.bpmn.elements import ElementFailure, Flow, FlowNode, no_flow
from engine.bpmn.expressions import ModelValue
from engine.words import T

if TYPE_CHECKING:
    from engine.bpmn.execution import Execution, Token


class ExclusiveGateway(FlowNode):
    """Passes each token on along the first flow, in the order of the model, whose condition holds."""

    element_type = "exclusiveGateway"

    def execute(self, token: Token) -> bool:
        token.chosen = self.select_flows(token)
        return True

    def select_flows(self, token: Token) -> list[Flow]:
        if not self.flows_out:
            return []
        scope = token.execution.view(token.scope)
        for flow in self.flows_out:
            if flow is self.default:
                continue
            if flow.condition is None or flow.condition.evaluate(scope) is True:
                return [flow]
        if self.default is not None:
            return [self.default]
        raise no_flow(self, scope)


class JoiningGateway(FlowNode):
    """Base of gateways that keep arrived tokens until all they wait for are there."""

    joins = True

    def _run(self, token: Token) -> bool | None:
        if len(self.flows_in) < 2 or "flow" not in token.internal_data:
            # Nothing to join; or joined already, and taken up again after an incident on leaving.
            return super()._run(token)
        token._state = TaskState.STARTED
        return self.arrived(token)

    def arrived(self, token: Token) -> bool | None:
        """A token has come: ``True`` to go on with it, ``None`` to keep it waiting.  Each kind of join says which."""
        raise NotImplementedError

    def waiting(self, scope: Token) -> dict[str, list[Token]]:
        """Tokens waiting here in ``scope``, by the flow they came by, oldest first."""
        arrived: dict[str, list[Token]] = {}
        for other in scope.children:
            # One that stands in an incident, because nothing more can come, has arrived too.
            if other.task_spec is self and other._state in (TaskState.STARTED, TaskState.WAITING) and "flow" in other.internal_data:
                arrived.setdefault(other.internal_data["flow"], []).append(other)
        return arrived

    def consume(self, token: Token, arrived: dict[str, list[Token]]) -> None:
        """Merge one token of each flow into ``token``."""
        for tokens in arrived.values():
            taken = token if token in tokens else tokens[0]
            if taken is not token:
                token.execution.discard(taken)
        token.internal_data.pop("flow", None)
        token.execution.activated(token)

    def may_still_come(self, scope: Token, filled: set[str]) -> bool:
        """Whether a token in ``scope`` can reach an incoming flow that is not among the ``filled`` ones, and no filled one, without
        passing this gateway (BPMN 2.0 §13.4.3)."""
        reach_filled = self._upstream([flow for flow in self.flows_in if flow.id in filled])
        reach_empty = self._upstream([flow for flow in self.flows_in if flow.id not in filled])
        for other in scope.children:
            if other.task_spec is self or "unseen" in other.internal_data or "for" in other.internal_data:
                # What undoes is outside the normal flow (BPMN 2.0 §10.7).
                continue
            if other.task_spec in reach_empty and other.task_spec not in reach_filled:
                return True
        return False

    def _upstream(self, flows: list[Flow]) -> set[FlowNode]:
        """The nodes from which a token may come to one of ``flows`` without passing this gateway."""
        seen: set[FlowNode] = set()
        stack = [flow.source for flow in flows]
        while stack:
            node = stack.pop()
            if node is self or node in seen:
                continue
            seen.add(node)
            stack.extend(flow.source for flow in node.flows_in)
            host = getattr(node, "attached_to", None)
            if host is not None:
                stack.append(host)
        return seen


class ParallelGateway(JoiningGateway):
    """Waits for one token on every incoming flow, then sends one along every outgoing flow."""

    element_type = "parallelGateway"

    def arrived(self, token: Token) -> bool | None:
        arrived = self.waiting(token.scope)
        if len(arrived) < len({flow.id for flow in self.flows_in}):
            return None
        self.consume(token, arrived)
        return True

    def select_flows(self, token: Token) -> list[Flow]:
        return list(self.flows_out)


class InclusiveGateway(JoiningGateway):
    """Splits along every flow whose condition holds; joins when no token can arrive on a flow that is still empty."""

    element_type = "inclusiveGateway"
    waits_for_upstream = True

    def execute(self, token: Token) -> bool:
        token.chosen = self.select_flows(token)
        return True

    def arrived(self, token: Token) -> None:
        """Decided once nothing else moves: :meth:`release`."""
        return None

    def release(self, token: Token) -> bool:
        """Let the join go if the rule of BPMN 2.0 §13.4.3 holds: every token that could still reach an empty incoming flow could
        also reach a filled one, without passing this gateway."""
        arrived = self.waiting(token.scope)
        if self.may_still_come(token.scope, set(arrived)):
            return False
        self.consume(token, arrived)
        token.execution.attempt(token, lambda: (self.execute(token), token.complete()))
        return True


class ComplexGateway(JoiningGateway):
    """Waits until its activation condition holds, goes on, and waits for the rest before it can be activated again
    (BPMN 2.0 §10.6.5, §13.4.5).

    The condition sees ``activationCount``, the number of incoming flows on which a token has come; without a condition the first
    token activates.  Whether it *waits for start* or for its reset is kept in the scope.  On reset the tokens that came late are
    consumed; only flows whose condition speaks of ``waitingForStart`` can be taken then, so that a discriminator sends one token.
    """

    element_type = "complexGateway"
    waits_for_upstream = True

    def __init__(self, wf_spec, bpmn_id: str, **kwargs: Any) -> None:
        super().__init__(wf_spec, bpmn_id, **kwargs)
        self.activation: ModelValue | None = None

    def execute(self, token: Token) -> bool:
        token.chosen = self.select_flows(token)
        return True

    def _came_first(self, scope: Token) -> dict[str, list[str]]:
        """By gateway: the flows whose tokens activated it and were consumed; it is waiting for its reset."""
        return scope.internal_data.setdefault("activated", {})

    def arrived(self, token: Token) -> bool | None:
        scope = token.scope
        if self.name in self._came_first(scope):
            return None
        arrived = self.waiting(scope)
        if self.activation is not None:
            names = {"activationCount": len(arrived), "waitingForStart": True}
            if self.activation.evaluate({**token.execution.view(scope), **names}) is not True:
                return None
        self._came_first(scope)[self.name] = sorted(arrived)
        self.consume(token, arrived)
        token.chosen = self.select_flows(token)
        return True

    def select_flows(self, token: Token) -> list[Flow]:
        return self._true_flows(token, waiting_for_start=True)

    def _true_flows(self, token: Token, waiting_for_start: bool) -> list[Flow]:
        if not self.flows_out:
            return []
        scope = {**token.execution.view(token.scope), "waitingForStart": waiting_for_start, "activationCount": 0}
        taken = [
            flow
            for flow in self.flows_out
            if flow is not self.default
            and (flow.condition is None or flow.condition.evaluate(scope) is True)
            and (waiting_for_start or _speaks_of_phase(flow))
        ]
        if taken or not waiting_for_start:
            return taken
        if self.default is not None:
            return [self.default]
        raise no_flow(self, scope)

    def release(self, token: Token) -> bool:
        """Before activation: an incident when the condition can never hold any more."""
        scope, arrived = token.scope, self.waiting(token.scope)
        if self.name in self._came_first(scope) or self.may_still_come(scope, set(arrived)):
            return False
        if any("incident" in other.internal_data for tokens in arrived.values() for other in tokens):
            return False
        text = self.activation.text.strip()
        token.execution.fail(
            token,
            ElementFailure(
                "CONDITION_ERROR",
                T(
                    "Complex gateway “%(label)s” has %(count)d tokens and no more can come, but its condition “%(text)s” does not hold.",
                    label=self.label,
                    count=len(arrived),
                    text=text,
                ),
                {"expression": text, "seen": {"activationCount": len(arrived)}},
            ),
        )
        return True

    def reset(self, execution: Execution, scope: Token) -> bool:
        """After activation: wait for start again, once each flow that had not come has come or can come no more."""
        arrived, came_first = self.waiting(scope), self._came_first(scope)[self.name]
        if self.may_still_come(scope, set(arrived) | set(came_first)):
            return False
        del self._came_first(scope)[self.name]
        # A second token on a flow that came first belongs to the next round.
        late = {flow: tokens[:1] for flow, tokens in arrived.items() if flow not in came_first}
        early = [token for flow, tokens in arrived.items() for token in (tokens[1:] if flow in late else tokens)]
        if late:
            first = next(iter(late.values()))[0]
            self.consume(first, late)
            first.chosen = self._true_flows(first, waiting_for_start=False)
            execution.attempt(first, first.complete)
        for token in early:
            if token.alive:
                token._ready()
        return True


def _speaks_of_phase(flow: Flow) -> bool:
    expression = flow.condition.expression if flow.condition else None
    return expression is not None and "waitingForStart" in expression.names


class EventBasedGateway(FlowNode):
    """Waits for the first of the events that follow it (BPMN 2.0 §10.6.6).

    An instantiating one (``instantiate``) starts a process: its events are the starters.  A ``parallel`` one then still needs all
    its other events.
    """

    element_type = "eventBasedGateway"
    listens = True

    def __init__(self, wf_spec, bpmn_id: str, **kwargs: Any) -> None:
        super().__init__(wf_spec, bpmn_id, **kwargs)
        self.instantiate = False
        self.parallel = False

    def execute(self, token: Token) -> None:
        for flow in self.flows_out:
            token.execution.arm(token, flow.target)

    def chosen_event(self, token: Token, event: FlowNode, variables: dict[str, Any]) -> None:
        """``event`` was first: the token goes through it and the other events are forgotten."""
        execution, scope = token.execution, token.scope
        # The gateway's token must not end the scope before the event's stands in it.
        next_one = execution.make_token(event, scope)
        next_one._state = TaskState.STARTED
        for flow in event.flows_in:
            if flow.source is self:
                execution.host.flow_passed(flow)
        token.chosen = []
        token.complete()
        execution.activated(next_one)
        execution.complete_token(next_one, variables)

    def hand_over(self, token: Token) -> None:
        """One of the events has started the process: record the gateway, send tokens to the events still needed."""
        execution, scope = token.execution, token.scope
        execution._finished(token, "COMPLETED")
        for flow in token.chosen:
            execution.arrive(scope, flow)
        execution.discard(token)
