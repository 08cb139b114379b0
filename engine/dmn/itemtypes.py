"""Item definitions to types (DMN 1.5 §7.3.2, §7.3.3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lxml.etree import _Element

from engine.feel.api import compile_unary, parse_type
from engine.feel.errors import FeelError
from engine.feel.types import ANY, Type, resolve, simple_type
from engine.words import T

if TYPE_CHECKING:
    from engine.dmn.reader import Builder

# Names of other type systems that modelers write for a number or a date.
ALIASES = {
    "integer": "number", "int": "number", "long": "number", "double": "number", "float": "number", "decimal": "number",
    "datetime": "date and time", "any": "Any", "bool": "boolean",
}  # fmt: skip


def read_type_ref(builder: Builder, text: str, element: _Element) -> Type:
    """The type a reference names; an unknown one is reported as a warning and accepts anything."""
    name = text.strip()
    if name.partition(":")[0] in ("feel", "xsd"):
        name = name.partition(":")[2]
    if not name or name == "<Undefined>":
        return ANY
    found = simple_type(name) or simple_type(ALIASES.get(name.lower(), ""))
    if found is not None:
        return found
    if name in builder.model.types or name in builder.pending_types:
        return Type("named", name=name)
    if "<" in name:
        try:
            return parse_type(name)
        except FeelError:
            pass  # reported below, together with names that nobody defined
    message = T("The type %(name)s is not defined; anything is accepted in its place.", name=name)
    builder.problem(element, "dmn.type", message, severity="warning")
    return ANY


def read_item_definitions(builder: Builder, root: _Element) -> None:
    """Fill ``builder.model.types``."""
    definitions = builder.reader.all(root, "itemDefinition")
    builder.pending_types = {definition.get("name", "") for definition in definitions}
    for definition in definitions:
        builder.model.types[definition.get("name", "")] = _item_type(builder, definition)
    types = builder.model.types
    for name in list(types):
        types[name] = _resolved(types[name], types)


def _item_type(builder: Builder, element: _Element) -> Type:
    reader = builder.reader
    components = reader.all(element, "itemComponent")
    if components:
        base = Type("context", fields=tuple((item.get("name", ""), _item_type(builder, item)) for item in components))
    elif reader.one(element, "functionItem") is not None:
        base = _function_type(builder, reader.one(element, "functionItem"))
    else:
        base = read_type_ref(builder, reader.text(element, "typeRef"), element)
    allowed = reader.one(element, "allowedValues")
    builder.allowed_values[element.get("name", "")] = reader.text(allowed)
    base = _constrained(builder, base, allowed, element)
    if element.get("isCollection") == "true":
        base = Type("list", item=base)
    return _constrained(builder, base, reader.one(element, "typeConstraint"), element)


def _function_type(builder: Builder, element: _Element) -> Type:
    parameters = tuple(builder.type_ref(item) for item in builder.reader.all(element, "parameters"))
    return Type("function", parameters=parameters, result=read_type_ref(builder, element.get("outputTypeRef", ""), element))


def _constrained(builder: Builder, type_: Type, constraint: _Element | None, element: _Element) -> Type:
    text = builder.reader.text(constraint) if constraint is not None else ""
    if not text:
        return type_
    place = T("Type %(name)s", name=element.get("name", ""))
    tests = builder.tests(constraint, place)
    if tests is None:
        return type_

    def check(value: Any) -> bool:
        return compile_unary(text, builder.names).test(value) is True

    return replace(type_, check=check)


def _resolved(type_: Type, types: dict[str, Type]) -> Type:
    """Join a constraint on a named type with the constraints of what the name stands for."""
    if type_.kind != "named" or type_.check is None:
        return type_
    base = resolve(replace(type_, check=None), types)
    if base is None:
        return ANY
    return replace(base, check=_both(base.check, type_.check))


def _both(one: Callable[[Any], bool] | None, other: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return other if one is None else lambda value: one(value) and other(value)
