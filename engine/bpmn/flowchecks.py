"""What of an executable process can be seen to go wrong before it runs: ways that lead nowhere, that never end, that never meet.

The checks walk the file as it is drawn, so that one mistake does not hide the others.  A finding that the standard allows, but that
cannot work, is an error in files written for this engine and a warning in others; there the running instance reports an incident.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from engine.bpmn.constraints.document import (
    ACTIVITIES,
    EVENTS,
    FLOW_NODES,
    GATEWAYS,
    SUB_PROCESSES,
    Document,
    Element,
    is_true,
)
from engine.bpmn.xml import BPMN, ZEEBE, local, tag, zeebe
from engine.errors import Problem
from engine.words import T, Words

Finding = tuple[Element, str, Words, str]

NODES = ACTIVITIES | GATEWAYS | EVENTS
_CHOOSING = frozenset(["exclusiveGateway", "inclusiveGateway", "complexGateway", "eventBasedGateway"])
_IDLE = frozenset({"task", "manualTask", "intermediateThrowEvent"}) | (GATEWAYS - {"eventBasedGateway"})
"""Elements that may change nothing: a circle of such elements can never come to another decision."""


@dataclass
class Flowchart:
    """One executable process as a graph: which nodes it has, and where a token can go from each."""

    document: Document
    process: Element
    nodes: list[Element] = field(default_factory=list)
    next: dict[Element, list[Element]] = field(default_factory=dict)
    starts: list[Element] = field(default_factory=list)
    targets: dict[tuple[Element, str], list[Element]] = field(default_factory=dict)
    """Catching link events by their level and name."""

    def __post_init__(self) -> None:
        # Proxies of lxml live only while something holds them; the list keeps them, so that they can be keys.
        self.nodes = [element for element in self.process.iter(f"{{{BPMN}}}*") if local(element) in NODES]
        known = set(self.nodes)
        self.targets = {}
        for node in self.nodes:
            link = self.link(node) if local(node) == "intermediateCatchEvent" else None
            if link is not None:
                self.targets.setdefault((node.getparent(), (link.get("name") or "").strip()), []).append(node)
        for node in self.nodes:
            ways = [self.document.get(flow.get("targetRef")) for flow in self.flows(node)]
            ways += self.document.attached.get(node.get("id"), [])
            ways += self.partners(node)
            if "compensate" in self.kinds(node) and local(node) == "boundaryEvent":
                ways += [self.document.get(one.get("targetRef")) for one in self.document.associated.get(node.get("id"), ())]
            if local(node) in SUB_PROCESSES:
                ways += self.beginnings(node)
            self.next[node] = [way for way in ways if way in known]
        self.starts = self.beginnings(self.process)

    def flows(self, node: Element) -> list[Element]:
        return self.document.leaving.get(node.get("id"), []) if node.get("id") else []

    def kinds(self, node: Element) -> list[str]:
        return self.document.kinds(node) if local(node) in EVENTS else []

    def contents(self, container: Element) -> list[Element]:
        """The nodes directly on one level."""
        return self.document.parts(container, *NODES)

    def beginnings(self, container: Element) -> list[Element]:
        """Where a level begins: its start events and event sub-processes, or, without start events, whatever no flow leads to."""
        own = self.contents(container)
        starts = [node for node in own if local(node) == "startEvent" or is_true(node.get("instantiate"))]
        events = [node for node in own if is_true(node.get("triggeredByEvent"))]
        if not starts or local(container) == "adHocSubProcess":
            starts += [
                node
                for node in own
                if not self.document.flows_in(node)
                and local(node) not in ("boundaryEvent", "endEvent")
                and not is_true(node.get("isForCompensation"))
            ]
        return starts + events

    def link(self, node: Element) -> Element | None:
        """The link definition of a link event."""
        return (
            next((one for one in self.document.definitions(node) if local(one) == "linkEventDefinition"), None)
            if local(node) in EVENTS
            else None
        )

    def partners(self, node: Element) -> list[Element]:
        """The catching link events that a throwing one leads to: those it names, else those of its name on its level (10.4.5)."""
        link = self.link(node) if local(node) == "intermediateThrowEvent" else None
        if link is None:
            return []
        named = [self.document.get(name) for name in self.document.texts(link, "target")]
        if named:
            return [one.getparent() for one in named if one is not None]
        own = (link.get("name") or "").strip()
        return self.targets.get((node.getparent(), own), []) if own else []

    def idle(self, node: Element) -> bool:
        """Whether a token passes this node at once and leaves everything as it was."""
        if local(node) not in _IDLE or self.kinds(node):
            return False
        if self.document.parts(node, "standardLoopCharacteristics", "multiInstanceLoopCharacteristics", "dataOutputAssociation"):
            return False
        return next(node.iter(f"{{{ZEEBE}}}ioMapping", f"{{{ZEEBE}}}taskDefinition"), None) is None


def check_flows(document: Document) -> Iterator[Problem]:
    """The findings about every executable process of a file."""
    for process in document.by_tag["process"]:
        if not is_true(process.get("isExecutable")):
            continue
        chart = Flowchart(document, process)
        for test in CHECKS:
            for element, rule, message, severity in test(chart):
                if severity == "strict":
                    severity = "error" if document.dialect else "warning"
                yield Problem(document.file, element.sourceline, document.id_of(element), rule, message, severity)


# the checks --------------------------------------------------------------------------------------------------------------------


def starts(chart: Flowchart) -> Iterator[Finding]:
    """Every level says where it begins; a sub-process begins in one place (BPMN 2.0 §10.4.2)."""
    document = chart.document
    for container in [chart.process, *(node for node in chart.nodes if local(node) in SUB_PROCESSES - {"adHocSubProcess"})]:
        own = document.parts(container, "startEvent")
        if not own and not is_true(container.get("triggeredByEvent")):
            label = document.label(container)
            if not [node for node in chart.beginnings(container) if not is_true(node.get("triggeredByEvent"))]:
                yield (
                    container,
                    "bpmn.no-start",
                    T("“%(label)s” has no start event and nothing to begin with. Add a start event.", label=label),
                    "strict",
                )
            elif not any(is_true(node.get("instantiate")) for node in chart.contents(container)):
                message = T(
                    "“%(label)s” has no start event: it begins at every element that no flow leads to. Add one if that is not meant.",
                    label=label,
                )
                yield container, "bpmn.implicit-start", message, "warning"
        elif len(own) > 1 and container is not chart.process and not is_true(container.get("triggeredByEvent")):
            message = T("Sub-process “%(label)s” needs exactly one start event without a definition.", label=document.label(container))
            yield container, "bpmn.subprocess-start", message, "strict"


def ends(chart: Flowchart) -> Iterator[Finding]:
    """A branch that just stops is allowed where a level has no end events; it is seldom meant."""
    document = chart.document
    for node in chart.nodes:
        if local(node) in ("endEvent", "boundaryEvent") or document.flows_out(node) or local(node.getparent()) == "adHocSubProcess":
            continue
        if is_true(node.get("triggeredByEvent")) or is_true(node.get("isForCompensation")) or chart.link(node) is not None:
            continue
        message = T("No flow leaves “%(label)s”: its branch ends here. Draw a flow to an end event.", label=document.label(node))
        yield node, "bpmn.no-outgoing", message, "warning"


def conditions(chart: Flowchart) -> Iterator[Finding]:
    """A deciding gateway has something to decide by, and other gateways ask nothing (BPMN 2.0 §10.5.2, §10.5.3)."""
    document = chart.document
    for node in chart.nodes:
        flows = chart.flows(node)
        if local(node) in ("exclusiveGateway", "inclusiveGateway") and len(flows) > 1:
            for flow in flows:
                if not _condition(document, flow) and flow.get("id") != node.get("default"):
                    message = T(
                        "The flow “%(flow)s” of gateway “%(label)s” has no condition. Add one, or make it the default flow.",
                        flow=flow.get("name") or flow.get("id") or "",
                        label=document.label(node),
                    )
                    yield node, "bpmn.no-condition", message, "strict"
            if not node.get("default"):
                message = T(
                    "Gateway “%(label)s” has no default flow: a case for which no condition holds would stop there.",
                    label=document.label(node),
                )
                yield node, "bpmn.no-default", message, "warning"
        if local(node) == "parallelGateway":
            for flow in flows:
                if _condition(document, flow):
                    message = T(
                        "The flow “%(flow)s” of “%(label)s” has a condition, which this gateway does not ask.",
                        flow=flow.get("name") or flow.get("id") or "",
                        label=document.label(node),
                    )
                    yield node, "bpmn.condition-ignored", message, "warning"


def _condition(document: Document, flow: Element) -> bool:
    part = document.part(flow, "conditionExpression")
    return part is not None and bool("".join(part.itertext()).strip())


def reachable(chart: Flowchart) -> Iterator[Finding]:
    """Every node has a way in."""
    seen = _reached(chart.starts, chart.next)
    for node in chart.nodes:
        if node not in seen and chart.document.flows_in(node):
            message = T("“%(label)s” can never be reached from a start event.", label=chart.document.label(node))
            yield node, "bpmn.unreachable", message, "warning"


def _reached(begin: Iterable[Element], ways: dict[Element, list[Element]]) -> set[Element]:
    seen: set[Element] = set()
    stack = list(begin)
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.add(node)
            stack.extend(ways[node])
    return seen


def circles(chart: Flowchart) -> Iterator[Finding]:
    """A circle of elements that change nothing turns for ever; a circle that nothing leaves never comes to an end."""
    idle = {node: [way for way in chart.next[node] if chart.idle(way)] for node in chart.nodes if chart.idle(node)}
    for circle in components(idle):
        node = min(circle, key=lambda one: one.sourceline or 0)
        message = T(
            "“%(label)s” stands in a loop that nothing in it can change (%(loop)s): a case would turn in it for ever. "
            "Put a task or an event that waits into the loop, or remove it.",
            label=chart.document.label(node),
            loop=_listed(chart, circle),
        )
        yield node, "bpmn.endless", message, "strict"
    for circle in components(chart.next):
        inside = set(circle)
        if any(way not in inside for node in circle for way in chart.next[node]) or inside <= set(idle):
            continue
        node = min(circle, key=lambda one: one.sourceline or 0)
        message = T(
            "Nothing leads out of the loop of “%(label)s” (%(loop)s): it never ends. Add a way out.",
            label=chart.document.label(node),
            loop=_listed(chart, circle),
        )
        # Where somebody must act in every round, the loop can be meant: an interrupting event around it ends it.
        yield node, "bpmn.endless", message, "warning" if any(waits(chart, one) for one in circle) else "strict"


def waits(chart: Flowchart, node: Element) -> bool:
    """Whether a token may stop here for something outside the process."""
    if local(node) in ("userTask", "receiveTask", "eventBasedGateway", "intermediateCatchEvent", "callActivity"):
        return True
    return next(node.iter(zeebe("taskDefinition")), None) is not None


def _listed(chart: Flowchart, circle: list[Element]) -> str:
    names = [chart.document.label(node) for node in sorted(circle, key=lambda one: one.sourceline or 0)]
    return ", ".join(names[:5]) + (" …" if len(names) > 5 else "")


def components(ways: dict[Element, list[Element]]) -> list[list[Element]]:
    """The strongly connected parts of a graph that contain a circle (Tarjan, without recursion)."""
    index: dict[Element, int] = {}
    low: dict[Element, int] = {}
    on_stack: set[Element] = set()
    stack: list[Element] = []
    found: list[list[Element]] = []
    for root in ways:
        if root in index:
            continue
        work: list[tuple[Element, Iterator[Element]]] = [(root, iter(ways[root]))]
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        while work:
            node, rest = work[-1]
            for way in rest:
                if way not in index:
                    index[way] = low[way] = len(index)
                    stack.append(way)
                    on_stack.add(way)
                    work.append((way, iter(ways[way])))
                    break
                if way in on_stack:
                    low[node] = min(low[node], index[way])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    part: list[Element] = []
                    while True:
                        part.append(stack.pop())
                        on_stack.discard(part[-1])
                        if part[-1] is node:
                            break
                    if len(part) > 1 or node in ways[node]:
                        found.append(part)
    return found


def joins(chart: Flowchart) -> Iterator[Finding]:
    """A parallel join that two ways of one exclusive choice lead to waits for ever; shown only where the ways are plain."""
    for node in chart.nodes:
        flows = chart.document.arriving.get(node.get("id"), []) if node.get("id") else []
        if local(node) != "parallelGateway" or len(flows) < 2:
            continue
        origins: set[Element] = set()
        for flow in flows:
            origin = _origin(chart, flow)
            if origin is not None and origin in origins:
                message = T(
                    "Parallel join “%(label)s” waits for several ways of “%(origin)s”, of which only one is taken: it waits for ever. "
                    "Join them with an exclusive gateway.",
                    label=chart.document.label(node),
                    origin=chart.document.label(origin),
                )
                yield node, "bpmn.join-never", message, "warning"
                break
            if origin is not None:
                origins.add(origin)


def _origin(chart: Flowchart, flow: Element) -> Element | None:
    """The exclusive choice that a plain way (one in, one out, nothing on the border) comes from."""
    for _ in range(len(chart.nodes) + 1):
        source = chart.document.get(flow.get("sourceRef"))
        if source is None or local(source) not in FLOW_NODES:
            return None
        leaving = chart.flows(source)
        if local(source) in ("exclusiveGateway", "eventBasedGateway") and len(leaving) > 1:
            return source
        arriving = chart.document.arriving.get(source.get("id"), [])
        if len(leaving) != 1 or len(arriving) != 1 or chart.document.attached.get(source.get("id")):
            return None
        flow = arriving[0]
    return None


def links(chart: Flowchart) -> Iterator[Finding]:
    """A throwing link event has one partner of its name on its level, a catching one at least one (BPMN 2.0 §10.4.5)."""
    document = chart.document
    reached: set[Element] = set()
    for node in chart.nodes:
        link = chart.link(node)
        if link is None or local(node) != "intermediateThrowEvent" or document.parts(link, "target"):
            reached.update(chart.partners(node))
            continue
        partners = chart.partners(node)
        reached.update(partners)
        if len(partners) != 1:
            message = (
                T("Link event “%(label)s” has no partner: no catching link event on its level is called “%(name)s”. Add one.", label=document.label(node), name=link.get("name") or "")
                if not partners
                else T("Link event “%(label)s” has %(count)d partners called “%(name)s”. Keep one.", label=document.label(node), name=link.get("name") or "", count=len(partners))
            )  # fmt: skip
            yield node, "bpmn.link", message, "strict"
    for node in chart.nodes:
        if local(node) == "intermediateCatchEvent" and chart.link(node) is not None and node not in reached:
            message = T(
                "No throwing link event leads to “%(label)s”. Add one with the same name, or remove it.", label=document.label(node)
            )
            yield node, "bpmn.link", message, "warning"


def compensation(chart: Flowchart) -> Iterator[Finding]:
    """Compensation that is thrown undoes something, and what undoes is asked for (BPMN 2.0 §10.6)."""
    document = chart.document
    handled = {
        document.name_of(node.get("attachedToRef"))
        for node in chart.nodes
        if local(node) == "boundaryEvent" and "compensate" in chart.kinds(node)
    }
    within = {
        node.getparent().getparent().get("id")
        for node in chart.nodes
        if local(node) == "startEvent" and "compensate" in chart.kinds(node) and is_true(node.getparent().get("triggeredByEvent"))
    }
    used = {
        document.name_of(one.get("targetRef"))
        for node in chart.nodes
        for one in document.associated.get(node.get("id"), ())
        if local(node) == "boundaryEvent"
    }
    for node in chart.nodes:
        if local(node) in ("intermediateThrowEvent", "endEvent") and "compensate" in chart.kinds(node):
            named = [one.get("activityRef") for one in document.definitions(node) if one.get("activityRef")]
            target = document.get(named[0]) if named else None
            nothing = (
                not handled and not within
                if target is None
                else document.name_of(named[0]) not in handled | within and local(target) not in SUB_PROCESSES
            )
            if nothing:
                message = T(
                    "“%(label)s” asks to undo work, but nothing says how. Put a compensation event on the activity and join it with what undoes it.",
                    label=document.label(node),
                )
                yield node, "bpmn.no-handler", message, "warning"
        if is_true(node.get("isForCompensation")) and not is_true(node.get("triggeredByEvent")) and node.get("id") not in used:
            message = T(
                "“%(label)s” is marked for compensation, but no compensation event leads to it: it is never done.",
                label=document.label(node),
            )
            yield node, "bpmn.unreachable", message, "warning"


def recursion(chart: Flowchart) -> Iterator[Finding]:
    """A process that calls itself without anybody deciding or waiting on the way calls itself without end."""
    own = chart.process.get("id")
    seen: set[Element] = set()
    stack = [start for start in chart.starts if local(start) == "startEvent"]
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        if local(node) == "callActivity" and _called(chart.document, node) == own:
            message = T(
                "Call activity “%(label)s” calls its own process before anything is decided or waited for: that never ends. Put a decision before it.",
                label=chart.document.label(node),
            )
            yield node, "bpmn.recursion", message, "strict"
        elif not waits(chart, node) and not (local(node) in _CHOOSING and len(chart.flows(node)) > 1):
            certain = [flow for flow in chart.flows(node) if not _condition(chart.document, flow)]
            ways = [chart.document.get(flow.get("targetRef")) for flow in certain]
            inner = (
                chart.beginnings(node)
                if local(node) in SUB_PROCESSES and not chart.document.parts(node, "multiInstanceLoopCharacteristics")
                else []
            )
            stack.extend(way for way in [*ways, *inner] if way in chart.next)


def _called(document: Document, call: Element) -> str | None:
    dialect = call.find(f"{tag('extensionElements')}/{zeebe('calledElement')}")
    return document.name_of(call.get("calledElement") if dialect is None else dialect.get("processId"))


def names(chart: Flowchart) -> Iterator[Finding]:
    """A signal is found by its name; without one nobody hears it."""
    document = chart.document
    for node in chart.nodes:
        for definition in document.definitions(node):
            if local(definition) == "signalEventDefinition":
                signal = document.get(definition.get("signalRef"))
                if signal is None or not (signal.get("name") or "").strip():
                    message = T(
                        "“%(label)s” names no signal, or one without a name. Choose or create the signal.", label=document.label(node)
                    )
                    yield node, "bpmn.signal", message, "strict"
            if local(definition) == "timerEventDefinition" and not document.parts(definition, "timeDate", "timeDuration", "timeCycle"):
                message = T("The timer of “%(label)s” has no time. Set a date, a duration or a cycle.", label=document.label(node))
                yield node, "bpmn.timer", message, "strict"


CHECKS: tuple[Callable[[Flowchart], Iterator[Finding]], ...] = (
    starts, ends, conditions, reachable, circles, joins, links, compensation, recursion, names,
)  # fmt: skip

__all__ = ["Flowchart", "check_flows", "components"]
