"""Bounds that keep an expression from hurting the process it runs in.

An expression is written by a designer and evaluated inside a transaction.  The bounds are counts first, so that the same
expression over the same values ends the same way on a fast machine and on a slow one.  Below them lies the clock, for
work whose steps are few and dear.  It counts the processor time of the evaluating thread, which a busy machine does not use up;
only of an evaluation that is long already is the wall clock asked too.
"""

from __future__ import annotations

MAX_SOURCE = 50_000  # characters of one expression
MAX_NESTING = 60  # brackets, conditionals and the like inside each other while parsing
MAX_DEPTH = 200  # nodes on the longest path of the syntax tree
MAX_ITEMS = 250_000  # elements that one list or one iteration may produce
MAX_STEPS = 1_000_000  # iterations, calls and compared parts during one evaluation
MAX_CELLS = 6_000_000  # elements of lists and contexts, and tens of characters, that one evaluation may produce in all
MAX_SECONDS = 0.5  # processor time of one evaluation, evaluations inside it included
MAX_WAIT = 0.85  # seconds on the wall, once an evaluation has used LONG seconds of processor time: somebody waits for the answer
LONG = 0.1
CLOCK_EVERY = 1_000  # steps between two looks at the clock
MAX_CALLS = 60  # calls of FEEL functions inside each other
MAX_STRING = 1_000_000  # characters of one produced string
MAX_NOTES = 100  # explanations collected during one evaluation
MAX_PATTERN = 2_000  # characters of a regular expression
MAX_PROGRAM = 6_000  # instructions of a translated regular expression (counted repetitions are written out)
MAX_PATTERN_STEPS = 800_000  # instructions executed by one call of matches, replace or split
CACHE_SIZE = 4_096  # compiled expressions of ordinary length remembered
LONG_TEXT = 2_000  # characters; of longer expressions only LONG_CACHE_SIZE are remembered
LONG_CACHE_SIZE = 64
PATTERN_CACHE_SIZE = 128  # translated regular expressions remembered
