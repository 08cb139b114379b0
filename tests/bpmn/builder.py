"""BPMN models for tests, in a line or two of Python.

    process("leave", "start -> ask -> sure -[days > 3]-> boss -> end; sure -[*]-> end", sure=xor(), ask=user(assignee="li"))

A flow text is a list of chains, separated by ``;``; ``-[condition]->`` carries a FEEL condition, ``-[*]->`` is the default flow.
An element that is not described is a start event when its id begins with ``start``, an end event when it begins with ``end``,
else a user task.  :func:`bpmn` makes a file of one or more processes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from xml.sax.saxutils import escape, quoteattr

HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL" '
    'xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" '
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" id="definitions" targetNamespace="urn:test">\n'
)

_ARROW = re.compile(r"\s*-(?:\[(.*?)\]-)?>\s*")


def tag(name: str, attributes: dict[str, str | None], *inner: str) -> str:
    """One XML element; attributes that are ``None`` are left out."""
    text = "".join(f" {key}={quoteattr(str(value))}" for key, value in attributes.items() if value is not None)
    body = "".join(inner)
    return f"<{name}{text}>{body}</{name}>\n" if body else f"<{name}{text}/>\n"


@dataclass
class Element:
    """A flow node without its id: tag, attributes, what stands in its ``extensionElements`` and in its body."""

    tag: str
    attributes: dict[str, str | None] = field(default_factory=dict)
    extensions: list[str] = field(default_factory=list)
    body: list[str] = field(default_factory=list)
    roots: dict[str, str] = field(default_factory=dict)
    beside: list[str] = field(default_factory=list)
    """Artifacts drawn with it; ``{id}`` in them is its id."""
    data: list[str] = field(default_factory=list)
    marker: list[str] = field(default_factory=list)
    """Its data associations and its loop marker, which the schema wants before the rest of the body."""

    def render(self, id: str, default: str | None) -> str:
        attributes = {"id": id, "name": f"The {id}", **self.attributes, "default": default}
        extensions = [tag("bpmn:extensionElements", {}, *self.extensions)] if self.extensions else []
        return tag(f"bpmn:{self.tag}", attributes, *extensions, *self.data, *self.marker, *self.body)


@dataclass
class Process:
    """A rendered process with the root elements (messages, signals, …) that it needs."""

    id: str
    xml: str
    roots: dict[str, str]


@dataclass
class Definition:
    """An event definition with the root element it refers to."""

    xml: str
    roots: dict[str, str] = field(default_factory=dict)


# --- event definitions -----------------------------------------------------------------------------------------------------


def message(name: str, key: str | None = None) -> Definition:
    """``key`` is a FEEL expression with its leading ``=``."""
    id = f"message_{name}"
    inner = "" if key is None else tag("bpmn:extensionElements", {}, tag("zeebe:subscription", {"correlationKey": key}))
    return Definition(tag("bpmn:messageEventDefinition", {"messageRef": id}), {id: tag("bpmn:message", {"id": id, "name": name}, inner)})


def signal(name: str) -> Definition:
    id = f"signal_{name}"
    return Definition(tag("bpmn:signalEventDefinition", {"signalRef": id}), {id: tag("bpmn:signal", {"id": id, "name": name})})


def timer(duration: str | None = None, *, date: str | None = None, cycle: str | None = None) -> Definition:
    kind, text = next((kind, text) for kind, text in (("timeDuration", duration), ("timeDate", date), ("timeCycle", cycle)) if text)
    return Definition(tag("bpmn:timerEventDefinition", {}, tag(f"bpmn:{kind}", {}, escape(text))))


def error(code: str | None = None) -> Definition:
    """Without a code it catches every error."""
    return _coded("error", code)


def escalation(code: str | None = None) -> Definition:
    """Without a code it catches every escalation."""
    return _coded("escalation", code)


def terminate() -> Definition:
    return Definition(tag("bpmn:terminateEventDefinition", {}))


def conditional(expression: str) -> Definition:
    """``expression`` is FEEL with its leading ``=``."""
    return Definition(tag("bpmn:conditionalEventDefinition", {}, tag("bpmn:condition", {}, escape(expression))))


def link(name: str) -> Definition:
    return Definition(tag("bpmn:linkEventDefinition", {"name": name}))


def cancel() -> Definition:
    return Definition(tag("bpmn:cancelEventDefinition", {}))


def compensate(activity: str | None = None, *, wait: bool = True) -> Definition:
    """Without an activity it undoes all that its scope has completed; on a boundary it says that the activity can be undone."""
    return Definition(tag("bpmn:compensateEventDefinition", {"activityRef": activity, "waitForCompletion": None if wait else "false"}))


def _coded(kind: str, code: str | None) -> Definition:
    if code is None:
        return Definition(tag(f"bpmn:{kind}EventDefinition", {}))
    id = f"{kind}_{code}"
    root = tag(f"bpmn:{kind}", {"id": id, "name": code, f"{kind}Code": code})
    return Definition(tag(f"bpmn:{kind}EventDefinition", {f"{kind}Ref": id}), {id: root})


# --- elements --------------------------------------------------------------------------------------------------------------


def _event(kind: str, definitions: tuple[Definition | None, ...], **attributes: str | None) -> Element:
    made = Element(kind, attributes)
    for definition in filter(None, definitions):
        made.body.append(definition.xml)
        made.roots.update(definition.roots)
    return made


def start(*definitions: Definition | None, interrupting: bool = True, all_needed: bool = False) -> Element:
    """With several definitions a multiple event; with ``all_needed`` a parallel multiple one (so too below)."""
    return _event("startEvent", definitions, isInterrupting=None if interrupting else "false", parallelMultiple=_all(all_needed))


def end(*definitions: Definition | None) -> Element:
    return _event("endEvent", definitions)


def catch(*definitions: Definition, all_needed: bool = False) -> Element:
    return _event("intermediateCatchEvent", definitions, parallelMultiple=_all(all_needed))


def throw(*definitions: Definition | None) -> Element:
    return _event("intermediateThrowEvent", definitions)


def boundary(host: str, *definitions: Definition, interrupting: bool = True, all_needed: bool = False) -> Element:
    attributes = {"cancelActivity": None if interrupting else "false", "parallelMultiple": _all(all_needed)}
    return _event("boundaryEvent", definitions, attachedToRef=host, **attributes)


def undone_by(host: str, handler: str) -> Element:
    """The compensation event on the border of ``host``, associated with the activity ``handler`` that undoes it."""
    made = boundary(host, compensate())
    made.beside.append(tag("bpmn:association", {"id": f"{host}_undone_by_{handler}", "sourceRef": "{id}", "targetRef": handler}))
    return made


def undoing(element: Element) -> Element:
    """``element`` as an activity that undoes another."""
    element.attributes["isForCompensation"] = "true"
    return element


def _all(needed: bool) -> str | None:
    return "true" if needed else None


def user(
    name: str | None = None,
    *,
    assignee: str | None = None,
    groups: str | None = None,
    users: str | None = None,
    due: str | None = None,
    priority: str | None = None,
) -> Element:
    made = Element("userTask", {} if name is None else {"name": name}, [tag("zeebe:userTask", {})])
    if assignee or groups or users:
        made.extensions.append(
            tag("zeebe:assignmentDefinition", {"assignee": assignee, "candidateGroups": groups, "candidateUsers": users})
        )
    if due:
        made.extensions.append(tag("zeebe:taskSchedule", {"dueDate": due}))
    if priority:
        made.extensions.append(tag("zeebe:priorityDefinition", {"priority": priority}))
    return made


def script(expression: str, result: str | None = None) -> Element:
    """``result = expression`` in the dialect's way; without ``result`` the expression is a context of new variables."""
    if result is None:
        return Element("scriptTask", body=[tag("bpmn:script", {}, escape(expression))])
    return Element("scriptTask", extensions=[tag("zeebe:script", {"expression": f"={expression}", "resultVariable": result})])


def service(type: str, *, retries: str | None = None, **headers: str) -> Element:
    made = Element("serviceTask", extensions=[tag("zeebe:taskDefinition", {"type": type, "retries": retries})])
    if headers:
        rows = [tag("zeebe:header", {"key": key, "value": value}) for key, value in headers.items()]
        made.extensions.append(tag("zeebe:taskHeaders", {}, *rows))
    return made


def receive(definition: Definition, *, instantiate: bool = False) -> Element:
    attributes = {"messageRef": next(iter(definition.roots)), "instantiate": "true" if instantiate else None}
    return Element("receiveTask", attributes, roots=dict(definition.roots))


def send(definition: Definition) -> Element:
    return Element("sendTask", {"messageRef": next(iter(definition.roots))}, roots=dict(definition.roots))


def task() -> Element:
    """A task without a type: it passes at once."""
    return Element("task")


def call(process_id: str, *, all_in: bool = True, all_out: bool = True) -> Element:
    flags = {
        "processId": process_id,
        "propagateAllParentVariables": str(all_in).lower(),
        "propagateAllChildVariables": str(all_out).lower(),
    }
    return Element("callActivity", extensions=[tag("zeebe:calledElement", flags)])


def xor() -> Element:
    return Element("exclusiveGateway")


def both() -> Element:
    """A parallel gateway."""
    return Element("parallelGateway")


def some() -> Element:
    """An inclusive gateway."""
    return Element("inclusiveGateway")


def first(*, instantiate: bool = False, all_needed: bool = False) -> Element:
    """An event-based gateway; an instantiating one with ``all_needed`` waits for every event behind it."""
    attributes = {"instantiate": "true" if instantiate else None, "eventGatewayType": "Parallel" if all_needed else None}
    return Element("eventBasedGateway", attributes)


def complex_(activation: str | None = None) -> Element:
    """A complex gateway; ``activation`` is FEEL with its leading ``=`` and may use ``activationCount``."""
    body = [] if activation is None else [tag("bpmn:activationCondition", {}, escape(activation))]
    return Element("complexGateway", body=body)


def sub(flows: str, **elements: Element) -> Element:
    """An embedded sub-process; the ids inside must differ from those outside."""
    body, roots = _contents(flows, elements)
    return Element("subProcess", body=body, roots=roots)


def transaction(flows: str, **elements: Element) -> Element:
    made = sub(flows, **elements)
    made.tag = "transaction"
    return made


def ad_hoc(
    flows: str, *, one_by_one: bool = False, until: str | None = None, keep: bool = False, active: str | None = None, **elements: Element
) -> Element:
    """An ad-hoc sub-process: ``until`` its completion condition, ``keep`` lets what runs finish then, ``active`` the elements to begin."""
    made = sub(flows, **elements)
    made.tag = "adHocSubProcess"
    made.attributes = {"ordering": "Sequential" if one_by_one else None, "cancelRemainingInstances": "false" if keep else None}
    if until is not None:
        made.body.append(tag("bpmn:completionCondition", {}, escape(until)))
    if active is not None:
        made.extensions.append(tag("zeebe:adHoc", {"activeElementsCollection": active}))
    return made


def on(flows: str, **elements: Element) -> Element:
    """An event sub-process; its start event carries the definition."""
    made = sub(flows, **elements)
    made.attributes["triggeredByEvent"] = "true"
    return made


def mapped(element: Element, inputs: dict[str, str] | None = None, outputs: dict[str, str] | None = None) -> Element:
    """``element`` with input and output mappings: target → FEEL source with its ``=``."""
    rows = [tag(f"zeebe:{kind}", {"source": source, "target": target})
            for kind, mappings in (("input", inputs), ("output", outputs)) for target, source in (mappings or {}).items()]  # fmt: skip
    element.extensions.append(tag("zeebe:ioMapping", {}, *rows))
    return element


def noted(element: Element, **properties: str) -> Element:
    """``element`` with ``zeebe:properties``."""
    rows = [tag("zeebe:property", {"name": name, "value": value}) for name, value in properties.items()]
    element.extensions.append(tag("zeebe:properties", {}, *rows))
    return element


def each(
    element: Element,
    items: str | None = None,
    item: str | None = None,
    *,
    times: str | None = None,
    results: str | None = None,
    result: str | None = None,
    one_by_one: bool = False,
    until: str | None = None,
) -> Element:
    """``element`` once per item of the FEEL list ``items`` (or ``times`` times), collecting ``result`` into ``results``."""
    inner = []
    if items is not None:
        dialect = {"inputCollection": items, "inputElement": item, "outputCollection": results, "outputElement": result}
        inner.append(tag("bpmn:extensionElements", {}, tag("zeebe:loopCharacteristics", dialect)))
    if times is not None:
        inner.append(tag("bpmn:loopCardinality", {}, escape(times)))
    if until is not None:
        inner.append(tag("bpmn:completionCondition", {}, escape(until)))
    element.marker.append(tag("bpmn:multiInstanceLoopCharacteristics", {"isSequential": "true" if one_by_one else None}, *inner))
    return element


def again(element: Element, condition: str | None = None, *, before: bool = False, maximum: int | None = None) -> Element:
    """``element`` in a standard loop while ``condition`` holds, asked ``before`` or after each run."""
    inner = [] if condition is None else [tag("bpmn:loopCondition", {}, escape(condition))]
    attributes = {"testBefore": "true" if before else None, "loopMaximum": None if maximum is None else str(maximum)}
    element.marker.append(tag("bpmn:standardLoopCharacteristics", attributes, *inner))
    return element


def counted(element: Element, *, needs: int | None = None, sends: int | None = None) -> Element:
    """``element`` with a start quantity (``needs``) or completion quantity (``sends``)."""
    for name, number in (("startQuantity", needs), ("completionQuantity", sends)):
        element.attributes[name] = None if number is None else str(number)
    return element


def with_data(element: Element, *associations: str) -> Element:
    """``element`` with data associations, made by :func:`data_in` and :func:`data_out`."""
    element.data.extend(associations)
    return element


def data_in(source: str, target: str, transformation: str | None = None, **assignments: str) -> str:
    return _association("dataInputAssociation", source, target, transformation, assignments)


def data_out(source: str, target: str, transformation: str | None = None, **assignments: str) -> str:
    return _association("dataOutputAssociation", source, target, transformation, assignments)


def _association(kind: str, source: str, target: str, transformation: str | None, assignments: dict[str, str]) -> str:
    parts = [tag("bpmn:sourceRef", {}, source), tag("bpmn:targetRef", {}, target)]
    if transformation is not None:
        parts.append(tag("bpmn:transformation", {}, escape(transformation)))
    for goal, given in assignments.items():
        parts.append(tag("bpmn:assignment", {}, tag("bpmn:from", {}, escape(given)), tag("bpmn:to", {}, goal)))
    return tag(f"bpmn:{kind}", {}, *parts)


# --- processes and files ---------------------------------------------------------------------------------------------------


def _contents(flows: str, elements: dict[str, Element]) -> tuple[list[str], dict[str, str]]:
    known, edges, defaults, roots = dict(elements), [], {}, {}
    for chain in filter(None, (part.strip() for part in flows.split(";"))):
        parts = _ARROW.split(chain)
        names, conditions = parts[::2], parts[1::2]
        for name in names:
            known.setdefault(name, start() if name.startswith("start") else end() if name.startswith("end") else user())
        for source, target, condition in zip(names, names[1:], conditions, strict=False):
            id = f"{source}_to_{target}"
            if condition == "*":
                defaults[source] = id
                condition = None
            inner = "" if condition is None else tag("bpmn:conditionExpression", {}, f"={escape(condition)}")
            edges.append(tag("bpmn:sequenceFlow", {"id": id, "sourceRef": source, "targetRef": target}, inner))
    body, artifacts = [], []
    for id, element in known.items():
        roots.update(element.roots)
        body.append(element.render(id, defaults.get(id)))
        artifacts += [text.replace("{id}", id) for text in element.beside]
    return body + edges + artifacts, roots


def process(process_id: str, flows: str, *, executable: bool = True, **elements: Element) -> Process:
    """A process from its flows; elements that need no description are left out."""
    body, roots = _contents(flows, elements)
    attributes = {"id": process_id, "name": f"The {process_id}", "isExecutable": str(executable).lower()}
    return Process(process_id, tag("bpmn:process", attributes, *body), roots)


def bpmn(*processes: Process) -> bytes:
    """A BPMN file of ``processes``."""
    roots: dict[str, str] = {}
    for item in processes:
        roots.update(item.roots)
    return (HEAD + "".join(roots.values()) + "".join(item.xml for item in processes) + "</bpmn:definitions>\n").encode()
