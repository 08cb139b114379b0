"""List functions (DMN 1.5 §10.3.4.4), boolean ``not`` and ``sort``."""

from __future__ import annotations

import functools
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from engine.feel.builtins.registry import builtin
from engine.feel.calls import call_value
from engine.feel.operators import calculate, equal, order
from engine.feel.runtime import Runtime
from engine.feel.values import CONTEXT, Function, kind_of


@builtin("not", "negand: any")
def negation(rt: Runtime, negand: Any) -> bool | None:
    return not negand if isinstance(negand, bool) else rt.null("not(…) negates conditions only.")


def _over_list(name: str, run: Callable[[Runtime, list[Any]], Any]) -> None:
    """A function of one list that may also be given as several arguments."""
    builtin(name, "list: list")(run)
    builtin(name, "items*: any")(lambda rt, *items: run(rt, list(items)) if len(items) > 1 else rt.null("A list is expected."))


def _extreme(wanted: int) -> Callable[[Runtime, list[Any]], Any]:
    def run(rt: Runtime, items: list[Any]) -> Any:
        if not items:
            return rt.null("The list is empty.")
        best = items[0]
        if order(best, best, rt) is None:
            return None
        for item in items[1:]:
            rt.tick()
            result = order(item, best, rt)
            if result is None:
                return None
            best = item if result == wanted else best
        return best

    return run


def _numeric(run: Callable[[Runtime, list[Decimal]], Any], *, empty: Any = None) -> Callable[[Runtime, list[Any]], Any]:
    def checked(rt: Runtime, items: list[Any]) -> Any:
        if not items:
            return empty() if empty else rt.null("The list is empty.")
        rt.tick(len(items) // 2)
        if not all(isinstance(item, Decimal) for item in items):
            return rt.null("The list holds something that is not a number.")
        try:
            return run(rt, items)
        except ArithmeticError:
            return rt.null("The result is too large.")

    return checked


def _sum(rt: Runtime, items: list[Decimal]) -> Decimal:
    return functools.reduce(CONTEXT.add, items)


def _add_up(rt: Runtime, items: list[Any]) -> Any:
    # Durations may be added up too: the arithmetic of "+" decides.
    if items and all(kind_of(item) == kind_of(items[0]) and kind_of(item).endswith("duration") for item in items):
        return functools.reduce(lambda left, right: calculate("+", left, right, rt), items)
    return _numeric(_sum)(rt, items)


def _median(rt: Runtime, items: list[Decimal]) -> Decimal:
    ordered = sorted(items)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return CONTEXT.divide(CONTEXT.add(ordered[middle - 1], ordered[middle]), Decimal(2))


def _stddev(rt: Runtime, items: list[Decimal]) -> Decimal | None:
    if len(items) < 2:
        return rt.null("A standard deviation needs two numbers.")
    mean = CONTEXT.divide(_sum(rt, items), Decimal(len(items)))
    squares = [CONTEXT.power(CONTEXT.subtract(item, mean), 2) for item in items]
    return CONTEXT.sqrt(CONTEXT.divide(_sum(rt, squares), Decimal(len(items) - 1)))


def _mode(rt: Runtime, items: list[Decimal]) -> list[Decimal]:
    counts: dict[Decimal, int] = {}
    for item in items:
        counts[item] = counts.get(item, 0) + 1
    most = max(counts.values())
    return sorted(item for item, count in counts.items() if count == most)


def _conjunction(decisive: bool) -> Callable[[Runtime, list[Any]], bool | None]:
    def run(rt: Runtime, items: list[Any]) -> bool | None:
        if any(item is decisive for item in items):
            return decisive
        return not decisive if all(isinstance(item, bool) for item in items) else rt.null("The list holds something that is not a condition.")

    return run


for _name, _run in (
    ("min", _extreme(-1)),
    ("max", _extreme(1)),
    ("sum", _add_up),
    ("mean", _numeric(lambda rt, items: CONTEXT.divide(_sum(rt, items), Decimal(len(items))))),
    ("product", _numeric(lambda rt, items: functools.reduce(CONTEXT.multiply, items))),
    ("median", _numeric(_median)),
    ("stddev", _numeric(_stddev)),
    ("mode", _numeric(_mode, empty=list)),
    ("all", _conjunction(False)),
    ("any", _conjunction(True)),
):
    _over_list(_name, _run)


@builtin("count", "list: list")
def count(rt: Runtime, items: list[Any]) -> Decimal:
    return Decimal(len(items))


@builtin("is empty", "list: list")
def is_empty(rt: Runtime, items: list[Any]) -> bool:
    return not items


def _holds(items: list[Any], value: Any, rt: Runtime) -> bool:
    for item in items:
        rt.tick()
        if equal(item, value, rt) is True:
            return True
    return False


@builtin("list contains", "list: list, element: any")
def list_contains(rt: Runtime, items: list[Any], element: Any) -> bool:
    return _holds(items, element, rt)


@builtin("sublist", "list: list, start position: num, length?: num")
def sublist(rt: Runtime, items: list[Any], start: Decimal, length: Decimal | None = None) -> list[Any] | None:
    first = _index(rt, items, start)
    if first is None:
        return None
    if length is None:
        return items[first:]
    if length < 1 or first + int(length) > len(items):
        return rt.null("The list does not have so many elements from there.")
    return items[first : first + int(length)]


def _index(rt: Runtime, items: list[Any], position: Decimal) -> int | None:
    """0-based index of a 1-based position that may be negative; null outside the list."""
    place = int(position)
    if place == 0 or abs(place) > len(items):
        return rt.null("The list has no element %(position)d; it has %(count)d.", position=place, count=len(items))
    return place - 1 if place > 0 else len(items) + place


@builtin("append", "list: list, item*: any")
def append(rt: Runtime, items: list[Any], *more: Any) -> list[Any]:
    return [*items, *more]


@builtin("concatenate", "list*: list")
def concatenate(rt: Runtime, *lists: list[Any]) -> list[Any]:
    rt.items(sum(map(len, lists)))
    return [item for items in lists for item in items]


@builtin("insert before", "list: list, position: num, newItem: any")
def insert_before(rt: Runtime, items: list[Any], position: Decimal, item: Any) -> list[Any] | None:
    index = _index(rt, items, position)
    return None if index is None else [*items[:index], item, *items[index:]]


@builtin("remove", "list: list, position: num")
def remove(rt: Runtime, items: list[Any], position: Decimal) -> list[Any] | None:
    index = _index(rt, items, position)
    return None if index is None else items[:index] + items[index + 1 :]


@builtin("list replace", "list: list, position: num, newItem: any")
def replace_at(rt: Runtime, items: list[Any], position: Decimal, item: Any) -> list[Any] | None:
    index = _index(rt, items, position)
    return None if index is None else [*items[:index], item, *items[index + 1 :]]


@builtin("list replace", "list: list, match: fn, newItem: any")
def replace_matching(rt: Runtime, items: list[Any], match: Any, new: Any) -> list[Any] | None:
    if isinstance(match, Function) and len(match.parameters) != 2:
        return rt.null("The matching function takes the element and the new element.")
    result = []
    for item in items:
        answer = call_value(match, [item, new], None, rt)
        if not isinstance(answer, bool):
            return rt.null("The matching function answers neither true nor false.")
        result.append(new if answer else item)
    return result


@builtin("reverse", "list: list")
def reverse(rt: Runtime, items: list[Any]) -> list[Any]:
    return items[::-1]


@builtin("index of", "list: list, match: any")
def index_of(rt: Runtime, items: list[Any], match: Any) -> list[Decimal]:
    rt.tick(len(items))
    return [Decimal(index) for index, item in enumerate(items, 1) if equal(item, match, rt) is True]


@builtin("union", "list*: list")
def union(rt: Runtime, *lists: list[Any]) -> list[Any]:
    return distinct_values(rt, concatenate(rt, *lists))


@builtin("distinct values", "list: list")
def distinct_values(rt: Runtime, items: list[Any]) -> list[Any]:
    return _partitioned(rt, items)[0]


@builtin("duplicate values", "list: list")
def duplicate_values(rt: Runtime, items: list[Any]) -> list[Any]:
    return _partitioned(rt, items)[1]


def _partitioned(rt: Runtime, items: list[Any]) -> tuple[list[Any], list[Any]]:
    """The values once each, and those of them that occur more than once."""
    seen: set[Any] = set()
    once: list[Any] = []
    again: list[Any] = []
    for item in items:
        # Values whose equality is Python's own are found in a set, so that long lists of texts or numbers stay cheap.
        simple = isinstance(item, (str, Decimal, bool))
        key = (type(item), item) if simple else None
        known = key in seen if simple else _holds(once, item, rt)
        if not known:
            once.append(item)
            seen.add(key)
        elif not _holds(again, item, rt):
            again.append(item)
    return once, again


@builtin("flatten", "list: list")
def flatten(rt: Runtime, items: list[Any]) -> list[Any]:
    result: list[Any] = []
    pending = [iter(items)]
    while pending:
        for item in pending[-1]:
            rt.tick()
            if isinstance(item, list):
                pending.append(iter(item))
                break
            result.append(item)
        else:
            pending.pop()
    rt.items(len(result))
    return result


@builtin("partition", "list: list, size: num")
def partition(rt: Runtime, items: list[Any], size: Decimal) -> list[list[Any]] | None:
    step = int(size)
    if step < 1:
        return rt.null("The size of a part is at least 1.")
    rt.tick(len(items) // step)
    rt.produced(len(items) + 8 * (len(items) // step))
    return [items[at : at + step] for at in range(0, len(items), step)]


@builtin("sort", "list: list, precedes?: fn")
def sort(rt: Runtime, items: list[Any], precedes: Any = None) -> list[Any] | None:
    """Stable; without a function, in natural order."""
    if isinstance(precedes, Function) and len(precedes.parameters) != 2:
        return rt.null("The function of sort takes two elements.")
    unordered = []

    def natural(left: Any, right: Any) -> int:
        rt.tick()
        result = order(left, right, rt)
        if result is None:
            unordered.append(left)
        return result or 0

    def by_function(left: Any, right: Any) -> int:
        if call_value(precedes, [left, right], None, rt) is True:
            return -1
        return 1 if call_value(precedes, [right, left], None, rt) is True else 0

    result = sorted(items, key=functools.cmp_to_key(by_function if precedes is not None else natural))
    return None if unordered else result
