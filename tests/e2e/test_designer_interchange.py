"""Files of other tools in the editor: every file of the interchange kit, files with the extensions of other vendors, broken and huge ones.

Models are compared, not text: two files are the same when their elements, attributes, references and drawings are the same, whatever
prefixes, line breaks and order of attributes they are written with (:func:`model`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from playwright.sync_api import Page, expect

from engine import Engine
from engine.runtime.design import drafts
from tests.support.browser import Desk
from tests.support.server import RunningServer

KIT = Path(__file__).resolve().parents[3] / "shared" / "kits" / "bpmn"
DESIGNER = "yaojing"
BPMN = "http://www.omg.org/spec/BPMN/20100524/MODEL"
BPMNDI = "http://www.omg.org/spec/BPMN/20100524/DI"
XSI_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
NUMBER = re.compile(r"-?\d+(\.\d+)?([eE]-?\d+)?")

Model = tuple[str, frozenset, str, tuple]


def model(node: etree._Element) -> Model:
    """An element as (name, attributes, text, children), free of everything that is only a way of writing it.

    Prefixes are resolved in names, in ``xsi:type`` and in references; white space around text goes; numbers are compared as numbers.
    Children keep their order among those of the same name (waypoints, flows of one gateway), not between names: the schema of BPMN
    fixes that order, and a tool may put right what another one wrote out of order.
    """
    attributes = frozenset((name, _value(node, name, value)) for name, value in node.attrib.items() if not _says_nothing(name, value))
    children = [model(each) for each in node if isinstance(each.tag, str)]
    text = _value(node, "", (node.text or "").strip()) if not children else ""
    return node.tag, attributes, text, tuple(sorted(children, key=lambda child: child[0]))


def _value(node: etree._Element, name: str, value: str) -> Any:
    value = value.strip()
    if NUMBER.fullmatch(value):
        return float(value)
    prefix, colon, local = value.partition(":")
    if colon and prefix in node.nsmap and re.fullmatch(r"[\w.-]+", local):
        return f"{{{node.nsmap[prefix]}}}{local}" if name == XSI_TYPE else local
    return value


def _says_nothing(name: str, value: str) -> bool:
    return False


def parts(found: Model, path: str = "") -> Iterator[str]:
    """The model as lines, one for each element, attribute and text: what a reader of a difference wants to see."""
    tag, attributes, text, children = found
    here = f"{path}/{etree.QName(tag).localname}"
    name = next((str(value) for key, value in attributes if key == "id"), "")
    here += f"[{name}]" if name else ""
    yield here
    yield from (f"{here} @{key}={value}" for key, value in attributes)
    if text:
        yield f"{here} = {text}"
    for child in children:
        yield from parts(child, here)


def differences(one: str | bytes, other: str | bytes) -> list[str]:
    """What the first has and the second has not (−), and the other way round (+)."""
    before, after = (Counter(parts(model(_root(each)))) for each in (one, other))
    return sorted([f"− {line}" for line in (before - after).elements()] + [f"+ {line}" for line in (after - before).elements()])


def _root(text: str | bytes) -> etree._Element:
    return etree.fromstring(text if isinstance(text, bytes) else text.encode(), etree.XMLParser(resolve_entities=False, remove_comments=True))
