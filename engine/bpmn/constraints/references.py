"""Typed references: every attribute and element of the standard that names another element, and what that may be.

The table follows the class diagrams' associations (REF constraints of the list).  A name with a prefix may stand for another
file; it is followed only where it means this file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from engine.bpmn.constraints.document import (
    ACTIVITIES,
    ARTIFACTS,
    CALLABLE,
    CATCHING,
    CHOREOGRAPHY_ACTIVITIES,
    COLLABORATIONS,
    EVENT_DEFINITIONS,
    EVENTS,
    FLOW_NODES,
    GATEWAYS,
    ITEM_AWARE,
    THROWING,
    Document,
    Element,
)
from engine.bpmn.xml import local
from engine.errors import Problem
from engine.words import T, Words

_CONVERSATION_NODES = frozenset(["conversation", "subConversation", "callConversation"])
_RESOURCE_ROLES = frozenset(["resourceRole", "performer", "humanPerformer", "potentialOwner"])
_FLOW_ELEMENTS = FLOW_NODES | frozenset(["sequenceFlow", "dataObject", "dataObjectReference", "dataStoreReference"])
_INTERACTION_NODES = frozenset({"participant"}) | ACTIVITIES | EVENTS | _CONVERSATION_NODES
_ITEM = frozenset({"itemDefinition"})
_FLOW = frozenset({"sequenceFlow"})
_DATA_ASSOCIATIONS = ("dataInputAssociation", "dataOutputAssociation")


def _one(*names: str) -> frozenset[str]:
    return frozenset(names)


@dataclass(frozen=True)
class Reference:
    """``owners`` hold the attribute (``@name``) or the child element ``name`` that points at one of ``targets`` (empty: anything).

    ``late`` says that the target may stand elsewhere (a process deployed at another time, a service described in WSDL), so that its absence is no fault of this one.
    """

    owners: frozenset[str] | tuple[str, ...]
    name: str
    targets: frozenset[str]
    late: bool = False
    typing: bool = False
    """Whether it only says of what type data are: files in FEEL need no types, so there its absence is a warning."""


REFERENCES: tuple[Reference, ...] = (
    # Chapter 8: foundation and common elements
    Reference(("association",), "@sourceRef", frozenset()),
    Reference(("association",), "@targetRef", frozenset()),
    Reference(("group",), "@categoryValueRef", _one("categoryValue")),
    Reference(("relationship",), "source", frozenset(), late=True),
    Reference(("relationship",), "target", frozenset(), late=True),
    Reference(("correlationKey",), "correlationPropertyRef", _one("correlationProperty")),
    Reference(("correlationProperty",), "@type", _ITEM, typing=True),
    Reference(("correlationPropertyRetrievalExpression",), "@messageRef", _one("message")),
    Reference(("correlationSubscription",), "@correlationKeyRef", _one("correlationKey")),
    Reference(("correlationPropertyBinding",), "@correlationPropertyRef", _one("correlationProperty")),
    Reference(("error", "escalation", "signal"), "@structureRef", _ITEM, typing=True),
    Reference(("message",), "@itemRef", _ITEM, typing=True),
    Reference(("resourceParameter",), "@type", _ITEM, typing=True),
    Reference(_FLOW_ELEMENTS, "categoryValueRef", _one("categoryValue")),
    # EXT006, EXT007: artifacts at the ends of a flow have a sentence of their own.
    Reference(("sequenceFlow",), "@sourceRef", FLOW_NODES | ARTIFACTS),
    Reference(("sequenceFlow",), "@targetRef", FLOW_NODES | ARTIFACTS),
    Reference(FLOW_NODES, "incoming", _FLOW),
    Reference(FLOW_NODES, "outgoing", _FLOW),
    Reference(ACTIVITIES | GATEWAYS, "@default", _FLOW),
    Reference(("operation",), "inMessageRef", _one("message")),
    Reference(("operation",), "outMessageRef", _one("message")),
    Reference(("operation",), "errorRef", _one("error")),
    # Chapter 9 and 11: collaboration, conversation, choreography
    Reference(tuple(COLLABORATIONS | {"callConversation"}), "choreographyRef", _one("choreography", "globalChoreographyTask")),
    Reference(("participant",), "@processRef", _one("process")),
    Reference(("participant",), "interfaceRef", _one("interface")),
    Reference(("participant",), "endPointRef", _one("endPoint")),
    Reference(("partnerEntity", "partnerRole"), "participantRef", _one("participant")),
    Reference(tuple(_CONVERSATION_NODES | CHOREOGRAPHY_ACTIVITIES), "participantRef", _one("participant")),
    Reference(tuple(_CONVERSATION_NODES), "messageFlowRef", _one("messageFlow")),
    Reference(("participantAssociation",), "innerParticipantRef", _one("participant")),
    Reference(("participantAssociation",), "outerParticipantRef", _one("participant")),
    Reference(("messageFlow",), "@sourceRef", _INTERACTION_NODES | ARTIFACTS),
    Reference(("messageFlow",), "@targetRef", _INTERACTION_NODES | ARTIFACTS),
    Reference(("messageFlow",), "@messageRef", _one("message")),
    Reference(("messageFlowAssociation",), "@innerMessageFlowRef", _one("messageFlow")),
    Reference(("messageFlowAssociation",), "@outerMessageFlowRef", _one("messageFlow")),
    Reference(("conversationAssociation",), "@innerConversationNodeRef", _CONVERSATION_NODES),
    Reference(("conversationAssociation",), "@outerConversationNodeRef", _CONVERSATION_NODES),
    Reference(("conversationLink",), "@sourceRef", _INTERACTION_NODES),
    Reference(("conversationLink",), "@targetRef", _INTERACTION_NODES),
    Reference(("callConversation",), "@calledCollaborationRef", COLLABORATIONS, late=True),
    Reference(("choreographyTask",), "messageFlowRef", _one("messageFlow")),
    Reference(("globalChoreographyTask",), "@initiatingParticipantRef", _one("participant")),
    Reference(tuple(CHOREOGRAPHY_ACTIVITIES), "@initiatingParticipantRef", _one("participant")),
    Reference(("callChoreography",), "@calledChoreographyRef", _one("choreography", "globalChoreographyTask"), late=True),
    # Chapter 10: process
    Reference(("process",), "supports", _one("process")),
    Reference(("process",), "@definitionalCollaborationRef", COLLABORATIONS),
    Reference(tuple(CALLABLE), "supportedInterfaceRef", _one("interface")),
    Reference(tuple(CALLABLE), "supportedInterfaceRefs", _one("interface")),
    Reference(("lane",), "@partitionElementRef", frozenset()),
    Reference(("lane",), "flowNodeRef", FLOW_NODES),
    Reference(tuple(_RESOURCE_ROLES), "resourceRef", _one("resource")),
    Reference(("resourceParameterBinding",), "@parameterRef", _one("resourceParameter")),
    Reference(("serviceTask", "sendTask", "receiveTask"), "@operationRef", _one("operation"), late=True),
    Reference(("sendTask", "receiveTask"), "@messageRef", _one("message")),
    Reference(("callActivity",), "@calledElement", CALLABLE, late=True),
    Reference(("ioBinding",), "@inputDataRef", _one("dataInput", "inputSet")),
    Reference(("ioBinding",), "@outputDataRef", _one("dataOutput", "outputSet")),
    Reference(("ioBinding",), "@operationRef", _one("operation"), late=True),
    Reference(("multiInstanceLoopCharacteristics",), "loopDataInputRef", ITEM_AWARE),
    Reference(("multiInstanceLoopCharacteristics",), "loopDataOutputRef", ITEM_AWARE),
    Reference(("multiInstanceLoopCharacteristics",), "@oneBehaviorEventRef", EVENT_DEFINITIONS),
    Reference(("multiInstanceLoopCharacteristics",), "@noneBehaviorEventRef", EVENT_DEFINITIONS),
    Reference(tuple(ITEM_AWARE), "@itemSubjectRef", _ITEM, typing=True),
    Reference(("dataObjectReference",), "@dataObjectRef", _one("dataObject")),
    Reference(("dataStoreReference",), "@dataStoreRef", _one("dataStore")),
    Reference(("inputSet",), "dataInputRefs", _one("dataInput")),
    Reference(("inputSet",), "optionalInputRefs", _one("dataInput")),
    Reference(("inputSet",), "whileExecutingInputRefs", _one("dataInput")),
    Reference(("inputSet",), "outputSetRefs", _one("outputSet")),
    Reference(("outputSet",), "dataOutputRefs", _one("dataOutput")),
    Reference(("outputSet",), "optionalOutputRefs", _one("dataOutput")),
    Reference(("outputSet",), "whileExecutingOutputRefs", _one("dataOutput")),
    Reference(("outputSet",), "inputSetRefs", _one("inputSet")),
    Reference(_DATA_ASSOCIATIONS, "sourceRef", ITEM_AWARE),
    Reference(_DATA_ASSOCIATIONS, "targetRef", ITEM_AWARE),
    # 10.4: events
    Reference(tuple(CATCHING | THROWING), "eventDefinitionRef", EVENT_DEFINITIONS),
    Reference(("boundaryEvent",), "@attachedToRef", ACTIVITIES),
    Reference(("compensateEventDefinition",), "@activityRef", ACTIVITIES),
    Reference(("errorEventDefinition",), "@errorRef", _one("error")),
    Reference(("escalationEventDefinition",), "@escalationRef", _one("escalation")),
    Reference(("linkEventDefinition",), "source", _one("linkEventDefinition")),
    Reference(("linkEventDefinition",), "target", _one("linkEventDefinition")),
    Reference(("messageEventDefinition",), "@messageRef", _one("message")),
    Reference(("messageEventDefinition",), "operationRef", _one("operation"), late=True),
    Reference(("signalEventDefinition",), "@signalRef", _one("signal")),
)

_ANYWHERE = (Reference((), "@evaluatesToTypeRef", _ITEM, typing=True),)


def check_references(document: Document) -> Iterator[Problem]:
    """References that lead nowhere, or to an element of the wrong type."""
    for reference in REFERENCES:
        name = reference.name.removeprefix("@")
        for owner in reference.owners:
            for element in document.by_tag.get(owner, ()):
                if reference.name.startswith("@"):
                    value = element.get(name)
                    if value is not None:
                        yield from _check(document, element, element, name, value, reference)
                else:
                    for child in document.parts(element, name):
                        yield from _check(document, element, child, name, child.text or "", reference)
    for element in document.root.iter():
        value = element.get("evaluatesToTypeRef") if isinstance(element.tag, str) else None
        if value is not None:
            yield from _check(document, element, element, "evaluatesToTypeRef", value, _ANYWHERE[0])


def _check(document: Document, owner: Element, place: Element, name: str, value: str, reference: Reference) -> Iterator[Problem]:
    value = value.strip()
    if not value:
        # An empty reference names nothing; the schema says so where it matters.
        return
    if ":" in value and document.foreign(place, value):
        return
    target = document.get(value)
    if target is None:
        if not reference.late:
            params = {"label": document.label(owner), "reference": name, "target": value[:80]}
            message = T(
                "“%(label)s”: %(reference)s names “%(target)s”, which does not exist in this file. Correct the reference or remove it.",
                **params,
            )
            severity = "warning" if reference.typing and document.dialect else "error"
            yield _problem(document, owner, place, message, severity)
    elif reference.targets and local(target) not in reference.targets:
        params = {"label": document.label(owner), "reference": name, "target": value[:80]}
        wanted = ", ".join(sorted(reference.targets)) if len(reference.targets) <= 3 else _kind_of(reference.targets)
        message = T(
            "“%(label)s”: %(reference)s names “%(target)s”, which is a %(found)s; a %(wanted)s is needed. Choose another element.",
            **params,
            found=local(target),
            wanted=wanted,
        )
        yield _problem(document, owner, place, message)


def _problem(document: Document, owner: Element, place: Element, message: Words, severity: str = "error") -> Problem:
    return Problem(document.file, place.sourceline, document.id_of(owner), "bpmn.reference", message, severity)


def _kind_of(targets: frozenset[str]) -> Words:
    """A word for a family of elements too large to list."""
    families = (
        (ACTIVITIES, T("task or sub-process")),
        (ITEM_AWARE, T("data element")),
        (EVENT_DEFINITIONS, T("event definition")),
        (COLLABORATIONS, T("collaboration")),
        (CALLABLE, T("process or global task")),
        (_CONVERSATION_NODES, T("conversation")),
    )
    for family, word in families:
        if targets == family:
            return word
    return T("task, event or gateway") if "startEvent" in targets else ", ".join(sorted(targets))
