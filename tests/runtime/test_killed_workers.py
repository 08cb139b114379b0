"""A process that works on random instances is killed with SIGKILL, again and again; nothing is lost and nothing is done twice.

The instants are drawn by Hypothesis: between two commands, before any SQL statement of one, just before its commit and just after
it, when the answer is lost.  A fresh process repeats the command, as a client would that has got no answer.  After every step all
rows must be what the oracle of :mod:`tests.support.blocks` expects.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import Phase, given, note, settings
from hypothesis import strategies as st

from engine import Engine
from tests.bpmn.builder import bpmn
from tests.runtime.test_random_processes import COMMON, DEEP, FACTOR
from tests.support.blocks import built, trees
from tests.support.driving import compare, drive
from tests.support.killable import AFTER_COMMIT, BEFORE_COMMIT, BETWEEN, Worker

EXAMPLES = {"sqlite": 12, "postgresql": 6}
SETTINGS = COMMON if DEEP else COMMON | {"phases": [Phase.explicit, Phase.reuse, Phase.generate]}
"""Looking for a smaller example takes minutes here; what failed is printed as it is."""
INSTANTS = st.lists(
    st.one_of(st.none(), st.sampled_from([BETWEEN, BEFORE_COMMIT, AFTER_COMMIT, AFTER_COMMIT]), st.integers(1, 15)), min_size=4, max_size=12
)


class Office:
    """Sends commands to a worker, and hires another when it was killed."""

    def __init__(self, url: str, clock: Any, instants: list[int | str | None]) -> None:
        self.url, self.clock, self.instants = url, clock, instants
        self.worker = Worker(url)
        self.commands = self.deaths = 0

    def run(self, call: tuple[Any, ...], repeat: Callable[[], Any]) -> Any:
        """``call`` by a worker that may die; then by fresh ones as ``repeat()`` says (``None``: it was done, the answer was lost)."""
        instant = self.instants[self.commands % len(self.instants)]
        self.commands += 1
        answer = self.worker.run(self.clock.now, call, instant)
        if answer is not None:
            return answer
        note(f"killed: {instant}")
        self.deaths += 1
        self.close()
        self.worker = Worker(self.url)
        found = repeat()
        return self.worker.run(self.clock.now, call) if found is None else found

    def close(self) -> None:
        self.worker.close()


def play(url: str, clock: Any, block: Any, order: random.Random, instants: list[int | str | None]) -> int:
    """Run a random process with workers that die; gives how many did."""
    build = built(block)
    files = {f"{item.id}.bpmn": bpmn(item) for item in build.processes}
    for name, content in files.items():
        note(f"{name}:\n{content.decode()}")
    engine = Engine(url, clock=clock, node="parent")
    office = Office(url, clock, instants)
    try:
        engine.deploy(files, by="designer")
        world = build.begin(clock.now)

        def started() -> int | None:
            found = engine.instances(business_key="the only one")
            return found[0].key if found else None

        root = office.run(("start", "p", build.variables, "the only one"), started)
        assert len(engine.instances("p")) == 1

        def act(kind: str, element: str, at: str, name: str, variables: dict[str, Any], *, expected: int, step: int) -> None:
            """A repeated command finds what is done done; due timers are asked for until there are none."""
            subject = office.run(("target", root, kind, element, at, name), lambda: None)
            call = ("do", kind, subject, at, variables, f"step {step}")
            if kind != "timer":
                assert office.run(call, lambda: None) == expected
                return
            office.run(call, lambda: None)
            assert office.run(call, lambda: None) == 0

        drive(world, order, clock, act, lambda: compare(engine, root, world), note)
        return office.deaths
    finally:
        office.close()
        engine.dispose()


def test_killed_workers_lose_and_double_nothing(tmp_path, clock, request):
    template, file, began = request.getfixturevalue("_sqlite_template")(), tmp_path / "random.db", clock.now
    deaths: list[int] = []

    @settings(max_examples=EXAMPLES["sqlite"] * FACTOR, **SETTINGS)
    @given(trees(signals=False), st.randoms(use_true_random=False), INSTANTS)
    def run(block: Any, order: random.Random, instants: list[int | str | None]) -> None:
        for old in tmp_path.glob("random.db*"):
            old.unlink()
        shutil.copyfile(template, file)
        clock.now = began
        deaths.append(play(f"sqlite:///{file}", clock, block, order, instants))

    run()
    assert sum(deaths) >= EXAMPLES["sqlite"], deaths


@pytest.mark.postgres
def test_killed_workers_lose_and_double_nothing_on_postgresql(postgres_server, clock):
    began = clock.now
    deaths: list[int] = []

    @settings(max_examples=EXAMPLES["postgresql"] * FACTOR, **SETTINGS)
    @given(trees(signals=False), st.randoms(use_true_random=False), INSTANTS)
    def run(block: Any, order: random.Random, instants: list[int | str | None]) -> None:
        clock.now = began
        name = postgres_server.create()
        try:
            deaths.append(play(postgres_server.url(name), clock, block, order, instants))
        finally:
            postgres_server.drop(name)

    run()
    assert sum(deaths) >= EXAMPLES["postgresql"], deaths
