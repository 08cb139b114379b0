"""The models of the DMN TCK, levels 2 and 3: every expected result of every test case."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from engine.dmn import DmnModel, read_dmn
from engine.feel import FeelError
from tests.conformance.dmn_kit_support import KIT, figures, judge, kit_file, read_gaps, same, value_of

GAPS = Path(__file__).with_name("dmn_gaps.txt")


def load(files: list[str], main: str) -> DmnModel | None:
    """Read the model's files until their imports are satisfied; faulty expressions are part of the kit and give null."""
    loaded: dict[str, DmnModel] = {}
    result = None
    for _ in files:
        for file in files:
            model, _problems = read_dmn((KIT / file).read_bytes(), file, loaded)
            if model is not None:
                loaded[model.namespace] = model
                result = model if file == main else result
    return result


def outcome(model: DmnModel | None, case: dict[str, Any], result: dict[str, Any]) -> Any:
    inputs = {name: value_of(item) for name, item in case["inputs"].items()}
    if model is None:
        return "the model cannot be read"
    try:
        if case.get("type") == "decisionService":
            service = model.service(case["invocable"])
            value = service.evaluate(inputs).value
            return value if len(service.outputs) == 1 else value.get(result["decision"])
        decision = model.decision(result["decision"])
        return decision.evaluate(inputs).value if decision else "no such decision"
    except FeelError:
        return None


def run_kit() -> tuple[dict[str, bool], dict[str, str]]:
    results: dict[str, bool] = {}
    model_of: dict[str, str] = {}
    for entry in json.loads(kit_file("index.json").read_text("utf-8")):
        kit = json.loads(kit_file(entry["file"]).read_text("utf-8"))
        model = load(kit["files"], kit["dmn"])
        for case in kit["cases"]:
            for result in case["results"]:
                key = f"level-{kit['level']}/{kit['model']}/{case['id']}/{result['decision']}"
                results[key] = same(outcome(model, case, result), value_of(result["expected"]))
                model_of[key] = kit["model"]
    return results, model_of


def test_every_dmn_case_passes_unless_its_gap_is_listed(record_property):
    results, model_of = run_kit()
    mean, raw = figures(results, model_of)
    record_property("mean_over_models", round(mean, 2))
    record_property("raw", round(raw, 2))
    gaps = read_gaps(GAPS)
    judge(results, gaps, GAPS.name)
    assert not any(case.startswith("level-2/") for case in gaps), "level 2 has no gaps"
