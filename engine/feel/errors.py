"""How FEEL says that a text cannot be read, or that an evaluation went past its bounds."""

from __future__ import annotations

from typing import Any

from engine.errors import EngineError
from engine.words import T, Words


class FeelError(EngineError):
    """A FEEL text that cannot be parsed, or an evaluation that passed a bound of :mod:`engine.feel.limits`.

    ``reason`` is the bare sentence; ``message`` adds the place and a snippet.  ``position`` is the 0-based character offset in
    ``source``; ``line`` and ``column`` are 1-based.  An error of an evaluation learns its place on the way out: the node that was
    running tells the position, the expression that holds the node its text, the model the decision, the row and the column.
    """

    def __init__(self, reason: str | Words, /, *, source: str | None = None, position: int | None = None, **params: Any) -> None:
        self.reason = reason if isinstance(reason, Words) else T(reason, **params)
        self.source, self.position = None, position
        self.line = self.column = None
        self.placed = False
        super().__init__(self.reason)
        if source is not None and position is not None:
            self.locate_in(source)

    def locate(self, position: int) -> None:
        """Remember where in its text the evaluation was; the innermost place is kept."""
        if self.position is None:
            self.position = position

    def locate_in(self, source: str) -> None:
        """Say of which text the place is: line, column and the marked fragment join the message.  Only the first text counts."""
        if self.source is not None:
            return
        self.source = source
        self.position = position = min(self.position or 0, len(source))
        before = source[:position]
        self.line = before.count("\n") + 1
        self.column = position - (before.rfind("\n") + 1) + 1
        self._say(
            T(
                "%(reason)s (line %(line)d, column %(column)d: %(snippet)s)",
                reason=self.reason,
                line=self.line,
                column=self.column,
                snippet=snippet(source, position),
            )
        )

    def within(self, place: Words) -> None:
        """Say in which part of a model the text stands (a decision, a row and a column of a table); the innermost part is kept."""
        if not self.placed:
            self.placed = True
            self._say(T("%(place)s: %(reason)s", place=place, reason=self.message))

    def _say(self, message: Words) -> None:
        self.message = message
        self.args = (str(message),)


class LimitExceeded(FeelError):
    """The evaluation was stopped by a bound; unlike a semantic error it never becomes a silent null."""


def snippet(source: str, position: int, width: int = 24) -> str:
    """Return the text around ``position`` on one line, the place marked with ``»``."""
    before = source[max(0, position - width) : position]
    after = source[position : position + width]
    text = ("…" if position > width else "") + before + "»" + after + ("…" if position + width < len(source) else "")
    return " ".join(text.split())
