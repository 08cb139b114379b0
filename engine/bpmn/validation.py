"""What is wrong with a file that can be known before it runs: the standard's rules about the notation, and ways that cannot work.

:func:`check` is the single entry; ``banjie lint``, the upload page and the deployment use it.  References to things outside the
file (forms, decisions, called processes, rules, groups) are checked by the deployment, which knows what exists.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from engine.bpmn.constraints import Document, check_notation
from engine.bpmn.elements import FlowNode
from engine.bpmn.flowchecks import check_flows
from engine.bpmn.model import Model, ProcessSpec
from engine.errors import Problem
from engine.words import T

MAX_PROBLEMS = 1_000
"""A longer list is read by nobody and would only burden the page."""


def check(model: Model, beside: Collection[str] = ()) -> list[Problem]:
    """All problems of a file, in the order of lines: found while reading, in its notation, and in its executable processes.

    ``beside`` names the files deployed together with this one, which its imports may mean.  What the standard allows but cannot be
    executed is an error in files written for this engine (``model.dialect``) and a warning in others.
    """
    if model.tree is None:
        return sorted(model.problems, key=_place)
    document = Document(model.tree, model.file, model.dialect, beside)
    problems = list(_once(model.problems, check_notation(model.tree, document), check_flows(document)))
    if len(problems) > MAX_PROBLEMS:
        message = T(
            "The file has %(count)d findings; only the first %(shown)d are listed, errors before warnings.",
            count=len(problems),
            shown=MAX_PROBLEMS,
        )
        worst = "error" if any(problem.severity == "error" for problem in problems) else "warning"
        problems.sort(key=lambda problem: (problem.severity != "error", _place(problem)))
        problems[MAX_PROBLEMS:] = [Problem(model.file, None, None, "bpmn.too-many", message, worst)]
    return sorted(problems, key=_place)


def _place(problem: Problem) -> int:
    return problem.line or 0


def _once(*sources: Iterable[Problem]) -> Iterator[Problem]:
    """One fault is told once, in the gravest form: what names the same rule at the same element or in the same line."""
    kept: list[Problem] = []
    places: dict[tuple, int] = {}
    for source in sources:
        fresh: list[tuple[Problem, list[tuple]]] = []
        for problem in source:
            keys = [(problem.rule, "line", problem.line)] if problem.line else []
            keys += [(problem.rule, "element", problem.element_id)] if problem.element_id else []
            known = next((places[key] for key in keys if key in places), None)
            if known is None:
                fresh.append((problem, keys))
            elif problem.severity == "error" and kept[known].severity != "error":
                kept[known] = problem
        # Within one source every finding stands for itself: a line may hold two faults of one rule.
        told: set[tuple[str, int | None, str | None, str]] = set()
        for problem, keys in fresh:
            mark = (problem.rule, problem.line, problem.element_id, str(problem.message))
            if mark in told:
                continue
            told.add(mark)
            kept.append(problem)
            for key in keys:
                places.setdefault(key, len(kept) - 1)
    return iter(kept)


def nodes(spec: ProcessSpec) -> Iterator[FlowNode]:
    """The flow nodes of a process; multi-instance activities once, as their body."""
    inner = {node.inner for node in spec.task_specs.values() if getattr(node, "inner", None) is not None}
    return (node for node in spec.task_specs.values() if node is not spec.start and node not in inner)
