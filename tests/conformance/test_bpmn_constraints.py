"""Models that break one constraint of BPMN 2.0 must be refused at deployment, their sound twins must not be for that reason.

``constraints_gaps.txt`` lists the broken models that this release still accepts, and the sound ones it refuses; it may only
shrink.  A sound model that is refused only because it holds an element this release does not execute, or because none of its
processes is executable, is not refused for the constraint's sake.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine.runtime.examining import examine
from tests.conformance.dmn_kit_support import judge, read_gaps

KIT = Path(__file__).resolve().parents[3] / "shared" / "kits" / "bpmn"
GAPS = Path(__file__).with_name("constraints_gaps.txt")
NOT_EXECUTED = {"bpmn.unsupported", "bpmn.not-executable"}


def refusals(file: str) -> set[str]:
    """The rules for which a file would be refused."""
    found, problems = examine({file: (KIT / file).read_bytes()})
    rules = {problem.rule for problem in problems if problem.severity == "error"}
    return rules if found or rules else {"deploy.empty"}


@pytest.fixture(scope="module")
def kit() -> dict[str, Any]:
    if not KIT.exists():
        pytest.skip("The BPMN kit is not there: ../shared/kits/bpmn (relative to the repository) is missing.")
    return json.loads((KIT / "constraints.json").read_text("utf-8"))


def test_broken_models_are_refused_and_sound_ones_are_not(kit, record_property):
    rejected = {entry["file"]: bool(refusals(entry["file"])) for entry in kit["reject"]}
    accepted = {entry["file"]: not refusals(entry["file"]) - NOT_EXECUTED for entry in kit["accept"]}
    record_property("rejected", f"{sum(rejected.values())} of {len(rejected)}")
    record_property("accepted", f"{sum(accepted.values())} of {len(accepted)}")
    judge(rejected | accepted, read_gaps(GAPS), GAPS.name)
