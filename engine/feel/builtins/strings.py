"""String functions (DMN 1.5 §10.3.4.3)."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from engine.feel.builtins.registry import builtin
from engine.feel.regex import Budget, Pattern, PatternError, compile_pattern, find_all, replacement_parts
from engine.feel.runtime import Runtime
from engine.feel.values import to_text


@builtin("string", "from: any")
def string(rt: Runtime, value: Any) -> str | None:
    return None if value is None else to_text(value)


@builtin("substring", "string: str, start position: num, length?: num?")
def substring(rt: Runtime, text: str, start: Decimal, length: Decimal | None = None) -> str | None:
    """Characters from a 1-based position (negative: from the end)."""
    first = int(start)
    if first == 0 or abs(first) > len(text):
        return rt.null("The text has no character %(position)d.", position=first)
    if length is not None and length < 1:
        return rt.null("The length of a substring is at least 1.")
    begin = first - 1 if first > 0 else len(text) + first
    return text[begin:] if length is None else text[begin : begin + int(length)]


@builtin("string length", "string: str")
def string_length(rt: Runtime, text: str) -> Decimal:
    return Decimal(len(text))


@builtin("upper case", "string: str")
def upper_case(rt: Runtime, text: str) -> str:
    return text.upper()


@builtin("lower case", "string: str")
def lower_case(rt: Runtime, text: str) -> str:
    return text.lower()


@builtin("substring before", "string: str, match: str")
def substring_before(rt: Runtime, text: str, match: str) -> str:
    return text.partition(match)[0] if match and match in text else ""


@builtin("substring after", "string: str, match: str")
def substring_after(rt: Runtime, text: str, match: str) -> str:
    return text.partition(match)[2] if match else text


@builtin("contains", "string: str, match: str")
def contains(rt: Runtime, text: str, match: str) -> bool:
    return match in text


@builtin("starts with", "string: str, match: str")
def starts_with(rt: Runtime, text: str, match: str) -> bool:
    return text.startswith(match)


@builtin("ends with", "string: str, match: str")
def ends_with(rt: Runtime, text: str, match: str) -> bool:
    return text.endswith(match)


@builtin("string join", "list: list, delimiter?: str?, prefix?: str, suffix?: str")
def string_join(rt: Runtime, parts: list[Any], delimiter: str | None = None, prefix: str | None = None, suffix: str | None = None) -> str | None:
    if (prefix is None) != (suffix is None):
        return rt.null("string join takes one, two or four arguments.")
    texts = [part for part in parts if part is not None]
    if not all(isinstance(part, str) for part in texts):
        return rt.null("string join joins texts only.")
    rt.characters(sum(map(len, texts)) + len(texts) * len(delimiter or ""))
    return (prefix or "") + (delimiter or "").join(texts) + (suffix or "")


@builtin("trim", "string: str")
def trim(rt: Runtime, text: str) -> str:
    return text.strip()


@builtin("is blank", "string: str")
def is_blank(rt: Runtime, text: str) -> bool:
    return not text.strip()


# -- regular expressions ----------------------------------------------------------------------------------------------


def _with_pattern(rt: Runtime, pattern: str, flags: str | None, use: Callable[[Pattern, Budget], Any]) -> Any:
    budget = Budget(lambda steps: rt.tick(steps // 2))  # matching in a loop draws on the budget of the whole evaluation
    try:
        answer = use(compile_pattern(pattern, flags or ""), budget)
        budget.settle()
        return answer
    except PatternError as error:
        return rt.null('The pattern "%(pattern)s" cannot be used: %(reason)s', pattern=pattern[:80], reason=error.reason)


@builtin("matches", "input: str, pattern: str, flags?: str?")
def matches(rt: Runtime, text: str, pattern: str, flags: str | None = None) -> bool | None:
    return _with_pattern(rt, pattern, flags, lambda compiled, budget: compiled.search(text, 0, budget) is not None)


@builtin("replace", "input: str, pattern: str, replacement: str, flags?: str?")
def replace(rt: Runtime, text: str, pattern: str, replacement: str, flags: str | None = None) -> str | None:
    def use(compiled: Pattern, budget: list[int]) -> str:
        parts = replacement_parts(replacement, compiled.groups, "q" in (flags or ""))
        result, at = [], 0
        for match in find_all(compiled, text, budget):
            result.append(text[at : match[0]])
            result.extend(part if isinstance(part, str) else _group(text, match, part) for part in parts)
            at = match[1]
        result.append(text[at:])
        rt.characters(sum(map(len, result)))
        return "".join(result)

    return _with_pattern(rt, pattern, flags, use)


def _group(text: str, match: list[int | None], number: int) -> str:
    # A group that does not exist or took no part stands for the empty text (F&O §5.6.4).
    if number * 2 >= len(match) or match[number * 2] is None:
        return ""
    return text[match[number * 2] : match[number * 2 + 1]]


@builtin("split", "string: str, delimiter: str")
def split(rt: Runtime, text: str, delimiter: str) -> list[str] | None:
    def use(compiled: Pattern, budget: list[int]) -> list[str]:
        parts, at = [], 0
        for match in find_all(compiled, text, budget):
            parts.append(text[at : match[0]])
            at = match[1]
        return [*parts, text[at:]]

    return _with_pattern(rt, delimiter, None, use)


@builtin("extract", "string: str, pattern: str")
def extract(rt: Runtime, text: str, pattern: str) -> list[str] | None:
    return _with_pattern(rt, pattern, None, lambda compiled, budget: [text[match[0] : match[1]] for match in find_all(compiled, text, budget)])
