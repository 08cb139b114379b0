"""Reading XML that a stranger sent: no entities, no network, no depth or size without a limit."""

from __future__ import annotations

import re

from lxml import etree

from engine.errors import Problem
from engine.words import T

BPMN = "http://www.omg.org/spec/BPMN/20100524/MODEL"
BPMNDI = "http://www.omg.org/spec/BPMN/20100524/DI"
ZEEBE = "http://camunda.org/schema/zeebe/1.0"
_FEEL = re.compile(r"(?:feel|https?://www\.omg\.org/spec/(?:feel/\d+|dmn/\d+/feel))/?", re.IGNORECASE)

_LETTERS = (
    "A-Z_a-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02ff\u0370-\u037d\u037f-\u1fff\u200c\u200d\u2070-\u218f\u2c00-\u2fef\u3001-\ud7ff"
    "\uf900-\ufdcf\ufdf0-\ufffd\U00010000-\U000effff"
)
NCNAME = re.compile(f"[{_LETTERS}][{_LETTERS}.0-9\u00b7\u0300-\u036f\u203f\u2040-]*\\Z")
"""What XML Schema allows as an id: a name without colon in the letters of any script (Namespaces in XML 1.0, third edition, NCName).

``受理`` is one, and so is the rare ``䶮``, which libxml2 refuses because it still reads the letters of XML 1.0's fourth edition."""

MAX_BYTES = 5 * 1024 * 1024
"""The largest model accepted, in bytes; the largest public reference models are below one megabyte."""

MAX_BREADTH = 30_000
"""The most elements accepted directly inside one: some fifteen thousand steps with their flows in one process."""

MAX_DEPTH = 200
"""The deepest nesting of XML elements accepted."""


def tag(name: str) -> str:
    """``"userTask"`` → the qualified BPMN tag."""
    return f"{{{BPMN}}}{name}"


def zeebe(name: str) -> str:
    """``"ioMapping"`` → the qualified tag of the dialect."""
    return f"{{{ZEEBE}}}{name}"


def local(element) -> str:
    """The tag without its namespace; an empty text for comments and processing instructions."""
    return etree.QName(element).localname if isinstance(element.tag, str) else ""


def is_feel(language: str | None) -> bool:
    """Whether an expression language's name means FEEL, of whatever version; the standards write it in capitals and in small letters."""
    return language is not None and _FEEL.fullmatch(language.strip()) is not None


def is_dialect(root) -> bool:
    """Whether a file is written for an engine like this one: it declares the ``zeebe`` namespace, or FEEL as its language."""
    return ZEEBE in root.nsmap.values() or is_feel(root.get("expressionLanguage"))


def parse_xml(data: bytes, file: str) -> tuple[etree._ElementTree | None, list[Problem]]:
    """Parse ``data``; on refusal the tree is ``None`` and the problems say why.

    A document type declaration is refused outright: it is the door to entity bombs and to references to other files, and
    no modelling tool writes one.
    """

    def refused(rule: str, message, line: int | None = None):
        return None, [Problem(file, line, None, rule, message)]

    if len(data) > MAX_BYTES:
        return refused(
            "xml.too-large",
            T(
                "The file %(file)s has %(size)d KB; at most %(limit)d KB are accepted. Split the model with call activities.",
                file=file,
                size=len(data) // 1024,
                limit=MAX_BYTES // 1024,
            ),
        )
    if not data.strip():
        return refused("xml.empty", T("The file %(file)s is empty. Export it again from the modeler.", file=file))
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        tree = etree.ElementTree(etree.fromstring(data, parser))
    except etree.XMLSyntaxError as error:
        line = error.position[0] if error.position else None
        return refused(
            "xml.malformed",
            T("Line %(line)s of %(file)s is not well-formed XML: %(reason)s.", line=line or "?", file=file, reason=error.msg or ""),
            line,
        )
    if tree.docinfo.doctype or tree.docinfo.internalDTD is not None:
        return refused(
            "xml.doctype",
            T("The file %(file)s has a document type declaration. Remove the <!DOCTYPE …> lines; models need none.", file=file),
        )
    depth = _depth(tree.getroot())
    if depth > MAX_DEPTH:
        return refused(
            "xml.too-deep",
            T("The file %(file)s nests elements %(depth)d deep; at most %(limit)d.", file=file, depth=depth, limit=MAX_DEPTH),
        )
    broad = next((element for element in tree.getroot().iter() if len(element) > MAX_BREADTH), None)
    if broad is not None:
        return refused(
            "xml.too-broad",
            T(
                "In %(file)s one element has %(count)d parts; at most %(limit)d are accepted. Split the model with call activities.",
                file=file,
                count=len(broad),
                limit=MAX_BREADTH,
            ),
            broad.sourceline,
        )
    return tree, []


def _depth(root) -> int:
    deepest = depth = 0
    for event, _ in etree.iterwalk(root, events=("start", "end")):
        depth += 1 if event == "start" else -1
        deepest = max(deepest, depth)
    return deepest
