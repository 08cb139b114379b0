"""Reading one flow node: everything the standard and the dialect say about it, by tag."""

from __future__ import annotations

from typing import TYPE_CHECKING

from SpiffWorkflow.bpmn.parser.TaskParser import TaskParser

from engine.bpmn import activities, gateways
from engine.bpmn.elements import DataAssociation, FlowNode, Mapping_
from engine.bpmn.eventreading import EventReading
from engine.bpmn.expressions import ForeignExpression, ModelValue, UnreadableExpression, feel, value
from engine.bpmn.kinds import MAX_QUANTITY, UNSUPPORTED_EXTENSIONS
from engine.bpmn.xml import local, tag, zeebe
from engine.words import T, Words

if TYPE_CHECKING:
    from engine.bpmn.reader import Reader


class NodeReader(EventReading, TaskParser):
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
        if isinstance(spec, activities.Activity):
            spec.for_compensation = self.node.get("isForCompensation") == "true"
            self._read_quantities(spec)
        reader = getattr(self, f"read_{local(self.node)}", None)
        if reader is not None:
            reader(spec)
        return spec

    @property
    def label(self) -> str:
        return self.node.get("name") or self.bpmn_id

    @property
    def severity(self) -> str:
        """Of what the standard allows in a model but nobody can execute: strict in our dialect, tolerant to foreign files."""
        return "error" if self.reader.dialect else "warning"

    # helpers ---------------------------------------------------------------------------------------------------------------

    def problem(self, rule: str, message: Words, severity: str = "error", node=None) -> None:
        node = self.node if node is None else node
        self.reader.report(node.sourceline, self.bpmn_id, rule, message, severity)

    def compiled(self, text: str | None, *, always_feel: bool = False, element=None) -> ModelValue | None:
        """Static text or FEEL; what does not parse is reported and stands as a constant null.

        With ``element``, a standard expression element: in a file of another language, text without ``=`` that is no FEEL is only
        doubtful; it becomes an incident should it ever be reached.
        """
        if text is None:
            return None
        try:
            return feel(text) if always_feel else value(text)
        except UnreadableExpression as error:
            label = self.node.get("name") or self.bpmn_id
            if element is not None and self.reader.is_foreign(element) and not text.lstrip().startswith("="):
                self.problem(
                    "feel.foreign",
                    T("“%(label)s” has an expression that is no FEEL; a case that reaches it stops there. Write it in FEEL.", label=label),
                    "warning",
                    element,
                )
                return unreadable(text)
            self.problem("feel.syntax", T("“%(label)s”: %(reason)s", label=label, reason=error.message), node=element)
            return feel("null")

    def expression(self, element) -> ModelValue | None:
        """A standard expression element (``tExpression``), always FEEL; ``None`` when it is missing or empty."""
        if element is None or not (element.text or "").strip():
            return None
        return self.compiled(element.text, always_feel=True, element=element)

    def extension(self, name: str):
        return self.node.find(f"{tag('extensionElements')}/{zeebe(name)}")

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

        for name, kind in UNSUPPORTED_EXTENSIONS.items():
            if self.extension(name) is not None:
                self.problem(
                    "zeebe.unsupported",
                    T("“%(label)s” has a %(kind)s, which this release does not execute. Remove it.", label=spec.label, kind=kind),
                )
        self._read_data_associations(spec)

    def _read_quantities(self, spec: activities.Activity) -> None:
        """Numbers of tokens needed and sent (BPMN 2.0 table 10.3)."""
        for attribute, target in (("startQuantity", "start_quantity"), ("completionQuantity", "completion_quantity")):
            text = self.node.get(attribute, "1")
            if not text.strip().isdigit() or int(text) < 1 or int(text) > MAX_QUANTITY:
                self.problem(
                    "bpmn.quantity",
                    T(
                        "The %(attribute)s of “%(label)s” is %(text)s; a whole number from 1 to %(limit)d is needed.",
                        attribute=attribute,
                        label=spec.label,
                        text=text,
                        limit=MAX_QUANTITY,
                    ),
                )
            else:
                setattr(spec, target, int(text))

    def _read_data_associations(self, spec: FlowNode) -> None:
        for kind, target in (("dataInputAssociation", spec.data_inputs), ("dataOutputAssociation", spec.data_outputs)):
            for element in self.node.findall(tag(kind)):
                source, goal = element.find(tag("sourceRef")), element.find(tag("targetRef"))
                transformation = self.expression(element.find(tag("transformation")))
                assignments = []
                for assignment in element.findall(tag("assignment")):
                    given, path = self.expression(assignment.find(tag("from"))), assignment.find(tag("to"))
                    if given is not None and path is not None and (path.text or "").strip():
                        assignments.append((given, path.text.strip().removeprefix("=").strip()))
                names = [self.reader.data_name(item) for item in (source, goal)]
                stores = [self.reader.is_store(item) for item in (source, goal)]
                target.append(DataAssociation(names[0], names[1], transformation, tuple(assignments), *stores))

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
            if form.get("bindingType", "latest") != "latest":
                self.problem(
                    "zeebe.unsupported",
                    T(
                        "“%(label)s” binds its form to a fixed version; forms are always taken in their latest. Choose “latest”.",
                        label=spec.label,
                    ),
                )

    def read_serviceTask(self, spec) -> None:
        self._read_job(spec)

    def read_sendTask(self, spec) -> None:
        self._read_job(spec)
        if self.node.get("messageRef"):
            spec.definition = self._message(self.node.get("messageRef"), self.node)

    def read_receiveTask(self, spec) -> None:
        spec.definitions = [self._message(self.node.get("messageRef"), self.node)]
        spec.instantiate = self.node.get("instantiate") == "true"

    def read_complexGateway(self, spec: gateways.ComplexGateway) -> None:
        spec.activation = self.expression(self.node.find(tag("activationCondition")))

    def read_eventBasedGateway(self, spec: gateways.EventBasedGateway) -> None:
        spec.instantiate = self.node.get("instantiate") == "true"
        spec.parallel = self.node.get("eventGatewayType") == "Parallel"

    def read_adHocSubProcess(self, spec: activities.AdHocSubProcess) -> None:
        spec.sequential = self.node.get("ordering") == "Sequential"
        spec.condition = self.expression(self.node.find(tag("completionCondition")))
        spec.cancel_remaining = self.node.get("cancelRemainingInstances", "true") == "true"
        dialect = self.extension("adHoc")
        if dialect is not None:
            spec.active = self.compiled(dialect.get("activeElementsCollection"))

    def read_scriptTask(self, spec) -> None:
        self._read_job(spec)
        script = self.extension("script")
        if script is not None:
            spec.expression = self.compiled(script.get("expression"), always_feel=True)
            spec.result_variable = script.get("resultVariable")
            self._check_result(spec)
            return
        standard = self.node.find(tag("script"))
        if standard is not None and spec.job_type is None:
            # Without a format the script is in the language of the file (BPMN 2.0 table 10.15); a foreign one is reported and fails at run time.
            spec.script = self.compiled(standard.text or "{}", always_feel=True, element=standard)

    def read_businessRuleTask(self, spec) -> None:
        self._read_job(spec)
        called = self.extension("calledDecision")
        if called is not None:
            spec.decision_id = self.compiled(called.get("decisionId"))
            self._read_binding(spec, called)
            spec.result_variable = called.get("resultVariable")
            if not called.get("decisionId"):
                self.problem("zeebe.decision", T("“%(label)s” names no decision. Set the decision id.", label=spec.label))
            self._check_result(spec)

    def _check_result(self, spec: activities.BusinessRuleTask | activities.ScriptTask) -> None:
        """A result that nobody keeps.

        A warning, for the step runs and does no harm: the decision is taken and stands in the case's trail, but no variable gets it,
        so nothing after the step can follow it.  Output mappings without a name for the result see nothing of it either.
        """
        name = spec.result_variable
        if not name:
            message = T("Nobody keeps the result of “%(label)s”: no step after it can use what it gives. Name a result variable.", label=spec.label)
            self.problem("zeebe.no-result", message, "warning")
            return
        loop = self.node.find(f".//{zeebe('loopCharacteristics')}")
        collected = loop is not None and name in (loop.get("outputElement") or "")
        taken = any(mapping.source.expression is not None and name in mapping.source.expression.names for mapping in spec.outputs_)
        if spec.outputs_ and not taken and not collected:
            message = T(
                "The result “%(name)s” of “%(label)s” stays inside the step, for its output mappings do not take it. "
                "Add an output mapping for it, or remove the others.",
                name=name, label=spec.label,
            )  # fmt: skip
            self.problem("zeebe.no-result", message, "warning")

    def read_callActivity(self, spec) -> None:
        called = self.extension("calledElement")
        target = self.node.get("calledElement") if called is None else called.get("processId")
        if not target:
            self.problem("zeebe.called-element", T("Call activity “%(label)s” names no process. Set the process id.", label=spec.label))
            target = "-"
        spec.called = self.compiled(target)
        if called is not None:
            self._read_binding(spec, called)
            spec.propagate_parent = called.get("propagateAllParentVariables", "true") == "true"
            spec.propagate_child = called.get("propagateAllChildVariables", "true") == "true"

    def _read_binding(self, spec, called) -> None:
        spec.binding, spec.version_tag = called.get("bindingType", "latest"), called.get("versionTag")
        if spec.binding not in ("latest", "deployment", "versionTag") or (spec.binding == "versionTag" and not spec.version_tag):
            self.problem(
                "zeebe.binding", T("“%(label)s” says no version it is bound to: latest, deployment, or a version tag.", label=spec.label)
            )

    def read_startEvent(self, spec) -> None:
        spec.interrupting = self.node.get("isInterrupting", "true") == "true"
        self._read_event(spec)

    def read_endEvent(self, spec) -> None:
        self._read_job(spec)
        self._read_event(spec)

    def read_intermediateCatchEvent(self, spec) -> None:
        self._read_event(spec)

    def read_intermediateThrowEvent(self, spec) -> None:
        self._read_job(spec)
        self._read_event(spec)

    def read_boundaryEvent(self, spec) -> None:
        spec.interrupting = self.node.get("cancelActivity", "true") == "true"
        self._read_event(spec)


def unreadable(text: str) -> ModelValue:
    """An expression in a language that is not executed here; evaluating it stops the element with an incident."""
    return ForeignExpression(text.strip())
