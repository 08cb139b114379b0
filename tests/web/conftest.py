"""An office with one small procedure (``licence``), its people, and a signed-in browser of Flask's own kind."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest

from tests.desk import desk_models as models
from tests.support.counting import is_periodic
from web.app import create_app

START_FORM = {**models.START, "subject": "大棚改造"}


@pytest.fixture
def office(engine) -> Any:
    """The engine of the root fixtures with the procedure and the people of the desk's tests."""
    engine.desk.people.import_organisation(sections=models.SECTIONS, roles=models.ROLES, people=models.PEOPLE, by="system")
    engine.deploy(models.files(), by="designer")
    return engine


@pytest.fixture
def app(office) -> Any:
    made = create_app(SimpleNamespace(secret_key="only for tests"), office, TESTING=True, WTF_CSRF_ENABLED=False)
    return made


@pytest.fixture
def client(app) -> Any:
    return app.test_client()


@pytest.fixture
def sign_in(app) -> Any:
    """``sign_in("wang")`` gives a client whose session is Wang's."""

    def sign(login: str) -> Any:
        client = app.test_client()
        answer = client.post("/login", data={"login": login, "password": models.PASSWORD})
        assert answer.status_code == 302, answer.text
        return client

    return sign


@pytest.fixture
def new_case(office) -> Any:
    """Opens a case as Wang at the window; keyword arguments change the form."""

    def start(**changes: Any) -> Any:
        return office.desk.start_case("licence", {**START_FORM, **changes}, by="wang")

    return start


@pytest.fixture
def task_of(office) -> Any:
    """The open task of a case on an element."""

    def find(case_key: int, element_id: str) -> Any:
        return next(task for task in office.user_tasks() if task.root_key == case_key and task.element_id == element_id)

    return find


@pytest.fixture
def statements(office) -> Any:
    """Counts the SQL statements of what runs inside ``with statements() as seen``."""
    from contextlib import contextmanager

    from sqlalchemy import event

    @contextmanager
    def counting():
        seen: list[str] = []

        def note(conn, cursor, statement, parameters, context, executemany) -> None:
            if not re.match(r"\s*(BEGIN|COMMIT|ROLLBACK|PRAGMA|SAVEPOINT|SET )", statement, re.IGNORECASE) and not is_periodic(statement):
                seen.append(statement)

        event.listen(office.database.sa, "before_cursor_execute", note)
        yield seen
        event.remove(office.database.sa, "before_cursor_execute", note)

    return counting
