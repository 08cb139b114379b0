"""Two commands at once, the first held just before its commit.

No sleeps: the first command stops in its thread just before its commit, the second is started, and the first goes on when the
second is seen to wait for it or has ended.  On SQLite the second waits at its ``BEGIN IMMEDIATE``, on PostgreSQL at the row.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import create_engine, event, text

from engine import Engine, EngineError
from tests.support.soundness import disagreements

LONG = 30
"""Seconds after which a thread is thought to hang; no test waits for them when all is well."""


class Race:
    """Runs ``winner`` up to its commit, starts ``loser``, lets both go on; gives what each returned or raised."""

    def __init__(self, url: str, clock: Any) -> None:
        self.first = Engine(url, clock=clock, node="first")
        self.second = Engine(url, clock=clock, node="second")
        self.watch = create_engine(url)

    def run(self, winner: Callable[[Engine], Any], loser: Callable[[Engine], Any]) -> tuple[Any, Any]:
        before_commit, go_on, second_began, second_ended = (threading.Event() for _ in range(4))
        results: dict[str, Any] = {}

        def hold(conn: Any) -> None:
            if conn.get_execution_options().get("writing", True) and not before_commit.is_set():
                before_commit.set()
                assert go_on.wait(LONG)

        def began(*_: Any) -> None:
            second_began.set()

        def attempt(name: str, command: Callable[[Engine], Any], engine: Engine) -> None:
            try:
                results[name] = command(engine)
            except EngineError as refused:
                results[name] = refused
            finally:
                (before_commit if name == "winner" else second_ended).set()

        event.listen(self.first.database.sa, "commit", hold)
        event.listen(self.second.database.sa, "before_cursor_execute", began)
        threads = [
            threading.Thread(target=attempt, args=("winner", winner, self.first), daemon=True),
            threading.Thread(target=attempt, args=("loser", loser, self.second), daemon=True),
        ]
        threads[0].start()
        assert before_commit.wait(LONG)
        threads[1].start()
        self._until_it_waits(second_began, second_ended)
        go_on.set()
        for thread in threads:
            thread.join(LONG)
            assert not thread.is_alive()
        return results["winner"], results["loser"]

    def _until_it_waits(self, began: threading.Event, ended: threading.Event) -> None:
        assert began.wait(LONG)
        if self.watch.dialect.name == "sqlite":
            return  # it stands before BEGIN IMMEDIATE, or has got no further than reading
        blocked = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
        while not ended.is_set():
            with self.watch.connect() as conn:
                if conn.execute(blocked).scalar():
                    return

    def dispose(self) -> None:
        self.first.dispose()
        self.second.dispose()
        self.watch.dispose()


@pytest.fixture
def race(database_url: str, clock: Any, engine: Engine):
    """``race(winner, loser)`` gives what the two commands returned or raised; afterwards all rows must agree."""
    made = Race(database_url, clock)
    yield made.run
    made.dispose()
    assert disagreements(engine) == []
