"""The syntax tree: what the parser builds, the compiler turns into closures, and tools may look at.

Every node knows where it began (``at``, a 0-based offset) and ``depth``, its longest path downward.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Node:
    at: int
    depth: int = field(default=1, init=False)


@dataclass(slots=True)
class Literal(Node):
    """null, a boolean, a number, a string or a temporal value written with ``@``."""

    value: Any


@dataclass(slots=True)
class BadTemporal(Node):
    """``@"…"`` whose text is no temporal value: null at run time, as the specification has it."""

    text: str


@dataclass(slots=True)
class Name(Node):
    name: str


@dataclass(slots=True)
class Input(Node):
    """``?``, the value under test."""


@dataclass(slots=True)
class Chain(Node):
    """Operands of one precedence level joined left to right: ``first``, then (operator, operand) pairs."""

    first: Node
    rest: list[tuple[str, Node]]


@dataclass(slots=True)
class Logic(Node):
    """``and`` / ``or`` over two or more operands."""

    operator: str
    operands: list[Node]


@dataclass(slots=True)
class Negate(Node):
    operand: Node


@dataclass(slots=True)
class Compare(Node):
    operator: str
    left: Node
    right: Node


@dataclass(slots=True)
class Between(Node):
    value: Node
    low: Node
    high: Node


@dataclass(slots=True)
class In(Node):
    value: Node
    test: Node


@dataclass(slots=True)
class InstanceOf(Node):
    value: Node
    type: Any


@dataclass(slots=True)
class Path(Node):
    base: Node
    name: str


@dataclass(slots=True)
class Filter(Node):
    base: Node
    condition: Node


@dataclass(slots=True)
class Call(Node):
    callee: Node
    positional: list[Node]
    named: list[tuple[str, Node]]


@dataclass(slots=True)
class If(Node):
    condition: Node
    yes: Node
    no: Node


@dataclass(slots=True)
class Iterator(Node):
    """One ``name in source`` or ``name in source..last``."""

    name: str
    source: Node
    last: Node | None


@dataclass(slots=True)
class For(Node):
    iterators: list[Iterator]
    body: Node


@dataclass(slots=True)
class Quantified(Node):
    every: bool
    iterators: list[Iterator]
    condition: Node


@dataclass(slots=True)
class FunctionDefinition(Node):
    parameters: list[str]
    types: list[Any]
    body: Node | None  # None: an external function, which is never run
    source: str = ""  # the text the definition stands in


@dataclass(slots=True)
class ListNode(Node):
    items: list[Node]


@dataclass(slots=True)
class ContextNode(Node):
    entries: list[tuple[str, Node]]


@dataclass(slots=True)
class RangeNode(Node):
    low: Node
    high: Node
    low_closed: bool
    high_closed: bool


@dataclass(slots=True)
class Comparison(Node):
    """A test that leaves its left side open: ``< 10``, ``!= "a"``."""

    operator: str
    operand: Node


@dataclass(slots=True)
class Tests(Node):
    """A comma-separated list of tests, negated by ``not(…)``; no tests at all is ``-``, which anything passes."""

    tests: list[Node]
    negated: bool = False
