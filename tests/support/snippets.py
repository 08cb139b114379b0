"""The patterns that the editor offers (``web/assets/designer/snippets``), read from their files and connected as their insertion does it."""

from __future__ import annotations

from collections.abc import Mapping

from lxml import etree

from tests.support.player import ROOT

FOLDER = ROOT / "web/assets/designer/snippets"
NAMES = sorted(path.stem for path in FOLDER.glob("*.bpmn"))
BESIDE = frozenset({"escalation", "extension", "withdrawal"})
"""Patterns that stand beside the path of the case and are connected with nothing."""

BPMN = "{http://www.omg.org/spec/BPMN/20100524/MODEL}"
_BEGINNING = (
    '<process xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:z="http://camunda.org/schema/zeebe/1.0">'
    '<startEvent id="started"/><endEvent id="closed"/>{middle}</process>'
)
_WORK = '<userTask id="work"><extensionElements><z:userTask/><z:assignmentDefinition candidateGroups="clerk"/></extensionElements></userTask>'


def connected(name: str, process: str, choices: Mapping[str, str]) -> bytes:
    """The pattern as the process ``process``: start → pattern → end, or start → a step → end with the pattern beside it.

    ``choices`` are what is chosen in the panel after it was put in: text → text, for roles and rules.
    """
    text = (FOLDER / f"{name}.bpmn").read_text(encoding="utf-8")
    for before, after in choices.items():
        text = text.replace(before, after)
    root = etree.fromstring(text.encode())
    for diagram in [each for each in root if not each.tag.startswith(BPMN)]:
        root.remove(diagram)
    for each in list(root.iter(f"{BPMN}incoming", f"{BPMN}outgoing")):
        each.getparent().remove(each)
    node = root.find(f"{BPMN}process")
    assert node is not None
    node.set("id", process)
    nodes = {each.get("id"): each for each in node if each.tag.removeprefix(BPMN) not in ("sequenceFlow", "documentation")}
    flows = node.findall(f"{BPMN}sequenceFlow")
    entered, left = ({each.get(end) for each in flows} for end in ("targetRef", "sourceRef"))
    if name in BESIDE:
        entry = exit_ = "work"
    else:
        # Where a pattern returns to its beginning, the beginning is what is drawn first.
        entry = next((id for id in nodes if id not in entered), next(iter(nodes)))
        (exit_,) = [id for id, each in nodes.items() if id not in left and each.tag == f"{BPMN}intermediateThrowEvent"]
    node.extend(list(etree.fromstring(_BEGINNING.format(middle=_WORK if name in BESIDE else ""))))
    for source, target in (("started", entry), (exit_, "closed")):
        etree.SubElement(node, f"{BPMN}sequenceFlow", {"id": f"{source}_{target}", "sourceRef": source, "targetRef": target})
    return etree.tostring(root)
