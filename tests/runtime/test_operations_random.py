"""Random processes that are migrated to an equal version and back before every step: nobody may notice.

The oracle of :mod:`tests.support.blocks` says after every step what must be waited for (due instants included) and what has been
passed; see :mod:`tests.runtime.test_random_processes`, whose plays these are.
"""

from __future__ import annotations

import os
import random
from typing import Any

from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from engine import Engine
from tests.bpmn.builder import bpmn
from tests.support.blocks import built, trees
from tests.support.driving import assert_snapshots_survive, compare, do, drive, target

EXAMPLES = 400 if os.environ.get("BANJIE_HYPOTHESIS") == "deep" else 25


def migrate_all(engine: Engine, root: int, plans: dict[tuple[str, int], Any]) -> int:
    """Bring every running instance of a case to the other version of its process; gives their number."""
    running = [item for item in engine.instances() if item.root_key == root and item.state == "ACTIVE"]
    for item in running:
        at = (item.process_id, item.version)
        if at not in plans:
            plans[at] = engine.plan_migration(item.process_id, item.version, 3 - item.version)
            assert plans[at].problems == ()
        engine.migrate_instance(plans[at], item.key)
    return len(running)


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(block=trees(), order=st.randoms(use_true_random=False))
def test_a_case_that_is_migrated_to_and_fro_before_every_step_takes_the_known_path(clock, block: Any, order: random.Random) -> None:
    engine = Engine("sqlite://", clock=clock)
    engine.migrate()
    build = built(block)
    files = {f"{item.id}.bpmn": bpmn(item) for item in build.processes}
    for name, content in files.items():
        note(f"{name}:\n{content.decode()}")
    plans: dict[tuple[str, int], Any] = {}
    try:
        engine.deploy(files, by="designer")
        root = engine.start("p", build.variables).key
        engine.deploy({name: content + b"<!-- the same again -->\n" for name, content in files.items()}, by="designer")
        world = build.begin(clock.now)

        def act(kind: str, element: str, at: str, name: str, variables: dict[str, Any], *, expected: int, step: int) -> None:
            subject = target(engine, root, kind, element, at, name)
            assert do(engine, kind, subject, at, variables) == expected

        def after() -> None:
            compare(engine, root, world)
            if migrate_all(engine, root, plans):
                compare(engine, root, world)
                assert_snapshots_survive(engine, root)

        drive(world, order, clock, act, after, note)
        assert engine.instance(root).state == "COMPLETED"
    finally:
        engine.dispose()
