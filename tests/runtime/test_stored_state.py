"""What every earlier release has stored goes on: see tests/fixtures/README.md."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine import Engine
from engine.store.database import Database
from tests.fixtures.stored import create_at, decode, left_over, load_rows, outcome, play

FILES = sorted((Path(__file__).resolve().parents[1] / "fixtures").glob("state-*.json"))
STORED = [json.loads(file.read_text("utf-8")) for file in FILES]
CASES = [pytest.param(made, case, id=f"{made['release']}: {case['name']}") for made in STORED for case in made["cases"]]


@pytest.fixture(scope="session")
def _databases_at(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """SQLite files at a schema revision, made once each."""
    made: dict[str, Path] = {}

    def file(revision: str) -> Path:
        if revision not in made:
            made[revision] = tmp_path_factory.mktemp("stored") / f"{revision}.db"
            _created(f"sqlite:///{made[revision]}", revision)
        return made[revision]

    return file


def _created(url: str, revision: str) -> None:
    database = Database(url)
    create_at(database, revision)
    database.dispose()


@pytest.fixture
def old_database(database_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """``old_database(revision)`` gives the URL of a database whose tables are those of that revision."""
    if database_kind == "sqlite":

        def copied(revision: str) -> str:
            shutil.copyfile(request.getfixturevalue("_databases_at")(revision), tmp_path / "old.db")
            return f"sqlite:///{tmp_path / 'old.db'}"

        yield copied
        return
    server = request.getfixturevalue("postgres_server")
    name = server.create(migrated=False)

    def created(revision: str) -> str:
        _created(server.url(name), revision)
        return server.url(name)

    yield created
    server.drop(name)


@pytest.mark.parametrize(("made", "case"), CASES)
def test_an_instance_that_an_earlier_release_stored_is_led_to_its_end(made: dict[str, Any], case: dict[str, Any], old_database, clock):
    url = old_database(made["revision"])
    database = Database(url)
    with database.writing() as conn:
        load_rows(conn, case["tables"])
    database.dispose()
    clock.now = decode(case["now"])
    engine = Engine(url, clock=clock, node="later")
    try:
        engine.migrate()
        for step in case["steps"]:
            play(engine, clock, case["key"], step)
        assert outcome(engine) == case["expected"]
        assert left_over(engine) == {}
        assert engine.incidents(case["key"]) == []
    finally:
        engine.dispose()


def test_there_is_stored_state_of_a_release():
    assert STORED and all(made["cases"] for made in STORED)
