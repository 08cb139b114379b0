"""Sending a case back without filling in the form it is sent back for."""

from __future__ import annotations

import pytest

from engine import Engine, ValidationFailed
from engine.runtime import demo
from tests.support.player import SCENARIOS, Player, delivered_files, read


@pytest.fixture
def before_recommendation(engine: Engine, clock) -> Player:
    """A case that waits for the county's recommendation, whose form has required fields."""
    engine.deploy(delivered_files(), by="designer")
    demo.load(engine)
    scenario = read(next(path for path in SCENARIOS if path.stem == "hnte_approved"))
    steps = scenario["steps"]
    at = next(number for number, step in enumerate(steps) if step.get("element") == "county_recommend")
    player = Player(engine, clock, {**scenario, "steps": steps[:at]})
    player.play()
    return player


def complete(player: Player, outcome: str) -> None:
    task = player.open_tasks("county_recommend")[0]
    by = player._worker(task, task.candidate_groups[0])
    player.engine.desk.complete_task(task.key, {}, outcome=outcome, opinion="现场核查记录不完整。", by=by)


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_returning_leaves_the_form_aside(before_recommendation):
    complete(before_recommendation, "return")
    assert before_recommendation.waiting() != ["county_recommend"]


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_recommending_still_needs_the_form(before_recommendation):
    with pytest.raises(ValidationFailed) as refusal:
        complete(before_recommendation, "recommend")
    assert "county_opinion" in refusal.value.errors
    assert before_recommendation.waiting() == ["county_recommend"]
