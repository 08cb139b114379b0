"""The delivered procedures on both databases, and in an engine made anew after every step."""

from __future__ import annotations

import pytest

from engine import Engine
from engine.runtime import demo
from tests.support.player import SCENARIOS, Player, delivered_files, read

AFTER_EVERY_STEP = ("complaint_a", "ft_refuse_upheld", "hnte_silent")


@pytest.fixture
def desk_engine(engine: Engine) -> Engine:
    engine.deploy(delivered_files(), by="designer")
    demo.load(engine)
    return engine


@pytest.mark.parametrize("database_kind", [pytest.param("postgresql", marks=pytest.mark.postgres)])
@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_a_scenario_reaches_its_end_on_postgresql(desk_engine, clock, path):
    player = Player(desk_engine, clock, read(path))
    player.play()
    player.check()


@pytest.mark.parametrize("path", [path for path in SCENARIOS if path.stem in AFTER_EVERY_STEP], ids=lambda path: path.stem)
def test_a_scenario_goes_on_in_a_new_engine_after_every_step(desk_engine, database_url, clock, path):
    def restart(old: Engine) -> Engine:
        old.dispose()
        return Engine(database_url, clock=clock)

    player = Player(desk_engine, clock, read(path), between=restart)
    player.play()
    player.check()
    player.engine.dispose()
