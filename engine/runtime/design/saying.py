"""Small words that all comparisons of two states of a procedure share."""

from __future__ import annotations

from engine.words import T, Words

CELL_LIMIT = 120
"""Characters of a value that a sentence shows."""


def short(text: str) -> str:
    """A text, cut off where a sentence would drown in it."""
    return text if len(text) <= CELL_LIMIT else f"{text[:CELL_LIMIT]}…"


def listed(parts: list[Words]) -> Words:
    """The parts one after the other, each translated by itself."""
    joined = parts[0]
    for each in parts[1:]:
        joined = T("%(first)s, %(next)s", first=joined, next=each)
    return joined
