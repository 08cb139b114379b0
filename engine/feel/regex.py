"""XPath regular expressions (XQuery and XPath Functions 3.1 §5.6.1) that cannot run away.

Patterns are written by people who do not know what backtracking costs, so Python's ``re`` is not used to run them.  A
pattern is translated to a small program that is executed with an explicit stack.  Without back-references every pair
of (instruction, position) is tried once, which bounds the work by pattern length × text length; with them the work is
counted and cut off.  Both are the same for every run: nothing depends on a clock.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from engine.feel.errors import LimitExceeded
from engine.feel.limits import MAX_PATTERN, MAX_PATTERN_STEPS, MAX_PROGRAM, PATTERN_CACHE_SIZE
from engine.feel.regex_syntax import PatternError, PatternParser, Piece
from engine.words import T

CHAR, SPLIT, JUMP, SAVE, BACK, START, END, MATCH, EMPTY_MARK, EMPTY_CHECK = range(10)


class Budget(list[int]):
    """Steps that may be run, handed out in slices; between two slices the evaluation counts them and looks at the clock.

    ``budget[0]`` are the steps left of the slice; ``count`` is told of each slice that is used up, in steps.
    """

    SLICE = 20_000

    def __init__(self, count: Callable[[int], None]) -> None:
        super().__init__([self.SLICE])
        self.left = MAX_PATTERN_STEPS - self.SLICE
        self.count = count

    def more(self) -> None:
        self.count(self.SLICE)
        if self.left <= 0:
            _too_long()
        self.left -= self.SLICE
        self[0] += self.SLICE

    def settle(self) -> None:
        """Count what was used of the last slice."""
        self.count(self.SLICE - max(self[0], 0))


def _too_long() -> None:
    raise LimitExceeded("The pattern takes too long on this text; make the pattern simpler or the text shorter.")


def _refill(budget: list[int]) -> None:
    budget.more() if isinstance(budget, Budget) else _too_long()


class Pattern:
    """A translated pattern.  ``search`` finds the first match from a position, as a list of group bounds."""

    def __init__(self, pattern: str, flags: str = "") -> None:
        if len(pattern) > MAX_PATTERN:
            raise LimitExceeded("A pattern is longer than %(limit)d characters.", limit=MAX_PATTERN)
        if set(flags) - set("smixq"):
            raise PatternError(T("unknown flag"))
        if "q" in flags:
            pattern = "".join("\\" + char if char in "\\|.?*+(){}[]-^$" else char for char in pattern)
        elif "x" in flags:
            pattern = _without_space(pattern)
        parser = PatternParser(pattern, flags)
        piece = parser.parse()
        self.groups = parser.groups
        self.back_references = parser.back_references
        self.multi_line = "m" in flags
        self.ignore_case = parser.ignore_case
        self.marks = 0
        self.program: list[tuple[int, Any, Any]] = []
        self._emit(piece)
        self._add(MATCH)

    def _add(self, code: int, one: Any = None, two: Any = None) -> int:
        self.program.append((code, one, two))
        if len(self.program) > MAX_PROGRAM:
            raise LimitExceeded("A pattern is too large; count fewer repetitions in it.")
        return len(self.program) - 1

    def _patch(self, index: int, one: Any, two: Any = None) -> None:
        self.program[index] = (self.program[index][0], one, two)

    def _emit(self, piece: Piece) -> None:
        kind = piece.kind
        if kind == "char":
            self._add(CHAR, piece.value)
        elif kind == "cat":
            for part in piece.parts:
                self._emit(part)
        elif kind == "group":
            self._add(SAVE, piece.value * 2)
            self._emit(piece.parts[0])
            self._add(SAVE, piece.value * 2 + 1)
        elif kind == "alt":
            self._emit_alternatives(piece.parts)
        elif kind == "repeat":
            self._emit_repeat(piece.parts[0], *piece.value)
        else:
            self._add({"start": START, "end": END, "back": BACK}[kind], piece.value)

    def _emit_alternatives(self, branches: list[Piece]) -> None:
        jumps = []
        for branch in branches[:-1]:
            split = self._add(SPLIT)
            self._emit(branch)
            jumps.append(self._add(JUMP))
            self._patch(split, split + 1, len(self.program))
        self._emit(branches[-1])
        for jump in jumps:
            self._patch(jump, len(self.program))

    def _emit_repeat(self, atom: Piece, low: int, high: int | None, lazy: bool) -> None:
        for _ in range(low):
            self._emit(atom)
        if high is None:
            self._emit_loop(atom, lazy)
            return
        splits = []
        for _ in range(high - low):
            splits.append(self._add(SPLIT))
            self._emit(atom)
        for split in splits:
            self._choose(split, split + 1, len(self.program), lazy)

    def _emit_loop(self, atom: Piece, lazy: bool) -> None:
        split = self._add(SPLIT)
        mark = self.marks
        self.marks += 1
        self._add(EMPTY_MARK, mark)
        self._emit(atom)
        self._add(EMPTY_CHECK, mark)
        self._add(JUMP, split)
        self._choose(split, split + 1, len(self.program), lazy)

    def _choose(self, split: int, inside: int, outside: int, lazy: bool) -> None:
        self._patch(split, *((outside, inside) if lazy else (inside, outside)))

    def search(self, text: str, start: int = 0, budget: list[int] | None = None) -> list[int | None] | None:
        """The first match at or after ``start``: ``[begin, end, begin of group 1, …]`` or ``None``.

        ``budget`` is a one-element list of remaining steps, shared between the searches of one call.  Raises
        :class:`LimitExceeded` when it is used up.
        """
        budget = budget if budget is not None else [MAX_PATTERN_STEPS]
        visited: set[int] = set()
        for at in range(start, len(text) + 1):
            found = self._match(text, at, visited, budget)
            if found is not None:
                return found
        return None

    def _match(self, text: str, begin: int, visited: set[int], budget: list[int]) -> list[int | None] | None:
        budget[0] -= 2  # beginning costs something too: a long text has many places to begin at
        program, size, width = self.program, len(text), len(self.program)
        remember = not self.back_references
        stack: list[tuple[int, int, tuple[int | None, ...]]] = [(0, begin, (None,) * (2 * self.groups + 2 + self.marks))]
        marks_from = 2 * self.groups + 2
        while stack:
            pc, at, saved = stack.pop()
            while True:
                budget[0] -= 1
                if budget[0] < 0:
                    _refill(budget)
                if remember:
                    key = at * width + pc
                    if key in visited:
                        break
                    visited.add(key)
                code, one, two = program[pc]
                if code == CHAR:
                    if at >= size or not one(text[at]):
                        break
                    at += 1
                    pc += 1
                elif code == SPLIT:
                    stack.append((two, at, saved))
                    pc = one
                elif code == JUMP:
                    pc = one
                elif code == SAVE:
                    saved = saved[:one] + (at,) + saved[one + 1 :]
                    pc += 1
                elif code == EMPTY_MARK:
                    saved = saved[: marks_from + one] + (at,) + saved[marks_from + one + 1 :]
                    pc += 1
                elif code == EMPTY_CHECK:
                    if saved[marks_from + one] == at:
                        break
                    pc += 1
                elif code == MATCH:
                    return [begin, at, *saved[2:marks_from]]
                elif code == BACK:
                    length = self._back_length(text, at, saved[one * 2], saved[one * 2 + 1])
                    if length is None:
                        break
                    at += length
                    pc += 1
                else:
                    if not (self._at_start(text, at) if code == START else self._at_end(text, at)):
                        break
                    pc += 1
        return None

    def _back_length(self, text: str, at: int, first: int | None, last: int | None) -> int | None:
        # A group that took no part in the match stands for the empty text.
        part = "" if first is None or last is None else text[first:last]
        other = text[at : at + len(part)]
        same = part == other or self.ignore_case and part.casefold() == other.casefold()
        return len(part) if same else None

    def _at_start(self, text: str, at: int) -> bool:
        return at == 0 or self.multi_line and text[at - 1] == "\n" and at < len(text)

    def _at_end(self, text: str, at: int) -> bool:
        return at == len(text) or self.multi_line and text[at] == "\n"


def _without_space(pattern: str) -> str:
    """Flag ``x``: white space outside classes is only there for the reader."""
    result, inside, escaped = [], 0, False
    for char in pattern:
        if char in " \t\n\r" and not inside:
            continue
        if not escaped and char in "[]":
            inside = max(0, inside + (1 if char == "[" else -1))
        escaped = char == "\\" and not escaped
        result.append(char)
    return "".join(result)


@lru_cache(maxsize=PATTERN_CACHE_SIZE)
def compile_pattern(pattern: str, flags: str = "") -> Pattern:
    """Translate a pattern (cached); raises :class:`PatternError`."""
    return Pattern(pattern, flags)


def find_all(pattern: Pattern, text: str, budget: list[int]) -> list[list[int | None]]:
    """All matches from left to right, not overlapping; raises :class:`PatternError` for a pattern that matches the empty text."""
    if pattern.search("", 0, budget) is not None:
        raise PatternError(T("the pattern matches the empty text"))
    matches, at = [], 0
    while at <= len(text):
        match = pattern.search(text, at, budget)
        if match is None:
            break
        matches.append(match)
        budget[0] -= 8
        at = match[1] if match[1] > match[0] else match[1] + 1
    return matches


def replacement_parts(replacement: str, groups: int, literal: bool) -> list[str | int]:
    """Split a replacement into texts and group numbers (``$1``); raises :class:`PatternError`."""
    if literal:
        return [replacement]
    parts: list[str | int] = []
    at = 0
    while at < len(replacement):
        char = replacement[at]
        following = replacement[at + 1 : at + 2]
        at += 1
        if char == "\\":
            if following not in ("\\", "$"):
                raise PatternError(T("a lone backslash"))
            parts.append(following)
            at += 1
        elif char == "$":
            if not (following.isascii() and following.isdigit()):
                raise PatternError(T("a lone $"))
            number = int(following)
            at += 1
            while at < len(replacement) and replacement[at] in "0123456789" and number * 10 + int(replacement[at]) <= groups:
                number = number * 10 + int(replacement[at])
                at += 1
            parts.append(number)
        else:
            parts.append(char)
    return parts
