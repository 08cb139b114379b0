"""Random processes from nested blocks: they take the path that is known beforehand, whoever executes the next step.

The oracle of :mod:`tests.support.blocks` says after every step what must be waited for, which variables there must be and what has
been passed.  Every step is taken by a new engine, which knows the instance from the database only.

``BANJIE_HYPOTHESIS=deep`` (``make test-deep``) draws many more.  A failing example is printed with the seed that repeats it
(``@reproduce_failure``), the steps taken and the model.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from engine import Engine
from engine.store.database import Database
from tests.bpmn.builder import bpmn
from tests.support.blocks import built, trees
from tests.support.driving import assert_snapshots_survive, compare, do, drive, target

DEEP = os.environ.get("BANJIE_HYPOTHESIS") == "deep"
FACTOR = 40 if DEEP else 1
EXAMPLES = {"sqlite": 60, "postgresql": 10}

COMMON = {
    "deadline": None,
    "print_blob": True,
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
    "phases": [Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
}


def play(fresh: Any, clock: Any, block: Any, order: random.Random) -> int:
    """Run the process of ``block`` with a new engine (``fresh()``) for every step; gives the number of steps."""
    build = built(block)
    files = {f"{item.id}.bpmn": bpmn(item) for item in build.processes}
    for name, content in files.items():
        note(f"{name}:\n{content.decode()}")
    # Looks only, and is kept: what it has read once it need not compile again.
    looking = fresh()
    try:
        with closing(fresh()) as engine:
            engine.deploy(files, by="designer")
            root = engine.start("p", build.variables).key
        world = build.begin(clock.now)

        def act(kind: str, element: str, at: str, name: str, variables: dict[str, Any], *, expected: int, step: int) -> None:
            with closing(fresh()) as engine:
                subject = target(engine, root, kind, element, at, name)
                assert do(engine, kind, subject, at, variables) == expected

        def after() -> None:
            compare(looking, root, world)
            assert_snapshots_survive(looking, root)

        return drive(world, order, clock, act, after, note)
    finally:
        looking.dispose()


@pytest.fixture
def shared_pool(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """``shared_pool(url)``: engines made from now on for ``url`` share one :class:`Database`, and so SQLAlchemy's compiled statements,
    which are half of a new engine's first step.  All that an engine knows of models and instances is still its own."""

    def share(url: str) -> None:
        database = Database(url)
        monkeypatch.setattr("engine.runtime.engine.Database", lambda asked, pool_size=10: database if asked == url else Database(asked, pool_size))

    return share


@contextmanager
def closing(engine: Engine) -> Iterator[Engine]:
    try:
        yield engine
    finally:
        engine.dispose()


def test_every_process_takes_the_known_path_though_each_step_has_a_new_engine(tmp_path, clock, request, shared_pool):
    template, file, began = request.getfixturevalue("_sqlite_template")(), tmp_path / "random.db", clock.now
    shared_pool(f"sqlite:///{file}")

    @settings(max_examples=EXAMPLES["sqlite"] * FACTOR, **COMMON)
    @given(trees(), st.randoms(use_true_random=False))
    def run(block: Any, order: random.Random) -> None:
        for old in tmp_path.glob("random.db*"):
            old.unlink()
        shutil.copyfile(template, file)
        clock.now = began
        play(lambda: Engine(f"sqlite:///{file}", clock=clock), clock, block, order)

    run()


@pytest.mark.postgres
def test_the_same_on_postgresql(postgres_server, clock):
    began = clock.now

    @settings(max_examples=EXAMPLES["postgresql"] * FACTOR, **COMMON)
    @given(trees(), st.randoms(use_true_random=False))
    def run(block: Any, order: random.Random) -> None:
        clock.now = began
        name = postgres_server.create()
        try:
            play(lambda: Engine(postgres_server.url(name), clock=clock), clock, block, order)
        finally:
            postgres_server.drop(name)

    run()
