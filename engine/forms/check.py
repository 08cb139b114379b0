"""What is wrong with a form schema, found before anybody fills it in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from engine.errors import Problem
from engine.feel import FeelError, compile_expression
from engine.forms.components import (
    COMPUTED,
    DEEPEST,
    FEEL_PLACES,
    GROUP,
    INPUT,
    KEY_PATTERN,
    LIST,
    TYPES,
    Component,
    js_pattern,
    own_path,
    setting,
    type_of,
)  # fmt: skip
from engine.forms.feel import is_expression, source
from engine.words import T, Words

Finding = tuple[Component, str, Words, str]


def problems_of(schema: Any, file: str, text: str | None) -> list[Problem]:
    """Every finding about a schema, in the order of the form.  ``text`` is the file as written, to say line numbers."""
    found = []
    for component, rule, message, severity in _findings(schema):
        name = component.get("id") or component.get("key")
        found.append(
            Problem(file, _line(component, text), name if isinstance(name, str) else None, rule, message, severity)
        )
    return found


def _line(component: Component, text: str | None) -> int | None:
    if text is None:
        return None
    for name in ("id", "key", "path"):
        value = component.get(name)
        if isinstance(value, str) and value:
            place = re.search(rf'"{name}"\s*:\s*"{re.escape(value)}"', text)
            if place:
                return text.count("\n", 0, place.start()) + 1
    return None


def called(component: Component) -> str:
    """How a person would name a component: its label, else its key, else its type."""
    for name in ("label", "key", "path", "id", "type"):
        value = component.get(name)
        if isinstance(value, str) and value.strip():
            return value
    return "?"


def _findings(schema: Any) -> Iterator[Finding]:
    if not isinstance(schema, dict):
        yield {}, "form.not-a-form", T("The file is not a form: it must be a JSON object with “components”."), "error"
        return
    if not isinstance(schema.get("components"), list):
        yield schema, "form.no-components", T("The form has no list of components."), "error"
        return
    # Path of the data → (component, whether it may hold further paths).  A list's rows have paths of their own.
    yield from _level(schema, (), {}, 0)


def _level(parent: Component, prefix: tuple[str, ...], taken: dict[tuple[str, ...], tuple[Component, bool]], depth: int) -> Iterator[Finding]:
    if depth > DEEPEST:
        yield parent, "form.too-deep", T("“%(name)s” is nested too deeply.", name=called(parent)), "error"
        return
    inner = parent.get("components", [])
    if not isinstance(inner, list):
        yield parent, "form.no-components", T("The components of “%(name)s” are not a list.", name=called(parent)), "error"
        return
    for component in inner:
        if not isinstance(component, dict):
            yield parent, "form.not-a-component", T("“%(name)s” holds something that is not a component.", name=called(parent)), "error"
            continue
        kind = type_of(component)
        if kind is None:
            message = T(
                "“%(name)s” has the unknown type “%(type)s”. Use one of: %(types)s.",
                name=called(component), type=str(component.get("type")), types=", ".join(name for name in TYPES if name != "default"),
            )  # fmt: skip
            yield component, "form.unknown-type", message, "error"
            continue
        yield from _expressions(component)
        if kind.role in (INPUT, COMPUTED, LIST):
            yield from _named(component, "path" if kind.role == LIST else "key")
        if kind.role == INPUT:
            yield from _input(component)
        if kind.role == COMPUTED and not is_expression(component.get("expression")):
            yield component, "form.no-expression", T("“%(name)s” needs an expression that begins with “=”.", name=called(component)), "error"
        path = (*prefix, *own_path(component))
        if path != prefix:
            yield from _claim(component, path, taken, holds=kind.role == GROUP)
        if kind.role == GROUP:
            yield from _level(component, path, taken, depth + 1)
        elif kind.role == LIST:
            yield from _level(component, (), {}, depth + 1)


def _named(component: Component, name: str) -> Iterator[Finding]:
    value = component.get(name)
    if not isinstance(value, str) or not value.strip():
        message = T("“%(name)s” has no %(property)s, so its answer has nowhere to go. Give it one.", name=called(component), property=name)
        yield component, "form.missing-key", message, "error"
    elif not KEY_PATTERN.fullmatch(value):
        message = T(
            "The %(property)s “%(key)s” is not a name. Use letters, digits and underscores, with dots between parts.", property=name, key=value
        )
        yield component, "form.bad-key", message, "error"
    label = component.get("label")
    if not isinstance(label, str) or not label.strip():
        yield component, "form.no-label", T("“%(name)s” has no label; nobody can tell what it asks.", name=called(component)), "warning"


def _claim(
    component: Component, path: tuple[str, ...], taken: dict[tuple[str, ...], tuple[Component, bool]], *, holds: bool
) -> Iterator[Finding]:
    other = taken.get(path)
    clash = other is not None and not (holds and other[1])
    # An answer cannot live at "a" and at "a.b" at once; two groups, or a group and a dotted key, may share "a".
    clash = clash or any(path[:length] in taken and not taken[path[:length]][1] for length in range(1, len(path)))
    clash = clash or (not holds and other is None and any(len(each) > len(path) and each[: len(path)] == path for each in taken))
    if clash:
        message = T("“%(name)s” stores its answer at “%(key)s”, where another component already does. Change one of the keys.",
                    name=called(component), key=".".join(path))  # fmt: skip
        yield component, "form.duplicate-key", message, "error"
    taken.setdefault(path, (component, holds))


def _expressions(component: Component) -> Iterator[Finding]:
    for place in FEEL_PLACES:
        value = setting(component, *place)
        if not is_expression(value):
            if place in (("conditional", "hide"), ("valuesExpression",)) and value not in (None, "", False):
                message = T("%(place)s of “%(name)s” must be an expression that begins with “=”.", place=".".join(place), name=called(component))
                yield component, "form.not-feel", message, "error"
            continue
        try:
            compile_expression(source(value))
        except FeelError as error:
            message = T(
                "%(place)s of “%(name)s” cannot be read: %(reason)s", place=".".join(place), name=called(component), reason=error.message
            )
            yield component, "form.bad-feel", message, "error"


def _input(component: Component) -> Iterator[Finding]:
    kind, name = type_of(component), called(component)
    pattern = setting(component, "validate", "pattern")
    if pattern:
        try:
            js_pattern(pattern)
        except (re.error, TypeError, OverflowError, RecursionError) as error:
            yield component, "form.bad-pattern", T("The pattern of “%(name)s” cannot be read: %(reason)s", name=name, reason=str(error)), "error"
    for limit in ("min", "max", "minLength", "maxLength"):
        value = setting(component, "validate", limit)
        if value not in (None, "") and not is_expression(value) and not _is_number(value):
            message = T("%(limit)s of “%(name)s” must be a number or an expression.", limit=limit, name=name)
            yield component, "form.bad-limit", message, "error"
    check = setting(component, "validate", "validationType")
    if check not in (None, "", "custom", "email", "phone"):
        yield component, "form.bad-check", T("“%(name)s” asks for the unknown check “%(check)s”.", name=name, check=str(check)), "error"
    if kind.options:
        yield from _options(component)
    if kind.name == "datetime" and component.get("subtype") not in ("date", "time", "datetime"):
        yield component, "form.bad-subtype", T("“%(name)s” must ask for a date, a time, or both.", name=name), "error"


def _options(component: Component) -> Iterator[Finding]:
    name = called(component)
    given = component.get("values")
    if component.get("valuesExpression") or component.get("valuesKey"):
        return
    if not isinstance(given, list) or not given:
        yield component, "form.no-options", T("“%(name)s” offers nothing to choose. Give it options.", name=name), "error"
        return
    values = [repr(option.get("value") if isinstance(option, dict) else option) for option in given]
    if len(set(values)) < len(values):
        yield component, "form.same-options", T("“%(name)s” offers the same value twice.", name=name), "warning"


def _is_number(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    try:
        float(value)
    except (TypeError, ValueError, OverflowError):
        return False
    return True
