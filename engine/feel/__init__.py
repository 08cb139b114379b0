"""FEEL, the expression language of DMN 1.5 chapter 10: text to compiled closure.

Knows nothing of BPMN.  Nothing is ever handed to Python's own evaluation: an expression can only do what
:mod:`engine.feel.builtins` and the callables that the host puts into the scope can do, within the bounds of
:mod:`engine.feel.limits`.
"""

from engine.feel.api import Expression, UnaryTests, compile_expression, compile_unary, evaluate, parse_type, special_names, unary_test
from engine.feel.errors import FeelError, LimitExceeded
from engine.feel.host import HOST_NAMES
from engine.feel.values import from_python, to_json, to_text

__all__ = [
    "HOST_NAMES",
    "Expression",
    "FeelError",
    "LimitExceeded",
    "UnaryTests",
    "compile_expression",
    "compile_unary",
    "evaluate",
    "from_python",
    "parse_type",
    "special_names",
    "to_json",
    "to_text",
    "unary_test",
]
