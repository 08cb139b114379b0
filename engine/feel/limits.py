"""Bounds that keep an expression from hurting the process it runs in.

An expression is written by a designer and evaluated inside a transaction.  Every bound is a count, never a clock, so
the same expression over the same values always ends the same way, on a fast machine and on a slow one.
"""

from __future__ import annotations

MAX_SOURCE = 50_000  # characters of one expression
MAX_NESTING = 60  # brackets, conditionals and the like inside each other while parsing
MAX_DEPTH = 200  # nodes on the longest path of the syntax tree
MAX_ITEMS = 1_000_000  # elements that one list or one iteration may produce
MAX_STEPS = 2_000_000  # iterations, calls and compared parts during one evaluation
MAX_CALLS = 60  # calls of FEEL functions inside each other
MAX_STRING = 1_000_000  # characters of one produced string
MAX_NOTES = 100  # explanations collected during one evaluation
MAX_PATTERN = 2_000  # characters of a regular expression
MAX_PROGRAM = 20_000  # instructions of a translated regular expression (counted repetitions are written out)
MAX_PATTERN_STEPS = 2_000_000  # instructions executed by one call of matches, replace or split
CACHE_SIZE = 4_096  # compiled expressions remembered
