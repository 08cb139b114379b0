"""Gateways: exclusive, parallel, inclusive and event-based (BPMN 2.0 §10.6, §13.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from SpiffWorkflow.util.task import TaskState

from engine.bpmn.elements import Flow, FlowNode, no_flow

if TYPE_CHECKING:
    from engine.bpmn.execution import Token


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
        if len(self.flows_in) < 2:
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
            if other.task_spec is self and other._state == TaskState.STARTED:
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
        scope = token.scope
        arrived = self.waiting(scope)
        filled = set(arrived)
        reach_filled = self._upstream([flow for flow in self.flows_in if flow.id in filled])
        reach_empty = self._upstream([flow for flow in self.flows_in if flow.id not in filled])
        for other in scope.children:
            if other.task_spec is self:
                continue
            if other.task_spec in reach_empty and other.task_spec not in reach_filled:
                return False
        self.consume(token, arrived)
        token.execution.attempt(token, lambda: (self.execute(token), token.complete()))
        return True

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


class EventBasedGateway(FlowNode):
    """Waits for the first of the events that follow it (BPMN 2.0 §10.6.6)."""

    element_type = "eventBasedGateway"

    def execute(self, token: Token) -> None:
        for flow in self.flows_out:
            token.execution.arm(token, flow.target)

    def chosen_event(self, token: Token, event: FlowNode) -> None:
        """``event`` was first: the token goes there and the other events are forgotten."""
        token.chosen = [flow for flow in self.flows_out if flow.target is event][:1]
        token.complete()
