"""DMN 1.2–1.6: decision tables, boxed expressions and requirement graphs.

``parse_dmn`` gives a :class:`DmnModel`; ``Decision.evaluate`` runs one decision with all it requires and says which
rows fired.  ``check_dmn`` lists every problem of a file; ``read_together`` reads files that import each other.
"""

from engine.dmn.model import Decision, DecisionResult, DecisionTable, DmnModel, InputClause, OutputClause, Rule, Service
from engine.dmn.reader import check_dmn, parse_dmn, read_dmn
from engine.dmn.together import imported_files, read_together

__all__ = [
    "Decision",
    "DecisionResult",
    "DecisionTable",
    "DmnModel",
    "InputClause",
    "OutputClause",
    "Rule",
    "Service",
    "check_dmn",
    "imported_files",
    "parse_dmn",
    "read_dmn",
    "read_together",
]
