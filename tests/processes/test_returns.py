"""Sending a case back without filling in the form it is sent back for."""

from __future__ import annotations

import pytest

from engine import Engine, ValidationFailed
from engine.runtime import demo
from tests.support.player import Player, delivered_files, named


@pytest.fixture
def before_recommendation(engine: Engine, clock) -> Player:
    """A case that waits for the county's recommendation, whose form has required fields."""
    engine.deploy(delivered_files(), by="designer")
    demo.load(engine)
    player = Player(engine, clock, named("hnte_approved"))
    player.play_until("county_recommend")
    return player


def complete(player: Player, outcome: str) -> None:
    task = player.open_tasks("county_recommend")[0]
    by = next(player.workers(task, "candidate"))
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
