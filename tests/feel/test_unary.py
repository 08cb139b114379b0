"""Unary tests: the cells of decision tables."""

from __future__ import annotations

import pytest

from engine.feel import compile_unary, unary_test


@pytest.mark.parametrize(
    ("text", "subject", "scope", "expected"),
    [
        ("-", None, {}, True),
        ("", 1, {}, True),
        ("5", 5, {}, True),
        ("> 5, 1", 7, {}, True),
        ("> 5, 1", 1, {}, True),
        ("> 5, 1", 3, {}, False),
        ("[1..3]", 3, {}, True),
        ("not(1, 2)", 3, {}, True),
        ("not(1, 2)", 2, {}, False),
        ("not(a) and b", True, {"a": False, "b": True}, True),
        ('"甲", "乙"', "乙", {}, True),
        ("true", True, {}, True),
        ("true", False, {}, False),
        ("true", None, {}, False),
        ("null", None, {}, True),
        ("> 5", None, {}, None),
        ("? > limit", 7, {"limit": 5}, True),
        ('contains(?, "结")', "办结", {}, True),
        ('not(contains(?, "结"))', "办结", {}, False),
        ("limit > 5", "x", {"limit": 7}, True),
        ("limit", 7, {"limit": 7}, True),
        ("allowed", 7, {"allowed": [6, 7]}, True),
        ("< @\"2026-01-01\"", "not a date", {}, None),
        ("?.a = 1", {"a": 1}, {}, True),
        ("=5", 5, {}, True),
        ("!=5", 5, {}, False),
        ('? in ("a", "b")', "b", {}, True),
        ("flag", None, {"flag": True}, False),
    ],
)  # fmt: skip
def test_a_cell_accepts_or_refuses_a_value(text, subject, scope, expected):
    assert unary_test(text, subject, scope) is expected


def test_the_names_of_a_cell_do_not_include_the_question_mark():
    assert compile_unary("? > limit, < other").names == {"limit", "other"}
