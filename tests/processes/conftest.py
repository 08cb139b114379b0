"""The procedures of the repository as data: files, parsed models, forms, rules.  Nothing is executed here."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
import yaml
from lxml import etree

from tests.support import player

ROOT = Path(__file__).resolve().parents[2]
BPMN = "{http://www.omg.org/spec/BPMN/20100524/MODEL}"
BPMNDI = "{http://www.omg.org/spec/BPMN/20100524/DI}"
DC = "{http://www.omg.org/spec/DD/20100524/DC}"
DI = "{http://www.omg.org/spec/DD/20100524/DI}"
ZEEBE = "{http://camunda.org/schema/zeebe/1.0}"
DMN = "{https://www.omg.org/spec/DMN/20191111/MODEL/}"
ACTIVITIES = ("userTask", "scriptTask", "businessRuleTask", "callActivity", "subProcess")
EVENTS = ("startEvent", "endEvent", "intermediateCatchEvent", "boundaryEvent")
GATEWAYS = ("exclusiveGateway", "eventBasedGateway")


@dataclass(frozen=True)
class Box:
    """A rectangle of the drawing, in pixels."""

    x: float
    y: float
    width: float
    height: float

    def overlaps(self, other: Box, slack: float = 0) -> bool:
        """Whether the two share more than ``slack`` pixels in both directions."""
        return (
            min(self.x + self.width, other.x + other.width) - max(self.x, other.x) > slack
            and min(self.y + self.height, other.y + other.height) - max(self.y, other.y) > slack
        )

    def contains(self, other: Box) -> bool:
        return (
            self.x <= other.x
            and self.y <= other.y
            and self.x + self.width >= other.x + other.width
            and self.y + self.height >= other.y + other.height
        )


class Drawing:
    """One BPMN file: its semantic elements by id, and its shapes and edges."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.root = etree.parse(str(path)).getroot()
        self.process = self.root.find(f"{BPMN}process")
        self.process_id: str = self.process.get("id")

    def __repr__(self) -> str:
        return self.path.name

    def every(self, *names: str) -> list[Any]:
        return [element for name in names for element in self.process.iter(BPMN + name)]

    @cached_property
    def nodes(self) -> dict[str, Any]:
        return {element.get("id"): element for element in self.every(*ACTIVITIES, *EVENTS, *GATEWAYS)}

    @cached_property
    def flows(self) -> dict[str, Any]:
        return {element.get("id"): element for element in self.every("sequenceFlow")}

    def extension(self, element: Any, name: str) -> Any:
        """The child ``zeebe:NAME`` of the element's own extension elements, or ``None``."""
        return element.find(f"{BPMN}extensionElements/{ZEEBE}{name}")

    def properties(self, element: Any) -> dict[str, str]:
        found = element.findall(f"{BPMN}extensionElements/{ZEEBE}properties/{ZEEBE}property")
        return {item.get("name"): item.get("value") for item in found}

    def outcomes(self, element: Any) -> dict[str, str]:
        """Value → label of the buttons of a user task."""
        pairs = (part.split("=", 1) for part in self.properties(element).get("outcomes", "").split(";") if part)
        return dict(pairs)

    @cached_property
    def shapes(self) -> dict[str, Box]:
        return {shape.get("bpmnElement"): _box(shape.find(f"{DC}Bounds")) for shape in self.root.iter(f"{BPMNDI}BPMNShape")}

    @cached_property
    def labels(self) -> dict[str, Box]:
        found = {}
        for shape in (*self.root.iter(f"{BPMNDI}BPMNShape"), *self.root.iter(f"{BPMNDI}BPMNEdge")):
            bounds = shape.find(f"{BPMNDI}BPMNLabel/{DC}Bounds")
            if bounds is not None:
                found[shape.get("bpmnElement")] = _box(bounds)
        return found

    @cached_property
    def edges(self) -> dict[str, list[tuple[float, float]]]:
        return {
            edge.get("bpmnElement"): [(float(point.get("x")), float(point.get("y"))) for point in edge.findall(f"{DI}waypoint")]
            for edge in self.root.iter(f"{BPMNDI}BPMNEdge")
        }

    def ancestors(self, node_id: str) -> set[str]:
        """The sub-processes around a node."""
        found, parent = set(), self.nodes[node_id].getparent()
        while parent is not None and parent.get("id") in self.nodes:
            found.add(parent.get("id"))
            parent = parent.getparent()
        return found


def _box(bounds: Any) -> Box:
    return Box(*(float(bounds.get(name)) for name in ("x", "y", "width", "height")))


DRAWINGS = [Drawing(path) for path in sorted((ROOT / "processes").glob("*/*.bpmn"))]
FORMS = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted((ROOT / "forms").glob("*.form"))}
SHEETS = {path.parent.name: yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted((ROOT / "processes").glob("*/procedure.yaml"))}
SCENARIOS = {path.stem: player.read(path) for path in player.SCENARIOS}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "drawing" in metafunc.fixturenames:
        metafunc.parametrize("drawing", DRAWINGS, ids=repr)
    if "form" in metafunc.fixturenames:
        metafunc.parametrize("form", FORMS.values(), ids=FORMS)
    if "sheet" in metafunc.fixturenames:
        metafunc.parametrize("sheet", SHEETS.values(), ids=SHEETS)
    if "scenario" in metafunc.fixturenames:
        metafunc.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)


@pytest.fixture(scope="session")
def drawings() -> dict[str, Drawing]:
    """Process id → drawing."""
    return {drawing.process_id: drawing for drawing in DRAWINGS}


@pytest.fixture(scope="session")
def forms() -> dict[str, dict]:
    return FORMS


@pytest.fixture(scope="session")
def sheets() -> dict[str, dict]:
    return SHEETS


@pytest.fixture(scope="session")
def scenarios() -> dict[str, dict]:
    return SCENARIOS


@pytest.fixture(scope="session")
def decisions() -> set[str]:
    return {decision.get("id") for path in (ROOT / "processes").glob("*/*.dmn") for decision in etree.parse(str(path)).iter(f"{DMN}decision")}


@pytest.fixture(scope="session")
def rules() -> set[str]:
    """Ids of the deadline rule table, with their other names."""
    table = yaml.safe_load((ROOT / "processes" / "deadline_rules.yaml").read_text(encoding="utf-8"))["rules"]
    return {name for rule in table for name in (rule["id"], *rule.get("also", ()))}
