"""What is alive of an instance, as a short JSON text, and back.

Only live tokens and their scopes are kept: finished work lies in history rows (design.md §7).  Layout of version 1:

    {"v": 1, "n": next token id, "t": [[id, element, parent, state, {variables}, {memory}, history key, armed], …], "x": [interrupted scopes]}

Trailing empty places of a token are left out.  A reader of a later release must accept every earlier layout.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from engine.bpmn.execution import Execution, Host, Token
from engine.bpmn.variables import DECIMAL_MARK as _DECIMAL
from engine.errors import InvalidState


def dump(execution: Execution) -> str:
    """The live state as JSON text; the queue must be empty (the execution has been run)."""
    marks: list[bool] = []

    def default(value: Any) -> Any:
        if isinstance(value, Decimal):
            marks.append(True)
            return {_DECIMAL: str(value)}
        raise TypeError(f"cannot keep a {type(value).__name__}")

    tokens = []
    for token in execution.tasks.values():
        parent = token._parent or 0
        row = [
            token.id,
            token.task_spec.name,
            parent,
            token._state,
            token.data or 0,
            token.internal_data or 0,
            token.history or 0,
            int(token.armed),
        ]
        while not row[-1]:
            row.pop()
        tokens.append(row)
    state: dict[str, Any] = {"v": 1, "n": execution.next_id, "t": tokens}
    interrupted = sorted(id for id in execution.interrupted if id in execution.tasks)
    if interrupted:
        state["x"] = interrupted
    text = json.dumps(state, ensure_ascii=False, separators=(",", ":"), default=default)
    return text[:-1] + ',"d":1}' if marks else text


def restore(spec, host: Host, text: str) -> Execution:
    """Bring an instance back.  Raises :class:`InvalidState` when the text belongs to another model or a newer release."""
    state = json.loads(text)
    if state.get("d"):
        state = json.loads(text, object_hook=lambda item: Decimal(item[_DECIMAL]) if _DECIMAL in item else item)
    if state["v"] != 1:
        raise InvalidState("This case was saved by a newer release (layout %(layout)s); start that release.", layout=state["v"])
    execution = Execution(spec, host)
    for row in state["t"]:
        id, name, parent, token_state, data, memory, history, armed = row + [0] * (8 - len(row))
        element = spec.task_specs.get(name)
        if element is None:
            raise InvalidState("The case stands on element “%(element)s”, which this version of the process does not have.", element=name)
        token = Token(execution, element, execution.tasks.get(parent), id, token_state)
        token.data = data or {}
        token.internal_data = memory or {}
        token.history = history or None
        token.armed = bool(armed)
        if not parent:
            execution.task_tree = token
    execution.next_id = state["n"]
    execution.interrupted = set(state.get("x", ()))
    return execution


def variables_of(state: dict[str, Any]) -> dict[str, Any]:
    """The instance's own variables from a parsed snapshot (the root token is the one without a parent)."""
    for row in state["t"]:
        if not row[2]:
            return _numbers(row[4]) if len(row) > 4 and row[4] else {}
    return {}


def _numbers(value: Any) -> Any:
    if isinstance(value, dict):
        return Decimal(value[_DECIMAL]) if _DECIMAL in value else {name: _numbers(item) for name, item in value.items()}
    return [_numbers(item) for item in value] if isinstance(value, list) else value
