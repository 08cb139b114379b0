"""Rules of 10.5 (10.6 in 2.0.2): gateways, event-based gateways in particular, and compensation handlers (10.6)."""

from __future__ import annotations

from engine.bpmn.constraints.document import ACTIVITIES, GATEWAYS, Constraint, Document, Element, is_true
from engine.bpmn.xml import local
from engine.words import T

_WAITING = {"message", "signal", "timer", "conditional"}


def _from_event_gateway(document: Document, flow: Element) -> bool:
    source = document.get(flow.get("sourceRef"))
    return source is not None and local(source) == "eventBasedGateway"


def _targets(document: Document, gateway: Element) -> list[Element]:
    found = [document.get(flow.get("targetRef")) for flow in document.leaving.get(gateway.get("id"), ())]
    return [target for target in found if target is not None]


def _no_event(document: Document, gateway: Element) -> dict | None:
    for target in _targets(document, gateway):
        if local(target) == "receiveTask":
            continue
        kinds = set(document.kinds(target)) if local(target) == "intermediateCatchEvent" else set()
        if not kinds or not kinds <= _WAITING:
            return {"target": document.label(target)}
    return None


def _tasks_and_messages(document: Document, gateway: Element) -> bool:
    targets = _targets(document, gateway)
    return any(local(target) == "receiveTask" for target in targets) and any(
        local(target) == "intermediateCatchEvent" and "message" in document.kinds(target) for target in targets
    )


def _task_with_boundary(document: Document, gateway: Element) -> dict | None:
    for target in _targets(document, gateway):
        if local(target) == "receiveTask" and document.attached.get(target.get("id")):
            return {"target": document.label(target)}
    return None


def _also_reached_otherwise(document: Document, gateway: Element) -> dict | None:
    for target in _targets(document, gateway):
        if len(document.flows_in(target)) > 1:
            return {"target": document.label(target)}
    return None


def _compensating(document: Document, event: Element) -> bool:
    return "compensate" in document.kinds(event)


def _handlers(document: Document, event: Element) -> list[Element]:
    """What an association joins with the event; drawn from either end."""
    id = event.get("id")
    found = [document.get(one.get("targetRef")) for one in document.associated.get(id, ())]
    found += [document.get(one.get("sourceRef")) for one in document.associated_to.get(id, ())]
    return [one for one in found if one is not None]


CONSTRAINTS: tuple[Constraint, ...] = (
    Constraint(
        "EXT135",
        tuple(GATEWAYS),
        lambda document, element: len(document.flows_in(element)) < 2 and len(document.flows_out(element)) < 2,
        T("Gateway “%(label)s” neither splits nor joins anything. Draw a second flow or remove it."),
        "10.5.1",
        dialect="warning",
    ),
    Constraint(
        "EXT136",
        ("eventBasedGateway",),
        lambda document, element: len(document.flows_out(element)) < 2,
        T("Event-based gateway “%(label)s” needs at least two events to choose from."),
        "10.5.6",
        rule="bpmn.event-gateway",
    ),
    Constraint(
        "EXT137",
        ("sequenceFlow",),
        lambda document, element: _from_event_gateway(document, element) and document.part(element, "conditionExpression") is not None,
        T("The flow “%(label)s” of an event-based gateway has a condition, which nobody asks. Remove the condition."),
        "10.5.6",
    ),
    Constraint(
        "EXT138",
        ("eventBasedGateway",),
        _no_event,
        T("“%(target)s” may not follow event-based gateway “%(label)s”: use a catching event that only this gateway leads to."),
        "10.5.6",
        rule="bpmn.event-gateway",
    ),
    Constraint(
        "EXT139",
        ("eventBasedGateway",),
        _tasks_and_messages,
        T("Event-based gateway “%(label)s” leads to receive tasks and to message events. Use one kind only."),
        "10.5.6",
    ),
    Constraint(
        "EXT140",
        ("eventBasedGateway",),
        _task_with_boundary,
        T(
            "Receive task “%(target)s” after event-based gateway “%(label)s” has events on its border. Remove them, or wait by a message event."
        ),
        "10.5.6",
    ),
    Constraint(
        "EXT141",
        ("eventBasedGateway",),
        _also_reached_otherwise,
        T("“%(target)s” may not follow event-based gateway “%(label)s”: use a catching event that only this gateway leads to."),
        "10.5.6",
        rule="bpmn.event-gateway",
    ),
    Constraint(
        "EXT142",
        ("eventBasedGateway",),
        lambda document, element: is_true(element.get("instantiate")) and bool(document.flows_in(element)),
        T("Event-based gateway “%(label)s” starts the process and must have no incoming flow. Remove the flow or the mark."),
        "10.5.6",
    ),
    Constraint(
        "EXT143",
        ("boundaryEvent",),
        lambda document, element: _compensating(document, element) and not _handlers(document, element),
        T("No association leads from compensation event “%(label)s” to what undoes the work. Draw one to the compensation activity."),
        "10.6.1",
        rule="bpmn.compensation",
    ),
    Constraint(
        "EXT144",
        ("boundaryEvent",),
        lambda document, element: (
            _compensating(document, element)
            and bool(_handlers(document, element))
            and not any(
                local(handler) in ACTIVITIES and is_true(handler.get("isForCompensation")) for handler in _handlers(document, element)
            )
        ),
        T("What compensation event “%(label)s” leads to is not marked for compensation. Mark the activity (isForCompensation)."),
        "10.6.1",
    ),
    Constraint(
        "EXT145",
        tuple(ACTIVITIES),
        lambda document, element: (
            is_true(element.get("isForCompensation")) and bool(document.flows_in(element) or document.flows_out(element))
        ),
        T("“%(label)s” is marked for compensation and must have no sequence flows. Remove the flows or the mark."),
        "10.6.1",
    ),
)
