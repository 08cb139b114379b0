"""How FEEL says that a text cannot be read, or that an evaluation went past its bounds."""

from __future__ import annotations

from typing import Any

from engine.errors import EngineError
from engine.words import T, Words


class FeelError(EngineError):
    """A FEEL text that cannot be parsed, or an evaluation that passed a bound of :mod:`engine.feel.limits`.

    ``reason`` is the bare sentence; ``message`` adds the place and a snippet when there is one.  ``position`` is the
    0-based character offset in ``source`` or ``None``; ``line`` and ``column`` are 1-based.
    """

    def __init__(self, reason: str | Words, /, *, source: str | None = None, position: int | None = None, **params: Any) -> None:
        self.reason = reason if isinstance(reason, Words) else T(reason, **params)
        self.source, self.position = source, position
        self.line = self.column = None
        message: Words = self.reason
        if source is not None and position is not None:
            before = source[:position]
            self.line = before.count("\n") + 1
            self.column = position - (before.rfind("\n") + 1) + 1
            message = T(
                "%(reason)s (line %(line)d, column %(column)d: %(snippet)s)",
                reason=self.reason,
                line=self.line,
                column=self.column,
                snippet=snippet(source, position),
            )
        super().__init__(message)


class LimitExceeded(FeelError):
    """The evaluation was stopped by a bound; unlike a semantic error it never becomes a silent null."""


def snippet(source: str, position: int, width: int = 24) -> str:
    """Return the text around ``position`` on one line, the place marked with ``»``."""
    before = source[max(0, position - width) : position]
    after = source[position : position + width]
    text = ("…" if position > width else "") + before + "»" + after + ("…" if position + width < len(source) else "")
    return " ".join(text.split())
