"""Which elements and sequence flows of a draft its scenarios have visited, and which never.

Nothing is guessed from the order of things: the engine says each sequence flow that a token passes
(:attr:`engine.runtime.effects.Effects.flows`) and each element that one enters, and a run collects both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from engine.bpmn.reader import read_bpmn
from engine.runtime.design.sandbox import deployable

LINKED = "link:"
"""How the reader calls what leads from a throwing link event to its catching one: no flow of the drawing."""


@dataclass(frozen=True)
class Place:
    """An element or a sequence flow; ``label`` is what people call it, a flow without a name goes by its ends."""

    id: str
    type: str
    label: str


@dataclass(frozen=True)
class Coverage:
    """One process of the draft.  ``elements`` and ``flows`` are all that can be visited, ``missed`` those that never were."""

    process_id: str
    name: str
    file: str
    elements: tuple[Place, ...]
    flows: tuple[Place, ...]
    missed: tuple[Place, ...]

    @property
    def total(self) -> int:
        return len(self.elements) + len(self.flows)

    @property
    def percent(self) -> int:
        """Visited of all, rounded down: 100 means all."""
        return 100 if not self.total else (self.total - len(self.missed)) * 100 // self.total

    def percent_of(self, places: tuple[Place, ...]) -> int:
        """Of the elements, or of the flows, alone."""
        missed = {each.id for each in self.missed}
        return 100 if not places else sum(each.id not in missed for each in places) * 100 // len(places)


def coverage(files: Mapping[str, str | bytes], visited: Iterable[str], flows: Iterable[str]) -> list[Coverage]:
    """The coverage of each process among a draft's files; ``visited`` and ``flows`` as in a :class:`ScenarioResult`."""
    seen, passed = set(visited), set(flows)
    found = []
    for file, content in sorted(deployable(files).items()):
        if not file.lower().endswith(".bpmn"):
            continue
        for process_id, spec in read_bpmn(content, file).processes.items():
            elements: dict[str, Place] = {}
            edges: dict[str, Place] = {}
            for node in spec.task_specs.values():
                if (node.recorded or getattr(node, "inner", None) is not None) and node.bpmn_id:
                    elements[node.bpmn_id] = Place(node.bpmn_id, node.element_type, node.label)
                for flow in node.flows_out:
                    if not flow.id.startswith(LINKED):
                        label = f"{flow.source.label} → {flow.target.label}"
                        edges[flow.id] = Place(flow.id, "sequenceFlow", f"{flow.name}（{label}）" if flow.name else label)
            every, every_flow = tuple(elements.values()), tuple(edges.values())
            missed = tuple(each for each in every if each.id not in seen) + tuple(each for each in every_flow if each.id not in passed)
            found.append(Coverage(process_id, spec.description or process_id, file, every, every_flow, missed))
    return found
