"""What one evaluation carries with it: scopes, the step counter, the notes, the clock."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from engine.feel.errors import FeelError, LimitExceeded
from engine.feel.limits import MAX_CALLS, MAX_ITEMS, MAX_NOTES, MAX_STEPS, MAX_STRING
from engine.feel.types import Types
from engine.feel.values import KIND_WORDS, from_python
from engine.words import T, Words

OFFICE_ZONE = "Asia/Shanghai"


def system_clock() -> dt.datetime:
    """The clock used when the caller gives none: now, aware, in UTC."""
    return dt.datetime.now(dt.UTC)


class Runtime:
    """One evaluation.  ``notes`` collects why something became null; ``clock`` returns an aware UTC datetime."""

    __slots__ = ("steps", "calls", "notes", "clock", "zone", "types", "trace")

    def __init__(
        self, notes: list[Words] | None = None, clock: Callable[[], dt.datetime] | None = None, types: Types | None = None, zone: str = OFFICE_ZONE
    ) -> None:
        self.steps = MAX_STEPS
        self.calls = 0
        self.notes = notes
        self.clock = clock or system_clock
        self.zone = zone
        self.types = types or {}
        self.trace: Any = None  # whatever a caller of closures wants to carry along, such as the record of fired rules

    def tick(self, amount: int = 1) -> None:
        """Count work; raises :class:`LimitExceeded` when the budget is used up."""
        self.steps -= amount
        if self.steps < 0:
            raise LimitExceeded("The expression was stopped after %(limit)d steps; it works through too many elements.", limit=MAX_STEPS)

    def items(self, count: int) -> None:
        """Refuse a list of more than the permitted number of elements."""
        if count > MAX_ITEMS:
            raise LimitExceeded("A list would have more than %(limit)d elements.", limit=MAX_ITEMS)

    def characters(self, count: int) -> None:
        """Refuse a text of more than the permitted length."""
        if count > MAX_STRING:
            raise LimitExceeded("The text would be longer than %(limit)d characters.", limit=MAX_STRING)
        self.steps -= count // 1000

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
