"""FEEL inside a form: finding it, and running it without ever raising."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from engine.errors import EngineError
from engine.feel import compile_expression, to_json


def is_expression(value: Any) -> bool:
    """Whether a property is FEEL: text with a leading ``=``."""
    return isinstance(value, str) and value.strip().startswith("=")


def source(value: str) -> str:
    return value.strip()[1:]


def run(value: Any, scope: Mapping[str, Any], default: Any = None) -> Any:
    """The JSON-able value of a property: as it stands, or what its FEEL gives over ``scope``; ``default`` when that fails.

    A form that is deployed has been checked, so a failure here is a bound that was passed or a value no expression can
    read; a form stays usable then, as in the browser.
    """
    if not is_expression(value):
        return value
    try:
        # Only the names at the top are asked for spaces and signs: looking through all data for every condition would be slow.
        names = frozenset(name for name in scope if not name.isidentifier())
        return _exact_or_near(to_json(compile_expression(source(value), names).evaluate(scope)))
    except EngineError:
        return default


def _exact_or_near(value: Any) -> Any:
    """A third has no exact JSON number; what is stored with a case is the nearest one."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, list):
        return [_exact_or_near(each) for each in value]
    if isinstance(value, dict):
        return {name: _exact_or_near(each) for name, each in value.items()}
    return value


def local_scope(root: Mapping[str, Any], this: Any, parent: Any, indexes: list[int]) -> dict[str, Any]:
    """The names an expression sees inside a row: all data, and ``this``, ``parent``, ``i`` (1-based), also between underscores."""
    special = {"this": this, "parent": parent, "i": indexes}
    return {**special, **root, **{f"_{name}_": value for name, value in special.items()}}
