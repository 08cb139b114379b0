"""Scopes of variables, with the dialect's semantics (design.md §1.3).

Each token may hold variables of its own; a name is looked up from the token outwards.  What one branch writes, the others
see at once, because they share the scope in which the variable lies.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from engine.feel.values import kind_of, to_json

if TYPE_CHECKING:
    from engine.bpmn.elements import DataAssociation
    from engine.bpmn.execution import Token


class ScopeView(Mapping):
    """The variables visible from a token, then the host's functions.  Reads live: no copy is made."""

    __slots__ = ("_functions", "_token")

    def __init__(self, token: Token, functions: Mapping[str, Any]) -> None:
        self._token, self._functions = token, functions

    def __getitem__(self, name: str) -> Any:
        token = self._token
        while token is not None:
            if name in token.data:
                return token.data[name]
            token = token.parent
        return self._functions[name]

    def __iter__(self) -> Iterator[str]:
        return iter({**self._functions, **visible(self._token)})

    def __len__(self) -> int:
        return sum(1 for _ in self)


def visible(token: Token | None) -> dict[str, Any]:
    """All variables visible from ``token``; inner ones hide outer ones."""
    chain = []
    while token is not None:
        chain.append(token.data)
        token = token.parent
    merged: dict[str, Any] = {}
    for data in reversed(chain):
        merged.update(data)
    return merged


def assign(token: Token, name: str, value: Any) -> None:
    """Propagate ``name = value`` from ``token`` outwards: to the nearest scope that has the variable, else to the root."""
    scope = token
    while name not in scope.data and scope.parent is not None:
        scope = scope.parent
    scope.data[name] = value


def assign_path(target: dict[str, Any], path: str, value: Any) -> None:
    """Set ``a.b.c`` inside ``target``; contexts on the way are made or extended, never shared with the old value."""
    head, _, rest = path.partition(".")
    if not rest:
        target[head] = value
        return
    inner = target.get(head)
    inner = dict(inner) if isinstance(inner, dict) else {}
    assign_path(inner, rest, value)
    target[head] = inner


class Unstorable(TypeError):
    """A value that no variable can hold; ``str()`` says why."""


MAX_DEPTH = 100
"""How deep lists and contexts may be nested in a variable."""

MAX_BITS = 4096
"""Bits of the largest whole number; JSON readers stop at about 4,300 digits."""

DECIMAL_MARK = "$decimal"
"""How a snapshot marks an exact number; as a key of a context it would be taken for one."""


def map_inputs(token: Token) -> None:
    """Evaluate the data associations and input mappings of the token's element into variables local to it; later ones see
    earlier ones.  Done again (by a retry, or for each event thrown), it begins with what lay there before: ``n = n + 1`` adds one."""
    spec = token.task_spec
    if spec.data_outputs:
        # A data output belongs to the activity until its association carries it out.
        for association in spec.data_outputs:
            if association.source is not None:
                token.data.setdefault(association.source, None)
    if not (spec.data_inputs or spec.inputs_):
        return
    before, memory = token.data, token.internal_data
    targets = {mapping.target.partition(".")[0] for mapping in spec.inputs_}
    for association in spec.data_inputs:
        targets.update(path.partition(".")[0] for path in (association.target, *(path for _, path in association.assignments)) if path)
    if token.history is not None:
        token.data = {name: value for name, value in before.items() if name not in targets} | memory.get("given", {})
    else:
        token.data = dict(before)
        given = {name: before[name] for name in targets if name in before}
        if given:
            memory["given"] = given
    view = token.execution.view(token)
    try:
        for association in spec.data_inputs:
            _carry(association, view, token.data, token.execution.host)
        for mapping in spec.inputs_:
            assign_path(token.data, mapping.target, plain(mapping.source.evaluate(view)))
    except Exception:
        token.data = before
        raise


def map_outputs(token: Token) -> None:
    """Bring the results of a completed element to its scope: the output mappings, then the data outputs to the data objects and stores
    they are associated with (BPMN 2.0 §10.4.2).  All are evaluated before the first is assigned, so that a failure changes nothing."""
    spec, host, view = token.task_spec, token.execution.host, token.execution.view(token)
    results: dict[str, Any] = {}
    for mapping in spec.outputs_:
        head = mapping.target.partition(".")[0]
        if head != mapping.target and head not in results and isinstance(view.get(head), dict):
            results[head] = view[head]
        assign_path(results, mapping.target, plain(mapping.source.evaluate(view)))
    stored: dict[str, Any] = {}
    for association in spec.data_outputs:
        _carry(association, view, stored if association.to_store else results, host)
    # One run of a repeated activity has its output element, and its item, in its own scope: a mapping may write them (dialect:
    # multi-instance, variable mappings).  Any other name climbs from there as usual.
    inner = getattr(token.scope.task_spec, "inner", None) is spec
    for name, value in results.items():
        assign(token if inner else token.scope, name, value)
    for name, value in stored.items():
        host.write_store(name, value)


def _carry(association: DataAssociation, view: Mapping[str, Any], target: dict[str, Any], host: Any) -> None:
    if association.from_store:
        view = {**view, association.source: host.read_store(association.source)}
    if association.transformation is not None:
        target[association.target] = plain(association.transformation.evaluate(view))
    elif association.target is not None and association.source is not None:
        target[association.target] = plain(view.get(association.source))
    for expression, path in association.assignments:
        assign_path(target, path, plain(expression.evaluate(view)))


def plain(value: Any, _depth: int = 0) -> Any:
    """A variable's value: JSON types only, as the dialect demands.

    Accepts what FEEL yields and what Python callers give (dates become their ISO text).  Raises :class:`Unstorable` for a value
    that has no JSON form, or none that both databases can keep.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int):
        if value.bit_length() > MAX_BITS:
            raise Unstorable("the number has too many digits")
        return value
    if isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            raise Unstorable(f"{value!r} is no JSON number")
        return value
    if isinstance(value, Mapping | list | tuple):
        if _depth >= MAX_DEPTH:
            raise Unstorable(f"it is nested more than {MAX_DEPTH} levels deep")
        if isinstance(value, Mapping):
            if DECIMAL_MARK in value:
                raise Unstorable(f"“{DECIMAL_MARK}” cannot be a name in it")
            return {_text(str(name)): plain(item, _depth + 1) for name, item in value.items()}
        return [plain(item, _depth + 1) for item in value]
    if isinstance(value, Decimal) and not (value.is_finite() and -1000 < value.adjusted() < 1000):
        raise Unstorable("the number is too large or too small" if value.is_finite() else f"{value} is no JSON number")
    if isinstance(value, (Decimal, datetime, date, time)) or type(value).__module__.startswith("engine.feel"):
        # Where no variable called “number” is set, the name means the built-in function; as a value that is nothing.
        return None if kind_of(value) == "function" else to_json(value)
    raise Unstorable(f"a variable cannot hold a {type(value).__name__}")


def _text(value: str) -> str:
    """``value``, if both databases can keep it: valid Unicode without the character NUL."""
    if "\x00" in value:
        raise Unstorable("the text holds the character NUL")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise Unstorable("the text is not valid Unicode") from error
    return value
