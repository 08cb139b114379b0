"""FEEL types: what ``instance of`` asks and what a declared type does to a value (DMN 1.5 §10.3.2.9)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from engine.feel.temporal import DateTime
from engine.feel.values import Builtin, Function, Range, kind_of

SIMPLE_TYPES = {
    "number": "number",
    "string": "string",
    "boolean": "boolean",
    "date": "date",
    "time": "time",
    "date and time": "date and time",
    "dateTime": "date and time",
    "days and time duration": "days and time duration",
    "dayTimeDuration": "days and time duration",
    "years and months duration": "years and months duration",
    "yearMonthDuration": "years and months duration",
    "list": "list",
    "context": "context",
    "function": "function",
    "range": "range",
    "Null": "null",
    "Any": "Any",
}


@dataclass(frozen=True, slots=True)
class Type:
    """``kind`` is a FEEL kind, ``Any`` or ``named``.

    ``item`` is the element type of a list or range, ``fields`` the entry types of a context, ``parameters`` and
    ``result`` belong to a function, ``name`` to a type defined elsewhere.  ``check`` is a further condition (allowed
    values of an item definition): it answers whether the value is admitted.
    """

    kind: str
    item: Type | None = None
    fields: tuple[tuple[str, Type], ...] = ()
    parameters: tuple[Type, ...] | None = None
    result: Type | None = None
    name: str = ""
    check: Callable[[Any], bool] | None = None


ANY = Type("Any")
Types = Mapping[str, Type]


def simple_type(name: str) -> Type | None:
    """The built-in type of that name, or ``None``."""
    kind = SIMPLE_TYPES.get(name)
    return None if kind is None else Type(kind)


def resolve(type_: Type, types: Types) -> Type | None:
    """Follow a name to its definition; ``None`` when nobody defined it (or only in a circle)."""
    for _ in range(20):
        if type_.kind != "named":
            return type_
        found = types.get(type_.name)
        if found is None:
            return None
        type_ = found
    return None


def conforms(value: Any, type_: Type, types: Types) -> bool | None:
    """Whether a value is an instance of a type; ``None`` when the type is unknown."""
    resolved = resolve(type_, types)
    if resolved is None:
        return None
    if value is None:
        return resolved.kind == "null"
    if resolved.kind == "Any":
        return True
    if kind_of(value) != resolved.kind:
        return False
    if resolved.kind == "list" and resolved.item is not None:
        good = all(_admits(item, resolved.item, types) for item in value)
    elif resolved.kind == "context":
        good = all(name in value and _admits(value[name], field, types) for name, field in resolved.fields)
    elif resolved.kind == "range" and resolved.item is not None:
        good = _range_conforms(value, resolved.item, types)
    elif resolved.kind == "function" and resolved.parameters is not None:
        good = _function_conforms(value, resolved.parameters)
    else:
        good = True
    return good and (resolved.check is None or resolved.check(value))


def _admits(value: Any, type_: Type, types: Types) -> bool:
    # Null is a member of every type's domain when it stands inside a structure.
    return value is None or conforms(value, type_, types) is True


def _range_conforms(value: Range, item: Type, types: Types) -> bool:
    return all(_admits(end, item, types) for end in (value.low, value.high))


def _function_conforms(value: Any, parameters: tuple[Type, ...]) -> bool:
    if isinstance(value, Function):
        declared = (type_ or ANY for type_ in value.types)
        return len(value.parameters) == len(parameters) and all(
            wanted.kind in ("Any", have.kind) or have.kind == "Any" for have, wanted in zip(declared, parameters, strict=True)
        )
    return isinstance(value, Builtin)


def coerce(value: Any, type_: Type, types: Types) -> tuple[bool, Any]:
    """Fit a value to a declared type: ``(fits, value)``.

    Null always fits.  A list of one becomes its element, an element becomes a list of one, a date becomes the
    midnight (UTC) that begins it; anything else that does not conform becomes null.
    """
    resolved = resolve(type_, types)
    if value is None or resolved is None or resolved.kind == "Any" and resolved.check is None:
        return True, value
    if conforms(value, resolved, types):
        return True, value
    if resolved.kind == "list" and not isinstance(value, list):
        return _retry([value], resolved, types)
    if resolved.kind != "list" and isinstance(value, list) and len(value) == 1:
        return coerce(value[0], resolved, types) if not isinstance(value[0], list) else (False, None)
    if resolved.kind == "date and time" and kind_of(value) == "date":
        return _retry(DateTime(value, 0, 0), resolved, types)
    if resolved.kind == "list" and resolved.item is not None:
        pairs = [coerce(item, resolved.item, types) for item in value]
        if all(fits for fits, _ in pairs):
            return _retry([item for _, item in pairs], resolved, types)
    if resolved.kind == "context" and isinstance(value, dict):
        fitted = dict(value)
        for name, field in resolved.fields:
            if name in fitted:
                fits, fitted[name] = coerce(fitted[name], field, types)
                if not fits:
                    return False, None
        return _retry(fitted, resolved, types)
    return False, None


def _retry(value: Any, type_: Type, types: Types) -> tuple[bool, Any]:
    return (True, value) if conforms(value, type_, types) else (False, None)
