"""Connecting the nodes of a process: flows, links, boundary events, compensation, and where everything begins."""

from __future__ import annotations

from typing import Any

from engine.bpmn import activities, events, gateways, repeating
from engine.bpmn.elements import Flow, FlowNode
from engine.bpmn.xml import tag
from engine.words import T


class Wiring:
    """The part of a process' reader that connects what was read."""

    def _connect(self) -> None:
        for element in self.node.iter(tag("sequenceFlow")):
            source, target = (self._nodes.get(element.get(end) or "") for end in ("sourceRef", "targetRef"))
            if source is None or target is None:
                missing = element.get("sourceRef") if source is None else element.get("targetRef")
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
            compiled = self._reader_of(element).expression(element.find(tag("conditionExpression")))
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

    def _connect_links(self) -> None:
        """A link leads from its throwing events to the catching event of the same name at the same level (BPMN 2.0 §10.5.5)."""
        targets: dict[tuple[Any, str], FlowNode] = {}
        links = [node for node in self._nodes.values() if getattr(node, "definition", None) and node.definition.kind == "link"]
        for node in links:
            if isinstance(node, events.CatchEvent):
                targets.setdefault((node.container, node.definition.name.text), node)
        for node in links:
            if not isinstance(node, events.ThrowEvent):
                continue
            target = self._named_link(node) or targets.get((node.container, node.definition.name.text))
            if target is None:
                self.parser.report(
                    node.line,
                    node.bpmn_id,
                    "bpmn.link",
                    T(
                        "Link “%(label)s” leads nowhere: no catching link event named “%(name)s” stands at the same level.",
                        label=node.label,
                        name=node.definition.name.text,
                    ),
                )
                continue
            flow = Flow(f"link:{node.name}", None, node, target, None)
            node.flows_out.append(flow)
            target.flows_in.append(flow)

    def _named_link(self, node: FlowNode) -> FlowNode | None:
        """The catching link event that a throwing one names by its ``target``, as standard files do, whatever they are called."""
        name = self.parser.by_id[node.bpmn_id].findtext(f"{tag('linkEventDefinition')}/{tag('target')}") or ""
        definition = self.parser.by_id.get(name.strip().rpartition(":")[2])
        target = None if definition is None else self._nodes.get(definition.getparent().get("id"))
        return target if isinstance(target, events.CatchEvent) and target.container is node.container else None

    def _find_compensation_handlers(self) -> None:
        """An association leads from a compensation boundary event to the activity that undoes (BPMN 2.0 §10.7.1)."""
        targets: dict[str, list[str]] = {}
        for element in self.node.iter(tag("association")):
            ends = [(element.get(end) or "").rpartition(":")[2] for end in ("sourceRef", "targetRef")]
            for one, other in (ends, ends[::-1]):
                targets.setdefault(one, []).append(other)
        for node in self._nodes.values():
            if not isinstance(node, events.BoundaryEvent) or node.definition.kind != "compensate" or node.attached_to is None:
                continue
            # Some tools draw a flow instead of the association.
            linked = [self._nodes.get(id) for id in targets.get(node.bpmn_id, ())] + [flow.target for flow in node.flows_out]
            handlers = [other for other in linked if isinstance(other, activities.Activity)]
            if handlers:
                node.attached_to.compensation_handler = handlers[0]
            else:
                self.parser.report(
                    node.line,
                    node.bpmn_id,
                    "bpmn.compensation",
                    T("Compensation event “%(label)s” leads to no activity. Draw an association to the one that undoes.", label=node.label),
                    "error" if self.parser.dialect else "warning",
                )

    def _find_entries(self) -> None:
        """Where each container begins: at its start event, else at everything no flow leads to (BPMN 2.0 §13.1)."""
        inside: dict[FlowNode, list[FlowNode]] = {}
        for node in self._nodes.values():
            inside.setdefault(node.container, []).append(node)
        repeated = {body.inner: body for body in self.spec.task_specs.values() if isinstance(body, repeating.Body)}
        for container, nodes in inside.items():
            ad_hoc = isinstance(container, activities.AdHocSubProcess)
            if container.start is not None and not ad_hoc:
                container.entry = [container.start]
                continue
            for node in nodes:
                body = repeated.get(node, node)
                passive = isinstance(node, events.BoundaryEvent | events.StartEvent | activities.EventSubProcess)
                undoes = isinstance(node, activities.Activity) and node.for_compensation
                linked = isinstance(node, events.CatchEvent) and node.definition.kind == "link"
                if not (body.flows_in or passive or undoes or linked):
                    container.entry.append(body)

    def _find_starters(self) -> None:
        top = [node for node in self._nodes.values() if node.container is self.spec.start]
        self.spec.start_events = [node for node in top if isinstance(node, events.StartEvent)]
        self.spec.starters = [node for node in self.spec.start_events if node.definitions]
        for node in top:
            if isinstance(node, activities.ReceiveTask) and node.instantiate:
                self.spec.starters.append(node)
            elif isinstance(node, gateways.EventBasedGateway) and node.instantiate:
                self.spec.starters += [flow.target for flow in node.flows_out if getattr(flow.target, "definitions", None)]
