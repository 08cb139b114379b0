"""How a built-in function is declared: a name and a line of parameters, from which arguments are bound and checked.

``@builtin("substring", "string: str, start position: num, length?: num")`` declares one overload.  ``name?`` may be
left out, ``name*`` takes any number of arguments, ``kind?`` admits null, ``kind|kind`` admits either.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from engine.feel.values import Builtin, kind_of

_KINDS = {
    "num": "number",
    "str": "string",
    "bool": "boolean",
    "date": "date",
    "time": "time",
    "dt": "date and time",
    "days": "days and time duration",
    "months": "years and months duration",
    "list": "list",
    "ctx": "context",
    "range": "range",
    "fn": "function",
}
_MISFIT = object()
BUILTINS: dict[str, Builtin] = {}


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    kinds: frozenset[str] | None  # None: anything
    optional: bool
    nullable: bool
    variadic: bool

    def fit(self, value: Any) -> Any:
        """The value as this parameter takes it, or ``_MISFIT``.  Lists of one and single elements change places."""
        if self.kinds is None:
            return value
        if value is None:
            return None if self.nullable else _MISFIT
        kind = kind_of(value)
        if kind in self.kinds:
            return value
        if "list" in self.kinds:
            return [value]
        if kind == "list" and len(value) == 1 and kind_of(value[0]) in self.kinds:
            return value[0]
        return _MISFIT


@dataclass(frozen=True, slots=True)
class Overload:
    """One signature of a built-in and the Python function behind it (``run(rt, *arguments)``)."""

    parameters: tuple[Parameter, ...]
    run: Callable[..., Any]

    def bind(self, positional: list[Any], named: dict[str, Any] | None) -> list[Any] | None:
        """Arguments for ``run`` or ``None`` when they do not fit."""
        if named is not None:
            positional = self._by_name(named)
            if positional is None:
                return None
        variadic = bool(self.parameters) and self.parameters[-1].variadic
        required = sum(not parameter.optional and not parameter.variadic for parameter in self.parameters) + variadic
        if len(positional) < required or len(positional) > len(self.parameters) and not variadic:
            return None
        arguments = []
        for index, value in enumerate(positional):
            parameter = self.parameters[min(index, len(self.parameters) - 1)]
            fitted = value if value is _MISFIT else parameter.fit(value)
            if fitted is _MISFIT:
                if value is _MISFIT and parameter.optional:
                    arguments.append(None)
                    continue
                return None
            arguments.append(fitted)
        return arguments

    def _by_name(self, named: dict[str, Any]) -> list[Any] | None:
        names = [parameter.name for parameter in self.parameters]
        if not set(named) <= set(names):
            return None
        given = [index for index, name in enumerate(names) if name in named]
        return [named.get(name, _MISFIT) for name in names[: given[-1] + 1]] if given else []


def _parameter(text: str) -> Parameter:
    name, _, kinds = (part.strip() for part in text.partition(":"))
    optional, variadic = name.endswith("?"), name.endswith("*")
    nullable = kinds.endswith("?")
    chosen = None if kinds == "any" else frozenset(_KINDS[kind] for kind in kinds.rstrip("?").split("|"))
    return Parameter(name.rstrip("?*"), chosen, optional, nullable, variadic)


def builtin(name: str, signature: str = "") -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare an overload of a built-in function; overloads are tried in the order of their declaration."""
    parameters = tuple(_parameter(part) for part in signature.split(",") if part.strip())

    def register(run: Callable[..., Any]) -> Callable[..., Any]:
        BUILTINS.setdefault(name, Builtin(name, [])).overloads.append(Overload(parameters, run))
        return run

    return register
