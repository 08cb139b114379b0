"""DMN 1.3–1.5: decision tables, boxed expressions and requirement graphs.

``parse_dmn`` gives a :class:`DmnModel`; ``Decision.evaluate`` runs one decision with all it requires and says which
rows fired.  ``check_dmn`` lists every problem of a file.
"""

from engine.dmn.model import Decision, DecisionResult, DecisionTable, DmnModel, InputClause, OutputClause, Rule, Service
from engine.dmn.reader import check_dmn, parse_dmn, read_dmn

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
    "parse_dmn",
    "read_dmn",
]
