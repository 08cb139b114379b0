"""The component types of form-js viewer 2.0 and what each means to a server.

One table instead of a ladder of ifs: whether a component holds an answer, whether it holds other components, whether it offers
options, and which of its properties may be FEEL.  Source: the viewer's own field configurations (schema version 19).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

INPUT, GROUP, LIST, COMPUTED, SHOWN = "input", "group", "list", "computed", "shown"


@dataclass(frozen=True)
class ComponentType:
    """``role``: input (holds an answer), group, list (repeats its components), computed (expression), shown (nothing to store)."""

    name: str
    role: str
    options: bool = False
    many: bool = False
    text: bool = False


TYPES: dict[str, ComponentType] = {
    each.name: each
    for each in (
        ComponentType("textfield", INPUT, text=True),
        ComponentType("textarea", INPUT, text=True),
        ComponentType("number", INPUT),
        ComponentType("checkbox", INPUT),
        ComponentType("checklist", INPUT, options=True, many=True),
        ComponentType("radio", INPUT, options=True),
        ComponentType("select", INPUT, options=True),
        ComponentType("taglist", INPUT, options=True, many=True),
        ComponentType("datetime", INPUT),
        ComponentType("filepicker", INPUT),
        ComponentType("expression", COMPUTED),
        ComponentType("group", GROUP),
        ComponentType("dynamiclist", LIST),
        ComponentType("table", SHOWN),
        ComponentType("button", SHOWN),
        ComponentType("text", SHOWN),
        ComponentType("html", SHOWN),
        ComponentType("spacer", SHOWN),
        ComponentType("separator", SHOWN),
        ComponentType("image", SHOWN),
        ComponentType("iframe", SHOWN),
        ComponentType("documentPreview", SHOWN),
        # The root of a schema is itself a component of this type.
        ComponentType("default", GROUP),
    )
}

# Where a schema may hold FEEL with a leading "=".
FEEL_PLACES = (
    ("conditional", "hide"), ("valuesExpression",), ("expression",), ("readonly",), ("label",), ("description",), ("dataSource",),
    ("validate", "min"), ("validate", "max"), ("validate", "minLength"), ("validate", "maxLength"),
)  # fmt: skip

KEY_PATTERN = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
DEEPEST = 30

Component = dict[str, Any]


def type_of(component: Component) -> ComponentType | None:
    """The type of a component, ``None`` for one this engine does not know."""
    name = component.get("type")
    return TYPES.get(name) if isinstance(name, str) else None


def children_of(component: Component) -> list[Component]:
    """The components inside a group or list that are components at all."""
    inner = component.get("components")
    return [each for each in inner if isinstance(each, dict)] if isinstance(inner, list) else []


def own_path(component: Component) -> tuple[str, ...]:
    """The segments a component adds to the path of the data: its ``key``, or the ``path`` of a group or list."""
    kind = type_of(component)
    if kind is None or kind.role == SHOWN:
        return ()
    text = component.get("path" if kind.role in (GROUP, LIST) else "key")
    return tuple(text.split(".")) if isinstance(text, str) and text else ()


def setting(component: Component, *names: str, default: Any = None) -> Any:
    """A property at a path of names, or ``default`` when any part is not there."""
    value: Any = component
    for name in names:
        if not isinstance(value, dict) or name not in value:
            return default
        value = value[name]
    return value


def js_pattern(text: str) -> re.Pattern[str]:
    """Compile the pattern of a form (JavaScript, as the browser applies it); raises :class:`re.error` or ``ValueError``.

    ``$`` is the very end of the text, named groups are written ``(?<name>…)``, and ``\\d \\w`` mean ASCII.
    """
    translated, in_class, index = [], False, 0
    while index < len(text):
        char = text[index]
        if char == "\\" and index + 1 < len(text):
            translated.append(text[index : index + 2])
            index += 2
            continue
        in_class = (in_class or char == "[") and char != "]"
        translated.append(r"\Z" if char == "$" and not in_class else char)
        index += 1
    source = re.sub(r"\(\?<(?![=!])", "(?P<", "".join(translated))
    return re.compile(source, re.ASCII)


# The viewer's own address pattern.
EMAIL = re.compile(
    r"[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*"
)
# International numbers as the viewer takes them, and the numbers people here write: mobile, and area code with seven or eight digits.
PHONE = re.compile(r"(\+|00)[1-9]\d{6,18}|1[3-9]\d{9}|0\d{2,3}-?\d{7,8}(-\d{1,6})?|\d{7,8}", re.ASCII)
FILE_REFERENCE = re.compile(r"files::[A-Za-z0-9_-]{1,100}")
