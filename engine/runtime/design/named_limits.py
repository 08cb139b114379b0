"""Deadline rules and ladders that a procedure names and that were changed between two states of it.

They belong to the office, not to one procedure, and have a room of their own; so no file of the procedure shows that a limit is another
one now.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from engine.bpmn.xml import local, parse_xml
from engine.runtime.crosschecks import RULE_PROPERTIES
from engine.runtime.design.files import SHEET_FILE, is_companion
from engine.runtime.design.sheet_text import read
from engine.runtime.limits import ladder_book, rulebook
from engine.runtime.live import names

if TYPE_CHECKING:
    from engine.runtime.desk import Desk


@dataclass(frozen=True)
class LimitChange:
    """A rule (``kind`` "rule") or ladder ("ladder") that was changed: when last, by whom, why; ``gone`` when it is no more."""

    kind: str
    id: str
    label: str
    at: datetime
    by: str
    reason: str
    gone: bool = False


def changed_limits(desk: Desk, conn: Connection, files: Mapping[str, str], since: int | None, until: int | None = None) -> list[LimitChange]:
    """What ``files`` name and was changed after the deployment ``since``, up to ``until`` (now without one); nothing without ``since``."""
    if since is None:
        return []
    found: list[LimitChange] = []
    for place, (kind, word) in enumerate((("rules", "rule"), ("ladders", "ladder"))):
        versions = rulebook.versions_of(desk, conn, kind)
        before = [each for each, _by, _reason in versions if each.deployment_key <= since]
        now = [each for each, _by, _reason in versions if until is None or each.deployment_key <= until]
        if not before or not now or before[-1].key == now[-1].key:
            continue
        wanted = named_limits(files)[place]
        for id in sorted(wanted):
            entry = _entry(now[-1].model, kind, id)
            if _entry(before[-1].model, kind, id) != entry:
                found += _change(desk, conn, word, id, entry, (before[-1].version, now[-1].version))
    return found


def named_limits(files: Mapping[str, str]) -> tuple[set[str], set[str]]:
    """The ids of deadline rules, and of ladders, that drawings and sheet name in writing (not by an expression)."""
    rules: set[str] = set()
    ladders: set[str] = set()
    for name, text in files.items():
        if PurePosixPath(name).suffix.lower() == ".bpmn" and not is_companion(name):
            for property, value in _properties(name, text):
                target = rules if property in RULE_PROPERTIES else ladders if property == "ladder" else None
                if target is not None and not value.startswith("="):
                    target.update(names(value))
    try:
        sheet = read(files.get(SHEET_FILE, "")) or {}
    except RecursionError:
        sheet = {}
    if isinstance(sheet.get("ladder"), str):
        ladders.add(sheet["ladder"])
    rows = sheet.get("deadlines")
    rules |= {row["rule"] for row in rows if isinstance(row, Mapping) and isinstance(row.get("rule"), str)} if isinstance(rows, list) else set()
    return rules - {"", "*"}, ladders - {""}


def _properties(name: str, text: str) -> Iterator[tuple[str, str]]:
    tree, _problems = parse_xml(text.encode(), name)
    for node in () if tree is None else tree.iter("{*}property"):
        if local(node) == "property" and node.get("name"):
            yield node.get("name"), (node.get("value") or "").strip()


def _entry(model: Any, kind: str, id: str) -> Any:
    return tuple(model.versions(id)) if kind == "rules" else model.get(id)


def _change(desk: Desk, conn: Connection, kind: str, id: str, entry: Any, between: tuple[int, int]) -> Iterator[LimitChange]:
    """The last change of an entry between two versions of its sheet; a rule that only moved inside the file has none."""
    changes = rulebook.rule_history(desk, conn, id) if kind == "rule" else [change for change, _fields in ladder_book.ladder_history(desk, conn, id)]
    last = next((each for each in changes if between[0] < each.version <= between[1]), None)
    if last is not None:
        shown = entry[-1] if isinstance(entry, tuple) and entry else entry
        yield LimitChange(kind, id, getattr(shown, "label", "") or id, last.at, last.by, last.reason, gone=not entry)
