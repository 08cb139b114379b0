"""Reading a value that is written down rather than computed: the argument of ``range(…)``."""

from __future__ import annotations

from engine.feel import nodes as n
from engine.feel.errors import FeelError
from engine.feel.operators import order
from engine.feel.parser import Parser
from engine.feel.runtime import Env, Runtime
from engine.feel.values import Range

_CONSTRUCTORS = frozenset(("date", "time", "date and time", "duration"))


def _written(node: n.Node) -> bool:
    if isinstance(node, n.Literal):
        return True
    if not isinstance(node, n.Call) or node.named or not isinstance(node.callee, n.Name) or node.callee.name not in _CONSTRUCTORS:
        return False
    return all(isinstance(argument, n.Literal) for argument in node.positional)


def parse_range(text: str) -> Range | None:
    """The range a text writes down, or ``None`` when it is not one or its ends are the wrong way round."""
    from engine.feel.compiler import compile_node

    try:
        node = Parser(text, (), _CONSTRUCTORS).expression()
    except FeelError:
        return None
    if not isinstance(node, n.RangeNode) or not (_written(node.low) and _written(node.high)):
        return None
    runtime = Runtime()
    low_missing, high_missing = (isinstance(end, n.Literal) and end.value is None for end in (node.low, node.high))
    value = compile_node(node)(Env({}, None, runtime))
    if not isinstance(value, Range) or low_missing and node.low_closed or high_missing and node.high_closed:
        return None
    if low_missing and high_missing or (value.low is None) != low_missing or (value.high is None) != high_missing:
        return None
    if low_missing or high_missing:
        return Range(value.low, value.high, value.low_closed, value.high_closed, not low_missing, not high_missing)
    ordered = order(value.low, value.high, runtime)
    return value if ordered is not None and ordered <= 0 else None
