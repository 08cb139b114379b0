"""The acquirer: what a wake does, what it survives, and that it stops."""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from web import scheduler

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)


def acquirer(run_due, **options):
    return scheduler.Acquirer(run_due, 5, clock=lambda: NOW, stopwatch=iter(range(100)).__next__, **options)


def test_a_wake_runs_due_work_and_counts_it():
    subject = acquirer(lambda: 3)
    assert subject.wake() == scheduler.Wake(NOW, 1, 3)
    subject.wake()
    assert (subject.wakes, subject.rows, subject.failures) == (2, 6, 0)


def test_a_failing_wake_is_logged_and_counted_and_the_next_one_works(caplog):
    answers = iter([RuntimeError("row 7 is broken"), 2])

    def run_due():
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    subject = acquirer(run_due)
    with caplog.at_level(logging.ERROR):
        assert subject.wake().error == "RuntimeError: row 7 is broken"
    assert "due work failed" in caplog.text
    assert subject.wake().error == ""
    assert (subject.wakes, subject.failures, subject.rows) == (2, 1, 2)


def test_an_interval_of_zero_is_refused():
    with pytest.raises(ValueError, match="more than zero"):
        scheduler.Acquirer(lambda: 0, 0)


def test_start_wakes_at_once_and_stop_ends_it():
    woken = threading.Event()

    def run_due():
        woken.set()
        return 0

    app = SimpleNamespace(extensions={})
    subject = scheduler.start(app, SimpleNamespace(run_due=run_due), 3600)
    try:
        assert woken.wait(10)
        assert subject.running
        assert app.extensions[scheduler.EXTENSION] is subject
        subject.start()  # a second start changes nothing
    finally:
        subject.stop()
    assert not subject.running
    subject.stop()
