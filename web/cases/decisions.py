"""The decisions of a case 决策依据: which table, which of its rows fired, on what values, with what result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import current_app
from sqlalchemy import Connection, Row

from engine.words import T
from web.i18n import say


@dataclass(frozen=True)
class Decided:
    """One evaluation of a table.  ``rows`` are the 1-based numbers of the rows that fired."""

    at: datetime
    step: str
    table: str
    version: int
    rows: str
    inputs: tuple[tuple[str, str], ...]
    result: tuple[tuple[str, str], ...]


def decisions(conn: Connection, trail: Sequence[Row]) -> list[Decided]:
    """The decisions in the trail, one line for each table that took part."""
    found = []
    for line in trail:
        if line.action != "decision":
            continue
        tables = line.details.get("rules")
        tables = [each for each in tables if isinstance(each, Mapping)] if isinstance(tables, list) else []
        for each in tables or [{"decision_id": line.details.get("decision")}]:
            identifier = str(each.get("decision_id") or "")
            definition = current_app.extensions["engine"].catalogue.find("decision", identifier, conn=conn)
            found.append(
                Decided(
                    at=line.at,
                    step=line.element_name or "",
                    table=definition.name if definition else identifier,
                    version=line.details.get("version") or 0,
                    rows=", ".join(str(number) for number in each.get("rule_indexes") or ()),
                    inputs=_pairs(each.get("inputs")),
                    result=_pairs(line.details.get("result") if identifier == line.details.get("decision") else each.get("outputs")),
                )
            )
    return found


def _pairs(value: Any) -> tuple[tuple[str, str], ...]:
    if isinstance(value, Mapping):
        return tuple((str(name), _text(inner)) for name, inner in value.items() if inner is not None)
    if isinstance(value, list) and value and all(isinstance(each, Mapping) for each in value):
        return tuple(pair for each in value for pair in _pairs(each))
    return (("", _text(value)),) if value is not None else ()


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return say(T("yes") if value else T("no"))
    if isinstance(value, list):
        return "、".join(_text(each) for each in value)
    if isinstance(value, Mapping):
        return "; ".join(f"{name}: {_text(inner)}" for name, inner in value.items())
    return "" if value is None else str(value)
