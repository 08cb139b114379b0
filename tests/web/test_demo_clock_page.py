"""The page of the demo clock, on a database in a file as a demonstration has it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from engine import Engine
from engine.runtime import administration
from engine.store.tables import audit, rung_firing
from tests.desk import desk_models as models
from tests.web.rooms import PEOPLE, browse, open_case, settings  # noqa: F401  fixtures
from web.app import create_app
from web.demo_clock import DemoClock

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path / 'demo.db'}"


@pytest.fixture
def engine(url):
    made = Engine(url, clock=DemoClock(real=lambda: NOW), settings={"cache_seconds": 60}, node="one")
    made.migrate()
    made.desk.people.import_organisation(sections=models.SECTIONS, roles=models.ROLES, people=PEOPLE, by="system")
    made.deploy(models.files(), by="designer")
    yield made
    made.dispose()


@pytest.fixture
def app(engine):
    options = settings()
    options.demo = True
    return create_app(options, engine, TESTING=True, WTF_CSRF_ENABLED=False)


def test_moving_runs_due_work_at_once_and_is_audited(browse, engine, open_case):
    open_case()
    client = browse("admin")
    assert client.get("/admin/clock").status_code == 200
    assert client.post("/admin/clock", data={"day": "2026-12-02"}).status_code == 302
    assert engine.clock() == datetime(2026, 12, 2, 0, 30, tzinfo=UTC)
    with engine.reading() as conn:
        assert conn.execute(select(rung_firing)).first() is not None
        row = conn.execute(select(audit).where(audit.c.action == "clock.move")).one()
    assert row.by == "admin"
    assert row.details["shown_before"] == NOW.isoformat()


def test_another_node_shows_the_same_time(browse, engine, url):
    other = Engine(url, clock=DemoClock(real=lambda: NOW), node="two")
    create_app(settings_with_demo(), other, TESTING=True)
    browse("admin").post("/admin/clock", data={"step": "hour"})
    other.clock.refresh()
    assert other.clock() == engine.clock() == NOW + timedelta(hours=1)
    other.dispose()


def settings_with_demo():
    options = settings()
    options.demo = True
    return options


def test_the_clock_never_goes_back(browse, engine):
    client = browse("admin")
    client.post("/admin/clock", data={"step": "days"})
    shown = engine.clock()
    answer = client.post("/admin/clock", data={"day": "2026-11-24"})
    assert answer.status_code == 422
    assert "only moves forward" in answer.get_data(as_text=True)
    assert engine.clock() == shown
    with pytest.raises(Exception, match="only moves forward"):
        administration.move_clock(engine.desk, -60, shown=shown, by="admin")


def test_only_administrators_move_it(browse, engine):
    for login in ("du", "designer", "auditor", "zheng"):
        assert browse(login).post("/admin/clock", data={"step": "hour"}).status_code == 403, login
    assert engine.clock() == NOW


def test_every_page_says_that_this_is_a_demonstration(browse, engine):
    page = browse("li").get("/inbox").get_data(as_text=True)
    assert "Demonstration: the shown time is" in page
    assert "Move the clock" not in page
    assert "Move the clock" in browse("admin").get("/admin").get_data(as_text=True)


def test_without_demo_there_is_no_such_page(engine, browse, app):
    app.extensions["settings"].demo = False
    client = browse("admin")
    assert client.get("/admin/clock").status_code == 404
    assert client.post("/admin/clock", data={"step": "hour"}).status_code == 404
    assert "Demonstration" not in client.get("/admin").get_data(as_text=True)
    assert engine.clock() == NOW
