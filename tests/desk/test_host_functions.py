"""The functions about working days that conditions, properties and decisions may call."""

from __future__ import annotations

from datetime import date

import pytest

from engine.dmn import parse_dmn
from engine.feel import evaluate

# 2026: the National Day holiday runs 1–7 October; Saturday 10 October is worked in exchange (国办发明电, see engine/deadlines).
CASES = [
    ('add workdays("2026-09-30", 1)', date(2026, 10, 8)),
    ('add workdays("2026-10-08", -1)', date(2026, 9, 30)),
    ('add workdays("2026-09-30", 0)', date(2026, 9, 30)),
    ('add workdays(date: "2026-09-30", n: 2)', date(2026, 10, 9)),
    ('workdays between("2026-09-30", "2026-10-09")', 2),
    ('workdays between("2026-10-09", "2026-09-30")', -2),
    ('workdays between(@"2026-09-30", @"2026-09-30T23:00:00")', 0),
    ('is workday("2026-10-01")', False),
    ('is workday("2026-10-10")', True),
    ('is workday(@"2026-11-21")', False),
    ('next workday("2026-10-01")', date(2026, 10, 8)),
    ('next workday("2026-09-30")', date(2026, 9, 30)),
    ('previous workday("2026-10-05")', date(2026, 9, 30)),
    ('add workdays("2026-09-30", 1.5)', None),
    ('add workdays("2026-09-30", "1")', None),
    ('add workdays("2026-09-30", 10 ** 20)', None),
    ('add workdays(null, 1)', None),
    ('add workdays("never", 1)', None),
    ('workdays between(@"0001-01-01", @"9999-12-31")', None),
    ('is workday(@"-99999-01-01")', None),
    ("is workday(null)", None),
    ("next workday(@\"9999-12-31\") = null or true", True),
]  # fmt: skip


@pytest.fixture
def functions(engine):
    from types import SimpleNamespace

    from engine.runtime.casework.functions import HostFunctions

    return HostFunctions(engine.desk, SimpleNamespace(now=engine.clock()), None, SimpleNamespace()).mapping()


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_working_days_are_counted_by_the_offices_calendar(functions, text, expected):
    assert evaluate(text, functions) == expected


def test_a_decision_may_count_working_days(functions):
    xml = (
        '<definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/" id="d" name="m" namespace="urn:m">'
        '<decision id="d" name="d"><variable name="d"/><decisionTable id="t"><input><inputExpression>'
        "<text>workdays between(filed, decided)</text></inputExpression></input><output name=\"o\"/>"
        "<rule id=\"a\"><inputEntry><text>&lt;= 2</text></inputEntry><outputEntry><text>add workdays(decided, 1)</text></outputEntry></rule>"
        "</decisionTable></decision></definitions>"
    )
    result = parse_dmn(xml.encode(), "m.dmn").decisions["d"].evaluate({**functions, "filed": "2026-09-30", "decided": "2026-10-09"})
    assert result.value == date(2026, 10, 10)
