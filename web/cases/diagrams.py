"""What the diagram of a case marks: where it is, where it was, where it came back from; one diagram per process instance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import url_for
from sqlalchemy import Connection, Row

from web.cases import queries


@dataclass(frozen=True)
class Diagram:
    """One instance's diagram; ``island`` is the id of its JSON."""

    island: str
    name: str
    root: bool
    running: bool
    about: dict[str, Any]


def diagrams(conn: Connection, case_key: int, trail: Sequence[Row]) -> list[Diagram]:
    """The diagrams of a case, the case's own first; called processes are named with their number when there are several."""
    passages: dict[int, list[Row]] = {}
    for row in queries.passages_of(conn, case_key):
        passages.setdefault(row.instance_key, []).append(row)
    # What was last left by a return shows as returned until somebody finishes it properly.
    last: dict[tuple[int | None, str], str] = {
        (line.instance_key, line.element_id): line.action for line in trail if line.element_id and line.action in ("complete", "return")
    }
    found = []
    for row in queries.instances_of(conn, case_key):
        counts: dict[str, int] = {}
        for passage in passages.get(row.key, ()):
            counts[passage.element_id] = counts.get(passage.element_id, 0) + passage.count
        by_state = {state: sorted({each.element_id for each in passages.get(row.key, ()) if each.state == state}) for state in ("ACTIVE", "COMPLETED")}
        about = {
            "url": url_for("cases.diagram", key=case_key, instance=row.key),
            "done": by_state["COMPLETED"],
            "current": by_state["ACTIVE"],
            "returned": sorted(element for (instance, element), action in last.items() if instance == row.key and action == "return"),
            "counts": {element: count for element, count in counts.items() if count > 1},
        }
        found.append(Diagram(f"diagram-{row.key}", row.name or row.process_id, row.key == case_key, row.state == "ACTIVE", about))
    return found
