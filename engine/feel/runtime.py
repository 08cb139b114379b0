"""What one evaluation carries with it: scopes, the step counter, the notes, the clock."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from engine.feel.errors import FeelError, LimitExceeded
from engine.feel.limits import (
    CLOCK_EVERY,
    LONG,
    MAX_CALLS,
    MAX_CELLS,
    MAX_ITEMS,
    MAX_NOTES,
    MAX_SECONDS,
    MAX_STEPS,
    MAX_STRING,
    MAX_WAIT,
)
from engine.feel.types import Types
from engine.feel.values import KIND_WORDS, from_python
from engine.words import T, Words

OFFICE_ZONE = "Asia/Shanghai"


def system_clock() -> dt.datetime:
    """The clock used when the caller gives none: now, aware, in UTC."""
    return dt.datetime.now(dt.UTC)


_OUTERMOST = threading.local()
_NOT_YET = (-1.0, -1.0)  # the clocks are first read when an evaluation turns out to be long: most never ask them


def run_within_time(run: Callable[[], Any]) -> Any:
    """Run an evaluation; those that begin inside it (checks of declared types, host functions) share its allowance of time."""
    if getattr(_OUTERMOST, "began", None) is not None:
        return run()
    _OUTERMOST.began = _NOT_YET
    try:
        return run()
    finally:
        _OUTERMOST.began = None


class Runtime:
    """One evaluation.  ``notes`` collects why something became null; ``clock`` returns an aware UTC datetime."""

    __slots__ = ("steps", "look", "cells", "calls", "notes", "clock", "zone", "types", "trace")

    def __init__(
        self, notes: list[Words] | None = None, clock: Callable[[], dt.datetime] | None = None, types: Types | None = None, zone: str = OFFICE_ZONE
    ) -> None:
        self.steps = MAX_STEPS
        self.look = MAX_STEPS - CLOCK_EVERY  # when the steps left fall below this, the clock is looked at
        self.cells = MAX_CELLS
        self.calls = 0
        self.notes = notes
        self.clock = clock or system_clock
        self.zone = zone
        self.types = types or {}
        self.trace: Any = None  # whatever a caller of closures wants to carry along, such as the record of fired rules

    def tick(self, amount: int = 1) -> None:
        """Count work; raises :class:`LimitExceeded` when the budget is used up."""
        self.steps -= amount
        if self.steps < self.look:
            self._check()

    def _check(self) -> None:
        if self.steps < 0:
            raise LimitExceeded("The expression was stopped after %(limit)d steps; it works through too many elements.", limit=MAX_STEPS)
        self.look = max(self.steps - CLOCK_EVERY, 0)
        began = getattr(_OUTERMOST, "began", None)
        if began is None:
            return
        if began is _NOT_YET:
            _OUTERMOST.began = (time.thread_time(), time.monotonic())
            return
        used = time.thread_time() - began[0]
        if used > MAX_SECONDS or used > LONG and time.monotonic() - began[1] > MAX_WAIT:
            raise LimitExceeded("The expression was stopped because it takes too long; let it work through fewer elements.")

    def produced(self, count: int) -> None:
        """Count elements of lists and contexts that come into being: together they are what an evaluation takes of memory."""
        self.cells -= count
        if self.cells < 0:
            raise LimitExceeded("The expression was stopped because it makes too many values (more than %(limit)d).", limit=MAX_CELLS)

    def made(self, value: Any) -> Any:
        """Count what a function gave back, and give it back."""
        if isinstance(value, (list, dict)):
            self.produced(1 + len(value))
        elif isinstance(value, str):
            self.produced(len(value) // 10)
            self.tick(len(value) // 100)
        return value

    def items(self, count: int) -> None:
        """Refuse a list of more than the permitted number of elements."""
        if count > MAX_ITEMS:
            raise LimitExceeded("A list would have more than %(limit)d elements.", limit=MAX_ITEMS)

    def characters(self, count: int) -> None:
        """Refuse a text of more than the permitted length."""
        if count > MAX_STRING:
            raise LimitExceeded("The text would be longer than %(limit)d characters.", limit=MAX_STRING)
        self.produced(count // 10)

    def null(self, message: str, /, **params: Any) -> None:
        """A semantic error: remember why, and be null.

        The names of kinds (``kind``, ``left``, ``right``) are put in as words, so that they are translated too.
        """
        if self.notes is not None and len(self.notes) < MAX_NOTES:
            for place in ("kind", "left", "right"):
                if place in params:
                    params[place] = KIND_WORDS.get(params[place], params[place])
            try:
                self.notes.append(T(message, **params))
            except ValueError:  # a number of thousands of digits, which Python refuses to write out
                self.notes.append(T("A number is out of range."))

    def enter(self) -> None:
        self.calls += 1
        if self.calls > MAX_CALLS:
            raise LimitExceeded("Functions call each other more than %(limit)d levels deep.", limit=MAX_CALLS)
        self.tick()

    def leave(self) -> None:
        self.calls -= 1

    def now(self) -> dt.datetime:
        """The current moment in the office's zone."""
        return self.clock().astimezone(ZoneInfo(self.zone))


class RootVariables:
    """The caller's variables, turned into FEEL values when first read and remembered for this evaluation."""

    __slots__ = ("scope", "ready")

    def __init__(self, scope: Mapping[str, Any]) -> None:
        self.scope = scope
        self.ready: dict[str, Any] = {}

    def __contains__(self, name: str) -> bool:
        return name in self.ready or name in self.scope

    def __getitem__(self, name: str) -> Any:
        if name not in self.ready:
            self.ready[name] = self._read(name)
        return self.ready[name]

    def _read(self, name: str) -> Any:
        try:
            return from_python(self.scope[name])
        except LimitExceeded:
            raise
        except FeelError as error:
            raise FeelError("The variable %(name)s cannot be read: %(reason)s", name=name, reason=error.reason) from None


class Env:
    """One scope in a chain.  ``vars`` is anything with ``in`` and ``[]``."""

    __slots__ = ("vars", "parent", "rt")

    def __init__(self, variables: Any, parent: Env | None, rt: Runtime) -> None:
        self.vars = variables
        self.parent = parent
        self.rt = rt

    def child(self, variables: Any) -> Env:
        return Env(variables, self, self.rt)

    def find(self, name: str) -> tuple[bool, Any]:
        """Return ``(found, value)`` of the nearest variable of that name."""
        env: Env | None = self
        while env is not None:
            if name in env.vars:
                return True, env.vars[name]
            env = env.parent
        return False, None
