"""Reading the DMN TCK kit: typed JSON, the comparison that the kit prescribes, and gap lists that may only shrink."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from engine.feel import from_python
from engine.feel.temporal import DateTime, DaysDuration, MonthsDuration, Time, parse_date, parse_date_time, parse_duration, parse_time
from engine.feel.values import kind_of

KIT = Path(__file__).resolve().parents[3] / "shared" / "kits" / "dmn"
_READERS = {
    "date": parse_date,
    "time": parse_time,
    "date and time": parse_date_time,
    "days and time duration": parse_duration,
    "years and months duration": parse_duration,
    "number": Decimal,
}


def kit_file(name: str) -> Path:
    """Path of a kit file; skips the test when the kit is not there."""
    path = KIT / name
    if not path.exists():
        pytest.skip(f"The DMN kit is not there: ../shared/kits/dmn/{name} (relative to the repository) is missing.")
    return path


def value_of(typed: Any) -> Any:
    """Typed JSON to a FEEL value."""
    if isinstance(typed, dict) and "@type" in typed:
        return _READERS[typed["@type"]](typed["value"])
    if isinstance(typed, dict):
        return {key: value_of(item) for key, item in typed.items()}
    if isinstance(typed, list):
        return [value_of(item) for item in typed]
    return from_python(typed)


def same(actual: Any, expected: Any) -> bool:
    """Compare as FORMAT.md says: numbers within 1e-8, temporal values field by field, contexts by key set."""
    if kind_of(actual) != kind_of(expected):
        return False
    if isinstance(expected, Decimal):
        difference = abs(actual - expected)
        return difference <= Decimal("1e-8") or difference <= abs(expected) * Decimal("1e-8")
    if isinstance(expected, list):
        return len(actual) == len(expected) and all(map(same, actual, expected))
    if isinstance(expected, dict):
        return actual.keys() == expected.keys() and all(same(actual[key], item) for key, item in expected.items())
    if isinstance(expected, (Time, DateTime, DaysDuration, MonthsDuration, dt.date)):
        return actual == expected
    return bool(actual == expected)


def read_gaps(path: Path) -> dict[str, str]:
    """A gap list: one case id and the reason a line, ``#`` begins a remark."""
    gaps = {}
    for line in path.read_text("utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            case, _, reason = line.partition("  ")
            gaps[case.strip()] = reason.strip()
    return gaps


def judge(results: dict[str, bool], gaps: dict[str, str], gap_file: str) -> None:
    """Fail for every case that fails without being listed, and for every listed case that passes or is unknown."""
    new = sorted(case for case, good in results.items() if not good and case not in gaps)
    closed = sorted(case for case in gaps if results.get(case))
    unknown = sorted(case for case in gaps if case not in results)
    silent = sorted(case for case, reason in gaps.items() if not reason)
    complaints = [f"fails and is not in {gap_file}: {case}" for case in new]
    complaints += [f"passes now; remove it from {gap_file}: {case}" for case in closed]
    complaints += [f"is listed in {gap_file} but not in the kit; remove it: {case}" for case in unknown]
    complaints += [f"has no reason in {gap_file}: {case}" for case in silent]
    assert not complaints, "\n".join(complaints)


def figures(results: dict[str, bool], model_of: dict[str, str]) -> tuple[float, float]:
    """Return (mean over the models, raw share) of passing cases, in percent."""
    by_model: dict[str, list[bool]] = {}
    for case, good in results.items():
        by_model.setdefault(model_of[case], []).append(good)
    mean = sum(sum(cases) / len(cases) for cases in by_model.values()) / len(by_model)
    return 100 * mean, 100 * sum(results.values()) / len(results)
