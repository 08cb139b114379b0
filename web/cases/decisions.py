"""The decisions of a case 决策依据: each table as it was drawn, the rows that fired marked, the values above their columns.

A line of the trail with the action ``decision`` holds what the evaluation recorded (:mod:`engine.dmn.record`) and the version of the
decision; the table itself is taken from that version, so that a page shows what was in force then.  Who may not see the confidential
fields of the case sees the tables that do not look at them; of the others neither values nor rows, for a row tells the value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from flask import current_app
from sqlalchemy import Connection, Row

from engine.words import T, Words
from web.i18n import say

ROW_BUDGET = 1_500
"""Rows of tables drawn on one page; when they are used up, only the rows that fired are drawn."""
LONG_TABLE = 25
"""Rows of a table that fit a screen."""

POLICIES: dict[str, Words] = {
    "UNIQUE": T("exactly one row applies"),
    "ANY": T("rows that apply agree"),
    "PRIORITY": T("the most important row counts"),
    "FIRST": T("the first row that applies counts"),
    "RULE ORDER": T("all rows that apply, in their order"),
    "OUTPUT ORDER": T("all rows that apply, in order of importance"),
    "COLLECT": T("all rows that apply"),
}
AGGREGATIONS: dict[str, Words] = {"SUM": T("their sum"), "MIN": T("the smallest"), "MAX": T("the largest"), "COUNT": T("how many")}


@dataclass(frozen=True)
class Column:
    """An input column: what it asks, and the value that was seen."""

    label: str
    expression: str
    value: str


@dataclass(frozen=True)
class Line:
    """One row of a table.  ``number`` is 1-based; ``remark`` joins annotations and description."""

    number: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    remark: str
    fired: bool


@dataclass(frozen=True)
class Taken:
    """One decision as it was taken: a table (``lines``), an expression (``text``), or only what was recorded."""

    name: str
    kind: str  # table, expression or bare
    decision: str = ""  # its id
    columns: tuple[Column, ...] = ()
    outputs: tuple[str, ...] = ()
    lines: tuple[Line, ...] = ()
    left_out: int = 0
    policy: str = ""
    text: str = ""
    inputs: tuple[tuple[str, str], ...] = ()
    fired: str = ""
    result: str = ""
    hidden: bool = False

    @property
    def remarks(self) -> bool:
        return any(line.remark for line in self.lines)

    @property
    def long(self) -> bool:
        """Whether the rows that fired would be lost among the others: then they are drawn first, and the whole table on request."""
        return len(self.lines) > LONG_TABLE and not self.hidden

    @property
    def fired_lines(self) -> tuple[Line, ...]:
        return tuple(line for line in self.lines if line.fired)


@dataclass(frozen=True)
class Decided:
    """One evaluation: the decisions taken on the way to its result, in order."""

    at: datetime
    step: str
    name: str
    version: int
    result: str
    taken: tuple[Taken, ...] = ()
    omitted: int = 0


@dataclass
class _Page:
    """What one page may still draw, and what its reader may see."""

    hide: Any
    case: Row
    rows: int = ROW_BUDGET
    hidden_names: set[str] = field(default_factory=set)


def decisions(conn: Connection, case: Row, trail: Sequence[Row], hide: Any) -> list[Decided]:
    """The evaluations in the trail, the latest first (its tables are the ones asked about most)."""
    page = _Page(hide, case)
    found = [_decided(conn, line, page) for line in reversed(trail) if line.action == "decision"]
    return found


def _decided(conn: Connection, line: Row, page: _Page) -> Decided:
    identifier, version = str(line.details.get("decision") or ""), line.details.get("version") or 0
    definition = current_app.extensions["engine"].catalogue.find("decision", identifier, version or None, conn=conn)
    recorded = line.details.get("rules")
    entries = [each for each in recorded if isinstance(each, Mapping)] if isinstance(recorded, list) else []
    model = definition.model.model if definition is not None else None
    page.hidden_names = _tainted(model, page.hide.fields) if page.hide.fields else set()
    taken = tuple(_taken(each, model, page) for each in entries if "omitted" not in each)
    result = page.hide.of(line.details.get("result"))
    page.hide.note_shown(page.case, line.details.get("result"))
    own_hidden = any(each.hidden for each in taken)
    told = next((each.result for each in reversed(taken) if each.decision == identifier), "")  # there the columns bear their labels
    return Decided(
        at=line.at,
        step=line.element_name or "",
        name=definition.name if definition else identifier,
        version=version,
        result=say(MASK) if own_hidden else told or value_text(result),
        taken=taken,
        omitted=sum(int(each.get("omitted") or 0) for each in entries if "omitted" in each),
    )


MASK = T("(confidential)")


def _taken(entry: Mapping[str, Any], model: Any, page: _Page) -> Taken:
    identifier = str(entry.get("decision_id") or "")
    owner = model and (model.anywhere("decisions", identifier) or model.anywhere("knowledge", identifier))
    table = model and model.anywhere("tables", str(entry.get("table") or ""))
    if table is None and owner is not None and entry.get("rule_indexes") is not None:
        table = getattr(owner, "table", None)  # records of earlier releases name no table
    name = owner.name if owner else identifier
    secret = identifier in page.hidden_names or owner is None and bool(page.hide.fields)
    hidden = secret and page.hide.hidden
    if secret and not hidden:
        page.hide.note_shown(page.case, dict.fromkeys(page.hide.fields, "shown"))
    found = _without_table(entry, owner, name, hidden, page) if table is None else _with_table(entry, table, name, hidden, page)
    return replace(found, decision=identifier)


def _without_table(entry: Mapping[str, Any], owner: Any, name: str, hidden: bool, page: _Page) -> Taken:
    text = getattr(owner, "text", "") if owner is not None else ""
    if hidden:
        return Taken(name, "expression" if text else "bare", text=text, hidden=True)
    value = entry["value"] if "value" in entry else entry.get("outputs")
    return Taken(
        name,
        "expression" if text else "bare",
        text=text,
        inputs=pairs(page.hide.of(entry.get("inputs"))),
        fired=_numbers(entry),
        result=value_text(page.hide.of(value)),
    )


def _with_table(entry: Mapping[str, Any], table: Any, name: str, hidden: bool, page: _Page) -> Taken:
    fired = frozenset() if hidden else frozenset(entry.get("rule_indexes") or ())
    everything = len(table.rules) <= page.rows
    rules = [rule for rule in table.rules if everything or rule.index in fired]
    page.rows -= len(rules)
    values = entry.get("values")
    if not isinstance(values, list) or len(values) != len(table.inputs):
        by_label = entry.get("inputs") or {}
        values = [by_label.get(clause.label, by_label.get(clause.expression)) for clause in table.inputs]
    labels = {clause.name: clause.label or clause.name for clause in table.outputs}
    policy = say(POLICIES.get(table.hit_policy, table.hit_policy))
    if table.aggregation:
        policy = f"{policy} · {say(AGGREGATIONS.get(table.aggregation, table.aggregation))}"
    value = entry["value"] if "value" in entry else entry.get("outputs")
    return Taken(
        name,
        "table",
        columns=tuple(
            Column(clause.label, clause.expression if clause.expression != clause.label else "", "" if hidden else value_text(value, null=True))
            for clause, value in zip(table.inputs, page.hide.of(values), strict=True)
        ),
        outputs=tuple(clause.label or clause.name for clause in table.outputs),
        lines=tuple(
            Line(rule.index, rule.inputs, rule.outputs, " · ".join(filter(None, (*rule.annotations, rule.description))), rule.index in fired)
            for rule in rules
        ),
        left_out=len(table.rules) - len(rules),
        policy=policy,
        fired="" if hidden else _numbers(entry),
        result="" if hidden else value_text(_labelled(page.hide.of(value), labels)),
        hidden=hidden,
    )


def _labelled(value: Any, labels: Mapping[str, str]) -> Any:
    """A result with the labels of the output columns in place of their names."""
    if isinstance(value, list):
        return [_labelled(each, labels) for each in value]
    return {labels.get(name, name): inner for name, inner in value.items()} if isinstance(value, Mapping) else value


def _numbers(entry: Mapping[str, Any]) -> str:
    return ", ".join(str(number) for number in entry.get("rule_indexes") or ())


# -- confidential fields ----------------------------------------------------------------------------------------------------------


def _tainted(model: Any, fields: Iterable[str]) -> set[str]:
    """The ids of the decisions and knowledge models that look at a confidential field, directly or through what they require."""
    names, ids = set(fields), set()
    elements = [each for each in _all_models(model) for each in (*each.decisions.values(), *each.knowledge.values())]
    grown = True
    while grown:
        grown = False
        asked = re.compile("|".join(rf"(?<!\w){re.escape(name)}(?!\w)" for name in sorted(names, key=len, reverse=True)))
        for element in elements:
            required = any(getattr(requirement.target, "id", None) in ids for requirement in element.requirements)
            if element.id not in ids and (required or any(asked.search(text) for text in element.texts)):
                ids.add(element.id)
                names |= {element.name, getattr(element, "variable", element.name)}
                grown = True
    return ids


def _all_models(model: Any) -> list[Any]:
    return [] if model is None else [model, *(inner for each in model.imports.values() for inner in _all_models(each))]


# -- values as text ---------------------------------------------------------------------------------------------------------------


def pairs(value: Any) -> tuple[tuple[str, str], ...]:
    """A context as labelled texts; a single value has no label."""
    if isinstance(value, Mapping):
        return tuple((str(name), value_text(inner, null=True)) for name, inner in value.items())
    return (("", value_text(value)),) if value is not None else ()


def value_text(value: Any, *, null: bool = False) -> str:
    """A recorded value as a reader expects it; ``null`` says what stands for nothing."""
    if value is None:
        return say(T("nothing")) if null else ""
    if isinstance(value, Words):
        return say(value)
    if isinstance(value, bool):
        return say(T("yes") if value else T("no"))
    if isinstance(value, list):
        return "、".join(value_text(each, null=True) for each in value)
    if isinstance(value, Mapping):
        return "; ".join(f"{name}: {value_text(inner, null=True)}" for name, inner in value.items())
    return str(value)
