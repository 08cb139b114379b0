"""Running a decision table (DMN 1.5 §8.2.8, §8.2.11)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from engine.dmn.model import Closure, DecisionTable, Rule, fail, fit_input, record_rules
from engine.feel.api import UnaryTests
from engine.feel.builtins import BUILTINS
from engine.feel.calls import call_value
from engine.feel.errors import FeelError
from engine.feel.operators import equal
from engine.feel.runtime import Env, Runtime
from engine.feel.types import Type, coerce
from engine.words import T, Words

HIT_POLICIES = {
    "U": "UNIQUE", "A": "ANY", "P": "PRIORITY", "F": "FIRST", "R": "RULE ORDER", "O": "OUTPUT ORDER", "C": "COLLECT",
}  # fmt: skip
MANY = frozenset(("RULE ORDER", "OUTPUT ORDER", "COLLECT"))
AGGREGATORS = {"SUM": "sum", "MIN": "min", "MAX": "max", "COUNT": "count"}


def cell_place(place: Words, row: int, column: str) -> Words:
    """How a sentence names one cell of a table."""
    return T("%(place)s, row %(row)d, column %(column)s", place=place, row=row, column=column)


@dataclass(slots=True)
class CompiledTable:
    """A table with its closures.  ``orders`` gives, per output, the values in order of priority (or ``None``)."""

    owner_id: str
    owner_name: str
    place: Words  # how a sentence names the table: “Decision Fee”
    key: str  # names the table in records and in ``DmnModel.tables``
    view: DecisionTable
    inputs: list[tuple[str, Closure, Type]]
    tests: list[list[UnaryTests | None]]
    allowed: list[UnaryTests | None]
    outputs: list[list[Closure]]
    output_types: list[Type]
    defaults: list[Closure | None]
    orders: list[Closure | None]

    def run(self, env: Env) -> Any:
        """Evaluate over a scope: the value shaped by the hit policy."""
        values = self.read_inputs(env)
        matched = [index for index in range(len(self.tests)) if self.matches(index, values, env)]
        policy = self.view.hit_policy
        if policy == "FIRST":
            matched = matched[:1]
        rows = [self.row(index, env) for index in matched]
        chosen = _POLICIES[policy](self, rows, env)
        if chosen is None:  # the rows in conflict are recorded all the same, so that they can be shown
            self.record(env.rt, [self.view.rules[index] for index in matched], values, rows)
            return None
        rows = [rows[index] for index in chosen]
        self.record(env.rt, [self.view.rules[matched[index]] for index in chosen], values, rows)
        return self.shape(rows, env)

    def read_inputs(self, env: Env) -> list[Any]:
        values = []
        for (label, expression, type_), allowed in zip(self.inputs, self.allowed, strict=True):
            value = expression(env)
            # Only texts that stand for dates and the like are converted; anything else is judged by the cells themselves.
            if isinstance(value, str):
                fits, converted = fit_input(value, type_, env.rt)
                value = converted if fits else value
            if allowed is not None and value is not None and allowed.run(env, value) is False:
                env.rt.null("The value of %(input)s is not among the permitted ones.", input=label)
            values.append(value)
        return values

    def matches(self, index: int, values: list[Any], env: Env) -> bool:
        """Whether all cells of a row accept the values; an error says which row and column it came from."""
        column = 0
        try:
            env.rt.tick()
            for test, value in zip(self.tests[index], values, strict=True):
                if test is not None and test.run(env, value) is not True:
                    return False
                column += 1
        except FeelError as error:
            name = self.inputs[column][0] if self.inputs else ""
            error.within(cell_place(self.place, index + 1, name))
            raise
        return True

    def row(self, index: int, env: Env) -> list[Any]:
        return self.typed([output(env) for output in self.outputs[index]], env.rt)

    def typed(self, row: list[Any], rt: Runtime) -> list[Any]:
        pairs = [(value, coerce(value, type_, rt.types)) for value, type_ in zip(row, self.output_types, strict=True)]
        return [fitted if fits else value for value, (fits, fitted) in pairs]

    def named(self, row: list[Any]) -> dict[str, Any]:
        return {clause.name or clause.label: value for clause, value in zip(self.view.outputs, row, strict=True)}

    def record(self, rt: Runtime, rules: list[Rule], values: list[Any], rows: list[list[Any]]) -> None:
        columns = [(label, value) for (label, _, _), value in zip(self.inputs, values, strict=True)]
        record_rules(rt, self.owner_id, self.key, rules, columns, [self.named(row) for row in rows])

    def value(self, row: list[Any]) -> Any:
        return row[0] if len(row) == 1 else self.named(row)

    def shape(self, rows: list[list[Any]], env: Env) -> Any:
        """One output gives its value, several a context; policies with many hits give a list, aggregated when asked."""
        many = self.view.hit_policy in MANY
        if not rows and any(self.defaults):
            row = self.typed([default(env) if default is not None else None for default in self.defaults], env.rt)
            return [self.value(row)] if many and not self.view.aggregation else self.value(row)
        if not many:
            return self.value(rows[0]) if rows else None
        values = [self.value(row) for row in rows]
        if not self.view.aggregation:
            return values
        if not values:
            return Decimal(0) if self.view.aggregation == "COUNT" else None
        return call_value(BUILTINS[AGGREGATORS[self.view.aggregation]], [values], None, env.rt)

    def by_priority(self, rows: list[list[Any]], env: Env) -> list[int]:
        """Row numbers by the place of their outputs in the lists of output values, first column first."""
        orders = [order(env) if order is not None else None for order in self.orders]

        def rank(index: int) -> list[int]:
            return [_place(value, order, env.rt) for value, order in zip(rows[index], orders, strict=True) if order]

        return sorted(range(len(rows)), key=rank)


def _place(value: Any, order: list[Any], rt: Runtime) -> int:
    return next((place for place, item in enumerate(order) if equal(item, value, rt) is True), len(order))


def _unique(table: CompiledTable, rows: list[list[Any]], env: Env) -> list[int] | None:
    if len(rows) > 1:
        return fail(env.rt, "In the table %(name)s more than one row applies, though its hit policy is UNIQUE.", name=table.owner_name)
    return list(range(len(rows)))


def _any(table: CompiledTable, rows: list[list[Any]], env: Env) -> list[int] | None:
    if any(equal(row, rows[0], env.rt) is not True for row in rows[1:]):
        return fail(env.rt, "In the table %(name)s the rows that apply differ, though its hit policy is ANY.", name=table.owner_name)
    return [0] if rows else []


def _all(table: CompiledTable, rows: list[list[Any]], env: Env) -> list[int]:
    return list(range(len(rows)))


_POLICIES: dict[str, Callable[[CompiledTable, list[list[Any]], Env], list[int] | None]] = {
    "UNIQUE": _unique,
    "ANY": _any,
    "FIRST": _all,
    "RULE ORDER": _all,
    "COLLECT": _all,
    "OUTPUT ORDER": lambda table, rows, env: table.by_priority(rows, env),
    "PRIORITY": lambda table, rows, env: table.by_priority(rows, env)[:1],
}
