"""The health page."""

from __future__ import annotations

from types import SimpleNamespace

from tests.web.rooms import app, browse, clock, engine, open_case  # noqa: F401  fixtures
from web import scheduler


def test_a_node_whose_database_answers_is_healthy_without_signing_in(app):
    answer = app.test_client().get("/healthz")
    assert answer.status_code == 200
    assert answer.json["status"] == "ok"
    assert answer.json["acquirer"] is None


def test_a_dead_acquirer_makes_the_node_unhealthy(app):
    asleep = scheduler.Acquirer(lambda: 0, 30)
    asleep.wake()
    app.extensions[scheduler.EXTENSION] = asleep
    answer = app.test_client().get("/healthz")
    assert answer.status_code == 503
    assert answer.json["acquirer"]["state"] == "asleep"


def test_failures_of_due_work_are_told_without_their_text(app):
    subject = scheduler.start(app, SimpleNamespace(run_due=lambda: 1 / 0), 3600)
    try:
        subject.wake()
        body = app.test_client().get("/healthz").json
        assert body["acquirer"]["failures"] >= 1
        assert body["acquirer"]["last_ok"] is False
        assert "division" not in str(body)
    finally:
        subject.stop()


def test_an_unreachable_database_is_told(app, monkeypatch):
    def broken():
        raise OSError("no database")

    monkeypatch.setattr(app.extensions["engine"], "reading", broken)
    answer = app.test_client().get("/healthz")
    assert answer.status_code == 503
    assert answer.json["database"] == "unreachable"
