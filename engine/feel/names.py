"""Which names are visible, and which of them begins at a place in the text."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable

from engine.feel.lexer import Token, words_of


class Names:
    """Names by their first word, longest first."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self.by_word: dict[str, list[tuple[tuple[str, ...], str]]] = {}
        self.all: set[str] = set()
        for name in names:
            self.add(name)

    def add(self, name: str) -> None:
        words = words_of(name)
        if not words or name in self.all:
            return
        self.all.add(name)
        bucket = self.by_word.setdefault(words[0], [])
        insort(bucket, (words, name), key=lambda entry: -len(entry[0]))

    def longest(self, tokens: list[Token], at: int) -> tuple[int, str] | None:
        """Return ``(number of tokens, name)`` of the longest name that starts at token ``at``."""
        for words, name in self.by_word.get(tokens[at].text, ()):
            if all(token.text == word for token, word in zip(tokens[at : at + len(words)], words, strict=False)) and len(
                tokens
            ) >= at + len(words):
                return len(words), name
        return None
