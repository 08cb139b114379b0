"""Two states of a procedure's files beside each other: which files differ, line by line, and the two drawings of each process."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from lxml import etree

from engine.bpmn.xml import parse_xml
from engine.runtime.design.decision_differences import Table, tables
from engine.runtime.design.differences import differences
from engine.words import T, Words

CONTEXT = 3
"""Unchanged lines shown around a change."""
LINES_LIMIT = 6_000
"""Files of more lines are not compared line by line: the work grows with the square of it."""
WIDTH_LIMIT = 2_000
"""Characters of a line that are shown."""
STATUS: dict[str, Words] = {"added": T("added"), "removed": T("removed"), "changed": T("changed"), "same": T("unchanged")}


@dataclass(frozen=True)
class Line:
    """One row of a comparison, side by side.  ``kind``: same, changed, added, removed, or gap (lines left out).

    The numbers are 1-based; ``None`` where that side has no line.
    """

    kind: str
    old_number: int | None = None
    old: str = ""
    new_number: int | None = None
    new: str = ""


@dataclass(frozen=True)
class FileDiff:
    """One file of two states.  ``lines`` is empty for files that are the same, and ``too_large`` ones; ``said`` is the same in sentences
    for forms, decisions and the sheet, ``tables`` are the decision tables that differ.
    """

    name: str
    status: str
    lines: tuple[Line, ...] = ()
    added: int = 0
    removed: int = 0
    too_large: bool = False
    said: tuple[Words, ...] = ()
    tables: tuple[Table, ...] = ()

    @property
    def told(self) -> bool:
        """Whether sentences, a table or a drawing say what differs, so that the lines need not be looked at."""
        return bool(self.said or self.tables) or PurePosixPath(self.name).suffix.lower() == ".bpmn"

    @property
    def word(self) -> Words:
        """The status, for people."""
        return STATUS[self.status]


def compare(old: Mapping[str, str], new: Mapping[str, str], roles: Mapping[str, str] | None = None) -> list[FileDiff]:
    """Every file of either state, those that differ first; ``roles`` are the names of roles by their id."""
    found = [_compare_file(name, old.get(name), new.get(name), roles) for name in sorted(old.keys() | new.keys())]
    return sorted(found, key=lambda each: each.status == "same")


def statuses(old: Mapping[str, str], new: Mapping[str, str]) -> list[FileDiff]:
    """Every file of either state with its status only, in order of their names."""
    return [
        FileDiff(name, "added" if name not in old else "removed" if name not in new else "same" if old[name] == new[name] else "changed")
        for name in sorted(old.keys() | new.keys())
    ]


def drawings(old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """For the visual comparison: BPMN file → ``{"old": xml, "new": xml}`` of those in which the two states differ; empty text for none."""
    names = sorted(name for name in old.keys() | new.keys() if PurePosixPath(name).suffix.lower() == ".bpmn")
    return {name: {"old": old.get(name, ""), "new": new.get(name, "")} for name in names if old.get(name) != new.get(name)}


def _compare_file(name: str, old: str | None, new: str | None, roles: Mapping[str, str] | None) -> FileDiff:
    if old == new:
        return FileDiff(name, "same")
    status = "added" if old is None else "removed" if new is None else "changed"
    merged = tables(name, old, new) if PurePosixPath(name).suffix.lower() == ".dmn" else ()
    said = differences(name, old, new, roles=roles, cells=not merged)
    before, after = (_readable(name, text or "").splitlines() for text in (old, new))
    if max(len(before), len(after)) > LINES_LIMIT:
        return FileDiff(name, status, too_large=True, said=said, tables=merged)
    lines = tuple(side_by_side(before, after))
    added = sum(each.kind in ("added", "changed") for each in lines)
    removed = sum(each.kind in ("removed", "changed") for each in lines)
    return FileDiff(name, status, lines, added=added, removed=removed, said=said, tables=merged)


def side_by_side(before: list[str], after: list[str]) -> list[Line]:
    """The changes with :data:`CONTEXT` lines around them; what lies between is one ``gap``."""
    found: list[Line] = []
    end = (0, 0)
    for group in difflib.SequenceMatcher(None, before, after, autojunk=len(before) > 1_000).get_grouped_opcodes(CONTEXT):
        if (group[0][1], group[0][3]) != end:
            found.append(Line("gap"))
        for operation, old_from, old_to, new_from, new_to in group:
            found += _rows(operation, before, after, old_from, old_to, new_from, new_to)
        end = (group[-1][2], group[-1][4])
    if found and end != (len(before), len(after)):
        found.append(Line("gap"))
    return found


def _rows(operation: str, before: list[str], after: list[str], old_from: int, old_to: int, new_from: int, new_to: int) -> list[Line]:
    rows = []
    for offset in range(max(old_to - old_from, new_to - new_from)):
        old = old_from + offset if old_from + offset < old_to else None
        new = new_from + offset if new_from + offset < new_to else None
        kind = "same" if operation == "equal" else "changed" if old is not None and new is not None else "removed" if new is None else "added"
        rows.append(
            Line(
                kind, None if old is None else old + 1, "" if old is None else before[old][:WIDTH_LIMIT],
                None if new is None else new + 1, "" if new is None else after[new][:WIDTH_LIMIT],
            )
        )
    return rows


def _readable(name: str, text: str) -> str:
    """The text in lines that people can compare: JSON indented, XML of one line spread out; anything that is neither as it is."""
    suffix = PurePosixPath(name).suffix.lower()
    if suffix in (".form", ".json"):
        try:
            return json.dumps(json.loads(text), ensure_ascii=False, indent=2)
        except (ValueError, RecursionError):
            return text
    if suffix in (".bpmn", ".dmn") and text.count("\n") < len(text) / 400:
        tree, _problems = parse_xml(text.encode(), name)
        if tree is not None:
            etree.indent(tree)
            return etree.tostring(tree, encoding="unicode")
    return text
