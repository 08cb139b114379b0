"""From BPMN XML to an executable model, on SpiffWorkflow's parser.

Our spec classes are registered through ``OVERRIDE_PARSER_CLASSES``.  SpiffWorkflow's own traversal follows the flows
recursively from the start event (a long model exceeds Python's recursion limit) and refuses much that the standard allows;
:class:`ProcessReader` replaces it by one pass over all elements of the file, which also finds the elements no flow leads to.
All problems are collected, each with the element's label and line.
"""

from __future__ import annotations

import copy
from typing import Any

from lxml import etree
from SpiffWorkflow.bpmn.parser.BpmnParser import BpmnParser
from SpiffWorkflow.bpmn.parser.ProcessParser import ProcessParser

from engine.bpmn import activities, events
from engine.bpmn.compensation import compensation_start
from engine.bpmn.elements import FlowNode
from engine.bpmn.expressions import SIMPLE_NAME
from engine.bpmn.kinds import CONTAINERS, GLOBAL_TASKS, MAX_ID, PARSERS
from engine.bpmn.loopreading import LoopReading
from engine.bpmn.model import Model, ProcessSpec
from engine.bpmn.nodereading import NodeReader
from engine.bpmn.wiring import Wiring
from engine.bpmn.xml import BPMN, ZEEBE, is_dialect, is_feel, local, parse_xml, tag
from engine.errors import Problem
from engine.words import T, Words


def read_bpmn(data: bytes, file: str) -> Model:
    """Parse ``data`` and check what can be known from this file alone; :func:`engine.bpmn.validation.check` adds the rest."""
    tree, problems = parse_xml(data, file)
    if tree is None:
        return Model(file, problems=problems)
    if tree.getroot().tag != tag("definitions"):
        message = T(
            "The file %(file)s is no BPMN 2.0 file: its root element is “%(root)s”, not “definitions”.",
            file=file,
            root=local(tree.getroot()),
        )
        return Model(file, problems=[Problem(file, tree.getroot().sourceline, None, "bpmn.root", message)])
    reader = Reader(file, tree)
    reader.add_bpmn_xml(tree, file)
    model = Model(file, problems=reader.problems, tree=tree, dialect=reader.dialect)
    for process_id, parser in reader.process_parsers.items():
        if parser.process_executable:
            model.processes[process_id] = parser.get_spec()
    if not model.processes and not model.errors:
        message = T("The file %(file)s has no process marked executable. Tick “Executable” on the process in the modeler.", file=file)
        model.problems.append(Problem(file, tree.getroot().sourceline, None, "bpmn.not-executable", message))
    return model


class ProcessReader(Wiring, LoopReading, ProcessParser):
    """Builds the spec of one process in one pass over the file, without recursion along the flows."""

    def _parse(self) -> None:
        self.spec = ProcessSpec(self.bpmn_id, self.node.get("name") or self.bpmn_id, self.filename)
        self.spec.start.line = self.node.sourceline
        self._read_process_properties()
        self._containers: list[tuple[Any, FlowNode]] = [(self.node, self.spec.start)]
        self._nodes: dict[str, FlowNode] = {}
        while self._containers:
            element, container = self._containers.pop()
            self._read_container(element, container)
        self._connect()
        self._connect_links()
        self._attach_boundaries()
        self._find_compensation_handlers()
        self._mark_repeating()
        self._find_own_data()
        self._find_entries()
        self._find_starters()
        nodes = self.spec.task_specs.values()
        self.spec.has_conditions = any(its.kind == "conditional" for node in nodes for its in getattr(node, "definitions", ()))
        self.spec.has_compensation = any(node.compensation_handler is not None or compensation_start(node) is not None for node in nodes)

    def _read_process_properties(self) -> None:
        reader = self._reader_of(self.node)
        reader._read_common(self.spec.start)
        version_tag = reader.extension("versionTag")
        self.spec.version_tag = None if version_tag is None else version_tag.get("value")

    def _read_container(self, element, container: FlowNode) -> None:
        for child in element:
            name = local(child)
            if name not in PARSERS:
                continue
            if not child.get("id") or child.get("id") in self.spec.task_specs:
                self.parser.report(
                    child.sourceline,
                    child.get("id"),
                    "bpmn.duplicate-id",
                    T("The id “%(id)s” is missing or used twice. Give each element an id of its own.", id=child.get("id") or ""),
                )
                continue
            parser_class, spec_class = self.parser._get_parser_class(child.tag)
            if name == "subProcess" and child.get("triggeredByEvent") == "true":
                spec_class = activities.EventSubProcess
            spec = parser_class(self, spec_class, child, self.nsmap).parse_node()
            spec.container = container
            self._nodes[spec.bpmn_id] = spec
            if isinstance(spec, activities.EventSubProcess):
                container.event_subprocesses.append(spec)
            if name in CONTAINERS:
                self._containers.append((child, spec))
            if isinstance(spec, events.StartEvent) and (container.start is None or (container.start.definitions and not spec.definitions)):
                container.start = spec

    def _find_own_data(self) -> None:
        """A data object inside a sub-process lives and dies with each run of it (BPMN 2.0 §10.4.1); only one that data associations
        use: others are documentation of variables."""
        for kind in ("dataInputAssociation", "dataOutputAssociation"):
            for association in self.node.iter(tag(kind)):
                for end in (association.find(tag("sourceRef")), association.find(tag("targetRef"))):
                    element = self.parser.data_element(end)
                    parent = None if element is None else element.getparent()
                    if parent is None or local(element) not in ("dataObject", "property") or local(parent) not in CONTAINERS:
                        continue
                    container, name = self._nodes.get(parent.get("id") or ""), self.parser.data_name(end)
                    if container is not None and name not in container.own_data:
                        container.own_data.append(name)

    def _reader_of(self, element) -> NodeReader:
        reader = NodeReader(self, FlowNode, element, self.nsmap)
        reader.reader = self.parser
        return reader


class Reader(BpmnParser):
    """SpiffWorkflow's parser with our spec classes, and a list of problems instead of the first exception."""

    OVERRIDE_PARSER_CLASSES = {tag(name): (NodeReader, spec_class) for name, spec_class in PARSERS.items()}
    PROCESS_PARSER_CLASS = ProcessReader

    def __init__(self, file: str, tree: etree._ElementTree) -> None:
        super().__init__()
        self.file = file
        self.problems: list[Problem] = []
        root = tree.getroot()
        self.language = root.get("expressionLanguage") or ""
        self.dialect = is_dialect(root)
        self.by_id: dict[str, Any] = {}
        for element in root.iter():
            id = element.get("id") if isinstance(element.tag, str) else None
            if id is None or not element.tag.startswith(f"{{{BPMN}}}"):
                continue
            if len(id) > MAX_ID:
                message = T("The id “%(id)s…” has more than %(limit)d characters. Give the element a shorter id.", id=id[:40], limit=MAX_ID)
                self.report(element.sourceline, id[:MAX_ID], "bpmn.long-id", message)
            if id in self.by_id:
                self.report(
                    element.sourceline,
                    id,
                    "bpmn.duplicate-id",
                    T("The id “%(id)s” is missing or used twice. Give each element an id of its own.", id=id),
                )
            self.by_id.setdefault(id, element)

    def report(self, line: int | None, element_id: str | None, rule: str, message: Words, severity: str = "error") -> None:
        self.problems.append(Problem(self.file, line, element_id, rule, message, severity))

    def is_foreign(self, element) -> bool:
        """Whether a standard expression element is written in a language other than ours."""
        language = element.get("language") or ("" if self.dialect else self.language or "http://www.w3.org/1999/XPath")
        return bool(language) and not is_feel(language)

    def is_store(self, element) -> bool:
        """Whether a reference of a data association means a data store."""
        target = self.by_id.get("" if element is None else (element.text or "").strip().rpartition(":")[2])
        return target is not None and local(target) in ("dataStore", "dataStoreReference")

    def data_element(self, element):
        """The data object, data store, data input or output that a reference of a data association means."""
        target = self.by_id.get("" if element is None else (element.text or "").strip().rpartition(":")[2])
        if target is None:
            return None
        of = target.get("dataObjectRef") or target.get("dataStoreRef")
        return self.by_id.get((of or "").rpartition(":")[2], target) if of else target

    def data_name(self, element) -> str | None:
        """The variable that such a reference means: its name when FEEL can use it, else its id."""
        target = self.data_element(element)
        if target is None:
            return (None if element is None else (element.text or "").strip().rpartition(":")[2]) or None
        name = target.get("name") or ""
        return name if SIMPLE_NAME.match(name) else target.get("id")

    def _add_data_stores(self, bpmn) -> None:
        """Data objects and stores are variables; SpiffWorkflow would refuse a file that names a store."""

    def _add_correlations(self, bpmn) -> None:
        """Correlation keys are the dialect's ``zeebe:subscription``; the standard's are documentation."""

    def _add_processes(self, bpmn, filename=None) -> None:
        for process in bpmn.getroot().findall(tag("process")):
            if not process.get("id") or process.get("id") in self.process_parsers:
                self.report(process.sourceline, process.get("id"), "bpmn.duplicate-id", T("A process has no id, or the id of another one."))
                continue
            self.create_parser(process, filename)
        for name, kind in GLOBAL_TASKS.items():
            for element in bpmn.getroot().findall(tag(name)):
                if element.get("id") and element.get("id") not in self.process_parsers:
                    self.create_parser(as_process(element, kind), filename)
        for parser in self.process_parsers.values():
            if parser.process_executable:
                parser.get_spec()

    def _add_messages(self, bpmn) -> None:
        """Messages, signals, errors and escalations are looked up by id where they are used."""

    _add_signals = _add_errors = _add_escalations = _add_collaborations = _add_messages


def as_process(element, kind: str):
    """A global task as an executable process with one task."""
    process = etree.SubElement(element.getparent(), tag("process"), {"id": element.get("id"), "isExecutable": "true"})
    process.sourceline = element.sourceline
    if element.get("name"):
        process.set("name", element.get("name"))
    task = copy.deepcopy(element)
    task.tag = tag(kind)
    process.append(task)
    element.getparent().remove(process)
    return process


__all__ = ["ZEEBE", "Model", "ProcessSpec", "read_bpmn"]
