"""What differs between two states of a form or of a table of decisions, in sentences a designer reads instead of lines of JSON or XML."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from lxml import etree

from engine.bpmn.xml import local, parse_xml
from engine.forms.components import DEEPEST, Component, children_of, setting
from engine.words import T, Words

MOST = 200
"""Sentences of one file; a file rewritten from the ground up is read side by side."""
CELL_LIMIT = 120
"""Characters of a cell that a sentence shows."""

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

KINDS: dict[str, Words] = {
    "textfield": T("line of text"), "textarea": T("several lines of text"), "number": T("number"), "datetime": T("date and time"),
    "checkbox": T("tick box"), "checklist": T("several ticks"), "radio": T("one of several"), "select": T("list to choose from"),
    "taglist": T("several labels"), "filepicker": T("attachment"), "expression": T("calculation"), "group": T("group of parts"),
    "dynamiclist": T("list of rows"), "table": T("table"), "text": T("text shown"), "html": T("text shown"), "image": T("picture"),
    "spacer": T("empty space"), "separator": T("dividing line"), "button": T("button"), "iframe": T("foreign page"),
    "documentPreview": T("preview of a document"),
}  # fmt: skip
"""Type of a component → what people call it."""

POLICIES: dict[str, Words] = {
    "UNIQUE": T("one row at most"), "FIRST": T("the first row"), "PRIORITY": T("by priority"), "ANY": T("any row, all alike"),
    "COLLECT": T("all rows"), "RULE ORDER": T("all rows, in their order"), "OUTPUT ORDER": T("all rows, by priority"),
    "COLLECT SUM": T("sum of all rows"), "COLLECT MIN": T("smallest of all rows"), "COLLECT MAX": T("largest of all rows"),
    "COLLECT COUNT": T("number of rows"),
}  # fmt: skip
"""Hit policy and aggregation → what the table gives."""


def differences(name: str, old: str | None, new: str | None) -> tuple[Words, ...]:
    """Sentences about a ``.form`` or ``.dmn`` file; none for other kinds, and none when either side cannot be read."""
    compare = {".form": _form, ".dmn": _decisions}.get(PurePosixPath(name).suffix.lower())
    if compare is None or old is None or new is None:
        return ()
    found = []
    for sentence in compare(name, old, new):
        found.append(sentence)
        if len(found) > MOST:
            return ()
    return tuple(found)


# --- forms ------------------------------------------------------------------------------------------------------------


def _form(_name: str, old: str, new: str) -> Iterator[Words]:
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
            yield T("Changed: “%(part)s”: %(what)s.", part=_called(other), what=_list(changed))
    common = [key for key in then if key in now]
    if common != [key for key in now if key in then]:
        yield T("The parts stand in another order.")


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
            return _short(value.strip().splitlines()[0].lstrip("# "))
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


# --- decisions --------------------------------------------------------------------------------------------------------


def _decisions(name: str, old: str, new: str) -> Iterator[Words]:
    before, after = _tree(name, old), _tree(name, new)
    if before is None or after is None:
        return
    then, now = ({node.get("id"): node for node in tree.iter("{*}decision")} for tree in (before, after))
    for key, node in now.items():
        if key not in then:
            yield T("Added: the decision “%(name)s”.", name=_name(node))
    for key, node in then.items():
        if key not in now:
            yield T("Removed: the decision “%(name)s”.", name=_name(node))
        else:
            yield from _decision(node, now[key])


def _tree(name: str, text: str) -> etree._ElementTree | None:
    tree, _problems = parse_xml(text.encode(), name)
    return tree


def _decision(old: etree._Element, new: etree._Element) -> Iterator[Words]:
    called = _name(new)
    if _name(old) != called:
        yield T("The decision “%(old)s” is called “%(new)s” now.", old=_name(old), new=called)
    tables = [node.find("{*}decisionTable") for node in (old, new)]
    if None not in tables:
        yield from _table(called, *tables)
        return
    bodies = [_texts(node) for node in (old, new)]
    if bodies[0] != bodies[1]:
        yield T("“%(name)s” is decided in another way.", name=called)


def _table(called: str, old: etree._Element, new: etree._Element) -> Iterator[Words]:
    policies = [(node.get("hitPolicy", "UNIQUE"), node.get("aggregation", "")) for node in (old, new)]
    if policies[0] != policies[1]:
        yield T(
            "“%(name)s”: the hit policy is %(new)s instead of %(old)s.", name=called, old=_policy(policies[0]), new=_policy(policies[1])
        )
    columns_then, columns_now = _columns(old), _columns(new)
    for key, label in columns_now.items():
        if key not in columns_then:
            yield T("“%(name)s”: column “%(column)s” is new.", name=called, column=label[0])
        elif columns_then[key] != label:
            yield T("“%(name)s”: column “%(column)s” has changed.", name=called, column=label[0])
    for key, label in columns_then.items():
        if key not in columns_now:
            yield T("“%(name)s”: column “%(column)s” is gone.", name=called, column=label[0])
    rules_then, rules_now = _rules(old), _rules(new)
    for key, (number, cells) in rules_now.items():
        if key not in rules_then:
            yield T("“%(name)s”: row %(row)d is new.", name=called, row=number)
            continue
        before = rules_then[key][1]
        for column, text in cells.items():
            if column in before and before[column] != text:
                yield T("“%(name)s”, row %(row)d, “%(column)s”: %(old)s → %(new)s", name=called, row=number,
                        column=columns_now.get(column, ("?",))[0], old=_short(before[column]) or "-", new=_short(text) or "-")  # fmt: skip
    for key, (number, _cells) in rules_then.items():
        if key not in rules_now:
            yield T("“%(name)s”: the former row %(row)d is gone.", name=called, row=number)
    if [key for key in rules_then if key in rules_now] != [key for key in rules_now if key in rules_then]:
        yield T("“%(name)s”: the rows stand in another order.", name=called)


def _columns(table: etree._Element) -> dict[str, tuple[str, ...]]:
    """Id of a column → its title, and what else makes it what it is."""
    found = {}
    for node in table:
        if local(node) not in ("input", "output"):
            continue
        label = node.get("label") or node.get("name") or _texts(node) or node.get("id") or "?"
        found[node.get("id") or f"{local(node)}{len(found)}"] = (label, _texts(node), node.get("name") or "", node.get("typeRef") or "")
    return found


def _rules(table: etree._Element) -> dict[str, tuple[int, dict[str, str]]]:
    """Id of a row → its number in the table and its cells by column."""
    columns = list(_columns(table))
    found: dict[str, tuple[int, dict[str, str]]] = {}
    for number, rule in enumerate(table.iterfind("{*}rule"), 1):
        cells = [_texts(node) for node in rule if local(node) in ("inputEntry", "outputEntry")]
        found[rule.get("id") or f"#{number}"] = (number, dict(zip(columns, cells, strict=False)))
    return found


# --- words ------------------------------------------------------------------------------------------------------------


def _kind(component: Component) -> str:
    kind = str(component.get("type"))
    return KINDS.get(kind, kind)


def _policy(policy: tuple[str, str]) -> str:
    key = " ".join(policy).strip()
    return POLICIES.get(key, key)


def _name(node: etree._Element) -> str:
    return _short(node.get("name") or node.get("id") or "?")


def _texts(node: etree._Element) -> str:
    return " ".join(" ".join((each.text or "").split()) for each in node.iter("{*}text")).strip()


def _short(text: str) -> str:
    return text if len(text) <= CELL_LIMIT else f"{text[:CELL_LIMIT]}…"


def _list(parts: list[Words]) -> Words:
    """The parts one after the other, each translated by itself."""
    joined = parts[0]
    for each in parts[1:]:
        joined = T("%(first)s, %(next)s", first=joined, next=each)
    return joined
