"""What differs between two states of a form, of a table of decisions or of a sheet, in sentences instead of lines of JSON, XML or YAML.

For files that can be read there is a sentence for every difference, so the lines themselves need not be looked at.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from engine.forms.components import DEEPEST, Component, children_of, setting
from engine.runtime.design import decision_differences, sheet_differences
from engine.runtime.design.files import SHEET_FILE
from engine.runtime.design.saying import listed, short
from engine.words import T, Words

MOST = 200
"""Sentences of one file; a file rewritten from the ground up is read side by side."""

PROPERTIES: dict[tuple[str, ...], Words] = {
    ("label",): T("title"),
    ("dateLabel",): T("title"),
    ("timeLabel",): T("title"),
    ("type",): T("kind"),
    ("key",): T("name of the answer"),
    ("path",): T("name of the answer"),
    ("description",): T("explanation"),
    ("text",): T("text"),
    ("content",): T("text"),
    ("values",): T("options"),
    ("valuesExpression",): T("options"),
    ("valuesKey",): T("options"),
    ("defaultValue",): T("default value"),
    ("validate", "required"): T("must be filled in"),
    ("validate",): T("what is accepted"),
    ("conditional",): T("when it is hidden"),
    ("readonly",): T("read-only"),
    ("disabled",): T("switched off"),
    ("expression",): T("calculation"),
    ("layout",): T("place on the page"),
}
"""Path of a property of a component → what people call it; whatever else differs is “other settings”."""

OWN = ("id", "components")
NOT_SAID = frozenset({"name", "components", "schemaVersion", "exporter", "executionPlatform", "executionPlatformVersion"})
"""Of the form itself: what has its own sentence, and the notes of the tool that wrote the file."""

KINDS: dict[str, Words] = {
    "textfield": T("line of text"), "textarea": T("several lines of text"), "number": T("number"), "datetime": T("date and time"),
    "checkbox": T("tick box"), "checklist": T("several ticks"), "radio": T("one of several"), "select": T("list to choose from"),
    "taglist": T("several labels"), "filepicker": T("attachment"), "expression": T("calculation"), "group": T("group of parts"),
    "dynamiclist": T("list of rows"), "table": T("table"), "text": T("text shown"), "html": T("text shown"), "image": T("picture"),
    "spacer": T("empty space"), "separator": T("dividing line"), "button": T("button"), "iframe": T("foreign page"),
    "documentPreview": T("preview of a document"),
}  # fmt: skip
"""Type of a component → what people call it."""


def differences(
    name: str, old: str | None, new: str | None, *, roles: Mapping[str, str] | None = None, cells: bool = True
) -> tuple[Words, ...]:
    """Sentences about a ``.form`` or ``.dmn`` file or a procedure sheet; none for other files, and none when either side cannot be read.

    ``roles`` are the names of roles by their id; without ``cells`` nothing is said about rows and cells of decision tables
    (:func:`decision_differences.tables` shows them).
    """
    if old is None or new is None or old == new:
        return ()
    suffix = PurePosixPath(name).suffix.lower()
    if suffix == ".form":
        said = _form(old, new)
    elif suffix == ".dmn":
        said = decision_differences.sentences(name, old, new, cells)
    elif name == SHEET_FILE:
        said = sheet_differences.sentences(old, new, roles or {})
    else:
        return ()
    found = []
    for sentence in said:
        found.append(sentence)
        if len(found) > MOST:
            return ()
    return tuple(found)


# --- forms ------------------------------------------------------------------------------------------------------------


def _form(old: str, new: str) -> Iterator[Words]:
    before, after = _schema(old), _schema(new)
    if before is None or after is None:
        return
    if before.get("name") != after.get("name"):
        yield T("The form is called “%(new)s” instead of “%(old)s”.", old=str(before.get("name") or ""), new=str(after.get("name") or ""))
    then, now = dict(_components(before)), dict(_components(after))
    for key, (component, _place) in now.items():
        if key not in then:
            yield T("Added: “%(part)s” (%(kind)s).", part=_called(component), kind=_kind(component))
    for key, (component, place) in then.items():
        if key not in now:
            yield T("Removed: “%(part)s” (%(kind)s).", part=_called(component), kind=_kind(component))
            continue
        other, other_place = now[key]
        changed = _properties(component, other)
        if place != other_place:
            changed.append(T("the group it is in"))
        if changed:
            yield T("Changed: “%(part)s”: %(what)s.", part=_called(other), what=listed(changed))
    common = [key for key in then if key in now]
    if common != [key for key in now if key in then]:
        yield T("The parts stand in another order.")
    # “schemaVersion” and the like are the notes of the tool that wrote the file.
    if any(before.get(name) != after.get(name) for name in before.keys() | after.keys() if name not in NOT_SAID):
        yield T("Other settings of the form have changed.")


def _schema(text: str) -> dict[str, Any] | None:
    try:
        schema = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return schema if isinstance(schema, dict) else None


def _components(parent: Component, place: str = "", depth: int = 0) -> Iterator[tuple[str, tuple[Component, str]]]:
    """Every component with what identifies it and the group it is in, in the order of the form."""
    if depth > DEEPEST:
        return
    for component in children_of(parent):
        key = str(component.get("id") or component.get("key") or component.get("path") or f"{place}/{component.get('type')}")
        yield key, (component, place)
        yield from _components(component, key, depth + 1)


def _called(component: Component) -> str:
    """How a person would name it: its title, the first line of its text, else its key."""
    for name in ("label", "dateLabel", "text", "key", "path", "id", "type"):
        value = component.get(name)
        if isinstance(value, str) and value.strip():
            return short(value.strip().splitlines()[0].lstrip("# "))
    return "?"


def _properties(before: Component, after: Component) -> list[Words]:
    """The words of what differs, each once."""
    changed: list[Words] = []
    told: set[str] = set()
    for path, word in PROPERTIES.items():
        if path[0] in told and len(path) == 1:
            continue
        if setting(before, *path) != setting(after, *path):
            told.add(path[0])
            if word not in changed:
                changed.append(word)
    known = {path[0] for path in PROPERTIES}
    if any(before.get(name) != after.get(name) for name in before.keys() | after.keys() if name not in known and name not in OWN):
        changed.append(T("other settings"))
    return changed


# --- words ------------------------------------------------------------------------------------------------------------


def _kind(component: Component) -> str:
    kind = str(component.get("type"))
    return KINDS.get(kind, kind)
