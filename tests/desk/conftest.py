from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from engine import Engine
from tests.desk import desk_models as models

# A password that is cheap to check: these tests are not about how hard it is to guess.
SETTINGS = {"cache_seconds": 60, "acquirer_interval_seconds": 30, "password_memory_kib": 64}


class Clock:
    """A clock that tests move by hand.  It starts on Monday 2026-11-23 at 09:00 office time."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def office(self, text: str) -> None:
        """Set the clock to an office time (``2026-11-25 17:31``)."""
        self.now = datetime.fromisoformat(text).replace(tzinfo=UTC) - timedelta(hours=8)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def engine(database_url, clock):
    made = Engine(database_url, clock=clock, settings=SETTINGS, node="test")
    made.desk.people.import_organisation(sections=models.SECTIONS, roles=models.ROLES, people=models.PEOPLE, by="system")
    made.deploy(models.files(), by="designer")
    yield made
    made.dispose()


@pytest.fixture
def desk(engine):
    return engine.desk


@pytest.fixture
def rows(engine):
    """Rows of a table as dictionaries, oldest first."""
    from sqlalchemy import select

    def read(table, **equal):
        with engine.reading() as conn:
            statement = select(table)
            for name, value in equal.items():
                statement = statement.where(table.c[name] == value)
            found = [dict(row) for row in conn.execute(statement).mappings()]
        return sorted(found, key=lambda row: row.get("key", 0))

    return read


@pytest.fixture
def open_task(engine):
    """The open task of a case on an element."""

    def find(case_key: int, element_id: str):
        return next(task for task in engine.user_tasks() if task.root_key == case_key and task.element_id == element_id)

    return find


@pytest.fixture
def case(desk):
    """A case at its first step."""
    return desk.start_case("licence", models.START, by="wang")


@pytest.fixture
def in_handling(desk, case, open_task):
    """A case accepted and waiting to be handled."""
    desk.complete_task(open_task(case.key, "accept").key, {}, outcome="accept", by="wang")
    return case
