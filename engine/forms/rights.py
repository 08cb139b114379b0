"""Rights to the fields of a form at one step (字段权限): hidden, read-only, or to be filled in.

One form can serve several steps.  A step says in its attributes which fields it hides and which it only shows; both are lists of
keys with commas, nested keys with dots (``applicant.phone``; the column of a list is ``items.price``), and the name of a group
means everything in it.  The form as the step sees it is a form of its own: what is hidden is not in it, so it is neither sent to
the browser nor required nor accepted; what is read-only holds the value of the case, whatever is posted for it.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from engine.forms.components import GROUP, INPUT, LIST, Component, children_of, own_path, type_of

HIDDEN, READONLY = "fields.hidden", "fields.readonly"
PROPERTIES = (HIDDEN, READONLY)

Place = tuple[str | int, ...]


@dataclass(frozen=True)
class FieldRights:
    """Dotted names of the fields that a step hides, and of those that it only shows.  Hidden goes before read-only."""

    hidden: frozenset[str] = frozenset()
    readonly: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.hidden or self.readonly)


FREE = FieldRights()
"""Everything may be filled in."""


def field_names(value: Any) -> list[str]:
    """The names in the text of an attribute, in its order."""
    return [name for part in str(value or "").split(",") if (name := part.strip())]


def rights_of(properties: Mapping[str, Any]) -> FieldRights:
    """The rights that the attributes of a user task give."""
    hidden, readonly = (frozenset(field_names(properties.get(name))) for name in PROPERTIES)
    return FieldRights(hidden, readonly)


def covers(names: Iterable[str], path: str) -> bool:
    """Whether one of ``names`` is the field at the dotted ``path`` or a group around it."""
    return any(path == name or path.startswith(f"{name}.") for name in names)


def limited(schema: Mapping[str, Any], rights: FieldRights, context: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The form-js schema as a step with ``rights`` sees it.

    A list of which a column is hidden or read-only keeps the rows that ``context`` has: what is in such a column belongs to its
    row, and nobody could say what belongs to a new or a moved one.
    """
    if not rights:
        return dict(schema)
    return {**schema, "components": list(_limited(children_of(dict(schema)), (), rights, context or {}))}


def _limited(components: list[Component], prefix: tuple[str, ...], rights: FieldRights, context: Mapping[str, Any]) -> Iterator[Component]:
    for component in components:
        kind = type_of(component)
        path = (*prefix, *own_path(component))
        named = ".".join(path) if path != prefix else ""
        if named and covers(rights.hidden, named):
            continue
        made = component
        if kind is not None and kind.role in (GROUP, LIST):
            inner = list(_limited(children_of(component), path, rights, context))
            if children_of(component) and not inner:
                continue
            made = {**component, "components": inner}
        if kind is not None and kind.role == LIST and inner != children_of(component) and _rows(context, path):
            made["allowAddRemove"] = False
        if kind is not None and kind.role in (INPUT, LIST) and covers(rights.readonly, named):
            # What the case holds was checked when it was filled in; asking for it here could not be answered.
            made = {name: value for name, value in made.items() if name != "validate"} | {"readonly": True}
        yield made


def _rows(context: Mapping[str, Any], path: tuple[str, ...]) -> bool:
    return any(isinstance(rows := _find(context, place), list) and rows for place in _places(path, context))


def shown(answers: Mapping[str, Any], rights: FieldRights, context: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """``answers`` (a draft, or the variables of the case) as the step may show them.

    Without what is hidden; with a ``context``, what is read-only is as it stands there and not as a draft remembers it.
    """
    result = copy.deepcopy(dict(answers))
    for name in rights.hidden if context is None else rights.hidden | rights.readonly:
        for place in list(_places(tuple(name.split(".")), result)):
            _remove(result, place)
    if context is not None:
        for name in rights.readonly:
            _bring(result, context, name, anew=True)
        for name in rights.hidden:
            for place in list(_places(tuple(name.split(".")), result)):
                _remove(result, place)
    return result


def restored(values: Mapping[str, Any], rights: FieldRights, context: Mapping[str, Any]) -> dict[str, Any]:
    """Clean answers with the hidden parts of groups and rows put back from the case.

    A group is stored as one value; without this, hiding one of its fields would erase that field.
    """
    result = copy.deepcopy(dict(values))
    for name in rights.hidden:
        if name.partition(".")[0] in result:
            _bring(result, context, name, anew=False)
    return result


def changed_rows(answers: Mapping[str, Any], rights: FieldRights, context: Mapping[str, Any], lists: Iterable[str]) -> Iterator[str]:
    """The dotted places of lists with a limited column whose rows were added or removed; ``lists`` are the lists of the form."""
    for name in lists:
        inside = any(each.startswith(f"{name}.") for each in rights.hidden | rights.readonly)
        if not inside or covers(rights.hidden | rights.readonly, name):
            continue
        for place in _places(tuple(name.split(".")), context):
            before, after = _find(context, place), _find(answers, place)
            if isinstance(before, list) and before and isinstance(after, list) and len(after) != len(before):
                yield ".".join(str(part) for part in place)


def _bring(result: dict[str, Any], context: Mapping[str, Any], name: str, *, anew: bool) -> None:
    for place in _places(tuple(name.split(".")), context):
        value = _find(context, place)
        if value is not None:
            _put(result, place, copy.deepcopy(value), anew)


def _places(path: tuple[str, ...], tree: Any, before: Place = ()) -> Iterator[Place]:
    """Where ``path`` is in ``tree``: once, or once for each row of the lists on its way; nothing where it is not."""
    if not path:
        yield before
    elif isinstance(tree, list):
        for index, row in enumerate(tree):
            yield from _places(path, row, (*before, index))
    elif isinstance(tree, Mapping) and path[0] in tree:
        yield from _places(path[1:], tree[path[0]], (*before, path[0]))


def _find(tree: Any, place: Place) -> Any:
    for part in place:
        if isinstance(part, int):
            tree = tree[part] if isinstance(tree, list) and part < len(tree) else None
        else:
            tree = tree.get(part) if isinstance(tree, Mapping) else None
    return tree


def _put(tree: Any, place: Place, value: Any, anew: bool) -> None:
    """Set a value; rows are never made, and levels of groups only where ``anew`` or the first one is there."""
    for number, part in enumerate(place[:-1]):
        if isinstance(part, int):
            if not isinstance(tree, list) or part >= len(tree):
                return
            tree = tree[part]
        elif isinstance(tree, dict) and isinstance(place[number + 1], str):
            if part not in tree and not (anew or number):
                return
            tree = tree.setdefault(part, {})
        elif isinstance(tree, dict):
            tree = tree.get(part)
        else:
            return
    if isinstance(tree, dict):
        tree[place[-1]] = value


def _remove(tree: Any, place: Place) -> None:
    holder = _find(tree, place[:-1]) if len(place) > 1 else tree
    if isinstance(holder, dict):
        holder.pop(place[-1], None)
