"""A BPMN file indexed for checking, and what one row of the tables of constraints is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

from lxml import etree

from engine.bpmn.xml import BPMN, local
from engine.errors import Problem
from engine.words import Words

XSI_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
XSD_NAMESPACE = "http://www.w3.org/2001/XMLSchema"

TASKS = frozenset(["task", "sendTask", "receiveTask", "serviceTask", "userTask", "manualTask", "scriptTask", "businessRuleTask"])
SUB_PROCESSES = frozenset(["subProcess", "transaction", "adHocSubProcess"])
ACTIVITIES = TASKS | SUB_PROCESSES | {"callActivity"}
CHOREOGRAPHY_ACTIVITIES = frozenset(["choreographyTask", "subChoreography", "callChoreography"])
GATEWAYS = frozenset(["exclusiveGateway", "parallelGateway", "inclusiveGateway", "complexGateway", "eventBasedGateway"])
THROWING = frozenset(["intermediateThrowEvent", "endEvent", "implicitThrowEvent"])
CATCHING = frozenset(["startEvent", "intermediateCatchEvent", "boundaryEvent"])
EVENTS = THROWING | CATCHING
FLOW_NODES = ACTIVITIES | CHOREOGRAPHY_ACTIVITIES | GATEWAYS | EVENTS
ARTIFACTS = frozenset(["association", "group", "textAnnotation"])
EVENT_DEFINITIONS = frozenset(
    f"{kind}EventDefinition"
    for kind in ["message", "timer", "signal", "error", "escalation", "terminate", "conditional", "link", "cancel", "compensate"]
)
GLOBAL_TASKS = frozenset(["globalTask", "globalUserTask", "globalManualTask", "globalScriptTask", "globalBusinessRuleTask"])
CALLABLE = GLOBAL_TASKS | {"process"}
COLLABORATIONS = frozenset(["collaboration", "choreography", "globalConversation", "globalChoreographyTask"])
ITEM_AWARE = frozenset(
    [
        "dataObject",
        "dataObjectReference",
        "dataStore",
        "dataStoreReference",
        "property",
        "dataInput",
        "dataOutput",
        "inputDataItem",
        "outputDataItem",
    ]
)

Element = etree._Element
Breaks = Callable[["Document", Element], "bool | dict[str, Any] | None"]


@dataclass(frozen=True)
class Constraint:
    """One rule of the standard.

    ``ids`` are its numbers in the list of constraints; ``on`` the tags it speaks about; ``breaks`` answers for one element with
    a true value when it breaks the rule (a dictionary gives the sentence more values to show); ``says`` is the sentence with
    what is wrong and what to do, where ``%(label)s`` is the element; ``source`` the clause of formal/2011-01-03.  ``rule`` is the
    identifier shown, where an execution check has one for the same fault.  ``executable`` restricts it to executable processes.
    ``dialect`` is the severity in files written for this engine (``"skip"``: the dialect says the same thing in another way).
    """

    ids: str
    on: Collection[str]
    breaks: Breaks
    says: Words
    source: str
    rule: str = ""
    executable: bool = False
    dialect: str = "error"
    foreign: str = "error"


class Document:
    """The elements of one file by id and by tag, its flows by their ends, and the answers that many rules need."""

    def __init__(self, tree: etree._ElementTree, file: str, dialect: bool, beside: Collection[str] = ()) -> None:
        self.file, self.dialect, self.beside = file, dialect, beside
        self.root = tree.getroot()
        self.namespace = self.root.get("targetNamespace") or ""
        self.by_id: dict[str, Element] = {}
        self.by_tag: dict[str, list[Element]] = defaultdict(list)
        # Everything that rules ask again and again is kept: a level with thousands of nodes must not be walked once for each of them.
        self._children: dict[Element, dict[str, list[Element]]] = defaultdict(lambda: defaultdict(list))
        self._position: dict[Element, int] = {}
        self._kept: dict[tuple[str, Element], Any] = {}
        for element in self.root.iter(f"{{{BPMN}}}*"):
            tag = local(element)
            self.by_tag[tag].append(element)
            self._position[element] = len(self._position)
            if element is not self.root:
                self._children[element.getparent()][tag].append(element)
            if element.get("id"):
                self.by_id.setdefault(element.get("id"), element)
        self.size = len(self._position)
        self.imported = {element.get("namespace") for element in self.by_tag["import"]}
        self.leaving = self._flows("sequenceFlow", "sourceRef")
        self.arriving = self._flows("sequenceFlow", "targetRef")
        self.sent = self._flows("messageFlow", "sourceRef")
        self.received = self._flows("messageFlow", "targetRef")
        self.associated = self._flows("association", "sourceRef")
        self.associated_to = self._flows("association", "targetRef")
        self.called = {self.name_of(element.get("calledElement")) for element in self.by_tag["callActivity"]}
        self.attached = self._flows("boundaryEvent", "attachedToRef")
        # Whether the processes list the flows at their nodes, too (they need not: minOccurs is 0); if they do, the lists must be right.
        self.lists_flows = {
            self.process_of(element)
            for tag in ("incoming", "outgoing")
            for element in self.by_tag[tag]
            if local(element.getparent()) in FLOW_NODES
        }

    def _flows(self, tag: str, attribute: str) -> dict[str, list[Element]]:
        found: dict[str, list[Element]] = defaultdict(list)
        for element in self.by_tag[tag]:
            found[self.name_of(element.get(attribute))].append(element)
        return found

    # references ----------------------------------------------------------------------------------------------------------------

    @staticmethod
    def name_of(reference: str | None) -> str:
        """The local part of a qualified name."""
        return (reference or "").strip().rpartition(":")[2]

    def get(self, reference: str | None) -> Element | None:
        """The element of this file that a reference means."""
        return self.by_id.get(self.name_of(reference))

    def foreign(self, element: Element, reference: str) -> bool:
        """Whether a qualified name means something in another file: its prefix stands for an imported namespace or a schema's."""
        prefix = reference.strip().rpartition(":")[0]
        namespace = element.nsmap.get(prefix) if prefix else None
        return (
            namespace is not None and namespace not in (self.namespace, BPMN) and (namespace in self.imported or namespace == XSD_NAMESPACE)
        )

    # parts of an element ---------------------------------------------------------------------------------------------------------

    def parts(self, element: Element, *names: str) -> list[Element]:
        """The BPMN children with these tags, in the order of the file; not to be changed."""
        children = self._children.get(element)
        if children is None:
            return []
        if len(names) == 1:
            return children.get(names[0], [])
        found = [children[name] for name in children if name in names]
        return found[0] if len(found) == 1 else sorted((child for one in found for child in one), key=self._position.__getitem__)

    def part(self, element: Element, name: str) -> Element | None:
        return next(iter(self.parts(element, name)), None)

    def texts(self, element: Element, name: str) -> list[str]:
        """The references that children called ``name`` hold."""
        return [self.name_of(child.text) for child in self.parts(element, name)]

    def names(self, element: Element, name: str) -> frozenset[str]:
        """The references that children called ``name`` hold, as a set."""
        return self._keep(f"names {name}", element, lambda: frozenset(self.texts(element, name)))

    def _keep(self, what: str, element: Element, make: Callable[[], Any]) -> Any:
        key = what, element
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]

    def definitions(self, event: Element) -> list[Element]:
        """The event definitions of an event, those it refers to included."""
        referred = [self.get(child.text) for child in self.parts(event, "eventDefinitionRef")]
        return [
            *(element for element in referred if element is not None and local(element) in EVENT_DEFINITIONS),
            *self.parts(event, *EVENT_DEFINITIONS),
        ]

    def kinds(self, event: Element) -> list[str]:
        """``["message", "timer"]``: the kinds of an event's definitions; empty for a none event."""
        return [local(definition).removesuffix("EventDefinition") for definition in self.definitions(event)]

    # position ----------------------------------------------------------------------------------------------------------------------

    @staticmethod
    def process_of(element: Element | None) -> Element | None:
        while element is not None and local(element) != "process":
            element = element.getparent()
        return element

    def executable(self, element: Element) -> bool:
        """Whether the element stands in a process marked executable."""
        process = self.process_of(element)
        return process is not None and is_true(process.get("isExecutable"))

    @staticmethod
    def inside(element: Element, tag: str) -> bool:
        return any(local(ancestor) == tag for ancestor in element.iterancestors())

    def instantiated(self, holder: Element) -> bool:
        """Whether a receive task or event gateway on this level starts the process."""

        def found() -> bool:
            return any(is_true(one.get("instantiate")) for one in self.parts(holder, "receiveTask", "eventBasedGateway"))

        return self._keep("instantiated", holder, found)

    # flows -------------------------------------------------------------------------------------------------------------------------

    def flows_in(self, element: Element) -> frozenset[str]:
        """The sequence flows that lead to a node, by the flows themselves and by its own list."""
        return self._keep("in", element, lambda: self._at(element, self.arriving, "incoming"))

    def flows_out(self, element: Element) -> frozenset[str]:
        """The sequence flows that leave a node, by the flows themselves and by its own list."""
        return self._keep("out", element, lambda: self._at(element, self.leaving, "outgoing"))

    def _at(self, element: Element, index: dict[str, list[Element]], listed: str) -> frozenset[str]:
        id = element.get("id")
        flows = index.get(id, []) if id else []
        return frozenset(flow.get("id") or f"@{flow.sourceline}" for flow in flows) | self.names(element, listed)

    # data --------------------------------------------------------------------------------------------------------------------------

    def item(self, element: Element | None) -> str | None:
        """The id of the item definition that an item-aware element, message, error, escalation or signal carries."""
        if element is None:
            return None
        tag = local(element)
        for holder, attribute in (("dataObjectReference", "dataObjectRef"), ("dataStoreReference", "dataStoreRef")):
            if tag == holder and not element.get("itemSubjectRef"):
                return self.item(self.get(element.get(attribute)))
        attribute = {"message": "itemRef", "error": "structureRef", "escalation": "structureRef", "signal": "structureRef"}
        return self.name_of(element.get(attribute.get(tag, "itemSubjectRef"))) or None

    def same_item(self, one: str | None, other: str | None) -> bool:
        """Whether two item definitions are one, or describe the same structure."""
        if one is None or other is None:
            return False
        if one == other:
            return True
        structures = [None if item is None else item.get("structureRef") for item in (self.by_id.get(one), self.by_id.get(other))]
        return structures[0] is not None and structures[0] == structures[1]

    def io(self, element: Element | None, name: str) -> list[Element]:
        """The data inputs, outputs or sets in an element's specification of inputs and outputs."""
        specification = None if element is None else self.part(element, "ioSpecification")
        return [] if specification is None else self.parts(specification, name)

    # words -------------------------------------------------------------------------------------------------------------------------

    def label(self, element: Element | None) -> str:
        """What people call an element: its name, the names at its ends for a flow, else the name of what holds it, else its id."""
        if element is None:
            return "–"
        name = (element.get("name") or "").strip()
        if name:
            return name
        if local(element) in ("sequenceFlow", "messageFlow", "association"):
            ends = [self.get(element.get(end)) for end in ("sourceRef", "targetRef")]
            if all(end is not None and end is not element and local(end) != "association" for end in ends):
                return " → ".join(self.label(end) for end in ends)
        if element.get("id") and local(element) in FLOW_NODES | ITEM_AWARE:
            return element.get("id")
        holder = element.getparent()
        while holder is not None:
            if (holder.get("name") or "").strip() and local(holder) != "process":
                return holder.get("name").strip()
            if local(holder) in FLOW_NODES and holder.get("id"):
                return holder.get("id")
            holder = holder.getparent()
        return element.get("id") or local(element)

    @staticmethod
    def id_of(element: Element) -> str | None:
        """The id to show: the element's own, else that of what holds it."""
        while element is not None:
            if element.get("id"):
                return element.get("id")
            element = element.getparent()
        return None


def is_true(text: str | None) -> bool:
    """The boolean of XML Schema."""
    return text in ("true", "1")


def apply(constraint: Constraint, document: Document) -> Iterator[Problem]:
    """The problems that one rule finds in a document."""
    severity = constraint.dialect if document.dialect else constraint.foreign
    if severity == "skip":
        return
    for tag in constraint.on:
        for element in document.by_tag.get(tag, ()):
            if constraint.executable and not document.executable(element):
                continue
            broken = constraint.breaks(document, element)
            if broken:
                more = broken if isinstance(broken, dict) else {}
                message = Words(constraint.says.msgid, label=document.label(element), **more)
                rule = constraint.rule or "bpmn." + constraint.ids.split()[0]
                yield Problem(document.file, element.sourceline, document.id_of(element), rule, message, severity)
