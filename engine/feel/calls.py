"""Calling a function value: one defined in FEEL, a built-in, or a callable of the host."""

from __future__ import annotations

from typing import Any

from engine.errors import EngineError
from engine.feel.errors import FeelError
from engine.feel.runtime import Runtime
from engine.feel.types import ANY, coerce
from engine.feel.values import Builtin, Function, from_python, kind_of
from engine.words import T


def call_value(function: Any, positional: list[Any], named: dict[str, Any] | None, rt: Runtime, name: str | None = None) -> Any:
    """Call with positional or with named arguments (``named`` not ``None``); null with a note when it does not fit."""
    rt.enter()
    try:
        if isinstance(function, Builtin):
            return _call_builtin(function, positional, named, rt)
        if isinstance(function, Function):
            return _call_function(function, positional, named, rt, name)
        if kind_of(function) == "function":
            return _call_host(function, positional, named, name)
        if function is not None or name is None:
            return rt.null("A %(kind)s cannot be called.", kind=kind_of(function))
        return rt.null("There is no function %(name)s.", name=name)
    finally:
        rt.leave()


def _call_builtin(function: Builtin, positional: list[Any], named: dict[str, Any] | None, rt: Runtime) -> Any:
    for overload in function.overloads:
        arguments = overload.bind(positional, named)
        if arguments is not None:
            rt.tick(sum(len(argument) for argument in arguments if isinstance(argument, (list, str, dict))) // 10)
            return rt.made(overload.run(rt, *arguments))
    return rt.null("The arguments do not fit the function %(name)s.", name=function.name)


def _call_function(function: Function, positional: list[Any], named: dict[str, Any] | None, rt: Runtime, name: str | None) -> Any:
    if named is not None:
        if set(named) != set(function.parameters):
            return rt.null("The arguments do not fit the function %(name)s.", name=name or str(function))
        positional = [named[parameter] for parameter in function.parameters]
    if len(positional) != len(function.parameters):
        return rt.null("The arguments do not fit the function %(name)s.", name=name or str(function))
    arguments = []
    for value, type_, parameter in zip(positional, function.types, function.parameters, strict=True):
        if type_ != ANY and isinstance(value, (list, dict)):
            rt.tick(len(value))
        fits, value = (True, value) if type_ == ANY else coerce(value, type_, rt.types if function.known_types is None else function.known_types)
        if not fits:
            return rt.null("The argument %(parameter)s is not of the declared type.", parameter=parameter)
        arguments.append(value)
    return function.call(arguments, rt)


def _call_host(function: Any, positional: list[Any], named: dict[str, Any] | None, name: str | None) -> Any:
    """A host function gets FEEL values; named arguments with spaces in their name arrive with underscores."""
    keywords = {key.replace(" ", "_"): value for key, value in (named or {}).items()}
    label = name or getattr(function, "__name__", "?")
    try:
        return from_python(function(*positional, **keywords))
    except EngineError:
        raise
    except Exception as error:
        raise FeelError(T("The function %(name)s failed: %(reason)s", name=label, reason=str(error))) from error
