"""A world without a database for :class:`engine.bpmn.execution.Execution`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from engine.bpmn.execution import Token


@dataclass
class Desk:
    """A host that remembers open tasks and completed elements; nothing else is asked of it here."""

    functions: Mapping[str, Any] = field(default_factory=dict)
    open: dict[int, str] = field(default_factory=dict)
    history: dict[int, str] = field(default_factory=dict)
    done: Counter[str] = field(default_factory=Counter)
    incidents: list[str] = field(default_factory=list)

    def now(self) -> datetime:
        return datetime(2026, 11, 2, tzinfo=UTC)

    def activity_started(self, token: Token, properties: dict[str, Any]) -> int:
        self.history[len(self.history) + 1] = token.task_spec.bpmn_id
        return len(self.history)

    def activity_ended(self, token: Token, state: str, properties: dict[str, Any]) -> None:
        self.done[self.history[token.history]] += state == "COMPLETED"

    def open_task(self, token: Token) -> None:
        self.open[token.id] = token.task_spec.bpmn_id

    def incident(self, token: Token, type: str, message: Any) -> None:
        self.incidents.append(str(message))

    def flow_passed(self, flow: Any) -> None:
        """Nobody asks which flows were taken."""
