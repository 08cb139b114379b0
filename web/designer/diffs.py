"""What the pages that show two states of a procedure have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import current_app
from sqlalchemy import Connection

from engine.runtime.design import comparing
from engine.runtime.design.named_limits import changed_limits


def comparison(
    conn: Connection, old: Mapping[str, str], new: Mapping[str, str], since: int | None = None, until: int | None = None
) -> dict[str, Any]:
    """Values for ``designer/_diff.html``: ``diffs`` of the files that differ, ``drawings`` beside each other, and ``limits`` that the new
    files name and that were changed after the deployment ``since`` (up to ``until``)."""
    desk = current_app.extensions["engine"].desk
    diffs = [each for each in comparing.compare(old, new, desk.people.directory(conn).roles) if each.status != "same"]
    return {"diffs": diffs, "drawings": comparing.drawings(old, new), "limits": changed_limits(desk, conn, new, since, until)}
