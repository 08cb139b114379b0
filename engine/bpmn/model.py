"""What a file is read into: processes made of specs, with what was found wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from lxml import etree
from SpiffWorkflow.bpmn.specs.bpmn_process_spec import BpmnProcessSpec
from SpiffWorkflow.specs import WorkflowSpec

from engine.bpmn import activities, events
from engine.bpmn.elements import FlowNode
from engine.errors import Problem


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
        self.starters: list[FlowNode] = []
        """What can start an instance from outside: start events with definitions, instantiating receive tasks, and the events behind
        instantiating event-based gateways."""
        self.version_tag: str | None = None
        self.has_conditions = False
        self.has_compensation = False


@dataclass
class Model:
    """One parsed file: its executable processes by id, and what was found wrong or doubtful."""

    file: str
    processes: dict[str, ProcessSpec] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    tree: etree._ElementTree | None = field(default=None, repr=False)
    """The parsed file, for the checks of its notation; dropped once they are done."""

    dialect: bool = True
    """Whether the file is written for this dialect of BPMN (it declares the ``zeebe`` namespace or FEEL as its language)."""

    @property
    def errors(self) -> list[Problem]:
        return [problem for problem in self.problems if problem.severity == "error"]
