"""What a person's two most frequent acts may cost the database, through HTTP, with the delivered procedures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import event

from tests.bench.http import Office
from tests.support.counting import is_periodic

STATEMENTS, COMMITS, INBOX = 14, 1, 5


@pytest.fixture
def office(database_url) -> Iterator[Office]:
    office = Office(database_url)
    client = office.client(office.scenario["login"])
    case = office.start(client)
    task = office.first_task(case)
    worker = office.client(office.worker(task))
    office.complete(worker, task)  # fills the caches, as any earlier request of a day has done
    yield office
    office.engine.dispose()


@contextmanager
def counted(office: Office) -> Iterator[tuple[list[str], list[int]]]:
    statements: list[str] = []
    commits: list[int] = []
    database = office.engine.database.sa

    def note(conn, cursor, statement, *rest) -> None:
        if not statement.startswith("BEGIN") and not is_periodic(statement):
            statements.append(" ".join(statement.split())[:110])

    def note_commit(conn) -> None:
        if conn.get_execution_options().get("writing", True):
            commits.append(1)

    event.listen(database, "before_cursor_execute", note)
    event.listen(database, "commit", note_commit)
    try:
        yield statements, commits
    finally:
        event.remove(database, "before_cursor_execute", note)
        event.remove(database, "commit", note_commit)


def test_opening_a_case_keeps_to_its_budget(office):
    client = office.client(office.scenario["login"])
    with counted(office) as (statements, commits):
        office.start(client)
    assert len(statements) <= STATEMENTS, "\n".join(statements)
    assert len(commits) == COMMITS


def test_completing_a_task_keeps_to_its_budget(office):
    task = office.first_task(office.start(office.client(office.scenario["login"])))
    worker = office.client(office.worker(task))
    with counted(office) as (statements, commits):
        office.complete(worker, task)
    assert len(statements) <= STATEMENTS, "\n".join(statements)
    assert len(commits) == COMMITS


def test_the_inbox_keeps_to_its_budget(office):
    client = office.client(office.scenario["login"])
    assert client.get("/inbox").status_code == 200
    with counted(office) as (statements, commits):
        assert client.get("/inbox").status_code == 200
    assert len(statements) <= INBOX, "\n".join(statements)
    assert commits == []
