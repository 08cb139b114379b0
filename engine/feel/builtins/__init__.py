"""The built-in functions of DMN 1.5 §10.3.4, a module per family, and the few more that the office's dialect knows."""

from engine.feel.builtins import contexts, lists, numbers, ranges, strings, temporal
from engine.feel.builtins.registry import BUILTINS, builtin

__all__ = ["BUILTINS", "builtin", "contexts", "lists", "numbers", "ranges", "strings", "temporal"]
