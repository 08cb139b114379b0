"""A file against the XML schema of BPMN 2.0 (formal/2011-01-03, BPMN20.xsd with Semantic, BPMNDI, DI, DC).

The schema files are the OMG's, as the installed package SpiffWorkflow carries them; nothing is fetched from anywhere.  What
libxml2 reports is turned into sentences that name the element by its label and say what to do.

Two kinds are warnings, because drawing tools really write them and nothing is lost by them: parts in another order than the
schema's, and faults of the diagram (its shapes are never executed).  Everything else is an error.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import SpiffWorkflow
from lxml import etree

from engine.bpmn.constraints.document import ACTIVITIES, Document, Element
from engine.bpmn.xml import BPMN, NCNAME, local
from engine.errors import Problem
from engine.words import T, Words

MAX_FINDINGS = 100
"""More findings of the schema than this help nobody; the rest is counted."""

LARGE = 2_000
"""Elements from which a file is asked first whether it has only a few faults."""

_lock = threading.Lock()

_UNORDERED = frozenset(
    [
        "documentation",
        "extensionElements",
        "incoming",
        "outgoing",
        "laneSet",
        "flowNodeRef",
        "participant",
        "messageFlow",
        "collaboration",
        "process",
        "import",
        "ioSpecification",
        "property",
        "dataInputAssociation",
        "dataOutputAssociation",
        "dataInput",
        "dataOutput",
        "inputSet",
        "outputSet",
        "resourceRole",
    ]
)
"""Parts that are read wherever they stand; ``property`` only where the standard knows properties (EXT078)."""
_WITH_PROPERTIES = ACTIVITIES | frozenset(
    ["process", "startEvent", "endEvent", "intermediateCatchEvent", "intermediateThrowEvent", "boundaryEvent"]
)

_SUBJECT = re.compile(
    r"Element '(?:\{[^}]*\})?(?P<element>[^']+)'(?:, attribute '(?:\{[^}]*\})?(?P<attribute>[^']+)')?: (?P<rest>.*)\Z", re.S
)
_VALUE = re.compile(r"(?:\[facet '(?P<facet>\w+)'\] )?(?:The value )?'(?P<value>.*?)' (?:is not|has a length)", re.S)
_TYPE = re.compile(r"(?:atomic|local atomic|list|union) type '(?:\{[^}]*\})?(?P<type>[^']+)'")
_NAMES = frozenset(["ID", "IDREF", "NCName", "QName"])
_SET = re.compile(r"element of the set \{(?P<set>.*)\}", re.S)
_ATTRIBUTE = re.compile(r"The attribute '(?:\{[^}]*\})?(?P<attribute>[^']+)' is (?P<what>required|not allowed)")
_EXPECTED = re.compile(r"Expected is (?:one of )?\( (?P<names>.*) \)", re.S)


@cache
def bpmn_schema() -> etree.XMLSchema:
    """The compiled schema; made once."""
    path = Path(SpiffWorkflow.__file__).parent / "bpmn" / "parser" / "schema" / "BPMN20.xsd"
    parser = etree.XMLParser(no_network=True, load_dtd=False, resolve_entities=False)
    return etree.XMLSchema(etree.parse(str(path), parser))


def check_schema(tree: etree._ElementTree, document: Document) -> Iterator[Problem]:
    """Where the file breaks the schema, each place in people's words."""
    file = document.file
    count, faults = _faults(tree, document.size)
    seen: set[tuple[int, str, str]] = set()
    for line, path, reason in faults:
        if len(seen) >= MAX_FINDINGS:
            break
        element = _at(tree, path)
        problem = _explain(file, document, element, line, reason)
        if problem is None or (line, problem.rule, str(problem.message)) in seen:
            continue
        seen.add((line, problem.rule, str(problem.message)))
        yield problem
    if count > MAX_FINDINGS:
        message = T(
            "The file has more than %(shown)d faults against the BPMN schema; only the first are listed. Export it again from the modeler.",
            shown=MAX_FINDINGS,
        )
        yield Problem(file, None, None, "xml.schema", message)


def _faults(tree: etree._ElementTree, size: int) -> tuple[int, list[tuple[int, str | None, str]]]:
    """How many faults there are, and the first of them as (line, path, reason of libxml2).

    Finding the place of a fault costs libxml2 a walk over all elements beside it, so a large file with tens of thousands of faults would
    keep it busy for minutes.  A large file is therefore read once more with the schema, which is quick; only a file with less than a
    hundred faults is asked for their places.
    """
    with _lock:
        # One schema object has one error log, so two deployments at the same moment take turns.
        schema = bpmn_schema()
        if size > LARGE:
            parser = etree.XMLParser(schema=schema, no_network=True, load_dtd=False, resolve_entities=False, huge_tree=False)
            try:
                etree.fromstring(etree.tostring(tree), parser)
                return 0, []
            except etree.XMLSyntaxError:
                # The exception's own log is the thread's: it still holds what was found in other files.
                told = list(parser.error_log)
                faults = [entry.message for entry in told if not _rare_letters(entry.message)]
            if not faults or len(told) >= MAX_FINDINGS:
                return len(faults), [(0, None, message) for message in faults[: 10 * MAX_FINDINGS]]
        log = [] if schema.validate(tree) else [entry for entry in schema.error_log if not _rare_letters(entry.message)]
        return len(log), [(entry.line, entry.path, entry.message) for entry in log[: 10 * MAX_FINDINGS]]


def _rare_letters(reason: str) -> bool:
    """Whether libxml2 refuses an id, or a reference to one, only because it does not know all letters of the newer XML."""
    subject = _SUBJECT.match(reason)
    rest = subject["rest"] if subject else reason
    value, type_ = _VALUE.match(rest), _TYPE.search(rest)
    if value is None or type_ is None or value["value"].isascii():
        return False
    name, wanted = value["value"], type_["type"].rpartition(":")[2]
    parts = name.split(":", 1) if wanted == "QName" else [name]
    return wanted in _NAMES and all(NCNAME.match(part) for part in parts)


def _at(tree: etree._ElementTree, path: str | None) -> Element | None:
    prefixes = {prefix: uri for prefix, uri in tree.getroot().nsmap.items() if prefix}
    try:
        found = tree.xpath(path, namespaces=prefixes) if path else []
    except etree.XPathError:
        found = []
    return found[0] if found and hasattr(found[0], "tag") else None


def _names(text: str) -> str:
    """``{ns}a, {ns}b`` → ``a, b``; long lists are cut."""
    names = [name.strip().rpartition("}")[2] for name in text.split(",")]
    return ", ".join(names[:6]) + (" …" if len(names) > 6 else "")


def _explain(file: str, document: Document, element: Element | None, line: int, reason: str) -> Problem | None:
    subject = _SUBJECT.match(reason)
    tag = subject["element"] if subject else ""
    attribute = subject["attribute"] if subject else None
    rest = subject["rest"] if subject else reason
    holder = element.getparent() if element is not None and "not expected" in rest and element.getparent() is not None else element
    label = document.label(holder) if holder is not None else tag
    diagram = (
        element is not None
        and etree.QName(element).namespace != BPMN
        and any(local(ancestor) == "BPMNDiagram" for ancestor in (element, *element.iterancestors()))
    )
    severity = "warning" if diagram else "error"
    rule = "xml.schema"
    missing, value, expected = _ATTRIBUTE.match(rest), _VALUE.match(rest), _EXPECTED.search(rest)
    if "not expected" in rest:
        misplaced = tag in _UNORDERED and element is not None and (tag != "property" or local(holder) in _WITH_PROPERTIES)
        if misplaced:
            severity = "warning"
            message = T(
                "In “%(label)s” the part “%(element)s” does not stand where the schema wants it. Export the file again.",
                label=label,
                element=tag,
            )
        elif expected:
            message = T(
                "“%(element)s” may not stand here in “%(label)s”; possible are: %(expected)s. Move or remove it.",
                label=label,
                element=tag,
                expected=_names(expected["names"]),
            )
        else:
            message = T("“%(element)s” may not stand here in “%(label)s”. Move or remove it.", label=label, element=tag)
    elif "Missing child" in rest and expected:
        message = T(
            "“%(label)s” (%(element)s) lacks a part: %(expected)s. Add it.", label=label, element=tag, expected=_names(expected["names"])
        )
    elif missing and missing["what"] == "required":
        attribute = missing["attribute"]
        # Nothing here depends on the name space of a file's own definitions.
        severity = "warning" if attribute == "targetNamespace" else severity
        message = T("“%(label)s” (%(element)s) lacks the attribute “%(attribute)s”. Add it.", label=label, element=tag, attribute=attribute)
    elif "is not allowed" in rest and (missing or attribute):
        attribute = missing["attribute"] if missing else attribute
        message = T(
            "“%(label)s” (%(element)s) has an attribute “%(attribute)s” that BPMN does not know. Remove it, or write it in a namespace of its own.",
            label=label,
            element=tag,
            attribute=attribute,
        )
    elif value:
        if not value["value"].strip() and attribute is not None and attribute != "id":
            # Some tools write an empty reference for none.
            severity = "warning"
        if attribute == "id" and element is not None and document.by_id.get(value["value"]) not in (None, element):
            rule = "bpmn.duplicate-id"
            message = T("The id “%(id)s” is missing or used twice. Give each element an id of its own.", id=value["value"][:80])
        else:
            message = _bad_value(label, tag, attribute, value["value"], rest)
    elif "Character content" in rest:
        message = T("“%(label)s” (%(element)s) contains text where only elements may stand. Remove the text.", label=label, element=tag)
    else:
        message = T(
            "“%(label)s” does not follow the BPMN schema: %(reason)s Export the file again from the modeler.",
            label=label,
            reason=re.sub(r"\{[^}]*\}", "", rest)[:300],
        )
    return Problem(file, line or None, document.id_of(element) if element is not None else None, rule, message, severity)


def _bad_value(label: str, tag: str, attribute: str | None, value: str, rest: str) -> Words:
    among, type_ = _SET.search(rest), _TYPE.search(rest)
    words = {
        "ID": T("id (a letter first, no spaces or colons)"),
        "IDREF": T("id of an element"),
        "QName": T("name of an element"),
        "anyURI": T("URI"),
        "boolean": T("true or false"),
        "integer": T("whole number"),
        "int": T("whole number"),
        "double": T("number"),
    }
    wanted: str = T("value allowed here")
    if among:
        wanted = T("one of %(values)s", values=among["set"].replace("'", ""))
    elif type_:
        name = type_["type"].rpartition(":")[2]
        wanted = T("URI") if "URI" in rest else words.get(name, wanted)
    return T(
        "“%(label)s”: “%(value)s” is no valid value of %(place)s; needed: %(wanted)s. Correct it.",
        label=label,
        value=value[:60],
        place=attribute or tag,
        wanted=wanted,
    )
