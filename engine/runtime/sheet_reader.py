"""Reading a YAML file of the house with the lines it stands on: every problem is said, none is the last.

The procedure sheet (:mod:`engine.runtime.sheets`) is read with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from engine.errors import Problem
from engine.feel import HOST_NAMES, Expression, FeelError, compile_expression
from engine.words import T, Words


@dataclass(frozen=True)
class Formula:
    """A value of the sheet: literal text, or FEEL when the file wrote a leading ``=``."""

    source: str
    expression: Expression | None = field(default=None, compare=False)

    def value(self, scope: Mapping[str, Any]) -> Any:
        """The value over ``scope``; for literal text, the text."""
        return self.source if self.expression is None else self.expression.evaluate(scope)


@dataclass(frozen=True)
class Reference:
    """Something the sheet names and another file must have: ``kind`` is process, form, rule, ladder or element."""

    kind: str
    id: str
    line: int
    where: str


class Reader:
    """Walks a YAML node tree, collects problems, and never stops at the first."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self.references: list[Reference] = []

    def refer(self, kind: str, node: yaml.Node | None, where: str, id: str | None) -> str | None:
        """Remember that the sheet names ``id``; returns it."""
        if node is not None and id:
            self.references.append(Reference(kind, id, node.start_mark.line + 1, where))
        return id

    def problem(self, node: yaml.Node | None, rule: str, message: Words, subject: str | None = None) -> None:
        line = node.start_mark.line + 1 if node is not None else None
        self.problems.append(Problem(self.file, line, subject, f"procedure.{rule}", message))

    def mapping(self, node: yaml.Node, where: str, allowed: tuple[str, ...], required: tuple[str, ...] = ()) -> dict[str, yaml.Node]:
        if not isinstance(node, yaml.MappingNode):
            self.problem(node, "shape", T("“%(where)s” must be a list of “key: value” lines.", where=where))
            return {}
        found: dict[str, yaml.Node] = {}
        for key_node, value in node.value:
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else None
            if key not in allowed:
                self.problem(
                    key_node,
                    "unknown-key",
                    T("“%(key)s” is not a key of “%(where)s”. Use one of: %(keys)s.", key=str(key), where=where, keys=", ".join(allowed)),
                )
            elif key in found:
                self.problem(key_node, "duplicate-key", T("“%(key)s” stands twice in “%(where)s”. Remove one.", key=key, where=where))
            else:
                found[key] = value
        for key in required:
            if key not in found:
                self.problem(node, "missing-key", T("“%(where)s” needs the key “%(key)s”.", where=where, key=key))
        return found

    def text(self, node: yaml.Node | None, where: str, default: str = "") -> str:
        if node is None:
            return default
        if not isinstance(node, yaml.ScalarNode) or node.tag == "tag:yaml.org,2002:null":
            self.problem(node, "shape", T("“%(where)s” must be a text.", where=where))
            return default
        return node.value.strip()

    def optional_text(self, node: yaml.Node | None, where: str) -> str | None:
        return self.text(node, where) or None if node is not None else None

    def needed_text(self, node: yaml.Node | None, where: str) -> str:
        text = self.text(node, where)
        if node is not None and not text:
            self.problem(node, "empty", T("“%(where)s” must not be empty.", where=where))
        return text

    def texts(self, node: yaml.Node | None, where: str) -> tuple[str, ...]:
        return self.items(node, where, lambda item: self.needed_text(item, where))

    def items(self, node: yaml.Node | None, where: str, read: Callable[[yaml.Node], Any]) -> tuple[Any, ...]:
        if node is None:
            return ()
        if not isinstance(node, yaml.SequenceNode):
            self.problem(node, "shape", T("“%(where)s” must be a list.", where=where))
            return ()
        return tuple(read(item) for item in node.value)

    def formula(self, node: yaml.Node | None, where: str) -> Formula | None:
        if node is None:
            return None
        text = self.text(node, where)
        if not text.startswith("="):
            return Formula(text)
        try:
            return Formula(text, compile_expression(text[1:].strip(), names=HOST_NAMES))
        except FeelError as error:
            # FeelError carries translatable words where it can; its text is the fall-back.
            reason = getattr(error, "message", None) or str(error)
            self.problem(node, "feel", T("The expression of “%(where)s” cannot be read: %(reason)s", where=where, reason=reason))
            return None
