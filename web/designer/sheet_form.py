"""What the form of a procedure sheet sends, as the values of the sheet."""

from __future__ import annotations

import json
from typing import Any

from werkzeug.datastructures import MultiDict

from engine.runtime.design.sheet_editing import LISTS, OPTIONAL_PARTS, PARTS, REST, ROWS, SPOKEN_PARTS, TEXTS, empty_row

MOST_ROWS = 300


def posted(form: MultiDict) -> dict[str, Any]:
    """The fields as they were sent, in the shape of ``sheet_editing.values_of``; optional parts that are not ticked are ``None``."""
    values: dict[str, Any] = {key: _text(form, key) for key in TEXTS}
    for key, columns in ROWS.items():
        count = form.get(f"{key}.count", "")
        number = min(int(count), MOST_ROWS) if count.isascii() and count.isdecimal() and len(count) < 6 else 0
        values[key] = [_row(form, f"{key}.{index}", columns) for index in range(number)]
    for key, columns in PARTS.items():
        there = key not in OPTIONAL_PARTS or key in SPOKEN_PARTS or form.get(f"{key}.on") == "1"
        values[key] = _row(form, key, columns) if there else None
    for key in SPOKEN_PARTS:
        if not any(values[key].values()):
            # Nobody to name is the same as nothing said.
            values[key] = None
    return values


def _row(form: MultiDict, prefix: str, columns: tuple[str, ...]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in columns:
        place = f"{prefix}.{name}"
        found[name] = [each.strip() for each in form.getlist(place) if each.strip()] if name in LISTS else _text(form, place)
    return found | {REST: _rest(form.get(f"{prefix}.{REST}", ""))}


def _text(form: MultiDict, name: str) -> str:
    return form.get(name, "").replace("\r\n", "\n").strip()


def _rest(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def rearranged(values: dict[str, Any], order: str) -> str | None:
    """Carry out ``add:register``, ``remove:register:2``, ``up:…`` or ``down:…`` on the rows; returns the field to go to.

    An order for a row that is not there changes nothing.
    """
    what, _, rest = order.partition(":")
    key, _, number = rest.partition(":")
    if key not in ROWS:
        return None
    rows = values[key]
    if what == "add":
        if len(rows) < MOST_ROWS:
            rows.append(empty_row(key))
        return f"{key}.{len(rows) - 1}.{ROWS[key][0]}"
    at = int(number) if number.isascii() and number.isdecimal() and len(number) < 6 else len(rows)
    if at >= len(rows):
        return None
    if what == "remove":
        del rows[at]
        return f"{key}.{min(at, len(rows) - 1)}.{ROWS[key][0]}" if rows else f"{key}.add"
    to = at - 1 if what == "up" else at + 1 if what == "down" else at
    if 0 <= to < len(rows):
        rows[at], rows[to] = rows[to], rows[at]
        at = to
    return f"{key}.{at}.{what}"
