"""What the runtime's tests have in common: deploying a built model, reading it short, counting statements."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event

from engine import Engine
from tests.bpmn.builder import Process, bpmn, process
from tests.support.counting import is_periodic


@pytest.fixture
def deploy(engine: Engine) -> Callable[..., Any]:
    """Deploy built processes, or one described in place: ``deploy("p", "start -> a -> end")``."""

    def run(*what: Any, **elements: Any) -> Any:
        processes = what if what and isinstance(what[0], Process) else (process(what[0], what[1], **elements),)
        return engine.deploy({f"{item.id}.bpmn": bpmn(item) for item in processes}, by="designer")

    return run


@pytest.fixture
def tasks(engine: Engine) -> Callable[..., Any]:
    """The open tasks of an instance, called ones included, by element; a list where there are several."""

    def read(key: int) -> dict[str, Any]:
        return {task.element_id: task for task in engine.user_tasks() if task.root_key == key}

    return read


@pytest.fixture
def do(engine: Engine, tasks: Callable[..., Any]) -> Callable[..., Any]:
    """Complete the open task on an element: ``do(instance, "a", x=1)``."""

    def complete(instance: Any, element_id: str, **variables: Any) -> Any:
        return engine.complete(tasks(instance.root_key)[element_id].key, variables, by="worker")

    return complete


@pytest.fixture
def history(engine: Engine) -> Callable[..., list[tuple[str, str]]]:
    """``(element, state)`` of an instance in order of starting."""
    return lambda key: [(item.element_id, item.state) for item in engine.activities(key)]


class Counter:
    """The SQL statements and commits of a block; ``written`` counts the commits of transactions that wrote something."""

    def __init__(self) -> None:
        self.statements: list[str] = []
        self.commits = self.written = 0


@contextmanager
def counted(engine: Engine) -> Iterator[Counter]:
    """Count what ``engine`` sends to its database; the ``BEGIN`` that SQLite needs is not a statement of ours."""
    counter = Counter()

    def execute(conn: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        if not statement.startswith("BEGIN") and not is_periodic(statement):
            counter.statements.append(statement)
            if not statement.lstrip().startswith(("SELECT", "PRAGMA")):
                conn.info["wrote"] = True

    def commit(conn: Any) -> None:
        counter.commits += 1
        counter.written += conn.info.pop("wrote", False)

    event.listen(engine.database.sa, "before_cursor_execute", execute)
    event.listen(engine.database.sa, "commit", commit)
    try:
        yield counter
    finally:
        event.remove(engine.database.sa, "before_cursor_execute", execute)
        event.remove(engine.database.sa, "commit", commit)


@pytest.fixture
def counting(engine: Engine) -> Callable[[], Any]:
    """``with counting() as sql: …; sql.statements, sql.commits``."""
    return lambda: counted(engine)
