"""Rules of chapter 8: definitions and imports, artifacts, expressions, gateways' directions, items, sequence flows."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from engine.bpmn.constraints.document import ACTIVITIES, ARTIFACTS, EVENTS, GATEWAYS, XSI_TYPE, Constraint, Document, Element, is_true
from engine.bpmn.xml import BPMN, local
from engine.words import T

_MIME = re.compile(r"[A-Za-z0-9][\w.+!#$&^-]*/[A-Za-z0-9][\w.+!#$&^-]*(\s*;.*)?\Z")

_EXPRESSIONS = {
    "adHocSubProcess": ("completionCondition",),
    "assignment": ("from", "to"),
    "complexGateway": ("activationCondition",),
    "multiInstanceLoopCharacteristics": ("loopCardinality", "completionCondition"),
    "sequenceFlow": ("conditionExpression",),
    "standardLoopCharacteristics": ("loopCondition",),
    "timerEventDefinition": ("timeDate", "timeDuration", "timeCycle"),
}
_ALWAYS_FORMAL = ("formalExpression", "dataPath", "messagePath", "transformation")
_FORMAL_PLACES = (*_ALWAYS_FORMAL, "condition", "expression", *dict.fromkeys(name for names in _EXPRESSIONS.values() for name in names))


def formal(element: Element) -> bool:
    """Whether an expression element is marked as a formal expression."""
    return (element.get(XSI_TYPE) or "").rpartition(":")[2] == "tFormalExpression"


def _import_missing(document: Document, element: Element) -> dict | None:
    location = element.get("location") or ""
    names = {PurePosixPath(name).name for name in document.beside}
    if location and PurePosixPath(location.replace("\\", "/")).name in names:
        return None
    if document.dialect and element.get("importType") != BPMN:
        # Data types and services described elsewhere are documentation in the dialect, which has no types.
        return None
    return {"location": location or "–"}


def _artifact_at(end: str):
    def breaks(document: Document, flow: Element) -> dict | None:
        target = document.get(flow.get(end))
        return {"artifact": document.label(target)} if target is not None and local(target) in ARTIFACTS else None

    return breaks


def _natural(document: Document, element: Element) -> bool:
    return any(not formal(part) for part in document.parts(element, *_EXPRESSIONS[local(element)]))


def _without_body(document: Document, element: Element) -> bool:
    must = formal(element) or local(element) in _ALWAYS_FORMAL
    must = must or (local(element) == "condition" and local(element.getparent()) == "complexBehaviorDefinition")
    return must and not "".join(element.itertext()).strip()


def _collections_differ(document: Document, element: Element) -> bool:
    item = document.get(element.get("itemSubjectRef"))
    return item is not None and is_true(element.get("isCollection")) != is_true(item.get("isCollection"))


LISTS = {"outgoing": T("outgoing flows"), "incoming": T("incoming flows")}
"""What the lists of flows at a node are called."""


def _unlisted(document: Document, flow: Element) -> dict | None:
    """Where the nodes of a process list their flows, every flow must stand in both lists."""
    if document.process_of(flow) not in document.lists_flows:
        return None
    for end, listed in (("sourceRef", "outgoing"), ("targetRef", "incoming")):
        node = document.get(flow.get(end))
        if node is not None and local(node) in ACTIVITIES | GATEWAYS | EVENTS and flow.get("id") not in document.names(node, listed):
            return {"node": document.label(node), "list": LISTS[listed]}
    return None


def _listed_wrongly(document: Document, entry: Element) -> dict | None:
    flow, node = document.get(entry.text), entry.getparent()
    if flow is None or local(flow) != "sequenceFlow" or not node.get("id"):
        return None
    end = "sourceRef" if local(entry) == "outgoing" else "targetRef"
    if document.name_of(flow.get(end)) == node.get("id"):
        return None
    return {"flow": document.label(flow), "list": LISTS[local(entry)]}


def _lone_condition(document: Document, flow: Element) -> bool:
    source = document.get(flow.get("sourceRef"))
    if document.part(flow, "conditionExpression") is None or source is None or local(source) in GATEWAYS:
        return False
    return local(source) in EVENTS or len(document.flows_out(source)) < 2


def _crosses(document: Document, flow: Element) -> dict | None:
    ends = [document.get(flow.get(end)) for end in ("sourceRef", "targetRef")]
    if any(end is None or local(end) not in ACTIVITIES | GATEWAYS | EVENTS for end in ends) or ends[0].getparent() is ends[1].getparent():
        return None
    return {"source": document.label(ends[0]), "target": document.label(ends[1])}


def _wrong_default(document: Document, element: Element) -> dict | None:
    default = element.get("default")
    if not default:
        return None
    flow = document.get(default)
    right = flow is not None and local(flow) == "sequenceFlow" and document.name_of(flow.get("sourceRef")) == element.get("id")
    return None if right else {"flow": default}


CONSTRAINTS: tuple[Constraint, ...] = (
    Constraint(
        "EXT001",
        ("import",),
        _import_missing,
        T("The file imports “%(location)s”, which is not there. Deploy it together with this file, or remove the import."),
        "8.1.2",
    ),
    Constraint(
        "EXT004",
        ("documentation",),
        lambda document, element: not _MIME.match(element.get("textFormat", "text/plain")),
        T("The documentation of “%(label)s” has no valid text format. Write a MIME type such as text/plain."),
        "8.2.1",
    ),
    Constraint(
        "EXT010",
        ("textAnnotation",),
        lambda document, element: not _MIME.match(element.get("textFormat", "text/plain")),
        T("The text annotation “%(label)s” has no valid text format. Write a MIME type such as text/plain."),
        "8.3.1",
    ),
    Constraint(
        "EXT006",
        ("sequenceFlow",),
        _artifact_at("targetRef"),
        T("The sequence flow “%(label)s” leads to the artifact “%(artifact)s”. Draw an association instead."),
        "8.3.1",
    ),
    Constraint(
        "EXT007",
        ("sequenceFlow",),
        _artifact_at("sourceRef"),
        T("The sequence flow “%(label)s” comes from the artifact “%(artifact)s”. Draw an association instead."),
        "8.3.1",
    ),
    Constraint(
        "EXT008",
        ("messageFlow",),
        _artifact_at("targetRef"),
        T("The message flow “%(label)s” leads to the artifact “%(artifact)s”. Draw an association instead."),
        "8.3.1",
    ),
    Constraint(
        "EXT009",
        ("messageFlow",),
        _artifact_at("sourceRef"),
        T("The message flow “%(label)s” comes from the artifact “%(artifact)s”. Draw an association instead."),
        "8.3.1",
    ),
    Constraint(
        "EXT012",
        tuple(_EXPRESSIONS),
        _natural,
        T(
            "An expression of “%(label)s” is plain language, which cannot be executed. Mark it as a formal expression (xsi:type="
            '"tFormalExpression"), or mark the process as not executable.'
        ),
        "8.3.6",
        executable=True,
        dialect="skip",
    ),
    Constraint(
        "EXT013",
        _FORMAL_PLACES,
        _without_body,
        T("An expression of “%(label)s” is empty. Write the expression, or remove the element."),
        "8.3.6",
    ),
    Constraint(
        "EXT017",
        tuple(GATEWAYS),
        lambda document, element: element.get("gatewayDirection") == "Converging" and len(document.flows_out(element)) > 1,
        T("Gateway “%(label)s” is marked as converging but has several outgoing flows. Correct the direction or split the gateway."),
        "8.3.9",
    ),
    Constraint(
        "EXT018",
        tuple(GATEWAYS),
        lambda document, element: element.get("gatewayDirection") == "Diverging" and len(document.flows_in(element)) > 1,
        T("Gateway “%(label)s” is marked as diverging but has several incoming flows. Correct the direction or split the gateway."),
        "8.3.9",
    ),
    Constraint(
        "EXT019",
        tuple(GATEWAYS),
        lambda document, element: (
            element.get("gatewayDirection") == "Mixed" and (len(document.flows_in(element)) < 2 or len(document.flows_out(element)) < 2)
        ),
        T("Gateway “%(label)s” is marked as mixed but has not several incoming and several outgoing flows. Correct the direction."),
        "8.3.9",
    ),
    Constraint(
        "EXT020",
        ("dataObject", "dataInput", "dataOutput"),
        _collections_differ,
        T("“%(label)s” and its item definition disagree about being a collection. Make isCollection equal in both."),
        "8.3.10, 10.4.1",
    ),
    Constraint(
        "EXT023",
        ("sequenceFlow",),
        _unlisted,
        T("The flow “%(label)s” is missing in the list “%(list)s” of “%(node)s”, while other nodes list theirs. Export the file again."),
        "8.3.13, 10.1",
    ),
    Constraint(
        "EXT023",
        ("incoming", "outgoing"),
        _listed_wrongly,
        T("“%(label)s” lists “%(flow)s” as “%(list)s”, but that flow ends elsewhere. Export the file again."),
        "8.3.13, 10.1",
    ),
    Constraint(
        "EXT024",
        ("sequenceFlow",),
        lambda document, element: element.get("isImmediate") in ("false", "0"),
        T(
            "The flow “%(label)s” of an executable process is marked as not immediate. Remove isImmediate, or mark the process as not executable."
        ),
        "8.3.13",
        executable=True,
    ),
    Constraint(
        "EXT025",
        ("sequenceFlow",),
        _lone_condition,
        T("The flow “%(label)s” has a condition, but it is the only way on, or leaves an event. Remove the condition or use a gateway."),
        "8.3.13",
    ),
    Constraint(
        "EXT026",
        tuple(ACTIVITIES | GATEWAYS),
        _wrong_default,
        T("The default flow “%(flow)s” of “%(label)s” does not leave it."),
        "8.3.13, 10.5.2",
        rule="bpmn.reference",
    ),
    Constraint(
        "EXT152 EXT028",
        ("sequenceFlow",),
        _crosses,
        T(
            "The flow from “%(source)s” to “%(target)s” crosses the border of a pool or sub-process. Use a message flow, or an event on the border."
        ),
        "8.3.13, 9.3",
        rule="bpmn.flow-crosses-border",
    ),
)
