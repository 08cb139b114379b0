"""What is wrong with a model that can be known before it runs (BPMN 2.0's constraints that the execution relies on).

Each check is one function over a parsed :class:`~engine.bpmn.reader.ProcessSpec`; :data:`CHECKS` lists them.  References to
things outside the file (forms, decisions, called processes, rules) are checked by the deployment, which knows what exists.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from engine.bpmn import activities, events, gateways
from engine.bpmn.elements import FlowNode
from engine.bpmn.reader import Model, ProcessSpec
from engine.errors import Problem
from engine.words import T, Words

Finding = tuple[FlowNode, str, Words, str]


def check(model: Model) -> list[Problem]:
    """All problems of a file: those found while reading and those of its executable processes, in the order of lines."""
    problems = list(model.problems)
    if not model.errors:
        for spec in model.processes.values():
            for test in CHECKS:
                for node, rule, message, severity in test(spec):
                    problems.append(Problem(model.file, node.line, node.bpmn_id, rule, message, severity))
    return sorted(problems, key=lambda problem: problem.line or 0)


def nodes(spec: ProcessSpec) -> Iterator[FlowNode]:
    """The flow nodes of a process; multi-instance activities once, as their body."""
    inner = {node.inner for node in spec.task_specs.values() if isinstance(node, activities.MultiInstance)}
    return (node for node in spec.task_specs.values() if node is not spec.start and node not in inner)


def starts(spec: ProcessSpec) -> Iterator[Finding]:
    """A process, a sub-process and an event sub-process need the right start event (BPMN 2.0 §10.5.2, §10.3.3)."""
    containers: list[FlowNode] = [spec.start, *(node for node in nodes(spec) if isinstance(node, activities.SubProcess))]
    for node in spec.task_specs.values():
        if isinstance(node, activities.MultiInstance) and isinstance(node.inner, activities.SubProcess):
            containers.append(node.inner)
    for container in containers:
        own = [node for node in nodes(spec) if isinstance(node, events.StartEvent) and node.container is container]
        if isinstance(container, activities.EventSubProcess):
            if len(own) != 1 or own[0].definition.kind == "none":
                yield (
                    container,
                    "bpmn.event-subprocess-start",
                    T(
                        "Event sub-process “%(label)s” needs exactly one start event, with a message, timer, signal, error or escalation.",
                        label=container.label,
                    ),
                    "error",
                )
        elif not own:
            yield (container, "bpmn.no-start", T("“%(label)s” has no start event. Add one.", label=container.label), "error")
        elif container is not spec.start and (len(own) > 1 or own[0].definition.kind != "none"):
            yield (
                container,
                "bpmn.subprocess-start",
                T("Sub-process “%(label)s” needs exactly one start event without a definition.", label=container.label),
                "error",
            )
    for node in nodes(spec):
        if isinstance(node, events.StartEvent) and node.container is spec.start and node.definition.kind in ("error", "escalation"):
            yield (
                node,
                "bpmn.start-kind",
                T("“%(label)s” cannot start a process: errors and escalations come from inside.", label=node.label),
                "error",
            )


def connections(spec: ProcessSpec) -> Iterator[Finding]:
    """Nothing stands alone, nothing leads nowhere (BPMN 2.0 §10.5.2–10.5.4)."""
    for node in nodes(spec):
        alone = isinstance(node, activities.EventSubProcess)
        if isinstance(node, (events.StartEvent, events.BoundaryEvent)) and node.flows_in:
            yield (
                node,
                "bpmn.incoming",
                T("“%(label)s” has an incoming flow; start and boundary events have none.", label=node.label),
                "error",
            )
        if isinstance(node, events.EndEvent) and node.flows_out:
            yield (node, "bpmn.outgoing", T("“%(label)s” is an end event and has an outgoing flow.", label=node.label), "error")
        if alone and (node.flows_in or node.flows_out):
            yield (
                node,
                "bpmn.event-subprocess-flow",
                T("Event sub-process “%(label)s” must not be connected by flows.", label=node.label),
                "error",
            )
        if not node.flows_out and not alone and not isinstance(node, events.EndEvent):
            yield (
                node,
                "bpmn.no-outgoing",
                T("No flow leaves “%(label)s”: its branch ends here. Draw a flow to an end event.", label=node.label),
                "warning",
            )
        if not node.flows_in and not alone and not isinstance(node, (events.StartEvent, events.BoundaryEvent)):
            yield (
                node,
                "bpmn.no-incoming",
                T("No flow leads to “%(label)s”: it is never reached. Connect or remove it.", label=node.label),
                "error",
            )


def conditions(spec: ProcessSpec) -> Iterator[Finding]:
    """A deciding gateway has something to decide by (BPMN 2.0 §10.6.2)."""
    for node in nodes(spec):
        if not isinstance(node, (gateways.ExclusiveGateway, gateways.InclusiveGateway)) or len(node.flows_out) < 2:
            continue
        for flow in node.flows_out:
            if flow.condition is None and flow is not node.default:
                yield (
                    node,
                    "bpmn.no-condition",
                    T(
                        "The flow “%(flow)s” of gateway “%(label)s” has no condition. Add one, or make it the default flow.",
                        flow=flow.name or flow.id,
                        label=node.label,
                    ),
                    "error",
                )
        if node.default is None:
            yield (
                node,
                "bpmn.no-default",
                T("Gateway “%(label)s” has no default flow: a case for which no condition holds would stop there.", label=node.label),
                "warning",
            )
    for node in nodes(spec):
        if isinstance(node, (gateways.ParallelGateway, gateways.EventBasedGateway)):
            for flow in node.flows_out:
                if flow.condition is not None:
                    yield (
                        node,
                        "bpmn.condition-ignored",
                        T(
                            "The flow “%(flow)s” of “%(label)s” has a condition, which this gateway does not ask.",
                            flow=flow.name or flow.id,
                            label=node.label,
                        ),
                        "warning",
                    )


def event_gateways(spec: ProcessSpec) -> Iterator[Finding]:
    """Only events that wait may follow an event-based gateway (BPMN 2.0 §10.6.6)."""
    for node in nodes(spec):
        if not isinstance(node, gateways.EventBasedGateway):
            continue
        if len(node.flows_out) < 2:
            yield (
                node,
                "bpmn.event-gateway",
                T("Event-based gateway “%(label)s” needs at least two events to choose from.", label=node.label),
                "error",
            )
        for flow in node.flows_out:
            target = flow.target
            if not isinstance(target, (events.CatchEvent, activities.ReceiveTask)) or len(target.flows_in) > 1:
                yield (
                    node,
                    "bpmn.event-gateway",
                    T(
                        "“%(target)s” may not follow event-based gateway “%(label)s”: use a catching event that only this gateway leads to.",
                        target=target.label,
                        label=node.label,
                    ),
                    "error",
                )


def boundaries(spec: ProcessSpec) -> Iterator[Finding]:
    """An error always interrupts (BPMN 2.0 table 10.91)."""
    for node in nodes(spec):
        if isinstance(node, events.BoundaryEvent) and node.definition.kind == "error" and not node.interrupting:
            yield (node, "bpmn.error-interrupts", T("Error boundary event “%(label)s” must be interrupting.", label=node.label), "error")


def reachable(spec: ProcessSpec) -> Iterator[Finding]:
    """Every loop has a way out and every node a way in."""
    seen: set[FlowNode] = set()
    stack: list[FlowNode] = [node for node in nodes(spec) if isinstance(node, (events.StartEvent, events.BoundaryEvent))]
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        stack.extend(flow.target for flow in node.flows_out)
    for node in nodes(spec):
        if node not in seen and node.flows_in and not isinstance(node, activities.EventSubProcess):
            yield (node, "bpmn.unreachable", T("“%(label)s” can never be reached from a start event.", label=node.label), "warning")


CHECKS: tuple[Callable[[ProcessSpec], Iterator[Finding]], ...] = (starts, connections, conditions, event_gateways, boundaries, reachable)
