"""What a deployed DMN file consists of, and how a decision is evaluated.

Everything here is immutable after :mod:`engine.dmn.reader` has built it and may be shared between threads.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.dmn.record import MAX_PARTS, Trace, shown
from engine.feel.api import guard
from engine.feel.runtime import Env, RootVariables, Runtime
from engine.feel.temporal import parse_date, parse_date_time, parse_duration, parse_time
from engine.feel.types import ANY, Type, coerce, resolve
from engine.feel.values import Function
from engine.words import T, Words

Closure = Callable[[Env], Any]
Clock = Callable[[], dt.datetime]


# -- decision tables as they are shown --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class InputClause:
    id: str
    label: str
    expression: str
    type_ref: str
    values: str


@dataclass(frozen=True, slots=True)
class OutputClause:
    id: str
    name: str
    label: str
    type_ref: str
    values: str
    default: str


@dataclass(frozen=True, slots=True)
class Rule:
    """One row.  ``index`` is 1-based; the texts are as written; ``annotations`` follow the table's annotation names."""

    id: str
    index: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    annotations: tuple[str, ...]
    description: str


@dataclass(frozen=True, slots=True)
class DecisionTable:
    """A decision table for display.  ``hit_policy`` is the long name, ``aggregation`` SUM, MIN, MAX, COUNT or empty."""

    id: str
    hit_policy: str
    aggregation: str
    inputs: tuple[InputClause, ...]
    outputs: tuple[OutputClause, ...]
    rules: tuple[Rule, ...]
    annotation_names: tuple[str, ...]


# -- results ----------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class DecisionResult:
    """The outcome of one evaluation.

    ``value`` is a FEEL value (see :func:`engine.feel.to_json`).  ``rules`` has one JSON-able entry per decision that was taken and
    per table that was run, in order (see :class:`engine.dmn.record.Trace`).  ``notes`` says why something became null, and where;
    ``failure`` is set when a table broke its own hit policy, and the value is then null.
    """

    value: Any
    rules: list[dict[str, Any]] = field(default_factory=list)
    notes: list[Words] = field(default_factory=list)
    failure: Words | None = None


# -- elements ---------------------------------------------------------------------------------------------------------


@dataclass(slots=True, eq=False)
class Requirement:
    """An arrow of the requirement graph: what is required, and the import's name when it lives in another model."""

    target: Any
    prefix: str = ""


@dataclass(slots=True, eq=False)
class InputData:
    id: str
    name: str
    type: Type = ANY


@dataclass(slots=True, eq=False)
class Knowledge:
    """A business knowledge model: a function with a name.  ``make`` builds it over the scope of its own requirements."""

    id: str
    name: str
    make: Callable[[Env], Function | None]
    requirements: list[Requirement] = field(default_factory=list)
    model: DmnModel | None = None
    texts: tuple[str, ...] = ()


@dataclass(slots=True, eq=False)
class Service:
    """A decision service: ``outputs`` computed from ``input_data`` and from given values of ``input_decisions``."""

    id: str
    name: str
    outputs: list[Decision] = field(default_factory=list)
    input_decisions: list[Decision] = field(default_factory=list)
    input_data: list[InputData] = field(default_factory=list)
    model: DmnModel | None = None
    type: Type = ANY

    def evaluate(self, context: Mapping[str, Any] | None = None, *, clock: Clock | None = None) -> DecisionResult:
        """Evaluate with inputs by name; several output decisions give a context."""
        return _evaluate(self.model, context, clock, lambda run: run.service(self, None))


@dataclass(slots=True, eq=False)
class Decision:
    """A decision.  ``table`` is set when its logic is a decision table; ``variable`` is the name its value is known by.

    ``text`` is the expression when the logic is a literal one; ``texts`` are all FEEL texts of its logic.
    """

    id: str
    name: str
    variable: str
    type: Type
    table: DecisionTable | None
    logic: Closure | None
    requirements: list[Requirement] = field(default_factory=list)
    model: DmnModel | None = None
    text: str = ""
    texts: tuple[str, ...] = ()

    def evaluate(self, context: Mapping[str, Any] | None = None, *, clock: Clock | None = None) -> DecisionResult:
        """Evaluate with its required decisions over the variables of ``context``.

        All variables are visible to the logic, not only the declared input data; values of required decisions come
        first.  Raises :class:`engine.feel.FeelError` when a bound of :mod:`engine.feel.limits` is passed.
        """
        return _evaluate(self.model, context, clock, lambda run: run.decision(self))


@dataclass(slots=True, eq=False)
class DmnModel:
    """One DMN file.  ``decisions`` by id; :meth:`decision` also finds by name."""

    id: str
    name: str
    namespace: str
    file: str
    decisions: dict[str, Decision] = field(default_factory=dict)
    inputs: dict[str, InputData] = field(default_factory=dict)
    knowledge: dict[str, Knowledge] = field(default_factory=dict)
    services: dict[str, Service] = field(default_factory=dict)
    types: dict[str, Type] = field(default_factory=dict)
    imports: dict[str, DmnModel] = field(default_factory=dict)  # by import name
    names: frozenset[str] = frozenset()  # every name the parser must know, imported ones included
    tables: dict[str, DecisionTable] = field(default_factory=dict)  # every table, also those inside other logic, by the key in records

    def decision(self, id_or_name: str) -> Decision | None:
        """The decision of that id, or else of that name."""
        return _by_id_or_name(self.decisions, id_or_name)

    def anywhere(self, kind: str, key: str) -> Any:
        """What stands under ``key`` in ``tables``, ``decisions`` or ``knowledge`` (``kind``) of this model or of one it imports."""
        found = getattr(self, kind).get(key)
        return found or next(filter(None, (model.anywhere(kind, key) for model in self.imports.values())), None)

    def service(self, id_or_name: str) -> Service | None:
        """The decision service of that id, or else of that name."""
        return _by_id_or_name(self.services, id_or_name)


def _by_id_or_name(elements: Mapping[str, Any], wanted: str) -> Any:
    return elements.get(wanted) or next((element for element in elements.values() if element.name == wanted), None)


# -- evaluation -------------------------------------------------------------------------------------------------------


def _evaluate(
    model: DmnModel | None, context: Mapping[str, Any] | None, clock: Clock | None, start: Callable[[_Evaluation], Any]
) -> DecisionResult:
    notes: list[Words] = []
    runtime = Runtime(notes, clock, model.types if model else {})
    runtime.trace = Trace()
    root = Env(RootVariables(context if context is not None else {}), None, runtime)
    value = guard(lambda: start(_Evaluation(root, {})), running=True)
    trace: Trace = runtime.trace
    return DecisionResult(None if trace.failure else value, trace.entries(), notes, trace.failure)


_FROM_TEXT = {
    "date": parse_date,
    "time": parse_time,
    "date and time": parse_date_time,
    "days and time duration": parse_duration,
    "years and months duration": parse_duration,
}


def fit_input(value: Any, type_: Type, rt: Runtime) -> tuple[bool, Any]:
    """Fit a value from outside to a declared type; the text of a date, time or duration is read, as JSON has no other way."""
    resolved = resolve(type_, rt.types)
    if isinstance(value, str) and resolved is not None and resolved.kind in _FROM_TEXT:
        try:
            value = _FROM_TEXT[resolved.kind](value)
        except ValueError:
            return False, None
    return coerce(value, type_, rt.types)


class _Evaluation:
    """One run: the given variables, values that stand in for decisions, and the decisions evaluated so far."""

    def __init__(self, root: Env, given: dict[int, Any]) -> None:
        self.root = root
        self.rt = root.rt
        self.values: dict[int, Any] = dict(given)
        self.active: set[int] = set()
        self.functions: dict[int, Any] = {}

    def decision(self, decision: Decision) -> Any:
        key = id(decision)
        if key in self.values:
            return self.values[key]
        if key in self.active or decision.logic is None:
            return self.rt.null("The decision %(name)s has no logic that can be run.", name=decision.name)
        self.active.add(key)
        outer_types, self.rt.types = self.rt.types, decision.model.types if decision.model else self.rt.types
        try:
            scope = self.scope(decision.requirements)
            recorded = len(self.rt.trace.rules)
            value = self.shaped(decision, decision.logic(self.root.child(scope)))
            self.record(decision, scope, value, recorded)
        finally:
            self.rt.types = outer_types
            self.active.discard(key)
        self.values[key] = value
        return value

    def shaped(self, decision: Decision, value: Any) -> Any:
        fits, fitted = coerce(value, decision.type, self.rt.types)
        if decision.table is not None and isinstance(value, list) and not isinstance(fitted, list):
            # Modelers write the type of a table's single output on the decision, even where the table collects a list.
            parts = [coerce(item, decision.type, self.rt.types) for item in value]
            fits, fitted = all(fits for fits, _ in parts), [part for _, part in parts]
        if not fits:
            return self.rt.null("The value of %(name)s is not of its declared type.", name=decision.name)
        return fitted

    def record(self, decision: Decision, scope: dict[str, Any], value: Any, since: int) -> None:
        """Note the value of a decision: on the entry of its table, or as an entry of its own with the values it required."""
        trace: Trace = self.rt.trace
        own = [entry for entry in trace.rules[since:] if entry["decision_id"] == decision.id]
        if decision.table is not None:
            for entry in own[-1:]:
                entry["value"] = shown(value)
            return
        needed = [target for requirement in decision.requirements if isinstance(target := requirement.target, (InputData, Decision))]
        inputs = {target.name: shown(scope[target.name]) for target in needed if target.name in scope}
        trace.add({"decision_id": decision.id, "inputs": inputs, "value": shown(value)}, decision=True)

    def scope(self, requirements: list[Requirement]) -> dict[str, Any]:
        """The variables that requirements bring in, imported ones under their import's name."""
        result: dict[str, Any] = {}
        for requirement in requirements:
            place = result.setdefault(requirement.prefix, {}) if requirement.prefix else result
            target = requirement.target
            if isinstance(target, InputData):
                self.add_input(place, target)
            elif isinstance(target, Decision):
                value = self.decision(target)
                for name in (target.id, target.name, target.variable):
                    place[name] = value
            else:
                place[target.name] = self.function(target)
        return result

    def add_input(self, place: dict[str, Any], target: InputData) -> None:
        found, value = self.root.find(target.name)
        if not found:
            return
        fits, value = fit_input(value, target.type, self.rt)
        if not fits:
            self.rt.null("The input %(name)s is not of its declared type.", name=target.name)
        place[target.name] = value

    def function(self, target: Knowledge | Service) -> Function | None:
        key = id(target)
        if key not in self.functions:
            self.functions[key] = None  # a knowledge model that requires itself sees null rather than running in circles
            if isinstance(target, Service):
                self.functions[key] = self.service_function(target)
            else:
                scope = Env(self.scope(target.requirements), None, self.rt)
                self.functions[key] = target.make(scope)
                if target.name not in scope.vars:
                    scope.vars[target.name] = self.functions[key]
        return self.functions[key]

    def service_function(self, service: Service) -> Function:
        parameters = [*service.input_data, *service.input_decisions]
        names = tuple(getattr(parameter, "variable", parameter.name) for parameter in parameters)
        types = tuple(parameter.type for parameter in parameters)
        return Function(names, types, lambda arguments, rt: self.service(service, dict(zip(names, arguments, strict=True))))

    def service(self, service: Service, arguments: dict[str, Any] | None) -> Any:
        """Run a service, as a function with ``arguments`` or directly over the given variables."""
        root = self.root if arguments is None else Env(arguments, None, self.rt)
        given = {id(decision): self.given(root, decision) for decision in service.input_decisions}
        run = _Evaluation(root, given)
        if len(service.outputs) == 1:
            value = run.decision(service.outputs[0])
        else:
            value = {decision.variable: run.decision(decision) for decision in service.outputs}
        fits, value = coerce(value, service.type, service.model.types if service.model else self.rt.types)
        return value if fits else self.rt.null("The value of %(name)s is not of its declared type.", name=service.name)

    def given(self, root: Env, decision: Decision) -> Any:
        fits, value = fit_input(root.find(decision.variable)[1], decision.type, self.rt)
        return value if fits else None


def record_rules(
    rt: Runtime, decision_id: str, table: str, matched: list[Rule], columns: list[tuple[str, Any]], outputs: list[dict[str, Any]]
) -> None:
    """Note which rows of a table fired; ``columns`` are the input columns' labels and values."""
    if isinstance(rt.trace, Trace):
        values = [shown(value) for _, value in columns]
        rt.trace.add(
            {
                "decision_id": decision_id,
                "table": table,
                "rule_ids": [rule.id for rule in matched[:MAX_PARTS]],
                "rule_indexes": [rule.index for rule in matched],
                "annotations": [[text for text in rule.annotations if text] or [rule.description] for rule in matched[:MAX_PARTS]],
                "inputs": dict(zip((label for label, _ in columns), values, strict=True)),
                "values": values,
                "outputs": [shown(output) for output in outputs[:MAX_PARTS]],
            }
        )


def fail(rt: Runtime, message: str, /, **params: Any) -> None:
    """A table broke its hit policy: the value is null and the whole evaluation is marked."""
    if isinstance(rt.trace, Trace):
        rt.trace.fail(T(message, **params))
    rt.null(message, **params)
