"""Changing one entry of a rule table or ladder sheet and leaving every other character as it stands.

The sheets are deployed files that people also keep in a version archive: comments, order and line breaks are theirs.  So an edit on
a page replaces the text of one entry only, and is checked by reading the sheet again.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import yaml

from engine.errors import ValidationFailed

RULE_COLUMNS = (
    "id", "also", "label", "effective_from", "limit", "unit", "by", "direction", "bound", "count_first_day", "starts_at", "rest_day_start",
    "extension", "pauses", "roll_forward", "promise_of", "ladder", "note", "source", "status",
)  # fmt: skip
"""The columns of a rule in the order in which they are written."""
_RULE_DEFAULTS: dict[str, Any] = {
    "also": [], "effective_from": None, "direction": "after", "bound": "at_most", "count_first_day": False, "starts_at": "",
    "rest_day_start": "next_workday", "extension": None, "pauses": True, "roll_forward": True, "promise_of": "", "ladder": "", "note": "", "source": "",
}  # fmt: skip
MONITORING_COLUMNS = (
    "id", "label", "kind", "limits", "procedures", "outcomes", "reason_fields", "scope", "whom", "cards", "effective_from", "source", "status", "note",
)  # fmt: skip
"""The columns of a rule of electronic supervision in the order in which they are written."""
RUNG_COLUMNS = ("id", "when", "level", "light", "recipients", "channel", "actions", "unless", "text")


def rule_rows(text: str | bytes) -> list[dict[str, Any]]:
    """The rows of a rule table as they are written, versions of one rule side by side."""
    sheet = yaml.safe_load(text)
    rows = sheet.get("rules") if isinstance(sheet, dict) else None
    return [dict(row) for row in rows or () if isinstance(row, dict)]


def ladder_bodies(text: str | bytes) -> dict[str, dict[str, Any]]:
    """Ladder id → its label and rungs, as they are written."""
    sheet = yaml.safe_load(text)
    named = sheet.get("ladders") if isinstance(sheet, dict) else None
    return {str(id): dict(body) for id, body in (named or {}).items() if isinstance(body, dict)}


def with_rule(text: str, row: Mapping[str, Any], replacing: Mapping[str, Any] | None = None) -> str:
    """The rule table with ``row`` in the place of the row ``replacing``, or behind the last row of its id (else at the end).

    ``replacing`` is a row as :func:`rule_rows` gave it.  Raises :class:`ValidationFailed` when the sheet is written in a way that
    cannot be changed entry by entry.
    """
    written = _flow({name: row[name] for name in RULE_COLUMNS if name in row and row[name] != _RULE_DEFAULTS.get(name, _Nothing)})
    rows, nodes = rule_rows(text), _sequence(text, "rules")
    wanted = list(rows)
    if replacing is not None:
        at = rows.index(dict(replacing))
        begin, end = _span(nodes.value[at])
        changed = text[:begin] + written + text[end:]
        wanted[at] = yaml.safe_load(written)
    else:
        before = [index for index, each in enumerate(rows) if each.get("id") == row["id"]]
        at = before[-1] if before else len(rows) - 1
        end = _span(nodes.value[at])[1]
        indent = " " * max(0, nodes.value[at].start_mark.column - 2)
        line_end = text.find("\n", end)
        end = len(text) if line_end < 0 else line_end
        changed = f"{text[:end]}\n{indent}- {written}{text[end:]}"
        wanted.insert(at + 1, yaml.safe_load(written))
    return _proved(changed, rule_rows(changed) == wanted)


def with_ladder(text: str, ladder_id: str, body: Mapping[str, Any]) -> str:
    """The ladder sheet with ``body`` (label and rungs) as the ladder ``ladder_id``, in its old place or at the end."""
    root = yaml.compose(text)
    named = next((value for name, value in _pairs(root) if name.value == "ladders"), None)
    if not isinstance(named, yaml.MappingNode) or named.flow_style or not named.value:
        raise _unchangeable()
    indent = named.value[0][0].start_mark.column
    written = _ladder(ladder_id, body, indent)
    wanted = ladder_bodies(text) | {ladder_id: yaml.safe_load(written)[ladder_id]}
    pair = next(((name, value) for name, value in named.value if name.value == ladder_id), None)
    if pair is not None:
        begin, end = pair[0].start_mark.index, _span(pair[1])[1]
        changed = text[:begin] + written.lstrip() + text[end:]
    else:
        line_end = text.find("\n", _span(named)[1])
        end = len(text) if line_end < 0 else line_end
        changed = f"{text[:end]}\n{written}{text[end:]}"
    return _proved(changed, ladder_bodies(changed) == wanted)


def with_monitoring_rule(text: str, row: Mapping[str, Any], replacing: str | None = None) -> str:
    """The supervision rules with ``row`` in the place of the rule with the id ``replacing``, or at the end.

    Each column stands on a line of its own, and so does each card.  Raises as :func:`with_rule` does.
    """
    rows, sequence = rule_rows(text), _sequence(text, "rules")
    wanted = list(rows)
    at = next((index for index, each in enumerate(rows) if replacing is not None and each.get("id") == replacing), None)
    node = sequence.value[-1 if at is None else at]
    pad = " " * node.start_mark.column
    written = _monitoring_rule(row, pad)
    begin, end = _span(node)
    if at is not None:
        changed = text[:begin] + written + text[end:]
        wanted[at] = yaml.safe_load(pad + written)
    else:
        line_end = text.find("\n", end)
        end = len(text) if line_end < 0 else line_end
        changed = f"{text[:end]}\n{' ' * max(0, node.start_mark.column - 2)}- {written}{text[end:]}"
        wanted.append(yaml.safe_load(pad + written))
    return _proved(changed, rule_rows(changed) == wanted)


def _monitoring_rule(row: Mapping[str, Any], pad: str) -> str:
    lines = []
    for name in MONITORING_COLUMNS:
        if row.get(name) in (None, "", [], ()):
            continue
        if name == "cards":
            lines += ["cards:", *(f"  - {_flow(each)}" for each in row[name])]
        else:
            lines.append(f"{name}: {_flow(row[name])}")
    return f"\n{pad}".join(lines)


class _Nothing:
    """Equal to no value of a sheet."""


def _ladder(ladder_id: str, body: Mapping[str, Any], indent: int) -> str:
    pad = " " * indent
    lines = [f"{pad}{_flow(ladder_id)}:"]
    if body.get("label"):
        lines.append(f"{pad}  label: {_flow(body['label'])}")
    lines.append(f"{pad}  rungs:")
    for rung in body["rungs"]:
        columns = {name: rung[name] for name in RUNG_COLUMNS if name in rung and not (name == "unless" and not rung[name])}
        lines.append(f"{pad}    - {_flow(columns)}")
    return "\n".join(lines)


def _flow(value: Any) -> str:
    """A value on one line, as the sheets are written."""
    text = yaml.safe_dump(_plain(value), default_flow_style=True, allow_unicode=True, sort_keys=False, width=10**9)
    return text.removesuffix("\n").removesuffix("\n...").strip()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value if isinstance(value, (str, int, float, bool, date, type(None))) else str(value)


def _sequence(text: str, name: str) -> yaml.SequenceNode:
    root = yaml.compose(text)
    node = next((value for key, value in _pairs(root) if key.value == name), None)
    if not isinstance(node, yaml.SequenceNode) or node.flow_style or not node.value:
        raise _unchangeable()
    return node


def _pairs(root: yaml.Node | None) -> list[tuple[yaml.Node, yaml.Node]]:
    return root.value if isinstance(root, yaml.MappingNode) else []


def _span(node: yaml.Node) -> tuple[int, int]:
    """Where the text of a node begins and ends; a block ends with its last entry, not with the comments behind it."""
    begin = node.start_mark.index
    while isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        node = last[1] if isinstance(last, tuple) else last
    return begin, node.end_mark.index


def _proved(changed: str, right: bool) -> str:
    if not right:
        raise _unchangeable()
    return changed


def _unchangeable() -> ValidationFailed:
    return ValidationFailed("This sheet is written in a way that cannot be changed entry by entry. Change the file and deploy it.")
