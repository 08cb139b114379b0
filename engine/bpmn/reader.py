"""From BPMN XML to an executable model, on SpiffWorkflow's parser.

Our spec classes are registered through ``OVERRIDE_PARSER_CLASSES``.  SpiffWorkflow's own traversal follows the flows
recursively from the start event (a long model exceeds Python's recursion limit) and refuses much that the standard allows;
:class:`ProcessReader` replaces it by one pass over all elements of the file, which also finds the elements no flow leads to.
All problems are collected, each with the element's label and line.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from lxml import etree
from SpiffWorkflow.bpmn.parser.BpmnParser import BpmnParser
from SpiffWorkflow.bpmn.parser.ProcessParser import ProcessParser
from SpiffWorkflow.bpmn.parser.TaskParser import TaskParser
from SpiffWorkflow.bpmn.specs.bpmn_process_spec import BpmnProcessSpec
from SpiffWorkflow.specs import WorkflowSpec

from engine.bpmn import activities, events, gateways
from engine.bpmn.elements import EventDefinition, Flow, FlowNode, Mapping_
from engine.bpmn.expressions import ModelValue, UnreadableExpression, feel, value
from engine.bpmn.xml import BPMN, FEEL_LANGUAGES, ZEEBE, local, parse_xml, tag, zeebe
from engine.errors import Problem
from engine.words import T, Words

EVENT_KINDS = {
    "messageEventDefinition": "message",
    "timerEventDefinition": "timer",
    "signalEventDefinition": "signal",
    "errorEventDefinition": "error",
    "escalationEventDefinition": "escalation",
    "terminateEventDefinition": "terminate",
    "conditionalEventDefinition": "conditional",
    "linkEventDefinition": "link",
    "cancelEventDefinition": "cancel",
    "compensateEventDefinition": "compensate",
}

ALLOWED_EVENTS = {
    "startEvent": {"none", "message", "timer", "signal", "error", "escalation"},
    "endEvent": {"none", "message", "signal", "error", "escalation", "terminate"},
    "intermediateCatchEvent": {"message", "timer", "signal"},
    "intermediateThrowEvent": {"none", "message", "signal", "escalation"},
    "boundaryEvent": {"message", "timer", "signal", "error", "escalation"},
}
"""Event definitions this release executes, by position; others are refused at deployment, never ignored."""

MAX_ID = 255
"""Characters of an id, as the tables keep it."""

UNSUPPORTED_PARTS = ("standardLoopCharacteristics",)
UNSUPPORTED = ("complexGateway", "transaction", "adHocSubProcess")


class ProcessSpec(BpmnProcessSpec):
    """A process without SpiffWorkflow's artificial start and end tasks (their names collide with elements called Start or End)."""

    def __init__(self, name: str, description: str, filename: str | None) -> None:
        WorkflowSpec.__init__(self, name=name, filename=filename)
        self.description = description
        self.io_specification = None
        self.data_objects: dict[str, Any] = {}
        self.data_stores: dict[str, Any] = {}
        self.correlation_keys: dict[str, Any] = {}
        self.bpmn_start_events: list[Any] = []
        self.start = activities.ProcessScope(self, f"process:{name}", bpmn_name=description)
        self.start.bpmn_id = name
        self.start_events: list[events.StartEvent] = []
        self.executable = True


@dataclass
class Model:
    """One parsed file: its executable processes by id, and what was found wrong or doubtful."""

    file: str
    processes: dict[str, ProcessSpec] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    @property
    def errors(self) -> list[Problem]:
        return [problem for problem in self.problems if problem.severity == "error"]


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
    model = Model(file, problems=reader.problems)
    for process_id, parser in reader.process_parsers.items():
        if parser.process_executable:
            model.processes[process_id] = parser.get_spec()
    if not model.processes and not model.errors:
        message = T("The file %(file)s has no process marked executable. Tick “Executable” on the process in the modeler.", file=file)
        model.problems.append(Problem(file, tree.getroot().sourceline, None, "bpmn.not-executable", message))
    return model


class NodeReader(TaskParser):
    """Reads one flow node into a spec; flows are connected afterwards by :class:`ProcessReader`."""

    reader: Reader

    def parse_node(self) -> FlowNode:
        """Make the spec of this node with everything the dialect says about it."""
        self.reader = self.process_parser.parser
        spec = self.spec_class(
            self.spec, self.bpmn_id, lane=self.process_parser.get_lane_name(self.bpmn_id), bpmn_name=self.node.get("name")
        )
        spec.line = self.node.sourceline
        self._read_common(spec)
        self._refuse_unsupported(spec)
        reader = getattr(self, f"read_{local(self.node)}", None)
        if reader is not None:
            reader(spec)
        return spec

    # helpers ---------------------------------------------------------------------------------------------------------------

    def problem(self, rule: str, message: Words, severity: str = "error", node=None) -> None:
        node = self.node if node is None else node
        self.reader.report(node.sourceline, self.bpmn_id, rule, message, severity)

    def compiled(self, text: str | None, *, always_feel: bool = False) -> ModelValue | None:
        """Static text or FEEL; what does not parse is reported and stands as a constant null."""
        if text is None:
            return None
        try:
            return feel(text) if always_feel else value(text)
        except UnreadableExpression as error:
            label = self.node.get("name") or self.bpmn_id
            self.problem("feel.syntax", T("“%(label)s”: %(reason)s", label=label, reason=error.message))
            return feel("null")

    def extension(self, name: str):
        return self.node.find(f"{tag('extensionElements')}/{zeebe(name)}")

    def standard(self, element) -> ModelValue | None:
        """A standard expression element: FEEL with ``=``, or without when the file's language is FEEL, else plain text."""
        text = element.text or ""
        language = element.get("language") or self.reader.language
        return self.compiled(text, always_feel=language in FEEL_LANGUAGES)

    # everything a node may have ----------------------------------------------------------------------------------------------

    def _read_common(self, spec: FlowNode) -> None:
        properties = self.extension("properties")
        if properties is not None:
            for item in properties.iter(zeebe("property")):
                spec.properties[item.get("name", "")] = self.compiled(item.get("value", ""))
        mapping = self.extension("ioMapping")
        if mapping is not None:
            for kind, target in (("input", spec.inputs_), ("output", spec.outputs_)):
                for item in mapping.iter(zeebe(kind)):
                    if not item.get("target"):
                        self.problem(
                            "zeebe.mapping", T("An %(kind)s mapping of “%(label)s” has no target variable.", kind=kind, label=spec.label)
                        )
                        continue
                    target.append(Mapping_(self.compiled(item.get("source", "=null")), item.get("target")))

    def _refuse_unsupported(self, spec: FlowNode) -> None:
        """What this release does not execute is refused, never ignored: a silently dropped loop would be a wrong procedure."""
        found = [kind for kind in UNSUPPORTED_PARTS if self.node.find(tag(kind)) is not None]
        found += [f"{name}={self.node.get(name)}" for name in ("startQuantity", "completionQuantity") if self.node.get(name, "1") != "1"]
        if self.node.get("instantiate") == "true":
            found.append("instantiate=true")
        loop = self.node.find(tag("multiInstanceLoopCharacteristics"))
        if loop is not None and loop.get("behavior", "All") != "All":
            found.append(f"behavior={loop.get('behavior')}")
        for kind in found:
            self.problem(
                "bpmn.unsupported", T("“%(label)s” is a %(kind)s, which this release does not execute.", label=spec.label, kind=kind)
            )

    def _read_job(self, spec) -> None:
        definition = self.extension("taskDefinition")
        if definition is not None:
            spec.job_type = self.compiled(definition.get("type"))
            spec.retries = self.compiled(definition.get("retries"))
        headers = self.extension("taskHeaders")
        if headers is not None:
            spec.headers = {item.get("key", ""): item.get("value", "") for item in headers.iter(zeebe("header"))}

    # by tag ------------------------------------------------------------------------------------------------------------------

    def read_userTask(self, spec: activities.UserTask) -> None:
        assignment = self.extension("assignmentDefinition")
        if assignment is not None:
            spec.assignee = self.compiled(assignment.get("assignee"))
            spec.candidate_groups = self.compiled(assignment.get("candidateGroups"))
            spec.candidate_users = self.compiled(assignment.get("candidateUsers"))
        schedule = self.extension("taskSchedule")
        if schedule is not None:
            spec.due = self.compiled(schedule.get("dueDate"))
            spec.follow_up = self.compiled(schedule.get("followUpDate"))
        priority = self.extension("priorityDefinition")
        if priority is not None:
            spec.priority = self.compiled(priority.get("priority"))
        form = self.extension("formDefinition")
        if form is not None:
            spec.form_id = self.compiled(form.get("formId"))

    def read_serviceTask(self, spec) -> None:
        self._read_job(spec)

    def read_sendTask(self, spec) -> None:
        self._read_job(spec)
        if self.node.get("messageRef"):
            spec.definition = self._message(self.node.get("messageRef"), self.node)

    def read_receiveTask(self, spec) -> None:
        spec.definition = self._message(self.node.get("messageRef"), self.node)

    def read_scriptTask(self, spec) -> None:
        self._read_job(spec)
        script = self.extension("script")
        if script is not None:
            spec.expression = self.compiled(script.get("expression"), always_feel=True)
            spec.result_variable = script.get("resultVariable")
            return
        standard = self.node.find(tag("script"))
        if standard is not None and spec.job_type is None:
            spec.script = self.compiled(standard.text or "{}", always_feel=True)

    def read_businessRuleTask(self, spec) -> None:
        self._read_job(spec)
        called = self.extension("calledDecision")
        if called is not None:
            spec.decision_id = self.compiled(called.get("decisionId"))
            spec.result_variable = called.get("resultVariable")
            if not called.get("decisionId"):
                self.problem("zeebe.decision", T("“%(label)s” names no decision. Set the decision id.", label=spec.label))

    def read_callActivity(self, spec) -> None:
        called = self.extension("calledElement")
        target = self.node.get("calledElement") if called is None else called.get("processId")
        if not target:
            self.problem("zeebe.called-element", T("Call activity “%(label)s” names no process. Set the process id.", label=spec.label))
            target = "-"
        spec.called = self.compiled(target)
        if called is not None:
            spec.propagate_parent = called.get("propagateAllParentVariables", "true") == "true"
            spec.propagate_child = called.get("propagateAllChildVariables", "true") == "true"

    def read_startEvent(self, spec) -> None:
        spec.interrupting = self.node.get("isInterrupting", "true") == "true"
        self._read_event(spec)

    def read_endEvent(self, spec) -> None:
        self._read_event(spec)

    def read_intermediateCatchEvent(self, spec) -> None:
        self._read_event(spec)

    def read_intermediateThrowEvent(self, spec) -> None:
        self._read_event(spec)

    def read_boundaryEvent(self, spec) -> None:
        spec.interrupting = self.node.get("cancelActivity", "true") == "true"
        self._read_event(spec)

    def _read_event(self, spec) -> None:
        found = [child for child in self.node if local(child) in EVENT_KINDS]
        for reference in self.node.findall(tag("eventDefinitionRef")):
            target = self.reader.by_id.get((reference.text or "").rpartition(":")[2])
            if target is None or local(target) not in EVENT_KINDS:
                self.problem("bpmn.reference", T("“%(label)s” refers to an event definition that does not exist.", label=spec.label))
            else:
                found.append(target)
        position = local(self.node)
        if len(found) > 1:
            self.problem(
                "bpmn.unsupported",
                T(
                    "“%(label)s” has several event definitions; this release executes events with one. Split it into several events.",
                    label=spec.label,
                ),
            )
            return
        kind = EVENT_KINDS[local(found[0])] if found else "none"
        if kind not in ALLOWED_EVENTS[position]:
            self.problem(
                "bpmn.unsupported",
                T(
                    "“%(label)s” is a %(position)s of kind “%(kind)s”, which this release does not execute.",
                    label=spec.label,
                    position=position,
                    kind=kind,
                ),
            )
            return
        spec.definition = self._definition(found[0], kind) if found else EventDefinition()
        if isinstance(spec, events.EndEvent | events.ThrowEvent):
            spec.definition.job_type = None

    def _definition(self, element, kind: str) -> EventDefinition:
        if kind == "message":
            return self._message(element.get("messageRef"), element)
        if kind == "timer":
            return self._timer(element)
        if kind == "signal":
            signal = self._reference(element, "signalRef", "signal")
            name = None if signal is None else signal.get("name") or signal.get("id")
            return EventDefinition("signal", name=self.compiled(name or "-"))
        if kind in ("error", "escalation"):
            attribute = f"{kind}Ref"
            if not element.get(attribute):
                return EventDefinition(kind)
            target = self._reference(element, attribute, kind)
            code = None if target is None else target.get(f"{kind}Code") or target.get("name") or target.get("id")
            return EventDefinition(kind, code=self.compiled(code))
        return EventDefinition(kind)

    def _reference(self, element, attribute: str, wanted: str):
        """The root element a reference names; a dead or mistyped one is reported."""
        reference = (element.get(attribute) or "").rpartition(":")[2]
        target = self.reader.by_id.get(reference)
        if target is None or local(target) != wanted:
            self.problem(
                "bpmn.reference",
                T(
                    "“%(label)s” refers to the %(wanted)s “%(reference)s”, which does not exist in the file.",
                    label=self.node.get("name") or self.bpmn_id,
                    wanted=wanted,
                    reference=reference or "–",
                ),
                node=element,
            )
            return None
        return target

    def _message(self, reference: str | None, element) -> EventDefinition:
        message = self._reference(element, "messageRef", "message") if reference else None
        if message is None:
            if not reference:
                label = self.node.get("name") or self.bpmn_id
                self.problem("bpmn.message", T("“%(label)s” names no message. Choose or create one.", label=label))
            return EventDefinition("message", name=ModelValue("-"))
        subscription = message.find(f"{tag('extensionElements')}/{zeebe('subscription')}")
        key = None if subscription is None else self.compiled(subscription.get("correlationKey"))
        return EventDefinition("message", name=self.compiled(message.get("name") or message.get("id")), correlation_key=key)

    def _timer(self, element) -> EventDefinition:
        for child in element:
            if local(child) in ("timeDate", "timeDuration", "timeCycle"):
                text = (child.text or "").strip()
                literal = not text.startswith("=")
                compiled = ModelValue(text) if literal else self.compiled(text)
                if literal and not self.reader.timer_readable(local(child), text):
                    self.problem(
                        "bpmn.timer",
                        T(
                            "The timer of “%(label)s” reads “%(text)s”; write an ISO 8601 text such as PT2H, R3/PT5M or 2026-12-31T09:00:00+08:00, or FEEL after “=”.",
                            label=self.node.get("name") or self.bpmn_id,
                            text=text,
                        ),
                        node=child,
                    )
                return EventDefinition("timer", timer_type=local(child)[4:].lower(), timer=compiled)
        self.problem("bpmn.timer", T("The timer of “%(label)s” says no time.", label=self.node.get("name") or self.bpmn_id))
        return EventDefinition("timer", timer_type="duration", timer=ModelValue("PT0S"))


PARSERS: dict[str, type[FlowNode]] = {
    "startEvent": events.StartEvent,
    "endEvent": events.EndEvent,
    "intermediateCatchEvent": events.CatchEvent,
    "intermediateThrowEvent": events.ThrowEvent,
    "boundaryEvent": events.BoundaryEvent,
    "task": activities.PlainTask,
    "manualTask": activities.ManualTask,
    "userTask": activities.UserTask,
    "serviceTask": activities.ServiceTask,
    "sendTask": activities.SendTask,
    "receiveTask": activities.ReceiveTask,
    "scriptTask": activities.ScriptTask,
    "businessRuleTask": activities.BusinessRuleTask,
    "callActivity": activities.CallActivity,
    "subProcess": activities.SubProcess,
    "exclusiveGateway": gateways.ExclusiveGateway,
    "parallelGateway": gateways.ParallelGateway,
    "inclusiveGateway": gateways.InclusiveGateway,
    "eventBasedGateway": gateways.EventBasedGateway,
}


class ProcessReader(ProcessParser):
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
        self._attach_boundaries()
        self._mark_multi_instance()
        self.spec.start_events = [
            node for node in self._nodes.values() if isinstance(node, events.StartEvent) and node.container is self.spec.start
        ]

    def _read_process_properties(self) -> None:
        reader = NodeReader(self, FlowNode, self.node, self.nsmap)
        reader.reader = self.parser
        reader._read_common(self.spec.start)

    def _read_container(self, element, container: FlowNode) -> None:
        for child in element:
            name = local(child)
            if name in UNSUPPORTED:
                self.parser.report(
                    child.sourceline,
                    child.get("id"),
                    "bpmn.unsupported",
                    T(
                        "“%(label)s” is a %(kind)s, which this release does not execute.",
                        label=child.get("name") or child.get("id"),
                        kind=name,
                    ),
                )
                continue
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
            if name == "subProcess":
                self._containers.append((child, spec))
            if isinstance(spec, events.StartEvent) and (container.start is None or spec.definition.kind == "none"):
                container.start = spec

    def _connect(self) -> None:
        for element in self.node.iter(tag("sequenceFlow")):
            source, target = (self._nodes.get(element.get(end) or "") for end in ("sourceRef", "targetRef"))
            if source is None or target is None:
                missing = element.get("sourceRef") if source is None else element.get("targetRef")
                if missing in self.parser.by_id and local(self.parser.by_id[missing]) in UNSUPPORTED:
                    continue
                self.parser.report(
                    element.sourceline,
                    element.get("id"),
                    "bpmn.reference",
                    T(
                        "The flow “%(label)s” leads to or from “%(missing)s”, which does not exist.",
                        label=element.get("name") or element.get("id") or "",
                        missing=missing or "–",
                    ),
                )
                continue
            if source.container is not target.container:
                self.parser.report(
                    element.sourceline,
                    element.get("id"),
                    "bpmn.flow-crosses-border",
                    T(
                        "The flow from “%(source)s” to “%(target)s” crosses the border of a sub-process. Use an event on the border.",
                        source=source.label,
                        target=target.label,
                    ),
                )
            condition = element.find(tag("conditionExpression"))
            compiled = None
            if condition is not None and (condition.text or "").strip():
                reader = NodeReader(self, FlowNode, element, self.nsmap)
                reader.reader = self.parser
                compiled = reader.compiled(condition.text, always_feel=True)
            flow = Flow(element.get("id") or f"{source.name}->{target.name}", element.get("name"), source, target, compiled)
            source.flows_out.append(flow)
            target.flows_in.append(flow)
        for node in self._nodes.values():
            default = self.parser.by_id[node.bpmn_id].get("default")
            if default:
                node.default = next((flow for flow in node.flows_out if flow.id == default), None)
                if node.default is None:
                    self.parser.report(
                        node.line,
                        node.bpmn_id,
                        "bpmn.reference",
                        T("The default flow “%(flow)s” of “%(label)s” does not leave it.", flow=default, label=node.label),
                    )

    def _attach_boundaries(self) -> None:
        for node in self._nodes.values():
            if not isinstance(node, events.BoundaryEvent):
                continue
            host = self._nodes.get(self.parser.by_id[node.bpmn_id].get("attachedToRef") or "")
            if host is None or not isinstance(host, activities.Activity):
                self.parser.report(
                    node.line,
                    node.bpmn_id,
                    "bpmn.reference",
                    T("Boundary event “%(label)s” stands on no activity. Drag it onto one.", label=node.label),
                )
                continue
            node.attached_to = host
            host.boundaries.append(node)

    def _mark_multi_instance(self) -> None:
        for node in list(self._nodes.values()):
            element = self.parser.by_id[node.bpmn_id].find(tag("multiInstanceLoopCharacteristics"))
            if element is None:
                continue
            loop = self._loop(node, element)
            if loop is None:
                continue
            del self.spec.task_specs[node.name]
            body = activities.MultiInstance(self.spec, node.bpmn_id, node, loop, lane=node.lane, bpmn_name=node.bpmn_name)
            node.name = f"{node.bpmn_id}[]"
            self.spec.task_specs[node.name] = node
            for name in ("flows_in", "flows_out", "default", "boundaries", "container", "line"):
                setattr(body, name, getattr(node, name))
            node.flows_in, node.flows_out, node.default, node.boundaries = [], [], None, []
            for flow in body.flows_in:
                flow.target = body
            for flow in body.flows_out:
                flow.source = body
            for event in body.boundaries:
                event.attached_to = body

    def _loop(self, node: FlowNode, element) -> activities.Loop | None:
        reader = NodeReader(self, FlowNode, self.parser.by_id[node.bpmn_id], self.nsmap)
        reader.reader = self.parser
        dialect = element.find(f"{tag('extensionElements')}/{zeebe('loopCharacteristics')}")
        cardinality = element.find(tag("loopCardinality"))
        condition = element.find(tag("completionCondition"))
        items = None if dialect is None else reader.compiled(dialect.get("inputCollection"))
        if items is None and cardinality is None:
            reader.problem(
                "bpmn.multi-instance",
                T("“%(label)s” repeats, but over nothing. Set an input collection.", label=node.label),
                node=element,
            )
            return None
        return activities.Loop(
            sequential=element.get("isSequential") == "true",
            items=items,
            cardinality=None if cardinality is None else reader.compiled(cardinality.text or "", always_feel=True),
            input_element=None if dialect is None else dialect.get("inputElement"),
            output_collection=None if dialect is None else dialect.get("outputCollection"),
            output_element=None
            if dialect is None
            else reader.compiled(dialect.get("outputElement"), always_feel=dialect.get("outputElement") is not None),
            condition=None if condition is None else reader.compiled(condition.text or "", always_feel=True),
        )


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

    def timer_readable(self, kind: str, text: str) -> bool:
        from engine.bpmn.timers import readable

        return readable(kind, text)

    def _add_data_stores(self, bpmn) -> None:
        """Data stores are documentation in the dialect; SpiffWorkflow would refuse a file that names one."""

    def _add_correlations(self, bpmn) -> None:
        """Correlation keys are the dialect's ``zeebe:subscription``; the standard's are documentation."""

    def _add_processes(self, bpmn, filename=None) -> None:
        for process in bpmn.getroot().findall(tag("process")):
            if not process.get("id") or process.get("id") in self.process_parsers:
                self.report(process.sourceline, process.get("id"), "bpmn.duplicate-id", T("A process has no id, or the id of another one."))
                continue
            self.create_parser(process, filename)
        for parser in self.process_parsers.values():
            if parser.process_executable:
                parser.get_spec()

    def _add_messages(self, bpmn) -> None:
        """Messages, signals, errors and escalations are looked up by id where they are used."""

    _add_signals = _add_errors = _add_escalations = _add_collaborations = _add_messages


__all__ = ["ZEEBE", "Model", "ProcessSpec", "read_bpmn"]
