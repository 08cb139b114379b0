"""The syntax of XPath regular expressions: pattern text to a tree of pieces."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from engine.words import T, Words

Accepts = Callable[[str], bool]
# Blocks by the names that XSD gives them (without "Is"); those a Chinese office or the standard's tests may name.
BLOCKS = {
    "BasicLatin": (0x00, 0x7F), "Latin-1Supplement": (0x80, 0xFF), "LatinExtended-A": (0x100, 0x17F), "LatinExtended-B": (0x180, 0x24F),
    "IPAExtensions": (0x250, 0x2AF), "Greek": (0x370, 0x3FF), "GreekandCoptic": (0x370, 0x3FF), "Cyrillic": (0x400, 0x4FF),
    "Armenian": (0x530, 0x58F), "Hebrew": (0x590, 0x5FF), "Arabic": (0x600, 0x6FF), "Devanagari": (0x900, 0x97F), "Thai": (0xE00, 0xE7F),
    "Tibetan": (0xF00, 0xFFF), "HangulJamo": (0x1100, 0x11FF), "Mongolian": (0x1800, 0x18AF), "GeneralPunctuation": (0x2000, 0x206F),
    "CurrencySymbols": (0x20A0, 0x20CF), "Arrows": (0x2190, 0x21FF), "MathematicalOperators": (0x2200, 0x22FF),
    "CJKSymbolsandPunctuation": (0x3000, 0x303F), "Hiragana": (0x3040, 0x309F), "Katakana": (0x30A0, 0x30FF), "Bopomofo": (0x3100, 0x312F),
    "CJKUnifiedIdeographsExtensionA": (0x3400, 0x4DBF), "CJKUnifiedIdeographs": (0x4E00, 0x9FFF), "HangulSyllables": (0xAC00, 0xD7A3),
    "PrivateUse": (0xE000, 0xF8FF), "CJKCompatibilityIdeographs": (0xF900, 0xFAFF), "HalfwidthandFullwidthForms": (0xFF00, 0xFFEF),
}  # fmt: skip
CATEGORIES = frozenset(
    ["L", "Lu", "Ll", "Lt", "Lm", "Lo", "M", "Mn", "Mc", "Me", "N", "Nd", "Nl", "No", "P", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Z", "Zs", "Zl", "Zp", "S", "Sm", "Sc", "Sk", "So", "C", "Cc", "Cf", "Co", "Cn"]
)


class PatternError(ValueError):
    """The pattern, its flags or the replacement is not valid; ``reason`` says why, in words."""

    def __init__(self, reason: Words) -> None:
        super().__init__(reason)
        self.reason = reason


def _category(*prefixes: str) -> Accepts:
    return lambda char: unicodedata.category(char).startswith(prefixes)


def _negate(accepts: Accepts) -> Accepts:
    return lambda char: not accepts(char)


def _name_start(char: str) -> bool:
    return char.isalpha() or char in "_:"


_CLASSES: dict[str, Accepts] = {
    "d": _category("Nd"),
    "s": lambda char: char in " \t\n\r",
    "w": _negate(_category("P", "Z", "C")),
    "i": _name_start,
    "c": lambda char: _name_start(char) or char in "-.\u00b7" or unicodedata.category(char) in ("Nd", "Mn", "Mc"),
}
_CLASSES |= {letter.upper(): _negate(accepts) for letter, accepts in list(_CLASSES.items())}
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t"} | {char: char for char in "\\|.?*+(){}[]-^$"}


@dataclass(slots=True)
class Piece:
    """A part of the pattern: ``kind`` char, cat, alt, group, repeat, back, start, end or empty."""

    kind: str
    value: Any = None
    parts: list[Piece] | None = None


class PatternParser:
    def __init__(self, pattern: str, flags: str) -> None:
        self.text = pattern
        self.at = 0
        self.ignore_case = "i" in flags
        self.dot_all = "s" in flags
        self.groups = 0
        self.closed: set[int] = set()
        self.back_references = False
        self.depth = 0

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def take(self, char: str) -> bool:
        if self.text.startswith(char, self.at):
            self.at += len(char)
            return True
        return False

    def next(self) -> str:
        if self.at >= len(self.text):
            raise PatternError(T("the pattern ends too early"))
        self.at += 1
        return self.text[self.at - 1]

    def parse(self) -> Piece:
        piece = self.alternatives()
        if self.at < len(self.text):
            raise PatternError(T("unbalanced )"))
        return piece

    def alternatives(self) -> Piece:
        self.depth += 1
        if self.depth > 50:
            raise PatternError(T("nested too deeply"))
        branches = [self.branch()]
        while self.take("|"):
            branches.append(self.branch())
        self.depth -= 1
        return branches[0] if len(branches) == 1 else Piece("alt", parts=branches)

    def branch(self) -> Piece:
        parts = []
        while self.peek() not in ("", "|", ")"):
            parts.append(self.quantified(self.atom()))
        return Piece("cat", parts=parts)

    def quantified(self, atom: Piece) -> Piece:
        sign = self.peek()
        if sign in ("*", "+", "?") and sign:
            self.at += 1
            low, high = {"*": (0, None), "+": (1, None), "?": (0, 1)}[sign]
        elif sign == "{":
            low, high = self.counts()
        else:
            return atom
        if atom.kind in ("start", "end"):
            raise PatternError(T("an anchor cannot be repeated"))
        lazy = self.take("?")
        if self.peek() and self.peek() in "*+?{":
            raise PatternError(T("two quantifiers in a row"))
        return Piece("repeat", (low, high, lazy), [atom])

    def counts(self) -> tuple[int, int | None]:
        end = self.text.find("}", self.at)
        low_text, comma, high_text = self.text[self.at + 1 : max(end, 0)].partition(",")
        if end < 0 or not low_text.isascii() or not low_text.isdigit() or high_text and not (high_text.isascii() and high_text.isdigit()):
            raise PatternError(T("bad quantity"))
        if len(low_text) > 6 or len(high_text) > 6:
            raise PatternError(T("quantity too large"))
        self.at = end + 1
        low = int(low_text)
        high = int(high_text) if high_text else None if comma else low
        if high is not None and high < low:
            raise PatternError(T("bad quantity"))
        return low, high

    def atom(self) -> Piece:
        char = self.next()
        if char == "(":
            return self.group()
        if char == "[":
            return self.single(self.char_class())
        if char == ".":
            return self.single((lambda c: True) if self.dot_all else (lambda c: c not in "\n\r"))
        if char == "\\":
            return self.escape()
        if char in "^$":
            return Piece("start" if char == "^" else "end")
        if char in "*+?{}]":
            raise PatternError(T("%(sign)s stands in the wrong place", sign=char))
        return self.single(self.literal(char))

    def single(self, accepts: Accepts) -> Piece:
        return Piece("char", accepts)

    def literal(self, char: str) -> Accepts:
        if not self.ignore_case:
            return lambda c: c == char
        folded = _variants(char)
        return lambda c: not folded.isdisjoint(_variants(c))

    def group(self) -> Piece:
        if self.take("?:"):
            inner = self.alternatives()
            number = None
        elif self.peek() == "?":
            raise PatternError(T("only (?: … ) is a special group"))
        else:
            self.groups += 1
            number = self.groups
            inner = self.alternatives()
        if not self.take(")"):
            raise PatternError(T("missing )"))
        if number is None:
            return inner
        self.closed.add(number)
        return Piece("group", number, [inner])

    def escape(self) -> Piece:
        char = self.next()
        if char.isascii() and char.isdigit():
            number = int(char)
            while self.peek().isascii() and self.peek().isdigit() and number * 10 + int(self.peek()) <= self.groups:
                number = number * 10 + int(self.next())
            if number not in self.closed:
                raise PatternError(T("no such group"))
            self.back_references = True
            return Piece("back", number)
        return self.single(self.class_escape(char) or self.literal(self.escaped(char)))

    def escaped(self, char: str) -> str:
        if char not in _ESCAPED:
            raise PatternError(T("the escape %(sign)s is unknown", sign="\\" + char))
        return _ESCAPED[char]

    def class_escape(self, char: str) -> Accepts | None:
        if char in "pP":
            accepts = self.property()
            return accepts if char == "p" else _negate(accepts)
        return _CLASSES.get(char)

    def property(self) -> Accepts:
        end = self.text.find("}", self.at)
        if not self.take("{") or end < 0:
            raise PatternError(T("\\p needs {…}"))
        name = self.text[self.at : end]
        self.at = end + 1
        if name in CATEGORIES:
            return _category(name)
        block = BLOCKS.get(name[2:]) if name.startswith("Is") else None
        if block is None:
            raise PatternError(T("the category %(name)s is unknown", name=name))
        return lambda char: block[0] <= ord(char) <= block[1]

    def char_class(self) -> Accepts:
        self.depth += 1
        if self.depth > 50:
            raise PatternError(T("nested too deeply"))
        negated = self.take("^")
        members: list[Accepts] = []
        without: Accepts | None = None
        while not self.take("]"):
            if members and self.take("-["):
                without = self.char_class()
                if not self.take("]"):
                    raise PatternError(T("a subtraction ends its class"))
                break
            members.append(self.class_member())
        if not members:
            raise PatternError(T("an empty class"))
        self.depth -= 1
        tests = tuple(members)

        def accepts(char: str) -> bool:
            inside = any(test(char) for test in tests)
            return inside is not negated and not (without is not None and without(char))

        return accepts

    def class_member(self) -> Accepts:
        char = self.next()
        if char == "[":
            raise PatternError(T("[ inside a class"))
        if char == "\\":
            char = self.next()
            special = self.class_escape(char)
            if special is not None:
                return special
            char = self.escaped(char)
        if self.peek() == "-" and self.text[self.at + 1 : self.at + 2] not in ("]", "[", ""):
            self.at += 1
            last = self.next()
            if last == "\\":
                last = self.escaped(self.next())
            return self.char_range(char, last)
        return self.literal(char)

    def char_range(self, first: str, last: str) -> Accepts:
        if last < first:
            raise PatternError(T("a range runs backwards"))
        if not self.ignore_case:
            return lambda char: first <= char <= last
        return lambda char: any(first <= variant <= last for variant in _variants(char))


@lru_cache(maxsize=4096)
def _variants(char: str) -> frozenset[str]:
    forms = {char, char.lower(), char.upper(), char.casefold()}
    forms |= {form.upper() for form in forms} | {form.lower() for form in forms}
    return frozenset(form for form in forms if len(form) == 1)
