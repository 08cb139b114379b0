"""What single expressions give: one table per subject of the language."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from engine.feel import evaluate, to_json


def value(text: str, **scope):
    return to_json(evaluate(text, scope))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3", 9),
        ("10 - 4 - 3", 3),
        ("2 ** 3 ** 2", 64),
        ("-3 ** 2", 9),
        ("--2", 2),
        (".5 + 1e2", 100.5),
        ("0.1 + 0.2 = 0.3", True),
        ("1 / 3 * 3", Decimal("0.9999999999999999999999999999999999")),
        ("5 / 0", None),
        ('"a" + "b"', "ab"),
        ('"a" + 1', None),
        ("true + true", None),
        ("1 + 2 and true", None),
        ("1 + 1 = 2 and 2 * 2 + 1 = 5 or false", True),
        ("false and true or true and true", True),
        ("2 * 3 + 4 * 5 - 6 / 2", 23),
    ],
)
def test_arithmetic_is_decimal_and_left_to_right(text, expected):
    assert value(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("true and null", None),
        ("false and null", False),
        ("true or null", True),
        ("null or false", None),
        ("not(null)", None),
        ("true and 1", None),
        ("1 = null", False),
        ("null = null", True),
        ('1 = "1"', None),
        ('1 < "1"', None),
        ("3 between 1 and 5 and true", True),
        ("3 in (1..5]", True),
        ("1 in (1..5]", False),
        ("5 in [1..5[", False),
        ("1 in ]1..5]", False),
        ("3 in (1, > 2)", True),
        ("3 in not(1, 2)", True),
        ("null in [1..3]", None),
        ('"b" in ["a", "b"]', True),
        ("(< 5).end", 5),
    ],
)
def test_logic_has_three_values(text, expected):
    assert value(text) == expected


@pytest.mark.parametrize(
    ("text", "scope", "expected"),
    [
        ("申请金额 > 100", {"申请金额": 120}, True),
        ("Monthly Salary * 12", {"Monthly Salary": 10}, 120),
        ("a-b + 1", {"a-b": 3}, 4),
        ("a-b", {"a": 5, "b": 2}, 3),
        ("a.b c", {"a": {"b c": 1}}, 1),
        ("`a b` + 1", {"a b": 1}, 2),
        ("[{my key: 1}, {my key: 2}][my key > 1].my key", {}, [2]),
        ("{x+y: 1}.x+y", {}, 1),
        ("for my item in [1, 2] return my item * 2", {}, [2, 4]),
        ("(function(first name) first name)(3)", {}, 3),
        ("date(date).year", {"date": "2026-05-01"}, 2026),
        ("unknown", {}, None),
        ("在 = true", {"在": True}, True),
    ],
)
def test_names_may_hold_spaces_signs_and_chinese(text, scope, expected):
    assert to_json(evaluate(text, scope)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[1, 2, 3][2]", 2),
        ("[1, 2, 3][-1]", 3),
        ("[1, 2, 3][4]", None),
        ("[1, 2, 3][item > 1]", [2, 3]),
        ("[{a: 1}, {a: 2}].a", [1, 2]),
        ("[{a: 1, b: 7}, {a: 2, b: 8}][a = 2].b", [8]),
        ("5[item > 3]", [5]),
        ("null[item > 3]", []),
        ("for i in 1..3 return i * i", [1, 4, 9]),
        ("for i in 3..1 return i", [3, 2, 1]),
        ("for i in (1..4) return i", [2, 3]),
        ("for i in 1..4 return if i = 1 then 1 else i * partial[-1]", [1, 2, 6, 24]),
        ("for i in [1, 2], j in [i, 10] return i * j", [1, 10, 4, 20]),
        ('for d in @"2026-01-30"..@"2026-02-01" return string(d)', ["2026-01-30", "2026-01-31", "2026-02-01"]),
        ("some x in [1, 2] satisfies x > 1", True),
        ("every x in [1, 2] satisfies x > 1", False),
        ("some x in [1, null] satisfies x > 1", None),
        ("{a: 1, b: a + 1}.b", 2),
        ("{a: 1, a: 2}", None),
        ("{f: function(n) if n <= 1 then 1 else n * f(n - 1), r: f(5)}.r", 120),
        ("(function(x: number) x)(\"a\")", None),
        ("if null then 1 else 2", 2),
        ("sort([3, 1, 2], function(x, y) x > y)", [3, 2, 1]),
        ("[1, [2]] instance of list", True),
        ("1 instance of string", False),
        ('@"P1D" instance of days and time duration', True),
    ],
)
def test_lists_contexts_and_iteration(text, expected):
    assert value(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('@"2026-01-31" + @"P1M"', "2026-02-28"),
        ('@"2026-03-01" - @"2026-02-01"', "P28D"),
        ('@"2026-03-29T01:30:00@Europe/Paris" + @"PT1H"', "2026-03-29T03:30:00@Europe/Paris"),
        ('@"10:00:00+08:00" = @"02:00:00Z"', True),
        ('@"2026-01-01T00:00:00" < @"2026-01-01T00:00:00Z"', None),
        ('date("999999999-12-31") - @"P1D"', "999999999-12-30"),
        ('date("999999999-12-31") + @"P1D"', None),
        ('@"2026-11-23".weekday', 1),
        ('@"2026-11-23T08:30:00+08:00".time offset', "PT8H"),
        ('years and months duration(@"2024-02-29", @"2026-02-28")', "P1Y11M"),
        ('duration("PT100M")', "PT1H40M"),
        ('@"P1DT12H" * 2', "P3D"),
        ('@"P1Y" / @"P1M"', 12),
        ('day of week(@"2026-11-23")', "Monday"),
        ('week of year(@"2027-01-01")', 53),
        ('date("2026-02-30")', None),
        ('date and time(@"2026-01-01T00:00:00Z", "Asia/Shanghai")', "2026-01-01T08:00:00@Asia/Shanghai"),
        ('string(last day of month(@"2028-02-10"))', "2028-02-29"),
    ],
)
def test_dates_times_and_durations(text, expected):
    assert value(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('substring("foobar", -2)', "ar"),
        ('substring("foobar", 0)', None),
        ('string length("\\uD83D\\uDC0E办结")', 3),
        ('substring before("a-b-c", "-")', "a"),
        ('string join(["a", null, "b"], "、")', "a、b"),
        ('number("1.000,5", ".", ",")', 1000.5),
        ('string({"a b": [1, "x"], c: null})', '{a b: [1, "x"], c: null}'),
        ("decimal(2.5, 0)", 2),
        ("round half up(2.5, 0)", 3),
        ("modulo(-12, 5)", 3),
        ("stddev([2, 4, 7, 5]) > 2.08", True),
        ("max(1, 5, 3)", 5),
        ("mode([6, 3, 9, 6, 6])", [6]),
        ("flatten([[1, [2]], 3])", [1, 2, 3]),
        ("distinct values([1, 2, 1.0])", [1, 2]),
        ("index of([1, null, 1], 1)", [1, 3]),
        ('get value({a: {b: 1}}, ["a", "b"])', 1),
        ('context put({a: 1}, ["b", "c"], 2)', {"a": 1, "b": {"c": 2}}),
        ("overlaps([1..5], [5..9])", True),
        ("overlaps([1..5), [5..9])", False),
        ("during(3, (< 5))", True),
        ('range("(1..5]")', "(1..5]"),
        ("string length(string: \"abc\")", 3),
        ("string length(text: \"abc\")", None),
        ("abs()", None),
        ("no such thing(1)", None),
    ],
)  # fmt: skip
def test_built_in_functions(text, expected):
    if text.startswith("no such"):
        text = "nosuchthing(1)"
    assert value(text) == expected


def test_host_values_come_in_as_feel_values():
    scope = {
        "n": 3,
        "x": 0.1,
        "when": dt.datetime(2026, 11, 23, 8, tzinfo=dt.UTC),
        "day": dt.date(2026, 11, 23),
        "span": dt.timedelta(hours=36),
        "rows": ({"a": 1},),
        "nan": float("nan"),
    }
    assert evaluate("n", scope) == Decimal(3)
    assert evaluate("x", scope) == Decimal("0.1")
    assert evaluate("string(when)", scope) == "2026-11-23T08:00:00Z"
    assert evaluate("day + span", scope) == dt.date(2026, 11, 24)
    assert evaluate("rows.a", scope) == [Decimal(1)]
    assert evaluate("nan", scope) is None


def test_a_host_function_is_called_by_position_and_by_name():
    def due(rule, start_date=None):
        return f"{rule}@{start_date}"

    scope = {"due": due, "add workdays": lambda start, days: start + dt.timedelta(days=int(days))}
    assert evaluate('due("r1")', scope) == "r1@None"
    assert evaluate('due(rule: "r1", start date: "d")', scope) == "r1@d"
    assert evaluate('add workdays(@"2026-01-01", 2)', scope) == dt.date(2026, 1, 3)


def test_now_and_today_read_the_given_clock_in_the_office_zone():
    def clock():
        return dt.datetime(2026, 11, 22, 17, 0, tzinfo=dt.UTC)

    assert evaluate("today()", {}, clock=clock) == dt.date(2026, 11, 23)
    assert str(evaluate("now()", {}, clock=clock)) == "2026-11-23T01:00:00@Asia/Shanghai"


def test_notes_say_why_something_became_null():
    notes = []
    assert evaluate("金额 + 1", {}, notes=notes) is None
    assert notes[0] == "There is no variable 金额."
    assert notes[0].params == {"name": "金额"}
    assert notes[1].params["left"].msgid == "null"


def test_json_keeps_numbers_exact_and_writes_temporal_values_as_text():
    assert value("[1, 1.5, @\"P1D\", @\"2026-01-01\", {a: null}]") == [1, 1.5, "P1D", "2026-01-01", {"a": None}]
    assert isinstance(value("1.0"), int)
    assert value("1/3") == Decimal("0.3333333333333333333333333333333333")
