"""Reading DMN XML without trusting it: no DTD, no entities, no network, no huge trees."""

from __future__ import annotations

from lxml import etree

from engine.errors import Problem
from engine.words import T

NAMESPACES = {
    "http://www.omg.org/spec/DMN/20180521/MODEL/": "1.2",
    "https://www.omg.org/spec/DMN/20191111/MODEL/": "1.3",
    "https://www.omg.org/spec/DMN/20211108/MODEL/": "1.4",
    "https://www.omg.org/spec/DMN/20230324/MODEL/": "1.5",
    "https://www.omg.org/spec/DMN/20240513/MODEL/": "1.6",
}
MAX_BYTES = 5_000_000


def parse_xml(data: bytes, file: str) -> tuple[etree._Element | None, list[Problem]]:
    """Return the root element, or ``None`` and the problems that make the file unreadable."""
    if len(data) > MAX_BYTES:
        return None, [Problem(file, None, None, "dmn.size", T("The file is larger than %(limit)d bytes; split it.", limit=MAX_BYTES))]
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        return None, [Problem(file, error.lineno, None, "dmn.xml", T("The file is not readable XML: %(reason)s", reason=str(error)))]
    except ValueError as error:
        return None, [Problem(file, None, None, "dmn.xml", T("The file is not readable XML: %(reason)s", reason=str(error)))]
    if root.getroottree().docinfo.doctype:
        return None, [Problem(file, 1, None, "dmn.doctype", T("The file has a document type declaration; remove it."))]
    name = etree.QName(root)
    if name.localname != "definitions" or name.namespace not in NAMESPACES:
        message = T(
            "This is not a DMN 1.2 to 1.6 file (its root is %(root)s); open it in the modeler and save it again.", root=str(name.text)[:120]
        )
        return None, [Problem(file, root.sourceline, None, "dmn.namespace", message)]
    return root, []


class Reader:
    """Steps through elements of one DMN namespace by local name."""

    def __init__(self, root: etree._Element) -> None:
        self.prefix = "{" + etree.QName(root).namespace + "}"

    def local(self, element: etree._Element) -> str:
        """The local name of a DMN element; empty for elements of other namespaces."""
        tag = element.tag if isinstance(element.tag, str) else ""
        return tag[len(self.prefix) :] if tag.startswith(self.prefix) else ""

    def all(self, element: etree._Element, name: str) -> list[etree._Element]:
        return element.findall(self.prefix + name)

    def one(self, element: etree._Element | None, name: str) -> etree._Element | None:
        return None if element is None else element.find(self.prefix + name)

    def text(self, element: etree._Element | None, name: str = "text") -> str:
        """The stripped text of a child element; empty when there is none."""
        child = self.one(element, name)
        return "" if child is None else "".join(child.itertext()).strip()
