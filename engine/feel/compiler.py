"""Syntax tree to closures: ``closure(env) -> value``, one per node, made once and run often."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from engine.feel import nodes as n
from engine.feel.builtins import BUILTINS
from engine.feel.calls import call_value
from engine.feel.errors import FeelError
from engine.feel.iteration import Partial, iterate
from engine.feel.operators import both, calculate, comparison, matches_test, negate
from engine.feel.runtime import Env, Runtime
from engine.feel.types import conforms
from engine.feel.values import Builtin, Function, Range, kind_of, property_of

Closure = Callable[[Env], Any]
Test = Callable[[Env, Any], "bool | None"]
INPUT = "?"


def compile_node(node: n.Node) -> Closure:
    """Turn a node into a closure; where work is done, an error that passes learns the node's place in the text."""
    closure = _COMPILERS[type(node)](node)
    if type(node) not in _PLACES:
        return closure
    at = node.at

    def placed(env: Env) -> Any:
        try:
            return closure(env)
        except FeelError as error:
            error.locate(at)
            raise

    return placed


def weight(node: Any) -> int:
    """Steps that running a node once costs: bodies are charged by size, or a long body in a long loop would be free."""
    return 1 + _size(node) // 10


def _size(node: Any) -> int:
    if isinstance(node, n.Node):
        return 1 + sum(_size(getattr(node, name)) for name in node.__slots__)
    if isinstance(node, (list, tuple)):
        return sum(_size(item) for item in node)
    return 0


# -- leaves -----------------------------------------------------------------------------------------------------------


def _literal(node: n.Literal) -> Closure:
    value = node.value
    return lambda env: value


def _bad_temporal(node: n.BadTemporal) -> Closure:
    def run(env: Env) -> None:
        return env.rt.null('@"%(text)s" is neither date, time, date and time nor duration.', text=node.text)

    return run


def _name(node: n.Name) -> Closure:
    name, at = node.name, node.at
    fallback = BUILTINS.get(name)

    # A name with a dot is known somewhere; where it is not in scope, the same text means a path.
    first, *properties = [part.strip() for part in name.split(".")]

    def run(env: Env) -> Any:
        scope: Env | None = env
        while scope is not None:
            if name in scope.vars:
                try:
                    return scope.vars[name]
                except FeelError as error:  # a variable of the host is turned into a FEEL value when it is first read
                    error.locate(at)
                    raise
            scope = scope.parent
        if properties and env.find(first)[0]:
            value = env.find(first)[1]
            for part in properties:
                value = read_property(value, part, env)
            return value
        if fallback is None:
            env.rt.null("There is no variable %(name)s.", name=name)
        return fallback

    return run


def _input(node: n.Input) -> Closure:
    return _name(n.Name(node.at, INPUT))


# -- arithmetic, comparison, logic ------------------------------------------------------------------------------------


def _chain(node: n.Chain) -> Closure:
    first = compile_node(node.first)
    rest = [(operator, compile_node(operand)) for operator, operand in node.rest]
    at = node.at

    def run(env: Env) -> Any:
        value = first(env)
        for operator, operand in rest:
            right = operand(env)
            try:
                value = calculate(operator, value, right, env.rt)
            except FeelError as error:
                error.locate(at)
                raise
        return value

    return run


def _logic(node: n.Logic) -> Closure:
    operands = [compile_node(operand) for operand in node.operands]
    decisive = node.operator == "or"

    def run(env: Env) -> bool | None:
        result: bool | None = not decisive
        for operand in operands:
            value = operand(env)
            if value is decisive:
                return decisive
            if value is not (not decisive):
                result = None
                if value is not None:
                    env.rt.null('"%(operator)s" joins conditions, and a %(kind)s is none.', operator=node.operator, kind=kind_of(value))
        return result

    return run


def _negate(node: n.Negate) -> Closure:
    operand = compile_node(node.operand)
    return lambda env: negate(operand(env), env.rt)


def _compare(node: n.Compare) -> Closure:
    left, right, test, at = compile_node(node.left), compile_node(node.right), comparison(node.operator), node.at

    def run(env: Env) -> bool | None:
        one, other = left(env), right(env)
        try:
            return test(one, other, env.rt)
        except FeelError as error:
            error.locate(at)
            raise

    return run


def _between(node: n.Between) -> Closure:
    value, low, high = compile_node(node.value), compile_node(node.low), compile_node(node.high)
    at_least, at_most = comparison(">="), comparison("<=")

    def run(env: Env) -> bool | None:
        subject = value(env)
        return both(at_least(subject, low(env), env.rt), at_most(subject, high(env), env.rt))

    return run


def _in(node: n.In) -> Closure:
    value, test = compile_node(node.value), compile_test(node.test)
    return lambda env: test(env, value(env))


def _instance_of(node: n.InstanceOf) -> Closure:
    value = compile_node(node.value)

    def run(env: Env) -> bool | None:
        subject = value(env)
        if isinstance(subject, (list, dict)):
            env.rt.tick(len(subject))
        result = conforms(subject, node.type, env.rt.types)
        if result is None:
            env.rt.null("There is no type %(name)s.", name=node.type.name)
        return result

    return run


# -- structure --------------------------------------------------------------------------------------------------------


def _path(node: n.Path) -> Closure:
    base, name = compile_node(node.base), node.name
    return lambda env: read_property(base(env), name, env)


def read_property(value: Any, name: str, env: Env) -> Any:
    """``value.name``: an entry, a property, or the list of that property of every element."""
    if isinstance(value, dict):
        if name not in value:
            env.rt.null("There is no entry %(name)s.", name=name)
        return value.get(name)
    if isinstance(value, list):
        env.rt.tick(len(value))
        env.rt.produced(len(value))
        return [read_property(item, name, env) for item in value]
    known, result = property_of(value, name)
    if not known:
        env.rt.null("A %(kind)s has no property %(name)s.", kind=kind_of(value), name=name)
    return result


def _filter(node: n.Filter) -> Closure:
    base, condition = compile_node(node.base), compile_node(node.condition)

    cost = weight(node.condition)
    position = node.condition.value if isinstance(node.condition, n.Literal) else None

    def run(env: Env) -> Any:
        value = base(env)
        if isinstance(position, Decimal):
            return element_at(value if isinstance(value, list) else [value], position, env)
        return filter_items(value, condition, env, cost)

    return run


def filter_items(value: Any, condition: Closure, env: Env, cost: int = 1) -> Any:
    """``value[condition]``: the elements for which it is true, or the element at the position that it gives."""
    items = value if isinstance(value, list) else [] if value is None else [value]
    result = []
    for item in items:
        env.rt.tick(cost)
        scope = env.child({"item": item})
        answer = condition(scope.child(item) if isinstance(item, dict) else scope)
        if isinstance(answer, Decimal):
            return element_at(items, answer, env)
        if answer is True:
            result.append(item)
    env.rt.produced(len(result))
    if not items and isinstance(condition(env), Decimal):
        return None
    return result


def element_at(items: list[Any], position: Decimal, env: Env) -> Any:
    """The element at a 1-based position, counted from the end when negative; null outside the list."""
    if position != position.to_integral_value():
        return env.rt.null("A position in a list is a whole number.")
    index = int(position)
    if 1 <= index <= len(items):
        return items[index - 1]
    if -len(items) <= index <= -1:
        return items[index]
    return env.rt.null("The list has no element %(position)d; it has %(count)d.", position=index, count=len(items))


def _list(node: n.ListNode) -> Closure:
    items = [compile_node(item) for item in node.items]
    count = 2 + len(items)

    def run(env: Env) -> list[Any]:
        env.rt.produced(count)
        return [item(env) for item in items]

    return run


def _context(node: n.ContextNode) -> Closure:
    entries = [(key, compile_node(value)) for key, value in node.entries]
    times = Counter(key for key, _ in entries)
    repeated = next((key for key, count in times.items() if count > 1), None)

    def run(env: Env) -> Any:
        if repeated is not None:
            return env.rt.null("The context has the key %(key)s twice.", key=repeated)
        env.rt.produced(4 + len(entries))
        result: dict[str, Any] = {}
        scope = env.child(result)
        for key, value in entries:
            result[key] = value(scope)
        return result

    return run


def _range(node: n.RangeNode) -> Closure:
    low, high = compile_node(node.low), compile_node(node.high)

    def run(env: Env) -> Range | None:
        start, end = low(env), high(env)
        if start is not None and end is not None and kind_of(start) != kind_of(end):
            return env.rt.null("The two ends of a range are of different kinds.")
        return Range(start, end, node.low_closed, node.high_closed)

    return run


# -- control ----------------------------------------------------------------------------------------------------------


def _if(node: n.If) -> Closure:
    condition, yes, no = compile_node(node.condition), compile_node(node.yes), compile_node(node.no)
    return lambda env: yes(env) if condition(env) is True else no(env)


def _sources(node: n.For | n.Quantified) -> list[tuple[str, Closure, Closure | None]]:
    return [(it.name, compile_node(it.source), compile_node(it.last) if it.last else None) for it in node.iterators]


def _each(sources: list[tuple[str, Closure, Closure | None]], env: Env, cost: int, index: int = 0) -> Iterator[Env | None]:
    """Every combination as a scope; a single ``None`` when a source cannot be run through."""
    name, source, last = sources[index]
    values = iterate(source(env), last(env) if last else None, last is not None, env)
    if values is None:
        yield None
        return
    for value in values:
        env.rt.tick(cost)
        scope = env.child({name: value})
        if index + 1 == len(sources):
            yield scope
        else:
            yield from _each(sources, scope, cost, index + 1)


def _for(node: n.For) -> Closure:
    sources, body, cost = _sources(node), compile_node(node.body), weight(node.body)

    def run(env: Env) -> list[Any] | None:
        result: list[Any] = []
        outer = env.child(Partial(result, env))
        for scope in _each(sources, outer, cost):
            if scope is None:
                return None
            result.append(body(scope))
            env.rt.items(len(result))
            env.rt.produced(1)
        return result

    return run


def _quantified(node: n.Quantified) -> Closure:
    sources, condition, cost = _sources(node), compile_node(node.condition), weight(node.condition)
    decisive = not node.every

    def run(env: Env) -> bool | None:
        result: bool | None = node.every
        for scope in _each(sources, env, cost):
            if scope is None:
                return None
            answer = condition(scope)
            if answer is decisive:
                return decisive
            if not isinstance(answer, bool):
                result = None
        return result

    return run


# -- functions --------------------------------------------------------------------------------------------------------


def _function(node: n.FunctionDefinition) -> Closure:
    parameters = tuple(node.parameters)
    types = tuple(node.types)
    source = node.source
    body = compile_node(node.body) if node.body is not None else None
    cost = weight(node.body)

    def make(env: Env) -> Function:
        def call(arguments: list[Any], rt: Runtime) -> Any:
            if body is None:
                return rt.null("External functions are not run here.")
            rt.tick(cost)
            try:
                return body(Env(dict(zip(parameters, arguments, strict=True)), env, rt))
            except FeelError as error:
                error.locate_in(source)  # the function may have been written in another text than the one that calls it
                raise

        return Function(parameters, types, call)

    return make


def _call(node: n.Call) -> Closure:
    positional = [compile_node(argument) for argument in node.positional]
    named = [(name, compile_node(argument)) for name, argument in node.named]
    callee = compile_node(node.callee)
    name = node.callee.name if isinstance(node.callee, n.Name) else None
    fallback = BUILTINS.get(name) if name else None

    def run(env: Env) -> Any:
        function = callee(env)
        if fallback is not None and not isinstance(function, (Function, Builtin)) and not callable(function):
            function = fallback  # a variable called "date" does not take away the function date()
        values = [argument(env) for argument in positional]
        keywords = {key: argument(env) for key, argument in named} if named else None
        if keywords is not None and len(keywords) < len(named):
            return env.rt.null("An argument of %(name)s is given twice.", name=name or "?")
        return call_value(function, values, keywords, env.rt, name)

    return run


# -- tests ------------------------------------------------------------------------------------------------------------


def _comparison(node: n.Comparison) -> Closure:
    operand, operator = compile_node(node.operand), node.operator
    if operator == "!=":
        raise FeelError('"!=" needs a value on its left side here.', position=node.at)

    def run(env: Env) -> Range:
        value = operand(env)
        if operator == "=":
            return Range(value, value)
        if operator.startswith("<"):
            return Range(None, value, False, operator == "<=", low_bounded=False)
        return Range(value, None, operator == ">=", False, high_bounded=False)

    return run


def compile_test(node: n.Node) -> Test:
    """Turn a node into a test of a value that is given when it runs."""
    if isinstance(node, n.Tests):
        return _tests(node)
    if isinstance(node, n.Comparison):
        operand, test = compile_node(node.operand), comparison(node.operator)
        return lambda env, value: test(value, operand(env), env.rt)
    expected = compile_node(node)
    return lambda env, value: matches_test(value, expected(env), env.rt)


def compile_cell(node: n.Node) -> Test:
    """As :func:`compile_test`, in a decision table's cell: an expression that uses ``?`` answers by itself."""
    if isinstance(node, n.Tests):
        return _tests(node, compile_cell)
    if isinstance(node, n.Comparison):
        return compile_test(node)
    expected = compile_node(node)
    asks = uses_input(node)
    is_condition = isinstance(node, (n.Compare, n.Logic, n.Between, n.In, n.InstanceOf, n.Quantified, n.Call))

    def test(env: Env, value: Any) -> bool | None:
        answer = expected(env)
        # A condition about other things answers by itself too, unless the value under test is a condition as well.
        if isinstance(answer, bool) and (asks or is_condition and not isinstance(value, bool)):
            return answer
        if asks and answer is None:
            return None
        return matches_test(value, answer, env.rt)

    return test


def _tests(node: n.Tests, compile_one: Callable[[n.Node], Test] = compile_test) -> Test:
    tests = [compile_one(test) for test in node.tests]
    if not tests:
        return lambda env, value: True

    def run(env: Env, value: Any) -> bool | None:
        result: bool | None = False
        for test in tests:
            answer = test(env, value)
            if answer is True:
                result = True
                break
            if answer is None:
                result = None
        return result if not node.negated or result is None else not result

    return run


def uses_input(node: Any) -> bool:
    """Whether ``?`` occurs in a node."""
    if isinstance(node, n.Input):
        return True
    if isinstance(node, n.Node):
        return any(uses_input(getattr(node, name)) for name in node.__slots__)
    if isinstance(node, (list, tuple)):
        return any(uses_input(item) for item in node)
    return False


_COMPILERS: dict[type, Callable[[Any], Closure]] = {
    n.Literal: _literal,
    n.BadTemporal: _bad_temporal,
    n.Name: _name,
    n.Input: _input,
    n.Chain: _chain,
    n.Logic: _logic,
    n.Negate: _negate,
    n.Compare: _compare,
    n.Between: _between,
    n.In: _in,
    n.InstanceOf: _instance_of,
    n.Path: _path,
    n.Filter: _filter,
    n.Call: _call,
    n.If: _if,
    n.For: _for,
    n.Quantified: _quantified,
    n.FunctionDefinition: _function,
    n.ListNode: _list,
    n.ContextNode: _context,
    n.RangeNode: _range,
    n.Comparison: _comparison,
}
# Names, sums and comparisons tell their place themselves: they are too many for a wrapper each.
_PLACES = frozenset((n.In, n.Path, n.Filter, n.Call, n.For, n.Quantified, n.ListNode, n.ContextNode, n.InstanceOf))
