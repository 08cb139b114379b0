"""Context functions (DMN 1.5 §10.3.4.9) and the questions about null that the dialect adds."""

from __future__ import annotations

from typing import Any

from engine.feel.builtins.registry import builtin
from engine.feel.operators import equal
from engine.feel.runtime import Runtime
from engine.feel.values import DateTime, Time, kind_of


@builtin("get value", "m: ctx, key: str")
def get_value(rt: Runtime, context: dict[str, Any], key: str) -> Any:
    if key not in context:
        return rt.null("There is no entry %(name)s.", name=key)
    return context[key]


@builtin("get value", "context: ctx, keys: list")
def get_value_at(rt: Runtime, context: dict[str, Any], keys: list[Any]) -> Any:
    value: Any = context
    for key in keys:
        if not isinstance(value, dict) or not isinstance(key, str) or key not in value:
            return rt.null("There is no entry %(name)s.", name=str(key))
        value = value[key]
    return value if keys else rt.null("No key is given.")


@builtin("get entries", "m: ctx")
def get_entries(rt: Runtime, context: dict[str, Any]) -> list[dict[str, Any]]:
    rt.tick(len(context))
    rt.produced(6 * len(context))
    return [{"key": key, "value": value} for key, value in context.items()]


@builtin("context", "entries: list")
def context_of(rt: Runtime, entries: list[Any]) -> dict[str, Any] | None:
    result: dict[str, Any] = {}
    for entry in entries:
        if not isinstance(entry, dict) or not isinstance(entry.get("key"), str) or "value" not in entry or entry["key"] in result:
            return rt.null("context(…) takes entries with a key of their own and a value.")
        result[entry["key"]] = entry["value"]
    return result


@builtin("context put", "context: ctx, key: str, value: any")
def context_put(rt: Runtime, context: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    rt.produced(4 * len(context))
    return {**context, key: value}


@builtin("context put", "context: ctx, keys: list, value: any")
def context_put_at(rt: Runtime, context: dict[str, Any], keys: list[Any], value: Any) -> dict[str, Any] | None:
    if not keys or not all(isinstance(key, str) for key in keys):
        return rt.null("The keys are a list of texts.")
    path = [context]
    for key in keys[:-1]:
        inner = path[-1].get(key, {})
        if not isinstance(inner, dict):
            return rt.null("%(name)s is not a context.", name=key)
        path.append(inner)
    for inner, key in zip(reversed(path), reversed(keys), strict=True):
        value = {**inner, key: value}
    return value


@builtin("context merge", "contexts: list")
def context_merge(rt: Runtime, contexts: list[Any]) -> dict[str, Any] | None:
    if not all(isinstance(context, dict) for context in contexts):
        return rt.null("context merge takes contexts only.")
    rt.produced(4 * sum(map(len, contexts)))
    return {key: value for context in contexts for key, value in context.items()}


@builtin("is defined", "value: any")
def is_defined(rt: Runtime, value: Any) -> bool:
    return value is not None


@builtin("get or else", "value: any, default: any")
def get_or_else(rt: Runtime, value: Any, default: Any) -> Any:
    return default if value is None else value


@builtin("is", "value1: any, value2: any")
def is_same(rt: Runtime, one: Any, other: Any) -> bool:
    """The same element of the same domain: stricter than ``=``, which also knows 10:00Z as 18:00+08:00."""
    if kind_of(one) != kind_of(other):
        return False
    if isinstance(one, Time):
        return (one.nanos, one.offset, one.zone) == (other.nanos, other.offset, other.zone)
    if isinstance(one, DateTime):
        return (one.date, one.nanos, one.offset, one.zone) == (other.date, other.nanos, other.offset, other.zone)
    return equal(one, other, rt) is True
