"""Decision tables: XML to what is shown and what is run, with problems that name table, row and column."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lxml.etree import _Element

from engine.dmn.model import Closure, DecisionTable, InputClause, OutputClause, Rule
from engine.dmn.tables import AGGREGATORS, HIT_POLICIES, CompiledTable, cell_place
from engine.words import T, Words

if TYPE_CHECKING:
    from engine.dmn.reader import Builder


def read_table(builder: Builder, element: _Element, place: Words, owner_id: str, owner_name: str) -> CompiledTable:
    """Read one ``<decisionTable>``."""
    reader = builder.reader
    input_elements, output_elements = reader.all(element, "input"), reader.all(element, "output")
    inputs = tuple(_input(builder, item) for item in input_elements)
    outputs = tuple(_output(builder, item) for item in output_elements)
    rule_elements = reader.all(element, "rule")
    rules = tuple(_rule(builder, item, index) for index, item in enumerate(rule_elements, 1))
    policy = _hit_policy(builder, element, place)
    annotations = tuple(item.get("name", "") for item in reader.all(element, "annotation"))
    view = DecisionTable(element.get("id", ""), policy, _aggregation(builder, element, place), inputs, outputs, rules, annotations)
    _check(builder, element, view, place)
    key = view.id or f"{owner_id}#{len(builder.model.tables) + 1}"
    builder.model.tables[key] = view

    columns = [clause.label or clause.expression or str(number) for number, clause in enumerate(inputs, 1)]
    results = [clause.label or clause.name or str(number) for number, clause in enumerate(outputs, 1)]
    tests, cells = [], []
    for number, item in enumerate(rule_elements, 1):
        tests.append([builder.tests(cell, cell_place(place, number, name)) for cell, name in zip(reader.all(item, "inputEntry"), columns, strict=False)])
        cells.append(
            [builder.expression(cell, cell_place(place, number, name)) for cell, name in zip(reader.all(item, "outputEntry"), results, strict=False)]
        )
    # Rows of the wrong length were reported above; they are brought to length so that the rest can still be tried out.
    for row, cell_row in zip(tests, cells, strict=True):
        row.extend([None] * (len(inputs) - len(row)))
        cell_row.extend([lambda env: None] * (len(outputs) - len(cell_row)))
    return CompiledTable(
        owner_id,
        owner_name,
        place,
        key,
        view,
        [_input_value(builder, item, name, place) for item, name in zip(input_elements, columns, strict=True)],
        tests,
        [_values(builder, item, "inputValues", place) for item in input_elements],
        cells,
        [builder.type_ref(item) for item in output_elements],
        [_default(builder, item, name, place) for item, name in zip(output_elements, results, strict=True)],
        [_order(builder, item, name, place) for item, name in zip(output_elements, results, strict=True)],
    )


def _column(place: Words, column: str) -> Words:
    return T("%(place)s, column %(column)s", place=place, column=column)


def _input(builder: Builder, element: _Element) -> InputClause:
    reader = builder.reader
    expression = reader.one(element, "inputExpression")
    text = reader.text(expression)
    type_ref = "" if expression is None else expression.get("typeRef", "")
    return InputClause(element.get("id", ""), element.get("label") or text, text, type_ref, reader.text(reader.one(element, "inputValues")))


def _output(builder: Builder, element: _Element) -> OutputClause:
    reader = builder.reader
    name = element.get("name", "")
    values, default = reader.text(reader.one(element, "outputValues")), reader.text(reader.one(element, "defaultOutputEntry"))
    return OutputClause(element.get("id", ""), name, element.get("label") or name, element.get("typeRef", ""), values, default)


def _rule(builder: Builder, element: _Element, index: int) -> Rule:
    reader = builder.reader
    entries = [tuple(reader.text(cell) for cell in reader.all(element, name)) for name in ("inputEntry", "outputEntry", "annotationEntry")]
    return Rule(element.get("id") or f"rule-{index}", index, *entries, reader.text(element, "description"))


def _hit_policy(builder: Builder, element: _Element, place: Words) -> str:
    written = element.get("hitPolicy", "UNIQUE").strip().upper()
    policy = HIT_POLICIES.get(written, written)
    if policy in HIT_POLICIES.values():
        return policy
    builder.problem(element, "dmn.hit-policy", T("%(place)s: the hit policy %(policy)s does not exist.", place=place, policy=written))
    return "UNIQUE"


def _aggregation(builder: Builder, element: _Element, place: Words) -> str:
    written = element.get("aggregation", "").strip().upper()
    if written and written not in AGGREGATORS:
        builder.problem(element, "dmn.aggregation", T("%(place)s: the aggregation %(name)s does not exist.", place=place, name=written))
        return ""
    return written


def _check(builder: Builder, element: _Element, view: DecisionTable, place: Words) -> None:
    complaints: list[tuple[str, Words]] = []
    if not view.outputs:
        complaints.append(("dmn.no-output", T("%(place)s has no output column; add one.", place=place)))
    names = [clause.name for clause in view.outputs]
    if len(names) > 1 and ("" in names or len(set(names)) < len(names)):
        complaints.append(("dmn.output-name", T("%(place)s: each of several output columns needs a name of its own.", place=place)))
    if view.aggregation and len(view.outputs) > 1:
        complaints.append(("dmn.aggregation", T("%(place)s: only a single output column can be aggregated.", place=place)))
    if view.hit_policy in ("PRIORITY", "OUTPUT ORDER") and not any(_priorities(builder, item) for item in builder.reader.all(element, "output")):
        message = T("%(place)s: the hit policy %(policy)s needs the output values in order of priority.", place=place, policy=view.hit_policy)
        complaints.append(("dmn.priority", message))
    for rule in view.rules:
        if len(rule.inputs) != len(view.inputs) or len(rule.outputs) != len(view.outputs):
            complaints.append(("dmn.row", T("%(place)s, row %(row)d: the number of cells is not that of the columns.", place=place, row=rule.index)))
    for rule_name, message in complaints:
        builder.problem(element, rule_name, message)


def _priorities(builder: Builder, element: _Element) -> str:
    """The output values in order of priority: the column's own, or those its type allows."""
    own = builder.reader.text(builder.reader.one(element, "outputValues"))
    return own or builder.allowed_values.get(element.get("typeRef", ""), "")


def _input_value(builder: Builder, element: _Element, column: str, place: Words):
    expression = builder.reader.one(element, "inputExpression")
    if expression is None or not builder.reader.text(expression):
        message = T("%(place)s, column %(column)s: the input expression is empty; say what is tested.", place=place, column=column)
        builder.problem(element, "dmn.input", message)
        return column, (lambda env: None), builder.type_ref(None)
    return column, builder.expression(expression, _column(place, column)), builder.type_ref(expression)


def _values(builder: Builder, element: _Element, name: str, place: Words):
    values = builder.reader.one(element, name)
    return None if values is None else builder.tests(values, place)


def _default(builder: Builder, element: _Element, column: str, place: Words) -> Closure | None:
    default = builder.reader.one(element, "defaultOutputEntry")
    return None if default is None or not builder.reader.text(default) else builder.expression(default, _column(place, column))


def _order(builder: Builder, element: _Element, column: str, place: Words) -> Closure | None:
    text = _priorities(builder, element)
    return None if not text else builder.expression(element, _column(place, column), f"[{text}]")
