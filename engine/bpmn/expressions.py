"""Values in a model that are either text or FEEL.

The dialect marks FEEL with a leading ``=``; the standard's own expression elements need none when the file's
``expressionLanguage`` is FEEL (design.md §1.2).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.feel import Expression, FeelError, compile_expression
from engine.words import T, Words

SIMPLE_NAME = re.compile(r"[^\W\d]\w*\Z")


@dataclass(frozen=True)
class ModelValue:
    """A static text (``expression`` is ``None``) or a compiled FEEL expression with its source ``text``."""

    text: str
    expression: Expression | None = None

    def evaluate(self, scope: Mapping[str, Any]) -> Any:
        """The text itself, or what the expression gives in ``scope``."""
        return self.text if self.expression is None else self.expression.evaluate(scope)

    @property
    def simple_name(self) -> str | None:
        """The variable's name when the expression is nothing but a name, else ``None``."""
        if self.expression is None:
            return None
        name = self.text.strip()
        return name if SIMPLE_NAME.match(name) else None


@dataclass(frozen=True)
class ForeignExpression(ModelValue):
    """An expression in a language that is not executed here.  Evaluating it raises :class:`FeelError`."""

    def evaluate(self, scope: Mapping[str, Any]) -> Any:
        raise FeelError(T("“%(text)s” is no FEEL; write the expression in FEEL and deploy the model again.", text=self.text))


class UnreadableExpression(Exception):
    """FEEL that does not parse; ``message`` says where."""

    def __init__(self, text: str, reason: FeelError) -> None:
        self.message: Words = T(
            "The expression “%(text)s” cannot be read: %(reason)s", text=text, reason=getattr(reason, "message", str(reason))
        )
        super().__init__(str(self.message))


def feel(text: str) -> ModelValue:
    """Compile ``text`` as FEEL; a leading ``=`` is allowed.  Raises :class:`UnreadableExpression`."""
    source = text.strip()
    source = source[1:] if source.startswith("=") else source
    try:
        return ModelValue(source, compile_expression(source))
    except FeelError as error:
        raise UnreadableExpression(source.strip(), error) from error


def value(text: str | None) -> ModelValue | None:
    """Static text, or FEEL when it starts with ``=``; ``None`` stays ``None``.  Raises :class:`UnreadableExpression`."""
    if text is None:
        return None
    return feel(text) if text.lstrip().startswith("=") else ModelValue(text)


def variable(name: str) -> Expression:
    """The expression that reads the variable ``name``, whatever characters are in it."""
    return compile_expression(name, names=(name,))
