"""Files of other tools in the editor of drafts: what goes in and out of it, and whether that is the same model.

Models are compared, not text: two files are the same when their elements, attributes, references and drawings are the same, whatever
prefixes, line breaks and order of attributes they are written with (:func:`model`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from lxml import etree
from playwright.sync_api import Page, expect

from tests.support.browser import PATIENCE

DESIGNER = "yaojing"
BPMN = "http://www.omg.org/spec/BPMN/20100524/MODEL"
BPMNDI = "http://www.omg.org/spec/BPMN/20100524/DI"
XSI_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
NUMBER = re.compile(r"-?\d+(\.\d+)?([eE]-?\d+)?")

DEFAULTS = {
    "typeLanguage": "http://www.w3.org/2001/XMLSchema", "expressionLanguage": "http://www.w3.org/1999/XPath", "isInterrupting": "true",
    "parallelMultiple": "false", "startQuantity": "1", "completionQuantity": "1", "isForCompensation": "false", "isCollection": "false",
    "minimum": "0", "maximum": "1", "cancelActivity": "true", "triggeredByEvent": "false", "waitForCompletion": "true",
    "isSequential": "false", "eventGatewayType": "Exclusive", "gatewayDirection": "Unspecified", "behavior": "All", "testBefore": "false",
    "cancelRemainingInstances": "true", "instantiate": "false", "loopType": "None", "textFormat": "text/plain",
}  # fmt: skip
"""What the schema of BPMN 2.0 says where an attribute is absent (BPMN20.xsd)."""
SCHEMA_TYPES = {
    "{http://www.omg.org/spec/DD/20100524/DI}waypoint": "{http://www.omg.org/spec/DD/20100524/DC}Point",
    "{http://www.omg.org/spec/DD/20100524/DC}Bounds": "{http://www.omg.org/spec/DD/20100524/DC}Bounds",
}
"""Element → the type that the schema gives it (DI.xsd)."""
NOT_LAID_OUT = re.compile("文件里的流程“([^”]*)”没有画出来")
SAID_TO_BE_RENAMED = re.compile("标识“([^”]*)”不能保留.*?已改为“([^”]*)”")
SAID_TO_BE_MISSING = re.compile("文件里引用了“([^”]*)”")

Model = tuple[str, frozenset, str, tuple]


def model(node: etree._Element) -> Model:
    """An element as (name, attributes, text, children), free of everything that is only a way of writing it.

    Prefixes are resolved in names, in ``xsi:type`` and in references; white space around text goes; numbers are compared as numbers.
    A name of an element and ``xsi:type`` say the same thing twice when the schema gives that type to that name (``SCHEMA_TYPES``).
    Children keep their order among those of the same name (waypoints, flows of one gateway), not between names: the schema of BPMN
    fixes that order, and a tool may put right what another one wrote out of order.
    """
    attributes = frozenset((name, _value(node, name, value)) for name, value in node.attrib.items() if not _says_nothing(node, name, value))
    children = [model(each) for each in node if isinstance(each.tag, str)]
    text = _value(node, "", (node.text or "").strip()) if not children else ""
    return node.tag, attributes, text, tuple(sorted(children, key=lambda child: child[0]))


def _value(node: etree._Element, name: str, value: str) -> Any:
    value = value.strip().replace("\r\n", "\n")
    if NUMBER.fullmatch(value):
        return float(value)
    if name == XSI_TYPE and ":" not in value:
        return f"{{{node.nsmap.get(None, '')}}}{value}"
    prefix, colon, local = value.partition(":")
    if colon and prefix in node.nsmap and re.fullmatch(r"[\w.-]+", local):
        return f"{{{node.nsmap[prefix]}}}{local}" if name == XSI_TYPE else local
    return value


def _says_nothing(node: etree._Element, name: str, value: str) -> bool:
    """Whether an attribute only repeats what the schema of BPMN says when it is absent, or what its twin says.

    The twin: one tool writes ``x:kind="a" kind="a"`` on its own elements ``x:…``.
    """
    if name == XSI_TYPE:
        return SCHEMA_TYPES.get(node.tag) == _value(node, name, value)
    own = etree.QName(name)
    twin = own.namespace is not None and own.namespace == etree.QName(node).namespace and node.get(own.localname) == value
    return twin or DEFAULTS.get(name) == value.strip()


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


def differences(one: str | bytes, other: str | bytes, missing: Iterable[str] = ()) -> list[str]:
    """What the first has and the second has not (−), and the other way round (+); references to what is ``missing`` left aside."""
    before, after = (Counter(parts(model(_without(_root(each), set(missing))))) for each in (one, other))
    return sorted([f"− {line}" for line in (before - after).elements()] + [f"+ {line}" for line in (after - before).elements()])


def _without(root: etree._Element, missing: set[str]) -> etree._Element:
    """The tree without references to ``missing``, which must be no ids of it; a shape of what is missing shows nothing."""
    assert not missing & set(root.xpath("//@id"))
    for node in root.xpath("//*[@bpmnElement]"):
        if node.get("bpmnElement").rpartition(":")[2] in missing or node.get("bpmnElement") in missing:
            node.getparent().remove(node)
    for node in root.iter(etree.Element):
        for name, value in list(node.attrib.items()):
            if value in missing:
                del node.attrib[name]
        if not len(node) and (node.text or "").strip() in missing:
            node.getparent().remove(node)
    return root


def _root(text: str | bytes) -> etree._Element:
    return etree.fromstring(text if isinstance(text, bytes) else text.encode(), etree.XMLParser(resolve_entities=False, remove_comments=True))


HANDED_OUT = """(patience) => {
  const make = URL.createObjectURL;
  window.handedOut = new Promise((resolve) => {
    setTimeout(() => resolve(null), patience);
    URL.createObjectURL = (blob) => {
      URL.createObjectURL = make;
      resolve(blob.text());
      return make.call(URL, blob);
    };
  });
}"""


class Editor:
    """The editor of an empty draft: files go in by the button 导入, and out by 导出."""

    def __init__(self, page: Page, url: str, key: int) -> None:
        self.page, self.url, self.key = page, url, key

    def open(self) -> Editor:
        self.page.goto(f"{self.url}/designer/drafts/{self.key}/edit")
        expect(self.page.locator("#designer[data-ready]")).to_be_attached()
        return self

    def bring_in(self, name: str, content: bytes) -> str:
        """Import a file; gives what the editor says about it."""
        self.page.locator("[data-import-file]").set_input_files({"name": name, "mimeType": "application/xml", "buffer": content})
        note = self.page.locator("[data-note=imported]").filter(has_text=name)
        expect(note).to_be_attached(timeout=60_000)
        return note.inner_text()

    def take_out(self) -> bytes:
        expect(self.page.locator("#designer:not([aria-busy])")).to_be_attached()
        # What is handed to the browser as a file; whether it saves hundreds of files in a row is the browser's matter.
        self.page.evaluate(HANDED_OUT, PATIENCE)
        self.page.locator("[data-act=export-bpmn]").dispatch_event("click")
        text = self.page.evaluate("() => window.handedOut")
        if text is None:
            said = self.page.locator(".toast, [data-note], dialog[open]").all_inner_texts()
            raise AssertionError(f"The editor gave no file; it says: {said}")
        return text.encode()


def quiet(editor: Editor) -> Editor:
    """Without the server's check and autosave, which are not what hundreds of files in a row are about."""
    editor.page.route("**/designer/lint", lambda route: route.fulfill(json={"problems": []}))
    editor.page.route("**/autosave", lambda route: route.fulfill(status=204))
    return editor


def has_drawing(content: bytes) -> bool:
    return b"BPMNShape" in content


def undrawn(content: bytes, named: list[str]) -> set[str]:
    """Ids of the steps, events and gateways that have no shape, but for those of the processes ``named``."""
    root = _root(content)
    shapes = {shape.get("bpmnElement").rpartition(":")[2] for shape in root.iter(f"{{{BPMNDI}}}BPMNShape") if shape.get("bpmnElement")}
    processes = [each for each in root.findall(f"{{{BPMN}}}process") if (each.get("name") or each.get("id")) not in named]
    nodes = {node.get("id") for each in processes for node in each.iter() if isinstance(node.tag, str) and FLOW_NODE.search(node.tag)}
    return nodes - shapes


FLOW_NODE = re.compile(rf"^{{{re.escape(BPMN)}}}(\w*Task|task|\w+Event|\w+Gateway|subProcess|adHocSubProcess|transaction|callActivity)$")


def round_trip(editor: Editor, name: str, before: bytes) -> tuple[str, list[str]]:
    """Opens a file, takes it out and opens that again: what the editor said, and what got lost or was made up on the way.

    Ids that the editor said it had to change are changed in what it is compared with. Left aside are references to what the file does not have, if the editor said so, and the drawing of a file that came without one;
    every step must then have a place on the drawing that was made.
    """
    said = editor.bring_in(name, before)
    if "已导入" not in said:
        return said, []
    after = editor.take_out()
    for old, new in SAID_TO_BE_RENAMED.findall(said):
        before = re.sub(rb"(?<=[\">:])" + re.escape(old).encode() + rb"(?=[\"<])", new.encode(), before)
    found = differences(before, after, SAID_TO_BE_MISSING.findall(said))
    if not has_drawing(before):
        found = [line for line in found if "/BPMNDiagram" not in line]
        found += [f"{each} has no place on the drawing" for each in undrawn(after, NOT_LAID_OUT.findall(said))]
    editor.bring_in(f"again-{name}", after)
    return said, found + differences(after, editor.take_out())
