"""The trail of a case as pages show it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row

from web import filters
from web.cases.words import MARKS


def trail_lines(trail: Sequence[Row]) -> list[dict[str, Any]]:
    """The trail with what a reader wants to know of each line; claims and hand-overs stay, they explain the time used."""
    return [
        {
            "row": line,
            "used": filters.time_used(line.received_at, line.at) if line.received_at else "",
            "mark": MARKS.get(line.action, ""),
            "told": ", ".join(each.get("name", "") for each in (line.details.get("recipients") or []) if isinstance(each, dict)),
        }
        for line in trail
    ]
