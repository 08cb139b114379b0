"""Boxed expressions (DMN 1.5 §10.2): XML elements to closures over the FEEL runtime."""

from __future__ import annotations

from collections.abc import Callable
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from lxml.etree import _Element

from engine.dmn.model import Closure
from engine.feel.api import Expression
from engine.feel.calls import call_value
from engine.feel.compiler import filter_items
from engine.feel.errors import FeelError
from engine.feel.iteration import Partial, iterate
from engine.feel.runtime import Env, Runtime
from engine.feel.types import ANY, Type, coerce
from engine.feel.values import Function
from engine.words import T, Words

if TYPE_CHECKING:
    from engine.dmn.reader import Builder


def nothing(message: str, /, **params: Any) -> Closure:
    """A closure for what cannot be run: null, and a note."""
    return lambda env: env.rt.null(message, **params)


def placed(expression: Expression, place: Words) -> Closure:
    """The closure of an expression of the model; errors and notes that come out of it say where in the model it stands."""

    def run(env: Env) -> Any:
        notes = env.rt.notes
        before = 0 if notes is None else len(notes)
        try:
            value = expression.run(env)
        except FeelError as error:
            error.within(place)
            raise
        if notes is not None and len(notes) > before:
            notes[before:] = [note if "place" in note.params else T("%(place)s: %(reason)s", place=place, reason=note) for note in notes[before:]]
        return value

    return run


def compile_boxed(builder: Builder, element: _Element, place: Words) -> Closure:
    """Compile an expression element; problems go to the builder."""
    name = builder.reader.local(element)
    compile_one = _BOXED.get(name)
    if compile_one is None:
        builder.problem(element, "dmn.expression", T("%(place)s: <%(name)s> is not an expression.", place=place, name=name))
        return nothing("There is no expression.")
    closure = compile_one(builder, element, place)
    return builder.typed(closure, builder.type_ref(element)) if name in _TYPED else closure


def inner_expression(builder: Builder, element: _Element | None, place: Words) -> Closure | None:
    """The closure of the first expression among an element's children, or ``None``."""
    for child in () if element is None else element:
        if builder.reader.local(child) in _BOXED:
            return compile_boxed(builder, child, place)
    return None


def _required(builder: Builder, element: _Element, child: str | None, place: Words) -> Closure:
    holder = element if child is None else builder.reader.one(element, child)
    closure = inner_expression(builder, holder, place)
    if closure is None:
        builder.problem(element, "dmn.incomplete", T("%(place)s: the part %(part)s is empty; fill it in.", place=place, part=child or "expression"))
        return nothing("There is no expression.")
    return closure


def _literal(builder: Builder, element: _Element, place: Words) -> Closure:
    return builder.expression(element, place)


def _table(builder: Builder, element: _Element, place: Words) -> Closure:
    return builder.table(element, place).run


def _context(builder: Builder, element: _Element, place: Words) -> Closure:
    entries: list[tuple[str | None, Closure]] = []
    for entry in builder.reader.all(element, "contextEntry"):
        variable = builder.reader.one(entry, "variable")
        name = None if variable is None else variable.get("name", "")
        label = place if name is None else T("%(place)s, entry %(name)s", place=place, name=name)
        closure = _required(builder, entry, None, label)
        entries.append((name, closure if variable is None else builder.typed(closure, builder.type_ref(variable))))

    def run(env: Env) -> Any:
        result: dict[str, Any] = {}
        scope = env.child(result)
        for name, closure in entries:
            value = closure(scope)
            if name is None:
                return value
            result[name] = value
        return result

    return run


def parameters(builder: Builder, element: _Element) -> tuple[tuple[str, ...], tuple[Type, ...]]:
    """Names and types of an element's formal parameters."""
    formal = builder.reader.all(element, "formalParameter")
    return tuple(item.get("name", "") for item in formal), tuple(builder.type_ref(item) for item in formal)


def compile_function(builder: Builder, element: _Element, place: Words, result_type: Type = ANY) -> Callable[[Env], Function]:
    """A function definition, or the encapsulated logic of a knowledge model, as a maker of closures over a scope."""
    names, types = parameters(builder, element)
    kind = element.get("kind", "FEEL")
    if kind != "FEEL":
        message = T("%(place)s: functions of the kind %(kind)s are not run; write it in FEEL.", place=place, kind=kind)
        builder.problem(element, "dmn.function-kind", message)
        body: Closure = nothing("External functions are not run here.")
    else:
        body = builder.typed(_required(builder, element, None, place), result_type)

    known = builder.model.types

    def make(env: Env) -> Function:
        def call(arguments: list[Any], rt: Runtime) -> Any:
            # The caller may stand in a model that imports this one and knows its types by other names.
            outer, rt.types = rt.types, known
            try:
                return body(Env(dict(zip(names, arguments, strict=True)), env, rt))
            finally:
                rt.types = outer

        return Function(names, types, call, known)

    return make


def _function(builder: Builder, element: _Element, place: Words) -> Closure:
    return compile_function(builder, element, place)


def _invocation(builder: Builder, element: _Element, place: Words) -> Closure:
    callee = _required(builder, element, None, place)
    bindings: list[tuple[str, Closure]] = []
    for binding in builder.reader.all(element, "binding"):
        parameter = builder.reader.one(binding, "parameter")
        name = "" if parameter is None else parameter.get("name", "")
        label = T("%(place)s, argument %(name)s", place=place, name=name)
        argument = inner_expression(builder, binding, label)
        bindings.append((name, argument or nothing("There is no expression.")))
    title = builder.reader.text(builder.reader.one(element, "literalExpression")) or None

    def run(env: Env) -> Any:
        return call_value(callee(env), [], {name: argument(env) for name, argument in bindings}, env.rt, title)

    return run


def _items(builder: Builder, element: _Element, place: Words) -> list[Closure]:
    return [compile_boxed(builder, child, place) for child in element if builder.reader.local(child) in _BOXED]


def _list(builder: Builder, element: _Element, place: Words) -> Closure:
    items = _items(builder, element, place)
    return lambda env: [item(env) for item in items]


def _relation(builder: Builder, element: _Element, place: Words) -> Closure:
    columns = [column.get("name", "") for column in builder.reader.all(element, "column")]
    types = [builder.type_ref(column) for column in builder.reader.all(element, "column")]
    rows = [
        [builder.typed(cell, type_) for cell, type_ in zip_longest(_items(builder, row, label), types, fillvalue=ANY) if cell is not ANY]
        for row, label in (
            (row, T("%(place)s, row %(row)d", place=place, row=number)) for number, row in enumerate(builder.reader.all(element, "row"), 1)
        )
    ]
    for row in rows:
        if len(row) != len(columns):
            builder.problem(element, "dmn.relation", T("%(place)s: a row does not have as many cells as there are columns.", place=place))
    return lambda env: [{name: cell(env) for name, cell in zip(columns, row, strict=False)} for row in rows]


def _conditional(builder: Builder, element: _Element, place: Words) -> Closure:
    condition, yes, no = (_required(builder, element, part, place) for part in ("if", "then", "else"))

    def run(env: Env) -> Any:
        answer = condition(env)
        if answer is not None and not isinstance(answer, bool):
            return env.rt.null("The condition is neither true nor false.")
        return yes(env) if answer is True else no(env)

    return run


def _filter(builder: Builder, element: _Element, place: Words) -> Closure:
    source, match = _required(builder, element, "in", place), _required(builder, element, "match", place)

    def run(env: Env) -> Any:
        # A boxed filter is stricter than the textual one (DMN 1.5 §10.2.2.6): an answer that is no condition spoils it.
        misfits: list[Any] = []

        def condition(scope: Env) -> bool | None:
            answer = match(scope)
            if answer is None or isinstance(answer, bool):
                return answer
            misfits.append(answer)
            return None

        result = filter_items(source(env), condition, env)
        return env.rt.null("The condition is neither true nor false.") if misfits else result

    return run


def _iterator(builder: Builder, element: _Element, body: str, place: Words) -> tuple[str, Closure, Closure]:
    return element.get("iteratorVariable", ""), _required(builder, element, "in", place), _required(builder, element, body, place)


def _for(builder: Builder, element: _Element, place: Words) -> Closure:
    name, source, body = _iterator(builder, element, "return", place)

    def run(env: Env) -> list[Any] | None:
        values = iterate(source(env), None, False, env)
        if values is None:
            return None
        result: list[Any] = []
        outer = env.child(Partial(result, env))
        for value in values:
            env.rt.tick()
            result.append(body(outer.child({name: value})))
            env.rt.items(len(result))
        return result

    return run


def _quantified(every: bool) -> Callable[[Builder, _Element, Words], Closure]:
    def compile_one(builder: Builder, element: _Element, place: Words) -> Closure:
        name, source, condition = _iterator(builder, element, "satisfies", place)

        def run(env: Env) -> bool | None:
            values = iterate(source(env), None, False, env)
            if values is None:
                return None
            result: bool | None = every
            for value in values:
                env.rt.tick()
                answer = condition(env.child({name: value}))
                if answer is not None and not isinstance(answer, bool):
                    return env.rt.null("The condition is neither true nor false.")
                if answer is (not every):
                    return answer
                if answer is None:
                    result = None
            return result

        return run

    return compile_one


_BOXED: dict[str, Callable[[Any, _Element, Words], Closure]] = {
    "literalExpression": _literal,
    "decisionTable": _table,
    "context": _context,
    "functionDefinition": _function,
    "invocation": _invocation,
    "list": _list,
    "relation": _relation,
    "conditional": _conditional,
    "filter": _filter,
    "for": _for,
    "some": _quantified(False),
    "every": _quantified(True),
}
BOXED_NAMES = frozenset(_BOXED)
# A declared type of these is the type of their value; of a table it is the decision's, of a function that of the function.
_TYPED = BOXED_NAMES - {"decisionTable", "functionDefinition"}


def typed(closure: Closure, type_: Type) -> Closure:
    """Fit the value of a closure to a declared type; null with a note when it does not fit."""
    if type_ == ANY:
        return closure

    def run(env: Env) -> Any:
        fits, value = coerce(closure(env), type_, env.rt.types)
        return value if fits else env.rt.null("A value is not of its declared type.")

    return run
