"""Rules of 10.3 (10.4 in 2.0.2): data objects, inputs, outputs and their sets, data associations."""

from __future__ import annotations

from collections.abc import Callable

from engine.bpmn.constraints.document import CATCHING, EVENT_DEFINITIONS, SUB_PROCESSES, THROWING, Constraint, Document, Element
from engine.bpmn.xml import local
from engine.words import T

_ASSOCIATIONS = ("dataInputAssociation", "dataOutputAssociation")
_CARRYING = ("message", "error", "escalation", "signal")


def _named_otherwise(document: Document, reference: Element) -> dict | None:
    """The name is that of the data object, with the state in brackets; a data object without a name prescribes nothing."""
    target, name = document.get(reference.get("dataObjectRef")), reference.get("name")
    if name is None or target is None or not target.get("name"):
        return None
    state = document.part(reference, "dataState")
    wanted = target.get("name") if state is None else f"{target.get('name')} [{state.get('name', '')}]"
    return None if " ".join(name.split()) == " ".join(wanted.split()) else {"wanted": wanted}


def _of_process(document: Document, name: str, tag: str) -> bool:
    """Whether a data element belongs to the specification of inputs and outputs of a process, not of an event in it."""
    element = document.get(name)
    if element is None or local(element) != tag:
        return False
    specification = element.getparent()
    return local(specification) == "ioSpecification" and local(specification.getparent()) == "process"


def _touches_process_data(listed: str, tag: str) -> Callable[[Document, Element], bool]:
    """A process's own inputs are filled, and its outputs read, from outside only."""
    return lambda document, association: any(_of_process(document, name, tag) for name in document.texts(association, listed))


def _in_no_set(sets: str, references: str) -> Callable[[Document, Element], bool]:
    def breaks(document: Document, element: Element) -> bool:
        return not any(element.get("id") in document.names(one, references) for one in document.parts(element.getparent(), sets))

    return breaks


def _not_listed(part: str, whole: str) -> Callable[[Document, Element], bool]:
    return lambda document, element: not document.names(element, part) <= document.names(element, whole)


def _one_sided(mine: str, theirs: str) -> Callable[[Document, Element], bool]:
    def breaks(document: Document, element: Element) -> bool:
        others = [document.get(name) for name in document.texts(element, mine)]
        return any(other is not None and element.get("id") not in document.names(other, theirs) for other in others)

    return breaks


def _items_differ(document: Document, association: Element) -> bool:
    if document.parts(association, "transformation", "assignment"):
        return False
    sources, targets = (document.texts(association, end) for end in ("sourceRef", "targetRef"))
    if len(sources) != 1 or len(targets) != 1:
        return False
    items = [document.item(document.get(name)) for name in (sources[0], targets[0])]
    return None not in items and not document.same_item(*items)


def _several_sources(document: Document, association: Element) -> bool:
    if document.part(association, "transformation") is not None:
        return False
    count = len(document.parts(association, "sourceRef"))
    return count > 1 or (count == 0 and document.part(association, "assignment") is None)


def _data_of(document: Document, event: Element) -> list[Element]:
    return document.parts(event, "dataInput" if local(event) in THROWING else "dataOutput")


def _not_one_each(document: Document, event: Element) -> bool:
    data = _data_of(document, event)
    return bool(data) and len(data) != len(document.parts(event, "eventDefinitionRef", *EVENT_DEFINITIONS))


def _other_item(document: Document, event: Element) -> bool:
    """The data elements belong to the event definitions in their order; only some kinds carry data."""
    carrying = [definition for definition in document.definitions(event) if local(definition).removesuffix("EventDefinition") in _CARRYING]
    data = _data_of(document, event)
    if len(carrying) != len(data):
        return False
    for definition, element in zip(carrying, data, strict=True):
        kind = local(definition).removesuffix("EventDefinition")
        carrier = document.get(definition.get(f"{kind}Ref"))
        if carrier is None:
            continue
        if not document.same_item(document.item(carrier), document.item(element)) and (document.item(carrier) or document.item(element)):
            return True
    return False


CONSTRAINTS: tuple[Constraint, ...] = (
    Constraint(
        "EXT075",
        ("dataObject",),
        lambda document, element: document.part(element, "dataState") is not None,
        T("Data object “%(label)s” has a state. States belong to references to a data object; move it there."),
        "10.3.1",
    ),
    Constraint(
        "EXT076",
        ("dataObjectReference",),
        _named_otherwise,
        T("The data object reference “%(label)s” must be called “%(wanted)s”, like its data object and its state."),
        "10.3.1",
        dialect="skip",
    ),
    Constraint(
        "EXT077",
        ("dataObjectReference",),
        lambda document, element: bool(element.get("itemSubjectRef")),
        T("The data object reference “%(label)s” names an item definition. Only the data object itself may; remove it here."),
        "10.3.1",
    ),
    Constraint(
        "EXT079",
        tuple(SUB_PROCESSES),
        lambda document, element: document.part(element, "ioSpecification") is not None,
        T("Sub-process “%(label)s” declares inputs and outputs. Sub-processes see the data around them; remove the declaration."),
        "10.3.2",
    ),
    Constraint(
        "EXT080 EXT081",
        _ASSOCIATIONS,
        _touches_process_data("targetRef", "dataInput"),
        T("A data association of “%(label)s” fills a data input of the process, which only the caller may. Use a data object."),
        "10.3.2",
    ),
    Constraint(
        "EXT082 EXT083",
        _ASSOCIATIONS,
        _touches_process_data("sourceRef", "dataOutput"),
        T("A data association of “%(label)s” reads a data output of the process, which only the caller may. Use a data object."),
        "10.3.2",
    ),
    Constraint(
        "EXT084",
        ("dataInput",),
        _in_no_set("inputSet", "dataInputRefs"),
        T("Data input “%(label)s” stands in no input set. Add it to one."),
        "10.3.2",
    ),
    Constraint(
        "EXT085",
        ("inputSet",),
        _not_listed("optionalInputRefs", "dataInputRefs"),
        T("An optional input of an input set of “%(label)s” is none of its inputs. List it among them."),
        "10.3.2",
    ),
    Constraint(
        "EXT086",
        ("inputSet",),
        _not_listed("whileExecutingInputRefs", "dataInputRefs"),
        T("An input used during execution of “%(label)s” is none of the inputs of its set. List it among them."),
        "10.3.2",
    ),
    Constraint(
        "EXT087",
        ("inputSet",),
        _one_sided("outputSetRefs", "inputSetRefs"),
        T("An input set of “%(label)s” names an output set that does not name it. Name each in the other."),
        "10.3.2",
    ),
    Constraint(
        "EXT087",
        ("outputSet",),
        _one_sided("inputSetRefs", "outputSetRefs"),
        T("An output set of “%(label)s” names an input set that does not name it. Name each in the other."),
        "10.3.2",
    ),
    Constraint(
        "EXT088",
        ("dataOutput",),
        _in_no_set("outputSet", "dataOutputRefs"),
        T("Data output “%(label)s” stands in no output set. Add it to one."),
        "10.3.2",
    ),
    Constraint(
        "EXT089",
        ("outputSet",),
        _not_listed("optionalOutputRefs", "dataOutputRefs"),
        T("An optional output of an output set of “%(label)s” is none of its outputs. List it among them."),
        "10.3.2",
    ),
    Constraint(
        "EXT090",
        ("outputSet",),
        _not_listed("whileExecutingOutputRefs", "dataOutputRefs"),
        T("An output given during execution of “%(label)s” is none of the outputs of its set. List it among them."),
        "10.3.2",
    ),
    Constraint(
        "EXT091",
        _ASSOCIATIONS,
        _items_differ,
        T(
            "A data association of “%(label)s” joins data of different kinds. Give both ends the same item definition, or add a transformation."
        ),
        "10.3.2",
    ),
    Constraint(
        "EXT092",
        _ASSOCIATIONS,
        _several_sources,
        T(
            "A data association of “%(label)s” without a transformation must have exactly one source. Remove sources or add a transformation."
        ),
        "10.3.2",
    ),
    Constraint(
        "EXT093",
        tuple(CATCHING | THROWING),
        _not_one_each,
        T("Event “%(label)s” must have as many data elements as event definitions. Add or remove data inputs or outputs."),
        "10.3.2, 10.4.1",
    ),
    Constraint(
        "EXT094",
        tuple(CATCHING | THROWING),
        _other_item,
        T("A data element of event “%(label)s” does not carry the item of its event definition. Give both the same item definition."),
        "10.3.2, 10.4.1",
    ),
)
