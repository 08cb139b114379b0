"""Rules of 10.4 (10.5 in 2.0.2): start, intermediate, boundary and end events and their definitions."""

from __future__ import annotations

from collections.abc import Callable

from engine.bpmn.constraints.document import (
    ACTIVITIES,
    CATCHING,
    EVENT_DEFINITIONS,
    GATEWAYS,
    SUB_PROCESSES,
    THROWING,
    Constraint,
    Document,
    Element,
    is_true,
)
from engine.bpmn.constraints.foundation import formal
from engine.bpmn.timers import readable
from engine.bpmn.xml import local
from engine.words import T

_ALLOWED = {
    "startEvent": {"message", "timer", "conditional", "signal"},
    "endEvent": {"message", "escalation", "error", "cancel", "compensate", "signal", "terminate"},
    "intermediateCatchEvent": {"message", "timer", "conditional", "link", "signal"},
    "intermediateThrowEvent": {"message", "escalation", "compensate", "link", "signal"},
    "boundaryEvent": {"message", "timer", "escalation", "error", "cancel", "compensate", "conditional", "signal"},
}
"""Tables 10.84–10.89 and 13.1: the definitions of each position; a start event at the top of a process."""

_INTERRUPTING_ONLY = {"cancel", "compensate"}
_TIMES = ("timeDate", "timeDuration", "timeCycle")


def _other_kind(document: Document, event: Element) -> dict | None:
    wrong = [kind for kind in document.kinds(event) if kind not in _ALLOWED[local(event)]]
    return {"kind": ", ".join(wrong)} if wrong else None


def _wrong_start(document: Document, event: Element) -> dict | None:
    return _other_kind(document, event) if local(event.getparent()) == "process" else None


def _plain_sub_process_start(document: Document, event: Element) -> bool:
    holder = event.getparent()
    if local(holder) not in SUB_PROCESSES or is_true(holder.get("triggeredByEvent")):
        return False
    return bool(document.parts(event, "eventDefinitionRef", *EVENT_DEFINITIONS))


def _no_none_start(document: Document, process: Element) -> bool:
    """A process that is called begins at its none start event; without any start event it begins at what nothing leads to."""
    starts = document.parts(process, "startEvent")
    return (
        process.get("id") in document.called
        and bool(starts)
        and all(document.parts(start, "eventDefinitionRef", *EVENT_DEFINITIONS) for start in starts)
    )


def _no_start(document: Document, end: Element) -> dict | None:
    holder = end.getparent()
    if local(holder) == "adHocSubProcess" or document.parts(holder, "startEvent"):
        return None
    if document.instantiated(holder):
        return None
    return {"container": document.label(holder)}


def _no_end(document: Document, start: Element) -> dict | None:
    holder = start.getparent()
    return None if document.parts(holder, "endEvent") else {"container": document.label(holder)}


def _message_flow_without_message(index: str) -> Callable[[Document, Element], bool]:
    def breaks(document: Document, event: Element) -> bool:
        return bool(getattr(document, index).get(event.get("id"))) and "message" not in document.kinds(event)

    return breaks


def _message_flow_at(index: str) -> Callable[[Document, Element], bool]:
    return lambda document, event: bool(getattr(document, index).get(event.get("id")))


def _cancel_elsewhere(document: Document, event: Element) -> bool:
    host = document.get(event.get("attachedToRef"))
    return "cancel" in document.kinds(event) and (host is None or local(host) != "transaction")


def _is_link(document: Document, event: Element) -> bool:
    return "link" in document.kinds(event)


def _links(document: Document, definition: Element, name: str) -> list[Element]:
    return [one for one in (document.get(reference) for reference in document.texts(definition, name)) if one is not None]


def _one_sided_link(document: Document, definition: Element) -> bool:
    return any(definition.get("id") not in document.names(target, "source") for target in _links(document, definition, "target"))


def _link_leaves_level(document: Document, definition: Element) -> bool:
    def level(one: Element) -> Element:
        return one.getparent().getparent()

    return local(definition.getparent()) in THROWING and any(
        local(target) == "linkEventDefinition" and level(target) is not level(definition)
        for target in _links(document, definition, "target")
    )


def _in(definition: Element, tag: str) -> bool:
    return local(definition.getparent()) == tag


def _nobody_names_code(document: Document, definition: Element) -> bool:
    escalation = document.get(definition.get("escalationRef"))
    return local(definition.getparent()) in THROWING and (escalation is None or not escalation.get("escalationCode"))


def _shared_throw(document: Document, reference: Element) -> bool:
    definition = document.get(reference.text)
    return definition is not None and local(definition) in EVENT_DEFINITIONS and local(definition.getparent()) in THROWING


def _no_formal_condition(document: Document, definition: Element) -> bool:
    condition = document.part(definition, "condition")
    text = "" if condition is None else "".join(condition.itertext()).strip()
    return not text or not (formal(condition) or document.dialect)


def _unreadable_time(document: Document, definition: Element) -> dict | None:
    """A literal must be an ISO 8601 text; what looks like an expression is the expression language's business."""
    for part in document.parts(definition, *_TIMES):
        text = "".join(part.itertext()).strip()
        if text and not _looks_computed(text) and not readable(local(part), text):
            return {"value": text[:60], "kind": local(part)}
    return None


def _looks_computed(text: str) -> bool:
    return text.startswith("=") or any(sign in text for sign in "$({<")


def _ad_hoc(event: Element) -> bool:
    """In an ad-hoc sub-process nothing need be connected (10.2.5)."""
    return local(event.getparent()) == "adHocSubProcess"


def _unconnected(index: str, beginning: str) -> Callable[[Document, Element], bool]:
    """Where a level has start (end) events, every other node has a flow in (out)."""

    def breaks(document: Document, node: Element) -> bool:
        holder = node.getparent()
        if local(holder) == "adHocSubProcess" or not document.parts(holder, beginning) or getattr(document, index)(node):
            return False
        if is_true(node.get("isForCompensation")) or is_true(node.get("triggeredByEvent")):
            return False
        if index == "flows_in":
            return not is_true(node.get("instantiate")) and not (local(node) == "intermediateCatchEvent" and _is_link(document, node))
        return not (local(node) == "intermediateThrowEvent" and _is_link(document, node))

    return breaks


_MIDDLE = tuple(sorted(ACTIVITIES | GATEWAYS | {"intermediateCatchEvent", "intermediateThrowEvent"}))

CONSTRAINTS: tuple[Constraint, ...] = (
    Constraint(
        "EXT011",
        ("escalationEventDefinition",),
        _nobody_names_code,
        T("Event “%(label)s” throws an escalation without a code. Refer to an escalation that has one."),
        "8.3.4",
        executable=True,
    ),
    Constraint(
        "EXT095",
        ("eventDefinitionRef",),
        _shared_throw,
        T("Event “%(label)s” uses the definition that stands inside a throwing event. Move the definition to the top of the file."),
        "10.4.1",
    ),
    Constraint(
        "EXT096",
        ("startEvent",),
        lambda document, element: bool(document.flows_in(element)),
        T("“%(label)s” has an incoming flow; start and boundary events have none."),
        "10.4.2",
        rule="bpmn.incoming",
    ),
    Constraint(
        "EXT097",
        ("endEvent",),
        _no_start,
        T("“%(container)s” has an end event but no start event. Add one."),
        "10.4.2, 10.4.3",
        rule="bpmn.no-start",
    ),
    Constraint(
        "EXT098 EXT121",
        ("startEvent",),
        _wrong_start,
        T("“%(label)s” cannot start a process by “%(kind)s”: use a message, timer, condition or signal, or no definition."),
        "10.4.2",
        rule="bpmn.event-kind",
    ),
    Constraint(
        "EXT099",
        ("process",),
        _no_none_start,
        T("Process “%(label)s” is called by another one and needs a start event without a definition. Add one."),
        "10.4.2",
    ),
    Constraint(
        "EXT100",
        ("startEvent",),
        _plain_sub_process_start,
        T("Start event “%(label)s” of a sub-process must have no definition. Remove it, or use an event sub-process."),
        "10.4.2",
        rule="bpmn.subprocess-start",
    ),
    Constraint(
        "EXT101",
        ("startEvent",),
        lambda document, element: not document.flows_out(element),
        T("No flow leaves start event “%(label)s”. Draw one to the first step."),
        "10.4.2",
    ),
    Constraint(
        "EXT102",
        ("startEvent",),
        _message_flow_at("sent"),
        T("A message flow comes from start event “%(label)s”, which can only receive. Turn the flow round or move it."),
        "10.4.2",
    ),
    Constraint(
        "EXT103",
        ("startEvent",),
        _message_flow_without_message("received"),
        T("A message flow leads to start event “%(label)s”, which waits for no message. Make it a message start event."),
        "10.4.2",
    ),
    Constraint(
        "EXT104",
        ("endEvent",),
        lambda document, element: bool(document.flows_out(element)),
        T("“%(label)s” is an end event and has an outgoing flow."),
        "10.4.3",
        rule="bpmn.outgoing",
    ),
    Constraint(
        "EXT105",
        ("startEvent",),
        _no_end,
        T("“%(container)s” has a start event but no end event. Add one."),
        "10.4.3",
    ),
    Constraint(
        "EXT106",
        ("endEvent",),
        lambda document, element: "cancel" in document.kinds(element) and not document.inside(element, "transaction"),
        T("Cancel end event “%(label)s” stands in no transaction. Move it into one, or use another kind of end event."),
        "10.4.3",
    ),
    Constraint(
        "EXT107",
        ("endEvent",),
        lambda document, element: not document.flows_in(element),
        T("No flow leads to “%(label)s”: it is never reached. Connect or remove it."),
        "10.4.3",
        rule="bpmn.no-incoming",
    ),
    Constraint(
        "EXT108",
        ("endEvent",),
        _message_flow_at("received"),
        T("A message flow leads to end event “%(label)s”, which can only send. Turn the flow round or move it."),
        "10.4.3",
    ),
    Constraint(
        "EXT109",
        ("endEvent",),
        _message_flow_without_message("sent"),
        T("A message flow comes from end event “%(label)s”, which sends no message. Make it a message end event."),
        "10.4.3",
    ),
    Constraint(
        "EXT110 EXT147",
        ("boundaryEvent",),
        _other_kind,
        T("Boundary event “%(label)s” is of kind “%(kind)s”, which cannot stand on the border of an activity. Use another kind."),
        "10.4.4",
        rule="bpmn.event-kind",
    ),
    Constraint(
        "EXT130",
        ("boundaryEvent",),
        lambda document, element: not document.parts(element, "eventDefinitionRef", *EVENT_DEFINITIONS),
        T("Boundary event “%(label)s” waits for nothing. Give it a definition."),
        "10.4.4, 10.4.5",
    ),
    Constraint(
        "EXT110",
        ("boundaryEvent",),
        lambda document, element: element.get("cancelActivity") in ("false", "0") and "error" in document.kinds(element),
        T("Error boundary event “%(label)s” must be interrupting."),
        "10.4.4",
        rule="bpmn.error-interrupts",
    ),
    Constraint(
        "EXT110",
        ("boundaryEvent",),
        lambda document, element: (
            element.get("cancelActivity") in ("false", "0") and bool(_INTERRUPTING_ONLY & set(document.kinds(element)))
        ),
        T("Boundary event “%(label)s” for cancellation or compensation cannot be marked as not interrupting. Remove the mark."),
        "10.4.4",
        # Drawing tools write the attribute for compensation events, where it has no meaning.
        dialect="warning",
    ),
    Constraint(
        "EXT111 EXT120",
        ("boundaryEvent",),
        _cancel_elsewhere,
        T("Cancel boundary event “%(label)s” does not stand on a transaction. Move it, or make the sub-process a transaction."),
        "10.4.4, 10.4.5",
    ),
    Constraint(
        "EXT112",
        ("boundaryEvent",),
        lambda document, element: bool(document.flows_in(element)),
        T("“%(label)s” has an incoming flow; start and boundary events have none."),
        "10.4.4",
        rule="bpmn.incoming",
    ),
    Constraint(
        "EXT113",
        ("boundaryEvent",),
        lambda document, element: not document.flows_out(element) and "compensate" not in document.kinds(element),
        T("No flow leaves “%(label)s”: its branch ends here. Draw a flow to an end event."),
        "10.4.4",
        rule="bpmn.no-outgoing",
    ),
    Constraint(
        "EXT114",
        ("boundaryEvent",),
        lambda document, element: bool(document.flows_out(element)) and "compensate" in document.kinds(element),
        T("Compensation event “%(label)s” has an outgoing flow. Use an association to the compensation activity instead."),
        "10.4.4",
    ),
    Constraint(
        "EXT115",
        ("intermediateThrowEvent", "intermediateCatchEvent"),
        lambda document, element: (
            not document.flows_in(element)
            and not (local(element) == "intermediateCatchEvent" and _is_link(document, element))
            and not _ad_hoc(element)
        ),
        T("No flow leads to “%(label)s”: it is never reached. Connect or remove it."),
        "10.4.4",
        rule="bpmn.no-incoming",
    ),
    Constraint(
        "EXT116",
        ("intermediateThrowEvent", "intermediateCatchEvent"),
        lambda document, element: (
            not document.flows_out(element)
            and not (local(element) == "intermediateThrowEvent" and _is_link(document, element))
            and not _ad_hoc(element)
        ),
        T("No flow leaves “%(label)s”: its branch ends here. Draw a flow to an end event."),
        "10.4.4",
        rule="bpmn.no-outgoing",
    ),
    Constraint(
        "EXT117",
        ("intermediateThrowEvent",),
        lambda document, element: _is_link(document, element) and bool(document.flows_out(element)),
        T("Link event “%(label)s” throws and has an outgoing flow. The way goes on at its partner; remove the flow."),
        "10.4.4",
    ),
    Constraint(
        "EXT117",
        ("intermediateCatchEvent",),
        lambda document, element: _is_link(document, element) and bool(document.flows_in(element)),
        T("Link event “%(label)s” catches and has an incoming flow. It is reached by its partner only; remove the flow."),
        "10.4.4",
    ),
    Constraint(
        "EXT118",
        ("linkEventDefinition",),
        _one_sided_link,
        T("Link event “%(label)s” names a target that does not name it as a source. Name each in the other."),
        "10.4.4, 10.4.5",
    ),
    Constraint(
        "EXT119",
        ("intermediateThrowEvent",),
        _message_flow_at("received"),
        T("A message flow leads to throwing event “%(label)s”, which can only send. Turn the flow round or move it."),
        "10.4.4",
    ),
    Constraint(
        "EXT119",
        ("intermediateCatchEvent",),
        _message_flow_at("sent"),
        T("A message flow comes from catching event “%(label)s”, which can only receive. Turn the flow round or move it."),
        "10.4.4",
    ),
    Constraint(
        "EXT123",
        ("conditionalEventDefinition",),
        _no_formal_condition,
        T("Event “%(label)s” waits for a condition but has none that can be evaluated. Write a formal expression."),
        "10.4.5",
        rule="bpmn.condition",
        executable=True,
    ),
    Constraint(
        "EXT124",
        ("linkEventDefinition",),
        lambda document, element: _in(element, "intermediateCatchEvent") and not document.parts(element, "source"),
        T("Link event “%(label)s” catches but names no source. Name the throwing link events."),
        "10.4.5",
        dialect="skip",
    ),
    Constraint(
        "EXT125",
        ("linkEventDefinition",),
        lambda document, element: _in(element, "intermediateThrowEvent") and len(document.parts(element, "target")) != 1,
        T("Link event “%(label)s” throws and must name exactly one target. Name the catching link event."),
        "10.4.5",
        dialect="skip",
    ),
    Constraint(
        "EXT126",
        ("linkEventDefinition",),
        _link_leaves_level,
        T("Link event “%(label)s” leads to another process or sub-process. Links stay on their level; use a message or a call."),
        "10.4.5",
    ),
    Constraint(
        "EXT127",
        ("messageEventDefinition",),
        lambda document, element: not element.get("messageRef"),
        T("“%(label)s” names no message. Choose or create the message."),
        "10.4.5",
        rule="bpmn.message",
        executable=True,
    ),
    Constraint(
        "EXT128",
        ("messageEventDefinition",),
        lambda document, element: document.part(element, "operationRef") is None,
        T(
            "Message event “%(label)s” names no operation, which a standard file needs to be executable. Name one, or write the file in FEEL."
        ),
        "10.4.5",
        executable=True,
        # The dialect correlates messages by their names; it knows no operations.
        dialect="skip",
    ),
    Constraint(
        "EXT129",
        tuple(CATCHING),
        lambda document, element: (
            is_true(element.get("parallelMultiple")) and len(document.parts(element, "eventDefinitionRef", *EVENT_DEFINITIONS)) < 2
        ),
        T("“%(label)s” waits for several events together but has less than two. Add definitions, or remove parallelMultiple."),
        "10.4.5",
    ),
    Constraint(
        "EXT131",
        ("timerEventDefinition",),
        lambda document, element: len(document.parts(element, *_TIMES)) > 1,
        T("The timer of “%(label)s” has more than one of date, duration and cycle. Keep one."),
        "10.4.5",
    ),
    Constraint(
        "EXT132 EXT133 EXT134",
        ("timerEventDefinition",),
        _unreadable_time,
        T(
            "The timer of “%(label)s” cannot be read: “%(value)s” is no %(kind)s. Write an ISO 8601 text, for example P3D or 2026-01-31T09:00:00."
        ),
        "10.4.5",
        rule="bpmn.timer",
    ),
    Constraint(
        "EXT146",
        ("endEvent",),
        _other_kind,
        T("End event “%(label)s” is of kind “%(kind)s”, which cannot end anything. Use another kind."),
        "10.4.3",
        rule="bpmn.event-kind",
    ),
    Constraint(
        "EXT148 EXT122",
        ("intermediateCatchEvent",),
        _other_kind,
        T(
            "Catching event “%(label)s” is of kind “%(kind)s”, which cannot stand in the flow. Use a message, timer, signal, condition or link."
        ),
        "10.4.4",
        rule="bpmn.event-kind",
    ),
    Constraint(
        "EXT148",
        ("intermediateCatchEvent",),
        lambda document, element: not document.parts(element, "eventDefinitionRef", *EVENT_DEFINITIONS),
        T("Catching event “%(label)s” waits for nothing. Give it a definition, or make it a throwing event."),
        "10.4.4",
    ),
    Constraint(
        "EXT149",
        ("intermediateThrowEvent",),
        _other_kind,
        T(
            "Throwing event “%(label)s” is of kind “%(kind)s”, which cannot be thrown here. Use a message, signal, escalation, compensation or link."
        ),
        "10.4.4",
        rule="bpmn.event-kind",
    ),
    Constraint(
        "EXT150",
        _MIDDLE,
        _unconnected("flows_in", "startEvent"),
        T("No flow leads to “%(label)s”: it is never reached. Connect or remove it."),
        "10.4.2",
        rule="bpmn.no-incoming",
    ),
    Constraint(
        "EXT151",
        _MIDDLE,
        _unconnected("flows_out", "endEvent"),
        T("No flow leaves “%(label)s”: its branch ends here. Draw a flow to an end event."),
        "10.4.3",
        rule="bpmn.no-outgoing",
    ),
)
