"""Rules of 10.2 and 10.3: activities, resources, tasks, sub-processes, calls, loops."""

from __future__ import annotations

import re
from collections.abc import Callable

from engine.bpmn.constraints.document import (
    ACTIVITIES,
    CALLABLE,
    CHOREOGRAPHY_ACTIVITIES,
    GLOBAL_TASKS,
    SUB_PROCESSES,
    Constraint,
    Document,
    Element,
    is_true,
)
from engine.bpmn.xml import local
from engine.words import T

_LITERAL = re.compile(r"=?\s*(?:(?P<number>-?\d+(?:\.\d+)?)|(?P<text>\"[^\"]*\"|'[^']*')|(?P<truth>true|false))\s*\Z")


def _quantity(attribute: str) -> Callable[[Document, Element], bool]:
    def breaks(document: Document, element: Element) -> bool:
        text = element.get(attribute, "1")
        return text.lstrip("-").isdigit() and int(text) < 1

    return breaks


def _literal(document: Document, element: Element, name: str) -> str | None:
    """``"number"``, ``"text"`` or ``"truth"`` when the expression is a bare literal; its type is then known before it runs."""
    part = document.part(element, name)
    match = None if part is None else _LITERAL.match("".join(part.itertext()).strip())
    return None if match is None else match.lastgroup


def _no_whole_number(document: Document, element: Element) -> bool:
    kind = _literal(document, element, "loopCardinality")
    text = "" if kind != "number" else "".join(document.part(element, "loopCardinality").itertext())
    return kind in ("text", "truth") or "." in text


def _message_items(document: Document, task: Element, listed: str) -> list[str | None]:
    operation = document.get(task.get("operationRef"))
    return [] if operation is None else [document.item(document.get(name)) for name in document.texts(operation, listed)]


def _differs(document: Document, ends: list[Element], items: list[str | None]) -> bool:
    """Whether none of the data elements has the item of the message."""
    return not any(document.same_item(document.item(end), item) for end in ends for item in items)


def _service_input(document: Document, task: Element) -> bool:
    inputs = document.io(task, "dataInput")
    return bool(task.get("operationRef") and inputs) and _differs(document, inputs, _message_items(document, task, "inMessageRef"))


def _service_output(document: Document, task: Element) -> bool:
    items = _message_items(document, task, "outMessageRef")
    return bool(items) and _differs(document, document.io(task, "dataOutput"), items)


def _task_message(name: str) -> Callable[[Document, Element], bool]:
    def breaks(document: Document, task: Element) -> bool:
        ends = document.io(task, name)
        return bool(ends) and _differs(document, ends, [document.item(document.get(task.get("messageRef")))])

    return breaks


def _several(attribute: str, name: str) -> Callable[[Document, Element], bool]:
    return lambda document, element: bool(element.get(attribute)) and len(document.io(element, name)) > 1


def _call_mismatch(document: Document, call: Element) -> bool:
    """Inputs, outputs and sets of a call must be those of what it calls, where this file shows it."""
    called = document.get(call.get("calledElement"))
    if called is None or local(called) not in CALLABLE:
        return False
    for name, references in (("dataInput", ""), ("dataOutput", ""), ("inputSet", "dataInputRefs"), ("outputSet", "dataOutputRefs")):
        mine, theirs = document.io(call, name), document.io(called, name)
        if len(mine) != len(theirs):
            return True
        if references:
            if sorted(len(document.parts(one, references)) for one in mine) != sorted(
                len(document.parts(one, references)) for one in theirs
            ):
                return True
            continue
        left = list(theirs)
        for one in mine:
            match = next((other for other in left if _fits(document, one, other)), None)
            if match is None:
                return True
            left.remove(match)
    return False


def _fits(document: Document, one: Element, other: Element) -> bool:
    items = document.item(one), document.item(other)
    return items == (None, None) or document.same_item(*items)


def _bound_wrongly(document: Document, element: Element) -> bool:
    """Each binding joins an input and an output of the element with the messages of an operation (table 10.14)."""
    if document.part(element, "supportedInterfaceRef") is None:
        return False
    for binding in document.parts(element, "ioBinding"):
        operation = document.get(binding.get("operationRef"))
        if operation is None:
            continue
        for attribute, listed in (("inputDataRef", "inMessageRef"), ("outputDataRef", "outMessageRef")):
            end = document.get(binding.get(attribute))
            items = [document.item(document.get(name)) for name in document.texts(operation, listed)]
            if end is not None and items and _differs(document, [end], items):
                return True
    return False


def _repeats_over_nothing(document: Document, loop: Element) -> bool:
    return not document.parts(loop, "loopCardinality", "loopDataInputRef")


def _input_elsewhere(document: Document, loop: Element) -> bool:
    host = loop.getparent()
    names = document.texts(loop, "loopDataInputRef")
    known = {element.get("id") for element in document.io(host, "dataInput")}
    return bool(names) and local(host) not in SUB_PROCESSES and not set(names) <= known


def _scalar(reference: str, item: str) -> Callable[[Document, Element], bool]:
    """The item of one round has the structure of the collection and is no collection itself."""

    def breaks(document: Document, loop: Element) -> bool:
        collection, one = document.get("".join(document.texts(loop, reference)[:1])), document.part(loop, item)
        if collection is None or one is None:
            return False
        items = document.item(collection), document.item(one)
        if None in items:
            return False
        return is_true(one.get("isCollection")) or not document.same_item(*items)

    return breaks


def _behaviour(value: str, has: Callable[[Document, Element], bool]) -> Callable[[Document, Element], bool]:
    return lambda document, loop: loop.get("behavior") == value and not has(document, loop)


def _start_kinds(document: Document, event: Element) -> bool:
    sub = event.getparent()
    if local(sub) != "subProcess" or not is_true(sub.get("triggeredByEvent")):
        return False
    kinds = set(document.kinds(event))
    forbidden = {"link", "cancel", "terminate"}
    if event.get("isInterrupting") in ("false", "0"):
        forbidden |= {"error", "compensate"}
    # A reference to a definition that is missing is reported as such.
    return bool(kinds & forbidden) or not (kinds or document.parts(event, "eventDefinitionRef"))


CONSTRAINTS: tuple[Constraint, ...] = (
    Constraint(
        "EXT037",
        tuple(ACTIVITIES),
        _quantity("startQuantity"),
        T("The start quantity of “%(label)s” is below 1. Write 1 or more."),
        "10.2",
        rule="bpmn.quantity",
    ),
    Constraint(
        "EXT038",
        tuple(ACTIVITIES),
        _quantity("completionQuantity"),
        T("The completion quantity of “%(label)s” is below 1. Write 1 or more."),
        "10.2",
        rule="bpmn.quantity",
    ),
    Constraint(
        "EXT039",
        ("resourceRole", "performer", "humanPerformer", "potentialOwner"),
        lambda document, element: (
            bool(document.parts(element, "resourceRef")) and bool(document.parts(element, "resourceAssignmentExpression"))
        ),
        T("“%(label)s” names both a resource and an expression for it. Keep one of them."),
        "10.2.1",
    ),
    Constraint(
        "EXT040",
        ("resourceRole", "performer", "humanPerformer", "potentialOwner"),
        lambda document, element: bool(document.parts(element, "resourceParameterBinding")) and not document.parts(element, "resourceRef"),
        T("“%(label)s” gives parameters to a resource that it does not name. Name the resource or remove the parameters."),
        "10.2.1",
    ),
    Constraint(
        "EXT041 EXT054 EXT055",
        tuple(ACTIVITIES),
        lambda document, element: len(document.parts(element, "standardLoopCharacteristics", "multiInstanceLoopCharacteristics")) > 1,
        T("“%(label)s” has more than one loop marker. Keep the loop or the multi-instance marker."),
        "10.2, 10.2.8",
    ),
    Constraint(
        "EXT042",
        ("serviceTask",),
        lambda document, element: bool(element.get("operationRef")) and len(document.io(element, "inputSet")) != 1,
        T("Service task “%(label)s” calls an operation and must have exactly one input set. Add or merge its input sets."),
        "10.2.3",
    ),
    Constraint(
        "EXT043",
        ("serviceTask",),
        _several("operationRef", "outputSet"),
        T("Service task “%(label)s” calls an operation and may have one output set only. Merge its output sets."),
        "10.2.3",
    ),
    Constraint(
        "EXT044",
        ("serviceTask",),
        _service_input,
        T("The input of service task “%(label)s” and the input message of its operation carry different items. Make them equal."),
        "10.2.3",
    ),
    Constraint(
        "EXT045",
        ("serviceTask",),
        _service_output,
        T("The output of service task “%(label)s” and the output message of its operation carry different items. Make them equal."),
        "10.2.3",
    ),
    Constraint(
        "EXT046",
        ("sendTask",),
        _several("messageRef", "inputSet"),
        T("Send task “%(label)s” sends a message and may have one input set only. Merge its input sets."),
        "10.2.3",
    ),
    Constraint(
        "EXT047",
        ("sendTask",),
        _several("messageRef", "dataInput"),
        T("Send task “%(label)s” sends a message and may have one data input only. Remove the others."),
        "10.2.3",
    ),
    Constraint(
        "EXT048",
        ("sendTask",),
        _task_message("dataInput"),
        T("The data input of send task “%(label)s” does not carry the item of its message. Give both the same item definition."),
        "10.2.3",
    ),
    Constraint(
        "EXT049",
        ("receiveTask",),
        lambda document, element: is_true(element.get("instantiate")) and bool(document.flows_in(element)),
        T("Receive task “%(label)s” starts the process and must have no incoming flow. Remove the flow or the mark."),
        "10.2.3",
    ),
    Constraint(
        "EXT050",
        ("receiveTask",),
        _several("messageRef", "outputSet"),
        T("Receive task “%(label)s” receives a message and may have one output set only. Merge its output sets."),
        "10.2.3",
    ),
    Constraint(
        "EXT051",
        ("receiveTask",),
        _several("messageRef", "dataOutput"),
        T("Receive task “%(label)s” receives a message and may have one data output only. Remove the others."),
        "10.2.3",
    ),
    Constraint(
        "EXT052",
        ("receiveTask",),
        _task_message("dataOutput"),
        T("The data output of receive task “%(label)s” does not carry the item of its message. Give both the same item definition."),
        "10.2.3",
    ),
    Constraint(
        "EXT053",
        ("scriptTask",),
        lambda document, element: document.part(element, "script") is not None and not element.get("scriptFormat"),
        T("Script task “%(label)s” has a script without a format. Name its language, for example application/feel."),
        "10.2.3",
        dialect="warning",
    ),
    Constraint(
        "EXT057 EXT021 EXT022",
        ("subProcess",),
        lambda document, element: (
            is_true(element.get("triggeredByEvent")) and bool(document.flows_in(element) or document.flows_out(element))
        ),
        T("Event sub-process “%(label)s” must not be connected by flows."),
        "10.2.5",
        rule="bpmn.event-subprocess-flow",
    ),
    Constraint(
        "EXT058",
        ("subProcess",),
        lambda document, element: is_true(element.get("triggeredByEvent")) and len(document.parts(element, "startEvent")) != 1,
        T("Event sub-process “%(label)s” needs exactly one start event. Add one or remove the others."),
        "10.2.5",
        rule="bpmn.event-subprocess-start",
    ),
    Constraint(
        "EXT059",
        ("startEvent",),
        _start_kinds,
        T(
            "Start event “%(label)s” of an event sub-process must wait for a message, timer, signal, condition, error, escalation or "
            "compensation; errors and compensation always interrupt. Give it such a definition."
        ),
        "10.2.5, 10.4.2",
        rule="bpmn.event-subprocess-start",
    ),
    Constraint(
        "EXT061",
        ("adHocSubProcess",),
        lambda document, element: not document.parts(element, *ACTIVITIES),
        T("Ad-hoc sub-process “%(label)s” contains no activity. Draw at least one."),
        "10.2.5",
    ),
    Constraint(
        "EXT062",
        ("adHocSubProcess",),
        lambda document, element: bool(document.parts(element, "startEvent", "endEvent", *CHOREOGRAPHY_ACTIVITIES)),
        T("Ad-hoc sub-process “%(label)s” contains a start event, an end event or a choreography activity. Remove it."),
        "10.2.5",
    ),
    Constraint(
        "EXT063",
        ("callActivity",),
        _call_mismatch,
        T("The inputs and outputs of call activity “%(label)s” are not those of what it calls. Declare the same ones in both places."),
        "10.2.6",
        dialect="skip",
    ),
    Constraint(
        "EXT064",
        ("process", *GLOBAL_TASKS),
        lambda document, element: document.part(element, "supportedInterfaceRef") is not None and not document.parts(element, "ioBinding"),
        T("“%(label)s” offers a service interface but binds no input and output to it. Add a binding or remove the interface."),
        "10.2.6",
    ),
    Constraint(
        "EXT065",
        ("process", *GLOBAL_TASKS),
        _bound_wrongly,
        T("A binding of “%(label)s” joins data and a message that carry different items. Correct the binding."),
        "10.2.6",
    ),
    Constraint(
        "EXT066",
        ("multiInstanceLoopCharacteristics",),
        _no_whole_number,
        T("The number of repetitions of “%(label)s” is no whole number. Write a whole number or an expression that gives one."),
        "10.2.8",
    ),
    Constraint(
        "EXT067",
        ("multiInstanceLoopCharacteristics",),
        _repeats_over_nothing,
        T("“%(label)s” repeats, but over nothing. Set a number of repetitions or the collection to go through."),
        "10.2.8",
        rule="bpmn.multi-instance",
        executable=True,
        dialect="skip",
    ),
    Constraint(
        "EXT068",
        ("multiInstanceLoopCharacteristics",),
        _input_elsewhere,
        T("“%(label)s” repeats over a collection that is not one of its own data inputs. Declare the data input in the activity."),
        "10.2.8",
        executable=True,
        dialect="skip",
    ),
    Constraint(
        "EXT069",
        ("multiInstanceLoopCharacteristics",),
        _scalar("loopDataOutputRef", "outputDataItem"),
        T("The output of one round of “%(label)s” must be a single item of the collection it is put into. Correct its item definition."),
        "10.2.8",
        executable=True,
    ),
    Constraint(
        "EXT070",
        ("multiInstanceLoopCharacteristics",),
        _scalar("loopDataInputRef", "inputDataItem"),
        T("The input of one round of “%(label)s” must be a single item of the collection it comes from. Correct its item definition."),
        "10.2.8",
        executable=True,
    ),
    Constraint(
        "EXT071",
        ("multiInstanceLoopCharacteristics", "adHocSubProcess"),
        lambda document, element: _literal(document, element, "completionCondition") in ("number", "text"),
        T("The completion condition of “%(label)s” is neither true nor false. Write a condition."),
        "10.2.8",
    ),
    Constraint(
        "EXT071",
        ("standardLoopCharacteristics",),
        lambda document, element: _literal(document, element, "loopCondition") in ("number", "text"),
        T("The loop condition of “%(label)s” is neither true nor false. Write a condition."),
        "10.2.8",
    ),
    Constraint(
        "EXT072",
        ("multiInstanceLoopCharacteristics",),
        _behaviour("None", lambda document, loop: bool(loop.get("noneBehaviorEventRef"))),
        T("“%(label)s” throws an event after every round (behaviour None) but names none. Set noneBehaviorEventRef."),
        "10.2.8",
    ),
    Constraint(
        "EXT073",
        ("multiInstanceLoopCharacteristics",),
        _behaviour("One", lambda document, loop: bool(loop.get("oneBehaviorEventRef"))),
        T("“%(label)s” throws an event after its first round (behaviour One) but names none. Set oneBehaviorEventRef."),
        "10.2.8",
    ),
    Constraint(
        "EXT074",
        ("multiInstanceLoopCharacteristics",),
        _behaviour("Complex", lambda document, loop: bool(document.parts(loop, "complexBehaviorDefinition"))),
        T("“%(label)s” decides after every round which events to throw (behaviour Complex) but has no rule for it. Add one."),
        "10.2.8",
    ),
)
