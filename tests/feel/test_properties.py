"""Properties that hold for all values."""

from __future__ import annotations

import contextlib
import datetime as dt
import operator
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.feel import FeelError, compile_expression, compile_unary, evaluate, from_python, to_json, to_text
from engine.feel.temporal import (
    DAY_NANOS,
    DateTime,
    DaysDuration,
    MonthsDuration,
    Time,
    add_months,
    date_to_days,
    days_to_date,
    make_date,
    parse_temporal,
)
from engine.feel.values import CONTEXT

DAYS = st.integers(date_to_days(make_date(-999_999_999, 1, 1)), date_to_days(make_date(999_999_999, 12, 31)))
DATES = st.one_of(st.dates(), DAYS.map(days_to_date))
NANOS = st.integers(0, DAY_NANOS - 1)
PLACES = st.one_of(
    st.just((None, None)),
    st.integers(-18 * 3600, 18 * 3600).map(lambda offset: (offset, None)),
    st.sampled_from(["Asia/Shanghai", "Europe/Paris", "Etc/UTC", "America/New_York"]).map(lambda zone: (None, zone)),
)
NUMBERS = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12, places=6)
WORDS = st.sampled_from(
    ["a", "金额", "1", "2.5", '"x"', "(", ")", "[", "]", "{", "}", ",", ":", "..", "+", "-", "*", "/", "**", "=", "!=", "<", ">=", "and", "or",
     "not", "if", "then", "else", "for", "in", "return", "some", "every", "satisfies", "between", "instance", "of", "list", "<", ">", "null",
     "true", "function", "date and time", "?", "@", '@"P1D"', ".", "external", "//", "/*", "*/", "`a`", "day of week", "，", "\n"]
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**15), 10**15) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


@given(DATES)
def test_a_date_survives_its_text(date):
    assert parse_temporal(to_text(date)) == date
    assert days_to_date(date_to_days(date)) == date


@given(NANOS, PLACES)
def test_a_time_survives_its_text(nanos, place):
    time = Time(nanos, *place)
    assert parse_temporal(str(time)) == time


@given(DATES, NANOS, PLACES)
def test_a_date_and_time_survives_its_text(date, nanos, place):
    moment = DateTime(date, nanos, *place)
    assert parse_temporal(str(moment)) == moment


@given(st.integers(-(10**20), 10**20))
def test_a_days_duration_survives_its_text(nanos):
    duration = DaysDuration(nanos)
    assert parse_temporal(str(duration)) == duration


@given(st.integers(-(10**10), 10**10))
def test_a_months_duration_survives_its_text(months):
    duration = MonthsDuration(months)
    assert parse_temporal(str(duration)) == duration


@given(st.dates(dt.date(1, 2, 1), dt.date(9990, 1, 1)), st.integers(0, 60))
def test_adding_months_never_leaves_the_month_meant(date, months):
    moved = add_months(date, months)
    assert (moved.year * 12 + moved.month) - (date.year * 12 + date.month) == months
    assert moved.day <= date.day


@given(st.integers(0, 2 * 10**9), st.integers(-(10**9), 10**9))
def test_moving_a_moment_in_a_zone_agrees_with_the_standard_library(epoch, seconds):
    zone = ZoneInfo("Europe/Paris")
    start = dt.datetime.fromtimestamp(epoch, dt.UTC).astimezone(zone).replace(fold=0)
    expected = (start.astimezone(dt.UTC) + dt.timedelta(seconds=seconds)).astimezone(zone)
    moved = from_python(start).plus(DaysDuration(seconds * 10**9))
    assert str(moved) == expected.replace(tzinfo=None).isoformat() + "@Europe/Paris"


@given(NUMBERS, NUMBERS, st.sampled_from(["+", "-", "*", "/"]))
def test_arithmetic_agrees_with_decimal(left, right, sign):
    by_sign = {"+": CONTEXT.add, "-": CONTEXT.subtract, "*": CONTEXT.multiply, "/": CONTEXT.divide}
    expected = None if sign == "/" and right == 0 else by_sign[sign](left, right)
    assert evaluate(f"a {sign} b", {"a": left, "b": right}) == expected


@given(NUMBERS)
def test_a_number_survives_its_text(number):
    assert evaluate("number(string(n))", {"n": number}) == number


@pytest.mark.parametrize("value", [True, False, None])
def test_negating_twice_changes_nothing(value):
    assert evaluate("not(not(b))", {"b": value}) is value


@given(st.sampled_from([True, False, None]), st.sampled_from([True, False, None]))
def test_de_morgan_holds_with_null(a, b):
    assert evaluate("not(a and b)", {"a": a, "b": b}) is evaluate("not(a) or not(b)", {"a": a, "b": b})


@given(NUMBERS, NUMBERS, st.sampled_from(["<", "<=", ">", ">=", "=", "!="]))
def test_order_agrees_with_decimal(left, right, sign):
    compare = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "=": operator.eq, "!=": operator.ne}[sign]
    assert evaluate(f"a {sign} b", {"a": left, "b": right}) is compare(left, right)


@given(JSON)
def test_json_goes_in_and_comes_out_unchanged(value):
    assert to_json(evaluate("v", {"v": value})) == value


@given(JSON)
def test_anything_equals_itself(value):
    assert evaluate("v = v", {"v": value}) is True


@given(st.lists(NUMBERS, min_size=1, max_size=20))
def test_sort_sorts(numbers):
    assert evaluate("sort(v, function(x, y) x < y)", {"v": numbers}) == sorted(numbers)
    assert evaluate("min(v)", {"v": numbers}) == min(numbers)


_OPERANDS = st.sampled_from(["1", "2.5", "true", "null", "a", "(1 - 2)", "[1]", '"x"', "-3", "not(true)"])
_SIGNS = st.sampled_from(["+", "-", "*", "/", "**", "=", "<", ">=", "!=", "and", "or", "in"])


@settings(max_examples=400)
@given(_OPERANDS, st.lists(st.tuples(_SIGNS, _OPERANDS), max_size=8))
def test_any_row_of_operands_and_signs_is_an_expression(first, rest):
    compile_expression(" ".join([first, *(word for pair in rest for word in pair)])).evaluate({"a": 1})


@settings(max_examples=400)
@given(st.one_of(st.text(max_size=60), st.lists(WORDS, max_size=25).map(" ".join)))
def test_no_text_raises_anything_but_a_feel_error(text):
    for make, run in ((compile_expression, "evaluate"), (compile_unary, "test")):
        try:
            compiled = make(text)
            compiled.evaluate({"a": 1}) if run == "evaluate" else compiled.test(Decimal(1), {"a": 1})
        except FeelError:
            pass


@settings(max_examples=400)
@given(st.one_of(st.text(max_size=60), st.lists(WORDS, max_size=25).map(" ".join)))
def test_every_error_says_where_in_the_text_it_is(text):
    for make in (lambda: compile_expression(text).evaluate({"a": 1}), lambda: compile_unary(text).test(Decimal(1), {"a": 1})):
        try:
            make()
        except FeelError as error:
            assert error.source == text
            assert 0 <= error.position <= len(text)
            assert error.line >= 1
            assert error.column >= 1


@settings(max_examples=300)
@given(st.text(alphabet="ab.*+?()[]{}|^$\\-1,dDwpPi ", max_size=25), st.text(alphabet="ab-1 \n", max_size=15), st.sampled_from(["", "i", "m", "s", "x", "q"]))
def test_no_pattern_raises_anything_but_a_feel_error(pattern, subject, flags):
    with contextlib.suppress(FeelError):
        evaluate("[matches(s, p, f), replace(s, p, \"$1\", f), split(s, p)]", {"s": subject, "p": pattern, "f": flags})
