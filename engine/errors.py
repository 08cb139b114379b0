"""What the engine refuses, and how it says so.

Every error carries a translatable sentence (:class:`engine.words.Words`) that names the thing and the cure.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from engine.words import T, Words


class EngineError(Exception):
    """Base of all refusals.  ``message`` is a :class:`Words`; ``str(error)`` is its English text."""

    def __init__(self, message: str | Words, /, **params: Any) -> None:
        self.message = message if isinstance(message, Words) else T(message, **params)
        super().__init__(str(self.message))


class NotFound(EngineError):
    """The thing named does not exist, or the caller may not know that it does."""


class Conflict(EngineError):
    """Somebody else changed the thing meanwhile; ``by`` and ``at`` (UTC) say who and when, where known."""

    def __init__(self, message: str | Words, /, *, by: str | None = None, at: Any = None, **params: Any) -> None:
        super().__init__(message, **params)
        self.by, self.at = by, at


class InvalidState(EngineError):
    """The thing exists but is not in a state that allows the command (completed, cancelled, suspended, …)."""


class NotPermitted(EngineError):
    """The person is known and may not do this."""


class ValidationFailed(EngineError):
    """Input was refused.  ``errors`` maps a field path (``"items.0.name"``) to a list of sentences."""

    def __init__(self, message: str | Words, /, *, errors: dict[str, list[Words]] | None = None, **params: Any) -> None:
        super().__init__(message, **params)
        self.errors = errors or {}


@dataclass(frozen=True)
class Problem:
    """One finding about one deployed file.

    ``line`` is 1-based or ``None``; ``rule`` is a stable identifier (``"bpmn.no-outgoing"``); ``severity`` is
    ``"error"`` (refuses the deployment) or ``"warning"``.  ``message`` names the element by its label and says the cure.
    """

    file: str
    line: int | None
    element_id: str | None
    rule: str
    message: Words
    severity: str = "error"

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{place}: {self.message} [{self.rule}]"


class DeploymentRejected(EngineError):
    """A deployment was refused; nothing was stored.  ``problems`` lists every finding, not only the first."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = list(problems)
        super().__init__(
            T(
                "The deployment was refused: %(count)d problem(s). First: %(first)s",
                count=len(self.problems),
                first=str(self.problems[0]) if self.problems else "",
            )
        )
