"""Nothing that an expression says may hurt the process it runs in."""

from __future__ import annotations

import contextlib
import time

import pytest

from engine.feel import FeelError, LimitExceeded, compile_expression, evaluate, to_json, to_text


@pytest.mark.parametrize(
    "text",
    [
        "for i in 1..10000000 return i",
        "count(for i in 1..2000, j in 1..2000 return 0)",
        "some i in 1..100000000 satisfies i < 0",
        "{f: function(n) f(n + 1), r: f(0)}.r",
        "{f: function(n) f(n - 1) + f(n - 2), r: f(50)}.r",
        'for i in 1..60 return if i = 1 then "xxxxxxxxxx" else partial[-1] + partial[-1]',
        "string(for i in 1..60 return if i = 1 then [1] else [partial[-1], partial[-1]])",
        "flatten(for i in 1..60 return if i = 1 then [1] else [partial[-1], partial[-1]])",
        "for i in 1..40 return if i = 1 then [1] else concatenate(partial[-1], partial[-1])",
    ],
)
def test_an_expression_that_never_ends_is_cut_off(text):
    with pytest.raises(LimitExceeded):
        evaluate(text)


def test_shared_structure_cannot_multiply_on_the_way_out():
    doubled = evaluate("(for i in 1..60 return if i = 1 then [1] else [partial[-1], partial[-1]])[-1]")
    with pytest.raises(LimitExceeded):
        to_json(doubled)


def test_a_value_nested_without_end_does_not_leave_by_json_or_text():
    deep = evaluate("(for i in 1..3000 return if i = 1 then [1] else [partial[-1]])[-1]")
    for leave in (to_json, to_text):
        with pytest.raises(LimitExceeded):
            leave(deep)
    with pytest.raises(LimitExceeded):
        evaluate("a = b", {"a": deep, "b": deep})


@pytest.mark.parametrize(
    "text",
    ["(" * 5000 + "1" + ")" * 5000, "[" * 3000, "-" * 3000 + "1", "if true then " * 500, "{a:" * 500, "a" + ".a" * 3000, "a" + "[1]" * 3000,
     "1 = " * 3000 + "1", "not(" * 500, "1" * 60_000, "function(x) " * 500 + "x", "1 instance of " + "list<" * 2000],
)  # fmt: skip
def test_depth_and_length_of_a_text_are_bounded(text):
    with pytest.raises(FeelError):
        compile_expression(text)


def test_long_flat_expressions_are_fine():
    assert evaluate(" + ".join(["1"] * 5000)) == 5000
    assert evaluate(" and ".join(["true"] * 5000)) is True


@pytest.mark.parametrize(
    "text",
    [
        'matches(subject, "^(a+)+$")',
        'matches(subject, "^(a|a)*$")',
        'matches(subject, "^(a|aa)+$")',
        'matches(subject, "^a*a*a*a*a*a*a*b")',
        'matches(subject, "(.*)(.*)(.*)(.*)(.*)[^a]$")',
        'matches(subject, "^(a?){200}a{200}$")',
    ],
)
def test_patterns_that_ruin_a_backtracking_matcher_stay_cheap(text):
    started = time.process_time()
    with contextlib.suppress(LimitExceeded):
        evaluate(text, {"subject": "a" * 200 + "!"})
    assert time.process_time() - started < 10


def test_back_references_are_counted():
    with pytest.raises(LimitExceeded):
        evaluate('matches(subject, "^(a*)*(a*)*(a*)*\\1x")', {"subject": "a" * 200})


def test_an_error_of_a_host_function_reaches_the_caller():
    def broken():
        raise KeyError("rule")

    with pytest.raises(FeelError, match="broken failed"):
        evaluate("broken()", {"broken": broken})
