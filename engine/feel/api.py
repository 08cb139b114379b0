"""Compiling with a cache, and running."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

from engine.feel import nodes as n
from engine.feel.builtins import BUILTINS
from engine.feel.compiler import INPUT, compile_cell, compile_node
from engine.feel.errors import FeelError, LimitExceeded
from engine.feel.limits import CACHE_SIZE, LONG_CACHE_SIZE, LONG_TEXT, MAX_DEPTH
from engine.feel.parser import Parser
from engine.feel.runtime import Env, RootVariables, Runtime, run_within_time
from engine.feel.types import Type, Types
from engine.feel.values import from_python
from engine.words import T, Words

Clock = Callable[[], dt.datetime]
_PLAIN_NAME = re.compile(r"[^\W\d]\w*")
_MAX_SCANNED = 20_000


class Expression:
    """A compiled expression.  Immutable and safe to share between threads."""

    __slots__ = ("text", "names", "tree", "_run")

    def __init__(self, text: str, names: frozenset[str]) -> None:
        parser = Parser(text, names, BUILTINS)
        self.text = text
        self.tree: n.Node = guard(parser.expression, text)
        self.names = frozenset(parser.free)
        self._run = guard(lambda: compile_node(self.tree), text)

    def evaluate(
        self, scope: Mapping[str, Any] | None = None, *, notes: list[Words] | None = None, clock: Clock | None = None, types: Types | None = None
    ) -> Any:
        """The value over the variables of ``scope``.

        ``notes`` collects, as sentences, why something became null.  ``clock`` (an aware UTC datetime) is what
        ``now()`` and ``today()`` read.  Raises :class:`LimitExceeded` when a bound is passed and lets an
        :class:`engine.errors.EngineError` of a host function through.
        """
        env = Env(RootVariables(scope if scope is not None else {}), None, Runtime(notes, clock, types))
        return guard(lambda: self._run(env), self.text, running=True)

    def run(self, env: Env) -> Any:
        """The value within a running evaluation, for those who compose closures (boxed expressions)."""
        try:
            return self._run(env)
        except FeelError as error:
            error.locate_in(self.text)
            raise


class UnaryTests:
    """Compiled unary tests, as they stand in a cell of a decision table."""

    __slots__ = ("text", "names", "tree", "_test")

    def __init__(self, text: str, names: frozenset[str]) -> None:
        parser = Parser(text, names, BUILTINS)
        self.text = text
        self.tree: n.Tests = guard(parser.unary_tests, text)
        self.names = frozenset(parser.free)
        self._test = guard(lambda: compile_cell(self.tree), text)

    def test(
        self,
        value: Any,
        scope: Mapping[str, Any] | None = None,
        *,
        notes: list[Words] | None = None,
        clock: Clock | None = None,
        types: Types | None = None,
    ) -> bool | None:
        """Whether the value passes; null when that cannot be said.  ``?`` in the tests is the value."""
        subject = from_python(value)
        root = Env(RootVariables(scope if scope is not None else {}), None, Runtime(notes, clock, types))
        env = root.child({INPUT: subject})
        return guard(lambda: self._test(env, subject), self.text, running=True)

    def run(self, env: Env, value: Any) -> bool | None:
        """The answer within a running evaluation; ``value`` is a FEEL value already."""
        try:
            return self._test(env.child({INPUT: value}), value)
        except FeelError as error:
            error.locate_in(self.text)
            raise


def guard(run: Callable[[], Any], text: str | None = None, *, running: bool = False) -> Any:
    """Run something; running out of Python's stack becomes an error in words, and an error learns of which text it speaks."""
    # The bounds of the parser and of calls keep well away from Python's own limit; this is the net below them.
    try:
        return run_within_time(run) if running else run()
    except RecursionError:
        kind = LimitExceeded if running else FeelError
        error = kind(T("The expression is nested too deeply (more than %(limit)d levels).", limit=MAX_DEPTH))
    except FeelError as failure:
        error = failure
    if text is not None:
        error.locate_in(text)
    raise error from error.__cause__


# What is remembered is bounded by number and by length, so that no row of huge texts can fill the memory.
_expression, _long_expression = lru_cache(CACHE_SIZE)(Expression), lru_cache(LONG_CACHE_SIZE)(Expression)
_unary, _long_unary = lru_cache(CACHE_SIZE)(UnaryTests), lru_cache(LONG_CACHE_SIZE)(UnaryTests)


def compile_expression(text: str, names: Iterable[str] = ()) -> Expression:
    """Compile an expression (cached).

    ``names`` are the names in scope that hold spaces or operator signs, host functions included.  Raises
    :class:`FeelError` with line, column and a snippet.
    """
    return (_expression if len(text) <= LONG_TEXT else _long_expression)(text, frozenset(names))


def compile_unary(text: str, names: Iterable[str] = ()) -> UnaryTests:
    """Compile unary tests (cached); an empty text or ``-`` accepts everything.  Raises :class:`FeelError`."""
    return (_unary if len(text) <= LONG_TEXT else _long_unary)(text, frozenset(names))


@lru_cache(maxsize=1024)
def parse_type(text: str) -> Type:
    """Read a type such as ``list<number>``; raises :class:`FeelError`."""
    return Parser(text, (), ()).whole_type()


def evaluate(
    text: str, scope: Mapping[str, Any] | None = None, *, notes: list[Words] | None = None, clock: Clock | None = None, types: Types | None = None
) -> Any:
    """Compile and evaluate a plain FEEL expression (no leading ``=``) over ``scope``; see :class:`Expression`."""
    return compile_expression(text, special_names(scope)).evaluate(scope, notes=notes, clock=clock, types=types)


def unary_test(
    text: str, value: Any, scope: Mapping[str, Any] | None = None, *, notes: list[Words] | None = None, clock: Clock | None = None
) -> bool | None:
    """Whether ``value`` passes the unary tests; see :class:`UnaryTests`."""
    return compile_unary(text, special_names(scope) | special_names(value)).test(value, scope, notes=notes, clock=clock)


def special_names(scope: Any) -> frozenset[str]:
    """The keys in a mapping, at any depth, that hold spaces or signs and therefore must be known to the parser."""
    found: set[str] = set()
    pending = [scope]
    for _ in range(_MAX_SCANNED):
        if not pending:
            break
        value = pending.pop()
        if isinstance(value, Mapping):
            found.update(key for key in value if isinstance(key, str) and not _PLAIN_NAME.fullmatch(key))
            pending.extend(item for item in value.values() if isinstance(item, (Mapping, list, tuple)))
        elif isinstance(value, (list, tuple)):
            pending.extend(item for item in value if isinstance(item, (Mapping, list, tuple)))
    return frozenset(found)
