"""The standard's rules about a file as such: the schema, its typed references and its serialisation constraints.

Everything here works on the XML tree, so that it holds for collaborations, choreographies and processes that are not
executable as well; what concerns the execution stands in :mod:`engine.bpmn.validation`.  The constraints are tables, one
module a chapter of the standard; their ids (``EXT031``) are those of the list of BPMN 2.0 serialisation constraints of the
University of Bamberg (M. Geiger, technical report 92, 2013), which collects the standard's sentences.
"""

from __future__ import annotations

from collections.abc import Iterator

from lxml import etree

from engine.bpmn.constraints import activities, collaboration, data, events, foundation, gateways
from engine.bpmn.constraints.document import Constraint, Document, apply
from engine.bpmn.constraints.references import check_references
from engine.bpmn.constraints.schema import check_schema
from engine.errors import Problem

CONSTRAINTS: tuple[Constraint, ...] = (
    *foundation.CONSTRAINTS,
    *collaboration.CONSTRAINTS,
    *activities.CONSTRAINTS,
    *data.CONSTRAINTS,
    *events.CONSTRAINTS,
    *gateways.CONSTRAINTS,
)


def check_notation(tree: etree._ElementTree, document: Document) -> Iterator[Problem]:
    """What the standard forbids in this file: against the schema first, then its references, then the constraints."""
    yield from check_schema(tree, document)
    yield from check_references(document)
    for constraint in CONSTRAINTS:
        yield from apply(constraint, document)


__all__ = ["CONSTRAINTS", "Document", "check_notation"]
