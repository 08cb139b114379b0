"""What findings are called on pages: severity in words, elements by the label of the drawing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

from lxml import etree

from engine.words import T, Words

SEVERITY_WORDS: dict[str, Words] = {"error": T("error"), "warning": T("warning")}


def labels_of(files: Mapping[str, str | bytes]) -> dict[tuple[str, str], str]:
    """(file, element id) → the label people see in the drawing."""
    labels: dict[tuple[str, str], str] = {}
    # The same caution as the reader's: no entities, no network, and what does not parse has no labels.
    parser = etree.XMLParser(resolve_entities=False, no_network=True, recover=True, huge_tree=False)
    for file, content in files.items():
        if PurePosixPath(file).suffix.lower() not in (".bpmn", ".dmn"):
            continue
        data = content.encode() if isinstance(content, str) else content
        root = etree.fromstring(data, parser) if data.strip() else None
        if root is None:
            continue
        for node in root.iter(etree.Element):
            if node.get("id") and node.get("name"):
                labels[file, node.get("id")] = " ".join(node.get("name").split())
    return labels
