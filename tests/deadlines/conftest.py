from __future__ import annotations

from pathlib import Path

import pytest

from engine.deadlines import load_ladders, load_rules, seed_years

PROCESSES = Path(__file__).parents[2] / "processes"


@pytest.fixture(scope="session")
def calendar():
    return seed_years(2020, 2026)


@pytest.fixture(scope="session")
def rules():
    return load_rules((PROCESSES / "deadline_rules.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def standard():
    return load_ladders((PROCESSES / "ladders.yaml").read_text(encoding="utf-8"))["standard"]
