"""The single expressions of the DMN TCK, run one by one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from engine.feel import FeelError, evaluate, parse_type
from engine.feel.types import coerce
from tests.conformance.dmn_kit_support import figures, judge, kit_file, read_gaps, same, value_of

GAPS = Path(__file__).with_name("feel_gaps.txt")


def run_case(case: dict[str, Any]) -> Any:
    """The value of the case's expression, fitted to the declared type of the decision as a decision would do it."""
    try:
        value = evaluate(case["expr"], {name: value_of(item) for name, item in case["context"].items()})
    except FeelError:
        return None
    type_ref = case.get("type_ref")
    return value if type_ref is None else coerce(value, parse_type(type_ref), {})[1]


def run_kit() -> tuple[dict[str, bool], dict[str, str]]:
    cases = [json.loads(line) for line in kit_file("feel.jsonl").read_text("utf-8").splitlines()]
    results = {case["id"]: same(run_case(case), value_of(case["expected"])) for case in cases}
    return results, {case["id"]: case["model"] for case in cases}


def test_every_feel_case_passes_unless_its_gap_is_listed(record_property):
    results, model_of = run_kit()
    mean, raw = figures(results, model_of)
    record_property("mean_over_models", round(mean, 2))
    record_property("raw", round(raw, 2))
    judge(results, read_gaps(GAPS), GAPS.name)
    assert mean >= 97 and raw >= 97
