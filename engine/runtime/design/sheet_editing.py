"""The procedure sheet of a draft as fields.

The sheet stays a text (``procedure.yaml``); :mod:`engine.runtime.design.sheet_text` writes changed values into it.  What the fields do
not know is kept as it stands.  Beside it: :mod:`~engine.runtime.design.sheet_findings` (what is wrong at which field),
:mod:`~engine.runtime.design.sheet_choices` (what the fields can name), :mod:`~engine.runtime.design.sheet_preview` (how it will look).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any

from engine.errors import ValidationFailed
from engine.runtime.design import sheet_text
from engine.runtime.design.files import SHEET_FILE
from engine.runtime.sheets import HEADER_KEYS

TEXTS = ("process", "name", "short", "code", "case_number", "icon", "description", "limits_text", "title", "ladder")
"""Keys of the sheet that are one text."""
ROWS: dict[str, tuple[str, ...]] = {
    "deadlines": ("rule", "from"), "register": ("key", "label", "value"), "search": ("key", "label", "value", "kind"), "actions": ("message", "label", "form", "roles"),
    "documents": ("id", "name", "at"),
}  # fmt: skip
"""Keys of the sheet that are a list of mappings, with the columns of a row."""
PARTS: dict[str, tuple[str, ...]] = {
    "header": HEADER_KEYS, "start": ("form", "roles"), "public": ("show", "columns", "after"), "confidential": ("fields", "when", "visible_to", "visible_to_handler_of"),
    "withdraw": ("message", "label", "form", "roles"), "access": ("roles",),
}  # fmt: skip
"""Keys of the sheet that are a mapping, with its keys."""
LISTS = frozenset({"roles", "fields", "visible_to", "visible_to_handler_of", "columns", "after"})
"""Keys inside rows and parts that are a list of texts."""
ORDER = (
    "process", "name", "short", "code", "case_number", "icon", "description", "limits_text", "title", "header", "start", "deadlines",
    "confidential", "register", "search", "public", "withdraw", "actions", "documents", "access", "ladder",
)  # fmt: skip
ALWAYS = frozenset({"process", "name", "code", "title"})
"""Texts that a sheet needs: an empty one is written, so that the finding stands on its line."""
OPTIONAL_PARTS = frozenset({"confidential", "withdraw", "access", "public"})
SPOKEN_PARTS = frozenset({"access", "public"})
"""Optional parts that are there as soon as they say something; the others are there or not, whatever stands in them."""
REST = "rest"
"""In a row or part of the fields: the keys that no field shows, kept as they stand."""


# --- the text and its values ------------------------------------------------------------------------------------------------


def sheet_file(files: Mapping[str, str]) -> str:
    """The file of a draft that is its procedure sheet; the usual name when there is none yet."""
    if SHEET_FILE in files:
        return SHEET_FILE
    named = sorted(name for name in files if PurePosixPath(name).suffix.lower() in (".yaml", ".yml"))
    return named[0] if named else SHEET_FILE


def values_of(text: str) -> dict[str, Any]:
    """The sheet as fields: every known key, empty where the text has none; optional parts are ``None`` when they are not there.

    Rows and parts have what no field shows under :data:`REST`.  Raises :class:`ValidationFailed` for a text that no fields can show,
    such as one with a text where a list belongs, so that it can only be changed as text.
    """
    found = sheet_text.read(text)
    if found is None:
        if sheet_text.yaml_of(text) is not None:
            raise ValidationFailed(sheet_text.UNCHANGEABLE)
        found = {}
    values: dict[str, Any] = {key: _of_kind(str, found.get(key, "")) for key in TEXTS}
    for key, columns in ROWS.items():
        values[key] = [_known(row, columns) for row in _of_kind(list, found.get(key, ""))]
    for key, columns in PARTS.items():
        values[key] = _known(found.get(key, ""), columns) if key in found or key not in OPTIONAL_PARTS else None
    return values


def empty_row(key: str) -> dict[str, Any]:
    """A row or part of a sheet with nothing in it."""
    return _known({}, ROWS.get(key) or PARTS[key])


def _of_kind(kind: type, value: Any) -> Any:
    """The value, which must be of that kind; nothing is empty of every kind."""
    if value == "":
        return kind()
    if not isinstance(value, kind):
        raise ValidationFailed(sheet_text.UNCHANGEABLE)
    return value


def _known(row: Any, columns: Iterable[str]) -> dict[str, Any]:
    found = _of_kind(dict, row)
    known: dict[str, Any] = {}
    for name in columns:
        if name in LISTS:
            known[name] = [_of_kind(str, each) for each in _of_kind(list, found.get(name, ""))]
        else:
            known[name] = _of_kind(str, found.get(name, ""))
    return known | {REST: {name: value for name, value in found.items() if name not in columns}}


def without_empty_rows(values: Mapping[str, Any]) -> dict[str, Any]:
    """The fields without rows in which nothing stands."""
    return {**values, **{key: [row for row in values[key] if _written(row)] for key in ROWS}}


def with_values(text: str, values: Mapping[str, Any]) -> str:
    """The text of the sheet with ``values`` (as :func:`values_of` gives them) in it; all else stays.

    Raises :class:`ValidationFailed` when the text does not allow it.
    """
    old = sheet_text.read(text) or {}
    wanted: dict[str, Any] = {}
    for key in ORDER:
        value = values.get(key)
        if key in TEXTS:
            if value or key in ALWAYS:
                wanted[key] = value or ""
        elif key in ROWS:
            rows = [row for each in value or () if (row := _written(each))]
            if rows:
                wanted[key] = rows
        elif value is not None or key not in OPTIONAL_PARTS:
            part = _written(value or {})
            if part or key not in SPOKEN_PARTS:
                wanted[key] = part
    return sheet_text.rewritten(text, wanted | {key: value for key, value in old.items() if key not in ORDER})


def merged(base: Mapping[str, Any], mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, Any]:
    """Two changes of the same fields put together: what was not changed in ``mine`` is as ``theirs`` has it; of both, ``mine`` counts.

    Lists of rows and lists of names are taken as a whole.
    """
    found: dict[str, Any] = {}
    for key in (*TEXTS, *ROWS, *PARTS):
        three = base[key], mine[key], theirs[key]
        if key in PARTS and all(each is not None for each in three):
            found[key] = {name: _later(*(each.get(name) for each in three)) for name in (*PARTS[key], REST)}
        else:
            found[key] = _later(*three)
    return found


def _later(base: Any, mine: Any, theirs: Any) -> Any:
    return theirs if mine == base else mine


def _written(row: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in row.items() if name != REST and value not in ("", [], None)}
    return kept | dict(row.get(REST) or {})
