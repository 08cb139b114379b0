"""Reading the markers of activities that run several times (BPMN 2.0 tables 10.26–10.31, the dialect's loop characteristics)."""

from __future__ import annotations

from typing import Any

from engine.bpmn import activities, repeating
from engine.bpmn.elements import EventDefinition, FlowNode
from engine.bpmn.expressions import ModelValue, feel, variable
from engine.bpmn.kinds import EVENT_KINDS
from engine.bpmn.nodereading import NodeReader, unreadable
from engine.bpmn.xml import local, tag, zeebe
from engine.words import T


class LoopReading:
    """The part of a process' reader that puts bodies around repeated activities."""

    def _mark_repeating(self) -> None:
        """Put a body around each activity with a loop or multi-instance marker; flows and boundary events belong to the body."""
        for node in list(self._nodes.values()):
            element = self.parser.by_id[node.bpmn_id]
            several, again = element.find(tag("multiInstanceLoopCharacteristics")), element.find(tag("standardLoopCharacteristics"))
            if not isinstance(node, activities.Activity) or (several is None and again is None):
                continue
            del self.spec.task_specs[node.name]
            common = {"lane": node.lane, "bpmn_name": node.bpmn_name}
            body: repeating.Body | None
            if several is not None:
                loop = self._loop(node, several)
                body = None if loop is None else repeating.MultiInstance(self.spec, node.bpmn_id, node, loop, **common)
            else:
                body = self._standard_loop(node, again, common)
            if body is None:
                self.spec.task_specs[node.name] = node
                continue
            node.name = f"{node.bpmn_id}[]"
            self.spec.task_specs[node.name] = node
            moved = ("flows_in", "flows_out", "default", "boundaries", "container", "line", "compensation_handler")
            for name in (*moved, "start_quantity", "completion_quantity", "for_compensation"):
                setattr(body, name, getattr(node, name))
            node.flows_in, node.flows_out, node.default, node.boundaries, node.compensation_handler = [], [], None, [], None
            node.start_quantity = node.completion_quantity = 1
            for flow in body.flows_in:
                flow.target = body
            for flow in body.flows_out:
                flow.source = body
            for event in body.boundaries:
                event.attached_to = body
            for other in (*self._nodes.values(), *self.spec.task_specs.values()):
                if other.compensation_handler is node:
                    other.compensation_handler = body

    def _standard_loop(self, node: FlowNode, element, common: dict[str, Any]) -> repeating.StandardLoop | None:
        reader = self._reader_of(self.parser.by_id[node.bpmn_id])
        condition, maximum = reader.expression(element.find(tag("loopCondition"))), element.get("loopMaximum")
        if maximum is not None and not (maximum.strip().isdigit() and int(maximum) >= 1):
            reader.problem(
                "bpmn.loop",
                T("“%(label)s” is to loop at most %(maximum)s times; a whole number from 1 is needed.", label=node.label, maximum=maximum),
                node=element,
            )
            return None
        if condition is None and maximum is None:
            reader.problem(
                "bpmn.loop",
                T("“%(label)s” loops without end: give it a loop condition or a maximum.", label=node.label),
                reader.severity,
                element,
            )
        return repeating.StandardLoop(
            self.spec,
            node.bpmn_id,
            node,
            element.get("testBefore") == "true",
            None if maximum is None else int(maximum),
            condition,
            **common,
        )

    def _loop(self, node: FlowNode, element) -> repeating.Loop | None:
        reader = self._reader_of(self.parser.by_id[node.bpmn_id])
        dialect = element.find(f"{tag('extensionElements')}/{zeebe('loopCharacteristics')}")
        cardinality = reader.expression(element.find(tag("loopCardinality")))
        items, names = None, {}
        if dialect is not None:
            items, names = reader.compiled(dialect.get("inputCollection")), dict(dialect.attrib)
        elif element.find(tag("loopDataInputRef")) is not None:
            items, names = self._standard_items(element)
        if items is None and cardinality is None:
            reader.problem(
                "bpmn.multi-instance",
                T("“%(label)s” repeats, but over nothing. Set an input collection.", label=node.label),
                reader.severity,
                element,
            )
            if self.parser.dialect:
                return None
            items = unreadable("–")
        output = names.get("outputElement")
        behaviour = element.get("behavior", "All")
        return repeating.Loop(
            sequential=element.get("isSequential") == "true",
            items=items,
            cardinality=cardinality,
            input_element=names.get("inputElement"),
            output_collection=names.get("outputCollection"),
            output_element=None if output is None else reader.compiled(output, always_feel=True),
            condition=reader.expression(element.find(tag("completionCondition"))),
            behaviour=behaviour,
            thrown=self._behaviour_events(reader, node, element, behaviour),
        )

    def _standard_items(self, element) -> tuple[ModelValue | None, dict[str, str]]:
        """The standard's own way to name collection and item: ``loopDataInputRef`` and ``inputDataItem`` (BPMN 2.0 table 10.29)."""
        names: dict[str, str] = {}
        for part, key in (("inputDataItem", "inputElement"), ("outputDataItem", "outputElement")):
            item = element.find(tag(part))
            if item is not None:
                names[key] = item.get("name") or item.get("id") or part
        output = self.parser.data_name(element.find(tag("loopDataOutputRef")))
        if output:
            names["outputCollection"] = output
        source = self.parser.data_name(element.find(tag("loopDataInputRef")))
        return (ModelValue(source, variable(source)) if source else None), names

    def _behaviour_events(self, reader: NodeReader, node: FlowNode, element, behaviour: str) -> list[Any]:
        """What a multi-instance activity throws when an instance completes (BPMN 2.0 table 10.29)."""

        def definitions(reference: str | None, at) -> list[EventDefinition]:
            target = self.parser.by_id.get((reference or "").rpartition(":")[2])
            if target is None or local(target) not in EVENT_KINDS:
                reader.problem(
                    "bpmn.reference",
                    T("“%(label)s” throws an event definition that does not exist.", label=node.label),
                    "error" if reference or self.parser.dialect else "warning",
                    at,
                )
                return []
            return [reader._definition(target, EVENT_KINDS[local(target)])]

        if behaviour in ("None", "One"):
            return [(None, definitions(element.get(f"{behaviour.lower()}BehaviorEventRef"), element))]
        thrown = []
        if behaviour == "Complex":
            for part in element.findall(tag("complexBehaviorDefinition")):
                event = part.find(tag("event"))
                found = [] if event is None else [child for child in event if local(child) in EVENT_KINDS]
                its = [reader._definition(child, EVENT_KINDS[local(child)]) for child in found]
                for reference in [] if event is None else event.findall(tag("eventDefinitionRef")):
                    its += definitions(reference.text, part)
                thrown.append((reader.expression(part.find(tag("condition"))) or feel("false"), its))
        return thrown
