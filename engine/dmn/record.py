"""What an evaluation leaves behind for people: which decisions were taken, on what values, by which rows, with what result.

A record is kept with a case for years, so it is bounded whatever the values were: long texts, lists and contexts are cut with
an ellipsis, and of many tables (a knowledge model called in a loop) the first :data:`MAX_ENTRIES` are kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from engine.feel.values import kind_of, to_json, to_text
from engine.words import Words

MAX_ENTRIES = 60
MAX_TEXT, MAX_PARTS, MAX_DEPTH = 400, 30, 6
ELLIPSIS = "…"


@dataclass(slots=True)
class Trace:
    """What an evaluation records on the way; carried by the FEEL runtime.

    ``rules`` holds the entries in the order in which the decisions were taken.  Of a decision table: ``decision_id`` (or the id of
    the knowledge model that holds the table), ``table`` (its key in ``DmnModel.tables``), ``rule_ids`` and 1-based ``rule_indexes``
    of the rows that count, ``annotations`` of these rows (lists of texts; the description stands in for none), ``inputs`` by label,
    ``values`` of the input columns in order, ``outputs`` of the rows, and ``value`` once the decision has one.  Of any other
    decision: ``decision_id``, ``inputs`` (values of what it requires) and ``value``.
    """

    rules: list[dict[str, Any]] = field(default_factory=list)
    omitted: int = 0
    failure: Words | None = None

    def fail(self, message: Words) -> None:
        self.failure = self.failure or message

    def add(self, entry: dict[str, Any], *, decision: bool = False) -> None:
        """Keep an entry; a decision is taken once and always kept, tables that functions run are kept while there is room."""
        if decision or len(self.rules) < MAX_ENTRIES:
            self.rules.append(entry)
        else:
            self.omitted += 1

    def entries(self) -> list[dict[str, Any]]:
        """All that was recorded; a last entry ``{"omitted": n}`` says how many more there were."""
        return [*self.rules, {"omitted": self.omitted}] if self.omitted else self.rules


def shown(value: Any, depth: int = 0) -> Any:
    """A FEEL value as JSON for looking at: exact while it is small, cut with an ellipsis where it is not."""
    kind = kind_of(value)
    if kind == "string":
        return value if len(value) <= MAX_TEXT else value[:MAX_TEXT] + ELLIPSIS
    if kind not in ("list", "context"):
        return to_json(value, exact=False) if kind in ("null", "boolean", "number") else _short(to_text(value))
    if depth >= MAX_DEPTH:
        return ELLIPSIS
    if kind == "list":
        return [shown(item, depth + 1) for item in value[:MAX_PARTS]] + [ELLIPSIS] * (len(value) > MAX_PARTS)
    result = {_short(key): shown(item, depth + 1) for key, item in list(value.items())[:MAX_PARTS]}
    return result | ({ELLIPSIS: len(value) - MAX_PARTS} if len(value) > MAX_PARTS else {})


def _short(text: str) -> str:
    return text if len(text) <= MAX_TEXT else text[:MAX_TEXT] + ELLIPSIS
