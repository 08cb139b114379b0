"""What an expression reads, and how a faulty text is explained."""

from __future__ import annotations

import pytest

from engine.feel import FeelError, compile_expression, compile_unary, evaluate


@pytest.mark.parametrize(
    ("text", "names", "expected"),
    [
        ("a + b.c", (), {"a", "b"}),
        ("for x in xs return x + y", (), {"xs", "y"}),
        ("{a: 1, b: a + c}", (), {"c"}),
        ("{a: a}", (), {"a"}),
        ("count(items)", (), {"items"}),
        ("count > 3", (), {"count"}),
        ("due(rule)", (), {"due", "rule"}),
        ("add workdays(d, 3)", ("add workdays",), {"add workdays", "d"}),
        ("rows[amount > limit]", (), {"rows", "amount", "limit"}),
        ("(function(x) x + z)(1)", (), {"z"}),
        ("some i in is satisfies i > 1", (), {"is"}),
        ("today()", (), set()),
    ],
)
def test_the_free_names_of_an_expression_are_known(text, names, expected):
    assert compile_expression(text, names).names == expected


def test_compiling_twice_gives_the_same_object():
    assert compile_expression("a + 1") is compile_expression("a + 1")
    assert compile_unary("> 1") is compile_unary("> 1")


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ("", 1, 1, "empty"),
        ("1 +", 1, 4, "too early"),
        ("a\n  + )", 2, 5, '")" is not expected'),
        ("金额＞100", 1, 3, "half-width >"),
        ("金额 ＞ 100", 1, 4, "half-width >"),
        ("“甲”", 1, 1, 'half-width "'),
        ("f（1）", 1, 2, "half-width ("),
        ("'a'", 1, 1, "double quotes"),
        ('"a', 1, 1, "not closed"),
        ("/* a", 1, 1, "comment"),
        ("a == 1", 1, 4, "single ="),
        ("a && b", 1, 3, "use and, or"),
        ("if a then b", 1, 12, '"else" is missing'),
        ("[1, 2", 1, 6, '"]" is missing'),
        ("f(a: 1, 2)", 1, 10, "all named or all unnamed"),
        ("@2026", 1, 2, "in quotes"),
        ("a b", 1, 3, '"b" is not expected'),
    ],
)
def test_a_syntax_error_says_where_and_what(text, line, column, words):
    with pytest.raises(FeelError) as caught:
        compile_expression(text)
    assert (caught.value.line, caught.value.column) == (line, column)
    assert words in str(caught.value)


def test_an_error_shows_the_place_in_the_text():
    with pytest.raises(FeelError) as caught:
        evaluate("amount > 100 an level = 1")
    assert "»an level" in str(caught.value)
    assert caught.value.message.msgid.startswith("%(reason)s (line")


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("1 + (for i in 1..10000000 return i)[1]", 1, 6),
        ("{f: function(n)\n   f(n + 1), r: f(0)}.r", 2, 4),
        ("a +\n x", 2, 2),
        ("!= 3 and 2", 1, 1),
        ("1" + " " * 60_000, 1, 50_001),
    ],
)
def test_an_error_while_running_says_the_line_and_column_too(text, line, column):
    with pytest.raises(FeelError) as caught:
        evaluate(text, {"a": 1, "x": object()})
    assert (caught.value.line, caught.value.column) == (line, column)
    assert "»" in str(caught.value)


def test_the_functions_of_the_host_are_known_in_every_text_and_null_where_there_are_none():
    for name in ("add workdays", "workdays between", "is workday", "next workday", "previous workday", "section of", "name of"):
        assert evaluate(f"{name}(1)") is None
        assert evaluate(f"1 + {name}(1)", {name: lambda value: value}) == 2
