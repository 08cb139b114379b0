"""An office in memory, shared by the tests of the rooms: people, one small procedure, a clock moved by hand, a signed-in client."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from sqlalchemy import event, select

from engine import Engine
from engine.store.tables import person
from tests.desk import desk_models as models
from tests.support.counting import is_periodic
from web.app import create_app


class Clock:
    """Monday 2026-11-23, 09:00 in the office, until a test moves it."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def office(self, text: str) -> None:
        self.now = datetime.fromisoformat(text).replace(tzinfo=UTC) - timedelta(hours=8)


PEOPLE = [
    *models.PEOPLE,
    models.person("designer", "设计员", "office", "designer"),
    models.person("auditor", "审计员", "office", "auditor"),
]


def settings(**changes):
    return SimpleNamespace(secret_key="a secret for tests, long enough to pass", office_name="科技局", demo=False, **changes)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def engine(clock):
    made = Engine("sqlite://", clock=clock, settings={"cache_seconds": 60, "acquirer_interval_seconds": 30, "design_second_approval": False}, node="test")
    made.migrate()
    made.desk.people.import_organisation(sections=models.SECTIONS, roles=models.ROLES, people=PEOPLE, by="system")
    made.deploy(models.files(), by="designer")
    yield made
    made.dispose()


@pytest.fixture
def app(engine):
    return create_app(settings(), engine, TESTING=True, WTF_CSRF_ENABLED=False)


@pytest.fixture
def browse(app, engine):
    """A client signed in as somebody, in Chinese or (``language="en"``) English."""

    def sign_in(login: str, language: str = "en"):
        client = app.test_client()
        with engine.reading() as conn:
            epoch = conn.execute(select(person.c.session_epoch).where(person.c.login == login)).scalar_one()
        with client.session_transaction() as session:
            session.update(login=login, epoch=epoch, seen=int(app.config["SESSION_CLOCK"]()), language=language)
        return client

    return sign_in


@pytest.fixture
def open_case(engine):
    """Open a case; with ``accepted`` it waits to be handled in section gaoxin."""

    def start(accepted: bool = True, **changes):
        case = engine.desk.start_case("licence", {**models.START, **changes}, by="wang")
        if accepted:
            task = next(task for task in engine.user_tasks(case.key) if task.element_id == "accept")
            engine.desk.complete_task(task.key, {}, outcome="accept", by="wang")
        return case

    return start


@contextmanager
def statements(engine):
    """The SQL statements sent inside the block."""
    sent: list[str] = []

    def note(conn, cursor, statement, parameters, context, many):
        if not is_periodic(statement):
            sent.append(statement)

    event.listen(engine.database.sa, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(engine.database.sa, "before_cursor_execute", note)


def selects(sent: list[str]) -> list[str]:
    return [statement for statement in sent if statement.lstrip().upper().startswith(("SELECT", "WITH"))]
