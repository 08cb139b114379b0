"""Rules of chapters 9, 11 and of 10.1: collaborations, conversations, choreographies, pools and processes."""

from __future__ import annotations

from engine.bpmn.constraints.document import (
    ARTIFACTS,
    CHOREOGRAPHY_ACTIVITIES,
    COLLABORATIONS,
    SUB_PROCESSES,
    Constraint,
    Document,
    Element,
    is_true,
)
from engine.bpmn.xml import local
from engine.words import T

_NOT_IN_GLOBAL_CONVERSATION = (
    *("conversationNode", "conversation", "subConversation", "callConversation"),
    *("participantAssociation", "messageFlowAssociation", "conversationAssociation"),
    *ARTIFACTS,
)


def _number(text: str | None, default: int) -> int:
    try:
        return int(text) if text is not None else default
    except ValueError:
        return default


def _multiplicity(document: Document, element: Element) -> bool:
    """The default of the minimum is 0, of the maximum 1 (table 9.4)."""
    least, most = element.get("minimum"), element.get("maximum")
    return (most is not None and _number(most, 1) < 1) or _number(most, 1) < _number(least, 0)


def _pool(document: Document, end: Element | None) -> Element | None:
    """The pool that an end of a message flow belongs to: its process, or the participant itself when it shows none."""
    if end is None:
        return None
    if local(end) != "participant":
        return document.process_of(end)
    process = document.get(end.get("processRef"))
    return end if process is None else process


def _same_pool(document: Document, flow: Element) -> bool:
    ends = [document.get(flow.get(end)) for end in ("sourceRef", "targetRef")]
    pools = [_pool(document, end) for end in ends]
    return ends[0] is not None and ends[1] is not None and (ends[0] is ends[1] or (pools[0] is not None and pools[0] is pools[1]))


def _closed_differently(document: Document, element: Element) -> dict | None:
    for reference in document.texts(element, "choreographyRef"):
        choreography = document.get(reference)
        if choreography is not None and is_true(choreography.get("isClosed")) != is_true(element.get("isClosed")):
            return {"choreography": document.label(choreography)}
    return None


CONSTRAINTS: tuple[Constraint, ...] = (
    Constraint(
        "EXT027",
        tuple(COLLABORATIONS - {"collaboration"}),
        lambda document, element: document.part(element, "choreographyRef") is not None,
        T(
            "“%(label)s” is a choreography or a global conversation and refers to a choreography. Only a collaboration may; remove the reference."
        ),
        "9.1, 9.4, 11.1",
    ),
    Constraint(
        "EXT029",
        ("participantMultiplicity",),
        lambda document, element: _number(element.get("minimum"), 0) < 0,
        T("The smallest number of participants “%(label)s” is negative. Write 0 or more."),
        "9.2.1",
    ),
    Constraint(
        "EXT030",
        ("participantMultiplicity",),
        _multiplicity,
        T("The largest number of participants “%(label)s” must be at least 1 and not below the smallest. Correct minimum and maximum."),
        "9.2.1",
    ),
    Constraint(
        "EXT031",
        ("messageFlow",),
        _same_pool,
        T("The message flow “%(label)s” stays in one pool. Message flows connect different pools; use a sequence flow inside a pool."),
        "9.3",
    ),
    Constraint(
        "EXT032",
        ("globalConversation",),
        lambda document, element: bool(document.parts(element, *_NOT_IN_GLOBAL_CONVERSATION)),
        T(
            "The global conversation “%(label)s” holds conversations, associations or artifacts. It may hold participants, message flows and keys only."
        ),
        "9.4.3",
    ),
    Constraint(
        "EXT033",
        ("collaboration",),
        _closed_differently,
        T("“%(label)s” and the choreography “%(choreography)s” disagree about being closed. Make isClosed equal in both."),
        "9.1",
    ),
    Constraint(
        "EXT035",
        ("process",),
        lambda document, element: element.get("processType") == "Public" and is_true(element.get("isExecutable")),
        T(
            "Process “%(label)s” is public and marked executable. A public process shows only what partners see; make it private or not executable."
        ),
        "10.1",
    ),
    Constraint(
        "EXT036",
        ("process",),
        lambda document, element: bool(document.parts(element, *CHOREOGRAPHY_ACTIVITIES)),
        T("Process “%(label)s” contains a choreography activity. Move it to a choreography."),
        "10.1",
    ),
    Constraint(
        "EXT056",
        tuple(SUB_PROCESSES),
        lambda document, element: bool(document.parts(element, *CHOREOGRAPHY_ACTIVITIES)),
        T("Sub-process “%(label)s” contains a choreography activity. Move it to a choreography."),
        "10.2.5",
    ),
)
